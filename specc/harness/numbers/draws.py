"""Portable twins of torch's functions that draw: ``randn_like``, ``bernoulli``, ``F.dropout``, ...

Each takes what torch's does and then where its noise comes from: a key and the step's counter. They
are scriptable, exportable and one graph for torch.compile; the draws are made of integers and
exact in float32, so that they are the same bits in each. ``redraw`` puts them in the place of
torch's. Non-goals: layers that draw (``portable_dropout``, ``noisy_layers``), which seed and step
(``redraw``).
"""

from __future__ import annotations

import math
from typing import Optional

import torch
from torch import Tensor

# What torch.jit calls an int or a pair of them; torch makes both names when it is imported.
from torch._jit_internal import (  # type: ignore[attr-defined]
    BroadcastingList2,
    BroadcastingList3,
)

from specc.harness.numbers.counter import stream

# torch.jit reads the annotations, and knows Optional but not ``X | None`` in a default.
# ruff: noqa: UP045


def portable_rand_like(input: Tensor, key: int, step: Tensor) -> Tensor:
    """Uniform in [0, 1), in as many bits as the dtype holds below 1 (24 at most)."""
    words = stream(key, step, input.numel())
    bits = 24
    if input.dtype == torch.float16:
        bits = 11
    elif input.dtype == torch.bfloat16:
        bits = 8
    drawn = (words >> (64 - bits)) & ((1 << bits) - 1)
    return (drawn.to(torch.float32) * (2.0**-bits)).to(input.dtype).reshape(input.shape)


def portable_randn_like(input: Tensor, key: int, step: Tensor) -> Tensor:
    """Standard normal, as the sum of twelve uniform draws of 16 bits (mean 0, variance 1, within
    6).

    The sum is an integer below 2^20, so that only the last rounding to the dtype is one.
    """
    count = input.numel()
    words = stream(key, step, 3 * count).reshape([3, count])
    total = words & 0xFFFF
    for shift in (16, 32, 48):
        total = total + ((words >> shift) & 0xFFFF)
    centred = 2 * total.sum(0) - 12 * 0xFFFF
    return (centred.to(torch.float32) * 2.0**-17).to(input.dtype).reshape(input.shape)


def portable_bernoulli(input: Tensor, key: int, step: Tensor, p: Optional[float] = None) -> Tensor:
    """1 with the probability that ``input`` gives at each place (or ``p`` everywhere), else 0."""
    drawn = portable_rand_like(input, key, step)
    if p is not None:
        return (drawn < p).to(input.dtype)
    return (drawn < input).to(input.dtype)


def portable_dropout(
    input: Tensor,
    key: int,
    step: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    channels: bool = False,
    alpha: bool = False,
    unbatched_dimensions: int = -1,
    saturation: float = 1.7580993408473766,
) -> Tensor:
    """``y = x * factor + shift`` where kept, ``shift_dropped`` where dropped, as in torch.

    Any shape; the same shape and dtype, and the identity in evaluation and for p = 0. Plain dropout
    has factor 1 / (1 - p) and no shifts; alpha dropout keeps mean and variance (``saturation`` is
    SELU's, alpha * scale of Klambauer et al., 2017). ``channels``: one draw a channel, not an
    element; an input of ``unbatched_dimensions`` has no batch dimension. An element is dropped
    where 53 random bits, as a number in [0, 1), are below p. Raises ValueError unless p is in
    [0, 1].
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError("dropout wants p in [0, 1]")
    if not training or p == 0.0:
        return input
    shape = list(input.shape)
    if channels:
        leading = 1 if len(shape) == unbatched_dimensions else 2
        for dimension in range(leading, len(shape)):
            shape[dimension] = 1
    count = 1
    for size in shape:
        count = count * size
    words = stream(key, step, count)
    drawn = (words >> 11) & 0x1FFFFFFFFFFFFF
    kept = (drawn >= math.ceil(p * 9007199254740992.0)).reshape(shape)
    # What is dropped is zero before anything is scaled: no infinite factor meets it.
    if not alpha:
        factor = 0.0 if p == 1.0 else 1.0 / (1.0 - p)
        # The first product is exact. The second is the only rounding, and the factor is no tensor
        # of a low precision: a compiler that keeps one in wider registers computes the same.
        if inplace:
            return input.mul_(kept.to(input.dtype)).mul_(factor)
        return input * kept.to(input.dtype) * factor
    # As torch has it: all zero for p = 1.
    factor, shift, dropped = 0.0, 0.0, 0.0
    if p < 1.0:
        factor = 1.0 / math.sqrt((saturation * saturation * p + 1.0) * (1.0 - p))
        shift = saturation * factor * p
        dropped = -saturation * factor * (1.0 - p)
    # A low precision is rounded once, at the end, for the same reason.
    wide = input.dtype
    if wide == torch.float16 or wide == torch.bfloat16:
        wide = torch.float32
    chosen = kept.to(wide)
    # One product is exact and the other zero, so the shift is not rounded again.
    moved = chosen * shift + (1 - chosen) * dropped
    output = (input.to(wide) * chosen * factor + moved).to(input.dtype)
    return input.copy_(output) if inplace else output


def portable_dropout_channels(
    input: Tensor,
    key: int,
    step: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    unbatched_dimensions: int = -1,
) -> Tensor:
    """``F.dropout2d``: one draw a channel."""
    return portable_dropout(
        input, key, step, p, training, inplace, True, False, unbatched_dimensions
    )


def portable_dropout1d(
    input: Tensor, key: int, step: Tensor, p: float = 0.5, training: bool = True,
    inplace: bool = False,
) -> Tensor:  # fmt: skip
    """``F.dropout1d``: one draw a channel, of ``[C, L]`` too."""
    return portable_dropout_channels(input, key, step, p, training, inplace, 2)


def portable_dropout3d(
    input: Tensor, key: int, step: Tensor, p: float = 0.5, training: bool = True,
    inplace: bool = False,
) -> Tensor:  # fmt: skip
    """``F.dropout3d``: one draw a channel, of ``[C, D, H, W]`` too."""
    return portable_dropout_channels(input, key, step, p, training, inplace, 4)


def portable_alpha_dropout(
    input: Tensor, key: int, step: Tensor, p: float = 0.5, training: bool = False,
    inplace: bool = False,
) -> Tensor:  # fmt: skip
    """``F.alpha_dropout``: keeps mean and variance."""
    return portable_dropout(input, key, step, p, training, inplace, False, True)


def portable_feature_alpha_dropout(
    input: Tensor, key: int, step: Tensor, p: float = 0.5, training: bool = False,
    inplace: bool = False,
) -> Tensor:  # fmt: skip
    """``F.feature_alpha_dropout``: the same, one draw a channel."""
    return portable_dropout(input, key, step, p, training, inplace, True, True)


# ── what draws and is no dropout; the slopes and windows are those of ``noisy_layers`` ───────────


def portable_rrelu(
    input: Tensor, key: int, step: Tensor, lower: float = 0.125,
    upper: float = 0.3333333333333333, training: bool = False, inplace: bool = False,
) -> Tensor:  # fmt: skip
    """``F.rrelu``: slopes that are multiples of bfloat16's unit, in evaluation their mean."""
    if not training:
        return torch.nn.functional.leaky_relu(input, (lower + upper) / 2)
    _, exponent = math.frexp(max(abs(lower), abs(upper)))
    unit = math.ldexp(1.0, exponent - 8)
    low = math.ceil(lower / unit)
    count = max(math.floor(upper / unit) - low + 1, 1)
    words = (stream(key, step, input.numel()) >> 11) & 0x1FFFFFFFFFFFFF
    slope = (words % count + low).reshape(input.shape).to(input.dtype) * unit
    return torch.where(input > 0, input, input * slope)


def portable_gumbel_softmax(
    logits: Tensor, key: int, step: Tensor, tau: float = 1.0, hard: bool = False,
    eps: float = 1e-10, dim: int = -1,
) -> Tensor:  # fmt: skip
    """``F.gumbel_softmax``: the noise is -log(-log(u)) of 24 bits, in float64 and rounded once."""
    words = stream(key, step, logits.numel())
    unit = (((words >> 40) & 0xFFFFFF).to(torch.float64) + 0.5) * 2.0**-24
    noise = -torch.log(-torch.log(unit))
    soft = torch.softmax((logits + noise.to(logits.dtype).reshape(logits.shape)) / tau, dim)
    if not hard:
        return soft
    places = soft.max(dim, keepdim=True)[1]
    chosen = torch.zeros_like(logits).scatter(dim, places, 1.0)
    return chosen - soft.detach() + soft


def _places_of_windows(input: Tensor, key: int, step: Tensor, dims: int) -> Tensor:
    shape = [input.shape[0], input.shape[1], dims]
    words = stream(key, step, shape[0] * shape[1] * dims)
    odd = ((words >> 11) & 0x3F) * 2 + 1
    return (odd.to(torch.float32) * 0.0078125).to(input.dtype).reshape(shape)


def _spatial(input: Tensor, size: Optional[list[int]], ratio: Optional[list[float]]) -> list[int]:
    if size is not None:
        return size
    spatial: list[int] = []
    if ratio is not None:
        for place in range(len(ratio)):
            spatial.append(int(input.shape[2 + place] * ratio[place]))
    return spatial


def portable_fractional_max_pool2d_with_indices(
    input: Tensor, key: int, step: Tensor, kernel_size: BroadcastingList2[int],
    output_size: Optional[BroadcastingList2[int]] = None,
    output_ratio: Optional[BroadcastingList2[float]] = None, return_indices: bool = True,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """``F.fractional_max_pool2d`` with ``return_indices``."""
    samples = _places_of_windows(input, key, step, 2)
    spatial = _spatial(input, output_size, output_ratio)
    values, places = torch.ops.aten.fractional_max_pool2d(input, kernel_size, spatial, samples)
    return values, places


def portable_fractional_max_pool2d(
    input: Tensor, key: int, step: Tensor, kernel_size: BroadcastingList2[int],
    output_size: Optional[BroadcastingList2[int]] = None,
    output_ratio: Optional[BroadcastingList2[float]] = None, return_indices: bool = False,
) -> Tensor:  # fmt: skip
    """``F.fractional_max_pool2d``: windows placed by the portable generator."""
    return portable_fractional_max_pool2d_with_indices(
        input, key, step, kernel_size, output_size, output_ratio
    )[0]


def portable_fractional_max_pool3d_with_indices(
    input: Tensor, key: int, step: Tensor, kernel_size: BroadcastingList3[int],
    output_size: Optional[BroadcastingList3[int]] = None,
    output_ratio: Optional[BroadcastingList3[float]] = None, return_indices: bool = True,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """``F.fractional_max_pool3d`` with ``return_indices``."""
    samples = _places_of_windows(input, key, step, 3)
    spatial = _spatial(input, output_size, output_ratio)
    values, places = torch.ops.aten.fractional_max_pool3d(input, kernel_size, spatial, samples)
    return values, places


def portable_fractional_max_pool3d(
    input: Tensor, key: int, step: Tensor, kernel_size: BroadcastingList3[int],
    output_size: Optional[BroadcastingList3[int]] = None,
    output_ratio: Optional[BroadcastingList3[float]] = None, return_indices: bool = False,
) -> Tensor:  # fmt: skip
    """``F.fractional_max_pool3d``: windows placed by the portable generator."""
    return portable_fractional_max_pool3d_with_indices(
        input, key, step, kernel_size, output_size, output_ratio
    )[0]
