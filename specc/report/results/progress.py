"""What a run of ``specc test`` says while it goes on: a line that lives, a line for what is done.

Plain data in, text out. Non-goals: showing it (``specc.cli.shared.progress``), the table at the end
(``summary``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from specc.harness.cases.cell_result import CellResult, outcome_of, worst_of
from specc.report.results.summary import STYLES, WORDS, floors
from specc.report.terminal.safe_text import visible
from specc.report.terminal.style import Piece


def status(
    done: int,
    total: int,
    failed: int,
    elapsed: float,
    left: float | None,
    running: Mapping[str, float],
) -> str:
    """``37 of 336 cells, 1 failed · 1:12, about 4:30 left · vit compile-cpu-float32-train 12 s``:
    what matters first, for a terminal may be narrow. Times are in seconds; ``running`` says for how
    long each cell that runs has."""
    if not total:
        return f"reading the specs · {_whole(elapsed)}"
    bad = f", {failed} failed" if failed else ""
    rest = "" if left is None else f", about {_whole(left)} left"
    # The one that takes longest is what one waits for.
    cells = sorted(running.items(), key=lambda item: -item[1])
    parts = [f"{_name(cell)} {_whole(seconds)}" for cell, seconds in cells]
    return " · ".join([f"{done} of {total} cells{bad}", f"{_whole(elapsed)}{rest}", *parts])


def spec_line(number: int, total: int, found: Sequence[CellResult]) -> Iterator[Piece]:
    """That a spec, the ``number``-th to be so, is done."""
    outcome = outcome_of(found)
    skipped = sum(result.outcome == "skipped" for result in found)
    parts = ["1 cell" if len(found) == 1 else f"{len(found)} cells"]
    parts += [f"{skipped} skipped"] if skipped else []
    parts += _floors(worst_of(found))
    parts.append(duration(sum(result.seconds for result in found)))
    yield Piece(f"{number:>{len(str(total))}} of {total}  ", "dim")
    yield Piece(f"{visible(found[0].spec)}: {', '.join(parts)}, ")
    yield Piece(f"{WORDS[outcome]}\n", STYLES[outcome])


def cell_line(result: CellResult) -> Iterator[Piece]:
    """What came of a cell; its reason where it did not pass."""
    yield Piece(f"{visible(result.spec)}::{visible(result.cell)} ")
    yield Piece(WORDS[result.outcome], STYLES[result.outcome])
    if result.outcome in ("passed", "regressed"):
        parts = [*_floors(result.worst), duration(result.seconds)]
        yield Piece(f" ({', '.join(parts)})", "dim")
    told = visible(result.reason) if result.outcome not in ("passed", "skipped") else ""
    yield Piece(f": {told}\n" if told else "\n")


def skip_line(result: CellResult) -> Iterator[Piece]:
    """Why cells are skipped, said of the first for all of them."""
    yield Piece(f"skipped, as {visible(result.cell)}: {visible(result.reason)}\n", "dim")


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``1:05`` or ``1:02:03``."""
    return f"{seconds:.1f} s" if seconds < 9.95 else _whole(seconds)


def _whole(seconds: float) -> str:
    """As ``duration``; a second is as fine as a line that changes can be read."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _name(cell: str) -> str:
    spec, _, name = cell.partition("::")
    return visible(f"{PurePosixPath(spec).stem} {name}")


def _floors(worst: float | None) -> list[str]:
    return [] if worst is None else [f"worst {floors(worst)} floors"]
