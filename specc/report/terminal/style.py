"""Styled text in pieces: plain for files and pipes, coloured by rich on a terminal.

rich is imported when a colour is needed, so that a pipe does not pay for it. Non-goals: what is
said.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple, TextIO


class Piece(NamedTuple):
    """Some text and the rich style that it has on a terminal; ``""`` is none."""

    text: str
    style: str = ""


def plain(pieces: Iterable[Piece]) -> str:
    """The text alone."""
    return "".join(piece.text for piece in pieces)


def show(pieces: Iterable[Piece], stream: TextIO | None = None) -> None:
    """Write ``pieces`` to ``stream`` (standard output), in colour where it is a terminal.

    ``NO_COLOR`` and ``FORCE_COLOR`` are obeyed as rich obeys them.
    """
    stream = sys.stdout if stream is None else stream
    if not stream.isatty():
        stream.write(plain(pieces))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    text = Text.assemble(*((piece.text, piece.style) for piece in pieces))
    # soft_wrap: a long line is the terminal's to wrap, so that what is copied from it is whole.
    console.print(text, end="", soft_wrap=True)


def terminal_width(stream: TextIO | None = None) -> int:
    """The columns to lay out for: the terminal's, within 60..120; 100 where there is none."""
    stream = sys.stdout if stream is None else stream
    if not stream.isatty():
        return 100
    from shutil import get_terminal_size

    return min(120, max(60, get_terminal_size().columns))
