"""A row in words: its call as a spec writes it, the types of its arguments, torch's page about it.

Non-goals: layout and colour (``specc.report``), examples (``examples``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from specc.catalog.rows import FormulaRow, LayerRow, Row
from specc.catalog.signatures import Argument

_PAGES: Final = "https://docs.pytorch.org/docs/stable/"
# What a spec calls each kind, before the call of a row of it.
CLAUSES: Final = {
    "loss": "loss = ",
    "metric": "metric ",
    "optimizer": "optimizer ",
    "scheduler": "scheduler ",
    "initialiser": "init ",
    "regularizer": "regularize ",
    "constraint": "constrain ",
    "clip": "clip ",
}
_ENDINGS: Final = {
    "scheduler": " per step",
    "initialiser": " on *.weight",
    "regularizer": " on *.weight",
    "constraint": " on *.weight",
}


def plural(kind: str) -> str:
    """``losses``, ``layers``: what several rows of ``kind`` are called."""
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def literal(value: object) -> str:
    """A default as a spec writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "none"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case tuple():
            inner = ", ".join(map(literal, value))
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case _:
            return repr(value)


def signature(row: Row) -> str:
    """``Conv2d(out_channels, kernel_size, stride=1, ...)``: without what the shapes tell; ``*``
    stands before what has to be named."""
    written = _arguments(row.arguments)
    return f"{row.name}({', '.join(written)})" if written else row.name


def _arguments(arguments: Iterable[Argument]) -> list[str]:
    written: list[str] = []
    named = False
    for argument in arguments:
        if argument.inferred:
            continue
        if argument.keyword_only and not named:
            named = True
            written.append("*")
        star = "*" if argument.variadic else ""
        default = "" if argument.required else f"={literal(argument.default)}"
        written.append(f"{star}{argument.name}{default}")
    return written


def statement(kind: str, row: Row) -> str:
    """``row`` where a spec has it: ``x -> Conv2d(...)``, ``optimizer SGD(...)``."""
    call = signature(row)
    if isinstance(row, LayerRow):
        taken = [a.name for a in row.forward_arguments if a.is_tensor and a.required]
        if len(taken) > 1:
            return f"{call}({', '.join(taken)})"
        return f"x -> {call}"
    if kind == "parametrization":
        return f"x -> Linear(8) with {call}"
    return f"{CLAUSES.get(kind, '')}{call}{_ENDINGS.get(kind, '')}"


_TYPES: Final = {"tensors": "list of tensors", "schedulers": "list of schedulers"}
_COPIES: Final = re.compile(r"(int|float|size)(\??) x(?:1/)?(\d)")


def type_of(row: Row, argument: Argument) -> str:
    """``int or 2 of them, or "same"``: what ``argument`` of ``row`` may be."""
    choices = row.choices.get(argument.name, ())
    told = []
    for name in argument.types:
        copies = _COPIES.fullmatch(name)
        if copies is not None:
            base, maybe, count = copies.groups()
            whole = f"{base} or {count} of them" if count != "1" else base
            told.append(f"{whole}, each a {base} or none" if maybe else whole)
        elif name == "str" and choices:
            told.append(" or ".join(literal(choice) for choice in choices))
        else:
            told.append(_TYPES.get(name, name))
    return ", or ".join(told) if len(told) > 2 else " or ".join(told)


def page(kind: str, row: Row) -> str:
    """The address of torch's documentation of ``row``; empty for what is no function or class of
    torch's."""
    if isinstance(row, FormulaRow) and not row.torch.startswith("nn."):
        return ""
    if row.helper or row.module or not row.torch:
        return ""
    if kind == "loss":
        return f"{_PAGES}generated/torch.nn.{row.name}.html"
    home, _, name = row.torch.partition(".")
    path = {"nn": "torch.nn", "F": "torch.nn.functional", "torch": "torch"}[home]
    if kind == "initialiser":
        return f"{_PAGES}nn.init.html#{path}.{name}"
    return f"{_PAGES}generated/{path}.{name}.html"
