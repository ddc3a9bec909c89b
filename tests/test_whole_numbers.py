"""Whole numbers: no honest order of summation is off, and the least of wrong factors is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from harness_support import mlp
from torch import Tensor, nn

from specc.harness.floors.machine import random_rounding, threads
from specc.harness.floors.whole_numbers import off_on_whole_numbers
from specc.harness.running.kernels import plain_kernels
from specc.harness.running.layer_calls import RecordedCall, calls_kept
from specc.harness.running.ongoing_run import Setting

SETTING = Setting("eager", "cpu", "float32")


def called(layer: nn.Module, given: Tensor) -> RecordedCall:
    into: dict[str, RecordedCall] = {}
    holder = nn.Sequential(layer)
    with calls_kept(holder, ["0"], into):
        holder(given)
    return into["0"]


def factor(size: float) -> Callable[..., Tensor]:
    return lambda layer, given, output: (output.double() * size).to(output.dtype)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (3, 5), (0,)])
@pytest.mark.parametrize(("inside", "outside"), [(1, 1), (784, 1), (4097, 3), (33, 130)])
@pytest.mark.parametrize("bias", [True, False])
def test_no_order_of_summation_is_off(
    shape: tuple[int, ...], inside: int, outside: int, bias: bool
) -> None:
    layer = nn.Linear(inside, outside, bias=bias)
    call = called(layer, torch.randn(*shape, inside))
    assert off_on_whole_numbers(call, SETTING) == 0.0
    with threads(2), plain_kernels(True):
        assert off_on_whole_numbers(call, SETTING) == 0.0
    for lanes in (1, 8):
        around = random_rounding(mlp(), "float32", 0, scale=0.0, lanes=lanes)
        assert off_on_whole_numbers(call, replace(SETTING, around=lambda: around)) == 0.0  # noqa: B023  # called at once


def test_products_in_less_precision_are_right() -> None:
    call = called(nn.Linear(784, 10), torch.randn(4, 784))
    before = torch.get_float32_matmul_precision()
    try:
        for precision in ("highest", "high", "medium"):
            torch.set_float32_matmul_precision(precision)
            assert off_on_whole_numbers(call, SETTING) == 0.0
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(("inside", "outside"), [(1, 1), (784, 1), (4097, 3)])
@pytest.mark.parametrize("size", [1 + 2e-6, 1 - 2e-6, 1.1, float("nan")])
def test_a_factor_is_off_by_itself(inside: int, outside: int, size: float) -> None:
    layer = nn.Linear(inside, outside)
    layer.register_forward_hook(factor(size))
    found = off_on_whole_numbers(called(layer, torch.randn(4, inside)), SETTING)
    assert not 1e-6 > found and found != 0.0


class Own(nn.Linear):
    """What may do with its weights what it likes."""


@pytest.mark.parametrize(
    ("layer", "given"),
    [
        (nn.Conv1d(3, 2, 3), torch.randn(2, 3, 8)),
        (Own(3, 2), torch.randn(2, 3)),
        (nn.Linear(3, 2).double(), torch.randn(2, 3, dtype=torch.float64)),
        (nn.Linear(3, 2).bfloat16(), torch.randn(2, 3, dtype=torch.bfloat16)),
        (nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), torch.randn(2, 3)),
    ],
)
def test_what_may_round_is_not_looked_at(layer: nn.Module, given: Tensor) -> None:
    layer.register_forward_hook(factor(1.1))
    assert off_on_whole_numbers(called(layer, given), SETTING) == 0.0


def test_autocast_is_not_looked_at() -> None:
    layer = nn.Linear(784, 2)
    with torch.autocast("cpu", torch.bfloat16):
        call = called(layer, torch.randn(2, 784))
    assert off_on_whole_numbers(call, SETTING) == 0.0


def test_the_layer_is_left_as_it_was() -> None:
    layer = nn.Linear(5, 3)
    call = called(layer, torch.randn(2, 5))
    before = {name: each.clone() for name, each in call.layer.state_dict().items()}
    generator = torch.get_rng_state()
    off_on_whole_numbers(call, SETTING)
    assert torch.equal(generator, torch.get_rng_state())
    for name, each in call.layer.state_dict().items():
        assert torch.equal(each, before[name])
