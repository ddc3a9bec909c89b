"""Models: params, inputs, statements and outputs of one ``model`` to ``ir.Module``.

Statements run in order; each reports its own faults and the rest go on. Non-goal: what trains the
model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specc import ir
from specc.errors import Collector, Span
from specc.semantics.declared import declare
from specc.semantics.entities import (
    POISON,
    Entity,
    Items,
    LayerHandle,
    Poison,
    describe,
    is_poisoned,
)
from specc.semantics.expressions import elaborate
from specc.semantics.graph import Graph, Hint
from specc.semantics.missing import not_yet
from specc.semantics.names import check_name
from specc.semantics.operators import COMPARISONS
from specc.semantics.params import Settings, declare_param
from specc.semantics.types import tensor_type
from specc.sizes import Poly, Size, evaluate
from specc.syntax import ast


def build_model(
    module: ast.Module,
    collector: Collector,
    file_params: tuple[ir.Param, ...],
    file_env: Mapping[str, Entity],
    settings: Settings,
    modules: Mapping[str, str],
    unread: frozenset[str],
) -> tuple[ir.Module, Graph]:
    """The model as far as it could be read, and its scope; faults are with the collector."""
    graph = Graph(
        kind="model",
        collector=collector,
        params={
            param.name: param.value
            for param in file_params
            if isinstance(param.value, int) and not isinstance(param.value, bool)
        },
        env=dict(file_env),
        modules=modules,
        unread=unread,
        labels=frozenset(_labels(module.body)),
    )
    params = []
    for parameter in module.parameters:
        param = declare_param(graph, parameter, settings, module.name)
        if param is not None:
            params.append(param)
    inputs: list[ir.Value] = []
    outputs: list[ir.Output] = []
    for statement in module.body:
        _statement(graph, statement, inputs, outputs)
    if not unread:
        _require(graph, module, inputs, outputs)
    model = ir.Module(
        name=module.name,
        params=tuple(params),
        inputs=tuple(inputs),
        nodes=tuple(graph.nodes),
        outputs=tuple(outputs),
        conditions=tuple(dict.fromkeys(graph.conditions)),
        span=module.name_span,
        values=graph.params,
    )
    return model, graph


def _statement(
    graph: Graph,
    statement: ast.Statement,
    inputs: list[ir.Value],
    outputs: list[ir.Output],
) -> None:
    match statement:
        case ast.Input():
            value = declare_input(graph, statement)
            if value is not None:
                inputs.append(value)
        case ast.Assign():
            assign(graph, statement)
        case ast.Output():
            _output(graph, statement, outputs)
        case ast.LayerDeclaration():
            declare(graph, statement, elaborate)
        case ast.Init():
            not_yet(graph, "`init`", statement.span, None)
        case ast.Weights():
            not_yet(graph, "`weights`", statement.span, None)
        case ast.Freeze():
            not_yet(graph, "`freeze`", statement.span, None)
        case ast.If():
            not_yet(graph, "`if`", statement.condition.span)
            _poison_targets(graph, statement.body + statement.otherwise)
        case ast.For():
            not_yet(graph, "`for`", statement.iterable.span)
            _poison_targets(graph, statement.body)


def _poison_targets(graph: Graph, body: tuple[ast.Statement, ...]) -> None:
    """What a statement that is not built would have named is not unknown, only not there."""
    for statement in body:
        if isinstance(statement, ast.Assign):
            for name in _target_names(statement.targets):
                graph.env[name] = POISON
        elif isinstance(statement, ast.If):
            _poison_targets(graph, statement.body + statement.otherwise)
        elif isinstance(statement, ast.For):
            _poison_targets(graph, statement.body)


# ── inputs ───────────────────────────────────────────────────────────────────────────────────────


def declare_input(graph: Graph, statement: ast.Input) -> ir.Value | None:
    """An input put in scope, with the conditions it states; None where something was reported."""
    name = statement.name
    if not check_name(name, statement.span, graph.collector, "value"):
        return None
    if name in graph.env:
        graph.error(
            "E0230", f"there is already something called `{name}`", statement.span,
            "give the input another name",
        )  # fmt: skip
        return None
    type_ = tensor_type(graph, statement.type)
    if type_ is None:
        graph.env[name] = POISON
        return None
    value = ir.Value(name, type_, statement.span)
    graph.env[name] = value
    for condition in statement.conditions:
        _condition(graph, condition, name)
    return value


def _condition(graph: Graph, written: ast.Expression, name: str) -> None:
    if not (isinstance(written, ast.Binary) and written.operator in COMPARISONS):
        graph.error(
            "E0231", "`where` states a comparison of sizes", written.span, "write `where T <= 64`"
        )
        return
    left, right = elaborate(graph, written.left), elaborate(graph, written.right)
    if is_poisoned(left) or is_poisoned(right):
        return
    for side in (left, right):
        if isinstance(side, bool) or not isinstance(side, int | Poly):
            graph.error("E0231", f"`where` compares sizes, not {describe(side)}", written.span)
            return
    assert isinstance(left, int | Poly) and isinstance(right, int | Poly)
    state_condition(graph, written.operator, left, right, f"`{name}` asks for it", written.span)


def state_condition(
    graph: Graph, relation: str, left: Size, right: Size, reason: str, span: Span
) -> None:
    """Keeps an open condition; reports one that can never hold."""
    known_left, known_right = evaluate(left, graph.params), evaluate(right, graph.params)
    condition = ir.Condition(left, relation, right, reason, span)  # type: ignore[arg-type]  # parsed
    if isinstance(known_left, int) and isinstance(known_right, int):
        if not condition.holds({**graph.params}):
            graph.error("E0231", f"{known_left} {relation} {known_right} does not hold", span)
        return
    graph.conditions.append(condition)


# ── assignments ──────────────────────────────────────────────────────────────────────────────────


def assign(graph: Graph, statement: ast.Assign) -> None:
    """``a = ...`` or ``a, (b, c) = ...``."""
    names = list(_target_names(statement.targets))
    for target in _leaves(statement.targets):
        assert target.name is not None
        if not check_name(target.name, target.span, graph.collector, "value"):
            graph.env[target.name] = POISON
            return
    for name in names:
        if isinstance(graph.env.get(name), LayerHandle):
            graph.error(
                "E0230", f"`{name}` is a declared layer; a value cannot take its name",
                statement.span, "give the value another name",
            )  # fmt: skip
            return
        if names.count(name) > 1 and name != "_":
            graph.error("E0230", f"`{name}` stands twice on the left", statement.targets[0].span)
            return
    hint = _hint(statement.targets)
    value = elaborate(graph, statement.value, hint)
    if len(statement.targets) == 1 and statement.targets[0].name is not None:
        _bind(graph, statement.targets[0], value)
        return
    _destructure(graph, statement.targets, value, statement.value.span)


def _hint(targets: tuple[ast.Target, ...]) -> Hint:
    hints = tuple(target.name or _hint(target.items) for target in targets)
    return hints[0] if len(hints) == 1 else hints


def _destructure(graph: Graph, targets: tuple[ast.Target, ...], value: Entity, span: Span) -> None:
    if not isinstance(value, Items) or len(value.items) != len(targets):
        if not isinstance(value, Poison):
            found = f"{len(value.items)} results" if isinstance(value, Items) else describe(value)
            graph.error(
                "E0232",
                f"{len(targets)} names for {found}",
                span,
                "nest the names as the results are: `out, (h, c) = ...`"
                if isinstance(value, Items)
                else None,
            )
        for name in _target_names(targets):
            graph.env[name] = POISON
        return
    for target, item in zip(targets, value.items, strict=True):
        if target.name is not None:
            _bind(graph, target, item)
        else:
            _destructure(graph, target.items, item, span)


def _bind(graph: Graph, target: ast.Target, value: Entity) -> None:
    assert target.name is not None
    graph.env[target.name] = value
    graph.assigned[target.name] = target.span
    graph.used.discard(target.name)


def _leaves(targets: tuple[ast.Target, ...]) -> Iterator[ast.Target]:
    for target in targets:
        if target.name is None:
            yield from _leaves(target.items)
        else:
            yield target


def _target_names(targets: tuple[ast.Target, ...]) -> Iterator[str]:
    for target in _leaves(targets):
        if target.name is not None:
            yield target.name


# ── outputs ──────────────────────────────────────────────────────────────────────────────────────


def _output(graph: Graph, statement: ast.Output, outputs: list[ir.Output]) -> None:
    for index, written in enumerate(statement.values):
        if isinstance(written, ast.Name):
            name = written.name
        elif len(statement.values) == 1 and not outputs:
            name = "output"
        else:
            name = f"output_{len(outputs) + 1}"
        value = elaborate(graph, written, name)
        if isinstance(value, Poison):
            graph.env.setdefault(name, POISON)
            outputs.append(
                ir.Output(name, ir.Value(name, ir.TensorType("float", ()), written.span))
            )
            continue
        if not isinstance(value, ir.Value):
            graph.error(
                "E0233",
                f"an output is a tensor; this is {describe(value)}",
                written.span,
                "name its parts and put those out" if isinstance(value, Items) else None,
            )
            continue
        if any(output.name == name for output in outputs):
            graph.error("E0233", f"`{name}` is put out twice", statement.values[index].span)
            continue
        outputs.append(ir.Output(name, value))


def _require(
    graph: Graph, module: ast.Module, inputs: list[ir.Value], outputs: list[ir.Output]
) -> None:
    if not any(isinstance(statement, ast.Input) for statement in module.body):
        graph.error(
            "E0222", f"{module.name} has no input", module.name_span,
            "write `input x: float[N, 3]`",
        )  # fmt: skip
    if not any(isinstance(statement, ast.Output) for statement in module.body):
        graph.error(
            "E0221", f"{module.name} has no output", module.name_span, "end it with `output ...`"
        )
    for name in list(graph.declared):
        if name not in graph.layers and isinstance(graph.env.get(name), LayerHandle):
            _, _, span = graph.declared[name]
            graph.error("E0227", f"the layer `{name}` is never fed", span, f"use it: `{name}(x)`")


def _labels(body: tuple[ast.Statement, ...]) -> Iterator[str]:
    """The labels that a model's statements give, so that no counter takes one of them."""
    for statement in body:
        if isinstance(statement, ast.LayerDeclaration):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            yield from _expression_labels(statement.value)
        elif isinstance(statement, ast.Output):
            for value in statement.values:
                yield from _expression_labels(value)


def _expression_labels(expression: ast.Expression) -> Iterator[str]:
    match expression:
        case ast.Pipeline():
            yield from _expression_labels(expression.source)
            for stage in expression.stages:
                if stage.label is not None:
                    yield stage.label
                yield from _expression_labels(stage.target)
        case ast.Binary():
            yield from _expression_labels(expression.left)
            yield from _expression_labels(expression.right)
        case ast.Unary():
            yield from _expression_labels(expression.operand)
        case ast.Call():
            for argument in expression.arguments:
                yield from _expression_labels(argument.value)
        case ast.Sequence():
            for item in expression.items:
                yield from _expression_labels(item)
        case ast.Subscript():
            yield from _expression_labels(expression.value)
