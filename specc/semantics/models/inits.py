"""``init``, ``freeze``: what a module does with its fresh parameters.

Non-goal: selecting parameters (``selectors``)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from specc import ir
from specc.catalog import INITS
from specc.catalog.advice.elsewhere import INIT_NAMES
from specc.catalog.rows import InitRow, RuleError
from specc.semantics.blocks.expressions import elaborate
from specc.semantics.calls.calls import given_arguments
from specc.semantics.compile_time import static
from specc.semantics.compile_time.entities import to_operand
from specc.semantics.models.freezes import frozen_whole, warn_of_statistics
from specc.semantics.naming.graph import Graph
from specc.semantics.naming.positional import bind_call
from specc.semantics.naming.selectors import in_two, resolve
from specc.semantics.naming.settings import check_ranges
from specc.semantics.proposals.python_habits import last_name
from specc.suggestions import did_you_mean, listed, meant
from specc.syntax.tree import ast


def with_inits(
    graph: Graph, module: ir.Module, inits: list[ast.Init], freezes: list[ast.Freeze]
) -> ir.Module:
    """``module`` with its ``init`` and ``freeze``, whose selectors see all its layers."""
    if not inits and not freezes:
        return module
    if any(item.severity == "error" for item in graph.collector.items):
        return module  # a selector would miss what was reported
    found = [made for made in (_init(graph, module, item) for item in inits) if made is not None]
    frozen = [
        resolve(item.on, module, graph.collector)
        if item.on is not None
        else frozen_whole(item.whole, module, graph.collector)
        for item in freezes
    ]
    made = replace(
        module,
        initializers=tuple(found),
        frozen=tuple(item for item in frozen if item is not None),
    )
    for statement, on in zip(freezes, frozen, strict=True):
        if on is not None and statement.on is not None:
            warn_of_statistics(statement, on, made, graph.collector)
    return made


@dataclass(frozen=True, slots=True)
class InitCall:
    """An initialiser with its settings: as the spec says them, and with the params put in."""

    row: InitRow
    settings: ir.Arguments
    plain: dict[str, ir.Static]


def initialiser_name(graph: Graph, call: ast.Expression) -> str | None:
    """The name of the initialiser that ``call`` is meant for; None where it is a value. Only these
    end with an underscore."""
    callee = call.callee if isinstance(call, ast.CallExpression) else call
    if not isinstance(callee, ast.Name) or callee.name in graph.env:
        return None
    meant = callee.name in INITS or (
        callee.name.endswith("_") and callee.name not in graph.catalogue.functions
    )
    return callee.name if meant and callee.name not in graph.unread else None


def read_initializer(graph: Graph, call: ast.Expression) -> InitCall | None:
    """``trunc_normal_(std=0.02)``; None where something was reported."""
    callee = call.callee if isinstance(call, ast.CallExpression) else call
    arguments = call.arguments if isinstance(call, ast.CallExpression) else ()
    name = callee.name if isinstance(callee, ast.Name) else ""
    row = INITS.get(name)
    if row is None:
        graph.error(
            "E0405",
            f"there is no initialiser called `{name or 'this'}`",
            call.span,
            meant(INIT_NAMES[name])
            if name in INIT_NAMES
            else did_you_mean(name or last_name(callee), INITS, listed(INITS)),
        )
        return None
    given = given_arguments(graph, arguments, elaborate)
    bound = bind_call(row, given, call.span, graph.collector, graph.params)
    if bound.failed or not check_ranges(row, bound, graph.collector, graph.params):
        return None
    settings = tuple(
        (argument.name, to_operand(bound.values[argument.name]))
        for argument in row.arguments
        if argument.name in bound.values
    )
    plain = {name: static.plain(value, graph.params) for name, value in settings}  # type: ignore[arg-type]
    return InitCall(row, settings, plain)


def _init(graph: Graph, module: ir.Module, statement: ast.Init) -> ir.Initializer | None:
    call = read_initializer(graph, statement.call)
    if call is None:
        return None
    on = resolve(statement.on, module, graph.collector)
    if on is None:
        return None
    apart = [name for name in in_two(statement.on, module) if name in on.names]
    if apart:
        graph.error(
            "E0406",
            f"weight_norm keeps a norm apart from a direction: `{apart[0]}` and its like are no"
            " weight that an initialiser could fill",
            statement.on.span,
            f"leave them out: `except {apart[0].rpartition('.')[0]}.*`",
        )
        return None
    distributions = []
    chosen = frozenset(on.names)
    for path, _, shape in module.parameters():
        if path not in chosen:
            continue
        try:
            distributions.append((path, call.row.distribution(call.plain, shape)))
        except RuleError as fault:
            graph.error(fault.code, f"`{path}`: {fault.message}", statement.span, fault.help)
            return None
    return ir.Initializer(call.row.name, call.settings, on, tuple(distributions), statement.span)
