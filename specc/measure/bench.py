"""Times specs in their targets through pytest-benchmark: the forward pass and the training step.

A spec's targets are timed in turn in one go; each is then a benchmark of pytest-benchmark's, which
keeps, saves and compares the times. Non-goals: the table (``specc.report.results.bench``), the
clock (``timing``).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from specc.emit import emit
from specc.errors import CallError, TargetError
from specc.ir import Program
from specc.measure.costs import BenchRow
from specc.measure.step import Prepared, check_device, choose_case, failures, prepare
from specc.measure.timing import in_turn, ratios, spread

STORAGE = ".benchmarks"
FORWARD, STEP = "forward", "step"
_BASE = "eager"


@dataclass(frozen=True, slots=True)
class Job:
    """A spec to time in ``targets`` (eager is timed in any case) on ``device``."""

    program: Program
    targets: tuple[str, ...]
    device: str = "cpu"
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def all_targets(self) -> tuple[str, ...]:
        """Eager first: all others are held against it."""
        return tuple(dict.fromkeys([_BASE, *self.targets]))


@dataclass(slots=True)
class Measured:
    """What timing one thing of a job gave, by target: a row, and the seconds of each round."""

    rows: dict[str, BenchRow]
    times: dict[str, list[float]]


def measure(job: Job, what: str, seconds: float) -> Measured:
    """Time ``what`` (``FORWARD`` or ``STEP``) of ``job`` in all its targets, in turn.

    A forward pass is in evaluation mode and without autograd. A target that cannot take the model
    has a row with a fault. Raises what ``prepare`` raises for eager.
    """
    case = choose_case(job.program, "eval" if what == FORWARD else "train", job.sizes)
    source = emit(job.program)
    rows: dict[str, BenchRow] = {}
    calls: dict[str, Callable[[], Any]] = {}
    for target in job.all_targets:
        row = BenchRow(job.program.file, case.sizes, job.device, what, target)
        try:
            ready = prepare(job.program, source, case, target=target, device=job.device)
            call = _chosen(ready, what)
            with failures(target, job.program.file):
                call()  # a compiler compiles at the first call, and refuses there
        except TargetError as error:
            if target == _BASE:
                raise
            rows[target] = replace(row, fault=error.message)
            continue
        calls[target] = call
        rows[target] = replace(row, notes=tuple(f"{target}: {note}" for note in ready.notes))
    wait = torch.accelerator.synchronize if job.device != "cpu" else None
    with failures("timing", job.program.file):
        times = in_turn(calls, seconds, wait)
    for target, taken in times.items():
        rows[target] = replace(
            rows[target],
            rounds=len(taken),
            seconds=spread(taken),
            ratio=spread(ratios(taken, times[_BASE])),
        )
    return Measured(rows, times)


def things(program: Program) -> tuple[str, ...]:
    """What of ``program`` is timed: a training of several models has no forward of its own."""
    several = program.train is not None and program.train.module is not None
    return (STEP,) if several else (FORWARD, STEP)


def _chosen(ready: Prepared, what: str) -> Callable[[], Any]:
    if what == STEP:
        return ready.step
    assert ready.forward is not None  # ``things`` leaves it out
    return ready.forward


# ── saved runs ───────────────────────────────────────────────────────────────────────────────────


def saved_run(name: str, storage: Path) -> Path:
    """The newest saved run called ``name``, or the newest of all for ``latest``.

    Raises CallError (E0701) where there is none.
    """
    found: dict[str, Path] = {}
    for path in sorted(storage.glob("*/*.json"), key=lambda path: path.stat().st_mtime):
        match = re.fullmatch(r"(\d{4,})_(.+)", path.stem)
        if match is not None:
            found |= {match[2]: path, path.stem: path, "latest": path}
    if name not in found:
        names = sorted({re.sub(r"^\d{4,}_", "", path.stem) for path in found.values()})
        raise CallError(
            "E0701",
            f"there is no saved run {name!r} in {str(storage)!r}",
            help=f"there is {', '.join(names)}" if names else "save one: specc bench --save NAME",
        )
    return found[name]


def saved_times(path: Path) -> dict[str, tuple[float, float | None]]:
    """The median and the ratio to eager of each benchmark of a saved run, by full name.

    Raises CallError (E0701) where the file is no such run: it is data that anybody may have
    written.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(each["fullname"]): (
                float(each["stats"]["median"]),
                float(each["extra_info"]["ratio"]) if "ratio" in each["extra_info"] else None,
            )
            for each in data["benchmarks"]
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise CallError(
            "E0701", f"{str(path)!r} is no saved run", help="save another: specc bench --save NAME"
        ) from None


# ── the pytest run ───────────────────────────────────────────────────────────────────────────────


def bench(
    jobs: Sequence[Job],
    *,
    seconds: float,
    save: str | None = None,
    compare: str | None = None,
    verbose: bool = False,
    storage: Path = Path(STORAGE),
    tell: Callable[[str], object] = lambda text: None,
) -> tuple[list[BenchRow], str]:
    """Time every job; the rows, and the file that they are compared with (empty without one).

    ``seconds`` are spent on each of a spec's two things, all targets together. ``save`` and
    ``compare`` name runs in pytest-benchmark's storage. ``tell`` is told what is timed. Raises
    CallError (E0701, E0712), and what ``measure`` raises for eager.
    """
    if save is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", save):
        raise CallError("E0712", f"--save takes a name, and {save!r} is none", help="--save before")
    for device in {job.device for job in jobs}:
        check_device(device)
    against = saved_run(compare, storage) if compare is not None else None
    known = saved_times(against) if against is not None else {}
    plugin = Benchmarks(jobs, seconds, tell)
    options = [f"--benchmark-storage=file://{storage}", "--benchmark-columns=min,median,iqr,rounds"]
    options += ["--benchmark-group-by=group", "--benchmark-sort=name"]
    options += [] if verbose else ["--benchmark-quiet"]
    options += [f"--benchmark-save={save}"] if save is not None else []
    options += [f"--benchmark-compare={against}"] if against is not None else []
    text = _run(options, [job.program.file for job in jobs], plugin, verbose)
    if plugin.error is not None:
        raise plugin.error
    if plugin.broken:
        raise RuntimeError(f"a benchmark ended without a result:\n{plugin.broken}\n{text}")
    rows = []
    for name, row in plugin.rows:
        saved, ratio = known.get(name, (None, None))
        rows.append(replace(row, saved=saved, saved_ratio=ratio))
    return rows, str(against or "")


class Benchmarks:
    """The pytest plugin that makes the jobs pytest-benchmark's: a target of a thing a benchmark."""

    def __init__(self, jobs: Sequence[Job], seconds: float, tell: Callable[[str], object]) -> None:
        self._jobs = {Path(job.program.file).resolve(): job for job in jobs}
        self._seconds = seconds
        self._tell = tell
        self._measured: dict[tuple[str, str], Measured] = {}
        self.rows: list[tuple[str, BenchRow]] = []
        self.error: Exception | None = None
        self.broken = ""

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> Any:
        """The spec's benchmarks."""
        job = self._jobs.get(file_path.resolve())
        if job is None:
            return None
        node = _SpecFile.from_parent(parent, path=file_path)
        node.job, node.run = job, self._run
        return node

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what went wrong beside the times: that is no fault of a spec."""
        if report.failed and self.error is None:
            self.broken = self.broken or report.longreprtext

    def _run(self, job: Job, what: str, target: str, clock: _Clock, benchmark: Any) -> None:
        key = (job.program.file, what)
        if key not in self._measured:
            self._tell(f"{job.program.file}: {what}, {', '.join(job.all_targets)}")
            try:
                self._measured[key] = measure(job, what, self._seconds)
            except Exception as error:
                self.error = error
                pytest.exit("a spec cannot be timed", returncode=1)
        found = self._measured[key]
        row = found.rows[target]
        self.rows.append((benchmark.fullname, row))
        if row.seconds is None or row.ratio is None:
            pytest.skip(row.fault)
        sizes = {name: value for name, value in row.sizes}
        benchmark.extra_info.update(ratio=row.ratio.median, device=row.device, sizes=sizes)
        clock.durations = iter(found.times[target])
        benchmark.pedantic(lambda: None, rounds=row.rounds, iterations=1)


class _Clock:
    """Gives pytest-benchmark, which would time one benchmark after the other, the durations that
    were measured in turn: read twice a round, it goes from 0 to the next of them."""

    __name__ = "in_turn"

    def __init__(self) -> None:
        self.durations: Iterator[float] = iter(())
        self._started = False

    def __call__(self) -> float:
        self._started = not self._started
        return 0.0 if self._started else next(self.durations)


class _SpecFile(pytest.File):
    """A spec as the benchmarks of its targets."""

    job: Job
    run: Callable[..., None]

    def collect(self) -> Iterator[pytest.Item]:
        for what in things(self.job.program):
            for target in self.job.all_targets:
                yield self._benchmark(what, target)

    def _benchmark(self, what: str, target: str) -> pytest.Item:
        clock = _Clock()

        def timed(benchmark: Any) -> None:
            self.run(self.job, what, target, clock, benchmark)

        item: pytest.Item = pytest.Function.from_parent(
            self, name=f"{what}[{target}]", callobj=timed
        )
        group = f"{Path(self.job.program.file).name}: {what}"
        item.add_marker(pytest.mark.benchmark(timer=clock, group=group))
        return item


# Set by a run of pytest around this one; with the last pytest-benchmark measures nothing.
_NOT_THEIRS = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_XDIST_WORKER")


def _run(options: Sequence[str], files: Sequence[str], plugin: Benchmarks, verbose: bool) -> str:
    """pytest on the specs with nothing but this plugin and pytest-benchmark; what it printed."""
    # A spec is data: nothing that lies around it is to run.
    closed = ["-c", os.devnull, f"--rootdir={Path.cwd()}", "--noconftest", "-p", "no:cacheprovider"]
    plugins = ["-p", "pytest_benchmark.plugin"]
    quiet = ["--no-header", "--disable-warnings", "-q", "-s"]
    text = io.StringIO()
    kept = {name: os.environ.get(name) for name in _NOT_THEIRS}
    for name in kept:
        os.environ.pop(name, None)
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        with contextlib.redirect_stdout(sys.stderr if verbose else text):
            pytest.main([*closed, *plugins, *quiet, *options, *files], plugins=[plugin])
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
    return text.getvalue()
