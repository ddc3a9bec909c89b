"""Operators on elaborated operands: ``a + b``, ``x @ w.T``, ``-x``, ``not flag``.

With a tensor among the operands an operator becomes a node, by torch's rules of broadcasting and
promotion; without one it is compile-time arithmetic, which is ``static``. Non-goal: elaborating the
operands, which is ``expressions``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from specc import ir
from specc.catalog import FUNCTIONS
from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes import broadcast, together
from specc.catalog.shapes.value_bounds import computed
from specc.errors import Span
from specc.semantics.compile_time import static, static_functions
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    Items,
    describe,
    from_static,
    is_nest,
    is_poisoned,
    is_static,
    is_tensors,
    to_static,
)
from specc.semantics.naming.bind import Given
from specc.semantics.naming.graph import Graph, Hint
from specc.sizes import Poly, Size, evaluate
from specc.syntax.tree import ast

COMPARISONS: Final = frozenset(["==", "!=", "<", "<=", ">", ">="])
# What complex numbers have no order for.
_OF_REALS: Final = frozenset(["<", "<=", ">", ">=", "//", "%"])
# What torch computes of a bool beside a number, and not of two bools.
_OF_NUMBERS: Final = frozenset(["//", "%", "**"])


def unary(graph: Graph, expression: ast.Unary, operand: Entity, hint: Hint) -> Entity:
    """``-operand`` or ``not operand``, as ``expression`` writes it."""
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


def binary(graph: Graph, expression: ast.Binary, left: Entity, right: Entity, hint: Hint) -> Entity:
    """``left operator right``, as ``expression`` writes it."""
    if is_poisoned(left) or is_poisoned(right):
        return POISON
    symbol, span = expression.operator, expression.span
    if isinstance(left, ir.Value) or isinstance(right, ir.Value):
        for side in (left, right):
            if not isinstance(side, ir.Value) and not _is_scalar(side):
                return _no_operator(graph, symbol, side, span)
        return _tensor_operation(graph, symbol, left, right, span, hint)
    if symbol == "+" and isinstance(left, Items) and isinstance(right, Items):
        if is_tensors(left) or is_tensors(right) or (is_nest(left) and is_nest(right)):
            return Items((*left.items, *right.items))
    for side in (left, right):
        if not is_static(side):
            return _no_operator(graph, symbol, side, span)
    # What is made of a whole tuple is right for this one alone.
    graph.fix(*(side for side in (left, right) if isinstance(side, Items) and side.entry))
    result = _static(
        graph,
        lambda: static.binary(symbol, to_static(left), to_static(right), graph.params),
        span,
    )
    if isinstance(result, int) and not isinstance(result, bool):
        # A power of a param is a number from here on, and right for this value of it alone.
        graph.fix(left, right)
    return result


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
                graph.decided,
            )
            result = ir.TensorType(_dtype(symbol, left, right, graph.params), shape)
            type_ = computed(symbol, result, *_bounds(graph, left, right))
    except RuleError as fault:
        return graph.rule_error(
            fault, span, {}, (f"the left is {left_type}", f"the right is {right_type}")
        )
    value = graph.value(type_, span, hint)
    operands = (_operand(left), _operand(right))
    graph.nodes.append(ir.Operation(symbol, operands, value, span))
    return value


def _bounds(graph: Graph, *operands: Entity) -> list[object]:
    """What is known of the entries of each operand: a type, or a number."""
    return [
        each.type
        if isinstance(each, ir.Value)
        else evaluate(each, graph.params)
        if isinstance(each, Poly)
        else each
        for each in operands
    ]


def _matmul(graph: Graph, left: Entity, right: Entity, span: Span) -> ir.TensorType:
    if not isinstance(left, ir.Value) or not isinstance(right, ir.Value):
        raise RuleError("E0306", "`@` multiplies two tensors", help="scale with `*`")
    row = FUNCTIONS["matmul"]
    call = Call(
        "@",
        {},
        {"input": left.type, "other": right.type},
        graph.deciding,
        graph.require_equal(span),
    )
    type_ = row.shape(call)
    assert isinstance(type_, ir.TensorType)
    return type_


def _dtype(symbol: str, left: Entity, right: Entity, params: Mapping[str, Size]) -> str:
    left_type, right_type = _operand_type(left), _operand_type(right)
    if symbol in _OF_REALS and (left_type.is_complex or right_type.is_complex):
        raise RuleError(
            "E0306",
            f"`{symbol}` is of real numbers; got {left_type} and {right_type}",
            help="take abs(z), real(z) or imag(z) first",
        )
    if symbol in COMPARISONS:
        return "bool"
    if symbol == "-" and "bool" in (left_type.dtype, right_type.dtype):
        raise RuleError(
            "E0306",
            f"`-` wants numbers; got {left_type} and {right_type}",
            help="of masks, logical_xor(a, b) is the difference and logical_not(a) the rest",
        )
    if isinstance(left, ir.Value) and isinstance(right, ir.Value):
        dtype = together(left_type, right_type)
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
    if symbol in _OF_NUMBERS and ("bool" in (dtype, _bool_beside(symbol, left, right))):
        raise RuleError(
            "E0306",
            f"`{symbol}` wants numbers; got {left_type} and {right_type}",
            help="of masks, logical_and(a, b) is the product",
        )
    if _kind(dtype) == 1:
        _refuse_number(symbol, _known(right, params))
    return dtype


def _bool_beside(symbol: str, left: Entity, right: Entity) -> str:
    """``bool`` where a power is of a condition that is known while compiling."""
    if symbol != "**" or isinstance(left, ir.Value):
        return ""
    return _operand_type(left).dtype


def _known(entity: Entity, params: Mapping[str, Size]) -> object:
    """A number beside a tensor, where it is known while compiling; None of what is none."""
    if isinstance(entity, ir.Scalar):
        return entity.value
    return evaluate(entity, params) if isinstance(entity, int | Poly) else None


def _refuse_number(symbol: str, number: object) -> None:
    """What whole numbers cannot be divided by or raised to."""
    if not isinstance(number, int) or isinstance(number, bool):
        return
    if symbol in ("//", "%") and number == 0:
        raise RuleError("E0225", f"`{symbol}` divides whole numbers by zero")
    if symbol == "**" and number < 0:
        raise RuleError(
            "E0225",
            f"whole numbers cannot be raised to {number}: the result is none",
            help=f"write `1 / k ** {-number}`, which is a float",
        )


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
    if isinstance(entity, ir.Scalar):
        return not isinstance(entity.value, str)
    return is_static(entity) and not isinstance(entity, Items | str) and entity is not None


def _no_operator(graph: Graph, symbol: str, entity: Entity, span: Span) -> Entity:
    return graph.error(
        "E0225",
        f"`{symbol}` does not go with {describe(entity)}",
        span,
        "name the parts of it" if isinstance(entity, Items) else None,
    )


def is_compile_time(graph: Graph, name: str, given: Sequence[Given]) -> bool:
    """Whether a call of ``name`` is of compile-time values alone, by what is passed. What could
    not be read, beside others by place, is taken for one."""
    if name not in static_functions.NAMES or name in graph.env or not given:
        return False
    unread = [item for item in given if is_poisoned(item.value)]
    if unread and (len(unread) == len(given) or any(item.name is not None for item in given)):
        return False
    return all(item in unread or is_static(item.value) for item in given)


def compile_time(graph: Graph, name: str, given: Sequence[Given], span: Span) -> Entity:
    """A function of compile-time values, which ``given`` are."""
    named = next((item for item in given if item.name is not None), None)
    if named is not None:
        return graph.error(
            "E0208", f"`{name}` of numbers takes them by place", named.span,
            f"write `{name}(...)` without the name",
        )  # fmt: skip
    if any(is_poisoned(item.value) for item in given):
        return POISON
    values = [to_static(item.value) for item in given]
    result = _static(graph, lambda: static_functions.call(name, values, graph.params), span)
    whole = isinstance(result, int) and not isinstance(result, bool)
    if whole and name != "len":
        # Rounded, a float of a param is right for this value of it alone.
        graph.fix(*(item.value for item in given))
    return result


def _static(graph: Graph, compute: Callable[[], ir.Static], span: Span) -> Entity:
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
