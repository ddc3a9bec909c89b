"""Bounds on sizes said once, of the sizes themselves: that ``(H - 3) // 2 + 1`` is at least 1 is
``H >= 3``, and says that H is at least 2.

Non-goals: equalities (``relations``, ``divisibility``), and which bounds there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import gcd
from typing import Final

from specc.ir.modules import Condition
from specc.sizes import Monomial, Poly, Quotient, Size, evaluate, never_negative, symbol, symbols

# No root of what a rule asks of one size has been seen beyond; a larger one stays as it is.
_LARGEST_ROOT: Final = 4096
_TURNED: Final = {"<=": ">=", ">=": "<="}


def margin(condition: Condition) -> Size | None:
    """What must be at least 0 for a bound to hold, in its plainest form; None of another
    relation."""
    left, right = condition.left, condition.right
    match condition.relation:
        case ">=":
            return plainest(left - right)
        case ">":
            return plainest(left - right - 1)
        case "<=":
            return plainest(right - left)
        case "<":
            return plainest(right - left - 1)
    return None


def plainest(difference: Size) -> Size:
    """What is at least 0 exactly where ``difference`` is: without a common factor, without a
    quotient that stands alone, and of one size ``T - 3`` where that is all it says."""
    while isinstance(difference, Poly):
        apart = _apart(difference)
        factor = gcd(*apart.values())
        if factor > 1:
            parts = {monomial: times // factor for monomial, times in apart.items()}
            difference = Poly(parts) + _constant(difference) // factor
        whole = _without_quotient(difference)
        if whole is None:
            break
        difference = whole
    least = _root(difference)
    return difference if least is None else symbol(*symbols(difference)) - least


def _without_quotient(difference: Size) -> Size | None:
    """``x // c + rest >= 0`` as ``x + c * rest >= 0``, and ``rest >= x // c`` as ``c * rest + c - 1
    >= x``; None where there is another number of quotients than one."""
    terms = _apart(difference) if isinstance(difference, Poly) else {}
    found = [(monomial, factor) for monomial, factor in terms.items()
             if any(not isinstance(atom, str) for atom in monomial)]  # fmt: skip
    if len(found) != 1:
        return None
    ((monomial, factor),) = found
    atom = monomial[0]
    if len(monomial) > 1 or abs(factor) != 1 or not isinstance(atom, Quotient):
        return None
    divisor = atom.denominator
    if not isinstance(divisor, int) or divisor < 1:
        return None
    rest = difference - Poly({monomial: factor})
    if factor == 1:
        return atom.numerator + divisor * rest
    return divisor * rest + divisor - 1 - atom.numerator


def is_plain(size: Size) -> bool:
    """Whether ``size`` is no product of several unknown sizes, each of which is asked about by
    itself."""
    difference = plainest(size - 1)
    terms = _apart(difference) if isinstance(difference, Poly) else {}
    return all(len(monomial) == 1 for monomial in terms)


def _root(difference: Size) -> int | None:
    """The least that the one symbol of ``difference`` may be, where all that is more fits too."""
    names = symbols(difference)
    if isinstance(difference, int) or len(names) != 1:
        return None
    terms = difference.terms
    if any(not isinstance(atom, str) for monomial, _ in terms for atom in monomial):
        return None
    highest = max(len(monomial) for monomial, _ in terms)
    leading = dict(difference.terms)[tuple(names) * highest]
    if leading < 1:
        return None
    # Cauchy: no root is larger than 1 and the largest factor over the leading one together.
    bound = 2 + max(abs(factor) for _, factor in terms) // leading
    if bound > _LARGEST_ROOT:
        return None
    fits = [_at(difference, value) >= 0 for value in range(1, bound + 1)]
    least = fits.index(True) + 1
    return least if all(fits[least:]) else None


def _at(size: Size, value: int) -> int:
    found = evaluate(size, dict.fromkeys(symbols(size), value))
    assert isinstance(found, int)
    return found


def _apart(size: Poly) -> dict[Monomial, int]:
    """The terms of ``size`` but the number."""
    return {monomial: factor for monomial, factor in size.terms if monomial}


def _constant(size: Size) -> int:
    return dict(size.terms).get((), 0) if isinstance(size, Poly) else size


def strongest(conditions: Iterable[Condition], least: Mapping[Size, int]) -> list[Condition]:
    """``conditions`` in their order with one bound on each size: the strongest, in the place of the
    first. What is at least ``least`` anyway needs none.

    Where torch refuses what breaks the strongest, it refuses what breaks the others."""
    found: dict[object, tuple[int, Condition]] = {}
    for number, condition in enumerate(conditions):
        difference = margin(condition)
        if difference is None:
            found[number] = (0, condition)
            continue
        room = _constant(difference)
        size = difference - room
        sure = never_negative(difference) or -room <= least.get(size, -room - 1)
        if sure and not condition.stated:
            continue
        if size not in found:
            found[size] = (room, _said(condition, difference))
            continue
        known, first = found[size]
        if room < known:
            found[size] = (room, _said(condition, difference))
        elif room == known:
            refused = first.refused_by_torch or condition.refused_by_torch
            kept = _said(condition, difference) if condition.stated else first
            found[size] = (known, replace(kept, refused_by_torch=refused))
    return [condition for _, condition in found.values()]


def _said(condition: Condition, difference: Size) -> Condition:
    """``condition`` in the words of its plainest form, where those are other ones."""
    if condition.stated or isinstance(difference, int):
        return condition
    room = _constant(difference)
    size = difference - room
    if isinstance(size, Poly) and all(factor < 0 for _, factor in size.terms):
        left, relation, right = -size, "<=", room
    else:
        left, relation, right = size, ">=", -room
    own = condition.left, condition.relation, condition.right
    turned = (condition.right, _TURNED.get(condition.relation, ""), condition.left)
    plain = len(_apart(size)) == 1 if isinstance(size, Poly) else False
    if not plain or (left, relation, right) == own:
        return condition
    if (left, relation, right) == turned and not isinstance(condition.left, int):
        return condition
    return replace(condition, left=left, relation=relation, right=right)  # type: ignore[arg-type]  # one of two
