"""Sizes as short as they can be said: strides in a row as one, and under what divides them.

Non-goal: deciding what sizes are equal (``relations``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import gcd, lcm

from specc.ir.modules import Condition
from specc.sizes import (
    Entry,
    Extreme,
    Poly,
    Power,
    Quotient,
    Size,
    as_remainder,
    evaluate,
    extreme,
    floor_divide,
    power,
    symbol,
    symbols,
)


def multiples(conditions: Iterable[Condition], values: Mapping[str, Size]) -> dict[str, int]:
    """The numbers that ``conditions`` say divide sizes, by name: 8 of H where ``H % 8 == 0``."""
    found: dict[str, int] = {}
    for condition in conditions:
        rest = as_remainder(condition.left)
        if rest is None or condition.relation != "==" or condition.right != 0:
            continue
        size, divisor = rest[0], evaluate(rest[1], values)
        if isinstance(divisor, int) and divisor > 1 and size == symbol(str(size)):
            found[str(size)] = lcm(found.get(str(size), 1), divisor)
    return found


def divided(size: Size, whole: Mapping[str, int]) -> Size:
    """``size`` as short as it is where ``whole`` divide: of ``8 * ((H + 7) // 8)`` H, where 8
    divides it."""
    plain = tidy(size)
    if isinstance(plain, int) or whole.keys().isdisjoint(symbols(plain)):
        return plain
    parts = tidy(evaluate(plain, {name: number * symbol(name) for name, number in whole.items()}))
    total: Size = 0
    for monomial, factor in parts.terms if isinstance(parts, Poly) else (((), parts),):
        product: Size = 1
        for atom in monomial:
            if isinstance(atom, str) and atom in whole:
                # H stands for what is left of it, of which there are ``factor``.
                shared = gcd(factor, whole[atom])
                factor //= shared
                product *= floor_divide(symbol(atom), whole[atom] // shared)
            elif isinstance(atom, str):
                product *= symbol(atom)
            else:
                return plain  # a quotient is left: it is no shorter so
        total += factor * product
    return total


def tidy(size: Size) -> Size:
    """``size`` with nested quotients as one: ``(x // a + b) // c`` is ``(x + a * b) // (a * c)``
    for whole ``b`` and positive ``a``, ``c``. Strides in a row are read so."""
    if isinstance(size, int):
        return size
    total: Size = 0
    for monomial, factor in size.terms:
        product: Size = factor
        for atom in monomial:
            if isinstance(atom, Quotient):
                product *= _quotient(atom)
            elif isinstance(atom, Power):
                product *= power(atom.base, tidy(atom.exponent))
            elif isinstance(atom, Extreme):
                product *= extreme(atom.kind, [tidy(each) for each in atom.sizes])
            elif isinstance(atom, Entry):
                product *= Poly({(atom,): 1})
            else:
                product *= symbol(atom)
        total += product
    return total


def _quotient(quotient: Quotient) -> Size:
    above, below = tidy(quotient.numerator), tidy(quotient.denominator)
    if isinstance(above, Poly) and isinstance(below, int) and below > 0:
        (monomial, factor), *rest = above.terms
        offset = dict(rest).get((), 0)
        if factor == 1 and len(monomial) == 1 and len(rest) == (1 if offset else 0):
            inner = monomial[0]
            if (
                isinstance(inner, Quotient)
                and isinstance(inner.denominator, int)
                and inner.denominator > 0
            ):
                inside = inner.numerator + inner.denominator * offset
                return floor_divide(inside, inner.denominator * below)
    return floor_divide(above, below)
