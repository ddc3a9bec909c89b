"""Layers declared by ``layer name = ...`` and used by name, as often as the spec likes.

A declaration is noted where it stands; the layer is made when it is first fed, because what it is
fed tells its sizes. Non-goal: layers made inside a pipe, which are ``stages``."""

from __future__ import annotations

from specc.catalog import FUNCTIONS, LAYERS
from specc.errors import Span
from specc.semantics.bind import Given
from specc.semantics.calls import apply_layer, given_arguments, head, make_layer
from specc.semantics.entities import POISON, Entity, LayerHandle, is_poisoned
from specc.semantics.graph import Elaborate, Graph, Hint
from specc.semantics.missing import not_yet, unknown
from specc.semantics.names import check_label
from specc.syntax import ast


def declare(graph: Graph, statement: ast.LayerDeclaration, elaborate: Elaborate) -> None:
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
    type_, arguments = head(stage.target)
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
    graph.declared[name] = (type_, given_arguments(graph, arguments, elaborate), stage.span)


def apply_handle(
    graph: Graph, handle: LayerHandle, given: list[Given], span: Span, hint: Hint
) -> Entity:
    """``emb(tokens)``: a declared layer applied; its first use tells its sizes."""
    named = next((item for item in given if item.name is not None), None)
    if named is not None:
        return graph.error(
            "E0208",
            f"`{handle.name}` was given its settings where it was declared; here it takes tensors",
            named.span,
        )
    inputs = [item.value for item in given]
    if any(is_poisoned(item) for item in inputs):
        return POISON
    if not _made(graph, handle, inputs, span):
        return POISON
    return apply_layer(graph, handle.name, inputs, span, hint)


def _made(graph: Graph, handle: LayerHandle, inputs: list[Entity], span: Span) -> bool:
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
