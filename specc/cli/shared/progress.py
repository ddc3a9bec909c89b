"""What a long verb is at: on a terminal a line that comes and goes. Non-goal: results."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from specc.report.terminal.style import Piece, show

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

# What a terminal calls itself that cannot take a line back.
_DUMB = ("dumb", "unknown")
# How often the line is drawn anew, a second.
_RATE = 4


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """What is told is shown until the next is, and nothing is left of it; where standard error is
    no terminal, nothing is shown."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(escape(text))


class LiveLine:
    """A line at the foot of standard output, drawn anew while something runs, and lines above it
    that stay. Where that is no terminal, or ``lives`` is false, there are only those that stay.

    ``text`` gives the line; another thread asks for it. To be closed."""

    def __init__(self, text: Callable[[], str], *, lives: bool = True) -> None:
        self._text = text
        self._stream: TextIO | None = None
        self._live: Live | None = None
        if lives and sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in _DUMB:
            self._open()

    def _open(self) -> None:
        from rich.console import Console
        from rich.live import Live

        # pytest puts a file in the place of the terminal while a cell runs.
        self._stream = open(
            os.dup(sys.stdout.fileno()),
            "w",
            encoding=sys.stdout.encoding,
            errors="backslashreplace",
        )
        console = Console(file=self._stream, highlight=False, markup=False, emoji=False)
        self._live = Live(
            console=console,
            get_renderable=self._drawn,
            refresh_per_second=_RATE,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _drawn(self) -> Text:
        from rich.text import Text

        return Text(self._text(), style="dim", no_wrap=True, overflow="ellipsis")

    def say(self, pieces: Iterable[Piece]) -> None:
        """Write lines that stay."""
        if self._live is None:
            show(pieces)
            sys.stdout.flush()
            return
        from rich.text import Text

        text = Text.assemble(*((piece.text, piece.style) for piece in pieces))
        self._live.console.print(text, end="", soft_wrap=True)

    def close(self) -> None:
        """Take the line away."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
