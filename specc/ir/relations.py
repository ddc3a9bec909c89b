"""What an equality of sizes says: whether it ties a size down, whether it can hold at all, what it
makes of one size.

An equality is given as its difference, which is 0 where it holds. A *tie* leaves a size no choice
(``T == 8``, ``T == S``, ``N * T == 12``); what is no tie asks for a remainder (``H % 4 == 0``) and
leaves every larger size a multiple. Non-goals: which equalities there are (``semantics``), joining
those that ask for remainders (``divisibility``)."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import product
from math import gcd, lcm
from typing import TYPE_CHECKING, Final

from specc.sizes import (
    Extreme,
    Poly,
    Power,
    Quotient,
    Size,
    evaluate,
    floor_divide,
    never_negative,
    opened,
    symbol,
    symbols,
)

if TYPE_CHECKING:
    from fractions import Fraction  # for what ties alone

# As many random points tell a polynomial of sizes from a constant; the chance of an error is nil.
_POINTS: Final = 4
_LARGEST: Final = 4096
# So many remainders of all symbols together are tried one by one.
_MOST_REMAINDERS: Final = 256
_MOST_POWER: Final = 4096


@lru_cache(maxsize=1024)
def is_tie(difference: Size) -> bool:
    """Whether ``difference == 0`` leaves its symbols no range of values.

    Where every floor quotient is taken as exact, an equality of remainders is a constant: what is
    left of ``H - 4 * (H // 4)`` is 0. What is left of a tie depends on the symbols still."""
    difference = opened(difference)
    if isinstance(difference, int):
        return False
    from fractions import Fraction
    from random import Random

    random = Random(0)
    names = sorted(symbols(difference))
    found = set()
    for _ in range(_POINTS):
        values = {name: Fraction(random.randint(2, _LARGEST)) for name in names}
        try:
            found.add(_exact(difference, values))
        except ZeroDivisionError:
            return True
    return len(found) > 1


def _exact(size: Size, values: Mapping[str, Fraction]) -> Fraction:
    from fractions import Fraction

    if isinstance(size, int):
        return Fraction(size)
    total = Fraction(0)
    for monomial, factor in size.terms:
        term = Fraction(factor)
        for atom in monomial:
            if isinstance(atom, str):
                term *= values[atom]
            elif isinstance(atom, Power):
                # A number beyond is one that no size has; it differs from the others all the same.
                exponent = int(_exact(atom.exponent, values)) % _MOST_POWER
                term *= Fraction(atom.base) ** exponent
            elif isinstance(atom, Extreme):
                choose = max if atom.kind == "max" else min
                term *= choose(_exact(each, values) for each in atom.sizes)
            else:
                assert isinstance(atom, Quotient)  # no entry: `is_tie` has opened them
                term *= _exact(atom.numerator, values) / _exact(atom.denominator, values)
        total += term
    return total


# A block that is used a thousand times asks the same a thousand times.
@lru_cache(maxsize=1024)
def never_zero(difference: Size) -> bool:
    """Whether no symbols of at least 1 make ``difference`` 0, as far as its form shows it."""
    difference = opened(difference)
    if isinstance(difference, int):
        return difference != 0
    if never_negative(difference - 1) or never_negative(-difference - 1):
        return True
    factors = [factor for monomial, factor in difference.terms if monomial]
    rest = dict(difference.terms).get((), 0)
    if rest % gcd(*factors):
        return True
    return not is_tie(difference) and _no_remainder_fits(difference)


def _no_remainder_fits(difference: Poly) -> bool:
    """Whether an equality of remainders fails for each choice of them: a period is tried."""
    period = 1
    for quotient in _quotients(difference):
        if quotient is None:
            return False
        assert isinstance(quotient.denominator, int)
        period = lcm(period, quotient.denominator)
        # A quotient of quotients turns over after the product of its divisors.
        for inner in _quotients(quotient.numerator):
            if inner is None:
                return False
            assert isinstance(inner.denominator, int)
            period *= inner.denominator
            if any(True for _ in _quotients(inner.numerator)):
                return False
    names = sorted(symbols(difference))
    if period ** len(names) > _MOST_REMAINDERS:
        return False
    choices = product(range(1, period + 1), repeat=len(names))
    return all(evaluate(difference, dict(zip(names, values, strict=True))) != 0
               for values in choices)  # fmt: skip


def _quotients(size: Size) -> Iterator[Quotient | None]:
    """The quotients of a sum; None for a term of another form than a multiple of one atom."""
    for monomial, _ in size.terms if isinstance(size, Poly) else ():
        if len(monomial) > 1 or any(isinstance(atom, Power | Extreme) for atom in monomial):
            yield None
        for atom in monomial:
            if isinstance(atom, Quotient):
                fixed = isinstance(atom.denominator, int) and atom.denominator > 0
                yield atom if fixed else None


def without_shared(left: Size, right: Size, names: Container[str]) -> tuple[Size, Size]:
    """``left == right`` without the sizes among ``names`` that divide both, which are at least 1:
    ``64 * N == 8 * N * T`` is ``64 == 8 * T``."""
    for name in sorted(symbols(left) & symbols(right) if right != 0 else symbols(left)):
        while name in names and _divisible(left, name) and _divisible(right, name):
            left, right = (floor_divide(size, symbol(name)) for size in (left, right))
    return left, right


def _divisible(size: Size, name: str) -> bool:
    return size == 0 or (
        isinstance(size, Poly) and all(name in monomial for monomial, _ in size.terms)
    )


def solved(difference: Size, names: Iterable[str]) -> tuple[str, Size] | None:
    """(name, size) where ``difference == 0`` says that the first of ``names`` for which it says as
    much is that size; None where it says it of none."""
    if isinstance(difference, int):
        return None
    for name in names:
        factor = dict(difference.terms).get((name,), 0)
        rest = difference - factor * symbol(name)
        terms = rest.terms if isinstance(rest, Poly) else (((), rest),)
        exact = factor and not any(times % factor for _, times in terms)
        if exact and name not in symbols(rest):
            return name, floor_divide(-rest, factor)
    return None
