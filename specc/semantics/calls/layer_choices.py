"""Layers as compile-time values: what ``act: layer = ReLU`` is given, and what it makes.

A choice is a layer's or a block's name, with settings or without: ``GELU``, ``GroupNorm(8)``.
Non-goals: making the layer (``calls``, ``blocks``); how it is written (``emit``)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

from specc import ir
from specc.catalog.rows import LayerRow
from specc.errors import Span
from specc.semantics.compile_time.entities import (
    Entity,
    from_static,
    is_poisoned,
    is_static,
    to_static,
)
from specc.semantics.compile_time.library import Definition
from specc.semantics.naming.bind import Given, positional_order
from specc.semantics.naming.graph import Elaborate, Graph
from specc.semantics.naming.positional import late_fault, misplaced
from specc.suggestions import meant, nearest
from specc.syntax.tree import ast


def read_choice(graph: Graph, written: ast.Expression, elaborate: Elaborate) -> Entity:
    """``written`` as the value of a param that is a layer; what is none as it is."""
    callee, arguments = _head(written)
    if callee is None:
        return elaborate(graph, written)
    choice = choice_of(graph, callee.name)
    if choice is None:
        function = callee.name in graph.catalogue.functions
        if callee.name not in graph.env and (callee.name[:1].isupper() or function):
            return _unknown(graph, callee, function=function)
        return elaborate(graph, written)
    settings = list(choice.arguments)
    kinds = param_kinds(graph, choice.type)
    late = misplaced([Given(each.name, None, each.span, each.value) for each in arguments])
    if late is not None:
        return graph.error(
            "E0208", late_fault(late), late.span, "what has no name stands before what has one"
        )
    for position, argument in enumerate(arguments):
        if kind_at(kinds, position, argument.name) == "layer":
            value = read_choice(graph, argument.value, elaborate)
        else:
            value = elaborate(graph, argument.value)
        if is_poisoned(value):
            return value
        if not is_static(value):
            return graph.error(
                "E0211", "the settings of a layer are compile-time values", argument.span
            )
        settings.append((argument.name, to_static(value)))
    if not arguments:
        return choice
    return ir.LayerChoice(choice.type, tuple(settings), row=choice.row)


def _head(
    written: ast.Expression | None,
) -> tuple[ast.Name | None, tuple[ast.Argument, ...]]:
    """The name and the settings of ``written``, where that is its form."""
    if isinstance(written, ast.CallExpression) and isinstance(written.callee, ast.Name):
        return written.callee, written.arguments
    return (written, ()) if isinstance(written, ast.Name) else (None, ())


def param_kinds(graph: Graph, target: str) -> dict[str, str]:
    """The params of the block that ``target`` is, each with its type."""
    choice = graph.env.get(target)
    definition = graph.modules.get(choice.type if isinstance(choice, ir.LayerChoice) else target)
    if definition is None:
        return {}
    return {each.name: each.type.name for each in definition.tree.parameters}


def kind_at(kinds: Mapping[str, str], position: int, name: str | None) -> str | None:
    """The type of the param that an argument is for, given at ``position`` or by ``name``."""
    if name is None:
        name = next(itertools.islice(kinds, position, None), None)
    return kinds.get(name) if name is not None else None


def choice_of(graph: Graph, name: str) -> ir.LayerChoice | None:
    """The layer that ``name`` is: a param's value, or the catalogue's or the spec's own."""
    entity = graph.env.get(name)
    if isinstance(entity, ir.LayerChoice):
        graph.used.add(name)
        return entity
    if name in graph.env or not graph.is_layer(name):
        return None
    return ir.LayerChoice(name, row=graph.catalogue.layers.get(name))


def chosen(graph: Graph, name: str, given: list[Given], span: Span) -> tuple[
    ir.LayerChoice | None, str, list[Given]
]:  # fmt: skip
    """What the layer ``name`` of a stage is, where a param chose it: the choice, its type, and what
    the choice is given before what the stage gives."""
    entity = graph.env.get(name)
    if not isinstance(entity, ir.LayerChoice):
        return None, name, given
    graph.used.add(name)
    said = {item.name for item in given if item.name is not None}
    # What the stage says by name is said instead of what came with the choice.
    kept = tuple((key, value) for key, value in entity.arguments if key not in said)
    brought = [Given(key, from_static(value), span) for key, value in kept]
    return replace(entity, arguments=kept), entity.type, [*brought, *given]


def with_names(row: LayerRow, choice: ir.LayerChoice, given: list[Given]) -> ir.LayerChoice:
    """``choice`` with each of its settings by name; ``given`` is all that the layer is given, the
    choice's first."""
    order = positional_order(row, sum(item.name is None for item in given))
    names = iter(order)
    named = tuple(
        (name if name is not None else next(names, None), value) for name, value in choice.arguments
    )
    return replace(choice, arguments=named)


def literal_choice(
    definition: Definition, graph: Graph, written: ast.Expression | None
) -> ir.LayerChoice | None:
    """The layer of a default that speaks of no param, as a constructor's own default may say it."""
    callee, arguments = _head(written)
    if callee is None or callee.name in definition.env:
        return None
    choice = named_choice(graph, callee.name)
    if choice is None:
        return None
    said: list[tuple[str | None, ir.Static]] = []
    for each in arguments:
        if not isinstance(each.value, ast.Number | ast.String | ast.Boolean):
            return None
        said.append((each.name, each.value.value))
    return replace(choice, arguments=tuple(said))


def named_choice(graph: Graph, text: str) -> ir.LayerChoice | None:
    """The layer called ``text``, as a setting says it; None where there is none."""
    if not graph.is_layer(text):
        return None
    return ir.LayerChoice(text, row=graph.catalogue.layers.get(text))


def _unknown(graph: Graph, callee: ast.Name, *, function: bool) -> Entity:
    known = [*graph.catalogue.layers, *graph.modules]
    plain = callee.name.replace("_", "").casefold()
    close = next((name for name in known if name.casefold() == plain), None)
    if close is None and not function:
        close = nearest(callee.name, known)
    return graph.error(
        "E0202" if function else "E0201",
        f"`{callee.name}` is a function, not a layer"
        if function
        else f"there is no layer called `{callee.name}`",
        callee.span,
        meant(close) if close else "write a layer, such as `ReLU`",
    )
