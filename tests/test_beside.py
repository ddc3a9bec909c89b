"""Modules that no test imports: their number falls, and never rises.

A module is tested where a test file imports it, whatever reaches it else: what a module does by
itself is then said somewhere. Tables are held by the tests of all their rows (``test_catalog_*``),
and are not counted."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Data, of which each row is tested.
TABLES = ("specc.catalog.", "specc.codes.", "specc.drift.", "specc.mutate.faults.")
# To be lowered with each module that gets its test, and not to be raised.
MOST = 184


def modules() -> set[str]:
    found = set()
    for path in (ROOT / "specc").rglob("*.py"):
        if path.stem.startswith("__"):
            continue
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if not name.startswith(TABLES):
            found.add(name)
    return found


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def test_no_more_modules_than_before_are_without_a_test() -> None:
    tested = {name for path in (ROOT / "tests").rglob("*.py") for name in imported(path)}
    without = sorted(modules() - tested)
    assert len(without) <= MOST, (
        f"{len(without)} modules are imported by no test, and {MOST} were: give the new ones a test"
        f" that says what they do; the modules are {', '.join(without)}"
    )
