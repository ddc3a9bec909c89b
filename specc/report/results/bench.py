"""The table of ``specc bench``: a target a row, its time, and its ratio to eager in the same run.

Plain data in, styled pieces out. Non-goals: measuring (``specc.measure``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from specc.report.results.profile import time
from specc.report.terminal.safe_text import visible, width
from specc.report.terminal.style import Piece

if TYPE_CHECKING:
    from specc.measure.costs import BenchRow, Spread


def as_json(rows: Sequence[BenchRow]) -> str:
    """The rows' fields as JSON, times in seconds."""
    return json.dumps([asdict(row) for row in rows], indent=2)


def table(rows: Sequence[BenchRow], compared: str = "") -> Iterator[Piece]:
    """The rows under a heading for each spec; ``compared`` names the saved run, if there is one."""
    head = ["", "target", "median", "quartiles", "of eager", "quartiles"]
    head += ["saved", "now/saved", "of eager then"] if compared else []
    cells = [head, *(_cells(rows, number, bool(compared)) for number in range(len(rows)))]
    widths = [max(width(row[column]) for row in cells) for column in range(len(head))]
    last = None
    for number, row in enumerate(rows):
        heading = (row.spec, row.sizes, row.device)
        if heading != last:
            sizes = "".join(f", {name}={value}" for name, value in row.sizes)
            yield Piece("\n" if last else "")
            yield Piece(f"{visible(row.spec)}{sizes}, {row.device}\n", "bold")
            yield from _line(head, widths, "bold")
            last = heading
        yield from _line(cells[number + 1], widths, "bold red" if row.fault else "")
    yield from _below(rows, compared)


def _cells(rows: Sequence[BenchRow], number: int, compared: bool) -> list[str]:
    row = rows[number]
    before = rows[number - 1] if number else None
    again = before is not None and (before.spec, before.what) == (row.spec, row.what)
    cells = ["" if again else row.what, row.target]
    if row.seconds is None:
        return [*cells, "FAULT", "", "", "", *([""] * 3 if compared else [])]
    cells += [_seconds(row.seconds.median), _between(row.seconds, _seconds)]
    if row.target == "eager" or row.ratio is None:
        cells += ["1", ""]
    else:
        cells += [f"{row.ratio.median:.3f}", _between(row.ratio, lambda value: f"{value:.3f}")]
    if compared and row.saved is not None:
        cells += [_seconds(row.saved), f"{row.seconds.median / row.saved:.3f}"]
        cells += [f"{row.saved_ratio:.3f}" if row.saved_ratio is not None else "-"]
    elif compared:
        cells += ["-", "-", "-"]
    return cells


def _below(rows: Sequence[BenchRow], compared: str) -> Iterator[Piece]:
    for row in rows:
        if row.fault:
            yield Piece("\nFAULT", "bold red")
            yield Piece(f" {visible(row.spec)}, {row.what}, {row.target}: {visible(row.fault)}\n")
    for note in dict.fromkeys(f"{row.spec}: {note}" for row in rows for note in row.notes):
        yield Piece(f"\nnote: {visible(note)}\n", "yellow")
    if compared:
        yield Piece(f"\nsaved: {visible(compared)}\n", "dim")


def _line(cells: Sequence[str], widths: Sequence[int], style: str) -> Iterator[Piece]:
    padded = [
        # Names stand left, numbers right.
        cell.ljust(widths[column]) if column < 2 else cell.rjust(widths[column])
        for column, cell in enumerate(cells)
    ]
    yield Piece("  " + "  ".join(padded).rstrip() + "\n", style)


def _between(spread: Spread, shown: object) -> str:
    assert callable(shown)
    return f"{shown(spread.low)} – {shown(spread.high)}"


def _seconds(seconds: float) -> str:
    return time(seconds * 1e6)
