"""How models learn, as methods: ``loss``, ``penalty``, ``constrain``, ``metrics``,
``configure_optimizers``, ``training_step``, each written only where the spec asks for it.

They are the model's own where one model has one step, and those of the class ``Training`` where
there is more to it (``training_class``)."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from specc import ir
from specc.catalog import OPTIMIZERS
from specc.emit.constructor.asserted import Asserted
from specc.emit.constructor.selections import all_inside, for_each, of_what_learns, parameters
from specc.emit.forward.body import Body
from specc.emit.merging.limits import ONE_CASE
from specc.emit.merging.merge import as_parts
from specc.emit.training.optimizers import configure
from specc.emit.training.penalties import clipping, constant_naming, constrain, penalty
from specc.emit.writing.expressions import call, dotted, of_static, path_expression
from specc.emit.writing.marks import mark
from specc.emit.writing.method_parts import Part
from specc.emit.writing.statements import (
    Assert,
    Assign,
    Closure,
    Evaluate,
    For,
    Function,
    If,
    Parameter,
    Return,
    Statement,
    With,
)
from specc.emitted_names import RESERVED, STEP_VARIABLES


def methods(model: ir.Module, train: ir.Train, constants: Mapping[str, str]) -> list[Function]:
    """The methods of a model that trains itself, in the order in which a step runs through
    them."""
    step = train.steps[0]
    found = step_methods(model, step, "", constants, decisions=train.decisions)
    if train.metrics:
        found.insert(2 if step.regularizers else 1, metrics(train, constants))
    if step.optimizer:
        found.append(configure(model, step, "configure_optimizers", constants))
        found.append(_training_step(model, train, constants))
    return found


def step_methods(
    model: ir.Module, step: ir.Step, prefix: str, constants: Mapping[str, str],
    inputs: Sequence[ir.Value] = (), decisions: Sequence[ir.Decision] = (),
) -> list[Function]:  # fmt: skip
    """The loss of a step and what goes with it."""
    found = [loss(step, prefix, constants, inputs, decisions)]
    if step.regularizers:
        found.append(penalty(model, step, prefix, constants))
    if step.constraints:
        found.append(constrain(model, step, prefix, constants))
    return found


# ── the loss, the metrics ────────────────────────────────────────────────────────────────────────


def loss(
    step: ir.Step, prefix: str, constants: Mapping[str, str], inputs: Sequence[ir.Value],
    decisions: Sequence[ir.Decision] = (),
) -> Function:  # fmt: skip
    """``loss``: the terms by name. ``inputs`` are what a batch brings, ``decisions`` what it is
    right for alone."""
    parts, terms = as_parts(step.nodes, [value for _, value in step.terms])
    body = Body(step.uses, parts, terms, constants, inputs=inputs)
    body.statements += [*decided(decisions, constants), *rounds(parts, constants)]
    body.state(step.conditions)
    body.build()
    result = ast.Dict(
        [ast.Constant(name) for name, _ in step.terms],
        body.expressions(terms),
    )
    return Function(
        f"{prefix}loss",
        [Parameter(name, "Tensor") for name in body.parameter_names()],
        "dict[str, Tensor]",
        "The named terms of the loss; the last is what is minimised.",
        [*body.statements, Return(result)],
        decorators=differentiating(step.nodes),
    )


def decided(decisions: Sequence[ir.Decision], constants: Mapping[str, str]) -> list[Statement]:
    """Asserts what the ``if``s of ``train`` were decided by."""
    naming = constant_naming(constants)
    found: dict[str, Statement] = {}
    for decision in decisions:
        test = of_static(decision.condition, naming)
        if not decision.taken:
            test = ast.UnaryOp(ast.Not(), test)
        found.setdefault(ast.unparse(test), Assert(test, ONE_CASE, mark(decision.span)))
    return list(found.values())


def rounds(parts: Sequence[Part], constants: Mapping[str, str]) -> list[Statement]:
    """Asserts the rounds of loops that are written one by one, and what was decided in them."""
    return Asserted(constant_naming(constants)).counted(parts)


def differentiating(nodes: Sequence[ir.Node]) -> list[str]:
    """The decorators of a method that takes derivatives, which evaluation without gradients may
    call."""
    takes = any(isinstance(node, ir.Derivative) for node in ir.flat_nodes(nodes))
    return ["torch.enable_grad()"] if takes else []


def metrics(train: ir.Train, constants: Mapping[str, str]) -> Function:
    """``metrics``: each by name."""
    parts, values = as_parts(train.metric_nodes, [metric.value for metric in train.metrics])
    body = Body(
        train.metric_uses,
        parts,
        values,
        constants,
        inputs=train.inputs,
    )
    body.state(train.metric_conditions)
    body.build()
    result = ast.Dict(
        [ast.Constant(metric.name) for metric in train.metrics],
        body.expressions(values),
    )
    return Function(
        "metrics",
        [Parameter(name, "Tensor") for name in body.parameter_names()],
        "dict[str, Tensor]",
        "The metrics of one batch.",
        [*body.statements, Return(result)],
        decorators=differentiating(train.metric_nodes) or ["torch.no_grad()"],
    )


# ── the step ─────────────────────────────────────────────────────────────────────────────────────


def variables(values: Sequence[ir.Value], names: dict[int, str]) -> None:
    """Adds what the values are called in ``training_step``: their names, where those are free."""
    for value in values:
        name = value.name
        while name in STEP_VARIABLES | RESERVED or name in names.values():
            name += "_"
        names.setdefault(id(value), name)


def step_parameters(train: ir.Train, inputs: Sequence[str]) -> list[Parameter]:
    """What ``training_step`` takes: optimizers, a scaler, the number of the batch, its tensors."""
    named = train.keyed
    found = [
        Parameter("optimizers", "dict[str, torch.optim.Optimizer]")
        if named
        else Parameter("optimizer", "torch.optim.Optimizer")
    ]
    if train.precision == "float16":
        found.append(Parameter("scaler", "torch.amp.GradScaler"))
    if counts_batches(train):
        found.append(Parameter("batch", "int"))
    return [*found, *(Parameter(name, "Tensor") for name in inputs)]


def counts_batches(train: ir.Train) -> bool:
    """Whether a training step must be told the number of its batch."""
    return train.accumulate > 1 or any(member.kind == "copy" for member in train.members)


def every(count: int) -> ast.expr:
    """Whether this batch ends a row of ``count``: ``(batch + 1) % 4 == 0``."""
    number = ast.BinOp(ast.Name("batch"), ast.Add(), ast.Constant(1))
    rest = ast.BinOp(number, ast.Mod(), ast.Constant(count))
    return ast.Compare(rest, [ast.Eq()], [ast.Constant(0)])


def cast(train: ir.Train, device_of: str, body: list[Statement]) -> list[Statement]:
    """``body`` under autocast, where the spec asks for it."""
    if not train.precision:
        return body
    device = dotted(f"{device_of}.device.type")
    context = call(dotted("torch.autocast"), device, dtype=dotted(f"torch.{train.precision}"))
    return [With(context, body)]


def minimise(
    model: ir.Module, train: ir.Train, step: ir.Step, prefix: str, terms: str,
    constants: Mapping[str, str],
) -> tuple[list[Statement], list[Statement], list[Statement]]:  # fmt: skip
    """From the terms of a step's loss: what goes before it, its backward pass, and what then moves
    the parameters."""
    optimizers: list[ast.expr] = [ast.Name("optimizer")]
    if train.keyed:
        optimizers = [
            ast.Subscript(ast.Name("optimizers"), ast.Constant(each.key), ast.Load())
            for each in step.stepped
        ]
    backward: list[Statement] = []
    if step.regularizers:
        extra = ast.Subscript(ast.Name(terms), ast.Constant("penalty"), ast.Load())
        backward.append(Assign(extra, call(dotted(f"self.{prefix}penalty"))))
    total = _total(step, terms)
    weight = ast.Name("weight")
    if train.weighed:
        term = ast.Subscript(ast.Name(terms), ast.Constant(train.weighed), ast.Load())
        counts = call(ast.Attribute(term, "detach", ast.Load()))
        so_far = dotted("self.counted")
        backward.append(Assign(weight, counts))
        backward.append(Assign(so_far, ast.BinOp(so_far, ast.Add(), weight)))
        total = ast.BinOp(weight, ast.Mult(), total)
    elif train.accumulate > 1:
        total = ast.BinOp(total, ast.Div(), ast.Constant(train.accumulate))
    scaled = train.precision == "float16"
    if scaled:
        total = call(dotted("scaler.scale"), total)
    backward.append(Evaluate(call(ast.Attribute(total, "backward", ast.Load()))))
    moves: list[Statement] = _averaged(model, step) if train.weighed else []
    if step.clip:
        if scaled:
            moves += [Evaluate(call(dotted("scaler.unscale_"), each)) for each in optimizers]
        moves.append(Evaluate(clipping(model, step.clip, step, constants), mark(step.clip.span)))
    if scaled:
        moves += [Evaluate(call(dotted("scaler.step"), each)) for each in optimizers]
    else:
        given = [ast.Name("closure")] if computes_the_loss(step) else []
        moves += [
            Evaluate(call(ast.Attribute(each, "step", ast.Load()), *given)) for each in optimizers
        ]
    if step.constraints:
        moves.append(Evaluate(call(dotted(f"self.{prefix}constrain"))))
    zero: list[Statement] = [
        Evaluate(call(ast.Attribute(each, "zero_grad", ast.Load()))) for each in optimizers
    ]
    if train.accumulate > 1:
        return [], backward, [*moves, *zero]
    return zero, backward, moves


def _averaged(model: ir.Module, step: ir.Step) -> list[Statement]:
    """The gradients of the sum divided by what was counted, and the count begun anew."""
    counted = dotted("self.counted")
    gradient = dotted("parameter.grad")
    there = ast.Compare(gradient, [ast.IsNot()], [ast.Constant(None)])
    divided = Evaluate(call(dotted("parameter.grad.div_"), counted))
    on = ir.Selection("*", step.moved)
    return [
        For(ast.Name("parameter"), parameters(model, on), [If(there, [divided])]),
        Assign(counted, call(dotted("torch.zeros_like"), counted)),
    ]


def _total(step: ir.Step, terms: str) -> ast.expr:
    """What a step goes down: its loss, with the penalty where there is one."""
    total: ast.expr = ast.Subscript(ast.Name(terms), ast.Constant("loss"), ast.Load())
    if not step.regularizers:
        return total
    return ast.BinOp(
        total, ast.Add(), ast.Subscript(ast.Name(terms), ast.Constant("penalty"), ast.Load())
    )


def computes_the_loss(step: ir.Step) -> bool:
    """Whether the optimizer's step computes the loss itself, through a function."""
    return step.optimizer is not None and OPTIMIZERS[step.optimizer.type].closure


def evaluated(step: ir.Step, evaluation: Sequence[Statement]) -> list[Statement]:
    """``evaluation``, which ends with the backward pass, as the function that the optimizer calls
    as often as it likes; it keeps the terms each time."""
    kept = ast.Subscript(
        ast.Name("dict"), ast.Tuple([ast.Name("str"), ast.Name("Tensor")], ast.Load()), ast.Load()
    )
    terms = ast.Subscript(ast.Name("list"), kept, ast.Load())
    keep = Evaluate(call(dotted("evaluations.append"), _detached(ast.Name("terms", ast.Load()))))
    return [
        Assign(ast.Name("evaluations", ast.Store()), call(terms)),
        Closure("closure", "Tensor", [*evaluation, keep, Return(_total(step, "terms"))]),
    ]


def _training_step(model: ir.Module, train: ir.Train, constants: Mapping[str, str]) -> Function:
    step = train.steps[0]
    names: dict[int, str] = {}
    variables((*model.inputs, *train.inputs), names)
    inputs = [names[id(value)] for value in (*model.inputs, *train.inputs)]
    outputs: list[ast.expr] = []
    for output in model.outputs:
        if id(output.value) in names:
            outputs.append(ast.Name("_", ast.Store()))
            continue
        name = output.name
        while name in STEP_VARIABLES | RESERVED or name in names.values():
            name += "_"
        names[id(output.value)] = name
        outputs.append(ast.Name(name, ast.Store()))
    result = outputs[0] if len(outputs) == 1 else ast.Tuple(outputs, ast.Store())
    uses = [ast.Name(names[id(value)]) for value in step.uses]
    forward: list[Statement] = [
        Assign(
            result,
            call(ast.Name("self"), *(ast.Name(names[id(value)]) for value in model.inputs)),
        ),
        Assign(ast.Name("terms"), call(dotted("self.loss"), *uses)),
    ]
    zero, backward, moves = minimise(model, train, step, "", "terms", constants)
    statements: list[Statement] = [*zero]
    computed = cast(train, next(iter(inputs), ""), forward)
    statements += frozen_during(model, step, [*computed, *backward])
    if computes_the_loss(step):
        statements = evaluated(step, statements)
    if train.accumulate > 1:
        statements.append(If(every(train.accumulate), [*moves, *update(train)]))
    else:
        statements += [*moves, *update(train)]
    statements.append(Return(result_of(step)))
    return Function(
        "training_step",
        step_parameters(train, inputs),
        "dict[str, Tensor]",
        "One step on one batch; the terms of the loss, detached.",
        statements,
    )


def result_of(step: ir.Step) -> ast.expr:
    """The detached terms; those of the first of several evaluations, before anything moved."""
    if computes_the_loss(step):
        return ast.Subscript(ast.Name("evaluations"), ast.Constant(0), ast.Load())
    return _detached(ast.Name("terms", ast.Load()))


def update(train: ir.Train) -> list[Statement]:
    """The scaler's own step, after those of the optimizers."""
    scaled = train.precision == "float16"
    return [Evaluate(call(dotted("scaler.update")))] if scaled else []


def frozen_during(subject: ir.Module, step: ir.Step, body: list[Statement]) -> list[Statement]:
    """``body`` while what the step freezes keeps no gradients of its own."""
    frozen = {
        on.names: on for on in (of_what_learns(subject, each) for each in step.frozen) if on.names
    }
    # A model that another step has is held already where a selector says so.
    each_once = [
        on for names, on in frozen.items() if not any(set(names) < set(other) for other in frozen)
    ]
    off = [_switched(subject, on, False) for on in each_once]
    return [*off, *body, *(_switched(subject, on, True) for on in each_once)]


def _switched(subject: ir.Module, on: ir.Selection, flag: bool) -> Statement:
    """The selected parameters made to learn, or not to."""
    inside = all_inside(subject, on)
    if inside is not None:
        whole = path_expression(ast.Name("self"), inside)
        return Evaluate(
            call(ast.Attribute(whole, "requires_grad_", ast.Load()), ast.Constant(flag))
        )
    switch = call(dotted("parameter.requires_grad_"), ast.Constant(flag))
    return for_each(parameters(subject, on), "parameter", [Evaluate(switch)])


def _detached(terms: ast.expr) -> ast.expr:
    """``{name: term.detach() for name, term in terms.items()}``."""
    pair = ast.Tuple([ast.Name("name"), ast.Name("term")], ast.Store())
    items = call(ast.Attribute(terms, "items", ast.Load()))
    detached = call(dotted("term.detach"))
    return ast.DictComp(ast.Name("name"), detached, [ast.comprehension(pair, items, [], 0)])
