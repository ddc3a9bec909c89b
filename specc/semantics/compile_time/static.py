"""Compile-time arithmetic: numbers, strings, booleans and sizes, before any tensor exists.

Integers stay exact and symbolic (``Poly``); a float, bool or string that a param took part in keeps
its form (``ir.Scalar``), so that the emitted source can say it in terms of the param. What depends
on a size that only the run knows, and would have to be decided here, raises ``Undecided``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeGuard

from specc import ir
from specc.sizes import Poly, Size, evaluate, power

_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EXACT: Final = frozenset(["+", "-", "*", "//", "%"])
_LARGEST_POWER: Final = 64
# A sum of a few sizes to this power is still a sum of a few products.
_LARGEST_EXACT_POWER: Final = 4
# Characters of a string, items of a tuple.
_LONGEST: Final = 20_000


class StaticError(Exception):
    """An operator that the operands do not have; the message is in the spec's terms."""


class Undecided(Exception):
    """A decision that needs a size which only the run knows."""

    def __init__(self, size: Size) -> None:
        super().__init__(str(size))
        self.size = size


def plain(value: ir.Static, params: Mapping[str, Size]) -> Any:
    """``value`` as a plain Python value, the params put in; Undecided where a size stays open."""
    if isinstance(value, ir.Scalar):
        return value.value
    if isinstance(value, Poly):
        known = evaluate(value, params)
        if isinstance(known, Poly):
            raise Undecided(known)
        return known
    if isinstance(value, tuple):
        return tuple(plain(item, params) for item in value)
    if isinstance(value, ir.LayerChoice):
        return ir.with_arguments(replace(value, param=""), lambda item: plain(item, params))
    return value


def unary(symbol: str, operand: ir.Static, params: Mapping[str, Size]) -> ir.Static:
    """``-operand`` or ``not operand``."""
    if symbol == "-":
        if isinstance(operand, Poly) or (_is_number(operand) and not isinstance(operand, bool)):
            return -operand  # type: ignore[operator]  # a number or a size, as just checked
        if isinstance(operand, ir.Scalar) and _is_number(operand.value):
            return ir.Scalar(-float(operand.value), ir.UnaryForm("-", operand.form))
        raise StaticError("`-` wants a number")
    value = plain(operand, params)
    if not isinstance(value, bool):
        raise StaticError("`not` wants a condition: true or false")
    form = _form(operand)
    return not value if form is None else ir.Scalar(not value, ir.UnaryForm("not", form))


def binary(symbol: str, left: ir.Static, right: ir.Static, params: Mapping[str, Size]) -> ir.Static:
    """``left symbol right``; StaticError, Undecided or ZeroDivisionError where there is none."""
    if symbol in _EXACT and _is_size(left) and _is_size(right):
        return _fitting(_ARITHMETIC[symbol](left, right), symbol, left, right, params)
    if symbol == "**" and isinstance(left, Poly) and _small_power(right):
        return _fitting(left**right, symbol, left, right, params)
    left_value, right_value = plain(left, params), plain(right, params)
    if symbol == "**" and _is_base(left) and isinstance(right, Poly) and right_value >= 0:
        _compute(symbol, left_value, right_value)  # refuses what is out of range
        return power(left, right)
    if symbol in ("and", "or"):
        if not isinstance(left_value, bool) or not isinstance(right_value, bool):
            raise StaticError(f"`{symbol}` wants a condition on each side")
        result: Any = left_value and right_value if symbol == "and" else left_value or right_value
    elif symbol in ("==", "!="):
        result = _ARITHMETIC[symbol](left_value, right_value)
    elif symbol == "@":
        raise StaticError("`@` multiplies tensors")
    else:
        result = _compute(symbol, left_value, right_value)
    if _symbolic(left) or _symbolic(right):
        if isinstance(result, float | bool | str):
            return ir.Scalar(result, ir.BinaryForm(symbol, _operand(left), _operand(right)))
    return result  # type: ignore[no-any-return]  # int, float, bool, str or tuple


def _fitting(
    result: Size, symbol: str, left: Size, right: Size, params: Mapping[str, Size]
) -> Size:
    """``result``; StaticError where it is known and no 64 bits hold it."""
    known = evaluate(result, params)
    if isinstance(known, int) and abs(known) >= 2**63:
        raise StaticError(f"{_short(left)} {symbol} {_short(right)} does not fit in 64 bits")
    return result.as_written(symbol, left, right) if isinstance(result, Poly) else result


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _compute(symbol: str, left: Any, right: Any) -> Any:
    texts = isinstance(left, str) and isinstance(right, str)
    tuples = isinstance(left, tuple) and isinstance(right, tuple)
    numbers = _is_number(left) and _is_number(right)
    if not (numbers or ((texts or tuples) and symbol == "+") or (texts and symbol in "<=>=")):
        raise StaticError(f"`{symbol}` does not go between {kind_of(left)} and {kind_of(right)}")
    if symbol == "**" and (abs(right) > _LARGEST_POWER or (left == 0 and right < 0)):
        raise StaticError(f"the power {left} ** {right} is out of range")
    if (texts or tuples) and symbol == "+" and len(left) + len(right) > _LONGEST:
        raise StaticError(f"this {'string' if texts else 'tuple'} would have more than {_LONGEST:,}"
                          f" {'characters' if texts else 'items'}")  # fmt: skip
    try:
        result = _ARITHMETIC[symbol](left, right)
    except OverflowError as fault:
        raise StaticError(f"{left} {symbol} {right} is out of range") from fault
    if isinstance(result, complex) or result != result:
        raise StaticError(f"{left} {symbol} {right} is not a real number")
    if isinstance(result, int) and not isinstance(result, bool) and abs(result) >= 2**63:
        raise StaticError(f"{left} {symbol} {right} does not fit in 64 bits")
    return result


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_size(value: ir.Static) -> TypeGuard[Size]:
    return isinstance(value, Poly) or (isinstance(value, int) and not isinstance(value, bool))


def _small_power(value: ir.Static) -> TypeGuard[int]:
    """Whether a size stays exact when it is raised to ``value``."""
    if isinstance(value, bool) or not isinstance(value, int):
        return False
    return 0 <= value <= _LARGEST_EXACT_POWER


def _is_base(value: ir.Static) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 2


def _symbolic(value: ir.Static) -> bool:
    return isinstance(value, ir.Scalar | Poly)


def _form(value: ir.Static) -> ir.Form | None:
    return value.form if isinstance(value, ir.Scalar) else None


def _operand(value: ir.Static) -> ir.FormPart:
    return value.form if isinstance(value, ir.Scalar) else value


def kind_of(value: object) -> str:
    """What a plain compile-time value is, for a message."""
    match value:
        case bool():
            return "a condition"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case tuple():
            return "a tuple"
        case ir.LayerChoice():
            return f"the layer {value}"
        case _:
            return "none"
