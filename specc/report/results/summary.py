"""The table that ends ``specc test``: a spec a row with its worst error, its time, its outcome.

Under it a line for each cell that did not pass, with its first bad tensor (one for all cells that
lack a golden for the same reason), and where the time went.
Plain data in, styled pieces out. Non-goals: gathering the data (``specc.cli.shared.session``), the
verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from specc.harness.cases.cell_result import (
    WORST_FIRST,
    CellResult,
    Outcome,
    alike,
    outcome_of,
    worst_of,
)
from specc.report.terminal.safe_text import visible, width
from specc.report.terminal.style import Piece

WORDS: dict[Outcome, str] = {
    "passed": "passed",
    "regressed": "REGRESSED",
    "fault": "FAULT",
    "golden": "GOLDEN",
    "skipped": "skipped",
}
STYLES: dict[Outcome, str] = {
    "passed": "green",
    "regressed": "bold red",
    "fault": "bold red",
    "golden": "bold yellow",
    "skipped": "dim",
}


def table(
    results: Sequence[CellResult], told: Collection[str] = (), asked: int | None = None
) -> Iterator[Piece]:
    """The summary of ``results``, in the order in which their specs first appear.

    ``told`` are the reasons of skips that were given before, ``asked`` is how many cells there were
    to judge, where that is known: a run may have been stopped.
    """
    specs: dict[str, list[CellResult]] = {}
    for result in results:
        specs.setdefault(result.spec, []).append(result)
    head = ("spec", "cells", "skipped", "compared", "unobservable", "worst", "time", "outcome")
    rows = [head, *(_row(spec, found) for spec, found in specs.items())]
    widths = [max(width(row[column]) for row in rows) for column in range(len(head))]
    for number, row in enumerate(rows):
        for column, text in enumerate(row[:-1]):
            gap = " " * (widths[column] - width(text))
            # Names stand left, numbers right.
            yield Piece(
                f"{text}{gap}  " if column == 0 else f"{gap}{text}  ", "" if number else "bold"
            )
        yield Piece(f"{row[-1]}\n", _style(row[-1]) if number else "bold")
    yield from _reasons(results, told)
    yield from _counts(results, len(specs), asked)


def time_line(inside: float, whole: float) -> str:
    """``outside torch: 1.2 s of 6.0 s (20 %)``: what specc itself costs."""
    outside = max(0.0, whole - inside)
    share = 100 * outside / whole if whole else 0.0
    return f"outside torch: {outside:.1f} s of {whole:.1f} s ({share:.0f} %)"


def floors(worst: float | None) -> str:
    """``2.41``, ``813``, ``1.2e+06``, ``inf`` or ``-`` where nothing was compared."""
    if worst is None:
        return "-"
    if not math.isfinite(worst):
        return str(worst)
    return f"{worst:.2f}" if worst < 100 else f"{worst:.0f}" if worst < 1e5 else f"{worst:.1e}"


def _row(spec: str, found: Sequence[CellResult]) -> tuple[str, ...]:
    skipped = sum(result.outcome == "skipped" for result in found)
    return (
        visible(spec),
        str(len(found)),
        _count(skipped),
        _count(sum(result.compared for result in found)),
        _count(sum(result.not_observable for result in found)),
        floors(worst_of(found)),
        f"{sum(result.seconds for result in found):.1f} s",
        WORDS[outcome_of(found)],
    )


def _count(number: int) -> str:
    return f"{number:,}" if number else "-"


def _style(word: str) -> str:
    return next(STYLES[outcome] for outcome, text in WORDS.items() if text == word)


def _reasons(results: Sequence[CellResult], told: Collection[str]) -> Iterator[Piece]:
    bad = [result for result in results if result.outcome in ("regressed", "fault", "golden")]
    if bad:
        yield Piece("\n")
    groups: dict[object, list[CellResult]] = {}
    for result in bad:
        groups.setdefault(alike(result), []).append(result)
    for result, *others in groups.values():
        more = f" and {len(others)} more" if others else ""
        # Of a crash the rest is the thread that crashed: the failure itself has shown it.
        first = result.reason.partition("\n")[0]
        yield Piece(WORDS[result.outcome], STYLES[result.outcome])
        yield Piece(f" {visible(result.spec)}::{visible(result.cell)}{more}: {visible(first)}\n")
    reasons = dict.fromkeys(result.reason for result in results if result.outcome == "skipped")
    for reason in reasons:
        if reason in told:
            continue
        count = sum(r.reason == reason and r.outcome == "skipped" for r in results)
        cells = "1 cell was" if count == 1 else f"{count} cells were"
        yield Piece(f"{cells} skipped: {visible(reason)}\n", "dim")


def _counts(results: Sequence[CellResult], specs: int, asked: int | None) -> Iterator[Piece]:
    parts = [
        f"{count} {WORDS[outcome].lower() if outcome != 'golden' else 'without a valid golden'}"
        for outcome in WORST_FIRST
        if (count := sum(result.outcome == outcome for result in results))
    ]
    noun = "spec" if specs == 1 else "specs"
    cells = "cell" if len(results) == 1 else "cells"
    yield Piece(f"\n{specs} {noun}, {len(results)} {cells}: {', '.join(parts)}\n", "bold")
    compared = sum(result.compared for result in results)
    if compared:
        without = sum(result.not_observable for result in results)
        more = f"; {without:,} not observable in honest arithmetic" if without else ""
        yield Piece(f"{compared:,} values compared{more}\n", "dim")
    left = 0 if asked is None else asked - len(results)
    if left > 0:
        was = "was" if left == 1 else "were"
        yield Piece(f"stopped before the end: {left} {was} not judged\n", "bold red")
