"""A spec to a program whose test can be run, one way for the command and the API: the front end's
faults, and those that only the test matrix finds. Torch-free.

Non-goals: reading (``front``), what a row of sizes must hold (``matrix``)."""

from __future__ import annotations

import os
from collections.abc import Mapping

from specc import front, ir
from specc.errors import Diagnostic, SpecError
from specc.harness.cases import matrix

Checked = tuple[ir.Program | None, list[Diagnostic], dict[str, str]]


def check(path: str | os.PathLike[str], params: Mapping[str, object] | None = None) -> Checked:
    """``front.check`` of the spec at ``path`` as it is tested, with what its rows of sizes break:
    the program, None where there is an error, every diagnostic, and the texts. Raises CallError
    where the file cannot be read."""
    return held(*front.check(path, params, tested=True))


def held(
    program: ir.Program | None, diagnostics: list[Diagnostic], sources: dict[str, str]
) -> Checked:
    """What the front end found of a program, with what only the test matrix finds of it."""
    if program is None:
        return program, diagnostics, sources
    try:
        matrix.cases(program)
    except SpecError as error:
        return None, [*diagnostics, *error.diagnostics()], sources
    return program, diagnostics, sources
