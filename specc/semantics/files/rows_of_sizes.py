"""The rows of sizes that ``test`` writes, held against the inputs: every unknown size is said, and
no other. Where the file has faults, what is known of its conditions is held against them too, so
that one fault does not hide another.

Non-goals: what a row leaves of each value and choosing rows, which the test matrix does."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from specc import ir
from specc.errors import Collector, Diagnostic, Span
from specc.sizes import Size, symbols
from specc.suggestions import did_you_mean
from specc.syntax.tree import ast

Row = tuple[tuple[str, int], ...]
# A free size that ties or breaks something, that a weight would have, that is a param misspelt.
_OF_FREE_SIZES = frozenset(["E0235", "E0308", "E0311", "E0312"])
_MOST_LINES = 5
_OF_NO_SIZE = frozenset(["E0201"])


def check_names(
    block: ast.Test,
    inputs: Iterable[ir.Value],
    known: Collection[str],
    hidden: Collection[str],
    collector: Collector,
) -> None:
    """E0502 for a size that no input has, and for one that a row does not say. ``known`` are the
    params, ``hidden`` the sizes of inputs that could not be read."""
    sizes = [size for value in inputs for size in value.type.shape]
    names = list(dict.fromkeys(name for size in sizes for name in sorted(symbols(size) - {*known})))
    for row in (item for item in block.body if isinstance(item, ast.Sizes)):
        said = [each.name for each in row.sizes]
        missing = [name for name in names if name not in said]
        other = [each for each in row.sizes if each.name not in names]
        unknown = [
            each
            for each in other
            if each.name not in hidden and not _is_reported(each.name, collector, _OF_NO_SIZE)
        ]
        if len(unknown) < len(other):
            missing = []  # what was reported may have been meant for one of them
        alone = len(unknown) == len(missing) == 1
        for each in unknown:
            also = f", and this row does not say what {missing[0]} is" if alone else ""
            collector.error(
                "E0502",
                f"no input has a size called `{each.name}`{also}",
                each.span,
                did_you_mean(each.name, missing, _listed(names)),
            )
        for name in missing if not alone else ():
            if _is_reported(name, collector, _OF_FREE_SIZES):
                continue
            collector.error(
                "E0502",
                f"this row does not say what {name} is",
                row.span,
                f"add `{name}=4`",
            )


def _is_reported(name: str, collector: Collector, codes: Collection[str]) -> bool:
    """Whether a fault of one of ``codes`` is told of ``name``: what a row says of it follows."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    return any(item.code in codes and word.search(item.message) for item in collector.items)


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "every size of the inputs is a number"
    return f"the inputs' sizes are {', '.join(names)}"


def check_conditions(
    rows: Iterable[tuple[Row, Span]],
    conditions: Iterable[ir.Condition],
    known: Mapping[str, Size],
    collector: Collector,
) -> None:
    """E0501 for each row that breaks one of ``conditions``; ``known`` are the params' values."""
    found: list[Diagnostic] = []
    for row, span in rows:
        text = ", ".join(f"{name}={value}" for name, value in row)
        for condition in conditions:
            numbers = condition.broken_by({**known, **dict(row)})
            if numbers is not None:
                message = f"sizes {text} break {condition}: {numbers}"
                related = (condition.span,)
                found.append(Diagnostic("E0501", message, span, condition.reason, related=related))
    collector.items += told_once(found)


def told_once(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Of the rows that break the same the first, which says where the others are."""
    same: dict[tuple[object, ...], list[Diagnostic]] = {}
    for item in found:
        key = (item.code, item.related, item.help)
        same.setdefault(key if item.related else (id(item),), []).append(item)
    told: list[Diagnostic] = []
    for first, *others in same.values():
        lines = dict.fromkeys(item.span.line for item in others if item.span is not None)
        if lines:
            said = ", ".join(map(str, [*lines][:_MOST_LINES]))
            more = f" and {len(lines) - _MOST_LINES} more" if len(lines) > _MOST_LINES else ""
            rows = "the row in line" if len(lines) == 1 else "the rows in lines"
            does = "so does" if len(lines) == 1 else "so do"
            first = replace(first, notes=(*first.notes, f"{does} {rows} {said}{more}"))
        told.append(first)
    return told
