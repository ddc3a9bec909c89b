"""Numbers from a pool: of any shape and size, in their bounds, the same again."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specc.harness.floors.random_numbers import SIZE, Pool, factors, normals


def pool(seed: int, size: float = 0.25, dtype: torch.dtype = torch.float32) -> Pool:
    return Pool(factors(seed, size, dtype), random.Random(seed))


@given(
    shape=st.lists(st.integers(0, 6), max_size=4).map(tuple),
    seed=st.integers(0, 3),
    turned=st.booleans(),
)
def test_what_is_multiplied_is_what_is_given(
    shape: tuple[int, ...], seed: int, turned: bool
) -> None:
    tensor = torch.full(shape, 3.0)
    if turned:
        tensor = tensor.permute(tuple(range(len(shape)))[::-1])
    expected = 3.0 * pool(seed).like(tensor)
    pool(seed).multiply(tensor)
    assert torch.equal(tensor, expected)
    assert ((tensor >= 2.25) & (tensor <= 3.75)).all()


def test_strides_that_reach_past_the_pool_are_no_matter() -> None:
    tensor = torch.ones(40, 4 * SIZE // 40)[:, :: SIZE // 20]
    expected = pool(1).like(tensor).clone()
    pool(1).multiply(tensor)
    assert torch.equal(tensor, expected) and tensor.unique().numel() == tensor.numel()


@pytest.mark.parametrize("count", [SIZE // 2 + 1, SIZE, 3 * SIZE + 5])
@pytest.mark.parametrize("turned", [False, True])
def test_a_pool_is_gone_through_again_and_again(count: int, turned: bool) -> None:
    tensor = torch.ones(2, count).t() if turned else torch.ones(2, count)
    expected = pool(1).like(tensor).clone()
    pool(1).multiply(tensor)
    assert torch.equal(tensor, expected)
    # As they lie in memory.
    flat = (expected.t() if turned else expected).reshape(-1)
    assert torch.equal(flat[: 2 * count - SIZE], flat[SIZE:])
    assert 0.99 < float(flat.mean()) < 1.01 and float(flat.std()) == pytest.approx(0.144, rel=0.02)


def test_stretches_begin_in_other_places() -> None:
    given = pool(1)
    tensor = torch.ones(64)
    first, second = (given.like(tensor).clone() for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, pool(1).like(tensor))
    assert not torch.equal(first, pool(2).like(tensor))


def test_normal_numbers_are_normal() -> None:
    drawn = normals(5, torch.float64)
    assert abs(float(drawn.mean())) < 0.01 and float(drawn.std()) == pytest.approx(1.0, abs=0.01)
    assert float(drawn.pow(4).mean()) == pytest.approx(3.0, abs=0.1)


def test_a_mirror_image_moves_the_other_way() -> None:
    one, other = factors(3, 0.5, torch.float64), factors(3, -0.5, torch.float64)
    assert torch.allclose(one + other, torch.tensor(2.0, dtype=torch.float64), rtol=0, atol=1e-15)


@pytest.mark.parametrize("side", [4, 80])
def test_images_with_channels_last_are_moved_as_they_lie(side: int) -> None:
    images = torch.ones(2, 8, side, side).contiguous(memory_format=torch.channels_last)
    drawn = pool(1).like(images)
    assert drawn.stride() == images.stride()
    expected = drawn.clone()
    pool(1).multiply(images)
    assert torch.equal(images, expected)
    row = torch.ones(images.numel())
    pool(1).multiply(row)
    assert torch.equal(images.permute(0, 2, 3, 1).reshape(-1), row)


def test_what_has_gaps_is_moved_and_nothing_between() -> None:
    whole = torch.ones(3 * SIZE)
    pool(1).multiply(whole[::2])
    assert torch.equal(whole[1::2], torch.ones_like(whole[1::2]))
    assert not (whole[::2] == 1.0).all()
