"""Layers in a row: chains in braces, and ``repeat``.

Each stage is kept as it is read, so that the emitted source can say the row. Non-goal: the stages
themselves (``pipes``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from specc import ir
from specc.errors import Span
from specc.semantics.blocks.rounds import (
    Rounds,
    check_variables,
    counted,
    unseen_variable,
    whole_number,
)
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    Items,
    Poison,
    describe,
    is_poisoned,
)
from specc.semantics.compile_time.free_names import check_label
from specc.semantics.compile_time.layer_paths import Namespace
from specc.semantics.naming.graph import Elaborate, Graph, Hint
from specc.syntax.tree import ast

# A stage of a pipe, read where it stands.
ReadStage: TypeAlias = Callable[[Graph, ast.Stage, Entity, Hint], Entity]


def chain(
    graph: Graph, stage: ast.Stage, target: ast.Chain, value: Entity, hint: Hint, read: ReadStage
) -> Entity:
    """``label: { A -> B }``: an ``nn.Sequential`` of the stages."""
    if not isinstance(value, ir.Value):
        return _no_value(graph, "a chain", value, stage.span)
    path = graph.place(stage.label, target.span.start)
    result: Entity = value
    with graph.inside(Namespace("positions", path, splices=True)) as nodes:
        for inner in target.stages:
            result = read(graph, inner, result, None)
            if isinstance(result, Items):
                result = graph.error(
                    "E0228", "a stage of a chain gives one result", inner.span,
                    "name them: `a, b = ...`, outside the chain",
                )  # fmt: skip
    if not isinstance(result, ir.Value):
        return POISON
    made = graph.value(result.type, target.span, hint)
    graph.nodes.append(ir.Chain(path, _renamed(nodes, result, made), value, made, target.span))
    return made


def _renamed(nodes: list[ir.Node], last: ir.Value, result: ir.Value) -> tuple[ir.Node, ...]:
    """``nodes`` where what the last one gives is called ``result``."""
    final = nodes[-1]
    if isinstance(final, ir.LayerCall) and final.result is last:
        return (*nodes[:-1], replace(final, result=result))
    if isinstance(final, ir.Chain) and final.result is last:
        inner = _renamed(list(final.nodes), last, result)
        return (*nodes[:-1], replace(final, nodes=inner, result=result))
    if isinstance(final, ir.Loop) and final.results == (last,):
        return (*nodes[:-1], replace(final, results=(result,)))
    return tuple(nodes)


def repeat(
    graph: Graph, stage: ast.Stage, target: ast.Repeat, value: Entity, hint: Hint, read: ReadStage,
    elaborate: Elaborate,
) -> Entity:  # fmt: skip
    """``label: repeat(n, k) Block(...)``: n instances in a row, ``k`` the position of each."""
    if not isinstance(value, ir.Value):
        return _no_value(graph, "`repeat`", value, stage.span)
    count = whole_number(graph, elaborate(graph, target.count), target.count.span)
    if count is None:
        return POISON
    written, times = count
    if not counted(graph, times, target.count.span):
        return POISON
    named = target.variable
    if named is not None and not check_variables(graph, (named,)):
        return POISON
    spliced = graph.namespace.splices and stage.label is None
    offset = graph.namespace.position if spliced else 0
    path = graph.namespace.path if spliced else graph.place(stage.label, target.span.start)
    inner = stage.model_copy(update={"label": None, "target": target.target})
    variable = unseen_variable(graph) if named is None else named.name
    rounds = Rounds(graph, (variable,), target.span, unnamed=target if named is None else None)
    (current,) = rounds.carry(("x",), (value,), named=False)
    for index in range(times):
        space = Namespace("positions", path, position=offset + index)
        with rounds.round(index, index), graph.inside(space) as nodes:
            result = read(graph, inner, current, None)
            if isinstance(result, Items):
                result = graph.error(
                    "E0228", "`repeat` carries one value from each to the next", target.span,
                    "write the rounds as `for i in range(n) { ... }`",
                )  # fmt: skip
            if not isinstance(result, ir.Value):
                return POISON
            rounds.keep(index, nodes, (current,), (result,))
        (current,) = rounds.next(("x",), (ir.Value("x", result.type, value.span, named=False),))
    if spliced:
        graph.namespace.position += times
    (last,) = rounds.last((current,), written)
    made = graph.value(last.type, target.span, hint)
    graph.nodes.append(
        ir.Loop(
            "repeat", "" if spliced else path, variable, (written,), None, ("x",), (value,),
            tuple(rounds.iterations), (made,), target.span, offset, threads=rounds.threads,
        )
    )  # fmt: skip
    return made


def _no_value(graph: Graph, what: str, value: Entity, span: Span) -> Entity:
    if isinstance(value, Poison) or is_poisoned(value):
        return POISON
    return graph.error("E0224", f"{what} takes a tensor, not {describe(value)}", span)


def labelled(graph: Graph, label: str, place: Span) -> str | None:
    """The path of what is called ``label`` here; None where the name was reported."""
    if not check_label(label, place, graph.collector, graph.namespace.attributes):
        return None
    if not graph.free(label):
        graph.error(
            "E0206",
            f"there is already a layer called `{label}`",
            place,
            "labels are the layers' names in the state_dict: give each its own",
        )
        return None
    return graph.take(label)
