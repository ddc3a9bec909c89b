"""How an error looks, on errors made on purpose."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from specc.harness.judging.error_pattern import pattern

EXPECTED = torch.randn(4, 6, 8, 8, generator=torch.Generator().manual_seed(3)).double()


def _with(change: Callable[[Tensor], object]) -> Tensor:
    found = EXPECTED.clone()
    change(found)
    return found


def _bordered(value: Tensor) -> None:
    inner = value[:, :, 1:-1, 1:-1].clone()
    value += 1.0 + torch.arange(8.0)
    value[:, :, 1:-1, 1:-1] = inner


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (EXPECTED.clone(), ""),
        (EXPECTED * 1.1, "every element times 1.1"),
        (EXPECTED * (1 + 2e-6), "every element times (1 +2.00e-06)"),
        (-EXPECTED, "every element with the other sign"),
        (EXPECTED + 0.25, "every element off by 2.500e-01"),
        (EXPECTED * 0, "all zeros"),
        (_with(lambda t: t[1, 2, 3].__setitem__(4, 9.0)), "one element, at [1, 2, 3, 4]"),
        (_with(lambda t: t[:, 2].zero_()), "only [:, 2, :, :]: all zeros"),
        (_with(lambda t: t[3].mul_(2)), "only [3, :, :, :]: every element times 2"),
        (_with(lambda t: t[:, :2].mul_(-1.5)), "only [:, 0:2, :, :]"),
        (_with(_bordered), "only the border"),
        (EXPECTED.roll(1, 3), "moved by 1 along dimension 3"),
        (EXPECTED.transpose(2, 3), "dimensions 2 and 3 exchanged"),
        (EXPECTED + 1e-3 * torch.sin(EXPECTED * 1e4), "noise over every element"),
        (EXPECTED * torch.sin(EXPECTED * 1e4), "other values, in no pattern, over every element"),
        (EXPECTED[:1], "shape [1, 6, 8, 8] in place of [4, 6, 8, 8]"),
        (_with(lambda t: t[0, 0].fill_(torch.nan)), "64 of 1536 elements are not finite"),
        (EXPECTED / 0, "every element is not finite"),
    ],
)
def test_an_error_has_a_name(found: Tensor, text: str) -> None:
    assert pattern(found, EXPECTED) == text


def test_a_complex_tensor_is_looked_at_as_its_parts() -> None:
    value = torch.complex(EXPECTED, EXPECTED.flip(0))
    assert pattern(2 * value, value) == "every element times 2"


@given(st.lists(st.integers(1, 4), max_size=3), st.integers(0, 2**31))
def test_something_is_said_of_every_difference(shape: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    one, other = (torch.randn(shape, generator=generator) for _ in range(2))
    text = pattern(one, other)
    assert bool(text) or one.numel() == 1
    assert pattern(one, one) == ""
