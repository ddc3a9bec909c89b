"""The sketch: linear, close to the true error, sharp for a single element, portable."""

from __future__ import annotations

import math

import pytest
import torch

from specc.harness.running import sketch
from specc.harness.running.sketch import BUCKETS, is_sketched


def represent(tensor: torch.Tensor) -> torch.Tensor:
    return sketch.represent(tensor)[0]


def nonfinite_digest(tensor: torch.Tensor) -> str:
    return sketch.represent(tensor)[1]


def rms(tensor: torch.Tensor) -> float:
    return float(tensor.double().square().mean().sqrt())


def test_small_tensors_are_whole_and_not_shared() -> None:
    tensor = torch.randn(16, 16, dtype=torch.float64)
    kept = represent(tensor)
    assert torch.equal(kept, tensor.reshape(-1))
    tensor.zero_()
    assert float(kept.abs().max()) > 0
    assert not is_sketched(BUCKETS) and is_sketched(BUCKETS + 1)


def test_it_is_linear() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(3, 1000, generator=generator, dtype=torch.float64) for _ in range(2))
    assert torch.allclose(represent(a - b), represent(a) - represent(b), atol=1e-12)


@pytest.mark.parametrize("elements", [300, 5_000, 200_000])
def test_the_error_is_recovered_within_some_per_cent(elements: int) -> None:
    generator = torch.Generator().manual_seed(elements)
    ratios = []
    for _ in range(40):
        error = torch.randn(elements, generator=generator, dtype=torch.float64)
        ratios.append(rms(represent(error)) / rms(error))
    average = sum(ratios) / len(ratios)
    spread = math.sqrt(sum((ratio - average) ** 2 for ratio in ratios) / len(ratios))
    assert abs(average - 1) < 0.03
    assert spread < 1.5 * math.sqrt(1 / (2 * BUCKETS))


@pytest.mark.parametrize("shape", [(64, 64, 3, 3), (512, 256), (8, 32, 26, 26)])
def test_an_error_in_one_channel_is_recovered(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    for channel in range(0, shape[1], 7):
        error = torch.zeros(shape, dtype=torch.float64)
        error[:, channel] = torch.randn(error[:, channel].shape, generator=generator).double()
        assert 0.6 < rms(represent(error)) / rms(error) < 1.4


def test_one_wrong_element_stands_out() -> None:
    generator = torch.Generator().manual_seed(2)
    noise = 1e-7 * torch.randn(100_000, generator=generator, dtype=torch.float64)
    usual = float(represent(noise).abs().max())
    for place in (0, 12_345, 99_999):
        wrong = noise.clone()
        wrong[place] += 1e-4
        assert float(represent(wrong).abs().max()) > 10 * usual


def test_the_signs_are_balanced_and_fixed() -> None:
    sums = represent(torch.ones(BUCKETS * 400)) * math.sqrt(400)
    assert rms(sums) == pytest.approx(20, rel=0.2)
    # The signs are part of the golden format: with others every sketch on disk would be wrong.
    assert sums[:4].round().tolist() == [0, -24, 0, 20]


def test_where_nan_and_infinity_are_is_remembered() -> None:
    clean = torch.randn(400)
    assert nonfinite_digest(clean) == ""
    digests = set()
    for place, number in ((3, math.nan), (4, math.nan), (3, math.inf), (3, -math.inf)):
        broken = clean.clone()
        broken[place] = number
        digests.add(nonfinite_digest(broken))
        assert bool(torch.isfinite(represent(broken)).all())
    assert len(digests) == 4 and "" not in digests


def test_a_large_finite_tensor_is_not_called_infinite() -> None:
    assert nonfinite_digest(torch.full((100_000,), 3e38)) == ""
    assert nonfinite_digest(torch.arange(5)) == ""


@pytest.mark.parametrize("elements", [1024 * BUCKETS - 1, 1024 * BUCKETS + 1, 2_000_000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_pieces_make_the_sketch_of_the_whole(elements: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(elements)
    tensor = torch.randn(elements, generator=generator).to(dtype)
    index = torch.arange(elements)
    word = (index + 1) * -0x61C8864680B583EB
    word = (word ^ ((word >> 30) & (2**34 - 1))) * -0x40A7B892E31B1A47
    word = (word ^ ((word >> 27) & (2**37 - 1))) * -0x6B2FB644ECCEEE15
    signs = 1.0 - 2.0 * ((word ^ ((word >> 31) & (2**33 - 1))) & 1).double()
    expected = torch.zeros(BUCKETS, dtype=torch.float64)
    expected.index_add_(0, index % BUCKETS, tensor.double() * signs)
    expected *= math.sqrt(BUCKETS / elements)
    assert torch.allclose(represent(tensor), expected, rtol=1e-12, atol=1e-10)
