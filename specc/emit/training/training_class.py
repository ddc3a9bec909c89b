"""The class ``Training``: what holds several models, copies and averages, and steps them together.

Non-goal: what one step minimises (``training_methods``)."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from specc import ir
from specc.emit.constructor.frozen import still_statements, train_override
from specc.emit.forward.body import Body
from specc.emit.merging.merge import as_parts
from specc.emit.training.optimizers import configure
from specc.emit.training.penalties import constant_naming
from specc.emit.training.training_methods import (
    cast,
    computes_the_loss,
    decided,
    differentiating,
    evaluated,
    every,
    frozen_during,
    metrics,
    minimise,
    result_of,
    rounds,
    step_methods,
    step_parameters,
    update,
    variables,
)
from specc.emit.writing.expressions import call, dotted, of_static
from specc.emit.writing.layout import identifier
from specc.emit.writing.marks import mark
from specc.emit.writing.statements import (
    Assign,
    Class,
    Evaluate,
    For,
    Function,
    If,
    Parameter,
    Return,
    Statement,
    comment,
)
from specc.emitted_names import average_method, methods_of_step


def training_class(train: ir.Train, constants: Mapping[str, str]) -> Class:
    """The class that trains the members of ``train``."""
    subject = train.module
    assert subject is not None
    body = [_constructor(train, constants), *train_override(subject)]
    if train.shared:
        body.append(_forward(train, constants))
    for step in train.steps:
        prefix = f"{step.name}_" if step.name else ""
        body += step_methods(subject, step, prefix, constants, train.inputs)
    if train.metrics:
        body.append(metrics(train, constants))
    body += [_update(member, constants) for member in train.members if member.kind == "ema"]
    if any(step.optimizer for step in train.steps):
        body += _configure(subject, train, constants)
        body.append(_training_step(subject, train, constants))
    models = [member.model for member in train.members if member.kind == "model"]
    learn = "learns" if len(models) == 1 else "learn"
    where = comment(mark(train.span))
    return Class(subject.name, "nn.Module", f"How {' and '.join(models)} {learn}, {where}.", body)


def _constructor(train: ir.Train, constants: Mapping[str, str]) -> Function:
    body: list[Statement] = [
        Evaluate(call(ast.Attribute(call(ast.Name("super")), "__init__", ast.Load())))
    ]
    for member in train.members:
        target = ast.Attribute(ast.Name("self"), identifier(member.attribute), ast.Store())
        made: ast.expr = call(ast.Name(identifier(member.model)))
        if member.kind != "model":
            twin = call(dotted("copy.deepcopy"), dotted(f"self.{member.of}"))
            made = call(ast.Attribute(twin, "requires_grad_", ast.Load()), ast.Constant(False))
        where = mark(member.span) if member.span is not None and member.kind != "model" else ""
        body.append(Assign(target, made, where))
    if train.weighed:
        target = ast.Attribute(ast.Name("self"), "counted", ast.Store())
        body.append(Assign(target, call(dotted("torch.zeros"), ast.Tuple([], ast.Load()))))
    for each in train.module.frozen if train.module is not None else ():
        if isinstance(each, ir.Still):
            body += still_statements(each)
    body += decided(train.decisions, constants)
    return Function("__init__", [], "None", "", body)


def _forward(train: ir.Train, constants: Mapping[str, str]) -> Function:
    parts, shared = as_parts(train.shared, train.shared_values)
    body = Body(train.shared_uses, parts, shared, constants, inputs=train.inputs)
    body.statements += rounds(parts, constants)
    body.build()
    results = body.expressions(shared)
    value = results[0] if len(results) == 1 else ast.Tuple(results, ast.Load())
    tensors = ", ".join(["Tensor"] * len(results))
    return Function(
        "forward",
        [Parameter(name, "Tensor") for name in body.parameter_names()],
        "Tensor" if len(results) == 1 else f"tuple[{tensors}]",
        "What the steps have in common.",
        [*body.statements, Return(value)],
        decorators=differentiating(train.shared),
    )


def _update(member: ir.Member, constants: Mapping[str, str]) -> Function:
    """An exponential moving average: mean + (1 - decay) * (new - mean)."""
    naming = constant_naming(constants)
    rate: ast.expr = ast.BinOp(ast.Constant(1), ast.Sub(), of_static(member.decay, naming))
    average, of = f"self.{member.attribute}", f"self.{member.of}"

    def pairs(what: str) -> ast.expr:
        return call(
            ast.Name("zip"), call(dotted(f"{average}.{what}")), call(dotted(f"{of}.{what}"))
        )

    def target(name: str) -> ast.expr:
        return ast.Tuple([ast.Name("mean", ast.Store()), ast.Name(name, ast.Store())], ast.Store())

    body: list[Statement] = [
        For(target("parameter"), pairs("parameters"),
            [Evaluate(call(dotted("mean.lerp_"), ast.Name("parameter"), rate))]),
        For(target("buffer"), pairs("buffers"),
            [Evaluate(call(dotted("mean.copy_"), ast.Name("buffer")))]),
    ]  # fmt: skip
    return Function(
        average_method(member.attribute),
        [],
        "None",
        f"Moves the average a little towards {member.model}.",
        body,
        decorators=["torch.no_grad()"],
    )


def _configure(subject: ir.Module, train: ir.Train, constants: Mapping[str, str]) -> list[Function]:
    if not train.steps[0].name:
        return [configure(subject, train.steps[0], "configure_optimizers", constants)]
    stepped = [step for step in train.steps if step.optimizer]
    found = [
        configure(subject, step, methods_of_step(step.name)["optimizer"], constants)
        for step in stepped
    ]
    alone = [step for step in stepped if not step.more]
    keys: list[ast.expr | None] = [ast.Constant(step.name) for step in alone]
    values: list[ast.expr] = [
        call(dotted(f"self.{methods_of_step(step.name)['optimizer']}")) for step in alone
    ]
    result: ast.expr = ast.Dict(keys, values)
    for step in reversed([step for step in stepped if step.more]):
        several = call(dotted(f"self.{methods_of_step(step.name)['optimizer']}"))
        # What is by its keys already, before what is put under one.
        empty = isinstance(result, ast.Dict) and not result.keys
        result = several if empty else ast.BinOp(several, ast.BitOr(), result)
    whole = Function(
        "configure_optimizers",
        [],
        "dict[str, dict[str, Any]]",
        "For each step, its optimizer and its scheduler.",
        [Return(result)],
    )
    return [*found, whole]


def _training_step(subject: ir.Module, train: ir.Train, constants: Mapping[str, str]) -> Function:
    names: dict[int, str] = {}
    variables((*train.inputs, *train.shared_values), names)
    inputs = [names[id(value)] for value in train.inputs]
    statements: list[Statement] = []
    if train.shared:
        targets: list[ast.expr] = [
            ast.Name(names[id(value)], ast.Store()) for value in train.shared_values
        ]
        given = [ast.Name(names[id(value)]) for value in train.shared_uses]
        result = targets[0] if len(targets) == 1 else ast.Tuple(targets, ast.Store())
        statements += cast(
            train, next(iter(inputs), ""), [Assign(result, call(ast.Name("self"), *given))]
        )
    named = bool(train.steps[0].name)
    terms = "losses" if named else "terms"
    if named:
        statements.append(Assign(ast.Name("terms", ast.Store()), ast.Dict([], [])))
    moved: list[Statement] = []
    for step in train.steps:
        prefix = f"{step.name}_" if step.name else ""
        uses = [ast.Name(names[id(value)]) for value in step.uses]
        made = Assign(ast.Name(terms, ast.Store()), call(dotted(f"self.{prefix}loss"), *uses))
        if step.optimizer is None:
            statements += cast(train, next(iter(inputs), ""), [made])
        else:
            zero, backward, moves = minimise(subject, train, step, prefix, terms, constants)
            statements += zero
            statements += frozen_during(
                subject, step, [*cast(train, next(iter(inputs), ""), [made]), *backward]
            )
            if computes_the_loss(step):
                statements = evaluated(step, statements)
            if train.accumulate > 1:
                statements.append(If(every(train.accumulate), moves))
            else:
                statements += moves
        if named:
            statements.append(_collect(step))
    if train.accumulate > 1 and update(train):
        statements.append(If(every(train.accumulate), update(train)))
    else:
        statements += update(train)
    for member in train.members:
        moved += _after(member)
    statements += moved
    statements.append(Return(ast.Name("terms") if named else result_of(train.steps[0])))
    return Function(
        "training_step",
        step_parameters(train, inputs),
        "dict[str, Tensor]",
        "All steps on one batch; the terms of their losses, detached.",
        statements,
    )


def _after(member: ir.Member) -> list[Statement]:
    """What a copy or an average does after each batch."""
    if member.kind == "ema":
        return [Evaluate(call(dotted(f"self.{average_method(member.attribute)}")))]
    if member.kind == "copy":
        state = call(dotted(f"self.{member.of}.state_dict"))
        load = Evaluate(
            call(dotted(f"self.{member.attribute}.load_state_dict"), state),
            mark(member.span) if member.span is not None else "",
        )
        return [load] if member.every == 1 else [If(every(member.every), [load])]
    return []


def _collect(step: ir.Step) -> Statement:
    """``terms["discriminator/loss"] = losses["loss"].detach()``, for each."""
    pair = ast.Tuple([ast.Name("name", ast.Store()), ast.Name("term", ast.Store())], ast.Store())
    key = ast.BinOp(ast.Constant(f"{step.name}/"), ast.Add(), ast.Name("name"))
    return For(
        pair,
        call(dotted("losses.items")),
        [Assign(ast.Subscript(ast.Name("terms"), key, ast.Store()), call(dotted("term.detach")))],
    )
