"""Names that a loop or a branch rebinds and nobody reads: they need not be carried.

Non-goal: values that nobody reads; a layer that is called may learn from it, and stays called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from specc import ir
from specc.emit.merging.reads import values_read
from specc.emit.writing.method_parts import Choice, Cycle, Part

T = TypeVar("T")


def without_unread(parts: Sequence[Part], results: Iterable[ir.Value]) -> tuple[Part, ...]:
    """``parts`` whose loops and branches carry what is read: after them, in the next round, or as
    one of ``results``."""
    wanted = Counter(id(value) for value in results)
    kept = tuple(parts)
    while True:
        counts = wanted.copy()
        values_read(kept, counts)
        fewer = _parts(kept, counts)
        if fewer is kept:
            return kept
        kept = fewer


def _parts(parts: tuple[Part, ...], counts: Counter[int]) -> tuple[Part, ...]:
    """The parts with less in them; the same tuple where there is nothing to leave out."""
    found = tuple(_part(part, counts) for part in parts)
    same = all(new is old for new, old in zip(found, parts, strict=True))
    return parts if same else found


def _part(part: Part, counts: Counter[int]) -> Part:
    if isinstance(part, Cycle) and part.loop.kind != "repeat":
        return _cycle(part, counts)
    if isinstance(part, Choice):
        return _choice(part, counts)
    return part


def _cycle(cycle: Cycle, counts: Counter[int]) -> Cycle:
    loop = cycle.loop
    inner = tuple(_parts(round_.parts, counts) for round_ in cycle.rounds)
    carries = loop.kind == "for" and bool(cycle.rounds)
    kept = [
        position
        for position, result in enumerate(loop.results)
        if not carries
        or counts[id(result)]
        or any(
            counts[id(round_.entering[position])]
            > (round_.leaving[position] is round_.entering[position])
            for round_ in cycle.rounds
        )
    ]
    changed = any(new is not round_.parts for new, round_ in zip(inner, cycle.rounds, strict=True))
    if not changed and len(kept) == len(loop.results):
        return cycle
    rounds = tuple(
        replace(round_, parts=parts) for round_, parts in zip(cycle.rounds, inner, strict=True)
    )
    if not carries:
        return replace(cycle, rounds=rounds)
    return replace(
        cycle,
        loop=replace(loop, names=_at(loop.names, kept), initial=_at(loop.initial, kept),
                     results=_at(loop.results, kept)),
        rounds=tuple(
            replace(round_, entering=_at(round_.entering, kept), leaving=_at(round_.leaving, kept))
            for round_ in rounds
        ),
        initial=_at(cycle.initial, kept),
    )  # fmt: skip


def _choice(choice: Choice, counts: Counter[int]) -> Choice:
    yes = None if choice.yes is None else _parts(choice.yes, counts)
    no = None if choice.no is None else _parts(choice.no, counts)
    if choice.one_sided:
        same = yes is choice.yes and no is choice.no
        return choice if same else replace(choice, yes=yes, no=no)
    branch = choice.branch
    kept = [position for position, result in enumerate(branch.results) if counts[id(result)]]
    if yes is choice.yes and no is choice.no and len(kept) == len(branch.results):
        return choice
    return replace(
        choice, yes=yes, no=no, before=_at(choice.before, kept),
        after_yes=_at(choice.after_yes, kept), after_no=_at(choice.after_no, kept),
        shapes_yes=_at(choice.shapes_yes, kept), shapes_no=_at(choice.shapes_no, kept),
        branch=replace(branch, names=_at(branch.names, kept), before=_at(branch.before, kept),
                       after=_at(branch.after, kept), results=_at(branch.results, kept)),
    )  # fmt: skip


def _at(items: Sequence[T], positions: Iterable[int]) -> tuple[T, ...]:
    return tuple(items[position] for position in positions)
