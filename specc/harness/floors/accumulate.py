"""What a kernel's accumulators round away: the noise of a product's inner sum, added term by term.

A library's blocked product keeps many partial sums and errs little; a direct convolution (over
channels-last images, say) may keep few. The error of adding K terms one by one is about
``(eps / 4) sqrt(sum of the squared partial sums)``: for terms of mean m and mean square q that is
``(eps / 4) sqrt(K (K q / 2 + K^2 m^2 / 3))``. A vector unit has ``LANES`` partial sums at least,
each of K / LANES terms. Higham, "The accuracy of floating point summation", SIAM J. Sci. Comput. 14
(1993). Non-goals: other reductions (``regroup``), the rounding of the result (``rounding``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from specc.harness.floors.random_numbers import Pool

LANES = 8
# In these the sums are kept in float32, far more exactly than the result is.
_KEPT_WIDER = (torch.bfloat16, torch.float16)


def accumulated(name: str, func: Any, args: tuple[Any, ...], result: Any, drawn: Pool) -> None:
    """Add to ``result`` of the product ``func`` (aten's ``name``) what its inner sums may lose;
    ``drawn`` are normal numbers."""
    for found, squares, terms in _sums(name, func, args, result):
        if found.dtype in _KEPT_WIDER or found.is_complex() or terms < 2:
            continue
        eps = float(torch.finfo(found.dtype).eps)
        many = terms / LANES
        spread = squares.mul(many / 2)
        spread = spread.addcmul(found, found, value=many / 3).sqrt_()
        found.addcmul_(spread, drawn.like(found).to(found.dtype), value=eps / 4)


def _sums(
    name: str, func: Any, args: tuple[Any, ...], result: Any
) -> Iterator[tuple[Tensor, Tensor, float]]:
    """(result, the sum of the squared terms of each of its elements, how many terms).

    The sum is what it is for factors that know nothing of each other: the product of the two sums
    of squares over the number of terms, so that no product is computed a second time."""
    if name in ("mm", "bmm"):
        yield result, *_matrices(*args[:2])
    elif name in ("addmm", "baddbmm"):
        yield result, *_matrices(*args[1:3])
    elif name == "convolution":
        yield result, *_windows(func, args[0], args[1], args[3:], transposed=bool(args[6]))
    elif name == "convolution_backward":
        gradient, value, weight, _, *rest = args[:10]
        transposed = bool(rest[3])
        if isinstance(result[0], Tensor):

            def back(given: Tensor, ones: Tensor, _bias: None, *settings: Any) -> Tensor:
                like = given.new_empty(value.shape[0], settings[-1], *value.shape[2:])
                found: Tensor = func(given, like, ones, None, *settings, [True, False, False])[0]
                return found

            yield (
                result[0],
                *_windows(back, gradient, weight, tuple(rest), transposed=not transposed),
            )
        if isinstance(result[1], Tensor):
            rows, columns = (value, gradient) if transposed else (gradient, value)
            yield result[1], *_positions(result[1], rows, columns, groups=rest[-1])


def _matrices(left: Tensor, right: Tensor) -> tuple[Tensor, float]:
    """Of ``[..., m, terms]`` and ``[..., terms, n]``."""
    terms = max(left.shape[-1], 1)
    rows, columns = left.square().sum(-1, keepdim=True), right.square().sum(-2, keepdim=True)
    return (rows / terms) * columns, terms


def _windows(
    convolve: Any, value: Tensor, weight: Tensor, settings: Sequence[Any], *, transposed: bool
) -> tuple[Tensor, float]:
    """Of a convolution's windows: ``convolve`` sums the squares of ``value`` in each of them, a
    channel for each group. ``weight`` is ``[out, in / groups, ...]``, or where ``transposed``
    ``[in, out / groups, ...]``."""
    groups = settings[-1]
    squares = value.square().unflatten(1, (groups, -1)).sum(2)
    seen = convolve(squares, value.new_ones(groups, 1, *weight.shape[2:]), None, *settings)
    split = weight.square().unflatten(0, (groups, -1)).flatten(3).sum(-1)
    of_weight = split.sum(1) if transposed else split.sum(2)
    terms = max(math.prod(weight.shape[2:]) * split.shape[1 if transposed else 2], 1)
    spread = (seen / terms).unsqueeze(2) * of_weight.view(1, groups, -1, *[1] * (seen.dim() - 2))
    return spread.flatten(1, 2), terms


def _positions(
    weight: Tensor, rows: Tensor, columns: Tensor, *, groups: int
) -> tuple[Tensor, float]:
    """Of a kernel's gradient ``weight``, ``[rows' channels, columns' channels / groups, ...]``: a
    sum over the positions of ``rows``."""
    terms = rows.numel() // rows.shape[1]
    over = [dim for dim in range(rows.dim()) if dim != 1]
    first = rows.square().sum(over).view(groups, -1, 1)
    second = columns.square().mean(over).view(groups, 1, -1)
    squares = (first * second).flatten(0, 1)
    return squares.view(*squares.shape, *[1] * (weight.dim() - 2)).expand(weight.shape), terms
