"""What ``specc test`` keeps of its pytest run: each cell's result, the summary, the exit status.

A pytest plugin object, registered for that run alone. Results come as properties of the reports, so
that it makes no difference whether a cell ran here or in a process of xdist's. While the run goes
on it says what is done and what is at work, in the place of pytest's dots; stopped by a signal, it
ends as a run that came to its end. Non-goals: the layout of what is said (``specc.report``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import warnings
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from specc.cli.shared import schedule
from specc.cli.shared.progress import LiveLine
from specc.errors import Status, outweighing
from specc.harness.cases.cell_result import CellResult, Outcome, alike
from specc.report.results import progress
from specc.report.results.summary import table, time_line
from specc.report.terminal.style import Piece, show

_STATUS: dict[Outcome, Status] = {
    "regressed": Status.FAILED,
    "fault": Status.FAULT,
    "golden": Status.GOLDEN,
}
# pytest's: the kind of an outcome, its letter, its word.
_Status = tuple[str, Any, Any]
# What stops a run from outside, and how it is called.
_STOPS = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", "SIGHUP": "SIGHUP"}


class Session:
    """Gathers the reports of one run. ``start`` is the ``time.perf_counter()`` of its beginning,
    ``specs`` are the files in the order of the call.

    ``verbose`` asks for a line for each cell, ``quiet`` for the table alone, ``lives`` for a line
    that lives.
    """

    def __init__(
        self,
        start: float,
        specs: Sequence[str] = (),
        processes: int = 1,
        *,
        verbose: bool = False,
        quiet: bool = False,
        lives: bool = True,
    ) -> None:
        self._start = start
        self._order = {spec: number for number, spec in enumerate(dict.fromkeys(specs))}
        self._processes = processes
        self._verbose = verbose
        self._quiet = quiet
        self._lives = lives
        self._results: dict[str, CellResult] = {}
        self._times = schedule.last_times(Path.cwd())
        self._clock = schedule.Clock(self._times, processes)
        self._cells: tuple[str, ...] = ()
        # The cells of each spec that have not run, and the specs of which all have.
        self._left: dict[str, set[str]] = {}
        self._done: dict[str, None] = {}
        self._begun: dict[str, float] = {}
        self._reasons: dict[str, None] = {}
        self._line: LiveLine | None = None
        self._workers: list[Any] = []
        self._interrupted = False

    # ── while it runs ────────────────────────────────────────────────────────────────────────────

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        plugins = session.config.pluginmanager
        if plugins.hasplugin("dsession"):
            # xdist tells how its processes come up; that is no affair of the user's.
            plugins.unregister(name="terminaldistreporter")
            plugins.getplugin("dsession").terminal = None
        if not self._quiet:
            self._line = LiveLine(self._status, lives=self._lives)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        # The process that only hands out the cells collects none.
        self._collected([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self._collected(ids)

    def _collected(self, cells: Sequence[str]) -> None:
        """Keep which cells there are; every process of xdist's collects the same."""
        if not self._cells:
            self._cells = tuple(cells)
            for cell in cells:
                self._left.setdefault(cell.partition("::")[0], set()).add(cell)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        self._workers.append(node)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._begun[nodeid] = time.perf_counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a cell reported: all is said in its call, or in the setup that failed."""
        if report.when == "call" or not report.passed:
            result = self._results[report.nodeid] = _result(report)
            self._begun.pop(report.nodeid, None)
            self._said(result)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, _Status, _Status]:
        """pytest counts what it counts, without its letters."""
        category, _, _ = yield
        return category, "", ""

    def _said(self, result: CellResult) -> None:
        if self._line is None:
            return
        if result.outcome == "skipped" and result.reason not in self._reasons:
            self._reasons[result.reason] = None
            self._line.say(progress.skip_line(result))
        if self._verbose:
            self._line.say(progress.cell_line(result))
            return
        left = self._left.get(result.spec)
        if left is None or len(self._left) == 1:  # of a single spec the table says it all
            return
        left.discard(f"{result.spec}::{result.cell}")
        if not left and result.spec not in self._done:
            self._done[result.spec] = None
            found = [each for each in self._results.values() if each.spec == result.spec]
            self._line.say(progress.spec_line(len(self._done), len(self._left), found))

    def _status(self) -> str:
        now = time.perf_counter()
        results = dict(self._results)
        running = {cell: now - begun for cell, begun in list(self._begun.items())}
        took = {cell: result.seconds for cell, result in results.items()}
        return progress.status(
            len(results),
            len(self._cells),
            sum(result.outcome not in ("passed", "skipped") for result in results.values()),
            now - self._start,
            self._clock.left(self._cells, took, running),
            running,
        )

    # ── how it is stopped ────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def stopped_by_signals(self) -> Iterator[None]:
        """While open, what stops the run from outside ends it as if it were done."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self._stop)
            for name in _STOPS
            if (number := getattr(signal, name, None)) is not None
            and signal.getsignal(number) != signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        for each in _STOPS:
            if hasattr(signal, each):  # once is enough: what is left takes no time
                signal.signal(getattr(signal, each), signal.SIG_IGN)
        self._interrupted = True
        raise pytest.exit.Exception(f"stopped by {_STOPS[signal.Signals(number).name]}")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # -x stops xdist's run with a KeyboardInterrupt of a kind of its own.
        if type(excinfo.value) is not KeyboardInterrupt and not self._interrupted:
            return
        self._interrupted = True
        # xdist would wait for its processes to finish their cells, and for ten seconds.
        for worker in self._workers:
            with contextlib.suppress(AttributeError, OSError):
                os.kill(worker.gateway._io.popen.pid, signal.SIGTERM)

    # ── how it ends ──────────────────────────────────────────────────────────────────────────────

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Take the line away before anything else is written, and keep the times."""
        if self._line is not None:
            self._line.close()
        ran = {
            cell: result.seconds
            for cell, result in self._results.items()
            if result.outcome in ("passed", "regressed", "skipped")
        }
        cache = getattr(session.config, "cache", None)
        if ran and cache is not None:
            with warnings.catch_warnings():
                # Where it cannot be written, the next run knows no times: nothing to warn of.
                warnings.simplefilter("ignore", pytest.PytestWarning)
                cache.set(schedule.KEY, schedule.kept(self._times, ran))
        yield
        report = session.config.option.xmlpath
        if self._interrupted and report:
            _drop_unfinished(Path(report))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> Iterator[None]:
        """What pytest shows of the failures, then the summary.

        Of a spec's cells that lack a golden for one reason pytest shows the first: a new spec has
        dozens.
        """
        stats = terminalreporter.stats
        failed = stats.get("failed", [])
        first: dict[object, Any] = {}
        for report in sorted(failed, key=lambda report: self._place(_result(report))):
            first.setdefault(alike(_result(report)), report)
        stats["failed"] = list(first.values())
        try:
            yield
        finally:
            stats["failed"] = failed
        if self._results:
            self._summary(terminalreporter)
        # Of a wrong call pytest has said what is wrong.
        elif exitstatus != pytest.ExitCode.USAGE_ERROR and not self._interrupted:
            show([Piece("no cell was run: nothing matches what was asked for\n", "bold red")])

    def _place(self, result: CellResult) -> int:
        """Where the spec of ``result`` stands in the call; those that run first end first."""
        return self._order.get(result.spec, len(self._order))

    def _summary(self, terminalreporter: Any) -> None:
        results = sorted(self._results.values(), key=self._place)
        inside = sum(result.torch_seconds for result in results)
        whole = (
            sum(result.seconds for result in results)
            if self._processes > 1
            else time.perf_counter() - self._start
        )
        terminalreporter.ensure_newline()
        terminalreporter.section("specc", sep="=")
        terminalreporter.flush()
        show(table(results, self._reasons, len(self._cells)))
        show([Piece(time_line(inside, whole) + "\n", "dim")])

    def exit_status(self, ended: int) -> Status:
        """The status of ``specc test`` where pytest ended with ``ended``."""
        if self._interrupted:
            return Status.INTERRUPTED
        outcomes = {result.outcome for result in self._results.values()}
        found = outweighing(_STATUS[outcome] for outcome in outcomes & _STATUS.keys())
        if found:
            return found
        # Without a Ctrl-C pytest calls a collection 'interrupted' that broke, and specs do not
        # break it.
        if ended in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.INTERRUPTED):
            return Status.DEFECT
        return Status.WELL if ended == pytest.ExitCode.OK else Status.FAULT


def _drop_unfinished(report: Path) -> None:
    """Take out of a JUnit file what pytest writes of a cell that was at work: a case without a
    name, which readers refuse."""
    from xml.etree import ElementTree

    tree = ElementTree.parse(report)  # pytest has just written it
    for suite in tree.iter("testsuite"):
        for case in suite.findall("testcase"):
            if "name" not in case.attrib:
                suite.remove(case)
    tree.write(report, encoding="utf-8", xml_declaration=True)


def _result(report: pytest.TestReport) -> CellResult:
    # Imported here: pytest wants to be the first to import a plugin that it is given by name.
    from specc.pytest_plugin import CELL_PROPERTY

    spec, _, cell = report.nodeid.partition("::")
    told: dict[str, Any] = {
        name.removeprefix(CELL_PROPERTY): value
        for name, value in report.user_properties
        if name.startswith(CELL_PROPERTY)
    }
    outcome: Outcome = "passed"
    reason = str(told.get("reason", ""))
    if report.skipped:
        outcome = "skipped"
        if isinstance(report.longrepr, tuple):
            reason = str(report.longrepr[2]).removeprefix("Skipped: ")
    elif report.failed:
        # A cell that fails without saying how has met a bug; that is no pass, and no fault of the
        # spec.
        outcome = told.get("outcome", "regressed")
        reason = reason or (report.longreprtext.strip().splitlines() or ["no report"])[-1]
    return CellResult(
        spec,
        cell,
        outcome,
        told.get("worst"),
        report.duration,
        told.get("torch_seconds", 0.0),
        reason,
        told.get("compared", 0),
        told.get("not_observable", 0),
    )
