"""Random numbers from a pool: tensors of any size at the cost of looking, not of drawing.

A pool is drawn once for a seed; what is asked for is a stretch of it from a random place on, over
and over where it is longer than the pool. Non-goals: what the numbers are for (``rounding``,
``accumulate``), the numbers of a case, which are the same on every machine (``noise``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

SIZE = 1 << 17


class Pool:
    """``numbers``, of which ``places`` chooses where each stretch begins."""

    def __init__(self, numbers: Tensor, places: random.Random) -> None:
        self._numbers = numbers
        self._places = places

    def like(self, tensor: Tensor) -> Tensor:
        """Numbers in the shape of ``tensor``, laid out as it is; not to be written into."""
        count = tensor.numel()
        if count > SIZE // 2:
            numbers, start = torch.cat([piece for _, piece in self._pieces(count)]), 0
        else:
            numbers, start = self._numbers, self._places.randrange(SIZE - count)
        if tensor.is_contiguous() or _order(tensor) is not None:
            return numbers.as_strided(tensor.shape, tensor.stride(), start)
        return numbers[start : start + count].view(tensor.shape)

    def multiply(self, tensor: Tensor) -> None:
        """Multiply each element of ``tensor`` by a number of its own."""
        count = tensor.numel()
        if count <= SIZE // 2:
            tensor.mul_(self.like(tensor))
            return
        if tensor.is_contiguous():
            flat = tensor.view(-1)
        else:
            order = _order(tensor)
            if order is None:
                tensor.mul_(self.like(tensor))
                return
            flat = tensor.permute(order).view(-1)
        for start, piece in self._pieces(count):
            flat[start : start + piece.numel()].mul_(piece)

    def _pieces(self, count: int) -> Iterator[tuple[int, Tensor]]:
        """``count`` numbers in pieces, each with where it starts."""
        done, place = 0, -self._places.randrange(SIZE) % SIZE
        while done < count:
            piece = self._numbers[place : place + count - done]
            yield done, piece
            done, place = done + piece.numel(), 0


def _order(tensor: Tensor) -> list[int] | None:
    """The dimensions of ``tensor`` in the order in which its elements lie in memory without gaps,
    as those of images with channels last and of turned matrices do; None where they do not."""
    order = sorted(range(tensor.dim()), key=tensor.stride, reverse=True)
    return order if tensor.permute(order).is_contiguous() else None


# A bless runs every case with the same thirty seeds in each of its precisions; half a megabyte
# each in float32.
@lru_cache(maxsize=128)
def factors(seed: int, size: float, dtype: torch.dtype) -> Tensor:
    """A pool of factors, evenly between 1 - ``size`` and 1 + ``size``."""
    generator = torch.Generator().manual_seed(seed)
    wide = 2.0 * torch.rand(SIZE, generator=generator, dtype=torch.float64) - 1.0
    return (1.0 + size * wide).to(dtype)


@lru_cache(maxsize=16)
def normals(seed: int, dtype: torch.dtype) -> Tensor:
    """A pool of normal numbers of mean 0 and spread 1."""
    # Not the numbers that the factors of this seed are made of.
    generator = torch.Generator().manual_seed(seed ^ 0x5EED)
    return torch.randn(SIZE, generator=generator, dtype=dtype)
