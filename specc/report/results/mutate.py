"""The tables of ``specc mutate``: detection by fault, alarms by honest variant, each rule a column.

Plain data in, pieces or JSON out. Non-goal: measuring.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from specc.report.results.summary import floors
from specc.report.terminal.safe_text import visible, width
from specc.report.terminal.style import Piece

if TYPE_CHECKING:
    from specc.mutate.run import Outcome, Result

_RULES = ("specc", "assert_close", "same")
_SHOWN = 30


def table(result: Result, summaries: dict[str, str]) -> Iterator[Piece]:
    """Detection and alarms; ``summaries`` says of each fault what it is."""
    yield from _rows("fault", "caught by", result.faults, summaries, missed=True)
    yield Piece("\n")
    yield from _rows("honest variant", "alarms of", result.honest, {}, missed=False)
    yield Piece("\n")
    caught = [each for each in result.faults if each.caught["specc"]]
    if caught:
        named = sum(each.named for each in caught)
        yield Piece(f"first bad value named rightly: {_share(named, len(caught))}\n", "bold")
    missed = [each for each in result.faults if not each.caught["specc"]]
    yield from _listed("not caught", missed)
    yield from _listed("false alarm", [each for each in result.honest if each.caught["specc"]])
    wrong = [each for each in caught if not each.named]
    yield from _listed("named elsewhere", wrong)
    for reason in result.skipped:
        yield Piece(f"not run: {visible(reason)}\n", "dim")


def as_json(result: Result) -> str:
    """Everything, for machines: the totals by rule, then each outcome."""
    document = {
        "faults": {"count": len(result.faults), "caught": _counts(result.faults)},
        "honest": {"count": len(result.honest), "alarms": _counts(result.honest)},
        "named": sum(each.named for each in result.faults if each.caught["specc"]),
        "outcomes": [asdict(each) for each in result.faults],
        "variants": [asdict(each) for each in result.honest],
        "skipped": result.skipped,
    }
    return json.dumps(_finite(document), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    """``value`` with infinities as text: JSON has none."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not abs(value) <= 1e308:
        return str(value)
    return value


def _counts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    found = list(outcomes)
    return {rule: sum(each.caught[rule] for each in found) for rule in _RULES}


def _rows(
    title: str,
    verb: str,
    outcomes: Sequence[Outcome],
    summaries: dict[str, str],
    *,
    missed: bool,
) -> Iterator[Piece]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.what, []).append(outcome)
    head = (title, "sites", *(f"{verb} {rule}" if rule == _RULES[0] else rule for rule in _RULES))
    body = [(name, *_cells(found)) for name, found in groups.items()]
    total = ("all", *_cells(outcomes))
    rows = [head, *body, total]
    widths = [max(width(row[k]) for row in rows) for k in range(len(head))]
    for number, row in enumerate(rows):
        style = "bold" if number in (0, len(rows) - 1) else ""
        yield Piece(f"{row[0]}{' ' * (widths[0] - width(row[0]))}  ", style)
        for k in range(1, len(row)):
            yield Piece(f"{row[k]:>{widths[k]}}  ", style)
        yield Piece(f"{summaries.get(row[0], '')}\n", "dim")


def _cells(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    counts = _counts(outcomes)
    return (str(len(outcomes)), *(_share(counts[rule], len(outcomes)) for rule in _RULES))


def _share(part: int, whole: int) -> str:
    if not whole:
        return "-"
    return f"{part} ({100 * part / whole:.{0 if part in (0, whole) else 1}f} %)"


def _listed(title: str, outcomes: Sequence[Outcome]) -> Iterator[Piece]:
    for each in outcomes[:_SHOWN]:
        first = f": {visible(each.first)}" if each.first else ""
        off = f", {floors(each.floors)} floors" if each.floors is not None else ""
        text = f"{each.what} at {visible(each.where)} in {visible(each.spec)}"
        yield Piece(f"{title}: {text}{first}{off}\n")
    if len(outcomes) > _SHOWN:
        yield Piece(f"… and {len(outcomes) - _SHOWN} more {title}\n", "dim")
