"""What a cell came to, in a run of many: plain data, torch-free.

Non-goals: the verdict of one cell (``verdict``), tables (``specc.report.results.summary``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "regressed", "fault", "golden", "skipped"]
# The outcome of a spec is that of its worst cell.
WORST_FIRST: tuple[Outcome, ...] = ("regressed", "fault", "golden", "passed", "skipped")


@dataclass(frozen=True, slots=True)
class CellResult:
    """What one cell came to. ``worst`` is in floors (None where nothing was compared), times are in
    seconds; ``reason`` names the first bad tensor, the fault or why the cell was skipped; what was
    ``compared`` and what was ``not_observable`` are counts of values."""

    spec: str
    cell: str
    outcome: Outcome
    worst: float | None = None
    seconds: float = 0.0
    torch_seconds: float = 0.0
    reason: str = ""
    compared: int = 0
    not_observable: int = 0


def alike(result: CellResult) -> object:
    """What results have in common of which one is enough to show: cells of a spec whose goldens are
    missing or stale for the same reason. Any other result is like itself alone."""
    if result.outcome != "golden":
        return result
    return result.spec, re.sub(r", case [\w-]+", "", result.reason)


def worst_of(found: Sequence[CellResult]) -> float | None:
    """The largest error in floors; None where nothing was compared."""
    compared = [result.worst for result in found if result.worst is not None]
    # max() passes over a NaN or keeps it by where it stands; here it is the worst there is.
    return math.nan if any(map(math.isnan, compared)) else max(compared, default=None)


def outcome_of(found: Sequence[CellResult]) -> Outcome:
    """The outcome of the worst cell."""
    return min((result.outcome for result in found), key=WORST_FIRST.index)
