"""Sums in real orders: the very order, and errors of the size that machines make."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from specc.harness.floors.machine import LANES
from specc.harness.floors.rounding import RandomRounding
from specc.harness.floors.summation import CHUNK, SummationOrder, added

Array = NDArray[np.float32]


def said(terms: Array, lanes: int) -> Array:
    """``added`` in so many words."""
    lanes = min(lanes, len(terms))
    whole = len(terms) - len(terms) % lanes
    totals = []
    for lane in range(lanes):
        column, parts = terms[lane:whole:lanes], []
        for at in range(0, len(column), CHUNK):
            part = np.zeros(terms.shape[1], np.float32)
            for row in column[at : at + CHUNK]:
                part = part + row
            parts.append(part)
        total = np.zeros(terms.shape[1], np.float32)
        for part in parts:
            total = total + part
        totals.append(total)
    found = np.zeros(terms.shape[1], np.float32)
    for row in (*totals, *terms[whole:]):
        found = found + row
    return found


@given(
    st.integers(1, 40), st.integers(1, 5), st.sampled_from((1, 2, 8, 16)), st.integers(0, 2**32 - 1)
)
def test_rows_are_added_in_the_order(count: int, columns: int, lanes: int, seed: int) -> None:
    terms = np.random.default_rng(seed).standard_normal((count, columns)).astype(np.float32)
    assert np.array_equal(added(terms, lanes), said(terms, lanes))


@pytest.mark.parametrize("lanes", (1, 8))
@pytest.mark.parametrize("columns", (1, 3))
def test_long_sums_begin_anew(columns: int, lanes: int) -> None:
    shape = (2 * CHUNK * lanes + 5, columns)
    terms = np.random.default_rng(1).standard_normal(shape).astype(np.float32) + 1
    assert np.array_equal(added(terms, lanes), said(terms, lanes))


def relative(number: float, count: int, order: SummationOrder) -> float:
    value = torch.full((count,), number)
    return abs(float(order.lost(value, [0], False))) / (number * count)


def test_equal_terms_err_with_their_number_and_not_with_its_root() -> None:
    def rms(count: int) -> float:
        order = SummationOrder(random.Random(count))
        found = [relative(0.1 + 0.01 * k, count, order) for k in range(60)]
        return math.sqrt(sum(each**2 for each in found) / len(found))

    assert 2.5 < rms(2048) / rms(512) < 6.0
    # A quarter of a unit an addition, of the partial sum that it makes: Higham 1993.
    assert 0.04 * 2048 < rms(2048) / 2.0**-23 < 0.25 * 2048


def test_a_floor_does_not_hang_on_the_luck_of_digits() -> None:
    # Powers of two add up exactly, and a machine with another scale in front of them does not.
    assert relative(0.25, 4096, SummationOrder(random.Random(0), rescaled=False)) == 0.0
    assert relative(0.25, 4096, SummationOrder(random.Random(0))) > 2.0**-23


def test_the_runs_of_a_floor_hold_what_adding_up_equal_terms_loses() -> None:
    # BatchNorm's gradient behind an average pool, as compiled code adds it up.
    value = (torch.rand(16, 4 * 64 * 64, generator=torch.Generator().manual_seed(4)) > 0.5) * (
        torch.linspace(0.011, 0.019, 16).view(-1, 1)
    )
    exact = value.double().sum(1)
    found = torch.from_numpy(added(value.t().contiguous().numpy(), 1))
    sequential = float(((found.double() - exact) / exact).square().mean().sqrt())
    assert sequential > 50 * 2.0**-23
    squares = []
    for seed, lanes in enumerate(LANES):
        with RandomRounding(seed, torch.float32, lanes=lanes):
            squares.append((((value.sum(1).double() - exact) / exact) ** 2).mean())
    assert sequential < 2 * float(torch.stack(squares).mean().sqrt())


@pytest.mark.parametrize("keep", (False, True))
@pytest.mark.parametrize("dims", ([0], [-1], [0, 2], [2, 0], [0, 1, 2]))
def test_the_error_has_the_shape_of_the_sum(dims: list[int], keep: bool) -> None:
    value = torch.rand(5, 3, 7, generator=torch.Generator().manual_seed(2))
    lost = SummationOrder(random.Random(1), rescaled=False).lost(value, dims, keep)
    exact = value.double().sum(dims, keepdim=keep)
    assert lost.shape == exact.shape
    assert float(lost.abs().max()) < 1e-5
    numbers = value.permute(2, 0, 1).reshape(35, 3).numpy() if dims == [2, 0] else None
    if numbers is not None and not keep:
        assert torch.allclose(
            exact + lost.double(), torch.from_numpy(added(numbers, 1)).double(), atol=1e-7
        )


@pytest.mark.parametrize("dtype", (torch.bfloat16, torch.float16))
def test_halves_are_added_up_in_float32(dtype: torch.dtype) -> None:
    value = torch.full((3000,), 30.0, dtype=dtype)
    lost: Tensor = SummationOrder(random.Random(3)).lost(value, [0], False)
    assert lost.dtype == torch.float32
    assert abs(float(lost)) < 1e-3 * 90_000


def test_float64_is_added_up_in_itself() -> None:
    value = torch.full((4000,), 0.1, dtype=torch.float64)
    lost = SummationOrder(random.Random(3)).lost(value, [0], False)
    assert lost.dtype == torch.float64
    assert 0.0 < abs(float(lost)) < 1e-9
