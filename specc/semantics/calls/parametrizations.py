"""``with spectral_norm``: torch's parametrizations on the tensors of a layer.

Non-goal: what a parametrization makes of the tensors, which is its row in the catalogue."""

from __future__ import annotations

from specc import ir
from specc.catalog import WRAPPERS
from specc.catalog.rows import Draws, Shapes, Wrapped
from specc.semantics.compile_time import static
from specc.semantics.compile_time.entities import to_operand
from specc.semantics.naming.bind import Given
from specc.semantics.naming.graph import Elaborate, Graph
from specc.semantics.naming.positional import bind_call
from specc.suggestions import did_you_mean, listed
from specc.syntax.tree import ast


def read_wrappers(
    graph: Graph, written: tuple[ast.Expression, ...], elaborate: Elaborate
) -> tuple[ir.Wrapper, ...] | None:
    """The parametrizations of a stage, in order; None where one was reported."""
    found: list[ir.Wrapper] = []
    for expression in written:
        callee = expression.callee if isinstance(expression, ast.CallExpression) else expression
        arguments = expression.arguments if isinstance(expression, ast.CallExpression) else ()
        name = callee.name if isinstance(callee, ast.Name) else ""
        row = WRAPPERS.get(name)
        if row is None:
            graph.error(
                "E0246",
                f"there is no parametrization `{name or 'of this form'}`",
                expression.span,
                did_you_mean(name, WRAPPERS, listed(WRAPPERS)),
            )
            return None
        given = [
            Given(argument.name, elaborate(graph, argument.value), argument.span, argument.value)
            for argument in arguments
        ]
        bound = bind_call(row, given, expression.span, graph.collector, graph.params)
        if bound.failed:
            return None
        settings = tuple(
            (argument.name, to_operand(bound.values[argument.name]))
            for argument in row.arguments
            if argument.name in bound.values
        )
        found.append(ir.Wrapper(name, settings, expression.span))
    return tuple(found)


def wrapped_tensors(
    graph: Graph, layer: str, wrapper: ir.Wrapper, parameters: Shapes, buffers: Shapes,
    initial: Draws,
) -> tuple[Shapes, Shapes, Draws]:  # fmt: skip
    """A layer's parameters, buffers and initial values once ``wrapper`` is on. Raises RuleError."""
    row = WRAPPERS[wrapper.type]
    settings: dict[str, ir.Static] = {
        argument.name: argument.default  # type: ignore[misc]  # a literal of the row
        for argument in row.arguments
        if not argument.required
    }
    for name, value in wrapper.arguments:
        settings[name] = static.plain(value, graph.params)  # type: ignore[arg-type]  # compile-time
    return row.tensors(Wrapped(layer, parameters, buffers, initial, settings, graph.params))
