"""The types of params: which values are of each, and how a param stands in scope.

Non-goal: reading declarations and settings (``params``), or binding a block's (``blocks``)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from specc import ir
from specc.semantics.compile_time.entities import Entity, from_static
from specc.sizes import symbol

TYPES: Final = ("int", "float", "bool", "str", "tuple", "layer")


def in_scope(name: str, value: ir.Static) -> Entity:
    """A param as an entity: what stays symbolic, the emitted source can speak of by name."""
    if isinstance(value, bool) or isinstance(value, float | str):
        return ir.Scalar(value, ir.ParamForm(name))
    if isinstance(value, int):
        return symbol(name)
    if isinstance(value, ir.LayerChoice):
        return replace(value, param=name)
    return from_static(value)


def is_of(value: object, kind: str) -> bool:
    """Whether ``value`` is of a param's type ``kind``."""
    match kind:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case "layer":
            return isinstance(value, ir.LayerChoice)
        case _:
            return isinstance(value, tuple)


def article(kind: str) -> str:
    """``kind`` with its article, for a message."""
    return {
        "int": "an int",
        "float": "a float",
        "bool": "a bool (true or false)",
        "str": "a string",
        "tuple": "a tuple",
        "layer": "a layer",
    }[kind]
