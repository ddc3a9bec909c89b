"""What the line of a tie may have meant, proposed where that, put in its place, checks.

Non-goals: which equalities are ties (``ties``), which forms are tried (``tie_forms``), and what
else a message proposes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from specc.errors import Collector, Diagnostic, Span
from specc.semantics.proposals.tie_forms import Edits, forms, other_edits
from specc.semantics.proposals.ties import TIE
from specc.syntax.tree import ast
from specc.syntax.tree.written import written

# What checks a changed text, and gives what it reports.
Check = Callable[[str], Collector]

_MOST_TIES: Final = 4
_MOST_LINES: Final = 5
# The trials of one file take no longer than reading it a few times would.
_SECONDS: Final = 0.5


def settle_ties(
    collector: Collector, tree: ast.SpecFile, text: str, file: str, check: Check
) -> None:
    """Leaves of the ties of one equality the first, which says where the others are, and puts into
    its help what makes its line check, if something does."""
    deadline = time.monotonic() + _SECONDS
    ties: dict[tuple[str, str | None], list[Diagnostic]] = {}
    for item in dict.fromkeys(collector.items):
        if item.code == TIE:
            ties.setdefault((item.message, item.help), []).append(item)
    settled: dict[Diagnostic, Diagnostic] = {}
    for first, *others in ties.values():
        made = first
        place = _at(tree, first.span) if first.span is not None else None
        if len(settled) < _MOST_TIES and place is not None and place.span.file == file:
            edits = [
                *(
                    [(place.span, said := written(form), said)]
                    for form in forms(place, first.notes)
                ),
                *other_edits(tree, place),
            ]
            mended = _mended(edits, collector, text, check, deadline)
            if mended:
                said = " or ".join(f"`{each}`" for each in mended)
                made = replace(made, help=f"write {said}; {made.help}")
        own = (first.span.file, first.span.line) if first.span is not None else ("", 0)
        places = dict.fromkeys((item.span.file, item.span.line) for item in others if item.span)
        places.pop(own, None)
        if places:
            told = _listed([*places], own[0])
            made = replace(made, notes=(*made.notes, f"so does what stands in {told}"))
        settled[first] = made
    collector.items[:] = [settled.get(item, item) for item in collector.items
                          if item.code != TIE or item in settled]  # fmt: skip


def _listed(places: Sequence[tuple[str, int]], own: str) -> str:
    """The places as a message shows them: the lines of the file ``own`` by their numbers."""
    here = all(file == own for file, _ in places)
    shown = [str(line) if here else f"{file}:{line}" for file, line in places]
    more = f" and {len(shown) - _MOST_LINES} more" if len(shown) > _MOST_LINES else ""
    word = ("lines " if len(shown) > 1 else "line ") if here else ""
    return f"{word}{', '.join(shown[:_MOST_LINES])}{more}"


def _mended(
    candidates: Sequence[Edits], before: Collector, text: str, check: Check, deadline: float
) -> list[str]:
    """What is written by those of ``candidates`` with which the fewest ties are left, and nothing
    else is wrong that was not before."""
    found: list[str] = []
    least = _ties(before)
    for edits in candidates:
        if time.monotonic() > deadline:
            break
        changed = text
        for span, form, _ in sorted(edits, key=lambda edit: -edit[0].start):
            changed = changed[: span.start] + form + changed[span.end :]
        said = "` and `".join(shown for *_, shown in edits)
        after = check(changed)
        if not _others(after) <= _others(before):
            continue
        count = _ties(after)
        if count < least:
            least, found = count, []
        # What needs two changes is no other way beside what needs one.
        if count == least < _ties(before) and not (found and len(edits) > 1):
            found.append(said)
    return found


def _ties(collector: Collector) -> int:
    return sum(item.code == TIE for item in dict.fromkeys(collector.items))


def _others(collector: Collector) -> Counter[tuple[str, str]]:
    return Counter((item.code, item.message) for item in dict.fromkeys(collector.items)
                   if item.severity == "error" and item.code != TIE)  # fmt: skip


def _at(node: ast.Node, span: Span) -> ast.Expression | None:
    """The expression that stands at ``span``, the innermost."""
    for inner in ast.inner(node):
        if inner.span.file == span.file and inner.span.start <= span.start <= inner.span.end:
            found = _at(inner, span)
            if found is not None:
                return found
    return node if isinstance(node, ast.Expression) and node.span == span else None
