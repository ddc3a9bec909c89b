"""What a step does to parameters beside stepping them: penalties, constraints, clipping.

Non-goal: the step itself (``training_methods``)."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from specc import ir
from specc.catalog import CLIPS, CONSTRAINTS, REGULARIZERS
from specc.catalog.rows import FormulaRow
from specc.emit.constructor.selections import are_many, for_each, of_what_learns, parameters
from specc.emit.writing.expressions import Naming, call, dotted, path_expression, static_naming
from specc.emit.writing.marks import mark
from specc.emit.writing.statements import Assign, Evaluate, Function, Return, Statement
from specc.emit.writing.templates import filled, with_name


def constant_naming(constants: Mapping[str, str]) -> Naming:
    """How a training's settings speak of params."""
    return static_naming(lambda name: dotted(constants[name]))


def penalty(model: ir.Module, step: ir.Step, prefix: str, constants: Mapping[str, str]) -> Function:
    """What the regularizers of a step add to its loss."""
    statements: list[Statement] = []
    for index, regularizer in enumerate(step.regularizers):
        row = REGULARIZERS[regularizer.type]
        formula = _formula(row, regularizer.arguments, constants)
        where = mark(regularizer.span)
        if len(regularizer.on.names) == 1 and not are_many(model, regularizer.on):
            total = with_name(
                formula, "weight", path_expression(ast.Name("self"), regularizer.on.names[0])
            )
        else:
            weights = ast.Name("weights", ast.Load())
            statements.append(Assign(weights, parameters(model, regularizer.on), where))
            where = ""
            loop = ast.comprehension(ast.Name("weight"), weights, [], 0)
            stacked = call(dotted("torch.stack"), ast.ListComp(formula, [loop]))
            total = call(ast.Attribute(stacked, "sum", ast.Load()))
        sum_ = ast.Name("penalty", ast.Load())
        value = total if index == 0 else ast.BinOp(sum_, ast.Add(), total)
        statements.append(Assign(sum_, value, where))
    if len(step.regularizers) == 1:
        last = statements.pop()
        assert isinstance(last, Assign)
        statements.append(Return(last.value, last.mark))
    else:
        statements.append(Return(ast.Name("penalty", ast.Load())))
    return Function(f"{prefix}penalty", [], "Tensor", "What is added to the loss.", statements)


def constrain(
    model: ir.Module, step: ir.Step, prefix: str, constants: Mapping[str, str]
) -> Function:
    """What puts parameters back after a step."""
    statements: list[Statement] = []
    for constraint in step.constraints:
        formula = _formula(CONSTRAINTS[constraint.type], constraint.arguments, constants)
        statements.append(
            for_each(
                parameters(model, constraint.on),
                "weight",
                [Evaluate(formula, mark(constraint.span))],
            )
        )
    return Function(
        f"{prefix}constrain",
        [],
        "None",
        "Puts the parameters back where the constraints want them.",
        statements,
        decorators=["torch.no_grad()"],
    )


def _formula(row: FormulaRow, arguments: ir.Arguments, constants: Mapping[str, str]) -> ast.expr:
    """The row's formula with its arguments put in."""
    return _folded(filled(row.formula, row, arguments, constant_naming(constants)))


def _folded(node: ast.expr) -> ast.expr:
    """``0.5 * 0.0001`` as the number it is: nobody writes the product of two literals."""
    if isinstance(node, ast.BinOp):
        left, right = _folded(node.left), _folded(node.right)
        if (
            isinstance(node.op, ast.Mult)
            and isinstance(left, ast.Constant)
            and isinstance(right, ast.Constant)
            and isinstance(left.value, int | float)
            and isinstance(right.value, int | float)
        ):
            return ast.Constant(left.value * right.value)
        return ast.BinOp(left, node.op, right)
    return node


def clipping(
    model: ir.Module, clip: ir.Clip, step: ir.Step, constants: Mapping[str, str]
) -> ast.expr:  # fmt: skip
    """The call that clips the gradients of ``step``: those that its optimizers are about to use,
    where the spec does not say which."""
    formula = _formula(CLIPS[clip.type], clip.arguments, constants)
    chosen = parameters(model, clip.on or learning(model, step))
    if clip.on is None and isinstance(chosen, ast.List) and steps_all(model, step):
        chosen = call(dotted("self.parameters"))  # torch passes over what has no gradient
    return with_name(formula, "parameters", chosen)


def learning(model: ir.Module, step: ir.Step) -> ir.Selection:
    """What of ``model`` the optimizers of ``step`` move."""
    stepped = None if step.optimizer is None else set(step.moved)
    names = tuple(n for n, _, _ in model.parameters() if stepped is None or n in stepped)
    text = step.stepped[0].optimizer.rest.text if len(step.stepped) == 1 else "*"
    return of_what_learns(model, ir.Selection(text, names))


def steps_all(model: ir.Module, step: ir.Step) -> bool:
    """Whether all that learns of ``model`` is moved by ``step``."""
    everything = {name for name, _, _ in model.parameters()}
    return everything - set(model.frozen_names) <= set(learning(model, step).names)
