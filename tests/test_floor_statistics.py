"""Floors from several runs: wide enough for few numbers, and for numbers that err together."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from specc.harness.floors.floor_statistics import error_of, floor_of, student_factor
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
