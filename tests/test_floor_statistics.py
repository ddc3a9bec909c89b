"""Floors from several runs: wide enough for few numbers, and for numbers that err together."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from specc.harness.floors.floor_statistics import (
    ENDLESS,
    NOTHING,
    Floor,
    error_of,
    floor_from,
    floor_of,
    observable,
    sound,
    student_factor,
    written,
)
from specc.harness.running.recorder import Observation

UNIT = 2.0**-23


def leaf(values: list[float] | Tensor) -> Observation:
    tensor = torch.as_tensor(values, dtype=torch.float64)
    rms = float(tensor.square().mean().sqrt())
    return Observation("x", 1, tensor, tuple(tensor.shape), "float", rms=rms)


def test_few_numbers_get_a_wider_floor() -> None:
    factors = [student_factor(freedom) for freedom in (1, 4, 8, 11, 12, 25, 100, 5000)]
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == pytest.approx(1, abs=0.01)
    assert student_factor(12) == pytest.approx(9.085 / 4.892)


def test_elements_that_err_together_count_as_one() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = leaf(torch.ones(200))
    apart, together = [], []
    for _ in range(12):
        apart.append(leaf(1 + 1e-6 * torch.randn(200, generator=generator).double()))
        common = float(torch.randn((), generator=generator))
        together.append(leaf(torch.full((200,), 1 + 1e-6 * common, dtype=torch.float64)))
    assert floor_of(truth, apart, UNIT).rms == pytest.approx(1e-6, rel=0.1)
    spread = math.sqrt(sum(error_of(truth, s)[0] ** 2 for s in together) / 12)
    assert floor_of(truth, together, UNIT).rms > 1.3 * spread


def test_a_scalar_s_floor_seldom_fails_an_honest_number() -> None:
    generator = torch.Generator().manual_seed(1)
    worst = 0.0
    for _ in range(2000):
        noise = 1e-5 * torch.randn(13, generator=generator).double()
        floor = floor_of(leaf([1.0]), [leaf([1.0 + float(e)]) for e in noise[:12]], UNIT)
        worst = max(worst, abs(float(noise[12])) / floor.rms)
    assert worst < 4


def test_no_floor_is_below_the_last_rounding() -> None:
    floor = floor_of(leaf([1.0, 2.0]), [leaf([1.0, 2.0])] * 12, UNIT)
    assert floor.rms == UNIT / 4 and floor.largest >= floor.rms


def test_a_leaf_that_some_run_lacks_is_not_observable() -> None:
    assert floor_of(leaf([1.0]), [leaf([1.0]), None], UNIT).rms == math.inf


def test_what_cannot_be_compared_has_no_error() -> None:
    truth = leaf([1.0, -1.0, 2.0])
    assert error_of(truth, truth) == (0.0, 0.0)
    assert error_of(truth, Observation("x", 1)) is None is error_of(Observation("x", 1), truth)
    assert error_of(truth, None) is None and error_of(truth, leaf([1.0, 2.0])) is None
    off = error_of(truth, leaf([1.0, -1.0, 2.5]))
    assert off == pytest.approx((0.5 / math.sqrt(6), 0.5 / math.sqrt(2)), rel=1e-12)
    empty = leaf(torch.zeros(0))
    assert error_of(empty, empty) == (0.0, 0.0) and error_of(empty, None) is None


def test_a_kind_of_run_that_errs_more_is_known_from_its_own_runs_alone() -> None:
    """Half of the runs regroup, and what they lose is many times what the others lose: one that was
    met in none of them may lose more than any."""
    generator = torch.Generator().manual_seed(2)
    worst = 0.0
    for _ in range(2000):
        noise = 1e-5 * torch.randn(7, generator=generator).double()
        samples = [leaf([1.0 + float(e) * s]) for e in noise[:6] for s in (1e-3, 1.0)]
        floor = floor_of(leaf([1.0]), samples, UNIT)
        worst = max(worst, abs(float(noise[6])) / floor.rms)
    assert worst < 2.5


def test_a_floor_within_a_quarter_of_the_value_is_observable() -> None:
    assert observable(Floor(0.2499, 1.0)) and not observable(Floor(0.25, 1.0))


def test_what_is_written_has_four_digits_and_two_ends() -> None:
    assert written(1.23456e-7, 9.87654e-6) == (1.235e-7, 9.877e-6)
    assert written(0.99994, 2.0) == (0.9999, 2.0)
    assert written(0.99996, 2.0) == written(3.0, 7.0, 5.0)[:2] == (NOTHING, NOTHING)
    for lost in (ENDLESS, math.inf, math.nan):
        assert written(1e-7, lost) == written(lost, 1e-7) == (ENDLESS, ENDLESS)
    assert Floor(1.23456e-7, 2.0, "bfloat16").written == Floor(1.235e-7, 2.0, "bfloat16")


def test_what_a_blessing_writes_is_sound() -> None:
    for end in (NOTHING, ENDLESS):
        assert sound(end, end, end, UNIT, 4) and sound(end, end, None, UNIT, 4)
        assert not sound(end, 0.5, None, UNIT, 4) and not sound(end, end, 0.5, UNIT, 4)
    least = UNIT / 4
    assert sound(least, least, None, UNIT, 4) and sound(0.999 * least, least, None, UNIT, 4)
    assert not sound(0.99 * least, least, None, UNIT, 4)
    assert not sound(1.5, 1.5, None, UNIT, 4) and sound(0.9, 0.9, None, UNIT, 4)


def test_a_floor_s_numbers_are_within_what_tells_them_apart() -> None:
    rms = 1e-4
    # Of four elements the largest is at most twice the root-mean-square, and a jump is 64 times.
    assert sound(rms, 2 * 64 * rms * 0.999, None, UNIT, 4)
    assert not sound(rms, 2 * 64 * rms * 1.001, None, UNIT, 4)
    assert sound(rms, rms / 64 * 1.001, None, UNIT, 4)
    assert not sound(rms, rms / 64 * 0.999, None, UNIT, 4)
    assert sound(rms, rms, UNIT / 2, UNIT, 4) and not sound(rms, rms, UNIT / 2 * 0.99, UNIT, 4)
    assert sound(rms, rms, 64 * rms, UNIT, 4) and not sound(rms, rms, 65 * rms, UNIT, 4)
    # Where it is not known how many elements there are, there is one.
    assert sound(rms, 64 * rms * 0.999, None, UNIT, 0)
    assert not sound(rms, 64 * rms * 1.001, None, UNIT, 0)


def test_an_error_is_over_what_is_finite() -> None:
    truth = replace(leaf([0.0, 3.0, 4.0]), nonfinite="1 NaN: 0123456789abcdef", rms=5.0)
    off = leaf([0.0, 3.0, 9.0])
    assert error_of(truth, off) == pytest.approx((1 / math.sqrt(2), 1.0))
    assert error_of(replace(truth, nonfinite=""), off) == pytest.approx((1 / math.sqrt(3), 1.0))
    # A sketch has lost its places: all of it counts.
    wide = replace(truth, shape=(300,))
    assert error_of(wide, off) == pytest.approx((1 / math.sqrt(3), 1.0))


def test_where_nothing_is_finite_nothing_errs() -> None:
    lost = replace(leaf([0.0, 0.0]), nonfinite="2 NaN: 0123456789abcdef", rms=0.0)
    assert error_of(lost, lost) == (0.0, 0.0)
    rms, largest = error_of(lost, leaf([0.0, 1.0])) or (0.0, 0.0)
    assert rms > 0.0 and largest == 1.0


def test_an_error_of_what_is_zero_is_absolute() -> None:
    assert error_of(leaf([0.0, 0.0]), leaf([3.0, 3.0])) == (3.0, 3.0)
    assert error_of(leaf([1e-30] * 2), leaf([3e-30] * 2)) == pytest.approx((2.0, 2.0))


def test_errors_whose_squares_overflow_are_numbers() -> None:
    assert error_of(leaf([1.0, 1.0]), leaf([1e200, 1.0])) == pytest.approx(
        (1e200 / math.sqrt(2), 1e200)
    )


def test_regrouped_runs_count_apart_only_where_they_err_more() -> None:
    few = [(1e-6, 1e-6)] * 12
    floor = floor_from(few, 1000, UNIT)
    # All err alike: from so many numbers nothing is widened but a little.
    assert floor.rms == pytest.approx(1e-6, rel=1e-2)
    assert floor.largest == pytest.approx(floor.rms * math.sqrt(1 + 2 * math.log(1000)))
    more = [(1e-7, 1e-7), (1e-6, 1e-5)] * 6
    raised = floor_from(more, 1000, UNIT)
    assert raised.rms == pytest.approx(1e-6 * student_factor(12)) and raised.largest == 1e-5
    # The same errors the other way round: the mean of all counts.
    less = [(1e-6, 1e-6), (1e-7, 1e-7)] * 6
    mean = 1e-6 * math.sqrt(0.505)
    assert floor_from(less, 1000, UNIT).rms == pytest.approx(mean * student_factor(12))
    assert floor_from([], 4, UNIT).rms == math.inf
    assert floor_from([(1e-6, 1e-6), None], 4, UNIT) == Floor(math.inf, math.inf)


def test_factors_are_student_s_at_each_degree_of_freedom_that_is_tabled() -> None:
    tabled = {4: 49.459, 5: 28.478, 6: 20.048, 7: 15.767, 8: 13.257, 10: 10.516, 12: 9.085}
    tabled |= {15: 7.903, 20: 6.927, 30: 6.119, 60: 5.449, 120: 5.158, 1000: 4.922}
    for freedom, quantile in tabled.items():
        assert student_factor(freedom) == pytest.approx(quantile / 4.892)
        assert student_factor(freedom * 0.99) >= student_factor(freedom)
    assert student_factor(1) == student_factor(4)
    assert student_factor(1e6) == pytest.approx(4.922 / 4.892)
