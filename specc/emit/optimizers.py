"""``configure_optimizers``: the optimizer of a step, its groups, its scheduler.

Non-goal: stepping them (``training``)."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from specc import ir
from specc.catalog import OPTIMIZERS, SCHEDULERS
from specc.emit.expressions import Naming, call, dotted, of_arguments, of_static
from specc.emit.marks import mark
from specc.emit.penalties import constant_naming
from specc.emit.selections import FEW, parameters, unclaimed
from specc.emit.statements import Assign, Function, Return, Statement


def configure(model: ir.Module, step: ir.Step, name: str, constants: Mapping[str, str]) -> Function:
    """The method called ``name`` that makes a step's optimizer and scheduler."""
    assert step.optimizer is not None
    naming = constant_naming(constants)
    optimizer = step.optimizer
    row = OPTIMIZERS[optimizer.type]
    chosen: ast.expr = parameters(model, optimizer.rest)
    statements: list[Statement] = []
    if optimizer.groups:
        chosen = _groups(model, optimizer, naming, statements)
    given = dict(optimizer.arguments)
    keywords = [
        ast.keyword(argument.name, of_static(given[argument.name], naming))  # type: ignore[arg-type]  # static
        for argument in row.arguments
        if argument.name in given
    ]
    made_optimizer = ast.Name("optimizer", ast.Load())
    statements.append(
        Assign(
            made_optimizer, ast.Call(dotted(row.torch), [chosen], keywords), mark(optimizer.span)
        )
    )
    keys_: list[ast.expr | None] = [ast.Constant("optimizer")]
    values_: list[ast.expr] = [made_optimizer]
    if step.scheduler:
        scheduler = SCHEDULERS[step.scheduler.type]
        made = _schedule(step.scheduler, made_optimizer, naming)
        target = ast.Name("scheduler", ast.Load())
        statements.append(Assign(target, made, mark(step.scheduler.span)))
        inner_keys: list[ast.expr | None] = [ast.Constant("scheduler"), ast.Constant("interval")]
        inner: list[ast.expr] = [target, ast.Constant(step.scheduler.interval)]
        if scheduler.monitors:
            inner_keys.append(ast.Constant("monitor"))
            inner.append(ast.Constant("loss"))
        keys_.append(ast.Constant("lr_scheduler"))
        values_.append(ast.Dict(inner_keys, inner))
    statements.append(Return(ast.Dict(keys_, values_)))
    return Function(
        name,
        [],
        "dict[str, Any]",
        "The optimizer, and the scheduler with what it is stepped by.",
        statements,
    )


def _schedule(scheduler: ir.Scheduler, optimizer: ast.expr, naming: Naming) -> ast.expr:
    """A scheduler, those that it is made of inside it."""
    row = SCHEDULERS[scheduler.type]
    positional, keywords = of_arguments(row, scheduler.arguments, naming)
    if isinstance(scheduler, ir.ComposedScheduler):
        parts = [_schedule(part, optimizer, naming) for part in scheduler.parts]
        positional.insert(0, ast.List(parts, ast.Load()))
    if row.last:
        keywords.append(ast.keyword("optimizer", optimizer))
    else:
        positional.insert(0, optimizer)
    return ast.Call(dotted(row.torch), positional, keywords)


def _groups(
    model: ir.Module, optimizer: ir.Optimizer, naming: Naming, statements: list[Statement]
) -> ast.expr:
    """The list of groups; where what no group claims is much, it is said as just that."""
    rest = optimizer.rest.names
    apart = len(rest) > FEW
    names = ["grouped"] if len(optimizer.groups) == 1 else [
        f"group_{number}" for number in range(1, len(optimizer.groups) + 1)
    ]  # fmt: skip
    groups: list[ast.expr] = []
    for name, group in zip(names, optimizer.groups, strict=True):
        chosen = parameters(model, group.on, listed=True)
        if apart:
            statements.append(Assign(ast.Name(name, ast.Store()), chosen, mark(group.span)))
            chosen = ast.Name(name)
        keys: list[ast.expr | None] = [ast.Constant("params")]
        values = [chosen]
        for setting, operand in group.arguments:
            assert not isinstance(operand, ir.Value)
            keys.append(ast.Constant(setting))
            values.append(of_static(operand, naming))  # type: ignore[arg-type]  # compile-time
        groups.append(ast.Dict(keys, values))
    if rest:
        others = parameters(model, optimizer.rest, listed=True)
        if apart:
            claimed: ast.expr = ast.Name(names[0])
            if len(names) > 1:
                claimed = ast.List([ast.Starred(ast.Name(name)) for name in names], ast.Load())
            identities = call(ast.Name("set"), call(ast.Name("map"), ast.Name("id"), claimed))
            statements.append(Assign(ast.Name("claimed", ast.Store()), identities))
            others = unclaimed(model, optimizer)
        groups.insert(0, ast.Dict([ast.Constant("params")], [others]))
    return ast.List(groups, ast.Load())
