"""The portable generator: pinned bits, a big-integer reference, statistics, independence."""

from __future__ import annotations

import hashlib
import math
from statistics import NormalDist

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.harness.numbers.counter import BLOCK, key_of, stream
from specc.harness.numbers.noise import VERSION, bits, integers, normal, uniform
from specc.harness.numbers.noise import normal_quantile as quantile

MASK = 2**64 - 1


def reference_bits(seed: int, name: str, count: int, step: int = 0) -> list[int]:
    """Version 2 in Python's unbounded integers, as unsigned words."""

    def finalise(word: int) -> int:
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
        return word ^ (word >> 31)

    digest = hashlib.blake2b(f"2\0{seed}\0{name}".encode(), digest_size=8).digest()
    start = finalise((int.from_bytes(digest, "little") + step * 0x9E3779B97F4A7C15) & MASK)
    return [finalise(((start ^ i) * 0x9E3779B97F4A7C15) & MASK) for i in range(count)]


PINNED_FIRST = [7077152661660631498, -5415101762020548549, 5490464475841157709]
PINNED_BITS = [
    [8294764396018377514, 2402096286619996437],
    [-1073453505175340306, -1421970903225074859],
]
PINNED_UNIFORM = ["-0x1.054812c973620p-3", "0x1.b1f1edaf61700p-2", "0x1.e041552ccfb70p-1"]
PINNED_NORMAL = ["-0x1.48e0382f4931ap-3", "0x1.1e28fd23274cep-1", "0x1.ddc4d4b97a0dfp+0"]
PINNED_TAILS = [
    "-0x1.06b48528cea51p+3",
    "-0x1.286074064c26ep+5",
    "-0x1.7fdc11f44b5a7p+2",
    "-0x1.79cd70d9c27f0p+0",
]
PINNED_INTEGERS = [3, 4, 8, 3, 7, 0, 5, 4]


def test_version_two_never_changes() -> None:
    assert VERSION == 2
    assert bits(0, "a", (3,)).tolist() == PINNED_FIRST
    assert bits(7, "fc1.weight", (2, 2), step=5).tolist() == PINNED_BITS
    assert [value.hex() for value in uniform(7, "x", (3,), -1.0, 1.0).tolist()] == PINNED_UNIFORM
    assert [value.hex() for value in normal(7, "x", (3,)).tolist()] == PINNED_NORMAL
    tails = torch.tensor([2.0**-53, 1e-300, 1e-9, 0.07], dtype=torch.float64)
    assert [value.hex() for value in quantile(tails).tolist()] == PINNED_TAILS
    assert integers(7, "label", (8,), 10).tolist() == PINNED_INTEGERS


@settings(max_examples=60, deadline=None)
@given(
    st.integers(-(2**70), 2**70), st.text(max_size=30), st.integers(0, 40), st.integers(0, 2**40)
)
def test_bits_equal_the_reference_in_python_integers(
    seed: int, name: str, count: int, step: int
) -> None:
    words = [word & MASK for word in bits(seed, name, (count,), step=step).tolist()]
    assert words == reference_bits(seed, name, count, step)


def test_indices_count_in_row_major_order() -> None:
    flat = bits(3, "w", (24,))
    assert torch.equal(bits(3, "w", (2, 3, 4)), flat.reshape(2, 3, 4))
    assert torch.equal(bits(3, "w", (5,)), flat[:5])
    assert bits(3, "w", ()).shape == ()
    assert bits(3, "w", (0, 4)).shape == (0, 4)
    assert normal(3, "w", (0, 4)).shape == (0, 4)


def test_each_bit_is_set_half_of_the_time() -> None:
    words = bits(1, "bits", (200_000,))
    for position in range(64):
        share = ((words >> position) & 1).double().mean().item()
        assert abs(share - 0.5) < 5 * 0.5 / math.sqrt(len(words)), position


def largest_gap(values: torch.Tensor, distribution: torch.Tensor) -> float:
    """Kolmogorov-Smirnov's statistic of sorted values, times the root of their number."""
    count = len(values)
    grid = torch.arange(count, dtype=torch.float64)
    above = ((grid + 1) / count - distribution).max()
    below = (distribution - grid / count).max()
    return max(above.item(), below.item()) * math.sqrt(count)


# Kolmogorov's statistic exceeds 2.5 once in 130,000 times: 2 exp(-2 * 2.5^2).
@pytest.mark.parametrize("seed", [0, 1, -3])
def test_uniform_has_its_distribution(seed: int) -> None:
    drawn = uniform(seed, "uniform", (100_000,), -2.0, 3.0)
    assert drawn.min() >= -2.0 and drawn.max() < 3.0
    assert abs(drawn.mean().item() - 0.5) < 5 * math.sqrt(25 / 12 / 100_000)
    assert drawn.var().item() == pytest.approx(25 / 12, rel=0.02)
    ordered = drawn.sort().values
    assert largest_gap(ordered, (ordered + 2) / 5) < 2.5


@pytest.mark.parametrize("seed", [0, 1, -3])
def test_normal_has_its_distribution(seed: int) -> None:
    drawn = normal(seed, "normal", (100_000,), 1.0, 2.0)
    assert abs(drawn.mean().item() - 1.0) < 5 * 2 / math.sqrt(100_000)
    assert drawn.std().item() == pytest.approx(2.0, rel=0.015)
    ordered = ((drawn - 1) / 2).sort().values
    exact = [0.5 * math.erfc(-value / math.sqrt(2)) for value in ordered.tolist()]
    assert largest_gap(ordered, torch.tensor(exact, dtype=torch.float64)) < 2.5
    fourth = (((drawn - 1) / 2) ** 4).mean().item()
    assert abs(fourth - 3) < 5 * math.sqrt(96 / 100_000)


def test_the_quantile_is_that_of_the_standard_library() -> None:
    centre = [index / 4001 for index in range(1, 4001)]
    tails = [2.0**-power for power in range(1, 54)] + [1e-300, 1e-100, 1e-30]
    upper = [1 - 2.0**-power for power in range(2, 54)]
    places = centre + tails + upper
    found = quantile(torch.tensor(places, dtype=torch.float64)).tolist()
    for place, value in zip(places, found, strict=True):
        assert value == pytest.approx(NormalDist().inv_cdf(place), rel=1e-15, abs=1e-15)


@pytest.mark.parametrize("bound", [1, 2, 3, 10, 1000])
def test_integers_are_even(bound: int) -> None:
    drawn = integers(5, "label", (100_000,), bound)
    assert drawn.dtype == torch.int64 and drawn.min() >= 0 and drawn.max() < bound
    counts = torch.bincount(drawn, minlength=bound).double()
    expected = 100_000 / bound
    chi_squared = ((counts - expected) ** 2 / expected).sum().item()
    # Chi squared has mean and half variance of its degrees of freedom; six deviations.
    assert chi_squared <= bound - 1 + 6 * math.sqrt(2 * bound)


def correlation(left: torch.Tensor, right: torch.Tensor) -> float:
    """The correlation of two samples in units of its own standard deviation."""
    stacked = torch.stack([left.flatten(), right.flatten()])
    return torch.corrcoef(stacked)[0, 1].item() * math.sqrt(left.numel())


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((0, "a", 0), (0, "b", 0)),
        ((0, "fc1.weight", 0), (0, "fc2.weight", 0)),
        ((0, "a", 0), (1, "a", 0)),
        ((0, "a", 0), (0, "a", 1)),
        ((0, "a", 7), (0, "a", 8)),
    ],
)
def test_names_seeds_and_steps_draw_independently(
    left: tuple[int, str, int], right: tuple[int, str, int]
) -> None:
    first, second = (normal(s, n, (50_000,), step=at) for s, n, at in (left, right))
    assert abs(correlation(first, second)) < 5
    assert abs(correlation(first.abs(), second.abs())) < 5
    assert not torch.isin(
        bits(*left[:2], (2000,), step=left[2]), bits(*right[:2], (2000,), step=right[2])
    ).any()


@pytest.mark.parametrize("lag", [1, 2, 3, 7, 16, 64, 128, 1024])
def test_neighbouring_elements_draw_independently(lag: int) -> None:
    drawn = uniform(9, "lag", (50_000,))
    assert abs(correlation(drawn[:-lag], drawn[lag:])) < 5
    low = bits(9, "lag", (50_000,)) & 0xFF
    assert abs(correlation(low[:-lag].double(), low[lag:].double())) < 5


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_dtype_is_the_rounding_of_float64_and_never_the_upper_bound(dtype: torch.dtype) -> None:
    exact = uniform(2, "u", (50_000,), 0.25, 0.5)
    drawn = uniform(2, "u", (50_000,), 0.25, 0.5, dtype)
    assert drawn.dtype == dtype and drawn.max() < 0.5 and drawn.min() >= 0.25
    inside = exact.to(dtype) < 0.5
    assert torch.equal(drawn[inside], exact.to(dtype)[inside])
    assert inside.double().mean() > 0.9
    assert torch.equal(normal(2, "n", (100,), dtype=dtype), normal(2, "n", (100,)).to(dtype))


def test_torch_draws_nothing() -> None:
    before = torch.get_rng_state()
    normal(0, "a", (10,))
    uniform(0, "a", (10,))
    integers(0, "a", (10,), 3)
    assert torch.equal(before, torch.get_rng_state())


def test_threads_do_not_change_the_values() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = normal(4, "threads", (200_000,))
        torch.set_num_threads(2)
        assert torch.equal(alone, normal(4, "threads", (200_000,)))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: uniform(0, "a", (1,), 1.0, 1.0),
        lambda: uniform(0, "a", (1,), 0.0, math.inf),
        lambda: normal(0, "a", (1,), 0.0, -1.0),
        lambda: normal(0, "a", (1,), math.nan),
        lambda: integers(0, "a", (1,), 0),
        lambda: integers(0, "a", (1,), 2**53),
    ],
)
def test_impossible_draws_are_refused(draw: object) -> None:
    assert callable(draw)
    with pytest.raises(ValueError, match="wants"):
        draw()


@pytest.mark.parametrize("count", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
def test_blocks_make_the_stream_of_the_whole(count: int) -> None:
    whole = stream(key_of(7, "weight"), torch.tensor(3), count)
    assert torch.equal(bits(7, "weight", (count,), step=3), whole)
    unit = ((whole >> 11) & (2**53 - 1)).double() * 2.0**-53
    assert torch.equal(uniform(7, "weight", (count,), step=3), unit)
    middle = (((whole >> 12) & (2**52 - 1)).double() + 0.5) * 2.0**-52
    assert torch.equal(normal(7, "weight", (count,), step=3), quantile(middle))
