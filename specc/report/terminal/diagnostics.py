"""Diagnostics as people read them: the user's own line, a caret under it, what to write instead.

    error[E0203]: Linear has no argument 'bais'
      --> model.spec:6:27
       |
     6 |   y = x -> Linear(128, bais=false)
       |                        ^^^^
       = help: did you mean 'bias'?

Every piece of text is made safe for a terminal, since specs are untrusted. Non-goals: finding
faults (``specc.semantics``), sorting and counting them beyond the closing line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from specc.errors import TOO_MANY, Diagnostic, Severity, Span
from specc.report.terminal.safe_text import cells, visible, width
from specc.report.terminal.style import Piece, plain

_STYLE: dict[Severity, str] = {"error": "bold red", "warning": "bold yellow"}
_MARGIN = "bold blue"
_MARGIN_COLUMNS = 12
# Of a file's messages, and of the characters of one.
MOST_SHOWN = 100
LONGEST_MESSAGE = 2_000


def render(
    diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], columns: int = 100
) -> str:
    """``diagnostics`` as plain text; ``sources`` maps a file to its text."""
    return plain(pieces(diagnostics, sources, columns))


def pieces(
    diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], columns: int = 100
) -> Iterator[Piece]:
    """``diagnostics`` as styled pieces; where ``sources`` lacks a span's file, its place alone."""
    found = list(diagnostics)
    for number, diagnostic in enumerate(found[:MOST_SHOWN]):
        if number:
            yield Piece("\n")
        yield from _one(diagnostic, sources, columns)
    if len(found) > MOST_SHOWN:
        yield Piece(f"\n... and {len(found) - MOST_SHOWN:,} more\n", _MARGIN)
    # That even these are not all is the one thing to know of them.
    for diagnostic in found[MOST_SHOWN:]:
        if diagnostic.message.startswith(TOO_MANY):
            yield Piece(f"{diagnostic.message}\n")


def closing_line(diagnostics: Sequence[Diagnostic], files: int) -> str:
    """``3 specs checked: 2 errors, 1 warning``."""
    errors = sum(item.severity == "error" for item in diagnostics)
    warnings = len(diagnostics) - errors
    found = [_count(errors, "error")] if errors else []
    found += [_count(warnings, "warning")] if warnings else []
    return f"{_count(files, 'spec')} checked: {', '.join(found) or 'no faults'}"


def _one(diagnostic: Diagnostic, sources: Mapping[str, str], columns: int) -> Iterator[Piece]:
    style = _STYLE[diagnostic.severity]
    span = diagnostic.span
    yield Piece(f"{diagnostic.severity}[{diagnostic.code}]", style)
    places = [place for place in (span, *diagnostic.related) if place is not None]
    gutter = " " * max((len(str(place.line)) for place in places), default=1)
    yield Piece(": " + _indented(diagnostic.message, " " * 4) + "\n", "bold")
    for place in places:
        yield Piece(f"{gutter} {'-->' if place is span else ':::'} ", _MARGIN)
        yield Piece(f"{visible(place.file)}:{place.line}:{place.column}\n")
        source = sources.get(place.file)
        if source is not None:
            yield from _excerpt(place, source, gutter, style, columns)
    for label, texts in (("note", diagnostic.notes), ("help", (diagnostic.help,))):
        for text in texts:
            if text:
                yield Piece(f"{gutter} = ", _MARGIN)
                yield Piece(f"{label}: ", "bold cyan" if label == "help" else "bold")
                yield Piece(_indented(text, gutter + " " * 9) + "\n")


def _excerpt(span: Span, source: str, gutter: str, style: str, columns: int) -> Iterator[Piece]:
    """The line where ``span`` starts, and a caret for each of its columns there."""
    start = min(span.start, len(source))
    first = source.rfind("\n", 0, start) + 1
    last = source.find("\n", start)
    line = source[first : len(source) if last < 0 else last].removesuffix("\r")
    left = min(start - first, len(line))
    right = max(left, min(span.end - first, len(line)))
    shown = cells(line)
    # The end of a file or of a line has no character to point at: the caret stands after the last.
    carets = max(1, sum(width(piece) for piece in shown[left:right]))
    before, text, room = _window(shown, left, right, max(20, columns - _MARGIN_COLUMNS))
    yield Piece(f"{gutter} |\n", _MARGIN)
    yield Piece(f"{span.line:>{len(gutter)}} | ", _MARGIN)
    yield Piece(text + "\n")
    yield Piece(f"{gutter} | ", _MARGIN)
    yield Piece(" " * before + "^" * max(1, min(carets, room)) + "\n", style)


def _window(shown: list[str], left: int, right: int, columns: int) -> tuple[int, str, int]:
    """The part of a line around ``left``: columns before the caret, text, columns from it on."""
    widths = [width(piece) for piece in shown]
    if sum(widths) <= columns:
        return sum(widths[:left]), "".join(shown).rstrip(), columns
    low, behind = left, 0
    budget = max(columns // 3, columns - 2 - sum(widths[left:right]))
    while low > 0 and behind + widths[low - 1] < min(budget, columns // 2):
        behind += widths[low - 1]
        low -= 1
    high, used = low, 0
    while high < len(shown) and used + widths[high] <= columns - 2:
        used += widths[high]
        high += 1
    head = "…" if low else ""
    tail = "…" if high < len(shown) else ""
    before = len(head) + sum(widths[low:left])
    return before, head + "".join(shown[low:high]) + tail, used - sum(widths[low:left])


def _indented(text: str, indent: str) -> str:
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE - 1]}…"
    return visible(text, keep="\n").replace("\n", "\n" + indent)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
