"""One way to write a compile-time value that several readings write in their own ways.

``C`` in one use of a block and ``channels`` in another, ``3`` in the first round and ``64`` in the
second: a form is right for all where its value is. Non-goal: values that only the run knows; those
must be written alike."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from specc import ir
from specc.sizes import Poly, Size, evaluate, symbol


@dataclass(frozen=True, slots=True)
class Standpoint:
    """Where a form is read: in which ``variant`` of a class, in which rounds of the loops around;
    ``values`` are what all its symbols are there."""

    variant: int
    values: Mapping[str, object]
    rounds: Mapping[str, Size] = field(default_factory=dict)


Reading: TypeAlias = tuple[ir.Static, Standpoint]

_OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "//": operator.floordiv, "%": operator.mod, "**": operator.pow, "==": operator.eq,
    "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "and": lambda left, right: left and right, "or": lambda left, right: left or right,
}  # fmt: skip


class Different(Exception):
    """Two readings do not say the same."""


def agree(readings: Sequence[Reading]) -> ir.Static:
    """A form that says what each reading says. Raises Different.

    The rounds of a loop must say the same for any values of the symbols; the variants of a class
    for the values that they have, which may make ``C`` and ``channels`` one."""
    first = readings[0][0]
    if all(_alike(form, first) for form, _ in readings):
        return first
    if isinstance(first, tuple):
        if any(not isinstance(form, tuple) or len(form) != len(first) for form, _ in readings):
            raise Different("another tuple")
        return tuple(
            agree([(form[k], at) for form, at in readings])  # type: ignore[index]  # tuples
            for k in range(len(first))
        )
    by_variant: dict[int, list[Reading]] = {}
    for reading in readings:
        by_variant.setdefault(reading[1].variant, []).append(reading)
    forms = [_of_rounds(each) for each in by_variant.values()]
    wanted = [value_of(form, at.values) for form, at in readings]
    # A form with a symbol says more than a number that happens to fit.
    forms.sort(key=lambda form: not isinstance(form, Poly | ir.Scalar))
    for form in {repr(form): form for form in forms}.values():
        if all(
            _equal(value_of(form, at.values), value)
            for (_, at), value in zip(readings, wanted, strict=True)
        ):
            return form
    raise Different(f"{first} and another")


def _of_rounds(readings: Sequence[Reading]) -> ir.Static:
    """The form of one variant: a function of the loops' variables, where they matter."""
    first = readings[0][0]
    if all(_alike(form, first) for form, _ in readings):
        return first
    sized = all(isinstance(f, int | Poly) and not isinstance(f, bool) for f, _ in readings)
    if not sized:
        raise Different("another value in each round")
    for form in (readings[-1][0], _line(readings)):
        if form is not None and all(
            evaluate(form, at.rounds) == evaluate(other, at.rounds)  # type: ignore[arg-type]  # sized
            for other, at in readings
        ):
            return form
    raise Different("another size in each round")


def _alike(left: ir.Static, right: ir.Static) -> bool:
    """Whether two forms are written alike, whatever their values."""
    if isinstance(left, ir.Scalar) and isinstance(right, ir.Scalar):
        return left.form == right.form
    return left == right and type(left) is type(right)


def _equal(left: object, right: object) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def value_of(form: object, values: Mapping[str, object]) -> object:
    """What ``form`` is where its symbols have ``values``; a Poly where some are unknown."""
    match form:
        case Poly():
            known: dict[str, Size] = {
                name: value
                for name, value in values.items()
                if isinstance(value, int | Poly) and not isinstance(value, bool)
            }
            return evaluate(form, known)
        case ir.Scalar():
            return value_of(form.form, values)
        case ("param", str(name)):
            return values.get(name)
        case ("literal", value):
            return value
        case ("unary", "not", operand):
            return not value_of(operand, values)
        case ("unary", _, operand):
            return -value_of(operand, values)  # type: ignore[operator]  # a number: semantics saw it
        case ("binary", str(symbol_), left, right):
            return _binary(symbol_, value_of(left, values), value_of(right, values))
        case tuple():
            return tuple(value_of(item, values) for item in form)
    return form


def _binary(symbol_: str, left: object, right: object) -> object:
    try:
        return _OPERATORS[symbol_](left, right)
    except (TypeError, ZeroDivisionError, OverflowError):
        return None  # another reading's form, which has no value here


def _line(readings: Sequence[Reading]) -> ir.Static | None:
    """``first + slope * i`` through the first two rounds of the innermost loop."""
    (first, here), (second, there) = readings[0], readings[1]
    names = [name for name, index in here.rounds.items() if there.rounds.get(name) != index]
    if not names or not isinstance(first, int | Poly) or not isinstance(second, int | Poly):
        return None
    start, stop = here.rounds[names[-1]], there.rounds[names[-1]]
    assert isinstance(start, int) and isinstance(stop, int)
    if len({at.rounds.get(names[-1]) for _, at in readings}) < 3:
        return None  # two sizes lie on a line always: a third would tell adding from doubling
    rise = second - first
    slope = rise // (stop - start)
    if slope * (stop - start) != rise:
        return None
    return first + slope * (symbol(names[-1]) - start)
