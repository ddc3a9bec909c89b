"""The catalogue for the terminal: a list of names, one row at length, what has drifted.

Data in, styled pieces out. Non-goals: shapes (``specc.inspect.row_shapes``), comparing with torch.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from specc.catalog import row_notation
from specc.catalog.rows import FunctionRow, LayerRow, Row
from specc.catalog.signatures import Argument
from specc.inspect.row_shapes import RowShapes
from specc.report.terminal.style import Piece


def listing(kinds: Mapping[str, Mapping[str, Row]], columns: int) -> Iterator[Piece]:
    """Every name with its summary, a section a kind and, where it has them, a paragraph a
    family."""
    for kind, rows in kinds.items():
        yield Piece(row_notation.plural(kind), "bold")
        yield Piece(f"  {len(rows)}\n", "dim")
        widest = max(map(len, rows), default=0)
        family: str | None = None
        for row in sorted(rows.values(), key=_family):
            if _family(row) != family:
                family = _family(row)
                if family and family != kind:
                    yield Piece(f"  {family}\n", "dim")
            room = max(20, columns - widest - 6)
            yield Piece(f"    {row.name:{widest}}", "cyan")
            yield Piece(f"  {textwrap.shorten(row.summary, room, placeholder='…')}\n")
        yield Piece("\n")


def _family(row: Row) -> str:
    return row.family if isinstance(row, LayerRow | FunctionRow) else ""


def row_at_length(
    kind: str,
    row: Row,
    entry: RowShapes | None,
    example: Sequence[str],
    columns: int,
    origin: str = "",
) -> Iterator[Piece]:
    """All that is to be said of ``row``: its signature, arguments, shapes, an example, where torch
    documents it. ``origin`` is the extension that it is of."""
    about = [kind, *([_family(row)] if _family(row) not in ("", kind) else [])]
    about.append(f"of the extension {origin}" if origin else f"since torch {row.since}")
    yield Piece(row.name, "bold")
    yield Piece(f"  {' · '.join(about)}\n", "dim")
    yield Piece(f"{row.summary}\n\n")
    call = textwrap.wrap(
        row_notation.statement(kind, row),
        columns - 2,
        subsequent_indent="    ",
        break_long_words=False,
    )
    yield from (Piece(f"  {line}\n", "cyan") for line in call)
    yield from _arguments(row)
    yield from _facts(row, entry)
    yield Piece("\nexample\n", "bold")
    yield from (Piece(f"  {line}\n") for line in example)
    address = row_notation.page(kind, row)
    if address:
        yield Piece(f"\n{address}\n", "dim")


def _arguments(row: Row) -> Iterator[Piece]:
    lines = [
        (argument.name, row_notation.type_of(row, argument), _default(argument))
        for argument in row.arguments
    ]
    if isinstance(row, LayerRow):
        lines += [
            (
                argument.name,
                row_notation.type_of(row, argument),
                f"{_default(argument)}, in the call",
            )
            for argument in row.forward_arguments
            if not argument.required
        ]
    if lines:
        yield Piece("\narguments\n", "bold")
    yield from _table(lines)


def _default(argument: Argument) -> str:
    if argument.inferred:
        return "told by the shapes"
    return "required" if argument.required else row_notation.literal(argument.default)


def _facts(row: Row, entry: RowShapes | None) -> Iterator[Piece]:
    if entry is not None:
        yield Piece("\nshapes\n", "bold")
        gives = [(f"-> {name}".rstrip(), type_) for name, type_ in entry.gives]
        yield from _table([*entry.takes, *gives])
        yield from (Piece(f"  where {condition}\n") for condition in entry.conditions)
        if entry.fault:
            yield Piece(f"  the example does not check: {entry.fault}\n")
        if entry.parameters:
            yield Piece("\nparameters\n", "bold")
            yield from _table(list(entry.parameters))
        if entry.buffers:
            yield Piece("\nbuffers\n", "bold")
            yield from _table(list(entry.buffers))
    if isinstance(row, LayerRow | FunctionRow) and row.stochastic:
        yield Piece("\nIt draws noise: tests draw it from their own seed.\n")
    if row.refuses:
        yield Piece("\nnot for\n", "bold")
        yield from _table(list(row.refuses.items()))


def _table(lines: Sequence[tuple[str, ...]]) -> Iterator[Piece]:
    if not lines:
        return
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]) - 1)]
    for line in lines:
        cells = [f"{cell:{width}}" for cell, width in zip(line, widths, strict=False)]
        yield Piece(f"  {'  '.join([*cells, line[-1]])}\n")


def drifted(
    torch: str,
    new: Iterable[tuple[str, str]],
    gone: Iterable[tuple[str, str]],
    changed: Iterable[tuple[str, str, tuple[str, ...]]],
    later: Iterable[tuple[str, str, str]],
) -> Iterator[Piece]:
    """What the installed torch has otherwise than the catalogue."""
    sections = {
        "new": [(kind, name, "torch has it, and the catalogue has not") for kind, name in new],
        "gone": [(kind, name, "the catalogue has it, and torch has not") for kind, name in gone],
        "changed": [(kind, name, each) for kind, name, said in changed for each in said],
    }
    for title, lines in sections.items():
        if lines:
            yield Piece(f"{title}\n", "bold yellow")
            yield from _table(lines)
    waiting = [(kind, name, f"since torch {since}") for kind, name, since in later]
    if waiting:
        yield Piece("not in this torch yet\n", "bold")
        yield from _table(waiting)
    count = sum(map(len, sections.values()))
    found = f"{count} difference{'s' if count != 1 else ''}" if count else "no difference"
    yield Piece(f"torch {torch}: {found}\n", "bold yellow" if count else "bold green")
