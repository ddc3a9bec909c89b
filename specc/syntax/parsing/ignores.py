"""``# specc: ignore[W0301] reason``: comments that silence a warning of their line.

Such a comment is about the line that it ends, or, alone on a line, about the next statement, with
the lines that go on with it.

Non-goal: which warnings there are, and what came of it (``specc.semantics.files.silence``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from specc.errors import Span

# A string may hold a `#`; it ends where its line does.
_COMMENT: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|(#.*)')
_MEANT: Final = re.compile(
    r"#+\s*specc?\s*:?\s*(?:ignore\b|(?:ing?ore|igno\w*|disable|noqa|silence|skip|allow)\b"
    r"\s*[\[(:]?\s*[WE]\d+)",
    re.IGNORECASE,
)
# No statement goes on for more lines; looking further takes time.
_LONGEST: Final = 200
_WRITTEN: Final = re.compile(r"# ?specc: ?ignore\[([^\]]*)\](.*)")


@dataclass(frozen=True, slots=True)
class Ignore:
    """One such comment: its ``codes``, None where it is not of the form; its ``reason``, which may
    be missing; the lines that it is about, from ``line`` to ``last``, counted from 1."""

    codes: tuple[str, ...] | None
    reason: str
    line: int
    span: Span
    last: int = 0

    def is_about(self, line: int) -> bool:
        """Whether it is about what stands on ``line``."""
        return self.line <= line <= max(self.line, self.last)


def find_ignores(text: str, file: str) -> tuple[Ignore, ...]:
    """The comments of ``text`` that are meant to silence a warning, in order."""
    if _MEANT.search(text) is None:
        return ()
    found: list[Ignore] = []
    # Those that stand alone, until the line is met that they are about.
    waiting: list[tuple[str, Span]] = []
    start = 0
    number = 0
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        comment = next((match for match in _COMMENT.finditer(line) if match[1]), None)
        said = line[: comment.start()] if comment else line
        if said.strip():
            last = _last_of_statement(lines, number) if waiting else number
            found += [_read(words, span, number, last) for words, span in waiting]
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


def _last_of_statement(lines: Sequence[str], number: int) -> int:
    """The last line of the statement that begins on line ``number``: what its brackets hold, and
    what goes on with ``->``."""
    last, depth = number, 0
    for place in range(number - 1, min(len(lines), number - 1 + _LONGEST)):
        said = _COMMENT.sub(lambda match: "" if match[1] else match[0], lines[place])
        if not said.strip():
            continue
        if place >= number and depth <= 0 and not said.lstrip().startswith("->"):
            break
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", said)
        depth += sum(bare.count(each) for each in "([") - sum(bare.count(each) for each in ")]")
        last = place + 1
    return last


def _read(words: str, span: Span, line: int, last: int = 0) -> Ignore:
    written = _WRITTEN.fullmatch(words)
    if written is None:
        return Ignore(None, "", line, span, last)
    codes = tuple(code.strip() for code in written[1].split(","))
    return Ignore(codes, written[2].strip(" \t-:"), line, span, last)
