"""What moved between two goldens, as a table for people. Non-goals: finding it
(``specc.harness.goldens.golden_change``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from specc.report.results.summary import floors
from specc.report.terminal.safe_text import visible, width
from specc.report.terminal.style import Piece

if TYPE_CHECKING:
    from specc.harness.goldens.golden_change import Change, Changes

# One fault at a forward value moves hundreds of tensors after it.
SHOWN = 40
_STYLES = {"new": "green", "gone": "yellow", "floor": "dim"}


def table(found: Changes, *, shown: int = SHOWN) -> Iterator[Piece]:
    """A line a changed tensor, in the order in which they are computed; then what stayed."""
    rows = found.listed[:shown]
    names = max((width(visible(row.name)) for row in rows), default=0)
    for row in rows:
        yield from line(row, names)
    if len(found.listed) > shown:
        yield Piece(f"  … and {len(found.listed) - shown} more\n", "dim")
    yield Piece(f"  {_rest(found)}\n", "dim")


def line(change: Change, names: int) -> Iterator[Piece]:
    """One change; its name is given ``names`` columns."""
    name = visible(change.name)
    moved = "" if change.floors is None else f"{floors(change.floors)} floors"
    yield Piece(f"  {change.line:>4}  ", "dim")
    yield Piece(f"{name}{' ' * max(0, names - width(name))}  ")
    yield Piece(f"{moved:>14}  ", "bold")
    yield Piece(f"{visible(change.message)}\n", _STYLES.get(change.what, "red"))


def settings(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Piece]:
    """What is said of two goldens beside their tensors, where it differs."""
    for name in (*old, *(name for name in new if name not in old)):
        before, after = old.get(name, "nothing"), new.get(name, "nothing")
        if before != after:
            yield Piece(f"  {visible(name)} was {_text(before)} and is {_text(after)}\n", "yellow")


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{name}={each}" for name, each in value.items()) or "nothing"
    elif isinstance(value, Sequence) and not isinstance(value, str):
        value = ", ".join(str(each) for each in value) or "nothing"
    text = visible(str(value))
    return text if len(text) <= 60 else f"{text[:12]}…"


def _rest(found: Changes) -> str:
    kept = found.compared - sum(row.what != "gone" for row in found.listed)
    text = f"{kept} of {found.compared} tensors are as they were"
    if found.within:
        text += f"; {found.within} of them moved within their noise, by at most "
        text += f"{found.furthest:.2g} floors" if found.furthest >= 1e-3 else "0.001 floors"
    return text
