"""The sizes that the rounds of loops change, with symbols for them.

A module whose loops change sizes, or decide something, is read once more after it was checked: what
a round begins with then has symbols for the sizes that some round changes, and so has what a branch
in a loop leaves behind. What such a reading says of a layer it says in every round, whatever the
params are. Non-goal: what a reading checks, which is the first one's business."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from specc import ir
from specc.sizes import Poly, Size, evaluate, symbol, symbols

# Where a loop or branch starts in the text, a name that it binds, a dimension of what that holds.
Key: TypeAlias = tuple[int, str, int]

# No name of a spec has it.
_MARK: Final = "@"
# What stands for a size of a block's input that differs from round to round, and that no layer of
# the block takes: nothing says what it is.
UNSAID: Final = f"unsaid{_MARK}"
# Readings after which no more sizes turn out to change.
MOST_READINGS: Final = 4
# How deep sizes are made of sizes that inner loops and branches leave.
_DEEPEST: Final = 50


@dataclass(slots=True)
class Threads:
    """What is known of them in one module: ``changing`` are those that were seen to change,
    ``chooses`` whether a loop decides something; ``reading`` is whether symbols stand for them, and
    ``forms`` what those are in the terms of what is around the loop or branch."""

    changing: set[Key] = field(default_factory=set)
    chooses: bool = False
    reading: bool = False
    forms: dict[str, Size] = field(default_factory=dict)

    @property
    def wanted(self) -> bool:
        """Whether the module has anything to be read once more for."""
        return bool(self.changing) or self.chooses

    def note(
        self, start: int, name: str, before: ir.TensorType, after: ir.TensorType,
        params: Mapping[str, Size],
    ) -> None:  # fmt: skip
        """Notes the sizes, known when a module is made, that are others ``after`` a round or a
        branch."""
        if len(before.shape) != len(after.shape):
            return
        for dimension, (old, new) in enumerate(zip(before.shape, after.shape, strict=True)):
            if old != new and _is_known(old, params) and _is_known(new, params):
                self.changing.add((start, name, dimension))

    def of(self, start: int, name: str, rank: int) -> Iterator[tuple[int, str]]:
        """The dimensions of ``name`` that symbols stand for, each with its symbol."""
        if self.reading:
            for dimension in range(rank):
                if (start, name, dimension) in self.changing:
                    yield dimension, f"{name}{_MARK}{start}.{dimension}"

    def outside(self, type_: ir.TensorType, outer: Collection[str]) -> ir.TensorType:
        """``type_`` without the symbols that are none of ``outer``: in the terms of what is
        around."""
        if not self.forms:
            return type_
        shape = tuple(self._outside(size, outer) for size in type_.shape)
        classes = None if type_.classes is None else self._outside(type_.classes, outer)
        return replace(type_, shape=shape, classes=classes)

    def _outside(self, size: Size, outer: Collection[str]) -> Size:
        for _ in range(_DEEPEST):
            inner = {
                name: self.forms[name]
                for name in symbols(size)
                if name in self.forms and name not in outer
            }
            if not inner:
                break
            size = evaluate(size, inner)
        return size


def with_symbols(type_: ir.TensorType, said: Mapping[int, str]) -> ir.TensorType:
    """``type_`` whose dimensions are called so."""
    if not said:
        return type_
    shape = [
        symbol(said[place]) if place in said else size for place, size in enumerate(type_.shape)
    ]
    return replace(type_, shape=tuple(shape))


def symbols_in(value: object) -> bool:
    """Whether a bound or an item speaks of a param."""
    if isinstance(value, tuple):
        return any(map(symbols_in, value))
    return isinstance(value, Poly | ir.Scalar)


def is_thread(name: str) -> bool:
    """Whether a symbol stands for a size that a loop or branch hands on, or that a block keeps."""
    return _MARK in name


def kept_symbol(block: str, start: int, position: int, dimension: int) -> str:
    """What stands for a size that a block keeps, whose use begins at ``start``."""
    return f"{block}{_MARK}{_MARK}{start}.{position}.{dimension}"


def is_kept(name: str) -> bool:
    """Whether a symbol stands for a size that a block keeps."""
    return _MARK * 2 in name


def dimension_of(symbol: str) -> tuple[str, int]:
    """The name of what has the size, and the dimension that it is of."""
    name, _, place = symbol.partition(_MARK)
    return name, int(place.rpartition(".")[2])


def _is_known(size: Size, params: Mapping[str, Size]) -> bool:
    return not isinstance(size, Poly) or isinstance(evaluate(size, params), int)
