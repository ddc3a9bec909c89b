"""How far runs are from a reference, and the floor that follows from several of them.

A few runs say little about a single number's spread, so the floor is the one that leaves the same
chance of a false alarm as a perfectly known spread would: the root-mean-square over the runs,
times the ratio of Student's t quantile to the normal one, at the degrees of freedom that the runs
show. Elements that err together count as one: the degrees of freedom come from how much the runs'
mean squares differ among themselves (Satterthwaite 1946). Non-goal: the runs (``floor``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from specc.harness.running.recorder import Observation
from specc.harness.running.sketch import is_sketched
from specc.policy import K

# The quantiles' common tail: two-sided, one in a million.
_NORMAL_QUANTILE = 4.892
# Student's t at the same tail, by degrees of freedom.
_STUDENT = (
    (4, 49.459),
    (5, 28.478),
    (6, 20.048),
    (7, 15.767),
    (8, 13.257),
    (10, 10.516),
    (12, 9.085),
    (15, 7.903),
    (20, 6.927),
    (30, 6.119),
    (60, 5.449),
    (120, 5.158),
    (1000, 4.922),
)

# Mean squares of six runs each that differ by more are of two kinds: by chance they differ so once
# in twenty times (the F distribution's quantile at 95 %).
_ANOTHER_KIND = 4.284


# Of a leaf whose floor is no less than itself, and of one that honest runs do not have.
NOTHING = 1.0
ENDLESS = 1e300
# An amplified run raises a number of a floor that it passes by JUMP * AMPLIFICATION to the error
# over JUMP_FLOORS (``floor``): a factor of 32, and twice that for what else differs.
_APART = 64.0
# What four digits lose.
_ROUNDED = 0.999


@dataclass(frozen=True, slots=True)
class Floor:
    """Relative to the reference's RMS (absolute where that is zero). ``dtype`` is the leaf's own
    where the run gives it another than the reference's: under autocast."""

    rms: float
    largest: float
    dtype: str = ""

    @property
    def written(self) -> Floor:
        """As a golden says it."""
        rms, largest = written(self.rms, self.largest)
        return Floor(rms, largest, self.dtype)


def observable(floor: Floor) -> bool:
    """Whether a tensor that is wholly lost (all zeros: an error of 1) would be told from noise."""
    return floor.rms * K < 1.0


def written(rms: float, *others: float) -> tuple[float, ...]:
    """A floor's numbers as a golden says them: four digits, which are enough for people.

    An error as large as the value itself is not observable whatever the policy, so that every floor
    from there on is ``NOTHING``; one that honest runs lose is ``ENDLESS``. A golden with any number
    between these was not written by a blessing.
    """
    if not all(number < ENDLESS for number in (rms, *others)):
        return (ENDLESS, *(ENDLESS for _ in others))
    found = tuple(float(f"{number:.4g}") for number in (rms, *others))
    return found if found[0] < NOTHING else (NOTHING, *(NOTHING for _ in others))


def sound(rms: float, largest: float, gain: float | None, unit: float, elements: int) -> bool:
    """Whether ``written`` can have given these of a tensor of ``elements`` in a precision with the
    epsilon ``unit`` (an ``elements`` or ``unit`` that is not known: the most or the least).

    No floor is below a quarter of a unit, the gain's not below half of one. Of one error vector the
    largest element is at most ``sqrt(elements)`` of the root-mean-square, and the gain no more than
    it. What raises one of the numbers apart from the others is a jump that the others hold within
    ``_APART``.
    """
    if rms in (NOTHING, ENDLESS):
        return largest == rms and gain in (None, rms)
    if not unit / 4 * _ROUNDED <= rms < NOTHING:
        return False
    most = math.sqrt(max(elements, 1)) * _APART * rms
    if not rms / _APART <= largest <= most:
        return False
    return gain is None or unit / 2 * _ROUNDED <= gain <= _APART * rms


def error_of(leaf: Observation, sample: Observation | None) -> tuple[float, float] | None:
    """(root-mean-square, largest) of a sample's error over what is finite in the leaf, relative to
    the leaf's RMS; None if not comparable.
    """
    if sample is None or sample.values is None or leaf.values is None:
        return None
    if sample.values.shape != leaf.values.shape:
        return None
    error = np.abs(sample.values.numpy() - leaf.values.numpy())
    count = len(error)
    if leaf.nonfinite and not is_sketched(math.prod(leaf.shape)):
        count -= leaf.not_finite
    if count <= 0 and not error.any():
        return 0.0, 0.0
    scale = leaf.rms if leaf.rms > 0.0 else 1.0
    largest = float(error.max()) / scale
    square = float(error.dot(error))
    if not math.isfinite(square):  # the squares have left the range of float64
        square = float(np.square(error / error.max()).sum())
        return largest * math.sqrt(square / max(count, 1)), largest
    return math.sqrt(square / max(count, 1)) / scale, largest


def floor_of(leaf: Observation, samples: Sequence[Observation | None], unit: float) -> Floor:
    """The floor of one leaf from its values in several honest runs; ``unit`` is the precision's
    epsilon.

    Every second sample is of the regrouped kind. Where that kind errs more, its spread counts:
    pooled with the others, honest machines of its kind would stand out. It is then known from half
    as many runs.
    """
    assert leaf.values is not None
    sizes = [error_of(leaf, sample) for sample in samples]
    return floor_from(sizes, leaf.values.numel(), unit)


def floor_from(sizes: Sequence[tuple[float, float] | None], elements: int, unit: float) -> Floor:
    """As ``floor_of``, from the errors themselves: (root-mean-square, largest) of each run, None
    of one that has no such value."""
    found = [size for size in sizes if size is not None]
    if not found or len(found) < len(sizes):
        return Floor(math.inf, math.inf)
    squares = [size[0] ** 2 for size in found]
    largest = max(size[1] for size in found)
    mean = sum(squares) / len(squares)
    # The final rounding of a value is half a unit at most: no floor is below a quarter.
    rms = unit / 4
    if mean > 0.0:
        others, regrouped = _mean(squares[::2]), _mean(squares[1::2])
        freedom = _freedom(squares, elements)
        if regrouped > _ANOTHER_KIND * others:
            freedom = min(freedom, _freedom(squares[1::2], elements))
        rms = max(rms, math.sqrt(max(mean, regrouped)) * student_factor(freedom))
    # The largest of n normal numbers is about sqrt(2 ln n) of their spread.
    expected = rms * math.sqrt(1.0 + 2.0 * math.log(max(elements, 1)))
    return Floor(rms, max(largest, expected))


def _freedom(squares: Sequence[float], elements: int) -> float:
    """Degrees of freedom of the mean of ``squares``, the runs' mean squares over ``elements``:
    those that err together count as one."""
    mean = _mean(squares)
    spread = sum((square - mean) ** 2 for square in squares) / max(len(squares) - 1, 1)
    together = 2.0 * mean**2 / spread if spread > 0.0 else float(elements)
    return len(squares) * min(max(together / 2, 1.0), float(max(elements, 1)))


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / max(len(numbers), 1)


def student_factor(freedom: float) -> float:
    """t / z at one in a million: by how much a spread from so few degrees of freedom must be
    widened.

    Interpolated in the inverse of ``freedom``, which is where the quantile is nearly straight.
    """
    previous = _STUDENT[0]
    if freedom <= previous[0]:
        return previous[1] / _NORMAL_QUANTILE
    for entry in _STUDENT[1:]:
        if freedom <= entry[0]:
            inside = (1 / previous[0] - 1 / freedom) / (1 / previous[0] - 1 / entry[0])
            return (previous[1] + inside * (entry[1] - previous[1])) / _NORMAL_QUANTILE
        previous = entry
    return previous[1] / _NORMAL_QUANTILE
