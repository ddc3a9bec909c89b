"""Expressions back to text: what is written reads as the same tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT

from specc.errors import Collector
from specc.syntax.parsing.parse import parse
from specc.syntax.tree import ast
from specc.syntax.tree.written import written

ZOO = sorted((ROOT / "specs").rglob("*.spec"))


def bare(node: object) -> object:
    """``node`` without its places."""
    if isinstance(node, ast.Node):
        kept = [name for name in type(node).model_fields if "span" not in name]
        return (type(node).__name__, *(bare(getattr(node, name)) for name in kept))
    return tuple(map(bare, node)) if isinstance(node, tuple) else node


def expressions(node: object) -> list[ast.Expression]:
    """The outermost expressions inside ``node`` that are values."""
    if isinstance(node, ast.Expression) and not isinstance(node, ast.Chain | ast.Repeat):
        return [node]
    if isinstance(node, ast.Node):
        return [found for name in type(node).model_fields for found in
                expressions(getattr(node, name))]  # fmt: skip
    return [f for item in node for f in expressions(item)] if isinstance(node, tuple) else []


@pytest.mark.parametrize("file", ZOO, ids=lambda file: file.stem)
def test_an_expression_is_written_as_it_reads(file: Path) -> None:
    found = expressions(parse(file.read_text("utf-8"), file.name, Collector()).tree)
    assert found
    lines = "".join(f"  y = {written(node)}\n" for node in found)
    collector = Collector()
    (model,) = parse(f"spec 1\nmodel M {{\n{lines}}}\n", "written", collector).tree.items
    assert collector.items == []
    assert isinstance(model, ast.Module)
    again = [statement.value for statement in model.body if isinstance(statement, ast.Assign)]
    assert list(map(bare, again)) == list(map(bare, found))
