"""The portable twins of the layers that draw and are no dropout, against torch's own layers."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from specc.harness.numbers.counter import stream
from specc.harness.numbers.noise import make_portable, normal, set_step


def _portable(layer: nn.Module) -> nn.Sequential:
    module = nn.Sequential(layer).train()
    report = make_portable(module, 3)
    assert report.replaced == ("0",)
    return module


def _values(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return normal(0, "values", shape, dtype=dtype)


# ── RReLU ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("lower", "upper"), [(0.125, 1 / 3), (-0.5, 0.5), (0.25, 0.25)])
def test_slopes_lie_between_the_bounds_and_around_their_mean(lower: float, upper: float) -> None:
    value = -torch.ones(40_000, dtype=torch.float64)
    slopes = -_portable(nn.RReLU(lower, upper))(value)
    assert lower <= slopes.min() and slopes.max() <= upper
    # The mean of n uniform draws: within six standard deviations, and a unit of a slope's grid.
    spread = (upper - lower) / 12**0.5
    assert abs(slopes.mean() - (lower + upper) / 2) < 6 * spread / 200 + 2**-9
    assert slopes.std() == pytest.approx(spread, rel=0.03, abs=1e-12)


def test_what_is_positive_stays_and_what_is_not_is_scaled() -> None:
    value = _values(4, 50)
    found = _portable(nn.RReLU())(value)
    assert torch.equal(found[value > 0], value[value > 0])
    ratio = (found / value)[value <= 0]
    assert 0.125 <= ratio.min() and ratio.max() <= 1 / 3 + 1e-12


def test_slopes_are_the_same_numbers_in_every_dtype() -> None:
    module = _portable(nn.RReLU())
    slopes = [
        -module(-torch.ones(999, dtype=dtype)).double()
        for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16)
    ]
    assert all(torch.equal(slopes[0], each) for each in slopes[1:])
    assert slopes[0].unique().numel() > 50


def test_evaluation_is_torchs() -> None:
    value = _values(4, 50, dtype=torch.float32)
    layer = nn.RReLU(0.1, 0.4)
    portable = _portable(copy.deepcopy(layer)).eval()
    assert torch.equal(portable(value), layer.eval()(value))


# ── FractionalMaxPool ────────────────────────────────────────────────────────────────────────────

POOLS = [
    (nn.FractionalMaxPool2d(2, output_size=(3, 4)), (2, 3, 9, 11)),
    (nn.FractionalMaxPool2d((2, 3), output_ratio=(0.5, 0.6)), (2, 3, 9, 11)),
    (nn.FractionalMaxPool3d(2, output_size=3), (2, 2, 7, 8, 9)),
    (nn.FractionalMaxPool3d(2, output_ratio=0.5, return_indices=True), (2, 2, 8, 8, 9)),
    (nn.FractionalMaxPool2d(2, output_size=3, return_indices=True), (2, 3, 9, 11)),
]


def _samples(shape: tuple[int, ...], module: nn.Sequential) -> Tensor:
    """What the twin draws for an input of ``shape``, drawn again."""
    twin: Any = module[0]
    batch, channels, *spatial = shape
    words = stream(twin.key, twin.noise_step, batch * channels * len(spatial))
    odd = ((words >> 11) & 63) * 2 + 1
    return (odd.double() / 128).reshape(batch, channels, len(spatial))


@pytest.mark.parametrize(("layer", "shape"), POOLS)
def test_windows_are_pooled_as_torch_pools_them(layer: Any, shape: tuple[int, ...]) -> None:
    value = _values(*shape)
    portable = _portable(copy.deepcopy(layer))
    layer._random_samples = _samples(shape, portable)
    wanted, found = layer(value), portable(value)
    for one, other in zip(_tuple(wanted), _tuple(found), strict=True):
        assert torch.equal(one, other)


def _tuple(result: Any) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def test_windows_move_with_the_step_and_in_evaluation_too() -> None:
    portable = _portable(nn.FractionalMaxPool2d(2, output_size=(3, 4))).eval()
    value = _values(2, 3, 12, 13)
    first = portable(value)
    assert torch.equal(first, portable(value))
    set_step(portable, 1)
    assert not torch.equal(first, portable(value))


# ── every target ─────────────────────────────────────────────────────────────────────────────────


DROPOUTS = [
    (nn.Dropout(0.3), (3, 6)),
    (nn.Dropout2d(0.5), (3, 4, 2, 2)),
    (nn.AlphaDropout(0.3), (3, 6)),
    (nn.FeatureAlphaDropout(0.5), (3, 4, 2, 2)),
]


@pytest.mark.parametrize(
    ("layer", "shape"), [(nn.RReLU(), (3, 6)), *POOLS, *DROPOUTS], ids=lambda given: str(given)[:24]
)
def test_scripted_and_exported_draw_the_same(layer: Any, shape: tuple[int, ...]) -> None:
    module = _portable(copy.deepcopy(layer))
    value = _values(*shape, dtype=torch.float32)
    wanted = _tuple(module(value))
    scripted = torch.jit.script(copy.deepcopy(module))
    exported = torch.export.export(copy.deepcopy(module), (value,)).module()
    for found in (_tuple(scripted(value)), _tuple(exported(value))):
        assert all(torch.equal(one, other) for one, other in zip(wanted, found, strict=True))


def test_gradients_pass_through() -> None:
    value = (-torch.ones(2, 3, 6, 6, dtype=torch.float64)).requires_grad_()
    module = nn.Sequential(nn.RReLU(), nn.FractionalMaxPool2d(2, output_size=2))
    make_portable(module.train(), 0)
    module(value).sum().backward()
    assert value.grad is not None
    # One gradient a window, each the slope of its place.
    taken = value.grad[value.grad != 0]
    assert taken.numel() <= 2 * 3 * 4 and 0.125 <= taken.min()


def test_a_layer_alone_cannot_be_replaced() -> None:
    with pytest.raises(ValueError, match="in place"):
        make_portable(nn.RReLU(), 0)
