"""``use "blocks/resnet.spec"``: the files of a spec, each once, those that are used first.

Non-goals: opening files (``front`` does, and knows the project's root), and what they say."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from specc.errors import Collector, Span
from specc.syntax.parsing.ignores import Ignore
from specc.syntax.parsing.parse import Parsed
from specc.syntax.tree import ast

# The path as written, the file that says it, where: the used file's name and what it says (None of
# the spec itself, whose tree is at hand); None where it cannot be used, which is reported.
ReadUsed: TypeAlias = Callable[[str, str, Span], "tuple[str, Parsed | None] | None"]


@dataclass(frozen=True, slots=True)
class UsedFile:
    """One file of a spec as read. ``complete`` says that all it uses could be."""

    name: str
    tree: ast.SpecFile
    unread: frozenset[str]
    complete: bool
    ignores: tuple[Ignore, ...] = ()


def used_files(
    parsed: Parsed, file: str, collector: Collector, read_used: ReadUsed | None
) -> list[UsedFile]:
    """The spec and all that it uses, each after what it uses itself: the spec is the last.

    A file that uses itself, by whatever way, is an E0239."""
    found: dict[str, UsedFile] = {}
    _visit(parsed, file, [], found, collector, read_used)
    return list(found.values())


def _visit(
    parsed: Parsed, file: str, above: list[str], found: dict[str, UsedFile], collector: Collector,
    read_used: ReadUsed | None,
) -> None:  # fmt: skip
    complete = True
    for item in parsed.tree.items:
        if not isinstance(item, ast.Use):
            continue
        before, complete = complete, False
        if read_used is None:
            collector.error(
                "E0240",
                "a spec that is no file cannot use another",
                item.span,
                "save it, and give its path",
            )
            continue
        used = read_used(item.path, file, item.span)
        if used is None:
            continue
        name, inner = used
        way = [*above, file, name]
        if name in way[:-1]:
            way = _short(way[way.index(name) :])
            collector.error(
                "E0239",
                f"these files use each other in a circle: {' -> '.join(way)}",
                item.span,
                "put what both need into a third file",
            )
            continue
        if name not in found:
            assert inner is not None  # only the spec itself has none, and it is above
            _visit(inner, name, [*above, file], found, collector, read_used)
        complete = before
    found[file] = UsedFile(file, parsed.tree, parsed.unread, complete, parsed.ignores)


def _short(names: list[str]) -> list[str]:
    """The names without the folder that all of them are in."""
    shared = os.path.commonpath([os.path.dirname(name) for name in names])
    return [os.path.relpath(name, shared or ".") for name in names]
