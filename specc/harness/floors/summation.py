"""Sums added up in the orders that kernels add them in, and what each order rounds away.

Rounding in a sum has a direction: of n equal numbers, added one after the other, every addition
rounds the same way, and the error grows with n and not with its root. A compiler adds so, for
BatchNorm's gradient behind an average pool has thousands of equal terms. No random noise shows
this; really adding does. Kernels differ in their number of partial sums (one over channels-last
images, a vector register's lanes otherwise), in nothing else that matters.

Higham, "The accuracy of floating point summation", SIAM J. Sci. Comput. 14 (1993). Non-goals: which
operations are sums (``regroup``), products' inner sums (``accumulate``).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# After so many additions inductor begins another partial sum (torch 2.9 and later; before, it
# never does, and no kernel of theirs sees more terms in a case of a size that is tested).
CHUNK = 4096
# So many matrices are turned one by one, where each has so many rows and columns: it is then that
# torch turns them in blocks.
_MATRICES = 64
_BLOCK = 60

_Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class SummationOrder:
    """``lanes`` partial sums side by side, each added up term by term; ``chance`` chooses where
    sums are cut. With ``rescaled`` the terms are multiplied by a number between 1 and 2 before, and
    the sum divided by it: whether equal terms round badly hangs on their last digits alone, and
    should not hang on luck. What is lost counts ``enlarged`` times."""

    chance: random.Random
    lanes: int = 1
    rescaled: bool = True
    enlarged: float = 1.0

    def lost(self, value: Tensor, dims: Sequence[int], keep: bool) -> Tensor:
        """What adding ``value`` up over ``dims`` in this order is off by, in the sum's shape.

        Low precisions are added up in float32, as every machine does."""
        dims = [dim % value.dim() for dim in dims]
        value = value.detach().to(torch.promote_types(value.dtype, torch.float32))
        kept = [dim for dim in range(value.dim()) if dim not in dims]
        shape = [value.shape[dim] for dim in kept]
        count = math.prod(value.shape[dim] for dim in dims)
        scale = self.chance.uniform(1.0, 2.0) if self.rescaled else 1.0
        own = _turned(value, dims)
        if own is None:
            terms = value.permute(*dims, *kept).reshape(count, -1)
            own = terms * scale if self.rescaled else terms.contiguous()
        elif self.rescaled:
            own.mul_(scale)
        numbers = own.numpy()
        found = added(numbers, self.lanes).astype(np.longdouble)
        exact = numbers.sum(axis=0, dtype=np.longdouble if numbers.itemsize == 8 else np.float64)
        error = torch.from_numpy(((found - exact) * (self.enlarged / scale)).astype(numbers.dtype))
        if keep:
            shape = [1 if dim in dims else value.shape[dim] for dim in range(value.dim())]
        return error.view(shape)


def _turned(value: Tensor, dims: Sequence[int]) -> Tensor | None:
    """The terms of the sum over ``dims`` in the rows of a new matrix, ``[terms, columns]``, where
    what is kept lies between the first of them and the last, as channels do; else None.

    Matrix by matrix torch turns in blocks that stay in the cache, twice as fast as all at once."""
    first = next((k for k, dim in enumerate(dims) if dim != k), len(dims))
    last = value.dim() - (len(dims) - first)
    if list(dims) != [*range(first), *range(last, value.dim())] or not value.is_contiguous():
        return None
    shape = math.prod(value.shape[:first]), math.prod(value.shape[first:last])
    between = math.prod(value.shape[last:])
    if not 1 < shape[0] <= _MATRICES or min(shape[1], between) < _BLOCK:
        return None
    turned = value.new_empty(shape[0], between, shape[1])
    for into, matrix in zip(turned, value.view(*shape, between), strict=True):
        into.copy_(matrix.t())
    return turned.view(-1, shape[1])


def added(terms: _Array, lanes: int) -> _Array:
    """The sums of the columns of ``terms``, ``[terms, columns]``, in their own precision: row after
    row in each of ``lanes`` partial sums."""
    count, columns = terms.shape
    lanes = max(min(lanes, count), 1)
    whole = count - count % lanes
    side_by_side = np.ascontiguousarray(terms[:whole]).reshape(whole // lanes, lanes * columns)
    parts = [_one_by_one(side_by_side[at : at + CHUNK]) for at in range(0, whole // lanes, CHUNK)]
    total = _one_by_one(np.stack(parts)).reshape(lanes, columns)
    return _one_by_one(np.concatenate([total, terms[whole:]]))


def _one_by_one(terms: _Array) -> _Array:
    """The sum over the first dimension of ``[terms, columns]``, row after row.

    numpy adds rows so, but a single column in pairs."""
    if terms.shape[1] == 1:
        summed: _Array = np.add.accumulate(terms[:, 0])[-1:]
        return summed
    rows: _Array = np.add.reduce(terms, axis=0)
    return rows
