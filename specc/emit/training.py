"""How a model learns, as methods of its class: ``loss``, ``penalty``, ``constrain``, ``metrics``,
``configure_optimizers``, ``training_step``. Each is written only where the spec asks for it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from specc import ir
from specc.catalog import CLIPS, CONSTRAINTS, METRICS, OPTIMIZERS, REGULARIZERS, SCHEDULERS
from specc.catalog.rows import FormulaRow, Row
from specc.emit.body import Body, mark
from specc.emit.expressions import (
    Naming,
    call,
    dotted,
    of_arguments,
    of_static,
    path_expression,
    static_naming,
)
from specc.emit.names import RESERVED
from specc.emit.plan import as_parts
from specc.emit.selections import FEW, parameters, unclaimed
from specc.emit.statements import (
    Assign,
    Evaluate,
    For,
    Function,
    Parameter,
    Return,
    Statement,
)

_STEP_NAMES = frozenset(["optimizer", "terms", "total", "name", "term"])


def methods(model: ir.Module, train: ir.Train, constants: Mapping[str, str]) -> list[Function]:
    """The methods in the order in which a step runs through them."""
    found = [_loss(train, constants)]
    if train.regularizers:
        found.append(_penalty(model, train, constants))
    if train.metrics:
        found.append(_metrics(train, constants))
    if train.constraints:
        found.append(_constrain(model, train, constants))
    if train.optimizer:
        found.append(_configure_optimizers(model, train, constants))
        found.append(_training_step(model, train, constants))
    return found


def helpers(train: ir.Train) -> list[str]:
    """Source of the module-level functions that penalties and metrics call, each once."""
    rows: list[Row] = [REGULARIZERS[regularizer.type] for regularizer in train.regularizers]
    rows += [
        METRICS[node.function]
        for node in ir.flat_nodes(train.metric_nodes)
        if isinstance(node, ir.FunctionCall) and node.kind == "metric"
    ]
    found = {row.torch: row.helper.strip() + "\n" for row in rows if row.helper}
    return list(found.values())


# ── the loss, the metrics ────────────────────────────────────────────────────────────────────────


def _loss(train: ir.Train, constants: Mapping[str, str]) -> Function:
    terms = [value for _, value in train.terms]
    body = Body(train.uses, as_parts(train.nodes), terms, constants)
    body.state(train.conditions)
    body.build()
    result = ast.Dict(
        [ast.Constant(name) for name, _ in train.terms],
        [body.expression(value) for value in terms],
    )
    return Function(
        "loss",
        [Parameter(name, "Tensor") for name in body.parameter_names()],
        "dict[str, Tensor]",
        "The named terms of the loss; the last is what is minimised.",
        [*body.statements, Return(result)],
    )


def _metrics(train: ir.Train, constants: Mapping[str, str]) -> Function:
    values = [metric.value for metric in train.metrics]
    body = Body(
        train.metric_uses,
        as_parts(train.metric_nodes),
        values,
        constants,
        taken=(METRICS[row].torch for row in METRICS),
    )
    body.build()
    result = ast.Dict(
        [ast.Constant(metric.name) for metric in train.metrics],
        [body.expression(value) for value in values],
    )
    return Function(
        "metrics",
        [Parameter(name, "Tensor") for name in body.parameter_names()],
        "dict[str, Tensor]",
        "The metrics of one batch.",
        [*body.statements, Return(result)],
        decorators=["torch.no_grad()"],
    )


# ── penalties, constraints ───────────────────────────────────────────────────────────────────────


def _penalty(model: ir.Module, train: ir.Train, constants: Mapping[str, str]) -> Function:
    statements: list[Statement] = []
    for index, regularizer in enumerate(train.regularizers):
        row = REGULARIZERS[regularizer.type]
        formula = _formula(row, regularizer.arguments, constants)
        where = mark(regularizer.span)
        if len(regularizer.on.names) == 1:
            total = _with_name(
                formula, "weight", path_expression(ast.Name("self"), regularizer.on.names[0])
            )
        else:
            weights = ast.Name("weights", ast.Load())
            statements.append(Assign(weights, parameters(model, regularizer.on), where))
            where = ""
            loop = ast.comprehension(ast.Name("weight"), weights, [], 0)
            stacked = call(dotted("torch.stack"), ast.ListComp(formula, [loop]))
            total = call(ast.Attribute(stacked, "sum", ast.Load()))
        penalty = ast.Name("penalty", ast.Load())
        value = total if index == 0 else ast.BinOp(penalty, ast.Add(), total)
        statements.append(Assign(penalty, value, where))
    if len(train.regularizers) == 1:
        last = statements.pop()
        assert isinstance(last, Assign)
        statements.append(Return(last.value, last.mark))
    else:
        statements.append(Return(ast.Name("penalty", ast.Load())))
    return Function("penalty", [], "Tensor", "What is added to the loss.", statements)


def _constrain(model: ir.Module, train: ir.Train, constants: Mapping[str, str]) -> Function:
    statements: list[Statement] = []
    for constraint in train.constraints:
        formula = _formula(CONSTRAINTS[constraint.type], constraint.arguments, constants)
        statements.append(
            For(
                ast.Name("weight"),
                parameters(model, constraint.on, listed=True),
                [Evaluate(formula, mark(constraint.span))],
            )
        )
    return Function(
        "constrain",
        [],
        "None",
        "Puts the parameters back where the constraints want them.",
        statements,
        decorators=["torch.no_grad()"],
    )


def _formula(row: FormulaRow, arguments: ir.Arguments, constants: Mapping[str, str]) -> ast.expr:
    """The row's formula with its arguments put in; what it passes on by keyword and the spec left
    out is left to torch's own default."""
    naming = _static_naming(constants)
    given = dict(arguments)
    values: dict[str, ast.expr] = {}
    for argument in row.arguments:
        operand = given.get(argument.name, argument.default)
        assert not isinstance(operand, ir.Value)
        values[argument.name] = of_static(operand, naming)  # type: ignore[arg-type]  # static args

    tree = ast.parse(row.formula, mode="eval").body
    if isinstance(tree, ast.Call):
        tree.keywords = [
            item for item in tree.keywords if item.arg not in row.by_name or item.arg in given
        ]
    for name, value in values.items():
        tree = _with_name(tree, name, value)
    return _folded(tree)


def _with_name(tree: ast.expr, name: str, value: ast.expr) -> ast.expr:
    """``tree`` with ``value`` wherever it says ``name``."""

    class Put(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return value if node.id == name else node

    result = Put().visit(tree)
    assert isinstance(result, ast.expr)
    return result


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


# ── the optimizer, the step ──────────────────────────────────────────────────────────────────────


def _configure_optimizers(
    model: ir.Module, train: ir.Train, constants: Mapping[str, str]
) -> Function:
    assert train.optimizer is not None
    naming = _static_naming(constants)
    optimizer = train.optimizer
    row = OPTIMIZERS[optimizer.type]
    chosen: ast.expr = parameters(model, optimizer.rest)
    statements: list[Statement] = []
    if optimizer.groups:
        chosen = _groups(model, optimizer, naming, statements)
    given = dict(optimizer.arguments)
    keywords = [
        ast.keyword(argument.name, of_static(given[argument.name], naming))  # type: ignore[arg-type]
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
    if train.scheduler:
        scheduler = SCHEDULERS[train.scheduler.type]
        positional, keywords = of_arguments(scheduler, train.scheduler.arguments, naming)
        made = ast.Call(dotted(scheduler.torch), [made_optimizer, *positional], keywords)
        target = ast.Name("scheduler", ast.Load())
        statements.append(Assign(target, made, mark(train.scheduler.span)))
        inner_keys: list[ast.expr | None] = [ast.Constant("scheduler"), ast.Constant("interval")]
        inner: list[ast.expr] = [target, ast.Constant(train.scheduler.interval)]
        if scheduler.monitors:
            inner_keys.append(ast.Constant("monitor"))
            inner.append(ast.Constant("loss"))
        keys_.append(ast.Constant("lr_scheduler"))
        values_.append(ast.Dict(inner_keys, inner))
    statements.append(Return(ast.Dict(keys_, values_)))
    return Function(
        "configure_optimizers",
        [],
        "dict[str, Any]",
        "The optimizer, and the scheduler with what it is stepped by.",
        statements,
    )


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


def _training_step(model: ir.Module, train: ir.Train, constants: Mapping[str, str]) -> Function:
    assert train.optimizer is not None
    taken = _STEP_NAMES | RESERVED
    names: dict[int, str] = {}
    for value in (*model.inputs, *train.inputs):
        name = value.name
        while name in taken or name in names.values():
            name += "_"
        names[id(value)] = name
    outputs: list[ast.expr] = []
    for output in model.outputs:
        name = output.name
        if id(output.value) not in names:
            while name in taken or name in names.values():
                name += "_"
            names[id(output.value)] = name
            outputs.append(ast.Name(name, ast.Store()))
        else:
            outputs.append(ast.Name("_", ast.Store()))
    result = outputs[0] if len(outputs) == 1 else ast.Tuple(outputs, ast.Store())
    inputs = [ast.Name(names[id(value)]) for value in model.inputs]
    terms = ast.Name("terms", ast.Load())
    loss = ast.Subscript(terms, ast.Constant("loss"), ast.Load())
    uses = [ast.Name(names[id(value)]) for value in train.uses]
    statements: list[Statement] = [
        Evaluate(call(dotted("optimizer.zero_grad"))),
        Assign(result, call(ast.Name("self"), *inputs)),
        Assign(terms, call(dotted("self.loss"), *uses)),
    ]
    total: ast.expr = loss
    if train.regularizers:
        penalty = ast.Subscript(terms, ast.Constant("penalty"), ast.Load())
        statements.append(Assign(penalty, call(dotted("self.penalty"))))
        total = ast.BinOp(loss, ast.Add(), penalty)
    statements.append(Evaluate(call(ast.Attribute(total, "backward", ast.Load()))))
    if train.clip:
        statements.append(Evaluate(_clip(model, train.clip, constants), mark(train.clip.span)))
    statements.append(Evaluate(call(dotted("optimizer.step"))))
    if train.constraints:
        statements.append(Evaluate(call(dotted("self.constrain"))))
    statements.append(Return(_detached(terms)))
    arguments = [Parameter("optimizer", "torch.optim.Optimizer")]
    arguments += [Parameter(name, "Tensor") for name in _step_inputs(model, train, names)]
    return Function(
        "training_step",
        arguments,
        "dict[str, Tensor]",
        "One step on one batch; the terms of the loss, detached.",
        statements,
    )


def _step_inputs(model: ir.Module, train: ir.Train, names: dict[int, str]) -> list[str]:
    return [names[id(value)] for value in (*model.inputs, *train.inputs)]


def _clip(model: ir.Module, clip: ir.Clip, constants: Mapping[str, str]) -> ast.expr:
    formula = _formula(CLIPS[clip.type], clip.arguments, constants)
    everything = tuple(name for name, _, _ in model.parameters())
    on = clip.on or ir.Selection("*", everything)
    return _with_name(formula, "parameters", parameters(model, on))


def _detached(terms: ast.expr) -> ast.expr:
    """``{name: term.detach() for name, term in terms.items()}``."""
    pair = ast.Tuple([ast.Name("name"), ast.Name("term")], ast.Store())
    items = call(ast.Attribute(terms, "items", ast.Load()))
    detached = call(dotted("term.detach"))
    return ast.DictComp(ast.Name("name"), detached, [ast.comprehension(pair, items, [], 0)])


def _static_naming(constants: Mapping[str, str]) -> Naming:
    return static_naming(lambda name: ast.Name(constants[name], ast.Load()))
