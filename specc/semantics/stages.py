"""Pipes: each stage takes what the last one gave, as a layer of the model or as a function.

Also the layers declared by ``layer name = ...``, which are sized by the first value they are fed.
Non-goal: the arguments inside a stage, which are ``bind`` and ``calls``.
"""

from __future__ import annotations

from specc.catalog import FUNCTIONS, LAYERS, LOSSES, METRICS
from specc.errors import Span
from specc.semantics.bind import Given
from specc.semantics.calls import apply_layer, call_function, make_layer
from specc.semantics.entities import (
    POISON,
    Entity,
    Items,
    LayerHandle,
    Poison,
    describe,
    is_poisoned,
)
from specc.semantics.expressions import (
    apply_handle,
    elaborate,
    given_arguments,
    not_yet,
    unknown,
)
from specc.semantics.graph import Graph, Hint
from specc.semantics.names import check_label
from specc.syntax import ast


def pipeline(graph: Graph, expression: ast.Pipeline, hint: Hint) -> Entity:
    """``source -> stage -> stage``; ``hint`` names what the last stage gives."""
    value = elaborate(graph, expression.source)
    last = len(expression.stages) - 1
    for index, stage in enumerate(expression.stages):
        if isinstance(value, Items) and index > 0:
            value = graph.error(
                "E0228",
                f"the stage before gives {len(value.items)} results; a pipe carries one",
                stage.span,
                "name them: `a, b = ...`, and go on from one",
            )
        value = _stage(graph, stage, value, hint if index == last else None)
    return value


def _stage(graph: Graph, stage: ast.Stage, value: Entity, hint: Hint) -> Entity:
    if stage.wrappers:
        return not_yet(graph, "`with`", stage.wrappers[0].span)
    target = stage.target
    if isinstance(target, ast.Repeat):
        return not_yet(graph, "`repeat`", target.span)
    if isinstance(target, ast.Chain):
        return not_yet(graph, "a chain in braces", target.span)
    name, arguments = _head(target)
    if name is None:
        return graph.error(
            "E0226",
            "a stage of a pipe is a layer or a function: `x -> Linear(10) -> relu`",
            target.span,
        )
    given = given_arguments(graph, arguments)
    span = stage.span
    entity = graph.env.get(name)
    if isinstance(entity, Poison) or (name in graph.unread and entity is None):
        return POISON
    if isinstance(entity, LayerHandle):
        graph.used.add(name)
        _no_label(graph, stage, "its name was given where it was declared")
        return apply_handle(graph, entity, [Given(None, value, span), *given], span, hint)
    if name in LAYERS:
        return _layer(graph, stage, name, given, value, hint)
    if isinstance(value, Poison):
        return POISON
    if name in graph.modules:
        return not_yet(graph, f"a {graph.modules[name]} used inside another", target.span)
    if name in FUNCTIONS:
        _no_label(graph, stage, "a function has no state to name")
        return call_function(graph, "function", FUNCTIONS[name], given, span, hint, first=value)
    if name in LOSSES and graph.kind == "train":
        return call_function(graph, "loss", LOSSES[name], given, span, hint, first=value)
    if name in LOSSES or name in METRICS:
        return graph.error(
            "E0204", f"{name} stands in `train`, not in a pipe of layers", target.span
        )
    if entity is not None:
        return graph.error(
            "E0226", f"`{name}` is {describe(entity)}; a stage is a layer or a function", span
        )
    return unknown(graph, name, target.span)


def _layer(
    graph: Graph, stage: ast.Stage, type_: str, given: list[Given], value: Entity, hint: Hint
) -> Entity:
    span = stage.span
    if graph.kind == "train":
        return graph.error(
            "E0204",
            f"{type_} is a layer; layers stand in the model",
            span,
            "compute it in the model and add it to `output`",
        )
    label = stage.label
    if label is not None:
        place = span._replace(end=span.start + len(label))
        if not check_label(label, place, graph.collector):
            return POISON
        if label in graph.layers or isinstance(graph.env.get(label), LayerHandle):
            return graph.error(
                "E0206",
                f"there is already a layer called `{label}`",
                place,
                "labels are the layers' names in the state_dict: give each its own",
            )
    name = make_layer(graph, LAYERS[type_], given, [value], label, stage.target.span)
    if name is None or is_poisoned(value):
        return POISON
    return apply_layer(graph, name, [value], stage.target.span, hint)


def declare(graph: Graph, statement: ast.LayerDeclaration) -> None:
    """``layer name = Type(...)``: noted now, sized and made when it is first fed."""
    name = statement.name
    place = statement.span._replace(
        start=statement.span.start + len("layer "), column=statement.span.column + len("layer ")
    )
    if not check_label(name, statement.span, graph.collector):
        graph.env[name] = POISON
        return
    if name in graph.layers or name in graph.env:
        graph.error(
            "E0206", f"there is already something called `{name}`", place, "give it another name"
        )
        return
    stage = statement.stage
    type_, arguments = _head(stage.target)
    if stage.wrappers or isinstance(stage.target, ast.Repeat | ast.Chain):
        graph.env[name] = not_yet(graph, "this form of `layer`", stage.span)
        return
    if type_ is None or type_ not in LAYERS:
        graph.env[name] = (
            not_yet(graph, "a declared block", stage.span)
            if type_ in graph.modules
            else unknown(graph, type_ or "this", stage.span)
            if type_ not in FUNCTIONS
            else graph.error("E0202", f"`{type_}` is a function, not a layer", stage.span)
        )
        return
    graph.env[name] = LayerHandle(name)
    graph.declared[name] = (type_, given_arguments(graph, arguments), stage.span)


def declared_layer(graph: Graph, handle: LayerHandle, inputs: list[Entity], span: Span) -> bool:
    """Makes the declared layer when it is fed for the first time; whether it is there."""
    if handle.name in graph.layers:
        return True
    declaration = graph.declared.get(handle.name)
    if declaration is None:
        return False  # reported when it was made
    type_, given, place = declaration
    # All but the type came with the declaration; the sizes come with this first use.
    made = make_layer(graph, LAYERS[type_], given, inputs, handle.name, place)
    if made is None:
        del graph.declared[handle.name]
        graph.env[handle.name] = POISON
    return made is not None


def _head(target: ast.Expression) -> tuple[str | None, tuple[ast.Argument, ...]]:
    if isinstance(target, ast.Name):
        return target.name, ()
    if isinstance(target, ast.Call) and isinstance(target.callee, ast.Name):
        return target.callee.name, target.arguments
    return None, ()


def _no_label(graph: Graph, stage: ast.Stage, reason: str) -> None:
    if stage.label is not None:
        graph.error(
            "E0229", f"the label `{stage.label}` names nothing: {reason}", stage.span,
            "take the label away",
        )  # fmt: skip
