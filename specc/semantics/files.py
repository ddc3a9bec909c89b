"""``use "blocks/resnet.spec"``: the files of a spec, each once, those that are used first.

Non-goals: opening files (``front`` does, and knows the project's root), and what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from specc.errors import Collector, Span
from specc.syntax import ast
from specc.syntax.parse import Parsed

# The path as written, the file that says it, where: the used file's name and what it says; None
# where it could not be read, which is reported.
ReadUsed: TypeAlias = Callable[[str, str, Span], "tuple[str, Parsed] | None"]


@dataclass(frozen=True, slots=True)
class UsedFile:
    """One file of a spec as read."""

    name: str
    tree: ast.SpecFile
    unread: frozenset[str]


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
    for item in parsed.tree.items:
        if not isinstance(item, ast.Use):
            continue
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
        if name in (*above, file):
            way = [entry.rpartition("/")[2] for entry in (*above, file, name)]
            collector.error(
                "E0239",
                f"these files use each other in a circle: {' -> '.join(way)}",
                item.span,
                "put what both need into a third file",
            )
            continue
        if name not in found:
            _visit(inner, name, [*above, file], found, collector, read_used)
    found[file] = UsedFile(file, parsed.tree, parsed.unread)
