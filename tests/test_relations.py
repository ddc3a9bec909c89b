"""What equalities and bounds are said to be, against the numbers themselves."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.errors import Span
from specc.ir import Condition
from specc.ir.relations import is_tie, never_zero, solved
from specc.ir.size_bounds import is_plain, plainest, strongest
from specc.sizes import Size, evaluate, floor_divide, power, symbol, symbols

NAMES = ("T", "S")
T, S = map(symbol, NAMES)
# Divisors of 12 turn over together after 12, quotients of quotients after 144.
PERIOD = 144
GRID = [dict(zip(NAMES, values, strict=True)) for values in product(range(1, 26), repeat=2)]


def _sums(most: int = 2) -> st.SearchStrategy[Size]:
    leaf = st.one_of(st.sampled_from([T, S]), st.integers(-9, 9))
    divided = st.builds(floor_divide, leaf, st.sampled_from([2, 3, 4]))
    scaled = st.builds(lambda size, by: size * by, st.one_of(leaf, divided), st.integers(-4, 4))
    whole = st.lists(scaled, min_size=1, max_size=most + 1).map(lambda items: sum(items, 0))
    again = st.builds(floor_divide, whole, st.sampled_from([1, 2, 3]))
    return st.builds(lambda one, other: one - other, again, whole)


def _at(size: Size, values: dict[str, int]) -> int:
    found = evaluate(size, values)
    assert isinstance(found, int)
    return found


@settings(max_examples=300, deadline=None)
@given(_sums())
def test_what_is_never_zero_is_zero_nowhere(difference: Size) -> None:
    if never_zero(difference):
        assert all(_at(difference, values) != 0 for values in GRID)


@settings(max_examples=300, deadline=None)
@given(_sums())
def test_what_is_no_tie_leaves_larger_sizes(difference: Size) -> None:
    """A remainder comes again after a period, and a tie is left by some step away from it."""
    zeros = [values for values in GRID if _at(difference, values) == 0]
    for values in zeros[:20]:
        for name in symbols(difference):
            later = [_at(difference, values | {name: values[name] + PERIOD * n}) for n in (1, 2)]
            if not is_tie(difference):
                assert later == [0, 0]
    if zeros and is_tie(difference):
        start = zeros[0]
        steps = product((0, PERIOD, 3 * PERIOD), repeat=2)
        moved = [{"T": start["T"] + a, "S": start["S"] + b} for a, b in steps]
        assert any(_at(difference, values) != 0 for values in moved)


@settings(max_examples=300, deadline=None)
@given(_sums())
def test_the_plainest_form_holds_where_the_bound_does(difference: Size) -> None:
    form = plainest(difference)
    assert all((_at(difference, v) >= 0) == (_at(form, v) >= 0) for v in GRID)


@settings(max_examples=200, deadline=None)
@given(_sums())
def test_what_is_solved_makes_the_difference_zero(difference: Size) -> None:
    found = solved(difference, NAMES)
    if found is not None:
        assert evaluate(difference, {found[0]: found[1]}) == 0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_sums(1), st.sampled_from(["<=", ">=", "<", ">"])), max_size=5))
def test_the_strongest_bounds_hold_where_all_do(pairs: list[tuple[Size, str]]) -> None:
    span = Span("m.spec", 0, 1, 1, 1)
    asked = [Condition(size, relation, 0, "", span) for size, relation in pairs]  # type: ignore[arg-type]  # one of them
    kept = strongest(asked, {})
    for values in GRID[::7]:
        assert all(c.holds(values) for c in asked) == all(c.holds(values) for c in kept)


@pytest.mark.parametrize(
    ("difference", "tie", "never"),
    [
        (T - S, True, False),
        (T - 8, True, False),
        (T // 2 - 3, True, False),
        (T * S - 12, True, False),
        (power(2, T) - 8, True, False),
        (T % 16, False, False),
        (2 * ((T + 1) // 2) - T, False, False),
        ((T * S) % 12, False, False),
        (2 * T - 7, True, True),
        (2 * (T // 2) - T - 1, False, True),
        (T + S, True, True),
    ],
)
def test_ties_and_what_can_never_be(difference: Size, tie: bool, never: bool) -> None:
    assert (is_tie(difference), never_zero(difference)) == (tie, never)


def test_a_quadratic_bound_is_one_of_its_size() -> None:
    assert plainest(T * (T - 1) // 2 - 1) == T - 2
    assert is_plain(T * (T - 1) // 2) and not is_plain((T - 1) * (S - 1))
