"""What an emitted file takes from rows besides torch: functions and classes that it carries along,
modules of extensions that it imports.

Each is there where something of the file uses it, and once. Non-goal: importing such modules when
the file runs (``specc.extensions``)."""

from __future__ import annotations

import ast

from specc import ir
from specc.catalog.catalogue import head
from specc.catalog.used import rows_of


def helpers(program: ir.Program) -> list[str]:
    """The source of what the file carries along, each text once."""
    found = {row.source.strip() + "\n": None for row in rows_of(program) if row.helper}
    return list(found)


def imports(program: ir.Program, body: ast.Module) -> list[str]:
    """The modules of extensions that the parsed ``body`` of the file uses, sorted."""
    wanted = {row.module for row in rows_of(program) if row.module}
    if not wanted:
        return []
    used = {ast.unparse(node) for node in ast.walk(body) if isinstance(node, ast.Attribute)}
    return sorted(module for module in wanted if any(n.startswith(f"{module}.") for n in used))


def borrowed_names(program: ir.Program) -> frozenset[str]:
    """The names that helpers and imported modules have in the file."""
    return frozenset(head(row) for row in rows_of(program) if row.module or row.helper)
