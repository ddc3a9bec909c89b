"""The params of a block at one use: what the caller gives, the defaults, their values.

Non-goal: the sizes of what it is fed (``blocks``)."""

from __future__ import annotations

from dataclasses import dataclass, field

from specc import ir
from specc.errors import Fix, Span
from specc.semantics.calls.layer_choices import literal_choice, read_choice
from specc.semantics.compile_time import static
from specc.semantics.compile_time.entities import (
    Entity,
    describe,
    from_static,
    is_poisoned,
    is_static,
    to_static,
)
from specc.semantics.compile_time.library import Definition
from specc.semantics.compile_time.param_values import TYPES, article, in_scope, is_of
from specc.semantics.compile_time.substitution import static_outside
from specc.semantics.naming.bind import Given
from specc.semantics.naming.foreign_names import meant_param
from specc.semantics.naming.graph import Elaborate, Graph
from specc.semantics.naming.positional import counted, late_fault, misplaced, orders, spelled_use
from specc.sizes import Poly, Size
from specc.suggestions import meant
from specc.syntax.tree import ast


@dataclass(slots=True)
class BoundParams:
    """The params of one use: ``given`` as the caller wrote them, ``params`` with their values."""

    given: list[tuple[str, Entity]] = field(default_factory=list)
    params: list[ir.Param] = field(default_factory=list)
    meaning: dict[str, Size] = field(default_factory=dict)


def block_signature(definition: Definition) -> str:
    """``Stage(channels: int, depth: int, stride: int = ...)``."""
    shown = [
        f"{parameter.name}: {parameter.type.name}" + (" = ..." if parameter.default else "")
        for parameter in definition.tree.parameters
    ]
    return f"{definition.tree.name}({', '.join(shown)})"


def bind_params(
    graph: Graph, definition: Definition, given: list[Given], span: Span, elaborate: Elaborate
) -> BoundParams | None:
    """The params of one use, in order; None where something was reported."""
    tree = definition.tree
    by_name = {parameter.name: parameter for parameter in tree.parameters}
    bound: dict[str, Given] = {}
    failed = False
    order = list(by_name)
    late = misplaced(given)
    if late is not None:
        graph.error(
            "E0208", late_fault(late), late.span, _in_place(graph, definition, given, span)
        )  # fmt: skip
        return None
    for position, item in enumerate(item for item in given if item.name is None):
        if position >= len(order):
            graph.error(
                "E0208",
                f"{tree.name} takes {counted(len(order), 'argument')}, not more",
                item.span,
                f"its form is {block_signature(definition)}; sizes come with what it is fed",
            )
            return None
        bound[order[position]] = item
    for item in given:
        if item.name is None:
            continue
        if item.name not in by_name:
            form = f"its form is {block_signature(definition)}"
            close, start = meant_param(item.name, by_name), item.span.start
            graph.error(
                "E0203",
                f"{tree.name} has no argument `{item.name}`",
                item.span,
                form if close is None else meant(close),
                (),
                None if close is None else Fix(start, start + len(item.name), close, form),
            )
            failed = True
        elif item.name in bound:
            graph.error("E0209", f"`{item.name}` of {tree.name} is given twice", item.span)
            failed = True
        else:
            bound[item.name] = item
    if failed:
        return None
    header = BoundParams()
    scope = dict(definition.env)
    known = dict(definition.params)
    library_values = {p.name: p for p in graph.library.arguments.get(tree.name, ())}
    for parameter in tree.parameters:
        kind = parameter.type.name
        if kind not in TYPES:
            return None  # reported where the block is declared
        said = bound.get(parameter.name)
        default = (
            literal_choice(definition, graph, parameter.default)
            if kind == "layer"
            else _literal(parameter)
        )
        if said is not None:
            value = _given_value(graph, tree.name, parameter, said)
            header.given.append((parameter.name, said.value))
        elif parameter.name in library_values:
            value = library_values[parameter.name].value
        elif tree.name in graph.library.arguments:
            return None  # a param of a model, which was reported where it is declared
        else:
            found = _default_value(graph, definition, parameter, scope, known, span, elaborate)
            value = None if found is None else found[0]
            if found is not None and default is None:
                here = {param.name: from_static(param.value) for param in header.params}
                outside = static_outside(found[1], header.meaning, here | dict(header.given))
                header.given.append((parameter.name, outside))
        if value is None:
            return None
        scope[parameter.name] = in_scope(parameter.name, value)
        if isinstance(value, int) and not isinstance(value, bool):
            known[parameter.name] = value
            written = dict(header.given).get(parameter.name, value)
            header.meaning[parameter.name] = written if isinstance(written, int | Poly) else value
        header.params.append(ir.Param(parameter.name, kind, default, value, parameter.span))
    return header


def _in_place(graph: Graph, definition: Definition, given: list[Given], span: Span) -> str:
    """What to write for a use whose values without a name stand behind named ones."""
    parameters = {each.name: each for each in definition.tree.parameters}
    for values in orders(tuple(parameters), given):
        fits = all(
            name in parameters and _takes(graph, parameters[name], item)
            for name, item in values.items()
        )
        if fits and all(name in values or each.default for name, each in parameters.items()):
            return f"write `{spelled_use(definition.tree.name, tuple(parameters), values, span)}`"
    return f"its form is {block_signature(definition)}"


def _takes(graph: Graph, parameter: ast.Parameter, item: Given) -> bool:
    if not is_static(item.value):
        return False
    try:
        value = static.plain(to_static(item.value), graph.params)
    except static.Undecided:
        return False
    return is_of(value, parameter.type.name)


def _given_value(graph: Graph, name: str, parameter: ast.Parameter, item: Given) -> ir.Static:
    if is_poisoned(item.value):
        return None
    kind = parameter.type.name
    value: object = None
    if is_static(item.value):
        try:
            value = static.plain(to_static(item.value), graph.params)
        except static.Undecided as open_:
            graph.error(
                "E0308",
                f"`{parameter.name}` of {name} would be {open_.size}, which is known only when the"
                " model runs",
                item.span,
                "give that size of the input a number or a param",
            )
            return None
    if not is_of(value, kind):
        graph.error(
            "E0211",
            f"`{parameter.name}` of {name} is {article(kind)}, not {describe(item.value)}",
            item.span,
        )
        return None
    return float(value) if kind == "float" else value  # type: ignore[arg-type,return-value]  # is_of


def _default_value(
    graph: Graph, definition: Definition, parameter: ast.Parameter, scope: dict[str, Entity],
    known: dict[str, Size], span: Span, elaborate: Elaborate,
) -> tuple[ir.Static, Entity] | None:  # fmt: skip
    """The default's value, and the default as an entity in the block's own terms."""
    kind = parameter.type.name
    if parameter.default is None:
        graph.error(
            "E0210",
            f"{definition.tree.name} is missing `{parameter.name}`",
            span,
            f"its form is {block_signature(definition)}",
        )
        return None
    inner = Graph(
        kind="model", collector=graph.collector, params=known, env=scope,
        library=graph.library, unread=definition.unread,
    )  # fmt: skip
    entity = (
        read_choice(inner, parameter.default, elaborate)
        if kind == "layer"
        else elaborate(inner, parameter.default)
    )
    if is_poisoned(entity):
        return None
    value: object = None
    if is_static(entity):
        try:
            value = static.plain(to_static(entity), known)
        except static.Undecided:
            value = None
    if not is_of(value, kind):
        graph.error(
            "E0603",
            f"`{parameter.name}` is {article(kind)}, its default is {describe(entity)}",
            parameter.default.span,
        )
        return None
    plain: ir.Static = float(value) if kind == "float" else value  # type: ignore[arg-type,assignment]
    return plain, entity


def _literal(parameter: ast.Parameter) -> ir.Static:
    """The default as the emitted constructor may say it: a number, a word; None for the rest."""
    default = parameter.default
    if isinstance(default, ast.Unary) and isinstance(default.operand, ast.Number):
        return -default.operand.value if default.operator == "-" else None
    if isinstance(default, ast.Number | ast.String | ast.Boolean):
        value = default.value
        return float(value) if parameter.type.name == "float" else value
    return None
