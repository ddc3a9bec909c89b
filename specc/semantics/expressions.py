"""Elaborates expressions: each to an entity, adding the nodes that compute it.

Compile-time arithmetic stays compile-time; an operator with a tensor in it becomes a node. A fault
is reported once and poisons what depends on it. Pipes are ``stages``, calls of rows ``calls``."""

from __future__ import annotations

from typing import Literal

from specc import ir
from specc.catalog import FUNCTIONS, LAYERS, LOSSES, METRICS, suggest
from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes import broadcast, promote
from specc.errors import Span
from specc.semantics import static
from specc.semantics.bind import Given
from specc.semantics.calls import apply_layer, call_function, make_layer
from specc.semantics.entities import (
    POISON,
    Entity,
    Items,
    LayerHandle,
    Poison,
    describe,
    from_static,
    is_poisoned,
    is_static,
    to_static,
)
from specc.semantics.graph import Graph, Hint
from specc.semantics.subscripts import subscript
from specc.sizes import evaluate
from specc.syntax import ast

COMPARISONS = frozenset(["==", "!=", "<", "<=", ">", ">="])


def elaborate(graph: Graph, expression: ast.Expression, hint: Hint = None) -> Entity:
    """What ``expression`` stands for; ``hint`` names the values it makes."""
    match expression:
        case ast.Number() | ast.String() | ast.Boolean():
            return expression.value
        case ast.NoneLiteral():
            return None
        case ast.Name():
            return _name(graph, expression)
        case ast.Sequence():
            return Items(tuple(elaborate(graph, item) for item in expression.items))
        case ast.Unary():
            return _unary(graph, expression, hint)
        case ast.Binary():
            return _binary(graph, expression, hint)
        case ast.Call():
            return _call(graph, expression, hint)
        case ast.Subscript():
            return _subscript(graph, expression, hint)
        case ast.Attribute():
            return _attribute(graph, expression, hint)
        case ast.Pipeline():
            from specc.semantics.stages import pipeline

            return pipeline(graph, expression, hint)
    what = {
        "Comprehension": "a list made by `for`",
        "Repeat": "`repeat`",
        "Chain": "a chain in braces",
    }[type(expression).__name__]
    return not_yet(graph, what, expression.span)


def not_yet(graph: Graph, what: str, span: Span) -> Entity:
    """An E0190: the language has it, this version does not build it."""
    return graph.error(
        "E0190",
        f"{what} is part of the language, but this version of specc does not build it yet",
        span,
        "write the layers out",
    )


def given_arguments(graph: Graph, arguments: tuple[ast.Argument, ...]) -> list[Given]:
    """The arguments of a call, each elaborated in place."""
    return [
        Given(argument.name, elaborate(graph, argument.value), argument.value.span)
        if argument.name is None
        else Given(argument.name, elaborate(graph, argument.value), argument.span)
        for argument in arguments
    ]


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def _name(graph: Graph, expression: ast.Name) -> Entity:
    name = expression.name
    if name in graph.env:
        graph.used.add(name)
        return graph.env[name]
    if name in graph.unread:
        return POISON
    return unknown(graph, name, expression.span)


def unknown(graph: Graph, name: str, span: Span) -> Entity:
    """An E0201 for a name that nothing has, with the closest that something has."""
    if name in LAYERS or name in FUNCTIONS or name in LOSSES or name in graph.modules:
        return graph.error(
            "E0202",
            f"`{name}` is not a value: it wants something to work on",
            span,
            f"feed it with a pipe: `x -> {name}`",
        )
    everything = [*graph.env, *LAYERS, *FUNCTIONS, *LOSSES, *METRICS, *graph.modules]
    close = suggest(name, everything)
    if close is not None:
        advice = f"did you mean `{close}`?"
    elif name[:1].isupper():
        advice = "`specc` knows torch's layers by torch's names"
    else:
        advice = "names are made by `input`, `name = ...` and `layer name = ...`"
    return graph.error("E0201", f"there is nothing called `{name}` here", span, advice)


# ── operators ────────────────────────────────────────────────────────────────────────────────────


def _unary(graph: Graph, expression: ast.Unary, hint: Hint) -> Entity:
    operand = elaborate(graph, expression.operand)
    if is_poisoned(operand):
        return POISON
    if isinstance(operand, ir.Value):
        type_ = operand.type
        if expression.operator == "not" and type_.dtype != "bool":
            return graph.error(
                "E0306", f"`not` wants a bool tensor, this is {type_}", expression.span
            )
        if expression.operator == "-" and type_.dtype == "bool":
            return graph.error("E0306", f"`-` wants numbers, this is {type_}", expression.span)
        value = graph.value(type_.with_shape(type_.shape), expression.span, hint)
        graph.nodes.append(ir.Operation(expression.operator, (operand,), value, expression.span))
        return value
    if not is_static(operand):
        return _no_operator(graph, expression.operator, operand, expression.span)
    return _static(
        graph,
        lambda: static.unary(expression.operator, to_static(operand), graph.params),
        expression.span,
    )


def _binary(graph: Graph, expression: ast.Binary, hint: Hint) -> Entity:
    left, right = elaborate(graph, expression.left), elaborate(graph, expression.right)
    if is_poisoned(left) or is_poisoned(right):
        return POISON
    symbol, span = expression.operator, expression.span
    if isinstance(left, ir.Value) or isinstance(right, ir.Value):
        for side in (left, right):
            if not isinstance(side, ir.Value) and not _is_scalar(side):
                return _no_operator(graph, symbol, side, span)
        return _tensor_operation(graph, symbol, left, right, span, hint)
    for side in (left, right):
        if not is_static(side):
            return _no_operator(graph, symbol, side, span)
    return _static(
        graph,
        lambda: static.binary(symbol, to_static(left), to_static(right), graph.params),
        span,
    )


def _tensor_operation(
    graph: Graph, symbol: str, left: Entity, right: Entity, span: Span, hint: Hint
) -> Entity:
    left_type, right_type = _operand_type(left), _operand_type(right)
    try:
        if symbol == "@":
            type_ = _matmul(graph, left, right, span)
        elif symbol in ("and", "or"):
            raise RuleError(
                "E0306",
                f"`{symbol}` is for compile-time conditions",
                help=f"use logical_{symbol}(a, b)",
            )
        else:
            shape = broadcast(
                graph.require_equal(span),
                left_type.shape,
                right_type.shape,
                lambda size: evaluate(size, graph.params),
            )
            type_ = ir.TensorType(_dtype(symbol, left, right), shape)
    except RuleError as fault:
        return graph.rule_error(
            fault, span, {}, (f"the left is {left_type}", f"the right is {right_type}")
        )
    value = graph.value(type_, span, hint)
    operands = (_operand(left), _operand(right))
    graph.nodes.append(ir.Operation(symbol, operands, value, span))
    return value


def _matmul(graph: Graph, left: Entity, right: Entity, span: Span) -> ir.TensorType:
    if not isinstance(left, ir.Value) or not isinstance(right, ir.Value):
        raise RuleError("E0306", "`@` multiplies two tensors", help="scale with `*`")
    row = FUNCTIONS["matmul"]
    call = Call(
        "@",
        {},
        {"input": left.type, "other": right.type},
        graph.params,
        graph.require_equal(span),
    )
    type_ = row.shape(call)
    assert isinstance(type_, ir.TensorType)
    return type_


def _dtype(symbol: str, left: Entity, right: Entity) -> str:
    if symbol in COMPARISONS:
        return "bool"
    left_type, right_type = _operand_type(left), _operand_type(right)
    if isinstance(left, ir.Value) and isinstance(right, ir.Value):
        dtype = promote(left_type.dtype, right_type.dtype)
    else:
        # A number widens a tensor only to another kind: int32 + 1 stays int32, int32 + 0.5 is a
        # float.
        tensor, number = (
            (left_type, right_type) if isinstance(left, ir.Value) else (right_type, left_type)
        )
        wider = _kind(number.dtype) > _kind(tensor.dtype)
        dtype = number.dtype if wider else tensor.dtype
    if symbol == "/" and _kind(dtype) < 2:
        return "float"
    return dtype


def _kind(dtype: str) -> int:
    if dtype == "bool":
        return 0
    return 1 if dtype.startswith(("int", "uint")) else 3 if dtype.startswith("complex") else 2


def _operand_type(entity: Entity) -> ir.TensorType:
    """A number takes part as a tensor without dimensions."""
    if isinstance(entity, ir.Value):
        return entity.type
    scalar = entity.value if isinstance(entity, ir.Scalar) else entity
    if isinstance(scalar, bool):
        return ir.TensorType("bool", ())
    return ir.TensorType("float" if isinstance(scalar, float) else "int64", ())


def _operand(entity: Entity) -> ir.Operand:
    return entity if isinstance(entity, ir.Value) else to_static(entity)


def _is_scalar(entity: Entity) -> bool:
    return is_static(entity) and not isinstance(entity, Items | str) and entity is not None


def _no_operator(graph: Graph, symbol: str, entity: Entity, span: Span) -> Entity:
    return graph.error(
        "E0225",
        f"`{symbol}` does not go with {describe(entity)}",
        span,
        "name the parts of it" if isinstance(entity, Items) else None,
    )


def _static(graph: Graph, compute: object, span: Span) -> Entity:
    assert callable(compute)
    try:
        return from_static(compute())
    except static.StaticError as fault:
        return graph.error("E0225", str(fault), span)
    except ZeroDivisionError:
        return graph.error("E0225", "this divides by zero", span)
    except static.Undecided as fault:
        return graph.error(
            "E0216",
            f"this needs the size {fault.size} while compiling, but only the run knows it",
            span,
            "give that size of the input a number or a param",
        )


# ── calls, subscripts, attributes ────────────────────────────────────────────────────────────────


def _call(graph: Graph, expression: ast.Call, hint: Hint) -> Entity:
    callee = expression.callee
    given = given_arguments(graph, expression.arguments)
    if isinstance(callee, ast.Name):
        return _call_name(graph, callee, given, expression.span, hint)
    # `Linear(4)(x)`: a layer made and applied in one breath.
    if isinstance(callee, ast.Call) and isinstance(callee.callee, ast.Name):
        row = LAYERS.get(callee.callee.name)
        if row is not None:
            inputs = [item.value for item in given]
            settings = given_arguments(graph, callee.arguments)
            name = make_layer(graph, row, settings, inputs, None, callee.span)
            if name is None or any(is_poisoned(item) for item in inputs):
                return POISON
            return apply_layer(graph, name, inputs, expression.span, hint)
        return _call_name(graph, callee.callee, given, expression.span, hint)
    if isinstance(callee, ast.Attribute):
        return graph.error(
            "E0226",
            f"there are no methods here: `.{callee.name}(...)`",
            callee.span,
            f"write `x -> {callee.name}(...)`",
        )
    return graph.error("E0226", "this cannot be called", callee.span)


def _call_name(
    graph: Graph, callee: ast.Name, given: list[Given], span: Span, hint: Hint
) -> Entity:
    name = callee.name
    entity = graph.env.get(name)
    if isinstance(entity, LayerHandle):
        graph.used.add(name)
        return apply_handle(graph, entity, given, span, hint)
    if isinstance(entity, Poison) or name in graph.unread:
        return POISON
    if name in graph.modules:
        return not_yet(graph, f"a {graph.modules[name]} used inside another", span)
    if name in FUNCTIONS:
        return call_function(graph, "function", FUNCTIONS[name], given, span, hint)
    if name in LOSSES:
        if graph.kind != "train":
            return graph.error("E0204", f"{name} is a loss; losses stand in `train`", callee.span)
        return call_function(graph, "loss", LOSSES[name], given, span, hint)
    if name in LAYERS:
        return graph.error(
            "E0202",
            f"`{name}` is a layer: it is made, then fed",
            callee.span,
            f"write `x -> {name}(...)`, or `{name}(...)(x)`",
        )
    if name in METRICS:
        return graph.error(
            "E0204", f"{name} is a metric", callee.span, f"write `metric {name}(...)` in `train`"
        )
    if entity is not None:
        return graph.error(
            "E0226", f"`{name}` is {describe(entity)}; it cannot be called", callee.span
        )
    return unknown(graph, name, callee.span)


def apply_handle(
    graph: Graph, handle: LayerHandle, given: list[Given], span: Span, hint: Hint
) -> Entity:
    """``emb(tokens)``: a declared layer applied; its first use tells its sizes."""
    from specc.semantics.stages import declared_layer

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
    if not declared_layer(graph, handle, inputs, span):
        return POISON
    return apply_layer(graph, handle.name, inputs, span, hint)


def _subscript(graph: Graph, expression: ast.Subscript, hint: Hint) -> Entity:
    value = elaborate(graph, expression.value)
    if isinstance(value, Poison):
        return POISON
    return subscript(graph, value, expression, hint, elaborate)


def _attribute(graph: Graph, expression: ast.Attribute, hint: Hint) -> Entity:
    value = elaborate(graph, expression.value)
    span = expression.span
    match value:
        case Poison():
            return POISON
        case LayerHandle():
            return _parameter(graph, value, expression, hint)
        case ir.Value() if expression.name in ("T", "mT"):
            rank = len(value.type.shape)
            if (expression.name == "T" and rank != 2) or rank < 2:
                wanted = "a matrix" if expression.name == "T" else "at least 2 dimensions"
                return graph.error(
                    "E0301",
                    f"`.{expression.name}` wants {wanted}, this is {value.type}",
                    span,
                    "use transpose(x, dim0, dim1)",
                )
            *batch, rows, columns = value.type.shape
            made = graph.value(value.type.with_shape((*batch, columns, rows)), span, hint)
            attribute: Literal["T", "mT"] = "T" if expression.name == "T" else "mT"
            graph.nodes.append(ir.Transpose(value, attribute, made, span))
            return made
    return graph.error(
        "E0226",
        f"{describe(value)} has no `.{expression.name}`",
        span,
        "tensors have `.T` and `.mT`, declared layers their parameters; all else is a function",
    )


def _parameter(graph: Graph, handle: LayerHandle, expression: ast.Attribute, hint: Hint) -> Entity:
    layer = graph.layers.get(handle.name)
    if layer is None:
        return graph.error(
            "E0227",
            f"`{handle.name}` is not used yet, so its sizes are not known",
            expression.span,
            f"apply it first: `{handle.name}(x)`",
        )
    shapes = dict(layer.parameters)
    if expression.name not in shapes:
        close = suggest(expression.name, shapes)
        return graph.error(
            "E0201",
            f"{layer.type} has no parameter `{expression.name}`",
            expression.span,
            f"did you mean `{close}`?" if close else f"it has {', '.join(shapes) or 'none'}",
        )
    type_ = ir.TensorType("float", shapes[expression.name])
    made = graph.value(type_, expression.span, hint)
    graph.nodes.append(ir.ParameterRead(handle.name, expression.name, made, expression.span))
    return made
