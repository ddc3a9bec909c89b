"""``configure_optimizers``: the optimizer of a step, its groups, its scheduler.

Non-goal: stepping them (``training_methods``)."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from specc import ir
from specc.catalog import OPTIMIZERS, SCHEDULERS
from specc.emit.constructor.open_lists import is_pinned
from specc.emit.constructor.selections import are_many, parameters, unclaimed
from specc.emit.training.penalties import constant_naming
from specc.emit.writing.expressions import Naming, call, dotted, of_arguments, of_static
from specc.emit.writing.marks import mark
from specc.emit.writing.statements import Assign, Function, Return, Statement


def configure(model: ir.Module, step: ir.Step, name: str, constants: Mapping[str, str]) -> Function:
    """The method called ``name`` that makes a step's optimizers and schedulers: one by itself,
    several by their keys."""
    statements: list[Statement] = []
    if not step.more:
        (only,) = step.stepped
        made = _configured(model, only, "optimizer", "scheduler", constants, statements)
        what = "The optimizer, and the scheduler with what it is stepped by."
        return Function(name, [], "dict[str, Any]", what, [*statements, Return(made)])
    keys: list[ast.expr | None] = [ast.Constant(each.key) for each in step.stepped]
    values = []
    for each in step.stepped:
        variable = each.key.rpartition("/")[2]
        values.append(
            _configured(model, each, variable, f"{variable}_scheduler", constants, statements)
        )
    return Function(
        name, [], "dict[str, dict[str, Any]]",
        "The optimizers, each with its scheduler and what that is stepped by.",
        [*statements, Return(ast.Dict(keys, values))],
    )  # fmt: skip


def _configured(
    model: ir.Module, each: ir.Stepped, variable: str, schedule: str,
    constants: Mapping[str, str], statements: list[Statement],
) -> ast.expr:  # fmt: skip
    """Makes an optimizer in ``variable`` and its scheduler in ``schedule``; the two as they are
    given to whoever trains."""
    naming = constant_naming(constants)
    optimizer = each.optimizer
    row = OPTIMIZERS[optimizer.type]
    chosen: ast.expr = parameters(model, optimizer.rest)
    if optimizer.groups:
        chosen = _groups(model, optimizer, naming, statements)
    given = dict(optimizer.arguments)
    keywords = [
        ast.keyword(argument.name, of_static(given[argument.name], naming))  # type: ignore[arg-type]  # static
        for argument in row.arguments
        if argument.name in given
    ]
    made_optimizer = ast.Name(variable, ast.Load())
    statements.append(
        Assign(
            made_optimizer, ast.Call(dotted(row.torch), [chosen], keywords), mark(optimizer.span)
        )
    )
    keys: list[ast.expr | None] = [ast.Constant("optimizer")]
    values: list[ast.expr] = [made_optimizer]
    if each.scheduler:
        scheduler = SCHEDULERS[each.scheduler.type]
        made = _schedule(each.scheduler, made_optimizer, naming)
        target = ast.Name(schedule, ast.Load())
        statements.append(Assign(target, made, mark(each.scheduler.span)))
        inner_keys: list[ast.expr | None] = [ast.Constant("scheduler"), ast.Constant("interval")]
        inner: list[ast.expr] = [target, ast.Constant(each.scheduler.interval)]
        if scheduler.monitors:
            inner_keys.append(ast.Constant("monitor"))
            inner.append(ast.Constant("loss"))
        keys.append(ast.Constant("lr_scheduler"))
        values.append(ast.Dict(inner_keys, inner))
    return ast.Dict(keys, values)


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
    # What a group has of one position, the rest has of all others.
    apart = are_many(model, optimizer.rest) or any(
        is_pinned(model, group.on) for group in optimizer.groups
    )
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
