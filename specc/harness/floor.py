"""Noise floors: what honest arithmetic does to each tensor of this case.

The case runs several times with random rounding, against the float64 reference. A leaf's floor is
a pair relative to the reference's root-mean-square: the error's root-mean-square, and its largest
element. Non-goals: the rounding itself (``rounding``), the policy of how many floors are too many
(``compare``).

A few runs say little about a single number's spread, so the floor is the one that leaves the same
chance of a false alarm as a perfectly known spread would: the root-mean-square over the runs,
times the ratio of Student's t quantile to the normal one, at the degrees of freedom that the runs
show. Elements that err together count as one: the degrees of freedom come from how much the runs'
mean squares differ among themselves (Satterthwaite 1946).

Kinks (a rectifier at zero, a tie in a pool, the sign-like first step of Adam) make errors that are
not small. ``kinks`` counts the decisions that a machine might take otherwise, so that ``bless``
can turn to a draw without any; the amplified runs show what is left, and raise the floors of what
it reaches.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from specc.harness.build import RunFailed
from specc.harness.case import ClosedCase
from specc.harness.decisions import Decisions, differing_decisions
from specc.harness.kernels import plain_kernels
from specc.harness.observe import Run, Setting, observe
from specc.harness.recorder import Observation
from specc.harness.rounding import RandomRounding
from specc.harness.tf32 import NAME as TF32
from specc.harness.tf32 import dtype_of, epsilon_of
from specc.ir import Program

# How floors are found. To be raised with every change that matters: a golden with floors found
# otherwise is judged on them, and the verdict says so.
METHOD = 1
RUNS = 12
# Of these, which compute on two threads: one of each kind.
TWO_THREADS = (2, 3)
AMPLIFICATION = 16.0
# In bfloat16 sixteen units are an eighth of the value: more than any rounding comes to, and enough
# to turn everything. So many decisions turn there anyway that the plain runs show it.
AMPLIFICATION_OF_HALF = 4.0
# From this epsilon on a precision is such a one: bfloat16, float16, TF32.
COARSE = 2.0**-16
# An amplified error this many times over its linear expectation is a jump, not noise.
JUMP = 4.0
# A jump that an honest run may make counts as so many floors, so that the policy's K holds it.
JUMP_FLOORS = 2.0
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


@dataclass(frozen=True, slots=True)
class Floor:
    """Relative to the reference's RMS (absolute where that is zero). ``dtype`` is the leaf's own
    where the run gives it another than the reference's: under autocast."""

    rms: float
    largest: float
    dtype: str = ""


@dataclass(slots=True)
class Reference:
    """The float64 run of a case and its decisions. By precision, ``kinks`` counts the decisions
    that amplified runs took otherwise, and ``others`` are the logs of those runs."""

    closed: ClosedCase
    run: Run
    decisions: list[Tensor]
    kinks: dict[str, int] = field(default_factory=dict)
    others: dict[str, list[list[Tensor]]] = field(default_factory=dict)
    amplified: dict[str, list[Run]] = field(default_factory=dict)


def reference(
    program: Program, closed: ClosedCase, source: str, dtypes: Sequence[str]
) -> Reference:
    """Run ``closed`` in float64 on one thread and look for kinks in each of ``dtypes``.

    Raises RunFailed where the case does not run in float64.
    """
    log = Decisions()
    with threads(1):
        found = Reference(closed, _exact_run(program, closed, source, log, calls=True), log.log)
    look_for_kinks(program, found, source, dtypes, seed=9000)
    return found


def look_for_kinks(
    program: Program, found: Reference, source: str, dtypes: Sequence[str], seed: int
) -> None:
    """Add to ``found`` what a pair of amplified runs, mirror images of each other, decides
    otherwise.

    A value close to a kink is pushed over it by one of the two.
    """
    with threads(1):
        for name in dtypes:
            amplification = amplification_of(program, name)
            for scale in (amplification, -amplification):
                mode = random_rounding(program, name, seed, scale=scale)
                with plain_kernels(name == TF32):
                    run = _run(program, found.closed, source, name, mode)
                found.amplified.setdefault(name, []).append(run)
                kinks = differing_decisions(found.decisions, mode.log)
                found.kinks[name] = max(found.kinks.get(name, 0), kinks)
                if kinks:
                    found.others.setdefault(name, []).append(mode.log)


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


def honest_runs(
    program: Program, found: Reference, source: str, dtype: str, runs: int = RUNS
) -> list[Run]:
    """What so many honest machines make of the reference's case in ``dtype``; the first with its
    layers' calls. Deterministic. Raises RunFailed."""
    samples: list[Run] = []
    for number in range(runs):
        with honest_machine(program, dtype, 1000, number) as mode:
            run = _run(program, found.closed, source, dtype, mode, calls=number == 0)
        samples.append(run)
    return samples


def floors(
    program: Program, found: Reference, source: str, dtype: str, samples: Sequence[Run]
) -> dict[str, Floor]:
    """The floor in ``dtype`` of each leaf that the reference has, by name, from honest runs.

    Raises RunFailed where all of ``samples`` overflow and the reference does not.
    """
    indexed = [_by_name(run) for run in samples]
    amplified = [_by_name(run) for run in found.amplified[dtype]]
    with threads(1):
        turned = [
            _by_name(_exact_run(program, found.closed, source, Decisions(other)))
            for other in found.others.get(dtype, ())
        ]
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
        sizes = errors_of(leaf, [*found_in, *others])
        honest, rest = sizes[: len(samples)], sizes[len(samples) :]
        floor = _of_sizes(honest, leaf.values.numel(), unit)
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


def floor_of(leaf: Observation, samples: Sequence[Observation | None], unit: float) -> Floor:
    """The floor of one leaf from its values in several honest runs; ``unit`` is the precision's
    epsilon.

    Every second sample is of the regrouped kind. Where that kind errs more, its spread counts:
    pooled with the others, honest machines of its kind would stand out.
    """
    assert leaf.values is not None
    return _of_sizes(errors_of(leaf, samples), leaf.values.numel(), unit)


def _of_sizes(sizes: Sequence[tuple[float, float] | None], elements: int, unit: float) -> Floor:
    found = [size for size in sizes if size is not None]
    if len(found) < len(sizes):
        return Floor(math.inf, math.inf)
    return floor_from(found, elements, unit)


def floor_from(sizes: Sequence[tuple[float, float]], elements: int, unit: float) -> Floor:
    """As ``floor_of``, from the errors themselves: (root-mean-square, largest) of each run."""
    squares = [size[0] ** 2 for size in sizes]
    if not squares:
        return Floor(math.inf, math.inf)
    largest = max(size[1] for size in sizes)
    mean = sum(squares) / len(squares)
    # The final rounding of a value is half a unit at most: no floor is below a quarter.
    rms = unit / 4
    if mean > 0.0:
        spread = sum((square - mean) ** 2 for square in squares) / max(len(squares) - 1, 1)
        together = 2.0 * mean**2 / spread if spread > 0.0 else float(elements)
        freedom = len(squares) * min(max(together / 2, 1.0), float(max(elements, 1)))
        regrouped = squares[1::2]
        wider = max(mean, sum(regrouped) / max(len(regrouped), 1))
        rms = max(rms, math.sqrt(wider) * student_factor(freedom))
    # The largest of n normal numbers is about sqrt(2 ln n) of their spread.
    expected = rms * math.sqrt(1.0 + 2.0 * math.log(max(elements, 1)))
    return Floor(rms, max(largest, expected))


def error_of(leaf: Observation, sample: Observation | None) -> tuple[float, float] | None:
    """(root-mean-square, largest) of a sample's error, relative to the leaf's RMS; None if not
    comparable.
    """
    return errors_of(leaf, [sample])[0]


def errors_of(
    leaf: Observation, samples: Sequence[Observation | None]
) -> list[tuple[float, float] | None]:
    """``error_of`` each of ``samples``."""
    if leaf.values is None:
        return [None] * len(samples)
    reference = leaf.values.numpy()
    scale = leaf.rms if leaf.rms > 0.0 else 1.0
    found: list[tuple[float, float] | None] = []
    for sample in samples:
        values = None if sample is None else sample.values
        if values is None or values.shape != leaf.values.shape:
            found.append(None)
        elif not len(reference):
            found.append((0.0, 0.0))
        else:
            error = np.abs(values.numpy() - reference)
            square = float(error.dot(error)) / len(error)
            found.append((math.sqrt(square) / scale, float(error.max()) / scale))
    return found


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


@contextmanager
def honest_machine(
    program: Program, dtype: str, seed: int, number: int, *, accumulate: bool = False
) -> Iterator[RandomRounding]:
    """The rounding of the run ``number`` of those that a floor is found from, on the threads and
    kernels that it has; every second one is regrouped, and ``accumulate`` is for these."""
    regroup = number % 2 == 1
    mode = random_rounding(
        program, dtype, seed + number, regroup=regroup, accumulate=accumulate and regroup
    )
    with threads(2 if number in TWO_THREADS else 1), plain_kernels(regroup or dtype == TF32):
        yield mode


def _run(
    program: Program,
    closed: ClosedCase,
    source: str,
    dtype: str,
    mode: RandomRounding,
    *,
    calls: bool = False,
) -> Run:
    # In TF32 it is the mode that cuts the factors, and not the run.
    own = "float32" if dtype == TF32 else dtype
    setting = Setting(
        "eager", "cpu", own, layers=True, calls=calls, numbers_alone=True, around=lambda: mode
    )
    try:
        return observe(program, closed, source, setting)
    except RunFailed as error:
        raise RunFailed(error.place, f"{error.message}, in {dtype}") from error


def random_rounding(
    program: Program,
    dtype: str,
    seed: int,
    *,
    scale: float = 1.0,
    regroup: bool = False,
    accumulate: bool = False,
) -> RandomRounding:
    """Random rounding in the run's precision, and in that of autocast where the spec asks for
    one."""
    precision = program.train.precision if program.train else ""
    lower = getattr(torch, precision) if precision else None
    return RandomRounding(
        seed,
        dtype_of(dtype),
        scale=scale,
        regroup=regroup,
        lower=lower,
        tf32=dtype == TF32,
        accumulate=accumulate,
    )


def amplification_of(program: Program, dtype: str) -> float:
    """By how much the noise is enlarged to find kinks."""
    lowest = (program.train.precision if program.train else "") or dtype
    return AMPLIFICATION if epsilon_of(lowest) < COARSE else AMPLIFICATION_OF_HALF


def _by_name(run: Run) -> Mapping[str, Observation]:
    return {observation.name: observation for observation in run.observations}


@contextmanager
def threads(count: int) -> Iterator[None]:
    """While open, torch computes with ``count`` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
