"""Whether numbers that torch drew follow the law that they should: bounds, moments, shape.

Every bound holds for any number of draws and is passed by chance at most once in 10^8 times: the
Dvoretzky-Kiefer-Wolfowitz inequality with Massart's constant (1990) for the distribution function,
Bernstein's for means of bounded draws, Laurent and Massart's (2000) for a normal's variance.
Non-goals: which law a parameter has (``initial_weights``), what drew the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# How often a sound law may fail one check.
CHANCE = 1e-8
_TAIL = math.log(2.0 / CHANCE)
# Of a large tensor so many elements are sorted, and so many go into moments, spread evenly.
MOST = 8192
MOST_OF_MOMENTS = 1 << 20
# A float32 draw is made of 24 random bits; twice two of them are given to rounding.
_GRAIN = 2.0**-22
_ULP = 2.0**-24


@dataclass(frozen=True)
class Continuous:
    """Independent draws of one continuous law, in float32.

    ``low`` and ``high`` bound it (infinite for a normal), ``fourth`` is its fourth central moment,
    ``spread`` the standard deviation of the normal that it is cut from, if it is; ``density`` is
    at most so much, ``cdf`` the share of draws up to a value.
    """

    text: str
    mean: float
    std: float
    fourth: float
    density: float
    cdf: Callable[[Tensor], Tensor]
    low: float = -math.inf
    high: float = math.inf
    spread: float = math.inf
    grain: float = _GRAIN

    @property
    def bounded(self) -> bool:
        return math.isfinite(self.low)

    @property
    def single(self) -> float:
        """The chance of the likeliest single float."""
        far = max(abs(self.low), abs(self.high)) if self.bounded else abs(self.mean) + 8 * self.std
        return self.grain + self.density * 2 * _ULP * far

    def faults(self, draws: Sequence[Tensor]) -> list[str]:
        """What is wrong with ``draws``, tensors of one parameter under several seeds."""
        many = torch.cat([sample(each, MOST_OF_MOMENTS) for each in draws])
        few = torch.cat([sample(each) for each in draws]).sort().values
        return self._outside(draws) + self._moments(many) + self._shape(few)

    def _outside(self, draws: Sequence[Tensor]) -> list[str]:
        if not self.bounded:
            return []
        slack = 4 * _ULP * max(abs(self.low), abs(self.high))
        lowest = min(float(each.min()) for each in draws)
        highest = max(float(each.max()) for each in draws)
        if lowest < self.low - slack or highest > self.high + slack:
            return [f"reaches from {lowest:.6g} to {highest:.6g}, and should be {self.text}"]
        return []

    def _moments(self, values: Tensor) -> list[str]:
        found, count = [], values.numel()
        mean = float(values.mean())
        allowed = self._mean_within(count)
        if abs(mean - self.mean) > allowed:
            found.append(
                f"the mean of {count} numbers is {mean:.4g}, by chance within {allowed:.2g} of"
                f" {self.mean:.4g}: should be {self.text}"
            )
        variance = float((values - self.mean).square().mean())
        less, more = self._variance_within(count)
        if not self.std**2 - less <= variance <= self.std**2 + more:
            found.append(
                f"the standard deviation of {count} numbers is {math.sqrt(variance):.4g}, expected"
                f" {self.std:.4g}: should be {self.text}"
            )
        return found

    def _mean_within(self, count: int) -> float:
        """A normal, and what is cut from one, is sub-Gaussian; a bounded law obeys Bernstein."""
        allowed = math.inf
        if self.bounded:
            reach = max(self.high - self.mean, self.mean - self.low)
            allowed = _bernstein(self.std**2, reach, count)
        if math.isfinite(self.spread):
            allowed = min(allowed, self.spread * math.sqrt(2 * _TAIL / count))
        return allowed + 4 * _ULP * (abs(self.mean) + 4 * self.std)

    def _variance_within(self, count: int) -> tuple[float, float]:
        slack = 8 * _ULP * (self.mean**2 + self.std**2)
        if self.bounded:
            reach = max(self.high - self.mean, self.mean - self.low) ** 2
            allowed = _bernstein(self.fourth - self.std**4, reach, count)
            return allowed + slack, allowed + slack
        root = 2 * math.sqrt(count * _TAIL)
        unit = self.std**2 / count
        return root * unit + slack, (root + 2 * _TAIL) * unit + slack

    def _shape(self, values: Tensor) -> list[str]:
        found, count = [], values.numel()
        share = self.cdf(values)
        ranks = torch.arange(count + 1, dtype=torch.float64) / count
        distance = float(torch.maximum(ranks[1:] - share, share - ranks[:-1]).max())
        allowed = math.sqrt(_TAIL / (2 * count)) + 2 * self.single
        if distance > allowed:
            found.append(
                f"the distribution of {count} numbers is off by {distance:.3f}, by chance within"
                f" {allowed:.3f}: should be {self.text}"
            )
        many = self._too_many(count)
        if many <= count:
            alike = values[many - 1 :] == values[: count - many + 1]
            if bool(alike.any()):
                value = float(values[: count - many + 1][alike][0])
                times = int((values == value).sum())
                found.append(f"{times} of {count} numbers are {value:.9g}: should be {self.text}")
        return found

    def _too_many(self, count: int) -> int:
        """So many equal numbers are no chance: the expected number of such sets of k draws is at
        most ``C(count, k) * single^(k - 1)``."""
        for k in range(2, count + 1):
            if math.log(count) + (k - 1) * math.log(count * self.single) - math.lgamma(
                k + 1
            ) < math.log(CHANCE):
                return k
        return count + 1


def sample(tensor: Tensor, most: int = MOST) -> Tensor:
    """At most ``most`` elements of ``tensor`` in float64: at an odd stride, so that the channels of
    usual widths all have their share."""
    flat = tensor.detach().flatten()
    if flat.numel() > most:
        flat = flat[:: (-(-flat.numel() // most)) | 1]
    return flat.double()


def uniform(low: float, high: float) -> Continuous:
    """The law of ``uniform_``; ``low`` < ``high``."""
    width = high - low
    return Continuous(
        f"uniform from {low:.6g} to {high:.6g}",
        (low + high) / 2,
        width / math.sqrt(12.0),
        width**4 / 80,
        1 / width,
        lambda values: ((values - low) / width).clamp(0.0, 1.0),
        low,
        high,
    )


def normal(mean: float, std: float) -> Continuous:
    """The law of ``normal_``; ``std`` > 0."""
    return Continuous(
        f"normal with mean {mean:.6g} and standard deviation {std:.6g}",
        mean,
        std,
        3 * std**4,
        1 / (std * math.sqrt(2 * math.pi)),
        lambda values: torch.special.ndtr((values - mean) / std),
        spread=std,
    )


def truncated(mean: float, std: float, low: float, high: float) -> Continuous | None:
    """The law of ``trunc_normal_``: the normal given that it is between ``low`` and ``high``.

    Its moments are integrals of the density (Johnson, Kotz and Balakrishnan 1994, 13.10, has the
    recursion). None where next to nothing of the normal is between them.
    """
    left, right = (low - mean) / std, (high - mean) / std
    if left < -8 and right > 8:  # nothing is cut that a double could tell
        return normal(mean, std)
    # Of the two tails the one that is small, so that no digits cancel.
    sign = -1.0 if left > 0 else 1.0
    begin, end = (left, right) if sign > 0 else (-right, -left)
    start = _below(begin)
    mass = _below(end) - start
    if mass < 1e-6 or low >= high:
        return None
    moments = _truncated_moments(left, right, mass)
    centre = moments[1]
    second = moments[2] - centre**2
    fourth = moments[4] - 4 * centre * moments[3] + 6 * centre**2 * moments[2] - 3 * centre**4
    peak = min(max(0.0, left), right)

    def cdf(values: Tensor) -> Tensor:
        z = ((values - mean) / std * sign).clamp(begin, end)
        share: Tensor = (torch.special.ndtr(z) - start) / mass
        return share if sign > 0 else 1 - share

    return Continuous(
        f"normal with mean {mean:.6g} and standard deviation {std:.6g}, cut off at {low:.6g} and"
        f" {high:.6g}",
        mean + std * centre,
        std * math.sqrt(second),
        std**4 * fourth,
        _density(peak) / (mass * std),
        cdf,
        low,
        high,
        std,
        # What is made by the inverse of the distribution function has the grain of a uniform draw
        # in the normal's own share.
        _GRAIN + 2 * _ULP / mass,
    )


def _truncated_moments(left: float, right: float, mass: float) -> list[float]:
    """The first four raw moments of a standard normal between ``left`` and ``right``."""
    at_left, at_right = _density(left), _density(right)
    moments = [1.0, (at_left - at_right) / mass]
    for k in range(2, 5):
        ends = _times(left, k - 1, at_left) - _times(right, k - 1, at_right)
        moments.append((k - 1) * moments[k - 2] + ends / mass)
    return moments


def _times(place: float, power: int, density: float) -> float:
    return 0.0 if density == 0.0 else place**power * density


def _density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi) if abs(z) < 38 else 0.0


def _below(z: float) -> float:
    return math.erfc(-z / math.sqrt(2.0)) / 2


def _bernstein(variance: float, reach: float, count: int) -> float:
    """How far the mean of ``count`` draws within ``reach`` of theirs may be off."""
    part = _TAIL * reach / (3 * count)
    return part + math.sqrt(part**2 + 2 * _TAIL * max(variance, 0.0) / count)
