"""What two environments differ in, for people and as JSON. Torch-free. Non-goal: finding it
(``specc.bisect``)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from specc.report.results.summary import floors
from specc.report.terminal.safe_text import visible
from specc.report.terminal.style import Piece

if TYPE_CHECKING:
    from specc.bisect.bisect import Bisection

_WIDEST = 60


def told(found: Bisection) -> Iterator[Piece]:
    """The environments, the first value, the first operation."""
    yield Piece(
        f"{visible(found.spec)}, case {visible(found.case)}, {found.target} in {found.dtype}\n",
        "bold",
    )
    rows = {"": ("good", "bad"), "interpreter": (found.good, found.bad), **found.facts}
    names = max(len(visible(name)) for name in rows)
    left = min(_WIDEST, max(len(visible(pair[0])) for pair in rows.values()))
    for name, (good, bad) in rows.items():
        yield Piece(f"  {visible(name):<{names}}  {visible(good):<{left}}  {visible(bad)}\n")
    if not found.facts:
        yield Piece("  alike in versions, threads and libraries\n", "dim")
    for note in found.notes:
        yield Piece(f"  note: {visible(note)}\n", "dim")
    yield Piece("\n")
    if found.first is None:
        yield Piece("nothing differs", "green")
        yield Piece(f": {_compared(found)}, at most {floors(found.furthest)} floors apart\n")
        return
    first = found.first
    yield Piece("first value that differs: ", "bold red")
    yield Piece(f"{visible(first.name)}  {visible(first.file)}:{first.line}\n")
    yield from _lines((*first.message.splitlines(), *found.lines))
    if found.compared:
        yield Piece(f"  {found.count} values differ: {_compared(found)}\n", "dim")
    if found.operation is not None:
        each = found.operation
        yield Piece("first operation that differs: ", "bold red")
        place = " ".join(filter(None, (each.phase, f"of {each.layer}" if each.layer else "")))
        where = f"  {visible(each.mark)}" if each.mark else ""
        yield Piece(
            f"{visible(each.name)}, {each.number} of {each.total}, {visible(place)}{where}\n"
        )
        yield from _lines(each.lines)


def _compared(found: Bisection) -> str:
    return f"{found.compared} compared, floors {visible(found.floors)}"


def _lines(lines: tuple[str, ...]) -> Iterator[Piece]:
    for line in lines:
        for part in line.splitlines():
            yield Piece(f"  {visible(part)}\n")


def as_json(found: Bisection) -> str:
    """All of it, and ``differs``. What is not finite is null."""
    told = _finite({"differs": found.first is not None, **asdict(found)})
    return json.dumps(told, indent=2, allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
