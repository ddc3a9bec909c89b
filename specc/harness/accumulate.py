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
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from specc.harness.pool import Pool

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
        spread = squares.clamp_(min=0.0).mul_(many / 2)
        spread.addcmul_(found, found, value=many / 3).sqrt_()
        found.addcmul_(spread, drawn.like(found).to(found.dtype), value=eps / 4)


def _sums(
    name: str, func: Any, args: tuple[Any, ...], result: Any
) -> Iterator[tuple[Tensor, Tensor, float]]:
    """(result, the sum of the squared terms of each of its elements, how many terms)."""
    if name in ("mm", "bmm"):
        left, right = args[:2]
        yield result, left.square() @ right.square(), left.shape[-1]
    elif name in ("addmm", "baddbmm"):
        left, right = args[1:3]
        yield result, left.square() @ right.square(), left.shape[-1]
    elif name == "convolution":
        squares = func(args[0].square(), args[1].square(), None, *args[3:])
        yield result, squares, _terms(args[1], transposed=bool(args[6]))
    elif name == "convolution_backward":
        squared = func(*(each.square() for each in args[:3]), *args[3:])
        forward = not args[7]
        places = args[0].numel() / args[0].shape[1]
        counts = (_terms(args[2], transposed=forward), places, places)
        for found, squares, terms in zip(result, squared, counts, strict=True):
            if isinstance(found, Tensor) and isinstance(squares, Tensor):
                yield found, squares, terms


def _terms(weight: Tensor, *, transposed: bool) -> float:
    """How many products go into an element: of ``[out, in / groups, ...]``, or the other way."""
    return math.prod(weight.shape[2:]) * weight.shape[0 if transposed else 1]
