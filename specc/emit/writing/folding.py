"""Whole numbers in the arithmetic of sizes, as a person would write them: ``8``, not ``2 ** 3``.

In a round that is written out a loop's variable is a number. Non-goal: any other simplification,
which is ``sizes``'s."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Final

_BITS: Final = 63
_OPERATORS: Final[Mapping[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def number(node: ast.expr) -> int | None:
    """The whole number that ``node`` writes; None where it writes something else."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = number(node.operand)
        return None if inner is None else -inner
    return None


def written(value: int) -> ast.expr:
    """``value`` as Python has it: a sign before a number."""
    return ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))


def negative(node: ast.expr) -> ast.expr:
    """``-node``."""
    value = number(node)
    return ast.UnaryOp(ast.USub(), node) if value is None else written(-value)


def combined(left: ast.expr, op: ast.operator, right: ast.expr) -> ast.expr:
    """``left op right`` of whole numbers, computed where both are known, and without what changes
    nothing: ``+ 0``, ``* 1``, ``// 1``."""
    one, other = number(left), number(right)
    if one is not None and other is not None and not (isinstance(op, _DIVIDES) and other == 0):
        found = _OPERATORS[type(op)](one, other)
        if found.bit_length() <= _BITS:
            return written(found)
    if isinstance(op, ast.Mult) and 0 in (one, other):
        return ast.Constant(0)
    neutral = 0 if isinstance(op, ast.Add | ast.Sub) else 1
    if other == neutral and not isinstance(op, ast.Mod):
        return left
    if one == neutral and isinstance(op, ast.Add | ast.Mult):
        return right
    if one == 0 and isinstance(op, ast.Sub):
        return negative(right)
    if other is not None and other < 0 and isinstance(op, ast.Add | ast.Sub):
        opposite = ast.Sub() if isinstance(op, ast.Add) else ast.Add()
        return ast.BinOp(left, opposite, written(-other))
    return ast.BinOp(left, op, right)


def extreme(kind: str, sizes: list[ast.expr]) -> ast.expr:
    """``min(...)`` or ``max(...)``, computed where all are known."""
    known = [value for size in sizes if (value := number(size)) is not None]
    if len(known) == len(sizes):
        return written(max(known) if kind == "max" else min(known))
    return ast.Call(ast.Name(kind), sizes, [])


_DIVIDES: Final = (ast.FloorDiv, ast.Mod)
