"""Whether the masks of a dropout are independent draws of one rate: the laws that they follow.

Every bound holds for any number of draws, and all of one mask's checks together are passed by
chance at most ``CHANCE`` times: Bernstein's inequality for means of independent draws, Freedman's
("On tail probabilities for martingales", 1975) for products of draws of one row at a distance.
Non-goals: where a mask comes from, what is scaled by it (``native_dropout``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from specc.harness.native.native_laws import CHANCE

# The chance is shared by the rate, the pairs along each dimension, and the distances.
_SHARES = 8


@dataclass(frozen=True, slots=True)
class Masks:
    """What was measured: ``rate`` is the share dropped; ``correlations`` are the largest in
    magnitude between two slices along each dimension (by its number in a call, ``"calls"`` for the
    calls themselves) and ``"distance"`` between draws a fixed distance apart."""

    rate: float
    correlations: dict[str, float]
    faults: tuple[str, ...]


def masks_of(kept: Tensor, p: float) -> Masks:
    """``kept`` is bool ``[calls, ...]``, what successive calls kept of inputs of one shape, at the
    rate ``p`` of what is dropped, 0 < p < 1; at most five dimensions."""
    count = kept.numel()
    faults: list[str] = []
    rate = 1.0 - kept.double().mean().item()
    allowed = within(p * (1 - p), max(p, 1 - p), count, 2)
    if abs(rate - p) > allowed:
        faults.append(f"drops {rate:.4%} of {count} draws, not {p:.4%}")
    centred = kept.double() - (1 - p)
    correlations: dict[str, float] = {}
    for dimension in range(kept.dim()):
        if kept.shape[dimension] > 1:
            name = "calls" if dimension == 0 else str(dimension - 1)
            found, allowed, pair = _pairs(centred, dimension, p)
            correlations[name] = found
            if abs(found) > allowed:
                what = "successive calls" if dimension == 0 else f"slices along dimension {name}"
                faults.append(f"{what} are correlated, {pair[0]} and {pair[1]}: {found:+.4f}, by"
                              f" chance within ±{allowed:.4f}")  # fmt: skip
    found, allowed, distance = _distances(centred.flatten(), p)
    correlations["distance"] = found
    if abs(found) > allowed:
        faults.append(f"draws {distance} elements apart are correlated: {found:+.4f}, by chance"
                      f" within ±{allowed:.4f}")  # fmt: skip
    return Masks(rate, correlations, tuple(faults))


def within(variance: float, reach: float, count: int, tests: int) -> float:
    """How far the mean of ``count`` independent draws within ``reach`` of theirs may be off, of so
    many that are looked at."""
    tail = math.log(tests * _SHARES / CHANCE)
    part = tail * reach / (3 * count)
    return part + math.sqrt(part**2 + 2 * tail * variance / count)


def _pairs(centred: Tensor, dimension: int, p: float) -> tuple[float, float, tuple[int, int]]:
    """The largest correlation of two slices along ``dimension``, what chance allows, and which."""
    rows = centred.movedim(dimension, 0).flatten(1)
    size, length = rows.shape
    variance = p * (1 - p)
    products = (rows @ rows.T / (length * variance)).fill_diagonal_(0.0)
    place = int(products.abs().argmax())
    # A product of two independent draws has the variance of both.
    allowed = within(variance**2, max(p, 1 - p) ** 2, length, size * (size - 1)) / variance
    return products.flatten()[place].item(), allowed, divmod(place, size)


def _distances(row: Tensor, p: float) -> tuple[float, float, int]:
    """The autocorrelation of ``row`` at the distance where it stands out most, what chance allows
    there, and the distance."""
    count = row.numel()
    variance, reach = p * (1 - p), max(p, 1 - p) ** 2
    spectrum = torch.fft.rfft(row, n=1 << (2 * count - 1).bit_length())
    products = torch.fft.irfft(spectrum.abs().square())[1:count]
    terms = torch.arange(count - 1, 0, -1, dtype=torch.float64, device=row.device)
    # A sum of draw i times draw i + k is a martingale: draw i + k is independent of what came
    # before. Its conditional variance is that of one draw times the squares of the first ones,
    # whose sum is itself a mean of independent draws.
    tail = math.log(4 * count * _SHARES / CHANCE)
    part = tail * max(p, 1 - p) / 3
    spread = abs(1 - 2 * p) * (part + (part**2 + 2 * tail * variance * terms).sqrt())
    conditional = variance * (variance * terms + spread)
    part = tail * reach / 3
    allowed = part + (part**2 + 2 * tail * conditional).sqrt()
    place = int((products.abs() / allowed).argmax())
    scale = float(terms[place]) * variance
    return products[place].item() / scale, allowed[place].item() / scale, place + 1
