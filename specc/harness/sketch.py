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
from functools import cache

import numpy as np
import torch
from torch import Tensor

BUCKETS = 257


def is_sketched(elements: int) -> bool:
    """Whether a tensor of so many elements is stored as a sketch."""
    return elements > BUCKETS


def represent(tensor: Tensor) -> Tensor:
    """What is stored and compared of ``tensor``: float64, its elements in a row, or its sketch.

    Shape ``[elements]`` up to ``BUCKETS`` elements, else ``[BUCKETS]``. Places that are not finite
    count as zero; ``nonfinite_digest`` tells where they are.
    """
    flat = tensor.detach().to(torch.float64).reshape(-1)
    if not bool(torch.isfinite(flat.sum())):
        flat = torch.where(torch.isfinite(flat), flat, 0.0)
    if not is_sketched(flat.numel()):
        return flat.clone()  # the tensor may be a state that the next step writes into
    count = flat.numel()
    rows = -(-count // BUCKETS)
    signed = flat.new_zeros(rows * BUCKETS)
    torch.mul(flat, _signs(1 << (count - 1).bit_length())[:count], out=signed[:count])
    return signed.view(rows, BUCKETS).sum(dim=0) * math.sqrt(BUCKETS / count)


def nonfinite_digest(tensor: Tensor) -> str:
    """``""`` for a finite tensor, else a digest of which places hold NaN, infinity, minus
    infinity.
    """
    if not tensor.is_floating_point() or bool(torch.isfinite(tensor.sum(dtype=torch.float64))):
        return ""
    flat = tensor.detach().reshape(-1).to(torch.float64)
    kinds = flat.isnan().to(torch.uint8) + 2 * flat.isposinf() + 3 * flat.isneginf()
    if not bool(kinds.any()):
        return ""
    return hashlib.sha256(kinds.to(torch.uint8).numpy().tobytes()).hexdigest()[:16]


@cache
def _signs(count: int) -> Tensor:
    """The first ``count`` signs: the lowest bit of splitmix64 of the element's index."""
    with np.errstate(over="ignore"):
        word = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits = (word ^ (word >> np.uint64(31))) & np.uint64(1)
    return torch.from_numpy(1.0 - 2.0 * bits.astype(np.float64))
