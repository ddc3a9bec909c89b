"""The marks of an emitted source, read back: which line of the spec a statement comes from.

Non-goal: writing them (``marks``)."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Mapping
from typing import Final

from specc.emit.writing.marks import stands_for_the_next

_MARK: Final = re.compile(r"#\s*(\S.*:\d+)\s*$")


def statement_marks(source: str) -> dict[int, str]:
    """The mark of each line that a marked statement of ``source`` covers."""
    found: dict[int, str] = {}
    comments = comments_of(source)

    def visit(body: Iterable[ast.stmt], holds: bool) -> None:
        before: str | None = None
        for node in body:
            name = mark_of(node, comments) or before
            if name is not None:
                found.update(dict.fromkeys(range(node.lineno, _end(node) + 1), name))
            inside = isinstance(node, ast.FunctionDef) and stands_for_the_next(node.name)
            for field in ("body", "orelse"):
                visit(getattr(node, field, ()), holds or inside)
            before = name if holds and is_simple(node) else None

    visit(ast.parse(source).body, False)
    return found


def is_simple(node: ast.stmt) -> bool:
    """Whether the statement computes by itself, and holds no others."""
    return isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr | ast.Return)


def mark_of(node: ast.stmt, comments: Mapping[int, tuple[str, bool]]) -> str | None:
    """The comment behind the statement's first line, or alone on the line above it."""
    behind = comments.get(node.lineno)
    if behind is not None and not behind[1]:
        return behind[0]
    above = comments.get(node.lineno - 1)
    return above[0] if above is not None and above[1] else None


def comments_of(source: str) -> dict[int, tuple[str, bool]]:
    """The mark on each line that has one, and whether it stands there alone."""
    found: dict[int, tuple[str, bool]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and (match := _MARK.match(token.string)):
            alone = not token.line[: token.start[1]].strip()
            found[token.start[0]] = (match[1], alone)
    return found


def _end(node: ast.stmt) -> int:
    inner = getattr(node, "body", None)
    if isinstance(inner, list) and inner:
        return node.lineno  # of a loop its head alone: what is inside has marks of its own
    return node.end_lineno or node.lineno
