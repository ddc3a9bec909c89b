"""A program for the terminal: the table of its layers, totals, conditions, params, training.

Data in, styled pieces out; every text of the spec is made safe first. Non-goals: counting
(``specc.inspect``), pictures (``dot``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from specc.inspect import program_notation
from specc.inspect.fold import folded
from specc.inspect.training_summary import TrainingFacts
from specc.inspect.tree import TreeLine
from specc.inspect.view import ModelView
from specc.ir import shorter
from specc.report.terminal.safe_text import visible, width
from specc.report.terminal.style import Piece

_HEAD = ("layer", "type", "output", "", "parameters", "multiply-adds", "activations", "line")
_WIDEST_TYPE, _NARROWEST_TYPE = 44, 20


def table(
    view: ModelView, *, depth: int = 99, apart: bool = False, columns: int | None = None
) -> Iterator[Piece]:
    """The layers of ``view`` down to ``depth`` levels, alike ones folded unless ``apart``; below
    the table what they come to, and what is asked of the sizes.

    Where the table is wider than ``columns``, types are cut, down to their names."""
    yield Piece(visible(view.tree.name), "bold")
    line = f":{view.model.span.line}" if view.model.span else ""
    sizes = ", ".join(f"{name}={value}" for name, value in view.sizes.items())
    rest = [f"{visible(view.file)}{line}", *([f"on {sizes}"] if sizes else []), view.dtype]
    yield Piece(f"  {' · '.join(rest)}\n\n", "dim")
    rows = list(_rows(view.tree, view, depth, apart))
    head = list(_HEAD)
    head[3] = f"with {sizes}" if sizes and len(sizes) < 20 else "with sizes" if sizes else ""
    yield from _columns([tuple(head), *rows], columns)
    if any("×" in row[0] for row in rows):
        yield Piece("a line with ×n is one of n alike; what is above it counts them all\n", "dim")
    yield Piece("\n")
    yield from _totals(view)
    yield from _params(view)
    yield from _conditions(view)


def training(facts: TrainingFacts) -> Iterator[Piece]:
    """What trains what."""
    yield Piece("\ntraining\n", "bold")
    lines: list[tuple[str, str]] = [*facts.members, *facts.others, *facts.shared]
    for step in facts.steps:
        if step.name and len(facts.steps) > 1:
            yield from _listed(lines)
            lines = []
            yield Piece(f"  step {visible(step.name)}\n", "bold")
        lines += [*step.values, *step.terms]
        if step.optimizer:
            lines.append(("optimizer", step.optimizer))
            lines += [("", str(share)) for share in step.shares]
        lines += step.others
    if facts.untrained is not None:
        lines.append(("no optimizer", str(facts.untrained)))
    lines += [("metric", text) for _, text in facts.metrics]
    yield from _listed(lines)


def number(count: int) -> str:
    """``9,408``, ``1.81 M``, ``36.4 G``: exact up to five digits, then three of them."""
    return f"{count:,}" if count < 100_000 else _scaled(count / 1000, 1000, _COUNTS)


def memory(count: int) -> str:
    """``512 B``, ``1.50 KiB``, ``44.6 MiB``."""
    return f"{count:,} B" if count < 1024 else _scaled(count / 1024, 1024, _MEMORIES)


_COUNTS = ("k", "M", "G", "T", "P", "E")
_MEMORIES = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def _scaled(value: float, step: int, units: Sequence[str]) -> str:
    position = 0
    while value >= step - 0.5 and position < len(units) - 1:
        value, position = value / step, position + 1
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:,.{digits}f} {units[position]}"


# ── the table ────────────────────────────────────────────────────────────────────────────────────


def _rows(tree: TreeLine, view: ModelView, depth: int, apart: bool) -> Iterator[tuple[str, ...]]:
    yield _row(tree.name, tree, view, 0)
    yield from _below(tree, view, depth, apart, 1)


def _below(
    entry: TreeLine, view: ModelView, depth: int, apart: bool, level: int
) -> Iterator[tuple[str, ...]]:
    """The lines below ``entry``, ``depth`` blocks down, each two columns in for each ``level``."""
    if not depth:
        return
    for group in folded(entry.children, apart):
        first, name = group.first, group.first.name
        if first.kind == "operation":
            name = program_notation.HOLE  # what it is stands beside, under its type
        elif group.count > 1:
            name += f" … {group.last}"
        if group.count > 1:
            name += f" ×{group.count}"
        yield _row(name, first, view, level)
        # A list of layers is no block of its own.
        left = depth if first.kind == "container" else depth - 1
        yield from _below(first, view, left, apart, level + 1)


def _row(name: str, entry: TreeLine, view: ModelView, level: int) -> tuple[str, ...]:
    results = entry.results
    whole = shorter.multiples(view.conditions, view.model.values)
    if entry.kind == "container" and entry.children:
        results = entry.children[-1].results  # a row of layers gives what its last one gives
    parameters = f"{entry.costs.parameters:,}" if entry.costs.parameters else "-"
    if entry.costs.frozen:
        all_of_it = entry.costs.frozen == entry.costs.parameters
        frozen = "frozen" if all_of_it else f"{entry.costs.frozen:,} frozen"
        parameters += f" ({frozen})"
    text = visible(entry.text) if entry.kind != "model" else ""
    text = _cut(text, _WIDEST_TYPE)
    if entry.calls > 1:
        text += f" (called {entry.calls} times)"
    where = str(entry.span.line) if entry.span else ""
    if entry.span and entry.span.file != view.file:
        where = f"{visible(entry.span.file)}:{where}"
    return (
        "  " * level + visible(name),
        text if entry.calls or entry.kind in ("container", "model") else f"{text} (not called)",
        ", ".join(visible(program_notation.shape(result.shape, whole)) for result in results)
        or "-",
        ", ".join(program_notation.shape(result.numbers) for result in results)
        if view.sizes
        else "",
        parameters,
        number(entry.costs.multiply_adds) if entry.costs.multiply_adds else "-",
        memory(entry.costs.activation_bytes) if entry.costs.activation_bytes else "-",
        where,
    )


_TYPE, _NUMBERS = 1, (4, 5, 6)


def _columns(rows: Sequence[tuple[str, ...]], limit: int | None) -> Iterator[Piece]:
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    shown = [column for column in range(len(rows[0])) if widths[column]]
    over = sum(widths[column] + 2 for column in shown) - 2 - (limit or sys.maxsize)
    if over > 0:
        widths[_TYPE] = min(widths[_TYPE], max(widths[_TYPE] - over, _NARROWEST_TYPE))
    for position, row in enumerate(rows):
        cells = []
        for column in shown:
            text = _cut(row[column], widths[column])
            gap = " " * (widths[column] - width(text))
            cells.append(f"{gap}{text}" if column in _NUMBERS else f"{text}{gap}")
        yield Piece("  ".join(cells).rstrip() + "\n", "" if position else "bold")


def _cut(text: str, columns: int) -> str:
    if width(text) <= columns:
        return text
    while width(text) >= columns:
        text = text[:-1]
    return f"{text}…"


# ── below it ─────────────────────────────────────────────────────────────────────────────────────


def _totals(view: ModelView) -> Iterator[Piece]:
    costs = view.tree.costs
    parameters = f"{costs.parameters:,} ({memory(costs.parameter_bytes)})"
    if costs.frozen:
        parameters += f", {costs.trainable:,} of them trainable, {costs.frozen:,} frozen"
    lines = [("parameters", parameters)]
    if costs.buffers:
        lines.append(("buffers", f"{costs.buffers:,} ({memory(costs.buffer_bytes)})"))
    lines += [
        (
            "multiply-adds",
            f"{costs.multiply_adds:,} in one forward pass: products of matrices and convolutions",
        ),
        (
            "activations",
            f"{memory(costs.activation_bytes)}: all that one forward pass puts out, views apart",
        ),
    ]
    yield from _listed(lines, 0)


def _params(view: ModelView) -> Iterator[Piece]:
    texts = []
    for param in view.params:
        text = f"{param.name}={program_notation.literal(param.value, {})}"
        if param.name in view.changed:
            text += f" (--set; {program_notation.literal(param.default, {})})"
        texts.append(text)
    if texts:
        yield from _listed([("params", ", ".join(texts))], 0)
    if view.checkpoint is not None:
        text = f"{view.checkpoint.file}: {view.checkpoint.summary}"
        yield from _listed([("weights", visible(text))], 0)


def _conditions(view: ModelView) -> Iterator[Piece]:
    lines = []
    values = view.values
    for condition in view.conditions:
        left, right = shorter.tidy(condition.left), shorter.tidy(condition.right)
        stated = f"{left} {condition.relation} {right}"
        worked = program_notation.literal(left, values), program_notation.literal(right, values)
        numbers = f" {condition.relation} ".join(worked)
        if numbers != stated:
            stated += f"  ({numbers})"
        place = f"line {condition.span.line}"
        if condition.span.file != view.file:
            place = f"{os.path.basename(condition.span.file)}:{condition.span.line}"
        lines.append((place, f"{stated}: {condition.reason}"))
    if lines:
        yield Piece("conditions on the sizes\n", "bold")
        yield from _listed(lines)


def _listed(lines: Sequence[tuple[str, str]], indent: int = 2) -> Iterator[Piece]:
    widest = max((width(visible(name)) for name, _ in lines), default=0)
    widest = max(widest, 13)
    for name, text in lines:
        gap = " " * (widest - width(visible(name)))
        yield Piece(f"{' ' * indent}{visible(name)}{gap}  ", "cyan")
        yield Piece(f"{visible(text)}\n")
