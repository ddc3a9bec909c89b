"""The precisions of a test: torch's types by their names, and ``tf32``, which is none of them.

Non-goal: how TF32 computes (``tf32``)."""

from __future__ import annotations

from typing import Final

import torch

TF32: Final = "tf32"
# Half the distance of neighbours in TF32: what rounding to nearest moves a factor by at most.
UNIT: Final = 2.0**-11


def dtype_of(precision: str) -> torch.dtype:
    """The type of a run's tensors: float32 for ``tf32``, else torch's of that name."""
    found: torch.dtype = torch.float32 if precision == TF32 else getattr(torch, precision)
    return found


def epsilon_of(precision: str) -> float:
    """The distance from 1 to the next number in the coarsest of what ``precision`` rounds to."""
    return 2 * UNIT if precision == TF32 else float(torch.finfo(dtype_of(precision)).eps)
