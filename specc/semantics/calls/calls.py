"""Calls of catalogue rows: a layer made and applied, a function, loss or metric called.

Here a bound call meets its row's rules: inferred arguments, shapes, parameters. Everything a row
refuses is reported at the argument that caused it, with the type that came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from specc import ir
from specc.catalog.advice.elsewhere import NEEDLESS_ARGUMENTS
from specc.catalog.rows import Call, FunctionRow, LayerRow, Row, RuleError
from specc.catalog.training.ranges import ANY, own_range_of
from specc.errors import Fix, Span
from specc.semantics.calls.forgotten_params import fix_forgotten
from specc.semantics.calls.layer_choices import kind_at, param_kinds, read_choice, with_names
from specc.semantics.calls.parametrizations import wrapped_tensors
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    Items,
    describe,
    from_result,
    is_poisoned,
    is_static,
    to_operand,
    to_static,
)
from specc.semantics.naming.bind import BoundArguments, Given, fits
from specc.semantics.naming.function_forms import as_function
from specc.semantics.naming.graph import Elaborate, Graph, Hint
from specc.semantics.naming.missing import unquoted
from specc.semantics.naming.positional import Told, bind_call
from specc.sizes import Poly, Size, symbols
from specc.suggestions import did_you_mean, listed
from specc.syntax.tree import ast
from specc.syntax.tree.written import written


def head(target: ast.Expression) -> tuple[str | None, tuple[ast.Argument, ...]]:
    """The name and arguments of what a stage applies, ``Linear(10)`` or ``relu``; None for what
    else it may be."""
    if isinstance(target, ast.Name):
        return target.name, ()
    if isinstance(target, ast.CallExpression) and isinstance(target.callee, ast.Name):
        return target.callee.name, target.arguments
    return None, ()


def given_arguments(
    graph: Graph, arguments: tuple[ast.Argument, ...], elaborate: Elaborate, target: str = ""
) -> list[Given]:
    """The arguments of a call, each elaborated in place; where ``target`` is a block, what its
    params are tells a layer from a value."""
    kinds = param_kinds(graph, target)
    # What is not there, or has no such argument, is reported; what it is given may be right.
    missing = bool(target) and target not in graph.modules and target not in graph.catalogue
    found: list[Given] = []
    for position, argument in enumerate(arguments):
        value: Entity = POISON
        if argument.name is not None and unquoted(graph, argument.value):
            pass
        elif kind_at(kinds, position, argument.name) == "layer":
            value = read_choice(graph, argument.value, elaborate)
        elif missing or (argument.name is not None and kinds and argument.name not in kinds):
            value = read_choice(graph, argument.value, elaborate)
        else:
            value = elaborate(graph, argument.value)
        span = argument.value.span if argument.name is None else argument.span
        found.append(Given(argument.name, value, span, argument.value))
    return found


def make_layer(
    graph: Graph, row: LayerRow, given: list[Given], inputs: list[Entity], path: str, span: Span,
    *, wrappers: tuple[ir.Wrapper, ...] = (), nodes: list[ir.Node] | None = None,
    choice: ir.LayerChoice | None = None,
) -> bool:  # fmt: skip
    """A new layer at ``path``, sized by its first ``inputs``; whether it could be made.

    ``nodes`` is where it comes to be, if that is not where it is fed; ``choice`` is the param's
    value that it is by."""
    inputs, _ = _without_nones(row, inputs, span)
    poisoned = any(is_poisoned(item) for item in inputs)
    tensors = None if poisoned else _layer_tensors(graph, row, inputs, span)

    def attempt(bound: BoundArguments) -> Told | None:
        assert tensors is not None
        return _told(graph, row, bound, tensors, span)

    bound = bind_call(
        row, given, span, graph.collector, graph.params,
        attempt=None if tensors is None else attempt,
    )  # fmt: skip
    if bound.failed or tensors is None:
        return False
    try:
        call = _call(graph, row, bound, tensors, span)
        _require_range(call)
        call = _with_inferred(graph, row, bound, call, span)
        arguments = _arguments(row, bound)
        parameters, buffers = row.parameters(call), row.buffers(call)
        initial = row.initial(call)
        for wrapper in wrappers:
            parameters, buffers, initial = wrapped_tensors(
                graph, row.name, wrapper, parameters, buffers, initial
            )
    except RuleError as fault:
        graph.rule_error(fault, span, bound.spans, _incoming(inputs))
        return False
    if choice is not None:
        choice = None if row.made else with_names(row, choice, given)
    layer = ir.Layer(
        path, row.name, arguments, parameters, buffers, initial, span,
        wrappers=wrappers, values=graph.params, row=row, choice=choice,
    )  # fmt: skip
    if not _known_when_built(graph, row, layer, bound):
        return False
    graph.layers[path] = layer
    (graph.nodes if nodes is None else nodes).append(ir.Make(layer, span))
    return True


def apply_layer(
    graph: Graph, name: str, inputs: list[Entity], span: Span, hint: Hint,
    by_name: Sequence[Given] = (),
) -> Entity:  # fmt: skip
    """The layer at the path ``name`` applied to ``inputs``; ``by_name`` is what its forward takes
    beside them: a mask, a switch."""
    layer = graph.layers[name]
    row = layer.row
    assert row is not None  # blocks are called by ``blocks``
    inputs, behind = _without_nones(row, inputs, span)
    by_name = [*behind, *by_name]
    tensors = _layer_tensors(graph, row, inputs, span)
    keywords = forward_keywords(graph, row, inputs, by_name)
    if tensors is None or keywords is None:
        return POISON
    for item in by_name:
        types = None if is_static(item.value) else _types(item.value)
        if types is not None:
            tensors[item.name or ""] = types
    switches = {key: _static(value) for key, value in keywords if key not in tensors}
    call = Call(
        name=row.name,
        args={
            **_defaults(row),
            **{key: _static(value) for key, value in layer.arguments},
            **switches,
        },
        tensors=tensors,
        params=graph.deciding,
        require_equal=graph.require_equal(span),
        require_at_least=graph.require_at_least(span),
    )
    try:
        # A layer used again must be fed what it was sized for.
        for argument, rule in row.infer.items():
            _same(
                graph, row, argument, call.args[argument], rule(call), span,
                "".join(f" ({note})" for note in _incoming(inputs)), "use a layer of its own",
            )  # fmt: skip
        told = row.shape(call)
        fix_forgotten(graph, call, row.shape, told, row.infer)
        result = graph.result(told, span, hint)
    except RuleError as fault:
        return graph.rule_error(fault, span, {}, _incoming(inputs))
    operands = tuple(to_operand(item) for item in inputs)
    graph.nodes.append(ir.LayerCall(name, operands, result, span, keywords))
    return from_result(result)


def fed_with(row: LayerRow, given: list[Given]) -> tuple[list[Entity], list[Given]]:
    """What of ``given`` a layer of ``row`` is fed with, in torch's order, and what stands beside it
    by name: ``attend(q, key=k, value=v)`` is ``attend(q, k, v)``."""
    inputs = [item.value for item in given if item.name is None]
    by_name = [item for item in given if item.name is not None]
    for name in row.inputs[len(inputs) :]:
        places = [place for place, item in enumerate(by_name) if item.name == name]
        if not places:
            break
        inputs.append(by_name.pop(places[0]).value)
    return inputs, by_name


def forward_keywords(
    graph: Graph, row: LayerRow, inputs: list[Entity], by_name: Sequence[Given]
) -> ir.Arguments | None:
    """What a layer's forward is given by name, in torch's order; None where it was reported."""
    known = {argument.name: argument for argument in row.forward_arguments}
    given = {name.rstrip("?") for name, _ in zip(row.inputs, inputs, strict=False)}
    found: dict[str, ir.Operand] = {}
    for item in by_name:
        name = item.name or ""
        if name not in known:
            own = name in row.by_name
            graph.error(
                "E0203",
                f"a call of {row.name} has no argument `{name}`"
                + ("; it is a setting, given where the layer is made" if own else ""),
                item.span,
                NEEDLESS_ARGUMENTS.get(name)
                or did_you_mean(name, known, listed(known, "it takes ", "it takes none")),
            )
            return None
        if name in found or name in given:
            graph.error("E0209", f"`{name}` of {row.name} is given twice", item.span, "say it once")
            return None
        if is_poisoned(item.value):
            return None
        if not any(fits(item.value, kind, graph.params) for kind in known[name].types):
            graph.error(
                "E0211", f"`{name}` of {row.name} cannot be {describe(item.value)}", item.span
            )
            return None
        found[name] = to_operand(item.value)
    return tuple((name, found[name]) for name in known if name in found)


def _unlisted(graph: Graph, row: FunctionRow, given: list[Given], span: Span) -> bool:
    """Whether tensors stand one by one where ``row`` takes a list of them, ``cat(x, y)``; an E0211
    that says so once."""
    takes = row.arguments[0].types if row.arguments else ()
    tensors = [item for item in given if item.name is None and isinstance(item.value, ir.Value)]
    if takes != ("tensors",) or len(tensors) < 2 or given[: len(tensors)] != tensors:
        return False
    nodes = [item.node for item in tensors]
    help_, fix = f"write `{row.name}([x, y])`", None
    if all(node is not None for node in nodes):
        rest = [item for item in given[len(tensors) :] if item.node is not None]
        listed = ", ".join(written(node) for node in nodes if node is not None)
        behind = "".join(
            f", {item.name}={written(item.node)}" if item.name else f", {written(item.node)}"
            for item in rest
            if item.node is not None
        )
        text = f"{row.name}([{listed}]{behind})"
        help_, fix = f"write `{text}`", Fix(span.start, span.end, text, help_)
    graph.error("E0211", f"{row.name} takes a list of tensors", span, help_, (), fix)
    return True


def call_function(
    graph: Graph,
    kind: Literal["function", "loss", "metric"],
    row: FunctionRow,
    given: list[Given],
    span: Span,
    hint: Hint,
    *,
    first: Entity | None = None,
) -> Entity:
    """A function, loss or metric applied to its arguments."""
    if first is None and _unlisted(graph, row, given, span):
        return POISON

    def attempt(bound: BoundArguments) -> Told | None:
        return _told(graph, row, bound, _tensors(bound), span)

    bound = bind_call(row, given, span, graph.collector, graph.params, first=first, attempt=attempt)
    if bound.failed:
        return POISON
    for name, value in bound.values.items():
        if value == Items(()) and "tensors" in row.by_name[name].types:
            return graph.error("E0224", f"{row.name} takes at least one tensor", bound.spans[name])
    tensors = _tensors(bound)
    incoming = _incoming([value for value in bound.values.values() if not is_static(value)])
    try:
        call = _call(graph, row, bound, tensors, span)
        _require_range(call)
        told = row.shape(call)
        fix_forgotten(graph, call, row.shape, told)
        result = graph.result(told, span, hint)
    except RuleError as fault:
        if kind == "function" and "target" not in row.by_name:
            return graph.rule_error(fault, span, bound.spans, incoming)
        if kind == "metric" and _is_told(graph, fault):
            return POISON
        from specc.semantics.calls.other_readings import proposed  # a refused loss alone needs it

        table = graph.catalogue.metrics if kind == "metric" else graph.catalogue.losses
        call = _call(graph, row, bound, tensors, span)
        message, advice, fix = proposed(row, call, bound, span, table, fault)
        place = bound.spans.get(fault.argument or "", span)
        return graph.error(fault.code, message, place, advice, incoming, fix)
    graph.nodes.append(ir.FunctionCall(kind, row.name, _arguments(row, bound), result, span, row))
    return from_result(result)


def _is_told(graph: Graph, fault: RuleError) -> bool:
    """Whether a loss or another metric was refused for the same of what it is fed."""
    same = fault.message.partition(": ")[2]
    return bool(same) and any(
        item.code == fault.code and item.message.partition(": ")[2] == same
        for item in graph.collector.items
    )


def _tensors(bound: BoundArguments) -> dict[str, ir.TensorType | tuple[ir.TensorType, ...]]:
    """The types of the tensors among a function's arguments."""
    found: dict[str, ir.TensorType | tuple[ir.TensorType, ...]] = {}
    for name, value in bound.values.items():
        if isinstance(value, ir.Value):
            found[name] = value.type
        elif isinstance(value, Items) and not is_static(value):
            found[name] = tuple(item.type for item in value.items if isinstance(item, ir.Value))
    return found


def _told(
    graph: Graph, row: LayerRow | FunctionRow, bound: BoundArguments,
    tensors: Mapping[str, ir.TensorType | tuple[ir.TensorType, ...]], span: Span,
) -> Told | None:  # fmt: skip
    """What the shapes tell of the row's arguments with what is ``bound``; None where they refuse
    it, or leave open whether it is so. Nothing is made or reported."""
    known = len(graph.conditions)
    if any(value == Items(()) for value in bound.values.values()):
        return None
    try:
        call = _call(graph, row, bound, tensors, span)
        if isinstance(row, LayerRow):
            call = _with_inferred(graph, row, bound, call, span)
            if len(graph.conditions) > known:
                return None
            row.parameters(call)
        row.shape(call)
    except RuleError:
        return None
    finally:
        del graph.conditions[known:]
    return {name: bound.values[name] for name in getattr(row, "infer", ())}


def _without_nones(
    row: LayerRow, inputs: list[Entity], span: Span
) -> tuple[list[Entity], list[Given]]:
    """``inputs`` up to the first ``none`` for what may be left out, and what stands behind it by
    name: ``encode(x, none, padding)`` is ``encode(x, src_key_padding_mask=padding)``."""
    if None not in inputs or len(inputs) > len(row.inputs):
        return inputs, []
    start = inputs.index(None)
    behind = [*zip(row.inputs[start:], inputs[start:], strict=False)]
    if not all(name.endswith("?") for name, value in behind if value is None):
        return inputs, []
    named = [Given(name.rstrip("?"), value, span) for name, value in behind if value is not None]
    return inputs[:start], named


def _layer_tensors(
    graph: Graph, row: LayerRow, inputs: list[Entity], span: Span
) -> dict[str, ir.TensorType | tuple[ir.TensorType, ...]] | None:
    least = sum(not name.endswith("?") for name in row.inputs)
    if not least <= len(inputs) <= len(row.inputs):
        needed = [name for name in row.inputs if not name.endswith("?")]
        wanted = " and ".join(needed)
        if len(needed) < len(row.inputs):
            wanted += f" (and {', '.join(name.rstrip('?') for name in row.inputs[least:])})"
        graph.error(
            "E0224", f"{row.name} takes {wanted}; {_given(len(inputs))}", span,
            f"write `x -> {row.name}(...)`" if len(row.inputs) == 1
            else f"write `{row.name}(...)({', '.join(needed)})`",
        )  # fmt: skip
        return None
    tensors: dict[str, ir.TensorType | tuple[ir.TensorType, ...]] = {}
    for name, value in zip(row.inputs, inputs, strict=False):
        types = _types(value)
        # Only what is optional may be several: an LSTM's first (hidden, cell).
        if types is None or (isinstance(types, tuple) and not name.endswith("?")):
            graph.error("E0224", f"{row.name} takes a tensor, not {describe(value)}", span)
            return None
        tensors[name.rstrip("?")] = types
    return tensors


def _given(count: int) -> str:
    return "one value is given" if count == 1 else f"{count} values are given"


def _types(value: Entity) -> ir.TensorType | tuple[ir.TensorType, ...] | None:
    if isinstance(value, ir.Value):
        return value.type
    if isinstance(value, Items):
        types = [item.type for item in value.items if isinstance(item, ir.Value)]
        return tuple(types) if types and len(types) == len(value.items) else None
    return None


def _call(
    graph: Graph,
    row: Row,
    bound: BoundArguments,
    tensors: Mapping[str, ir.TensorType | tuple[ir.TensorType, ...]],
    span: Span,
) -> Call:
    given = {name: to_static(value) for name, value in bound.values.items() if is_static(value)}
    return Call(
        name=row.name,
        args={**_defaults(row), **given},
        tensors=tensors,
        params=graph.deciding,
        require_equal=graph.require_equal(span),
        require_at_least=graph.require_at_least(span),
    )


def _require_range(call: Call) -> None:
    """E0307 for a number that torch does not take, whatever the shapes."""
    for name, value in call.args.items():
        number = ir.static_value(value, call.params)
        if isinstance(number, int | float) and not isinstance(number, bool):
            allowed = own_range_of(call.name, name)
            if allowed is not ANY and number not in allowed:
                message = f"{name} of {call.name} must be {allowed}, and is {number:g}"
                raise RuleError("E0307", message, argument=name)


def _defaults(row: Row) -> dict[str, ir.Static]:
    return {
        argument.name: argument.default  # type: ignore[misc]  # a literal of the row
        for argument in row.arguments
        if not argument.required and not argument.inferred
    }


def _with_inferred(
    graph: Graph, row: LayerRow, bound: BoundArguments, call: Call, span: Span
) -> Call:
    told = {name: rule(call) for name, rule in row.infer.items()}
    for name, value in told.items():
        if name in bound.values:
            given = to_static(bound.values[name])
            came = f" ({call.tensors[row.inputs[0].rstrip('?')]})"
            advice = f"leave `{name}` out: the shape tells it"
            _same(graph, row, name, given, value, bound.spans[name], came, advice)
        else:
            bound.values[name] = Items(value) if isinstance(value, tuple) else value
    return replace(call, args={**call.args, **told})


def _same(
    graph: Graph, row: LayerRow, name: str, given: ir.Static, told: Size | tuple[Size, ...],
    span: Span, came: str, advice: str,
) -> None:  # fmt: skip
    """Holds an inferred argument against what was given for it; ``came`` is what came in."""
    given_sizes = given if isinstance(given, tuple) else (given,)
    told_sizes = told if isinstance(told, tuple) else (told,)
    refusal = RuleError(
        "E0213",
        f"`{name}` of {row.name} is {_show(given)}, but the incoming value has {_show(told)}{came}",
        help=advice,
        argument=name,
    )
    if len(given_sizes) != len(told_sizes):
        raise refusal
    require = graph.require_equal(span)
    for left, right in zip(given_sizes, told_sizes, strict=True):
        assert isinstance(left, int | Poly)
        require(left, right, refusal)


def _arguments(row: Row, bound: BoundArguments) -> ir.Arguments:
    return tuple(
        (argument.name, to_operand(bound.values[argument.name]))
        for argument in row.arguments
        if argument.name in bound.values
    )


def _known_when_built(graph: Graph, row: LayerRow, layer: ir.Layer, bound: BoundArguments) -> bool:
    """Whether every argument is known when the module is built, not only when it runs."""
    for name, value in layer.arguments:
        sizes = value if isinstance(value, tuple) else (value,)
        for size in sizes:
            open_ = symbols(size) - set(graph.params) if isinstance(size, Poly) else None
            if open_:
                advice = "give that size of the input a number or a param"
                none = ""
                if any(kind.startswith("size?") for kind in row.by_name[name].types):
                    none = "; none leaves a size as it is"
                function = as_function(row, bound.spans, name, layer.span, advice + none)
                graph.error(
                    "E0308",
                    f"`{name}` of {row.name} would be {size}, but {', '.join(sorted(open_))}"
                    " is known only when the model runs",
                    bound.spans.get(name, layer.span),
                    (function[0] if function else advice) + none,
                    fix=function[1] if function else None,
                )
                return False
    return True


def _static(value: ir.Operand) -> ir.Static:
    assert not isinstance(value, ir.Value)
    if isinstance(value, tuple):
        return tuple(_static(item) for item in value)
    return value


def _incoming(inputs: list[Entity]) -> tuple[str, ...]:
    types = [str(item.type) for item in inputs if isinstance(item, ir.Value)]
    return (f"the incoming value is {' and '.join(types)}",) if types else ()


def _show(value: ir.Static) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_show(item) for item in value)})"
    return str(value)
