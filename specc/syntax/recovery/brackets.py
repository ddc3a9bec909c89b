"""Brackets without a partner: which they are, by how the lines stand, and how to read on.

A file with one is read with what is missing put in and what is too much read as blank, so that its
other faults are told in the same run. Asked for a file that does not parse alone. Non-goal: texts
nested too deeply, which are not read at all (``newlines``)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from specc.errors import Diagnostic
from specc.syntax.recovery.stopped_at import span_of
from specc.syntax.tree.newlines import DEEPEST

# With more of them a text is not mended: hardly anything of it would be read as it was meant.
_MOST: Final = 16
_PARTNER: Final = {"(": ")", "[": "]", "{": "}"}
_OPENING: Final = {")": "(", "]": "[", "}": "{"}
# Strings, comments and brackets: all that matters here. A string ends on its line.
_PIECE: Final = re.compile(
    r'"{3}.*?"{3}|\'{3}.*?\'{3}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|\#[^\n]*|[()\[\]{}]|\n', re.DOTALL
)
# A line that begins so belongs to no statement above it, unless it stands deeper.
_BEGINS: Final = re.compile(
    r"[ \t]*(?:(?:input|output|layer|init|weights|freeze|if|for|step|regularize|constrain|clip"
    r"|optimizer|group|scheduler|copy|ema|accumulate|precision|metric|params|sizes|seed|steps"
    r"|targets|devices|dtypes|modes|layouts|optimizers|param|use|model|block|train|test)\b"
    r"(?![ \t]*[,).\]])|[A-Za-z_]\w*(?:[ \t]*,[ \t]*\w+)*[ \t]*=(?!=)|\})"
)
_TOP: Final = re.compile(
    r"(?:model|block)[ \t]+\w+|(?:train|test)[ \t]*\{|param[ \t]+\w+[ \t]*:|use[ \t]+\""
)
# What has a body in braces.
_HEADER: Final = re.compile(
    r"[ \t]*(?:\w+[ \t]*:[ \t]*)?(?:model|block|train|test|for|if|step|optimizer)\b"
)


@dataclass(slots=True)
class Mended:
    """What was found, ``edits`` of one character each, what to put in where, and the statements
    that are not read at all, for where in them a bracket ends cannot be told."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    unread: list[tuple[int, int]] = field(default_factory=list)
    edits: list[tuple[int, str]] = field(default_factory=list)
    insertions: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    character: str
    place: int
    # How deep the line stands that it is on.
    indent: int


def mend(text: str, file: str) -> Mended | None:
    """The brackets of ``text`` that have no partner; None where each has one, or too many are
    open or have none."""
    reader = _Reader(text, file)
    if not reader.read() or not 0 < len(reader.found.diagnostics) <= _MOST:
        return None
    return reader.found


def with_brackets(text: str, mended: Mended) -> tuple[str, list[int]]:
    """``text`` as ``mended`` says it is to be read, and the places that were put in."""
    characters = list(text)
    for place, character in mended.edits:
        characters[place] = character
    for start, end in mended.unread:
        characters[start:end] = re.sub(r"[^\r\n]", " ", text[start:end])
    parts: list[str] = []
    inserted: list[int] = []
    at = 0
    for place, character in sorted(mended.insertions, key=lambda each: each[0]):
        if any(start < place <= end for start, end in mended.unread):
            continue
        parts += ["".join(characters[at:place]), character]
        inserted.append(place + len(inserted))
        at = place
    return "".join([*parts, *characters[at:]]), inserted


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.open: list[_Open] = []
        self.found = Mended()
        # Behind the last character that is code, and how deep the line stands that is being read.
        self.code = 0
        self.indent = 0
        # How many bodies were not closed: as many are told by how deep the lines stand.
        pieces = [piece[0] for piece in _PIECE.finditer(text)]
        self.missing = pieces.count("{") - pieces.count("}")

    def read(self) -> bool:
        """Whether the text could be read to its end."""
        self._line(0)
        at = 0
        for piece in _PIECE.finditer(self.text):
            if len(self.found.diagnostics) > _MOST:
                return False
            self._pass(at, piece.start())
            at = piece.end()
            said = piece[0]
            if said == "\n":
                self._line(at)
            elif said in _PARTNER:
                if said == "{" and self._opens_a_body(piece.start()):
                    self._close_all(self._round(), self.code)
                self.open.append(_Open(said, piece.start(), self.indent))
                self.code = at
                if len(self.open) > DEEPEST:
                    return False
            elif said in _OPENING:
                self._close(said, piece.start())
                self.code = at
            elif said[0] != "#":
                self.code = at
        self._pass(at, len(self.text))
        self._close_all(self.open, self.code)
        return True

    def _pass(self, start: int, end: int) -> None:
        said = self.text[start:end].rstrip()
        if said:
            self.code = start + len(said)

    def _line(self, start: int) -> None:
        """A line begins: whether what is open above it can go on here."""
        end = self.text.find("\n", start)
        line = self.text[start : end if end >= 0 else len(self.text)]
        if not line.strip() or line.lstrip().startswith("#"):
            return
        self.indent = len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())
        if self.indent == 0 and _TOP.match(line):
            self._close_all(self.open, self.code)
        elif _BEGINS.match(line):
            inner = self._round()
            if inner and self.indent <= inner[0].indent:
                self._close_all(inner, self.code)
            while (
                self.missing > 0
                and line.lstrip()[0] != "}"
                and self.open
                and self.open[-1].character == "{"
                and self.indent <= self.open[-1].indent
            ):
                self.missing -= 1
                self._close_all(self.open[-1:], self.code)

    def _round(self) -> list[_Open]:
        """The round and square brackets that are open inside the last brace."""
        count = next(
            (back for back, each in enumerate(reversed(self.open)) if each.character == "{"),
            len(self.open),
        )
        return self.open[len(self.open) - count :]

    def _close_all(self, items: list[_Open], place: int) -> None:
        """Reports ``items``, which are open, and closes them at ``place``."""
        items = list(items)
        for each in reversed(items):
            partner = _PARTNER[each.character]
            message = f"this `{each.character}` is never closed"
            self._report(each.place, message, f"close it with `{partner}`")
            if each.character != "{" and "->" in self.text[each.place : place]:
                self.found.unread.append((self._statement(each.place), place))
            else:
                self.found.insertions.append((place, partner))
        self.open = [each for each in self.open if each not in items]

    def _close(self, said: str, place: int) -> None:
        if said == "}" and self.missing < 0 and self._is_too_much(place):
            self.missing += 1
            self._report(place, "this `}` closes nothing", "take it away")
            self.found.edits.append((place, " "))
            return
        if said == "}" and len(self._round()) < len(self.open):
            self._close_all(self._round(), self.code)
            self._outer(place)
        if not self.open or (self.open[-1].character == "{") != (said == "}"):
            self._report(place, f"this `{said}` closes nothing", "take it away")
            self.found.edits.append((place, " "))
        elif self.open[-1].character != _OPENING[said]:
            opening = self.open.pop()
            line = self.text.count("\n", 0, place) + 1
            self._report(
                opening.place,
                f"this `{opening.character}` is not closed before the `{said}` on line {line}",
                f"close it with `{_PARTNER[opening.character]}`",
            )
            self.found.edits.append((place, _PARTNER[opening.character]))
        else:
            self.open.pop()

    def _is_too_much(self, place: int) -> bool:
        """Whether the ``}`` at ``place`` of a text with too many is the one: what it would close
        stands on another line, and its own says that it does not end there."""
        start = self.text.rfind("\n", 0, place) + 1
        inner = next((each for each in reversed(self.open) if each.character == "{"), None)
        if inner is None or inner.place >= start:
            return False
        begins = self.text[start:place].strip() == ""
        return not begins or self.indent > inner.indent

    def _opens_a_body(self, place: int) -> bool:
        """Whether the brace at ``place`` is a header's, so that its brackets end before it."""
        start = self.text.rfind("\n", 0, place) + 1
        rest = self.text[place + 1 : self.text.find("\n", place)]
        return bool(_HEADER.match(self.text[start:place])) and not rest.split("#")[0].strip()

    def _outer(self, place: int) -> None:
        """A ``}`` that begins its line closes the body whose header stands as deep: bodies inside
        that, which stand deeper, were not closed."""
        begins = self.text[self.text.rfind("\n", 0, place) + 1 : place].strip() == ""
        if not begins:
            return
        deeper: list[_Open] = []
        for each in reversed(self.open):
            if each.indent <= self.indent:
                break
            deeper.insert(0, each)
        rest = len(self.open) - len(deeper)
        if self.missing >= len(deeper) > 0 and rest and self.open[rest - 1].indent == self.indent:
            self.missing -= len(deeper)
            self._close_all(deeper, self.code)

    def _statement(self, place: int) -> int:
        """Where the statement begins that ``place`` is in; what stands before a brace on its line
        is another one's."""
        start = self.text.rfind("\n", 0, place) + 1
        while start > 0 and self.text[start:].lstrip(" \t").startswith("->"):
            start = self.text.rfind("\n", 0, start - 1) + 1
        return start

    def _report(self, place: int, message: str, advice: str) -> None:
        span = span_of(self.text, place, place + 1, self.file)
        self.found.diagnostics.append(Diagnostic("E0103", message, span, advice))
