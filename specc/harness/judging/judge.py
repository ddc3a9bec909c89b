"""Judges one cell against its golden. Non-goals: writing anything, showing anything."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePath

import torch

from specc.errors import CallError, GoldenMissing
from specc.harness.cases.case import ClosedCase, close
from specc.harness.cases.matrix import Case, Cell
from specc.harness.cases.precisions import TF32
from specc.harness.cases.subject import Key, derivatives, steps
from specc.harness.cases.verdict import Finding, Verdict
from specc.harness.floors.per_layer import (
    Error,
    Exact,
    errors,
    exactly,
    exactly_without_hooks,
    takes_another_way,
)
from specc.harness.goldens import golden as goldens
from specc.harness.goldens.golden import Golden
from specc.harness.judging.compare import Comparison
from specc.harness.judging.refine import held, not_alone
from specc.harness.native.native_checks import first_case, kept_dropout_check, native_findings
from specc.harness.native.native_dropout import native_dropout_check
from specc.harness.running.error_line import span_raised
from specc.harness.running.kernels import not_implemented
from specc.harness.running.observe import Run, RunFailed, Setting, observe
from specc.harness.running.observed_lines import Lines, Spot, is_setting, lines_of
from specc.harness.running.recorder import Observation
from specc.harness.running.tf32 import allowed, missing_on
from specc.ir import Program


def judge(
    program: Program,
    cell: Cell,
    root: Path,
    source: str | None = None,
    *,
    repro: Path | None = None,
) -> Verdict:
    """Run ``cell`` and compare it with the golden under ``root``.

    ``source`` is judged in place of a fresh emission. Of a cell that regressed the first bad value
    is looked at closer, and in ``repro`` a folder is made with a script that shows it. Raises
    GoldenError where there is nothing to judge against, TargetError where the target refuses; a
    run that stops is a finding. Uses the threads that torch has.
    """
    missing = missing_device(cell.device)
    if missing is not None:
        return Verdict("skipped", notes=(missing,), device_missing=True)
    without = unavailable(program, cell)
    if without is not None:
        return Verdict("skipped", notes=(without,))
    with allowed(cell.device, cell.dtype):
        return _judged(program, cell, root, source, repro)


def _judged(
    program: Program, cell: Cell, root: Path, source: str | None, repro: Path | None
) -> Verdict:
    start = time.perf_counter()
    stamp = goldens.stamp(program, cell.case, root)
    golden = _golden(Key(program), cell.case, root, stamp)
    if cell.dtype not in golden.dtypes:
        raise GoldenMissing(
            "E0801",
            f"the golden of {program.file}, case {cell.case.id}, has no floors for {cell.dtype}",
            help=f"add {cell.dtype} to the spec's dtypes, then: specc bless "
            + shlex.quote(program.file),
        )
    if source is None:
        source = _emitted(Key(program))
    of_case = _OfCase(Key(program), cell.case, golden.draw, golden.grid, stamp)
    closed = _closed(of_case)
    eager = cell.target == "eager"
    way = "" if cell.optimizer == "default" else cell.optimizer
    setting = Setting(
        cell.target,
        cell.device,
        cell.dtype,
        layers=eager,
        calls=eager,
        layout=cell.layout,
        optimizer=way,
        without_hooks=eager,
    )
    lines = lines_of(program)
    notes: tuple[str, ...] = ()
    began = time.perf_counter()
    closer: _Closer | None = None
    stopped: tuple[Finding, ...] = ()
    try:
        run = observe(program, closed, source, setting)
    except RunFailed as error:
        now = time.perf_counter()
        return Verdict(
            "regressed",
            findings=(_stopped(lines, error, program, source),),
            seconds_torch=now - began,
            seconds_total=now - start,
        )
    try:
        closer = _closer(of_case, source, run, setting) if eager else None
    except RunFailed as error:
        # What the run itself shows is told all the same.
        stopped = (_stopped(lines, error, program, source),)
    result = held(
        golden,
        run.observations,
        cell.dtype,
        lines.of,
        layers=eager,
        exact=None if closer is None else closer.exact,
        alone=None if closer is None else closer.alone,
    )
    if closer is not None:
        skipped = not_alone(golden, closer.alone, cell.dtype)
        if skipped:
            notes = (f"not judged by themselves, for they could not be run so: {_some(skipped)}",)
    if result.nothing and not (result.findings or stopped):
        result = replace(result, findings=(_nothing(golden, result, cell.dtype, lines),))
    located: tuple[str, ...] = ()
    if result.findings:
        look = _Look(program, cell, closed, golden, source, setting)
        located = (
            *(_before(golden, result, lines) if eager else ()),
            *look.at(result.findings[0], repro),
        )
    findings = (*result.findings, *stopped, *_natives(program, cell, source))
    return Verdict(
        "regressed" if findings else "passed",
        result.worst,
        findings,
        result.not_observable,
        tuple(dict.fromkeys((*golden.notes, *run.notes, *notes))),
        run.seconds_torch + (closer.seconds_torch if closer is not None else 0.0),
        time.perf_counter() - start,
        result.compared,
        located,
    )


def _before(golden: Golden, found: Comparison, lines: Lines) -> tuple[str, ...]:
    """The last right value before the first bad one, where that is computed forward: what lies
    between the two is not observed, and may be what is at fault."""
    first = found.findings[0].name
    stage, _, rest = first.partition("/")
    names = [leaf.reference.name for leaf in golden.leaves if leaf.reference.values is not None]
    if first not in names or not rest.startswith(("layer/", "output/", "loss/")):
        return ()
    beside = {each.name for each in found.findings} | set(found.not_observable)
    before = [
        name
        for name in names[: names.index(first)]
        if name.startswith((f"{stage}/layer/", f"{stage}/output/")) and name not in beside
    ]
    if not before:
        return ()
    spot = lines.of(before[-1])
    return (f"the last value before it is right: {before[-1]}, {spot.file}:{spot.line}",)


@dataclass(frozen=True)
class _Look:
    """A closer look at a cell that regressed."""

    program: Program
    cell: Cell
    closed: ClosedCase
    golden: Golden
    source: str
    setting: Setting

    def at(self, first: Finding, repro: Path | None) -> tuple[str, ...]:
        """What can be said of the first bad value, and where its script is."""
        from specc.harness.judging.locate import locate
        from specc.harness.judging.repro import write

        # A setting is what it is: there is nothing to look at but the two numbers.
        if first.what == "nothing":
            return ()
        if is_setting(first.name):
            return () if repro is None else ("no script: a setting shows in the source itself",)
        found = locate(
            self.program, self.closed, self.golden, self.source, self.setting, first.name
        )
        if repro is None:
            return tuple(found.lines)
        folder = repro / f"{PurePath(self.program.file).stem}-{self.cell.id}"
        finding = f"{first.name} {found.what or first.message}"
        try:
            script = write(
                folder, self.program, self.closed, self.source, self.setting, found, finding
            )
        except CallError as error:
            # A folder that cannot be written hides no regression.
            return (*found.lines, f"no script: {error.message}")
        return (*found.lines, f"a script that shows it: {script}")


def missing_device(device: str) -> str | None:
    """Why ``device`` cannot be run on here, or None where it can."""
    if device != "cuda" or torch.cuda.is_available():
        return None
    if torch.version.cuda is None:
        return "no CUDA device: this torch is built without CUDA"
    return "no CUDA device: no GPU is visible"


def unavailable(program: Program, cell: Cell) -> str | None:
    """Why there is no such cell wherever it is run, or None where there is."""
    lacking = not_implemented(program, cell.optimizer, cell.device)
    if lacking is not None:
        return lacking
    deep = 1 if cell.case.mode == "train" else 2
    if cell.target == "compile" and derivatives(program) >= deep:
        return "torch.compile has no second derivatives: its backward cannot be differentiated"
    if cell.dtype == TF32:
        if cell.device == "cpu" and cell.target != "eager":
            return "TF32 is a GPU's: on the CPU it is emulated, in eager alone"
        return missing_on(cell.device)
    return None


# The four targets of a case run one after the other, on the same numbers against one golden.
@lru_cache(maxsize=2)
def _golden(key: Key, case: Case, root: Path, stamp: tuple[object, ...]) -> Golden:
    return goldens.read(key.program, case, root)


@dataclass(frozen=True, slots=True)
class _OfCase:
    """What a case's numbers depend on: ``stamp`` is of the files that they are read from."""

    program: Key
    case: Case
    draw: int
    grid: str
    stamp: tuple[object, ...]


# One: a case of a hundred million weights is a gigabyte.
@lru_cache(maxsize=1)
def _closed(of: _OfCase) -> ClosedCase:
    return close(of.program.program, of.case, of.draw, of.grid)


def _nothing(golden: Golden, found: Comparison, dtype: str, lines: Lines) -> Finding:
    spot = lines.of("golden/nothing/")
    message = (
        f"nothing was judged: of the {len(golden.leaves)} values of the golden, none that is"
        f" computed can be told from noise in {dtype} ({len(found.not_observable)} not observable);"
        " larger sizes or another seed may show more"
    )
    return Finding("golden", "nothing", spot.file, spot.line, message)


def _stopped(lines: Lines, error: RunFailed, program: Program, source: str) -> Finding:
    raised = span_raised(program, error, source)
    spot = lines.of(f"{error.place}/run/") if raised is None else Spot(raised.file, raised.line)
    return Finding(error.place, "run", spot.file, spot.line, f"stopped: {error.message}")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


@dataclass(frozen=True)
class _Closer:
    """The float64 run of a cell's source, how each of its layers errs by itself, and what torch
    took for both."""

    exact: Sequence[Observation]
    alone: Mapping[str, Error]
    seconds_torch: float


def _closer(of: _OfCase, source: str, run: Run, setting: Setting) -> _Closer:
    found = _float64(of, source)
    shown, exact = found.run(implementation(of.program.program, setting))
    began = time.perf_counter()
    alone = errors(exact, run, setting)
    if takes_another_way(run):
        shown = [*shown, *_float64_without_hooks(of, source)]
    taken = found.taken() + time.perf_counter() - began
    return _Closer(shown, alone, taken)


def implementation(program: Program, setting: Setting) -> str:
    """The one that the float64 run of a cell steps by: where nothing is asked for torch takes
    foreach on a GPU, and the for-loop on the CPU, where float64 runs."""
    if setting.optimizer or setting.device == "cpu":
        return setting.optimizer
    asked: set[str] = set()
    for step in steps(program):
        for each in step.stepped:
            asked.update(name for name, _ in each.optimizer.arguments)
            asked.update(name for group in each.optimizer.groups for name, _ in group.arguments)
    return "" if asked & {"foreach", "fused"} else "foreach"


class _Float64:
    """The float64 runs of a source, one for each implementation of the optimizers' steps that is
    asked for: a fault in one of them is no fault of another. What the layers do by themselves no
    optimizer changes: one of the runs keeps it for all. The seconds that torch took are told
    once."""

    def __init__(self, of: _OfCase, source: str) -> None:
        self._of, self._source = of, source
        self._exact: Exact | None = None
        self._shown: dict[str, Sequence[Observation]] = {}
        self._seconds = 0.0

    def run(self, optimizer: str) -> tuple[Sequence[Observation], Exact]:
        """What the run by ``optimizer`` shows, and a run with the calls of the layers. Raises
        RunFailed."""
        program, closed = self._of.program.program, _closed(self._of)
        try:
            if self._exact is None:
                self._exact = exactly(program, closed, self._source, optimizer=optimizer)
                self._keep(optimizer, self._exact.run)
            elif optimizer not in self._shown:
                setting = Setting("eager", "cpu", "float64", layers=True, optimizer=optimizer)
                self._keep(optimizer, observe(program, closed, self._source, setting))
        except RunFailed as error:
            raise RunFailed(error.place, f"{error.message}, in float64") from error
        return self._shown[optimizer], self._exact

    def _keep(self, optimizer: str, run: Run) -> None:
        self._shown[optimizer] = run.observations
        self._seconds += run.seconds_torch

    def taken(self) -> float:
        seconds, self._seconds = self._seconds, 0.0
        return seconds


# The eager cells of a case share it, whatever their precision, layout and optimizer.
@lru_cache(maxsize=1)
def _float64(of: _OfCase, source: str) -> _Float64:
    return _Float64(of, source)


@lru_cache(maxsize=1)
def _float64_without_hooks(of: _OfCase, source: str) -> list[Observation]:
    try:
        return exactly_without_hooks(of.program.program, _closed(of), source)
    except RunFailed as error:
        raise RunFailed(error.place, f"{error.message}, in float64") from error


def _natives(program: Program, cell: Cell, source: str) -> tuple[Finding, ...]:
    """What the cells of a case cannot show, for portable numbers stand in its place; told in the
    cells of the first case."""
    if cell.case != _first_case(Key(program)):
        return ()
    return _native(Key(program), source, cell.device, cell.dtype, cell.target)


@lru_cache(maxsize=2)
def _first_case(key: Key) -> Case:
    return first_case(key.program)


@lru_cache(maxsize=8)
def _native(key: Key, source: str, device: str, dtype: str, target: str) -> tuple[Finding, ...]:
    check = native_dropout_check if target == "eager" else kept_dropout_check
    return native_findings(key.program, source, device, dtype, target, check)


@lru_cache(maxsize=2)
def _emitted(key: Key) -> str:
    from specc.emit import emit

    return emit(key.program)


__all__ = ["Golden", "Verdict", "judge", "missing_device"]
