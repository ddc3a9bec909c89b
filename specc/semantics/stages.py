"""Pipes: each stage takes what the last one gave, as a layer of the model or as a function.

Non-goals: the arguments inside a stage, which are ``bind`` and ``calls``; layers that were declared
before, which are ``declared``."""

from __future__ import annotations

from specc.catalog import FUNCTIONS, LAYERS, LOSSES, METRICS
from specc.semantics.bind import Given
from specc.semantics.calls import apply_layer, call_function, given_arguments, head, make_layer
from specc.semantics.declared import apply_handle
from specc.semantics.entities import (
    POISON,
    Entity,
    Items,
    LayerHandle,
    Poison,
    describe,
    is_poisoned,
)
from specc.semantics.graph import Elaborate, Graph, Hint
from specc.semantics.missing import not_yet, unknown
from specc.semantics.names import check_label
from specc.syntax import ast


def pipeline(graph: Graph, expression: ast.Pipeline, hint: Hint, elaborate: Elaborate) -> Entity:
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
        value = _stage(graph, stage, value, hint if index == last else None, elaborate)
    return value


def _stage(
    graph: Graph, stage: ast.Stage, value: Entity, hint: Hint, elaborate: Elaborate
) -> Entity:
    if stage.wrappers:
        return not_yet(graph, "`with`", stage.wrappers[0].span)
    target = stage.target
    if isinstance(target, ast.Repeat):
        return not_yet(graph, "`repeat`", target.span)
    if isinstance(target, ast.Chain):
        return not_yet(graph, "a chain in braces", target.span)
    name, arguments = head(target)
    if name is None:
        return graph.error(
            "E0226",
            "a stage of a pipe is a layer or a function: `x -> Linear(10) -> relu`",
            target.span,
        )
    given = given_arguments(graph, arguments, elaborate)
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
    known = entity is not None or any(
        name in table for table in (graph.modules, FUNCTIONS, LOSSES, METRICS)
    )
    if isinstance(value, Poison) and known:
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


def _no_label(graph: Graph, stage: ast.Stage, reason: str) -> None:
    if stage.label is not None:
        graph.error(
            "E0229", f"the label `{stage.label}` names nothing: {reason}", stage.span,
            "take the label away",
        )  # fmt: skip
