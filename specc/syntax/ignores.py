"""``# specc: ignore[W0301] reason``: comments that silence a warning of their line.

Such a comment is about the line that it ends, or, alone on a line, about the next one that says
something. Non-goal: which warnings there are, and what came of it (``specc.semantics.silence``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from specc.errors import Span

# A string may hold a `#`; it ends where its line does.
_COMMENT: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|(#.*)')
_MEANT: Final = re.compile(r"#+\s*specc\s*:?\s*ignore\b", re.IGNORECASE)
_WRITTEN: Final = re.compile(r"# ?specc: ?ignore\[([^\]]*)\](.*)")


@dataclass(frozen=True, slots=True)
class Ignore:
    """One such comment: its ``codes``, None where it is not of the form; its ``reason``, which may
    be missing; the ``line`` that it is about, counted from 1."""

    codes: tuple[str, ...] | None
    reason: str
    line: int
    span: Span


def find_ignores(text: str, file: str) -> tuple[Ignore, ...]:
    """The comments of ``text`` that are meant to silence a warning, in order."""
    if "specc" not in text or _MEANT.search(text) is None:
        return ()
    found: list[Ignore] = []
    # Those that stand alone, until the line is met that they are about.
    waiting: list[tuple[str, Span]] = []
    start = 0
    number = 0
    for number, line in enumerate(text.split("\n"), 1):
        comment = next((match for match in _COMMENT.finditer(line) if match[1]), None)
        said = line[: comment.start()] if comment else line
        if said.strip():
            found += [_read(words, span, number) for words, span in waiting]
            waiting = []
        if comment is not None and _MEANT.match(comment[1]):
            words = comment[1].rstrip()
            place = start + comment.start()
            span = Span(file, place, place + len(words), number, comment.start() + 1)
            if said.strip():
                found.append(_read(words, span, number))
            else:
                waiting.append((words, span))
        start += len(line) + 1
    return (*found, *(_read(words, span, number) for words, span in waiting))


def _read(words: str, span: Span, line: int) -> Ignore:
    written = _WRITTEN.fullmatch(words)
    if written is None:
        return Ignore(None, "", line, span)
    codes = tuple(code.strip() for code in written[1].split(","))
    return Ignore(codes, written[2].strip(" \t-:"), line, span)
