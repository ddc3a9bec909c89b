"""What a spec asks of its sizes, as ``specc check`` lists it. Non-goal: finding it
(``specc.inspect.shown_sizes``)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from specc.ir import Condition
from specc.report.terminal.safe_text import visible
from specc.report.terminal.style import Piece


def listed(
    file: str | os.PathLike[str], conditions: Mapping[str, Sequence[Condition]]
) -> Iterator[Piece]:
    """For each model, by its name, a line for each condition and where it comes from; nothing where
    there is none."""
    for name, stated in conditions.items():
        yield Piece(f"{visible(os.fspath(file))}: {visible(name)} asks of its sizes\n", "bold")
        widest = max(len(str(condition)) for condition in stated)
        for condition in stated:
            place = f"{os.path.basename(condition.span.file)}:{condition.span.line}"
            yield Piece(f"  {visible(str(condition)):<{widest}}")
            yield Piece(f"  {visible(place)}\n", "cyan")
    if conditions:
        yield Piece("\n")
