"""Pipes: each stage takes what the last one gave, as a layer of the model or as a function.

Non-goals: the arguments inside a stage, which are ``bind`` and ``calls``; layers that were declared
before, which are ``declared``."""

from __future__ import annotations

from specc import ir
from specc.errors import Fix
from specc.semantics.blocks.blocks import apply_block, too_many
from specc.semantics.blocks.called_models import call_member
from specc.semantics.blocks.chains import chain, labelled, repeat
from specc.semantics.blocks.declared import apply_handle
from specc.semantics.blocks.inlined import inline, is_inlined
from specc.semantics.calls.calls import (
    apply_layer,
    call_function,
    given_arguments,
    head,
    make_layer,
)
from specc.semantics.calls.grad_calls import derivative, is_derivative
from specc.semantics.calls.layer_choices import chosen
from specc.semantics.calls.parametrizations import read_wrappers
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    Items,
    LayerHandle,
    Poison,
    describe,
    is_poisoned,
)
from specc.semantics.compile_time.library import MOST_LAYERS
from specc.semantics.naming.bind import Given
from specc.semantics.naming.foreign_names import of_another_kind
from specc.semantics.naming.graph import Elaborate, Graph, Hint
from specc.semantics.naming.missing import is_elsewhere, unknown
from specc.semantics.proposals.python_habits import (
    is_habit,
    rank_of,
    report_stage,
    translated_stage,
)
from specc.syntax.tree import ast
from specc.syntax.tree.written import written


def pipeline(graph: Graph, expression: ast.Pipeline, hint: Hint, elaborate: Elaborate) -> Entity:
    """``source -> stage -> stage``; ``hint`` names what the last stage gives."""
    value = elaborate(graph, expression.source)
    last = len(expression.stages) - 1
    for index, stage in enumerate(expression.stages):
        if isinstance(value, Items) and index > 0 and not _takes_list(graph, stage):
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
    target = stage.target
    if isinstance(target, ast.Repeat | ast.Chain):
        if not _label(graph, stage):
            return POISON

        def read(graph: Graph, stage: ast.Stage, value: Entity, hint: Hint) -> Entity:
            if not _makes_layers(graph, stage):
                return POISON
            return _stage(graph, stage, value, hint, elaborate)

        if isinstance(target, ast.Chain):
            if stage.wrappers:
                return graph.error(
                    "E0246", "a chain has no tensor to wrap", stage.wrappers[0].span,
                    "write `with` behind a layer of it",
                )  # fmt: skip
            return chain(graph, stage, target, value, hint, read)
        return repeat(graph, stage, target, value, hint, read, elaborate)
    name, arguments = head(target)
    if is_habit(graph, target):
        return report_stage(graph, target, value, elaborate)
    if name is None:
        return graph.error(
            "E0226",
            "a stage of a pipe is a layer or a function: `x -> Linear(10) -> relu`",
            target.span,
            *_row_in_braces(target),
        )
    other = name not in graph.env and name not in graph.modules and name not in graph.catalogue
    if is_elsewhere(graph, name) or (other and of_another_kind(name) is not None):
        return unknown(graph, name, target.span, place="stage")
    given = given_arguments(graph, arguments, elaborate, name)
    span = stage.span
    entity = graph.env.get(name)
    choice, name, given = chosen(graph, name, given, stage.target.span)
    if choice is not None:
        entity = None
    if isinstance(entity, Poison) or (name in graph.unread and entity is None):
        return POISON
    catalogue = graph.catalogue
    wrapped = name in catalogue.layers and entity is None
    if stage.wrappers and not wrapped:
        return graph.error(
            "E0246",
            f"`with` wraps a layer of torch's; `{name}` is none",
            stage.wrappers[0].span,
            "write it behind the layer itself",
        )
    if name in graph.members:
        return call_member(graph, name, [value], given, stage.label, span, hint, elaborate)
    if isinstance(entity, LayerHandle):
        graph.used.add(name)
        _no_label(graph, stage, "its name was given where it was declared")
        return apply_handle(
            graph, entity, [Given(None, value, span), *given], span, hint, elaborate
        )
    if name in catalogue.layers:
        return _layer(graph, stage, name, given, value, hint, elaborate, choice)
    known = (
        entity is not None
        or is_derivative(graph, name)
        or any(
            name in table
            for table in (graph.modules, catalogue.functions, catalogue.losses, catalogue.metrics)
        )
    )
    if isinstance(value, Poison) and known:
        if name in graph.modules:
            graph.library.used.add(name)  # as a use, if one that tells nothing
        return POISON
    if is_inlined(graph, name):
        _no_label(graph, stage, "in `train` a block computes, and has no state to name")
        return inline(graph, name, [value], given, span, hint, elaborate)
    if name in graph.modules:
        if graph.kind == "train":
            return call_member(graph, name, [value], given, stage.label, span, hint, elaborate)
        if not _label(graph, stage):
            return POISON
        return apply_block(
            graph, name, given, [value], stage.label, stage.target.span, hint, elaborate
        )
    if is_derivative(graph, name):
        _no_label(graph, stage, "a derivative has no state to name")
        return derivative(graph, [Given(None, value, span), *given], span, hint)
    if name in catalogue.functions:
        _no_label(graph, stage, "a function has no state to name")
        row = catalogue.functions[name]
        return call_function(graph, "function", row, given, span, hint, first=value)
    if name in catalogue.losses and graph.kind == "train":
        return call_function(graph, "loss", catalogue.losses[name], given, span, hint, first=value)
    if name in catalogue.losses or name in catalogue.metrics:
        return graph.error(
            "E0204", f"{name} stands in `train`, not in a pipe of layers", target.span,
            of_another_kind(name),
        )  # fmt: skip
    if entity is not None:
        return graph.error(
            "E0226", f"`{name}` is {describe(entity)}; a stage is a layer or a function", span
        )
    translation = translated_stage(graph, target, rank_of(value))
    return unknown(graph, name, target.span, translation, "stage")


def _row_in_braces(target: ast.Expression) -> tuple[str, tuple[str, ...], Fix | None]:
    """The help, and the fix, of a stage that is no name: ``(Linear(16), ReLU)``."""
    otherwise = "put layers in a row in braces: `x -> { Linear(10) -> ReLU }`"
    items = target.items if isinstance(target, ast.Sequence) else ()
    if not items or any(head(item)[0] is None for item in items):
        return otherwise, (), None
    said = f"{{ {' -> '.join(written(item) for item in items)} }}"
    fix = Fix(target.span.start, target.span.end, said, otherwise)
    return f"write `{said}`", (), fix


def _takes_list(graph: Graph, stage: ast.Stage) -> bool:
    """Whether a stage is a block whose one input is a list."""
    name, _ = head(stage.target)
    definition = graph.modules.get(name or "")
    if definition is None:
        return False
    inputs = [item for item in definition.tree.body if isinstance(item, ast.Input)]
    return len(inputs) == 1 and inputs[0].iterable is not None


def _makes_layers(graph: Graph, stage: ast.Stage) -> bool:
    """Whether a stage may stand in a row of layers; an E0243 where it is a function."""
    name, _ = head(stage.target)
    if name is None or graph.is_layer(name) or name not in graph.catalogue.functions:
        return True
    layers = graph.catalogue.layers
    layer = next((known for known in layers if known.lower() == name.replace("_", "")), None)
    graph.error(
        "E0243",
        f"braces and `repeat` hold layers; `{name}` is a function",
        stage.target.span,
        f"use the layer `{layer}`" if layer else "put it into a block of its own",
    )
    return False


def _label(graph: Graph, stage: ast.Stage) -> bool:
    """Whether a stage's label may name a new layer; it is not taken yet."""
    label = stage.label
    if label is None:
        return True
    place = stage.span._replace(end=stage.span.start + len(label))
    if labelled(graph, label, place) is None:
        return False
    graph.taken.discard(graph.namespace.locate(label))
    return True


def _layer(
    graph: Graph, stage: ast.Stage, type_: str, given: list[Given], value: Entity, hint: Hint,
    elaborate: Elaborate, choice: ir.LayerChoice | None = None,
) -> Entity:  # fmt: skip
    span = stage.span
    if graph.kind == "train":
        return graph.error(
            "E0204",
            f"{type_} is a layer; layers stand in the model",
            span,
            "compute it in the model and add it to `output`",
        )
    if not _label(graph, stage):
        return POISON
    path = graph.place(stage.label, stage.target.span.start)
    if graph.size > MOST_LAYERS:
        return too_many(graph, span)
    wrappers = read_wrappers(graph, stage.wrappers, elaborate)
    if wrappers is None:
        return POISON
    row = graph.catalogue.layers[type_]
    made = make_layer(
        graph, row, given, [value], path, stage.target.span, wrappers=wrappers, choice=choice
    )
    if not made or is_poisoned(value):
        return POISON
    return apply_layer(graph, path, [value], stage.target.span, hint)


def _no_label(graph: Graph, stage: ast.Stage, reason: str) -> None:
    if stage.label is not None:
        graph.error(
            "E0229", f"the label `{stage.label}` names nothing: {reason}", stage.span,
            "take the label away",
        )  # fmt: skip
