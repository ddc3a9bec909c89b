"""What the results of one operation on the same numbers, in two environments, say of it.

Non-goal: running it (``replay``).
"""

from __future__ import annotations

import torch
from torch import Tensor

from specc.harness.judging.error_pattern import pattern

# Two results of one operation on the same numbers are the same within so many units, or so many
# times what the good one errs; two of float64, within so much of their size.
_UNITS = 16.0
_TIMES = 4.0
_SAME_IN_FLOAT64 = 1e-10


def told_of(good: dict[str, Tensor], bad: dict[str, Tensor]) -> list[str]:
    """What the results of one operation on the same numbers say: which of the two is wrong."""
    alone = "alone, on what the good run gave it,"
    for name in sorted(name for name in good if name.startswith("plain/")):
        one, other = good[name], bad.get(name)
        if other is None or other.shape != one.shape or other.dtype != one.dtype:
            return [f"{alone} it gives a result of another form"]
        exact = [each.get(name.replace("plain", "double")) for each in (good, bad)]
        if not one.is_floating_point():
            if not torch.equal(one, other):
                return [f"{alone} it differs: {pattern(other, one)}"]
            continue
        unit = float(torch.finfo(one.dtype).eps)
        errs = [_error(each, exact[0]) for each in (one, other)] if exact[0] is not None else []
        if _error(other, one) <= max(_UNITS * unit, _TIMES * (errs[0] if errs else 0.0)):
            continue
        lines = [f"{alone} it differs as well: {pattern(other, one)}"]
        if exact[0] is None or exact[1] is None:
            return [*lines, "it does not run in float64, so which is wrong cannot be said"]
        if _error(exact[1], exact[0]) > _SAME_IN_FLOAT64:
            off = _error(exact[1], exact[0])
            return [*lines, f"in float64 the two differ by {off:.2e} as well: another computation,"
                    " not worse arithmetic"]  # fmt: skip
        wrong = "bad" if errs[1] > errs[0] else "good"
        return [*lines, f"against float64 good errs by {errs[0]:.2e}, bad by {errs[1]:.2e}:"
                f" {wrong} computes it worse"]  # fmt: skip
    return [f"{alone} it gives the same in both: what it does depends on more than its arguments"]


def _error(found: Tensor, exact: Tensor) -> float:
    if found.shape != exact.shape:
        return float("inf")
    scale = float(exact.double().square().mean().sqrt()) or 1.0
    error = float((found.double() - exact.double()).square().mean().sqrt()) / scale
    return error if error == error else float("inf")
