"""The arguments of a row: its signature, which is written as text, as data.

A text is parsed when its row is first used, so that importing the catalogue is cheap::

    in_channels: size = ?, out_channels: size, kernel_size: int x2, stride: int x2 = 1, bias: bool =
    True

``= ?`` marks an argument that the incoming shapes tell; ``int x2`` is an int or a pair of them,
``int x1/2`` one in a tuple as well, ``ints x2`` a pair of tuples;
``*shape: size`` takes the rest of the positional arguments, or one tuple of them; the types
are ``tensor``, ``tensors`` (a list), ``size`` (an int that may be symbolic), ``int``, ``float``,
``bool``, ``str``, ``none``, ``dtype``, ``ints``/``floats``/``sizes`` (a tuple), ``float?`` (a float
or none), and ``schedulers`` (a list of calls); ``|`` separates alternatives. A lone ``*`` makes
what follows keyword-only.

Non-goal: what an argument may be worth, which binding and the rules check.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass


class _Marker:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


REQUIRED = _Marker("REQUIRED")
INFERRED = _Marker("INFERRED")


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a signature. ``types`` are alternatives such as ``("int x2", "str")``."""

    name: str
    types: tuple[str, ...]
    default: object = REQUIRED
    keyword_only: bool = False
    variadic: bool = False

    @property
    def inferred(self) -> bool:
        return self.default is INFERRED

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def is_tensor(self) -> bool:
        return "tensor" in self.types or "tensors" in self.types


def one_or(count: int) -> str:
    """The type of an int, or of ``count`` of them, which torch stretches a tuple of one to."""
    return "int x1" if count == 1 else f"int x1/{count}"


def any_or(count: int) -> str:
    """The type of a size, or of ``count`` of them of which any may be none: that of the input. Of
    one alone torch takes no none."""
    return "size x1" if count == 1 else f"size? x{count}"


_ARGUMENT = re.compile(r"(\*?)(\w+)\s*:\s*([^=]+?)\s*(?:=\s*(.+))?")


def parse_signature(text: str) -> tuple[Argument, ...]:
    """The arguments of a signature text; ValueError where a row is written wrongly."""
    arguments: list[Argument] = []
    keyword_only = False
    for piece in _split(text):
        if piece == "*":
            keyword_only = True
            continue
        match = _ARGUMENT.fullmatch(piece)
        if match is None:
            raise ValueError(f"not an argument: {piece!r} in {text!r}")
        star, name, types, default = match.groups()
        value: object = REQUIRED
        if default == "?":
            value = INFERRED
        elif default is not None:
            value = ast.literal_eval(default)
        alternatives = tuple(part.strip() for part in types.split("|"))
        arguments.append(Argument(name, alternatives, value, keyword_only, bool(star)))
    return tuple(arguments)


def _split(text: str) -> list[str]:
    pieces, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            pieces.append(text[start:position].strip())
            start = position + 1
    last = text[start:].strip()
    return [*pieces, last] if last else pieces
