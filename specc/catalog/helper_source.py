"""The source of what an emitted file carries along, read from the modules of ``specc.helpers``.

They are real functions, which linters, types and tests look at; they import torch, and so are read
here as text, when a file is emitted and no sooner. Non-goal: which row carries which (the tables).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent.parent / "helpers"
_WIDTH: Final = 88


@dataclass(frozen=True, slots=True)
class Whole:
    """A function of ``module`` as it stands there."""

    module: str
    function: str

    def text(self) -> str:
        """Its source, with a line end."""
        lines, found = _function(self.module, self.function)
        return _lines(lines, found.lineno, found.end_lineno)


@dataclass(frozen=True, slots=True)
class Joined:
    """A function made of the bodies of several of ``module``, one after the other.

    Where a part returns names, the next goes on with these; where it returns something else, the
    next knows it as ``score``. The last returns."""

    module: str
    function: str
    parameters: tuple[str, ...]
    summary: str
    parts: tuple[str, ...]

    def text(self) -> str:
        """Its source, with a line end."""
        *before, last = self.parts
        said = f'    """{self.summary[0].upper() + self.summary[1:]}."""\n'
        return "".join(
            [
                head(self.function, self.parameters) + "\n",
                said,
                *(_continued(self.module, part) for part in before),
                _body(self.module, last),
            ]
        )


def head(function: str, parameters: Iterable[str]) -> str:
    """``def function(parameters) -> Tensor:`` on one line, on three, or a line a parameter, as a
    formatter lays it out."""
    given = list(parameters)
    line = f"def {function}({', '.join(given)}) -> Tensor:"
    if len(line) <= _WIDTH:
        return line
    inside = f"    {', '.join(given)}"
    if len(inside) > _WIDTH:
        inside = "\n".join(f"    {each}," for each in given)
    return f"def {function}(\n{inside}\n) -> Tensor:"


def _body(module: str, function: str) -> str:
    """The lines below the docstring."""
    lines, found = _function(module, function)
    return _lines(lines, found.body[1].lineno, found.end_lineno)


def _continued(module: str, function: str) -> str:
    """The body less its return, for another that follows."""
    lines, found = _function(module, function)
    last = found.body[-1]
    assert isinstance(last, ast.Return) and last.value is not None
    text = _lines(lines, found.body[1].lineno, last.lineno - 1)
    returned = last.value.elts if isinstance(last.value, ast.Tuple) else [last.value]
    if all(isinstance(each, ast.Name) for each in returned):
        return text
    rest = _lines(lines, last.lineno, last.end_lineno)
    return text + rest.replace("return ", "score = ", 1)


def _lines(lines: list[str], first: int, last: int | None) -> str:
    return "".join(lines[first - 1 : last])


def _function(module: str, function: str) -> tuple[list[str], ast.FunctionDef]:
    lines, functions = _read(module)
    return lines, functions[function]


@cache
def _read(module: str) -> tuple[list[str], dict[str, ast.FunctionDef]]:
    text = (FOLDER / f"{module}.py").read_text(encoding="utf-8")
    found = {each.name: each for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)}
    return text.splitlines(keepends=True), found
