"""The portable counter-based generator: 64 random bits for every (seed, name, step, index).

Integer arithmetic alone, wrapping at 64 bits, so the bits are equal in eager, compiled, scripted
and exported code, on CPU and CUDA, in every release of torch. Each word is the finaliser of
SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, in
Stafford's variant 13) over a keyed counter: ``bits[i] = finalise(GAMMA * (start ^ i))``. Goldens
depend on every bit: a change is a new ``VERSION``. Non-goals: distributions (``noise``),
cryptography.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

VERSION = 2
# How many words are made at a time.
BLOCK = 1 << 15
# The last part of the name of the buffer that holds a step, by which it is found in any target's
# runnable.
STEP_BUFFER = "noise_step"


def signed(word: int) -> int:
    """The 64-bit word as torch's int64 holds it."""
    return (word & (2**64 - 1)) - ((word & 2**63) << 1)


# TorchScript sees no globals: constants enter its functions as defaults.
_GAMMA = signed(0x9E3779B97F4A7C15)
_FIRST = signed(0xBF58476D1CE4E5B9)
_SECOND = signed(0x94D049BB133111EB)


def key_of(seed: int, name: str) -> int:
    """The key of a named stream: eight bytes of BLAKE2b over version, seed and name, as int64."""
    text = f"{VERSION}\0{seed}\0{name}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little", signed=True)


def finalise(word: Tensor, first: int = _FIRST, second: int = _SECOND) -> Tensor:
    """SplitMix64's finaliser, a bijection of int64, elementwise.

    A right shift of int64 copies the sign; the masks make the shifts those of unsigned words.
    """
    word = (word ^ ((word >> 30) & 0x3FFFFFFFF)) * first
    word = (word ^ ((word >> 27) & 0x1FFFFFFFFF)) * second
    return word ^ ((word >> 31) & 0x1FFFFFFFF)


def stream(key: int, step: Tensor, count: int, gamma: int = _GAMMA) -> Tensor:
    """The first ``count`` words of a key's stream for a step (int64 scalar): int64 ``[count]``.

    Scriptable, exportable, and one graph for torch.compile; made on the device of ``step``.
    """
    start = finalise(key + step * gamma)
    index = torch.arange(count, dtype=torch.int64, device=step.device)
    # The counter meets the start before it is multiplied. A product of the counter alone would be
    # folded by inductor into the C++ loop's index, whose signed overflow the C++ compiler takes for
    # impossible: it then drops the loop's bound, and the kernel writes past its buffers.
    return finalise((start ^ index) * gamma)


def bits(
    seed: int,
    name: str,
    shape: Sequence[int],
    *,
    step: int = 0,
    device: torch.device | str | None = None,
) -> Tensor:
    """64 random bits an element, as int64 of ``shape``; indices count in row-major order."""
    count = math.prod(shape)
    found = torch.empty(count, dtype=torch.int64, device=device)
    for start, words in blocks(seed, name, count, step=step, device=device):
        found[start : start + len(words)] = words
    return found.reshape(tuple(shape))


def blocks(
    seed: int,
    name: str,
    count: int,
    *,
    step: int = 0,
    device: torch.device | str | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """``count`` words as ``bits`` gives them, block by block, each with where it starts.

    A block stays in the cache, which is several times faster, and what is made on the way takes no
    memory of the size of the whole."""
    key = signed(key_of(seed, name) + step * _GAMMA)
    begin = finalise(torch.full((), key, dtype=torch.int64, device=device))
    index = torch.arange(min(count, BLOCK), dtype=torch.int64, device=device)
    for start in range(0, count, BLOCK):
        yield start, finalise(((index[: count - start] + start) ^ begin) * _GAMMA)
