"""Layers that are kept as in evaluation: made so in ``__init__``, and by ``train`` again.

Non-goal: parameters alone, which ``inits`` freezes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from specc import ir
from specc.emit.writing.expressions import call, path_expression
from specc.emit.writing.statements import Evaluate, Function, Parameter, Return, Statement


def still_statements(on: ir.Still) -> list[Statement]:
    """``self.teacher.requires_grad_(False).eval()``."""
    found: list[Statement] = []
    for path in on.paths:
        held: ast.expr = path_expression(ast.Name("self"), path)
        if any(name.startswith(f"{path}.") for name in on.names):
            held = call(ast.Attribute(held, "requires_grad_", ast.Load()), ast.Constant(False))
        found.append(Evaluate(call(ast.Attribute(held, "eval", ast.Load()))))
    return found


def train_override(module: ir.Module) -> Iterator[Function]:
    """``train``, which leaves as in evaluation what is frozen."""
    paths = [path for each in module.frozen if isinstance(each, ir.Still) for path in each.paths]
    if not paths:
        return
    mode = ast.Name("mode")
    above = call(ast.Name("super"))
    body: list[Statement] = [Evaluate(call(ast.Attribute(above, "train", ast.Load()), mode))]
    for path in dict.fromkeys(paths):
        held = path_expression(ast.Name("self"), path)
        body.append(Evaluate(call(ast.Attribute(held, "eval", ast.Load()))))
    yield Function(
        "train",
        [Parameter("mode", "bool", "True")],
        f'"{module.name}"',
        "Training mode, or evaluation; what is frozen stays as in evaluation.",
        [*body, Return(ast.Name("self"))],
    )
