"""Portable dropout: torch's semantics, equal to the bit in every target."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from specc.harness.numbers.noise import make_portable, normal, set_step
from specc.targets import TARGETS
from specc.targets.live import module_class

SOURCE = """
import torch
from torch import Tensor, nn


class Every(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Dropout(0.5)
        self.rows = nn.Dropout1d(0.25)
        self.maps = nn.Sequential(nn.Dropout2d(0.4), nn.Dropout3d(0.1))
        self.alpha = nn.AlphaDropout(0.3)
        self.feature = nn.FeatureAlphaDropout(0.2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        signal = image.flatten(2)
        volume = image.unsqueeze(-1)
        return (
            self.plain(image),
            self.rows(signal),
            self.maps[0](image),
            self.maps[1](volume),
            self.alpha(image),
            self.feature(image),
        )
"""
NAMES = ("plain", "rows", "maps.0", "maps.1", "alpha", "feature")
PROBABILITIES = (0.5, 0.25, 0.4, 0.1, 0.3, 0.2)


def every() -> nn.Module:
    module = module_class(SOURCE, "Every", "every")().train()
    assert make_portable(module, seed=11).replaced == NAMES
    return module


def image(dtype: torch.dtype, requires_grad: bool = False) -> Tensor:
    return normal(0, "image", (3, 5, 4, 7), dtype=dtype).requires_grad_(requires_grad)


def holder(layer: nn.Module, seed: int = 11) -> nn.Sequential:
    made = nn.Sequential(layer)
    make_portable(made, seed)
    return made


# A compiler run for each of a dozen kernels.
COMPILED = pytest.param("compile", marks=pytest.mark.slow)


@pytest.mark.parametrize("target", [COMPILED, "torchscript", "export"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_every_layer_is_equal_to_the_bit_in_every_target(target: str, dtype: torch.dtype) -> None:
    eager = every()
    module = every()
    runnable = TARGETS[target].runnable(module, (image(dtype),))
    for step in range(3):
        set_step(eager, step)
        set_step(runnable, step)
        ours, theirs = image(dtype, True), image(dtype, True)
        expected, found = eager(ours), runnable(theirs)
        for name, left, right in zip(NAMES, expected, found, strict=True):
            assert torch.equal(left, right), (name, step)
        for outputs in (expected, found):
            sum((each * each.detach()).sum() for each in outputs).backward()
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_bfloat16_masks_are_equal_compiled() -> None:
    eager, module = every(), every()
    runnable = TARGETS["compile"].runnable(module, (image(torch.bfloat16),))
    expected, found = eager(image(torch.bfloat16)), runnable(image(torch.bfloat16))
    for name, left, right in zip(NAMES, expected, found, strict=True):
        assert left.dtype == right.dtype == torch.bfloat16
        if name in ("alpha", "feature"):
            # Two operations: fused, the first is not rounded to bfloat16.
            torch.testing.assert_close(left, right, rtol=2**-7, atol=2**-7)
        else:
            assert torch.equal(left, right), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_values_are_those_of_torch_for_the_same_mask(dtype: torch.dtype) -> None:
    """Each kept value is scaled, and each dropped one replaced, as torch's own layer does it."""
    value = image(dtype)
    own = module_class(SOURCE, "Every", "every")().train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = own(value)
    mine = every()(value)
    shapes = (value, value.flatten(2), value, value.unsqueeze(-1), value, value)
    for name, p, given, left, right in zip(NAMES, PROBABILITIES, shapes, mine, theirs, strict=True):
        assert left.dtype == right.dtype and left.shape == right.shape
        alpha = name in ("alpha", "feature")
        # Where both kept an element, and where both dropped it.
        factor = (1 + 1.7580993408473766**2 * p) ** -0.5 * (1 - p) ** -0.5 if alpha else 1 / (1 - p)
        shift = 1.7580993408473766 * p * factor if alpha else 0.0
        dropped = shift - 1.7580993408473766 * factor if alpha else 0.0
        unit = torch.finfo(dtype).eps
        kept_value = given.double() * factor + shift
        masks = []
        for found in (left.double(), right.double()):
            close = (found - dropped).abs() <= 4 * unit * (1 + abs(dropped))
            nearer = (found - dropped).abs() < (found - kept_value).abs()
            masks.append(close & nearer)
        kept = ~masks[0] & ~masks[1]
        assert kept.any() and (masks[0].any() or name == "maps.1")
        torch.testing.assert_close(left[kept], right[kept], rtol=4 * unit, atol=4 * unit)
        torch.testing.assert_close(
            left.double()[kept], kept_value[kept], rtol=4 * unit, atol=4 * unit
        )


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_rate_is_p(p: float) -> None:
    layer = holder(nn.Dropout(p))
    dropped = (layer(torch.ones(100_000)) == 0).double().mean().item()
    assert abs(dropped - p) < 5 * (p * (1 - p) / 100_000) ** 0.5


def test_the_extremes() -> None:
    ones = torch.ones(3, 4)
    assert torch.equal(holder(nn.Dropout(0.0))(ones), ones)
    for layer in (nn.Dropout(1.0), nn.AlphaDropout(1.0)):
        assert torch.equal(holder(layer)(ones), torch.zeros(3, 4))
        assert torch.equal(layer(ones), torch.zeros(3, 4))


def test_channels_are_dropped_whole() -> None:
    layer = holder(nn.Dropout2d(0.5))
    mask = layer(torch.ones(40, 30, 3, 3)).flatten(2) != 0
    assert torch.equal(mask.all(2), mask.any(2))
    assert 0.4 < mask[..., 0].double().mean() < 0.6
    rows = holder(nn.Dropout1d(0.5))(torch.ones(30, 9)) != 0  # one sample: [C, L]
    assert torch.equal(rows.all(1), rows.any(1)) and 0 < rows[:, 0].sum() < 30
    volume = holder(nn.Dropout3d(0.5))(torch.ones(30, 2, 2, 2)).flatten(1) != 0  # [C, D, H, W]
    assert torch.equal(volume.all(1), volume.any(1)) and 0 < volume[:, 0].sum() < 30


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    layer = holder(nn.AlphaDropout(0.3))
    output = layer(normal(0, "value", (200_000,)))
    assert abs(output.mean().item()) < 0.015
    assert output.var().item() == pytest.approx(1.0, abs=0.03)


def test_names_steps_and_seeds_have_masks_of_their_own() -> None:
    def masks(seed: int, step: int) -> tuple[Tensor, Tensor]:
        pair = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5))
        make_portable(pair, seed)
        set_step(pair, step)
        return pair[0](torch.ones(64)), pair[1](torch.ones(64))

    first, second = masks(0, 0)
    assert not torch.equal(first, second)
    assert torch.equal(first, masks(0, 0)[0])
    for other in (masks(0, 1)[0], masks(1, 0)[0]):
        assert not torch.equal(first, other)


def test_masks_do_not_depend_on_the_memory_layout() -> None:
    layer = every()
    value = image(torch.float32)
    last = value.contiguous(memory_format=torch.channels_last)
    for left, right in zip(layer(value), layer(last), strict=True):
        assert torch.equal(left, right)


def test_inplace_and_evaluation() -> None:
    value = torch.ones(50)
    layer = holder(nn.Dropout(0.5, inplace=True))
    output = layer(value)
    assert output.data_ptr() == value.data_ptr() and (value == 0).any()
    ones = torch.ones(50)
    assert layer.eval()(ones).data_ptr() == ones.data_ptr()
    made = nn.Sequential(nn.Dropout(0.5)).eval()
    make_portable(made, 0)
    assert not made[0].training


def test_the_state_dict_stays_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    before = list(module.state_dict())
    make_portable(module, 0)
    assert list(module.state_dict()) == before
    twin = copy.deepcopy(module)
    set_step(twin, 5)
    assert module[1].noise_step.item() == 0 and twin[1].noise_step.item() == 5


class Noisy(nn.Module):
    """Every kind of noise that a module can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 6, num_layers=2, dropout=0.3, batch_first=True)
        self.single = nn.GRU(6, 6, batch_first=True)
        self.attention = nn.MultiheadAttention(6, 2, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.2, batch_first=True)
        self.shared = nn.Dropout(0.5)
        self.again = self.shared
        self.slope = nn.RReLU()

    def forward(self, value: Tensor) -> Tensor:
        x = self.single(self.lstm(value)[0])[0]
        x = self.encoder(self.attention(x, x, x)[0])
        return self.again(self.shared(x))


def test_noise_inside_kernels_is_silenced_and_reported() -> None:
    module = Noisy().train()
    report = make_portable(module, 0)
    assert [(each.name, each.value) for each in report.silenced] == [
        ("lstm", 0.3),
        ("attention", 0.1),
        ("encoder.self_attn", 0.2),
    ]
    assert "lstm (LSTM): dropout 0.3 set to 0" in str(report.silenced[0])
    assert report.replaced == (
        *("encoder.dropout", "encoder.dropout1", "encoder.dropout2"),
        *("shared", "again", "slope"),
    )
    # One layer under two names draws for each use.
    ones = torch.ones(64)
    assert not torch.equal(module.shared(ones), module.again(ones))

    before = torch.get_rng_state()
    value = normal(0, "value", (2, 5, 4), dtype=torch.float32)
    first, second = module(value), module(value)
    assert torch.equal(first, second)
    set_step(module, 1)
    assert not torch.equal(first, module(value))
    assert torch.equal(before, torch.get_rng_state())


def test_a_dropout_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="alone"):
        make_portable(nn.Dropout(0.5), 0)
