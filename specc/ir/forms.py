"""How a value that was computed from params is written: a tree of forms over params and sizes.

Non-goals: what it is worth (``Scalar.value``), computing it, Python's text of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, Union

from specc.sizes import Entry

if TYPE_CHECKING:
    from specc.ir.types import Static


class Form:
    """A node. What it consists of is forms, and compile-time values where nothing is left to say
    of how they came to be."""

    __slots__ = ()

    @property
    def parts(self) -> tuple[FormPart, ...]:
        """What it consists of."""
        return ()

    def of(self, parts: tuple[FormPart, ...]) -> Form:
        """The same of other ``parts``, as many."""
        assert not parts
        return self


# What a form consists of.
FormPart: TypeAlias = Union[Form, Entry, "Static"]


@dataclass(frozen=True, slots=True)
class ParamForm(Form):
    """A param, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class EntryForm(Form):
    """What a tuple of a param holds at a place."""

    entry: Entry

    @property
    def parts(self) -> tuple[FormPart, ...]:
        return (self.entry,)

    def of(self, parts: tuple[FormPart, ...]) -> Form:
        (entry,) = parts
        assert isinstance(entry, Entry)
        return replace(self, entry=entry)


@dataclass(frozen=True, slots=True)
class LiteralForm(Form):
    """A value that is written out."""

    value: FormPart

    @property
    def parts(self) -> tuple[FormPart, ...]:
        return (self.value,)

    def of(self, parts: tuple[FormPart, ...]) -> Form:
        (value,) = parts
        return replace(self, value=value)


@dataclass(frozen=True, slots=True)
class UnaryForm(Form):
    """``-operand`` or ``not operand``."""

    operator: str
    operand: FormPart

    @property
    def parts(self) -> tuple[FormPart, ...]:
        return (self.operand,)

    def of(self, parts: tuple[FormPart, ...]) -> Form:
        (operand,) = parts
        return replace(self, operand=operand)


@dataclass(frozen=True, slots=True)
class BinaryForm(Form):
    """``left operator right``, ``and`` and ``or`` among them."""

    operator: str
    left: FormPart
    right: FormPart

    @property
    def parts(self) -> tuple[FormPart, ...]:
        return (self.left, self.right)

    def of(self, parts: tuple[FormPart, ...]) -> Form:
        left, right = parts
        return replace(self, left=left, right=right)


@dataclass(frozen=True, slots=True)
class CallForm(Form):
    """``function(*operands)`` of numbers: ``sqrt``, ``max``."""

    function: str
    operands: tuple[FormPart, ...]

    @property
    def parts(self) -> tuple[FormPart, ...]:
        return self.operands

    def of(self, parts: tuple[FormPart, ...]) -> Form:
        return replace(self, operands=parts)
