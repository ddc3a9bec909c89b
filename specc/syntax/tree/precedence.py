"""Groups a flat row of operands and operators by precedence (Pratt's method).

The grammar reads ``a + b * -c`` as one row; this gives it its shape. Non-goal: types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from lark import Token

from specc.errors import Span
from specc.syntax.tree import ast

# How tightly each operator holds what is left and right of it.
INFIX: Final = {
    "or": (1, 2),
    "and": (3, 4),
    "==": (7, 8),
    "!=": (7, 8),
    "<": (7, 8),
    "<=": (7, 8),
    ">": (7, 8),
    ">=": (7, 8),
    "+": (9, 10),
    "-": (9, 10),
    "*": (11, 12),
    "/": (11, 12),
    "//": (11, 12),
    "%": (11, 12),
    "@": (11, 12),
    "**": (16, 13),
}
PREFIX: Final = {"not": 5, "-": 13}


def group(row: Sequence[Token | ast.Expression], span: Callable[[Token], Span]) -> ast.Expression:
    """The expression that ``row`` says; ``span`` gives the place of a prefix operator."""
    expression, end = _climb(row, 0, 0, span)
    assert end == len(row)
    return expression


def _climb(
    row: Sequence[Token | ast.Expression],
    start: int,
    binding: int,
    span: Callable[[Token], Span],
) -> tuple[ast.Expression, int]:
    first = row[start]
    if isinstance(first, Token):
        operator = "not" if first.value == "not" else "-"
        operand, position = _climb(row, start + 1, PREFIX[operator], span)
        left: ast.Expression = ast.Unary(
            span=span(first).to(operand.span),
            operator="not" if operator == "not" else "-",
            operand=operand,
        )
    else:
        left, position = first, start + 1
    while position < len(row):
        operator = str(row[position])
        to_left, to_right = INFIX[operator]
        if to_left < binding:
            break
        right, position = _climb(row, position + 1, to_right, span)
        left = ast.Binary(span=left.span.to(right.span), operator=operator, left=left, right=right)
    return left, position
