"""What a run says while it goes on, as text, and the line that a terminal shows of it."""

from __future__ import annotations

import io
import os
import sys

import pytest

from specc.cli.shared.progress import LiveLine
from specc.harness.cases.cell_result import CellResult
from specc.report.results.progress import cell_line, duration, skip_line, spec_line, status
from specc.report.results.summary import table
from specc.report.terminal.style import Piece, plain

CELL = "eager-cpu-float32-train"


def result(outcome: str = "passed", **more: object) -> CellResult:
    return CellResult("specs/vit.spec", CELL, outcome, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1:00"),
     (3599.4, "59:59"), (3600.0, "1:00:00"), (37230.0, "10:20:30")],
)  # fmt: skip
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_line_says_what_is_done_what_is_at_work_and_what_is_left() -> None:
    running = {f"specs/mlp.spec::{CELL}": 3.2, "specs/vit.spec::compile-cpu-float32-eval": 72.0}
    assert status(37, 336, 2, 72.4, 270.0, running) == (
        "37 of 336 cells, 2 failed · 1:12, about 4:30 left · vit compile-cpu-float32-eval 1:12"
        " · mlp eager-cpu-float32-train 3 s"
    )
    assert status(0, 4, 0, 1.0, None, {}) == "0 of 4 cells · 1 s"
    assert status(0, 0, 0, 2.0, None, {}) == "reading the specs · 2 s"
    assert "\x1b" not in status(0, 4, 0, 1.0, None, {"a\x1b[31m.spec::x": 1.0})


def test_a_spec_and_a_cell_are_a_line_when_they_are_done() -> None:
    found = [result(worst=1.234, seconds=4.0), result("skipped"), result(worst=0.5, seconds=0.5)]
    assert plain(spec_line(3, 42, found)) == (
        " 3 of 42  specs/vit.spec: 3 cells, 1 skipped, worst 1.23 floors, 4.5 s, passed\n"
    )
    assert plain(spec_line(1, 1, [result("fault", reason="E0201: x")])).endswith(", FAULT\n")
    assert (
        plain(cell_line(found[0])) == f"specs/vit.spec::{CELL} passed (worst 1.23 floors, 4.0 s)\n"
    )
    regressed = result("regressed", worst=813.0, reason="y: off", seconds=1.0)
    assert plain(cell_line(regressed)).endswith("REGRESSED (worst 813 floors, 1.0 s): y: off\n")
    assert plain(cell_line(result("fault", reason="E0201: x"))).endswith("FAULT: E0201: x\n")
    assert plain(skip_line(result("skipped", reason="no CUDA device"))) == (
        f"skipped, as {CELL}: no CUDA device\n"
    )


def test_the_table_does_not_say_a_reason_again_and_says_what_was_not_judged() -> None:
    results = [result(), result("skipped", reason="no CUDA device")]
    assert "skipped: no CUDA device" in plain(table(results))
    assert "no CUDA device" not in plain(table(results, ["no CUDA device"]))
    assert "stopped" not in plain(table(results, asked=2))
    assert plain(table(results, asked=5)).endswith("before the end: 3 were not judged\n")
    assert plain(table(results, asked=3)).endswith("before the end: 1 was not judged\n")


@pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX's")
@pytest.mark.parametrize(("term", "lives"), [("xterm", True), ("dumb", False)])
def test_a_terminal_shows_the_line_and_keeps_what_stays(
    monkeypatch: pytest.MonkeyPatch, term: str, lives: bool
) -> None:
    import pty

    master, slave = pty.openpty()
    with open(slave, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setenv("TERM", term)
        line = LiveLine(lambda: "37 of 336 cells")
        line.say([Piece("this stays\n", "bold")])
        line.close()
        line.close()
        stream.write("the end")
        stream.flush()
        seen = ""
        while "the end" not in seen:
            seen += os.read(master, 1 << 16).decode()
    os.close(master)
    assert "this stays" in seen and ("37 of 336" in seen) == lives


def test_a_pipe_gets_what_stays_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    line = LiveLine(lambda: "37 of 336 cells")
    line.say([Piece("this stays\n", "bold")])
    line.close()
    assert stream.getvalue() == "this stays\n"
