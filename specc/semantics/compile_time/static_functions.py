"""Functions of compile-time values: ``max(widths)``, ``len(stages)``, ``sqrt(dim)``.

What is exact stays symbolic: the larger of two sizes is a size, ``floor(a / b)`` is ``a // b``; a
float that a param took part in keeps its form, so that the emitted source can say it. A whole
number that was rounded from a float has forgotten its params: who calls notes that. Non-goals:
functions of tensors, which are the catalogue's and have the same names; arithmetic (``static``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from specc import ir
from specc.semantics.compile_time import static
from specc.semantics.compile_time.static import StaticError
from specc.sizes import Poly, Size, extreme, floor_divide

_FLOATS: Final[Mapping[str, Callable[[float], float]]] = {
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "exp": math.exp,
    "sqrt": math.sqrt,
}
_ROUNDED: Final[Mapping[str, Callable[[float], int]]] = {
    "ceil": math.ceil,
    "floor": math.floor,
    "round": round,
    "int": int,
}
NAMES: Final = frozenset(["min", "max", "len", "sum", "abs", "float", *_FLOATS, *_ROUNDED])


def call(name: str, given: Sequence[ir.Static], params: Mapping[str, Size]) -> ir.Static:
    """``name(*given)``; StaticError where it has no value, Undecided where a float would be made of
    a size that only the run knows."""
    if name in ("min", "max"):
        whole = _of_all("min" if name == "min" else "max", given)
        if whole is not None and given[0]:
            return whole
        return _extreme(
            "min" if name == "min" else "max", _numbers(name, given, several=True), params
        )
    if name == "round" and len(given) == 2:
        return _decimals(given[0], given[1], params)
    if len(given) != 1:
        raise StaticError(f"`{name}` of numbers takes one, and {len(given)} are given")
    (value,) = given
    if name == "len":
        if isinstance(value, ir.TupleParam):
            return Poly({(replace(value.entry, function="len"),): 1})
        if not isinstance(value, tuple):
            raise StaticError(f"`len` counts the items of a tuple or list, not {kind_of(value)}")
        return len(value)
    if name == "sum":
        whole = _of_all("sum", given)
        if whole is not None:
            return whole
        total: ir.Static = 0
        for item in _numbers(name, given, several=True, empty=True):
            total = static.binary("+", total, item, params)
        return total
    (number,) = _numbers(name, given)
    if name == "abs":
        return _absolute(number)
    if name in _ROUNDED:
        return _rounded(name, number)
    return _floating(name, number, params)


def _of_all(
    name: Literal["sum", "min", "max"], given: Sequence[ir.Static]
) -> ir.Static:  # fmt: skip
    """The sum, or the largest or smallest, of all that a param's tuple holds, however many those
    are; None where ``given`` is anything else."""
    if len(given) != 1 or not isinstance(given[0], ir.TupleParam):
        return None
    if not all(isinstance(item, Poly) for item in given[0]):
        return None
    return Poly({(replace(given[0].entry, function=name),): 1})


def _numbers(
    name: str, given: Sequence[ir.Static], *, several: bool = False, empty: bool = False
) -> Sequence[ir.Static]:
    """The numbers that ``name`` works on: those of a tuple, where it takes ``several``."""
    if several and len(given) == 1:
        if not isinstance(given[0], tuple):
            raise StaticError(f"`{name}` wants a tuple or several numbers, not {kind_of(given[0])}")
        given = given[0]
    for item in given:
        value = item.value if isinstance(item, ir.Scalar) else item
        number = isinstance(value, int | float | Poly) and not isinstance(value, bool)
        if not number:
            raise StaticError(f"`{name}` works on numbers, not on {kind_of(value)}")
    if not given and not empty:
        raise StaticError(f"`{name}` of nothing has no value")
    return given


def _extreme(
    kind: Literal["max", "min"], given: Sequence[ir.Static], params: Mapping[str, Size]
) -> ir.Static:
    sizes = [item for item in given if isinstance(item, int | Poly)]
    if len(sizes) == len(given):
        return extreme(kind, sizes)
    values: list[Any] = [static.plain(item, params) for item in given]
    found = max(values) if kind == "max" else min(values)
    if not any(map(_symbolic, given)):
        return found  # type: ignore[no-any-return]  # a number
    return ir.Scalar(float(found), ir.CallForm(kind, tuple(map(_operand, given))))


def _absolute(number: ir.Static) -> ir.Static:
    if isinstance(number, Poly):
        return extreme("max", (number, -number))
    if isinstance(number, ir.Scalar):
        return ir.Scalar(abs(float(number.value)), ir.CallForm("abs", (number.form,)))
    return abs(number)  # type: ignore[arg-type]  # a number, as told apart above


def _floating(name: str, number: ir.Static, params: Mapping[str, Size]) -> ir.Static:
    value: Any = static.plain(number, params)
    try:
        found = float(value) if name == "float" else _FLOATS[name](value)
    except (ValueError, OverflowError):
        raise StaticError(f"{name}({value}) has no value") from None
    if name == "float" and not _symbolic(number):
        return found
    return ir.Scalar(found, ir.CallForm(name, (_operand(number),)))


def _rounded(name: str, number: ir.Static) -> ir.Static:
    if isinstance(number, int | Poly):
        return number
    match number:
        case ir.Scalar(form=ir.BinaryForm("/", int() | Poly() as left, int() | Poly() as right)):
            if name in ("ceil", "floor"):
                return floor_divide(left, right) if name == "floor" else -floor_divide(-left, right)
    value = number.value if isinstance(number, ir.Scalar) else number
    assert isinstance(value, float)
    if not math.isfinite(value) or abs(value) >= 2**63:
        raise StaticError(f"{name}({value:g}) is no whole number of 64 bits")
    return _ROUNDED[name](value)


def _decimals(number: ir.Static, digits: ir.Static, params: Mapping[str, Size]) -> ir.Static:
    _numbers("round", (number, digits))
    value, places = static.plain(number, params), static.plain(digits, params)
    if not isinstance(places, int) or abs(places) > 15:
        raise StaticError("`round` takes decimals from -15 to 15")
    if _symbolic(number) or _symbolic(digits):
        form = ir.CallForm("round", (_operand(number), _operand(digits)))
        return ir.Scalar(float(round(value, places)), form)
    return round(value, places)  # type: ignore[no-any-return]  # a number


def _symbolic(value: ir.Static) -> bool:
    return isinstance(value, ir.Scalar | Poly)


def _operand(value: ir.Static) -> ir.FormPart:
    return value.form if isinstance(value, ir.Scalar) else value


def kind_of(value: object) -> str:
    """What a compile-time value is, for a message."""
    if isinstance(value, Poly):
        return "a size"
    return static.kind_of(value.value if isinstance(value, ir.Scalar) else value)
