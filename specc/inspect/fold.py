"""Entries that are alike but for their number, as one: ``h.0`` to ``h.11`` as ``0 … 11``, 12 times.

Non-goal: folding what the spec does not number; two layers with names of their own stay two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from specc.inspect.tree import TreeLine


@dataclass(frozen=True, slots=True)
class Folded:
    """``first`` stands for ``count`` entries in a row, of which the last is called ``last``."""

    first: TreeLine
    count: int = 1
    last: str = ""


def folded(entries: Sequence[TreeLine], apart: bool = False) -> list[Folded]:
    """``entries`` with each run of alike numbered ones folded; none of them where ``apart``."""
    found: list[Folded] = []
    key: object = None
    for entry in entries:
        numbered = entry.name.isdigit() or entry.kind == "operation"
        this = _key(entry) if numbered and not apart else None
        if this is not None and this == key:
            found[-1] = Folded(found[-1].first, found[-1].count + 1, entry.name)
        else:
            found.append(Folded(entry))
        key = this
    return found


def _key(entry: TreeLine) -> object:
    """What two entries share that differ in their number alone."""
    return (
        entry.kind,
        entry.text,
        entry.results,
        entry.calls,
        entry.costs,
        tuple((child.name, _key(child)) for child in entry.children),
    )
