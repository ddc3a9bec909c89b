"""Which values torch takes for the numbers of optimizers, schedulers, clips and constraints, and of
the layers and functions whose shape does not depend on them.

As torch's constructors check them (torch 2.6 to 2.13), and where torch does not check but divides
by the number. Every other number must fit in float32. Non-goal: what two arguments mean together.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

FLOAT32_MAX: Final = 3.4028234663852886e38


@dataclass(frozen=True, slots=True)
class Range:
    """An interval; an open end does not belong to it, nor does 0 where it is ``broken``."""

    low: float = -FLOAT32_MAX
    high: float = FLOAT32_MAX
    low_open: bool = False
    high_open: bool = False
    broken: bool = False

    def __contains__(self, number: float) -> bool:
        above = number > self.low if self.low_open else number >= self.low
        below = number < self.high if self.high_open else number <= self.high
        return above and below and not (self.broken and number == 0)

    def __str__(self) -> str:
        parts = ["other than 0"] if self.broken else []
        if self.low > -FLOAT32_MAX:
            parts.append(f"{'above' if self.low_open else 'at least'} {self.low:g}")
        if self.high < FLOAT32_MAX:
            parts.append(f"{'below' if self.high_open else 'at most'} {self.high:g}")
        return " and ".join(parts) or "a number that float32 holds"


ANY: Final = Range()
_NOT_NEGATIVE: Final = Range(0.0)
_ABOVE_0: Final = Range(0.0, low_open=True)
_OF_A_NORM: Final = Range(0.0, inf, low_open=True)
_FROM_1: Final = Range(1.0)
_FRACTION: Final = Range(0.0, 1.0)

# By the argument's name alone, or by row and argument.
_RANGES: Final[dict[tuple[str, str], Range]] = {
    **{
        ("", name): _NOT_NEGATIVE
        for name in (
            "lr", "eps", "weight_decay", "momentum", "lr_decay", "initial_accumulator_value",
            "momentum_decay", "alpha", "patience", "cooldown", "total_iters", "tolerance_grad",
            "tolerance_change",
        )
    },
    **{
        ("", name): _FROM_1
        for name in (
            "T_max", "T_0", "T_mult", "step_size", "step_size_up", "step_size_down", "total_steps",
            "epochs", "steps_per_epoch", "max_iter", "max_eval", "history_size",
        )
    },
    **{("", name): _ABOVE_0 for name in ("div_factor", "final_div_factor", "clip_value")},
    ("", "betas"): Range(0.0, 1.0, high_open=True),
    ("", "rho"): _FRACTION,
    ("", "pct_start"): _FRACTION,
    ("", "end_factor"): _FRACTION,
    ("", "start_factor"): Range(0.0, 1.0, low_open=True),
    ("", "beta2_decay"): Range(high=0.0),
    ("PolynomialLR", "power"): _NOT_NEGATIVE,
    ("Adafactor", "d"): _FROM_1,
    ("SequentialLR", "milestones"): _FROM_1,
    ("Muon", "ns_steps"): Range(0.0, 100.0, high_open=True),
    ("SparseAdam", "lr"): _ABOVE_0,
    ("SparseAdam", "eps"): _ABOVE_0,
    ("ConstantLR", "factor"): Range(0.0, 1.0, low_open=True),
    ("ReduceLROnPlateau", "factor"): Range(0.0, 1.0, high_open=True),
    ("MaxNorm", "max_norm"): _ABOVE_0,
    ("GradNorm", "max_norm"): _ABOVE_0,
    ("GradNorm", "norm_type"): _OF_A_NORM,
    # A power of a number above 1, which leaves float64 from some hundreds on.
    ("ASGD", "alpha"): Range(0.0, 100.0),
    # Layers and functions.
    **{(f"Conv{kind}{n}d", "groups"): _FROM_1 for kind in ("", "Transpose") for n in (1, 2, 3)},
    **{(name, "alpha"): Range(broken=True) for name in ("CELU", "celu")},
    **{(name, "eps"): _NOT_NEGATIVE for name in ("CosineSimilarity", "cosine_similarity")},
    **{("isclose", name): _NOT_NEGATIVE for name in ("rtol", "atol")},
    ("renorm", "p"): _OF_A_NORM,
    ("renorm", "maxnorm"): _NOT_NEGATIVE,
    ("cdist", "p"): Range(0.0, inf),
}  # fmt: skip

# How many numbers a tuple has; the others are one number for each group of parameters.
LENGTHS: Final = {"betas": 2, "etas": 2, "step_sizes": 2, "ns_coefficients": 3}


def own_range_of(row: str, argument: str) -> Range:
    """As ``range_of``, of a layer's or a function's, whose names mean nothing by themselves."""
    return _RANGES.get((row, argument), ANY)


def range_of(row: str, argument: str) -> Range:
    """The range of the numbers of ``argument`` of the row called ``row``."""
    return _RANGES.get((row, argument)) or _RANGES.get(("", argument), ANY)
