"""Whoever lists targets lists those of the table: the code, the catalogue's refusals, the docs."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

from specc.catalog.catalogue import BUILT_IN
from specc.ir import TestPlan
from specc.ir.targets import TARGET_NAMES, TARGET_ROWS
from specc.semantics.files.plan import CHOICES
from specc.targets import TARGETS, Functions

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = [name for name in vars(Functions) if not name.startswith("_")]


def test_the_targets_are_the_rows() -> None:
    assert (*TARGETS,) == TARGET_NAMES
    assert len({row.suffix for row in TARGET_ROWS}) == len(TARGET_ROWS)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("target", TARGET_NAMES)
def test_the_file_of_a_target_has_the_functions(target: str, function: str) -> None:
    made = getattr(importlib.import_module(f"specc.targets.{target}"), function)
    asked = inspect.signature(getattr(Functions, function))
    own = [each for name, each in asked.parameters.items() if name != "self"]
    assert inspect.signature(made) == asked.replace(parameters=own)


def test_a_spec_and_a_call_choose_among_the_rows() -> None:
    assert CHOICES["targets"] == TestPlan().targets == TARGET_NAMES


def test_the_catalogue_refuses_for_targets_of_the_table() -> None:
    rows = [row for table in (BUILT_IN.layers, BUILT_IN.functions) for row in table.values()]
    refused = {target for row in rows for target in row.refuses}
    assert refused and refused <= {*TARGET_NAMES}


def test_no_other_list_of_targets_is_in_the_code() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "specc").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for items in [_items(node)]
        if len({*TARGET_NAMES} & {*items}) >= len(TARGET_NAMES) - 1
    ]
    assert found == []


def _items(node: ast.AST) -> list[object]:
    match node:
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return [each.value for each in parts if isinstance(each, ast.Constant)]
        case ast.Dict(keys=keys):
            return [each.value for each in keys if isinstance(each, ast.Constant)]
        case ast.Constant(value=str(text)):
            return [*text.split(",")]
        case _:
            return []


def test_the_documentation_lists_the_rows() -> None:
    language = (ROOT / "docs/language.md").read_text(encoding="utf-8")
    assert f"`targets {', '.join(TARGET_NAMES)}`" in language
    artefacts = [row for row in TARGET_ROWS if row.name != "eager"]
    *most, last = artefacts
    names = ", ".join(f"`{row.name}`" for row in most) + f" or `{last.name}`"
    suffixes = ", ".join(f"`<stem>{row.suffix}`" for row in artefacts)
    for page in ("README.md", "docs/cli.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert names.replace("`", "", 1) in text.replace("`--target ", ""), page
    assert suffixes in re.sub(r"\s+", " ", (ROOT / "docs/cli.md").read_text(encoding="utf-8"))
