"""Conditions of divisibility said once: that 16 divides H says that 8 divides ``H // 2``.

Non-goal: any other simplification; what sizes make of conditions is ``sizes``'s arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import lcm
from typing import Final

from specc.ir.modules import Condition
from specc.ir.size_bounds import strongest
from specc.sizes import Poly, Quotient, Size, as_remainder, floor_divide

# A stride that is larger has not been seen.
_LARGEST_DIVISOR: Final = 64


@dataclass(slots=True)
class _Divided:
    """``divisor`` divides ``size``; ``condition`` is the first that asked for some of it."""

    size: Size
    divisor: int
    condition: Condition


def joined(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """``conditions`` in their order without repeats, where ``H == 2 * (H // 2)`` and ``H // 2 == 2
    * (H // 4)`` are the one condition ``H % 4 == 0``, in the place of the first; of bounds the
    strongest."""
    found: list[Condition | _Divided] = []
    for condition in dict.fromkeys(conditions):
        divided = _divided(condition)
        found.append(condition if divided is None else divided)
    while _join(found):
        continue
    least = {item.size: item.divisor for item in found if isinstance(item, _Divided)}
    whole = [
        item if isinstance(item, Condition) else _stated(item.size, item.divisor, item.condition)
        for item in found
    ]
    return tuple(strongest(whole, least))


def _divided(condition: Condition) -> _Divided | None:
    asks_for_a_rest = as_remainder(condition.left) is not None and condition.right != 0
    if condition.relation != "==" or asks_for_a_rest:
        return None
    difference = condition.left - condition.right
    for size in (difference, -difference):
        rounded = _rounded_alike(size)
        if rounded is not None:
            return _Divided(*rounded, condition)
        # x == k * ((x + r) // k) with r < k says that k divides x, as x % k == 0 does.
        for more in range(min(_multiplier(size), _LARGEST_DIVISOR)):
            remainder = as_remainder(size + more)
            if remainder is not None and isinstance(remainder[1], int) and remainder[1] > more:
                return _Divided(remainder[0] - more, remainder[1], condition)
    return None


def _rounded_alike(size: Size) -> tuple[Size, int] | None:
    """(x // d, k // d) where ``size`` is ``(x + k - d) // k - x // k``: that is 0 where k // d
    divides x // d."""
    terms = dict(size.terms) if isinstance(size, Poly) else {}
    atoms = {factor: monomial[0] for monomial, factor in terms.items() if len(monomial) == 1}
    above, below = atoms.get(1), atoms.get(-1)
    if len(terms) != 2 or not isinstance(above, Quotient) or not isinstance(below, Quotient):
        return None
    divisor, more = below.denominator, above.numerator - below.numerator
    if above.denominator != divisor or not isinstance(divisor, int) or not isinstance(more, int):
        return None
    part = divisor - more
    if not 0 < part < divisor or divisor % part:
        return None
    return floor_divide(below.numerator, part), divisor // part


def _multiplier(size: Size) -> int:
    """k where ``- k * (x // c)`` is in ``size``; 0 where there is no such term."""
    terms = size.terms if isinstance(size, Poly) else ()
    return max(
        (
            -factor
            for monomial, factor in terms
            if len(monomial) == 1 and isinstance(monomial[0], Quotient)
        ),
        default=0,
    )


def _stated(size: Size, divisor: int, condition: Condition) -> Condition:
    return replace(condition, left=size % divisor, right=0)


def _join(found: list[Condition | _Divided]) -> bool:
    """Puts one condition into another that it adds to; whether there was one."""
    for item in found:
        if not isinstance(item, _Divided):
            continue
        for size, factor in _wholes(item.size):
            for other in found:
                if other is item or not isinstance(other, _Divided) or other.size != size:
                    continue
                # factor divides size, so that size // factor is exact.
                if other.divisor % factor == 0:
                    other.divisor = lcm(other.divisor, factor * item.divisor)
                    first = min(found.index(item), found.index(other))
                    found.remove(item)
                    found.remove(other)
                    found.insert(first, other)
                    return True
    return False


def _wholes(size: Size) -> Iterator[tuple[Size, int]]:
    """(x, k) where ``size`` is ``x // k`` if k divides x: itself, and what it is a quotient of."""
    yield size, 1
    if isinstance(size, int) or len(size.terms) != 1:
        return
    ((monomial, factor),) = size.terms
    if factor == 1 and len(monomial) == 1 and isinstance(monomial[0], Quotient):
        quotient, divisor = monomial[0], monomial[0].denominator
        if isinstance(divisor, int) and divisor > 0:
            yield quotient.numerator, divisor
            # Rounded up or down: where the division is exact, it is the same.
            terms = quotient.numerator.terms if isinstance(quotient.numerator, Poly) else ()
            more = dict(terms).get((), 0)
            if 0 < more < divisor:
                yield quotient.numerator - more, divisor
            if not 0 <= more < divisor <= _LARGEST_DIVISOR:
                return
            for part in range(2, divisor):
                # (x + 4) // 8 is (x // 4 + 1) // 2.
                if divisor % part == 0 and more % part == 0:
                    yield floor_divide(quotient.numerator - more, part), divisor // part
