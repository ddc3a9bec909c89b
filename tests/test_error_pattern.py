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


def shaped(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5)).double()


def changed(value: Tensor, change: Callable[[Tensor], object]) -> Tensor:
    found = value.clone()
    change(found)
    return found


LINE, PLANE = shaped(8), shaped(5, 5)
OTHERS = "other values, in no pattern, over {}"


@pytest.mark.parametrize(
    ("found", "expected", "text"),
    [
        # Of one element there is no pattern, and of none of them more than that it is another.
        (torch.tensor([2.0]), torch.tensor([1.0]), ""),
        (torch.tensor([0.0]), torch.tensor([1.0]), "all zeros"),
        (torch.zeros(3), torch.zeros(3), ""),
        (torch.ones(3), torch.zeros(3), "every element off by 1.000e+00"),
        (LINE * 1.002, LINE, "every element times 1.002"),
        (LINE * (1 - 5e-4), LINE, "every element times (1 -5.00e-04)"),
        (changed(LINE, lambda t: t[2:6].mul_(3)), LINE, "only [2:6]"),
        (changed(LINE, lambda t: t[0:5].mul_(3)), LINE, OTHERS.format("62% of the elements")),
        (LINE * -(1 + 1.5e-6), LINE, "every element times -1"),
        (LINE * -(1 + 0.5e-6), LINE, "every element with the other sign"),
        (LINE.roll(2), LINE, "moved by 2 along dimension 0"),
        (LINE.roll(-1), LINE, "moved by -1 along dimension 0"),
        (LINE.roll(3), LINE, OTHERS.format("every element")),
        (PLANE.t(), PLANE, "dimensions 0 and 1 exchanged"),
        (PLANE.roll(1, 0), PLANE, "moved by 1 along dimension 0"),
        (changed(PLANE, lambda t: t[2].copy_(t[2].flip(0))), PLANE, "only [2, :]"),
        (
            changed(PLANE, lambda t: t[:, 4].add_(1)),
            PLANE,
            "only [:, 4]: every element off by 1.000e+00",
        ),
        (
            changed(PLANE, lambda t: t[1].neg_()),
            PLANE,
            "only [1, :]: every element with the other sign",
        ),
    ],
)
def test_small_errors_have_names_as_well(found: Tensor, expected: Tensor, text: str) -> None:
    assert pattern(found, expected) == text


def test_what_is_not_finite_in_both_is_no_difference() -> None:
    lost = changed(LINE, lambda t: t[3].fill_(torch.nan))
    assert pattern(lost, lost) == "" and pattern(2 * lost, lost) == "every element times 2"
    assert pattern(lost, LINE) == "1 of 8 elements are not finite"
    # It is finite where the other is not: the others tell.
    assert pattern(LINE, lost) == ""


def test_noise_is_told_from_other_values_by_its_size() -> None:
    signs = torch.where(torch.arange(600) % 7 < 3, 1.0, -1.0).double()
    expected = shaped(600)
    scale = float(expected.square().mean().sqrt())
    assert pattern(expected + 0.049 * scale * signs, expected) == "noise over every element"
    assert pattern(expected + 0.051 * scale * signs, expected).startswith("other values, in no")
    some = torch.where(torch.arange(600) % 3 == 0, signs, 0.0)
    assert pattern(expected + 0.01 * scale * some, expected) == "noise over 33% of the elements"


@pytest.mark.parametrize(("left", "text"), [(0.09, "one element, at [3]"), (0.12, "other values")])
def test_a_pattern_leaves_a_hundredth_unexplained(left: float, text: str) -> None:
    error = torch.zeros(8).double()
    error[3], error[7] = 10.0, 10.0 * left
    assert pattern(LINE + error, LINE).startswith(text)


def test_a_border_is_of_images_alone() -> None:
    image = shaped(1, 1, 5, 5)
    wrong = changed(image, lambda t: t.add_(1.0 + shaped(5, 5).abs()))
    wrong[:, :, 1:-1, 1:-1] = image[:, :, 1:-1, 1:-1]
    assert pattern(wrong, image) == "only the border"
    assert "border" not in pattern(wrong[0, 0], image[0, 0])
