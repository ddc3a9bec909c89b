"""Portable twins of torch's functions that draw: ``randn_like``, ``bernoulli``, ``F.dropout``, ...

Each takes what torch's does and then where its noise comes from: a key and the step's counter. They
are scriptable, exportable and one graph for torch.compile; the draws are made of integers and
exact in float32, so that they are the same bits in each. ``redraw`` puts them in the place of
torch's. Non-goals: dropout layers (``dropout``), which seed and step (``redraw``).
"""

from __future__ import annotations

import math
from typing import Optional

import torch
from torch import Tensor

from specc.harness.counter import stream

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
    """``dropout.PortableDropout`` as a function: its mask, its constants, p given at each call."""
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
    kept = (drawn >= int(p * 9007199254740992.0)).reshape(shape).to(input.dtype)
    factor, shift, dropped = 0.0, 0.0, 0.0
    if p < 1.0:
        factor = 1.0 / (1.0 - p)
        if alpha:
            factor = 1.0 / math.sqrt((saturation * saturation * p + 1.0) * (1.0 - p))
            shift = saturation * factor * p
            dropped = shift - saturation * factor
    # As PortableDropout has it: a compiler may keep a low precision in wider registers.
    bits = 53
    if input.dtype == torch.float32:
        bits = 24
    elif input.dtype == torch.bfloat16:
        bits = 8
    elif input.dtype == torch.float16:
        bits = 11
    noise = kept * _rounded(factor, bits)
    output = input.mul_(noise) if inplace else input * noise
    if alpha:
        moved = kept * _rounded(shift, bits) + (1 - kept) * _rounded(dropped, bits)
        output = output.add_(moved) if inplace else output + moved
    return output


def _rounded(value: float, bits: int) -> float:
    """``value`` with a mantissa of ``bits``."""
    if value == 0.0:
        return 0.0
    mantissa, exponent = math.frexp(value)
    return math.ldexp(float(round(math.ldexp(mantissa, bits))), exponent - bits)


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
