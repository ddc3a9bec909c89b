"""Blesses a spec: the float64 reference and the noise floors of every case, written as goldens.

The only maker of goldens. Deterministic: blessing twice on one machine gives the same bytes.
Non-goals: reviewing changes (``golden_review``), judging.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from specc import garbage
from specc.errors import TargetError
from specc.harness.blessing.blessable import check_finite, check_observable
from specc.harness.cases.case import DRAWS, close, lowest_precision
from specc.harness.cases.corners import levels
from specc.harness.cases.matrix import Case, cases
from specc.harness.cases.precisions import epsilon_of
from specc.harness.floors.floor import (
    ReferenceRun,
    floors,
    honest_runs,
    look_for_kinks,
    look_in_orders,
    reference,
)
from specc.harness.floors.floor_statistics import Floor
from specc.harness.floors.per_layer import Exact
from specc.harness.floors.per_layer_floor import NOT_ALONE, AloneFloor, alone_floors
from specc.harness.goldens import golden as goldens
from specc.harness.goldens.golden import Golden, Leaf
from specc.harness.running.error_line import span_raised
from specc.harness.running.observe import Run, RunFailed, Setting, observe
from specc.ir import Program
from specc.policy import COARSE

# More kinks than this in a first step, where none follows from another, and a draw without any is
# met once in thousands: then one is as good as another, and eight cost as much as all the rest.
MANY = 8
# Likewise of a run in which so many decisions turn, and one in a thousand: by its end rounding has
# come to a thousandth, and no numbers change that. A single kink turns far fewer after it.
APART = 1000
# And where the draws so far, two at least, leave less than this chance of a calm one to come.
CHANCE = 1 / 8
_NOWHERE = (float("inf"), float("inf"), float("inf"))


def bless(
    program: Program,
    root: Path,
    source: str | None = None,
    dtypes: Sequence[str] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Write the golden of each case of ``program`` under ``root``; returns their folders.

    All cases run before the first is written; which of them runs is told to ``say``. Raises
    SpecError as ``matrix.cells`` does, TargetError where the case does not run in float64 (E0903),
    where its reference is not finite (E0810) or nothing of it can be judged (E0811), CallError
    (E0804) where a golden cannot be written.
    """
    if source is None:
        from specc.emit import emit

        source = emit(program)
    chosen = tuple(dtypes or program.test.dtypes)
    every = cases(program)
    made = []
    for number, case in enumerate(every, 1):
        say(f"case {case.id}, {number} of {len(every)}")
        made.append(make(program, case, source, chosen))
    return [goldens.write(program, golden, root) for golden in made]


@garbage.settled()
def make(
    program: Program, case: Case, source: str, dtypes: Sequence[str], draw: int | None = None
) -> Golden:
    """The golden of one case, in memory; with ``draw`` on the numbers of that draw, so that it can
    be compared with another of the case. Raises TargetError (E0903, E0810, E0811)."""
    grid = lowest_precision(dtypes)
    try:
        found = _calmest(program, case, source, dtypes, grid, draw)
        notes = check_finite(program, case, found.run.observations)
        runs = {name: honest_runs(program, found, source, name) for name in dtypes}
        measured = {name: floors(program, found, source, name, runs[name]) for name in dtypes}
        exact = Exact.of(found.run, case)
        alone = {name: alone_floors(program, exact, runs[name][0], name) for name in dtypes}
    except RunFailed as error:
        raise TargetError(
            "E0903",
            f"{program.file}, case {case.id}, cannot be blessed: {error.place} stops with"
            f" {error.message}",
            help="a golden is made from runs on the CPU, in float64 and in each of the spec's"
            " dtypes; make the model run there first",
            span=span_raised(program, error, source),
        ) from None
    nowhere = Floor(*_NOWHERE[:2])
    leaves = tuple(
        Leaf(
            leaf,
            {}
            if leaf.values is None or leaf.exact
            else {name: of.get(leaf.name, nowhere) for name, of in measured.items()},
        )
        for leaf in found.run.observations
    )
    check_observable(program, case, leaves, dtypes)
    return Golden(
        case,
        found.closed.draw,
        grid,
        max(found.kinks.values(), default=0),
        tuple(dtypes),
        provenance(),
        (*found.run.notes, *notes, *_left_out(leaves, alone)),
        leaves,
        _by_value(alone),
    )


def _by_value(
    alone: Mapping[str, Mapping[str, AloneFloor]],
) -> dict[str, dict[str, AloneFloor]]:
    """By value, then by precision, of what is by precision, then by value."""
    names = dict.fromkeys(name for found in alone.values() for name in found)
    return {
        name: {dtype: found.get(name, AloneFloor(*_NOWHERE)) for dtype, found in alone.items()}
        for name in names
    }


def _left_out(
    leaves: Sequence[Leaf], alone: Mapping[str, Mapping[str, AloneFloor]]
) -> tuple[str, ...]:
    """A note of the layers that hold no other and could not be run by themselves."""
    names = [leaf.reference.name for leaf in leaves if leaf.reference.dtype in ("float", "complex")]
    seen = {
        (stage, path.partition("/")[0].partition("#")[0])
        for stage, kind, path in (name.split("/", 2) for name in names if name.count("/") > 1)
        if kind == "layer"
    }
    holders = {(stage, path[:k]) for stage, path in seen for k, c in enumerate(path) if c == "."}
    judged = {tuple(name.split("/")[::2][:2]) for found in alone.values() for name in found}
    lost = sorted(path for stage, path in seen - holders if (stage, path) not in judged)
    if not lost:
        return ()
    return (f"{NOT_ALONE}{', '.join(lost)}",)


def provenance() -> dict[str, str | int | bool]:
    """What a golden was made with: shown when a run differs, never compared."""
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "none",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "matmul_precision": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def _calmest(
    program: Program,
    case: Case,
    source: str,
    dtypes: Sequence[str],
    grid: str,
    draw: int | None,
) -> ReferenceRun:
    """The draw that is asked for, else the first of ``_draws`` without kinks, or the one with the
    fewest, whose floors then say what its kinks do. The finest precision has the first word: in a
    coarse one no draw is without. Among draws without, one comes first of which sums in other
    orders turn nothing either.
    """
    best: ReferenceRun | None = None
    order = sorted(dtypes, key=epsilon_of)
    fine = [name for name in order if epsilon_of(name) < COARSE] or order

    def count(found: ReferenceRun, names: Sequence[str]) -> list[int]:
        return [found.kinks[name] for name in names]

    def rank(found: ReferenceRun) -> tuple[list[int], int]:
        return count(found, order), sum(found.ordered.values())

    early: list[int] = []
    for turned in _draws(program, case, source, grid) if draw is None else (draw,):
        found = reference(program, close(program, case, turned, grid), source, dtypes)
        if draw is not None or not any(count(found, fine)):
            # What one pair of runs does not push over an edge, another may.
            look_for_kinks(program, found, source, dtypes, seed=9001)
        if draw is None and not any(count(found, fine)):
            look_in_orders(program, found, source, fine)
        if best is None or rank(found) < rank(best):
            best = found
        calm = not any(count(best, fine)) and not any(best.ordered.values())
        early.append(sum(found.early[name] for name in fine))
        if calm or _chance(early) < CHANCE or any(_hopeless(found, name) for name in fine):
            break
    assert best is not None  # DRAWS is positive
    if any(count(best, fine)) and draw is None and not any(_many(best, name) for name in fine):
        look_for_kinks(program, best, source, dtypes, seed=9001)
    return best


def _chance(early: Sequence[int]) -> float:
    """That one of the draws to come has no kink in its first step, where those so far had these:
    kinks are rare among many decisions, so that their number is Poisson's."""
    if len(early) < 2:
        return 1.0
    calm = math.exp(-sum(early) / len(early))
    return 1.0 - (1.0 - calm) ** (DRAWS - len(early))


def _hopeless(found: ReferenceRun, dtype: str) -> bool:
    """Whether another draw would have kinks as well as this one has."""
    return found.early[dtype] > MANY or _many(found, dtype)


def _many(found: ReferenceRun, dtype: str) -> bool:
    """Whether so many decisions turn that no further run shows more than these do."""
    decisions = sum(log.numel() for log in found.decisions)
    turned = max(found.kinks[dtype], found.ordered.get(dtype, 0))
    return turned > max(APART, decisions // APART)


def _draws(program: Program, case: Case, source: str, grid: str) -> range:
    """The draws that hold the most corners of which the model has finite numbers in float64: a row
    of a mask that is all true has none behind a softmax.

    Where none of them has, the fault is not the corners', and all are held."""
    possible = levels(program)
    for level in possible if len(possible) > 1 else ():
        first = level * DRAWS
        try:
            run = observe(
                program,
                close(program, case, first, grid),
                source,
                Setting("eager", "cpu", "float64", layers=True),
            )
        except RunFailed:  # a loss that refuses such a number
            continue
        if _is_finite(run):
            return range(first, first + DRAWS)
    return range(DRAWS)


def _is_finite(run: Run) -> bool:
    return not any(leaf.nonfinite for leaf in run.observations)
