"""The line at which a parser stopped, and what is found to be wrong with it.

Non-goal: what lines may be, which ``habits`` has in its table."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from specc.errors import Diagnostic, Span


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is wrong, and how to go on: each of ``edits`` is read in place of a stretch of the text
    that is as long or longer, and a brace is put in at ``insertion``. ``words`` were not read."""

    diagnostic: Diagnostic
    edits: tuple[tuple[int, int, str], ...]
    insertion: tuple[int, str] | None = None
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Line:
    """The line at fault, and those that its brackets hold, without its comment: ``said`` is
    ``text[start:end]`` in one line; ``fault`` is where in it the parser stopped."""

    text: str
    start: int
    end: int
    fault: int
    file: str

    @property
    def said(self) -> str:
        return re.sub(r"[\r\n]", " ", self.text[self.start : self.end])

    def place(self, match: re.Match[str], group: str | int) -> tuple[int, int]:
        """Where ``group`` stands in the text."""
        start, end = match.span(group)
        return self.start + start, self.start + end

    def finding(
        self, match: re.Match[str], group: str | int, message: str, help: str, *,
        code: str = "E0102", words: tuple[str, ...] = (),
        edits: tuple[tuple[int, int, str], ...] | None = None,
    ) -> Recovery:  # fmt: skip
        """A finding at ``group`` of ``match``; without ``edits`` the line is read as nothing."""
        span = span_of(self.text, *self.place(match, group), self.file)
        diagnostic = Diagnostic(code, message, span, help)
        if edits is not None:
            return Recovery(diagnostic, edits)
        unread = frozenset([*re.findall(r"[A-Za-z_]\w*", self.said), *words])
        return Recovery(diagnostic, ((self.start, self.end, ""),), words=unread)


def line_at(text: str, position: int, file: str, inserted: Sequence[int] = ()) -> Line:
    """The line of ``position`` and those that its parentheses and square brackets hold."""
    position = min(position, len(text))
    start = text.rfind("\n", 0, position) + 1
    end, quoted, depth = start, False, 0
    for place in range(start, len(text)):
        character = text[place]
        if place in inserted:
            break
        if (character == "#" and not quoted) or (character == "\n" and depth <= 0):
            break
        if (
            character == "\n"
            and re.match(r"\n[ \t]*[)\]\w\"'{*-]", text[place : place + 200]) is None
        ):
            break
        quoted = (character == '"') != quoted
        depth += (character in "([") - (character in ")]")
        if not character.isspace():
            end = place + 1
    return Line(text, start, end, position, file)


def as_written(span: Span, inserted: Sequence[int]) -> Span:
    """``span`` counted without the brackets that were put in at ``inserted``, which rise."""
    first = bisect_left(inserted, span.start - span.column + 1)
    before, until = bisect_left(inserted, span.start), bisect_left(inserted, span.end)
    start = span.start - before
    return span._replace(
        start=start, end=max(span.end - until, start), column=span.column - (before - first)
    )


def span_of(text: str, start: int, end: int, file: str) -> Span:
    """The place of ``text[start:end]``."""
    line = text.count("\n", 0, start) + 1
    return Span(file, start, end, line, start - text.rfind("\n", 0, start))
