"""Untrusted text, made safe to print, and how wide it is in a terminal.

A spec, its names and its path may hold anything: escape sequences that would recolour or retitle a
terminal, marks that reorder a line, halves of surrogate pairs that cannot be encoded. What is
printed goes through ``visible`` first. Non-goals: layout, colour.
"""

from __future__ import annotations

import unicodedata

TAB = 4
# Controls, format marks (the bidirectional ones reorder a line), surrogates, line and paragraph
# ends.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def visible(text: str, *, keep: str = "") -> str:
    """``text`` with every character that a terminal would act on written as an escape.

    A tab becomes spaces up to the next multiple of four; characters in ``keep`` stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(cells(text, keep=keep))


def cells(text: str, *, keep: str = "") -> list[str]:
    """What each character of ``text`` is shown as, one piece a character."""
    pieces: list[str] = []
    column = 0
    for character in text:
        if character in keep:
            piece = character
        elif character == "\t":
            piece = " " * (TAB - column % TAB)
        elif unicodedata.category(character) in _HIDDEN:
            piece = _escape(character)
        else:
            piece = character
        pieces.append(piece)
        column = 0 if piece == "\n" else column + width(piece)
    return pieces


def width(text: str) -> int:
    """The columns that ``text`` takes: 2 for a wide East Asian character, 0 for a combining one."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def _escape(character: str) -> str:
    point = ord(character)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
