"""Python that a row of the catalogue writes out, with the spec's arguments put in.

Non-goal: any knowledge of a single row; what is written is its ``made`` or its ``formula``.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping

from specc import ir
from specc.catalog.rows import Row
from specc.emit.writing.expressions import Naming, of_static


def filled(text: str, row: Row, arguments: ir.Arguments, naming: Naming) -> ast.expr:
    """The expression ``text`` with ``arguments`` in place of their names. What the spec leaves out
    is left to torch's default where it is passed by keyword, and is the row's default elsewhere."""
    given = dict(arguments)
    values: dict[str, ast.expr] = {}
    for argument in row.arguments:
        operand = given.get(argument.name, argument.default)
        assert not isinstance(operand, ir.Value)
        values[argument.name] = of_static(operand, naming)  # type: ignore[arg-type]  # static args
    return _put(ast.parse(text, mode="eval").body, values, given.keys())


def with_name(tree: ast.expr, name: str, value: ast.expr) -> ast.expr:
    """``tree`` with ``value`` wherever it says ``name``."""
    return _put(tree, {name: value}, {name})


def _put(tree: ast.expr, values: Mapping[str, ast.expr], given: Collection[str]) -> ast.expr:
    found = _Put(values, given).visit(tree)
    assert isinstance(found, ast.expr)
    return found


class _Put(ast.NodeTransformer):
    """Puts values in place of names, and leaves out what was left out."""

    def __init__(self, values: Mapping[str, ast.expr], given: Collection[str]) -> None:
        self.values = values
        self.given = given

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node.keywords = [item for item in node.keywords if self._is_said(item.value)]
        self.generic_visit(node)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        test = self.visit(node.test)
        if isinstance(test, ast.Constant):
            taken: ast.AST = self.visit(node.body if test.value else node.orelse)
            return taken
        return ast.IfExp(test, self.visit(node.body), self.visit(node.orelse))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.values.get(node.id, node)

    def _is_said(self, value: ast.expr) -> bool:
        asked = value.test if isinstance(value, ast.IfExp) else value
        return not (
            isinstance(asked, ast.Name) and asked.id in self.values and asked.id not in self.given
        )
