"""What inner sums lose: as much as the formula says, in each product, and nothing where sums are
kept wider."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from specc.harness.floors.accumulate import LANES, _sums, accumulated
from specc.harness.floors.random_numbers import Pool, normals
from specc.harness.floors.rounding import RandomRounding

EPS = 2.0**-23

Shape = tuple[int, ...]
Product = Callable[[Tensor, Tensor], Tensor]


def added(left: Tensor, right: Tensor) -> Tensor:
    return torch.addmm(torch.zeros(64, dtype=left.dtype), left, right)


# What is computed, from what, and how many terms go into each element.
PRODUCTS: dict[str, tuple[Product, Shape, Shape, int]] = {
    "mm": (torch.mm, (64, 300), (300, 64), 300),
    "bmm": (torch.bmm, (4, 32, 300), (4, 300, 32), 300),
    "addmm": (added, (64, 300), (300, 64), 300),
    "convolution": (torch.conv2d, (4, 16, 12, 12), (8, 16, 3, 3), 144),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_lose_what_sums_of_so_many_terms_lose(name: str) -> None:
    multiply, left, right, terms = PRODUCTS[name]
    source = torch.Generator().manual_seed(1)
    one, other = (torch.randn(shape, generator=source) for shape in (left, right))
    exact = multiply(one.double(), other.double())
    squares: list[float] = []
    for seed in range(6):
        # Without rounding of the result: what is left is the accumulators'.
        with RandomRounding(seed, torch.float32, scale=0.0, lanes=1, accumulate=True):
            found = multiply(one, other)
        squares.append(float((found.double() - exact).square().mean()))
    # Terms of mean zero and mean square 1, in LANES partial sums.
    predicted = EPS / 4 * math.sqrt(terms / LANES * (terms / 2 + float(exact.square().mean()) / 3))
    own = EPS / 4 * math.sqrt(float(exact.square().mean()))
    found_rms = math.sqrt(sum(squares) / len(squares))
    assert 0.9 * predicted < found_rms < 1.1 * predicted + 4 * own


def test_halves_are_summed_wider() -> None:
    one = torch.randn(16, 64).bfloat16()
    noisy = RandomRounding(1, torch.bfloat16, scale=0.0, lanes=1, accumulate=True)
    plain = RandomRounding(1, torch.bfloat16, scale=0.0, lanes=1)
    with noisy:
        found = one @ one.t()
    with plain:
        expected = one @ one.t()
    assert torch.equal(found, expected)


class Ones(Pool):
    """The same number for all: what is added shows."""

    def __init__(self) -> None:
        super().__init__(normals(1, torch.float32), random.Random(1))

    def like(self, tensor: Tensor) -> Tensor:
        return torch.full(tensor.shape, 1e6)


def test_each_gradient_of_a_convolution_loses_what_its_sums_lose() -> None:
    source = torch.Generator().manual_seed(2)
    value, weight, given = (
        torch.randn(shape, generator=source)
        for shape in ((4, 16, 12, 12), (8, 16, 3, 3), (4, 8, 10, 10))
    )
    function = torch.ops.aten.convolution_backward.default
    how: tuple[Any, ...] = ([8], [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, True, True])
    arguments = (given, value, weight, *how)
    plain = function(*arguments)
    found = tuple(each.clone() for each in plain)
    accumulated("convolution_backward", function, arguments, found, Ones())
    assert torch.equal(found[2], plain[2])  # a sum, and no product: it is really added up
    for one, other, terms in zip(found[:2], plain[:2], (8 * 9, 4 * 10 * 10), strict=True):
        lost = (one - other).double() / (1e6 * EPS / 4)
        own = other.double().square().mean().sqrt()
        assert float(lost.min()) > 0
        # Between no mean at all and nothing but: the formula's two ends.
        assert math.sqrt(terms / LANES / 3) * own < float(lost.square().mean().sqrt())
        assert float(lost.square().mean().sqrt()) < 4 * math.sqrt(terms / LANES) * own


def test_nothing_is_lost_of_a_single_term() -> None:
    one = torch.randn(4, 1)
    found = one @ one.t()
    kept = found.clone()
    accumulated("mm", torch.ops.aten.mm.default, (one, one.t()), found, Ones())
    assert torch.equal(found, kept)
    two = torch.randn(4, 2)
    found = two @ two.t()
    kept = found.clone()
    accumulated("mm", torch.ops.aten.mm.default, (two, two.t()), found, Ones())
    assert not torch.equal(found, kept)


def of_squares(name: str, args: tuple[Any, ...]) -> list[Tensor]:
    """The sums of squared terms, from the product of the squares itself."""
    function = getattr(torch.ops.aten, name).default
    if name == "convolution":
        return [function(args[0].square(), args[1].square(), None, *args[3:])]
    return list(function(*(each.square() for each in args[:3]), *args[3:]))[:2]


CONVOLUTIONS = {
    "plain": ((4, 6, 12, 12), (8, 6, 3, 3), False, 1, 1, 0),
    "groups": ((4, 6, 12, 12), (8, 3, 3, 3), False, 2, 1, 1),
    "depthwise": ((4, 6, 12, 12), (6, 1, 3, 3), False, 6, 1, 1),
    "stride": ((4, 6, 13, 13), (8, 6, 3, 3), False, 1, 2, 0),
    "transposed": ((4, 6, 8, 8), (6, 8, 3, 3), True, 1, 2, 0),
    "transposed groups": ((4, 6, 8, 8), (6, 4, 3, 3), True, 2, 1, 0),
    "one dimension": ((4, 6, 40), (8, 6, 5), False, 1, 1, 0),
    "three dimensions": ((2, 4, 6, 6, 6), (8, 4, 2, 2, 2), False, 1, 1, 0),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_squares_are_summed_without_another_product(case: str) -> None:
    shape, kernel, transposed, groups, stride, padding = CONVOLUTIONS[case]
    source = torch.Generator().manual_seed(3)
    # Channels of sizes of their own: each must be found where it is.
    value = torch.randn(shape, generator=source) * torch.arange(1.0, shape[1] + 1).view(
        -1, *[1] * (len(shape) - 2)
    )
    weight = torch.randn(kernel, generator=source)
    many = len(shape) - 2
    how = ([stride] * many, [padding] * many, [1] * many, transposed, [0] * many, groups)
    forward = (value, weight, None, *how)
    result = torch.ops.aten.convolution(*forward)
    gradient = torch.randn(result.shape, generator=source)
    backward = (gradient, value, weight, [0], *how, [True, True, False])
    for name, args in (("convolution", forward), ("convolution_backward", backward)):
        function = getattr(torch.ops.aten, name).default
        found = [squares for _, squares, _ in _sums(name, function, args, function(*args))]
        if name == "convolution":
            found = found[:1]
        for one, other in zip(found, of_squares(name, args), strict=True):
            assert one.shape == other.shape
            ratio = one.double().mean() / other.double().mean()
            assert 0.7 < float(ratio) < 1.4
            near = (one / other.clamp(min=1e-3)).median()
            assert 0.5 < float(near) < 2.0
