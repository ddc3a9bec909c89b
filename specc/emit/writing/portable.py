"""What torch has a function of that one of the targets cannot take, or takes for another: written
as what every target computes alike.

Non-goal: what no target can write otherwise, which the rows say (``refuses``).
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from specc import ir


def written_alike(
    node: ir.FunctionCall,
    written: Callable[[str], ast.expr],
    device: Callable[[], ast.expr] | None,
) -> ast.expr | None:
    """``node`` as every target takes it; None where that is torch's own function.

    ``written`` gives an argument's expression by its name, ``device`` a tensor of the device that
    something made is on: none in a constructor."""
    given = dict(node.arguments)
    if node.function in ("any", "all") and given.get("dim") == ():
        # Eagerly nothing is reduced; of compiled code torch reduces everything.
        return _method(written("input"), "to", _torch("bool"))
    if node.function == "narrow" and isinstance(given["start"], ir.Value):
        # torch.narrow reads the start on the host, which no trace can.
        keywords = []
        if device is not None:
            keywords = [ast.keyword("device", ast.Attribute(device(), "device", ast.Load()))]
        places = ast.Call(_torch("arange"), [written("length")], keywords)
        found = ast.BinOp(written("start"), ast.Add(), places)
        return ast.Call(_torch("index_select"), [written("input"), written("dim"), found], [])
    return None


def _torch(name: str) -> ast.expr:
    return ast.Attribute(ast.Name("torch"), name, ast.Load())


def _method(value: ast.expr, name: str, argument: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(value, name, ast.Load()), [argument], [])
