"""The library in ``specc catalog``: its blocks as a list, one at length, as data.

Data in, styled pieces out. Non-goal: torch's rows (``catalogue``)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from specc.catalog import std
from specc.catalog.examples import lines_using
from specc.errors import Collector
from specc.report.terminal.style import Piece
from specc.syntax.parsing.parse import parse
from specc.syntax.tree import ast
from specc.syntax.tree.written import written


def listing(columns: int) -> Iterator[Piece]:
    """Every block with its summary, a paragraph for each file of the library."""
    yield Piece("blocks", "bold")
    yield Piece(f"  {len(std.BLOCKS)}\n", "dim")
    widest = max(map(len, std.BLOCKS))
    path = ""
    for block in std.BLOCKS.values():
        if block.path != path:
            path = block.path
            yield Piece(f'  use "{path}"\n', "dim")
        room = max(20, columns - widest - 6)
        yield Piece(f"    {block.name:{widest}}", "cyan")
        yield Piece(f"  {textwrap.shorten(block.summary, room, placeholder='…')}\n")
    yield Piece("\n")


def at_length(block: std.LibraryBlock) -> Iterator[Piece]:
    """What the block's file says of it, the block itself, and an example."""
    yield Piece(block.name, "bold")
    yield Piece(f'  {std.KIND} · {block.kind} · use "{block.path}"\n', "dim")
    yield Piece(f"{block.summary}\n\n")
    yield from (Piece(f"  {line}\n") for line in _about(block))
    yield Piece("\n")
    yield from (Piece(f"  {line}".rstrip() + "\n", "cyan") for line in source(block).splitlines())
    yield Piece("\nexample\n", "bold")
    yield from (Piece(f"  {line}\n") for line in lines_using(block))


def data(blocks: Iterable[std.LibraryBlock]) -> list[dict[str, object]]:
    """An object for each block, with the keys of torch's rows that it has."""
    return [_object(block) for block in blocks]


def _object(block: std.LibraryBlock) -> dict[str, object]:
    tree = _tree(block)
    return {
        "name": block.name,
        "kind": std.KIND,
        "family": block.kind,
        "use": block.path,
        "summary": block.summary,
        "arguments": [
            {"name": each.name, "type": each.type.name}
            | ({"default": written(each.default)} if each.default is not None else {})
            for each in tree.parameters
        ],
        "inputs": [
            {"name": each.name, "type": written(each.type)}
            for each in tree.body
            if isinstance(each, ast.Input)
        ],
        "source": source(block),
        "example": list(lines_using(block)),
    }


def source(block: std.LibraryBlock) -> str:
    """The block as its file has it, without what is around it."""
    span = _tree(block).span
    return _text(block)[span.start : span.end].rstrip()


def _text(block: std.LibraryBlock) -> str:
    text = std.text(block.path)
    assert text is not None  # a row's file is there
    return text


def _tree(block: std.LibraryBlock) -> ast.Module:
    tree = parse(_text(block), std.shown(block.path), Collector()).tree
    return next(
        item for item in tree.items if isinstance(item, ast.Module) and item.name == block.name
    )


def _about(block: std.LibraryBlock) -> Iterator[str]:
    """The comments at the head of the block's file and above the block."""
    text = _text(block)
    above = text[: _tree(block).span.start].rstrip("\n").split("\n\n")
    paragraphs = [part for part in above if part.startswith("#")]
    for part in dict.fromkeys((paragraphs[0], paragraphs[-1])):
        lines = (line.removeprefix("#").strip() for line in part.splitlines())
        yield from textwrap.wrap(" ".join(lines), 96)
