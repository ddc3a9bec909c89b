"""Bounds of whole numbers: what is known of a result's entries where those of its sources are in
``0..k-1``.

A bound that is computed is an upper one: ``clamp(tokens, max=4)`` may hold fewer than five classes,
and goes wherever five go. Non-goal: what needs a bound (tables, losses).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from specc.catalog.rows import Call
from specc.ir import Static, TensorType
from specc.sizes import Poly, Size, evaluate, extreme


def bounded(result: TensorType, sources: Sequence[TensorType | Static]) -> TensorType:
    """``result`` as an ``index``, where each of its entries is one of ``sources``, which are
    labels or whole numbers from 0 on; else as it is."""
    bounds: list[Size] = []
    for source in sources:
        bound = bound_of(source)
        if bound is None:
            return result
        bounds.append(bound)
    if not bounds:
        return result
    # There is one class at least: a 0 among labels adds none.
    bounds = [bound for bound in bounds if bound != 1] or bounds[:1]
    largest = extreme("max", bounds)
    exact = any(
        isinstance(source, TensorType) and source.classes == largest and not source.at_most
        for source in sources
    )
    return below(result, largest, exact=exact)


def below(result: TensorType, bound: Size, *, exact: bool = False) -> TensorType:
    """``result`` as an ``index(bound)``, if it is of the dtype that labels have."""
    if result.dtype != "int64" or (isinstance(bound, int) and bound < 1):
        return result
    return replace(result, meaning="index", classes=bound, at_most=not exact)


def bound_of(source: TensorType | Static) -> Size | None:
    """k where the entries of ``source`` are known to be in ``0..k-1``."""
    if isinstance(source, TensorType):
        return source.classes if source.dtype == "int64" else None
    if isinstance(source, bool) or not isinstance(source, int):
        return None
    return source + 1 if source >= 0 else None


def argument(call: Call, name: str) -> TensorType | Static:
    """What ``name`` is given: a tensor's type, or a compile-time value, as it is known now."""
    found = call.tensors.get(name)
    if isinstance(found, TensorType):
        return found
    value = call.args.get(name)
    return evaluate(value, call.params) if isinstance(value, Poly) else value


def of_input(call: Call, result: TensorType) -> TensorType:
    """``result`` with the bound of the input, of which it has some entries."""
    return bounded(result, (call.tensor(),))


def cut(
    result: TensorType, tensor: TensorType, low: TensorType | Static, high: TensorType | Static
) -> TensorType:
    """``result`` of ``tensor`` kept between ``low`` and ``high``, either of which may be none."""
    known = bound_of(tensor)
    floor = bound_of(low) if low is not None else None
    if known is None and floor is None:
        return result  # nothing keeps it from being negative
    bound = known
    if high is not None:
        ceiling = bound_of(high)
        if ceiling is None:
            return result
        bound = ceiling if bound is None else extreme("min", (bound, ceiling))
    if bound is None:
        return result
    if low is not None:
        if floor is None and isinstance(low, TensorType):
            return result
        # What is below `low` becomes it; `high` has the last word.
        raised = bound if floor is None else extreme("max", (bound, floor))
        bound = raised if high is None else extreme("min", (raised, bound_of(high) or raised))
    return below(result, bound, exact=bound == known and not tensor.at_most)


def computed(symbol: str, result: TensorType, left: object, right: object) -> TensorType:
    """``left symbol right`` of labels and whole numbers, bounded where no entry can be negative."""
    if result.dtype != "int64":
        return result
    if symbol == "%" and isinstance(left, TensorType):
        divisor = bound_of(right)  # type: ignore[arg-type]  # a type, or a compile-time value
        positive = not isinstance(right, TensorType) and divisor is not None and divisor != 1
        return below(result, divisor - 1) if positive and divisor is not None else result
    one, other = bound_of(left), bound_of(right)  # type: ignore[arg-type]  # likewise
    if one is None or other is None:
        return result
    if symbol == "+":
        return below(result, one + other - 1)
    if symbol == "*":
        return below(result, (one - 1) * (other - 1) + 1)
    if symbol == "//" and not isinstance(right, TensorType) and other != 1:
        return below(result, (one - 1) // (other - 1) + 1)
    return result
