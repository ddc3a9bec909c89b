"""What messages propose, tried: each fix is put in its place and the whole is read again.

A proposal whose line does not check is none: its message says what it says ``otherwise``. All are
put in at once, so that a faulty spec is read twice and not once more for each fault. Non-goals:
finding proposals (whoever reports), files that the spec uses, which are read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from specc.errors import Diagnostic, Fix, TooLarge

# What is longer was not written by hand: its proposals are not tried, and so not made.
_LONGEST: Final = 1_000_000
_MOST: Final = 100
# What is wrong with the lines that would use what is proposed, and are missing.
_OF_OTHERS: Final = frozenset(["E0227"])
_LONGEST_REASON: Final = 300


def tried(
    text: str, file: str, found: Sequence[Diagnostic], read: Callable[[str], list[Diagnostic]]
) -> list[Diagnostic]:
    """``found`` in ``text``, of which only the proposals are left whose lines check.

    ``read`` gives what is wrong with a text in place of ``text``."""
    own = [item for item in found if item.span is not None and item.span.file == file]
    fixed = _apart([item for item in own if item.fix is not None])
    if not any(item.fix is not None for item in own):
        return list(found)
    owned = {id(item) for item in own}
    failed: dict[int, str] = {}
    kept: set[int] = set()
    mended, lines = _mended(text, [item.fix for item in fixed if item.fix is not None])
    again = _read(read, mended) if fixed and len(text) <= _LONGEST else None
    if again is not None:
        before = {(item.code, item.message) for item in own}
        wrong = [
            (item.span.line, "" if item.code == "E0201" else item.message)
            for item in again
            if item.severity == "error" and item.span is not None and item.span.file == file
            and (item.code, item.message) not in before
            and item.code not in _OF_OTHERS
        ]  # fmt: skip
        for item, (first, last) in zip(fixed, lines, strict=True):
            reasons = [message for line, message in wrong if first <= line <= last]
            if reasons:
                failed[id(item)] = reasons[0]
            else:
                kept.add(id(item))
    return [
        item
        if item.fix is None or id(item) not in owned or id(item) in kept
        else replace(item, help=_otherwise(item, failed.get(id(item))), fix=None)
        for item in found
    ]


def untried(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """``found`` of a text that could not be read to its end, without its proposals."""
    return [
        item if item.fix is None else replace(item, help=item.fix.otherwise, fix=None)
        for item in found
    ]


def _read(read: Callable[[str], list[Diagnostic]], text: str) -> list[Diagnostic] | None:
    """What is wrong with ``text``; None where it asks for too much."""
    try:
        return read(text)
    except (TooLarge, RecursionError):
        return None


def _otherwise(item: Diagnostic, reason: str | None) -> str | None:
    """The help where the proposal of ``item`` does not check, for the ``reason`` that stood at its
    line: behind a character that is none, the rest of the line was not read before."""
    fix = item.fix
    assert fix is not None
    if item.code == "E0101" and fix.otherwise:
        return fix.otherwise
    if not reason or len(fix.text) + len(reason) > _LONGEST_REASON or "\n" in fix.text:
        return fix.otherwise
    return f"`{fix.text}` in its place does not check: {reason}"


def _apart(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Those whose fixes do not overlap, in the order of the text."""
    kept: list[Diagnostic] = []
    end = -1
    for item in sorted(found, key=lambda item: (item.fix or Fix(0, 0, ""))[:2]):
        assert item.fix is not None
        if item.fix.start >= end and len(kept) < _MOST:
            kept.append(item)
            end = max(item.fix.end, item.fix.start + 1)
    return kept


def _mended(text: str, fixes: Sequence[Fix]) -> tuple[str, list[tuple[int, int]]]:
    """``text`` with each of ``fixes`` in its place, and the lines that each stands on then."""
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    at, length = 0, 0
    for fix in fixes:
        parts += [text[at : fix.start], fix.text]
        length += fix.start - at
        places.append((length, length + len(fix.text)))
        length += len(fix.text)
        at = fix.end
    mended = "".join([*parts, text[at:]])
    lines = [
        (mended.count("\n", 0, start) + 1, mended.count("\n", 0, end) + 1) for start, end in places
    ]
    return mended, lines
