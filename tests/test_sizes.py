"""Symbolic sizes against Python's own integers: every form means the same number.

Random expressions are built twice, as sizes and as functions of their symbols' values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from specc.sizes import (
    Poly,
    Size,
    as_remainder,
    evaluate,
    floor_divide,
    never_negative,
    power,
    symbol,
    symbols,
)

NAMES = ("N", "T", "H")
VALUES = st.fixed_dictionaries({name: st.integers(1, 40) for name in NAMES})


class Expression(NamedTuple):
    """One expression, as a size and as what it means."""

    size: Size
    meaning: Callable[[dict[str, int]], int]
    text: str


def _leaf() -> st.SearchStrategy[Expression]:
    unknown = st.sampled_from(NAMES).map(
        lambda name: Expression(symbol(name), lambda values: values[name], name)
    )
    constant = st.integers(-12, 12).map(
        lambda number: Expression(number, lambda values: number, str(number))
    )
    return unknown | constant


def _combine(children: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    def ring(pair: tuple[Expression, Expression, str]) -> Expression:
        left, right, operator = pair
        apply: dict[str, Callable[[Size, Size], Size]] = {
            "+": lambda a, b: a + b,
            "-": lambda a, b: a - b,
            "*": lambda a, b: a * b,
        }
        combine: Callable[[Any, Any], Any] = apply[operator]
        return Expression(
            combine(left.size, right.size),
            lambda values: combine(left.meaning(values), right.meaning(values)),
            f"({left.text} {operator} {right.text})",
        )

    def divide(pair: tuple[Expression, Expression, str]) -> Expression:
        left, right, operator = pair
        floor = operator == "//"
        return Expression(
            left.size // right.size if floor else left.size % right.size,
            lambda values: (
                left.meaning(values) // right.meaning(values)
                if floor
                else left.meaning(values) % right.meaning(values)
            ),
            f"({left.text} {operator} {right.text})",
        )

    def raise_(pair: tuple[int, Expression]) -> Expression:
        base, exponent = pair
        return Expression(
            power(base, exponent.size),
            lambda values: int(base ** max(_small(exponent.meaning(values)), -1)),
            f"({base} ** {exponent.text})",
        )

    raised = st.tuples(st.integers(2, 3), _leaf()).map(raise_)
    rings = st.tuples(children, children, st.sampled_from("+-*")).map(ring)
    pairs = st.tuples(children, children, st.sampled_from(["//", "%"]))
    quotients = pairs.filter(lambda pair: pair[1].size != 0).map(divide)
    return rings | quotients | raised


def _small(exponent: int) -> int:
    assume(exponent <= 40)
    return exponent


EXPRESSIONS = st.recursive(_leaf(), _combine, max_leaves=8)


def _meaning(expression: Expression, values: dict[str, int]) -> int:
    try:
        return expression.meaning(values)
    except ZeroDivisionError:
        assume(False)
        raise


@settings(max_examples=600, deadline=None)
@given(EXPRESSIONS, VALUES)
def test_every_expression_means_what_python_says(
    expression: Expression, values: dict[str, int]
) -> None:
    wanted = _meaning(expression, values)
    assert evaluate(expression.size, values) == wanted, expression.text


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, VALUES)
def test_a_part_of_the_values_may_come_first(
    expression: Expression, values: dict[str, int]
) -> None:
    wanted = _meaning(expression, values)
    partly = evaluate(expression.size, {"N": values["N"]})
    assert "N" not in symbols(partly)
    assert evaluate(partly, values) == wanted, expression.text


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, EXPRESSIONS, VALUES)
def test_equal_sizes_have_equal_values(
    one: Expression, other: Expression, values: dict[str, int]
) -> None:
    difference = one.size - other.size
    if one.size == other.size:
        assert hash(one.size) == hash(other.size)
        assert _meaning(one, values) == _meaning(other, values)
    if difference == 0:
        assert one.size == other.size


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, EXPRESSIONS, EXPRESSIONS)
def test_the_order_of_sums_and_products_does_not_show(
    a: Expression, b: Expression, c: Expression
) -> None:
    assert a.size + b.size + c.size == c.size + (b.size + a.size)
    assert a.size * (b.size + c.size) == a.size * b.size + c.size * a.size


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, VALUES)
def test_a_printed_size_is_python_for_it(expression: Expression, values: dict[str, int]) -> None:
    _meaning(expression, values)
    text = str(expression.size)
    assert eval(text, {"__builtins__": {}}, dict(values)) == evaluate(expression.size, values), text


N, T, H = symbol("N"), symbol("T"), symbol("H")


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((4 * N + 3) // 4, N),
        ((2 * N + 4) // 4, N // 2 + 1),
        (5 * N // 4, N + N // 4),
        ((H // 2) // 3, H // 6),
        ((H - 2) // 2 + 1, H // 2),
        ((6 * N + 5) // 4, N + N // 2 + 1),
        (6 * N * T // (3 * N), 2 * T),
        (N * T * H // (4 * N), T * H // 4),
        ((2 * N + 2) // (N + 1), 2),
        ((N * T + N) // (T + 1), N),
        (N // N, 1),
        (N % 1, 0),
        (4 * N % 4, 0),
        ((H % 4) + 4 * (H // 4), H),
        (N - N, 0),
    ],
)  # fmt: skip
def test_a_size_is_in_its_simplest_form(size: Size, wanted: Size) -> None:
    assert size == wanted


def test_a_negative_divisor_does_not_nest() -> None:
    # floor(floor(1 / 2) / -1) is 0, and floor(1 / -2) is -1.
    assert evaluate((N // 2) // -1, {"N": 1}) == 0
    assert evaluate((N // 2) // -3, {"N": 5}) == -1


def test_a_quotient_that_may_be_zero_is_not_cancelled_into_nonsense() -> None:
    half = N // 2
    assert evaluate(half * T // half, {"N": 4, "T": 3}) == 3


@pytest.mark.parametrize("left", [N, 7, N + T])
def test_division_by_zero_is_pythons_error(left: Size) -> None:
    with pytest.raises(ZeroDivisionError):
        floor_divide(left, 0)


def test_sizes_are_values() -> None:
    assert N == symbol("N")
    assert N != T
    assert N != 3
    assert len({N, symbol("N"), T}) == 2
    assert isinstance(N + 1, Poly)
    assert repr(N + 1) == "Poly(N + 1)"
    assert N**3 == N * N * N
    assert symbols(N * (T // 2) + 3) == {"N", "T"}
    assert symbols(5) == frozenset()


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (symbol("H") % 4, "H % 4"),
        ((symbol("H") + 5) % 4, "(H + 1) % 4"),
        (symbol("H") // 2 % 2, "(H // 2) % 2"),
        (symbol("H") % symbol("T"), "H % T"),
        (symbol("H") - 2 * (symbol("H") // 2) + 1, "H - 2 * (H // 2) + 1"),
        (symbol("H") % 2 * (symbol("T") // 2), "H % 2 * (T // 2)"),
        (symbol("H") % symbol("T") * symbol("N") ** 2, "H % T * N ** 2"),
        ((symbol("H") - symbol("T")) // symbol("T") + 1, "H // T"),
        ((2 * symbol("T") * symbol("N") + symbol("H") - 3) // symbol("T"), "(H - 3) // T + 2 * N"),
        ((symbol("H") // symbol("T") + 1) ** 2, "(H // T) ** 2 + 2 * (H // T) + 1"),
    ],
)
def test_sizes_are_written_as_a_person_would(size: Size, text: str) -> None:
    assert str(size) == text


@pytest.mark.parametrize("patch", [4, symbol("P")])
def test_what_is_rounded_up_is_one_at_least(patch: Size) -> None:
    patches = -(-symbol("H") // patch)
    assert never_negative(patches - 1) and not never_negative(patches - 2)
    more = (patches - 1) * patch
    assert never_negative(more) and not never_negative(more - 1)


@given(EXPRESSIONS, VALUES)
def test_what_is_never_negative_is_not(expression: Expression, values: dict[str, int]) -> None:
    for less in range(3):
        size = expression.size - less
        if never_negative(size):
            try:
                found = evaluate(size, values)
            except ZeroDivisionError:
                assume(False)
                raise
            assert isinstance(found, int) and found >= 0


@given(EXPRESSIONS, VALUES)
def test_what_reads_as_a_remainder_is_one(expression: Expression, values: dict[str, int]) -> None:
    found = as_remainder(expression.size)
    if found is None:
        return
    try:
        number, divisor = (evaluate(part, values) for part in found)
    except ZeroDivisionError:  # inside of a part, where the expression has no meaning either
        assume(False)
        raise
    assert isinstance(number, int) and isinstance(divisor, int)
    assume(divisor != 0)
    assert number % divisor == _meaning(expression, values)


def test_a_number_to_a_symbolic_power_is_a_size() -> None:
    level = symbol("i")
    assert power(2, 5) == 32
    assert power(2, level + 3) == 8 * power(2, level)
    assert str(power(2, level + 3)) == "8 * 2 ** i"
    assert str(power(2, level - 1) ** 2) == "(2 ** (i - 1)) ** 2"
    assert evaluate(16 * power(2, level), {"i": 3}) == 128
    assert symbols(power(3, level * symbol("T"))) == {"i", "T"}
    assert 6 * power(2, level) // power(2, level) == 6
    assert never_negative(power(2, level) - 2) and not never_negative(power(2, level) - 3)


def test_a_power_that_falls_is_not_rounded_down_on_its_way() -> None:
    k = symbol("k")
    falling = 3 * power(2, 2 - k)
    assert [evaluate(falling, {"k": each}) for each in range(3)] == [12, 6, 3]
    assert evaluate(power(2, k + 2), {"k": 3}) == 32 and power(2, k + 2) == 4 * power(2, k)
