"""A large tensor as a few hundred numbers: the signed count-sketch (Charikar, Chen, Farach-Colton
2002).

Element ``i`` is added, with a sign that an integer hash of ``i`` gives, to bucket ``i % BUCKETS``;
the sum is scaled so that the sketch's root-mean-square is an unbiased estimate of the tensor's.
The map is linear: the sketch of an error is the difference of two sketches, so a sketch is
compared exactly as a small tensor is. The estimate's standard deviation is ``sqrt(1 / (2 *
BUCKETS))``, 4.4 %, for errors spread over the tensor; a single wrong element keeps its full size
in its bucket, where it stands against the noise of ``size / BUCKETS`` others.

``BUCKETS`` is prime, so that the strides of real layouts (powers of two, channel counts) do not
fold one channel into one bucket. Non-goals: hiding or compressing anything losslessly.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BUCKETS = 257
_ROWS = 1024
# Elements that are summed up at a time.
_PIECE = _ROWS * BUCKETS
# What ``represent`` tells of places that are not finite: how many of each kind, then the digest.
NONFINITE = r"([0-9]{1,13} (NaN|inf|-inf), ){0,2}[0-9]{1,13} (NaN|inf|-inf): [0-9a-f]{16}"


def is_sketched(elements: int) -> bool:
    """Whether a tensor of so many elements is stored as a sketch."""
    return elements > BUCKETS


def represent(tensor: Tensor) -> tuple[Tensor, str]:
    """What is stored and compared of ``tensor``, and which of its places are not finite.

    The first is float64: its elements in a row, ``[elements]`` up to ``BUCKETS``, else its sketch,
    ``[BUCKETS]``; places that are not finite are zero, and a sketch estimates the root-mean-square
    of those that are. The second is ``""`` for a finite tensor, else the counts and a digest of the
    places of NaN, infinity and minus infinity: ``2 NaN, 1 -inf: 0123456789abcdef``.
    """
    flat = tensor.detach().reshape(-1)
    kept = _sketch(flat) if is_sketched(flat.numel()) else flat.to(torch.float64, copy=True)
    # One value that is not finite makes its bucket so, and the sum; a sum may overflow as well.
    if math.isfinite(float(kept.sum())) or bool(torch.isfinite(kept).all()):
        return kept, ""
    wide = flat.to(torch.float64)
    finite = torch.where(torch.isfinite(wide), wide, 0.0)
    kinds = wide.isnan().to(torch.uint8) + 2 * wide.isposinf() + 3 * wide.isneginf()
    kinds = kinds.to(torch.uint8)
    counts = torch.bincount(kinds, minlength=4).tolist()
    if counts[0] == flat.numel():  # it was a sum that overflowed
        scale, most = float(wide.abs().max()), torch.finfo(torch.float64).max
        return (_sketch(wide / scale) * scale).clamp(-most, most), ""
    digest = hashlib.sha256(kinds.numpy().tobytes()).hexdigest()[:16]
    named = zip(counts[1:], ("NaN", "inf", "-inf"), strict=True)
    told = f"{', '.join(f'{count} {name}' for count, name in named if count)}: {digest}"
    if not is_sketched(flat.numel()):
        return finite, told
    return _sketch(finite) * math.sqrt(flat.numel() / max(counts[0], 1)), told


def not_finite(told: str) -> dict[str, int]:
    """How many places are ``NaN``, ``inf`` and ``-inf``, from what ``represent`` told of them."""
    counts = (part.split(" ") for part in told.partition(":")[0].split(", ") if part)
    return {name: int(count) for count, name in counts}


def _sketch(flat: Tensor) -> Tensor:
    if flat.numel() <= _PIECE:
        flat = flat.to(_summed(flat.dtype))
    count = flat.numel()
    rows = -(-count // BUCKETS)
    if rows <= _ROWS:
        signed = flat.new_zeros(rows * BUCKETS)
        torch.mul(flat, _signs(0, flat.dtype)[:count], out=signed[:count])
        total = signed.view(-1, BUCKETS).sum(dim=0, dtype=torch.float64)
        return total.mul_(math.sqrt(BUCKETS / count))
    total = torch.zeros(BUCKETS, dtype=torch.float64)
    # Piece by piece through one buffer that stays in the cache: ten times as fast as at once.
    signed = torch.empty(_PIECE, dtype=_summed(flat.dtype))
    for number, piece in enumerate(flat.split(_PIECE)):
        if piece.numel() < _PIECE:
            signed = signed[: -(-piece.numel() // BUCKETS) * BUCKETS].zero_()
        signs = _signs(number, signed.dtype)[: piece.numel()]
        torch.mul(piece.to(signed.dtype), signs, out=signed[: piece.numel()])
        total += signed.view(-1, BUCKETS).sum(dim=0, dtype=torch.float64)
    return total * math.sqrt(BUCKETS / count)


def _summed(dtype: torch.dtype) -> torch.dtype:
    # Float32 is left as it is until the sum: a sign changes nothing, and it is half the memory.
    return dtype if dtype == torch.float32 else torch.float64


# Of most tensors all pieces are at hand; of an embedding of 40 million a hundred are not.
@lru_cache(maxsize=32)
def _signs(number: int, dtype: torch.dtype) -> Tensor:
    """The signs of the piece ``number``."""
    return torch.from_numpy(_small_signs(number)).to(dtype)


@cache
def _small_signs(number: int) -> NDArray[np.int8]:
    """Likewise, a byte each: the lowest bit of splitmix64 of the element's index."""
    with np.errstate(over="ignore"):
        index = np.arange(number * _PIECE + 1, (number + 1) * _PIECE + 1, dtype=np.uint64)
        word = index * np.uint64(0x9E3779B97F4A7C15)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits = (word ^ (word >> np.uint64(31))) & np.uint64(1)
    return (1 - 2 * bits.astype(np.int8)).astype(np.int8)
