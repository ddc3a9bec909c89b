"""``with spectral_norm``: torch's parametrizations on the tensors of a layer.

Non-goal: what a parametrization makes of the tensors, which is its row in the catalogue."""

from __future__ import annotations

from specc import catalog, ir
from specc.catalog import suggest
from specc.semantics.bind import Given, bind
from specc.semantics.entities import to_operand
from specc.semantics.graph import Elaborate, Graph
from specc.syntax import ast

WRAPPERS = getattr(catalog, "WRAPPERS", {})


def read_wrappers(
    graph: Graph, written: tuple[ast.Expression, ...], elaborate: Elaborate
) -> tuple[ir.Wrapper, ...] | None:
    """The parametrizations of a stage, in order; None where one was reported."""
    found: list[ir.Wrapper] = []
    for expression in written:
        callee = expression.callee if isinstance(expression, ast.Call) else expression
        arguments = expression.arguments if isinstance(expression, ast.Call) else ()
        name = callee.name if isinstance(callee, ast.Name) else ""
        row = WRAPPERS.get(name)
        if row is None:
            close = suggest(name, WRAPPERS)
            graph.error(
                "E0246",
                f"there is no parametrization `{name or 'of this form'}`",
                expression.span,
                f"did you mean `{close}`?" if close else f"one of {', '.join(WRAPPERS)}",
            )
            return None
        given = [
            Given(argument.name, elaborate(graph, argument.value), argument.span)
            for argument in arguments
        ]
        bound = bind(row, given, expression.span, graph.collector, graph.params)
        if bound.failed:
            return None
        settings = tuple(
            (argument.name, to_operand(bound.values[argument.name]))
            for argument in row.arguments
            if argument.name in bound.values
        )
        found.append(ir.Wrapper(name, settings, expression.span))
    return tuple(found)


def wrapped_tensors(graph, wrapper, parameters, buffers, initial):  # type: ignore[no-untyped-def]
    row = WRAPPERS[wrapper.type]
    return row.tensors(parameters, buffers, initial)
