"""Noise floors: what honest arithmetic does to each tensor of this case.

The case runs several times with random rounding, against the float64 reference. A leaf's floor is
a pair relative to the reference's root-mean-square: the error's root-mean-square, and its largest
element. Non-goals: the rounding itself (``rounding``), the policy of how many floors are too many
(``compare``).

Kinks (a rectifier at zero, a tie in a pool, the sign-like first step of Adam) make errors that are
not small. ``kinks`` counts the decisions that a machine might take otherwise, so that ``bless``
can turn to a draw without any; the amplified runs show what is left, and raise the floors of what
it reaches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from specc.harness.cases.case import ClosedCase
from specc.harness.cases.precisions import TF32, dtype_of
from specc.harness.floors.floor_statistics import Floor, error_of, floor_from
from specc.harness.floors.kinks import Decisions, differing_decisions
from specc.harness.floors.machine import (
    Machine,
    amplification_of,
    on_machines,
    random_rounding,
    threads,
)
from specc.harness.floors.rounding import RandomRounding
from specc.harness.running.kernels import plain_kernels
from specc.harness.running.live_module import RunFailed
from specc.harness.running.observe import Run, Setting, observe
from specc.harness.running.recorder import Observation
from specc.harness.running.side_by_side import may_run, side_by_side
from specc.ir import Program
from specc.policy import JUMP, JUMP_FLOORS

# Two runs at once hold twice as much: of GPT-2 at its published size more than memory there is.
# Bytes of one run up to which it is done; ResNet-18 at its published width has 0.3 GB.
HELD = 1 << 29


@dataclass(slots=True)
class ReferenceRun:
    """The float64 run of a case and its decisions. By precision, ``kinks`` counts the decisions
    that amplified runs took otherwise, ``early`` those of the first step alone, which none before
    them has turned, ``ordered`` those that sums in a real order turn when what it loses is
    amplified, and ``others`` are the logs of the runs with kinks."""

    closed: ClosedCase
    run: Run
    decisions: list[Tensor]
    kinks: dict[str, int] = field(default_factory=dict)
    others: dict[str, list[list[Tensor]]] = field(default_factory=dict)
    early: dict[str, int] = field(default_factory=dict)
    ordered: dict[str, int] = field(default_factory=dict)
    amplified: dict[str, list[Run]] = field(default_factory=dict)

    def in_pairs(self, program: Program, dtype: str) -> bool:
        """Whether two of the case's runs in ``dtype`` run side by side: where they may, and a
        second one is not too large."""
        if self._held() > HELD:
            return False
        return may_run(program, dtype, self.run.seconds_torch, self.run.notes)

    def _held(self) -> int:
        """Bytes that a run in float32 holds, about: weights (in training with gradients and two
        moments), and what its layers were given and got back."""
        weights = sum(value.numel() for value in self.closed.parameters.values())
        passed = sum(
            each.numel()
            for call in self.run.calls.values()
            for each in (*call.tensors, *call.gradients)
            if each is not None
        )
        return 4 * (weights * (4 if self.closed.case.mode == "train" else 1) + passed)


def reference(
    program: Program, closed: ClosedCase, source: str, dtypes: Sequence[str]
) -> ReferenceRun:
    """Run ``closed`` in float64 and look for kinks in each of ``dtypes``.

    On two threads, whatever cores there are, so that the bits are the same: this run is the longest
    of a large case, and has no other to run beside.

    Raises RunFailed where the case does not run in float64.
    """
    log = Decisions()
    with threads(2):
        found = ReferenceRun(closed, _exact_run(program, closed, source, log, calls=True), log.log)
    look_for_kinks(program, found, source, dtypes, seed=9000)
    return found


def look_for_kinks(
    program: Program, found: ReferenceRun, source: str, dtypes: Sequence[str], seed: int
) -> None:
    """Add to ``found`` what a pair of amplified runs, mirror images of each other, decides
    otherwise.

    A value close to a kink is pushed over it by one of the two.
    """
    for name in dtypes:
        amplification = amplification_of(program, name)
        modes = [
            random_rounding(program, name, seed, scale=scale)
            for scale in (amplification, -amplification)
        ]
        for mode, run in zip(modes, _amplified(program, found, source, name, modes), strict=True):
            found.amplified.setdefault(name, []).append(run)
            kinks = differing_decisions(found.decisions, mode.log)
            found.kinks[name] = max(found.kinks.get(name, 0), kinks)
            few = _first_step(found)
            early = differing_decisions(found.decisions[:few], mode.log[:few])
            found.early[name] = max(found.early.get(name, 0), early)
            if kinks:
                found.others.setdefault(name, []).append(mode.log)


def look_in_orders(
    program: Program, found: ReferenceRun, source: str, dtypes: Sequence[str]
) -> None:
    """Count in ``found.ordered`` what an amplified run decides otherwise that adds up one term
    after the other.

    Training moves weights by what a sum loses, which may be far more than a rounding; evaluation
    moves none. All that is amplified at once is more than honest runs come to: a draw that stands
    it is a calm one, and one that does not has no wider floors for it."""
    if not found.decisions or found.closed.case.mode != "train":
        return
    for name in dtypes:
        amplification = amplification_of(program, name)
        mode = random_rounding(
            program, name, 9500, scale=amplification, lanes=1, enlarged=amplification
        )
        _amplified(program, found, source, name, [mode])
        found.ordered[name] = differing_decisions(found.decisions, mode.log)


def _amplified(
    program: Program,
    found: ReferenceRun,
    source: str,
    dtype: str,
    modes: Sequence[RandomRounding],
) -> list[Run]:
    jobs = [
        partial(_run, program, found.closed, source, _noisy(dtype, mode), dtype) for mode in modes
    ]
    with threads(1), plain_kernels(dtype == TF32):
        return side_by_side(jobs, found.in_pairs(program, dtype))


def _first_step(found: ReferenceRun) -> int:
    """How many decisions are the first step's at least. An idle step may follow the last."""
    if found.closed.case.mode != "train":
        return len(found.decisions)
    return len(found.decisions) // (len(found.closed.batches) + 1)


def _exact_run(
    program: Program, closed: ClosedCase, source: str, mode: Decisions, *, calls: bool = False
) -> Run:
    setting = Setting(
        "eager",
        "cpu",
        "float64",
        layers=True,
        calls=calls,
        statistics=True,
        around=lambda: mode,
    )
    return observe(program, closed, source, setting)


def _turned_run(
    program: Program, closed: ClosedCase, source: str, dtype: str, other: Sequence[Tensor]
) -> Run:
    """A run in which every decision is taken as in the log ``other``.

    In float32, at half of what float64 costs: what it rounds is far below the floors that are
    raised by what it shows, and where a kink shows nothing above that it need not be held. Float64
    has floors below that, and autocast would compute in less.
    """
    autocast = program.train is not None and program.train.precision
    if autocast or dtype == "float64":
        return _exact_run(program, closed, source, Decisions(other))
    mode = Decisions(other)
    setting = Setting(
        "eager", "cpu", "float32", layers=True, numbers_alone=True, around=lambda: mode
    )
    return _run(program, closed, source, setting, "float32")


def honest_runs(program: Program, found: ReferenceRun, source: str, dtype: str) -> list[Run]:
    """What each of the honest machines makes of the reference's case in ``dtype``; the first with
    its layers' calls. Deterministic. Raises RunFailed."""

    def run(machine: Machine, mode: RandomRounding) -> Run:
        mode.noting = False
        setting = replace(
            _noisy(dtype, mode),
            calls=machine.number == 0,
            layout=machine.layout(program),
            optimizer=machine.optimizer,
        )
        return _run(program, found.closed, source, setting, dtype)

    return on_machines(program, dtype, 1000, run, pairs=found.in_pairs(program, dtype))


def floors(
    program: Program, found: ReferenceRun, source: str, dtype: str, samples: Sequence[Run]
) -> dict[str, Floor]:
    """The floor in ``dtype`` of each leaf that the reference has, by name, from honest runs.

    Raises RunFailed where all of ``samples`` overflow and the reference does not.
    """
    indexed = [_by_name(run) for run in samples]
    amplified = [_by_name(run) for run in found.amplified[dtype]]
    with threads(1):
        jobs = [
            partial(_turned_run, program, found.closed, source, dtype, other)
            for other in found.others.get(dtype, ())
        ]
        turned = [_by_name(run) for run in side_by_side(jobs, found.in_pairs(program, dtype))]
    linear = JUMP * amplification_of(program, dtype)
    result = {}
    for leaf in found.run.observations:
        if leaf.values is None or leaf.exact:
            continue
        found_in = [run.get(leaf.name) for run in indexed]
        _check_finite(leaf, found_in, dtype)
        own = next((sample.dtype for sample in found_in if sample is not None), leaf.dtype)
        kind = dtype if own in ("float", "complex") else own
        unit = float(torch.finfo(dtype_of(kind)).eps)
        others = [run.get(leaf.name) for runs in (turned, amplified) for run in runs]
        sizes = [error_of(leaf, sample) for sample in (*found_in, *others)]
        honest, rest = sizes[: len(samples)], sizes[len(samples) :]
        floor = floor_from(honest, leaf.values.numel(), unit)
        if own != leaf.dtype:
            floor = replace(floor, dtype=own)
        floor = _with_turns(floor, rest[: len(turned)])
        result[leaf.name] = _with_jumps(floor, rest[len(turned) :], linear)
    return result


def _check_finite(leaf: Observation, samples: Sequence[Observation | None], dtype: str) -> None:
    """RunFailed where every run is not finite in places where the reference is: there is nothing
    to judge by, and each machine would be found wrong."""
    if all(sample is not None and sample.nonfinite != leaf.nonfinite for sample in samples):
        raise RunFailed(leaf.name, f"NaN or infinity in {dtype}, where float64 has a number")


def _with_turns(floor: Floor, turned: Sequence[tuple[float, float] | None]) -> Floor:
    """``floor``, raised to hold what the kinks do when they go the other way."""
    for size in turned:
        if size is None:
            return Floor(math.inf, math.inf)
        floor = replace(
            floor,
            rms=max(floor.rms, size[0] / JUMP_FLOORS),
            largest=max(floor.largest, size[1] / JUMP_FLOORS),
        )
    return floor


def _with_jumps(
    floor: Floor, amplified: Sequence[tuple[float, float] | None], linear: float
) -> Floor:
    """``floor``, raised where an amplified run shows that the leaf can jump: that it errs by more
    than ``linear`` floors."""
    for size in amplified:
        if size is None:
            return Floor(math.inf, math.inf)
        floor = replace(
            floor,
            rms=raised(floor.rms, size[0], linear),
            largest=raised(floor.largest, size[1], linear),
        )
    return floor


def raised(floor: float, pushed: float, linear: float) -> float:
    """``floor``, or what holds the error ``pushed`` of an amplified run where that is over
    ``linear`` floors: a jump."""
    return pushed / JUMP_FLOORS if pushed > linear * floor else floor


def _noisy(dtype: str, mode: RandomRounding) -> Setting:
    # In TF32 it is the mode that cuts the factors, and not the run.
    own = "float32" if dtype == TF32 else dtype
    return Setting("eager", "cpu", own, layers=True, numbers_alone=True, around=lambda: mode)


def _run(program: Program, closed: ClosedCase, source: str, setting: Setting, dtype: str) -> Run:
    try:
        return observe(program, closed, source, setting)
    except RunFailed as error:
        raise RunFailed(error.place, f"{error.message}, in {dtype}") from error


def _by_name(run: Run) -> Mapping[str, Observation]:
    return {observation.name: observation for observation in run.observations}
