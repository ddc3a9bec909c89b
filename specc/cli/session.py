"""What ``specc test`` keeps of its pytest run: each cell's result, the summary, the exit status.

A pytest plugin object, registered for that run alone. Results come as properties of the reports, so
that it makes no difference whether a cell ran here or in a process of xdist's. Non-goals: the
layout of the summary (``specc.report.summary``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from specc.cli.verb import INTERNAL_ERROR, INTERRUPTED
from specc.report.style import Piece, show
from specc.report.summary import CellResult, Outcome, alike, table, time_line

_STATUS: dict[Outcome, int] = {"regressed": 1, "fault": 2, "golden": 3}


class Session:
    """Gathers the reports of one run. ``start`` is the ``time.perf_counter()`` of its beginning."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._results: dict[str, CellResult] = {}
        self._distributed = False
        self._interrupted = False

    def pytest_configure(self, config: pytest.Config) -> None:
        self._distributed = bool(getattr(config.option, "numprocesses", None))

    def pytest_keyboard_interrupt(self) -> None:
        self._interrupted = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a cell reported: all is said in its call, or in the setup that failed."""
        if report.when == "call" or not report.passed:
            self._results[report.nodeid] = _result(report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> Iterator[None]:
        """What pytest shows of the failures, then the summary.

        Of a spec's cells that lack a golden for one reason pytest shows the first: a new spec has
        dozens.
        """
        stats = terminalreporter.stats
        failed = stats.get("failed", [])
        first: dict[object, Any] = {}
        for report in failed:
            first.setdefault(alike(_result(report)), report)
        stats["failed"] = list(first.values())
        try:
            yield
        finally:
            stats["failed"] = failed
        if self._results:
            self._summary(terminalreporter)
        elif exitstatus != pytest.ExitCode.USAGE_ERROR:  # of which pytest has said what it is
            show([Piece("no cell was run: nothing matches what was asked for\n", "bold red")])

    def _summary(self, terminalreporter: Any) -> None:
        results = list(self._results.values())
        inside = sum(result.torch_seconds for result in results)
        whole = (
            sum(result.seconds for result in results)
            if self._distributed
            else time.perf_counter() - self._start
        )
        terminalreporter.ensure_newline()
        terminalreporter.section("specc", sep="=")
        terminalreporter.flush()
        show(table(results))
        show([Piece(time_line(inside, whole) + "\n", "dim")])

    def exit_status(self, ended: int) -> int:
        """The status of ``specc test`` where pytest ended with ``ended``.

        A regression outweighs a fault, and a fault a golden that cannot be judged against.
        """
        if self._interrupted:
            return INTERRUPTED
        for outcome, status in _STATUS.items():
            if any(result.outcome == outcome for result in self._results.values()):
                return status
        # Without a Ctrl-C pytest calls a collection 'interrupted' that broke, and specs do not
        # break it.
        if ended in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.INTERRUPTED):
            return INTERNAL_ERROR
        return 0 if ended == pytest.ExitCode.OK else 2


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
    )
