"""Spec lines in emitted source: which statement belongs to which, and a copy that announces them.

A statement that computes carries a mark, ``# model.spec:12``, behind it or above it, or comes from
the line that the one before it comes from. Layers of
an ``nn.Sequential`` have no statement of their own; their lines are in the graph. Imports no torch.
Non-goals: measuring, reading the marks of a source (``specc.emit.read_back.marked``).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping

from specc import ir
from specc.emit.read_back.marked import comments_of, is_simple, mark_of, statement_marks
from specc.emit.writing.marks import mark, stands_for_the_next

# What runs once, when the module or its optimizers are made, is no part of a step.
_NO_STEP = re.compile(r"__init__|configure_.*")


def instrument(source: str, *, forward: bool = True, training: str = "") -> str:
    """``source`` with each marked statement of a step inside a ``record_function`` of its mark.

    It computes what ``source`` computes, and keeps its comments. ``forward=False`` leaves the
    methods of that name as they are, for targets that would drop what is in them; that of the class
    ``training`` no target takes.
    """
    tree = ast.parse(source)
    comments = comments_of(source)
    chosen: dict[int, tuple[int, str]] = {}
    for owner in ast.walk(tree):
        if isinstance(owner, ast.ClassDef):
            for item in owner.body:
                if isinstance(item, ast.FunctionDef) and not _NO_STEP.fullmatch(item.name):
                    if forward or item.name != "forward" or owner.name == training:
                        holds = stands_for_the_next(item.name)
                        _choose(item.body, comments, None, chosen, holds=holds)
    lines = source.splitlines()
    # From the last to the first, so that what is put in moves nothing that is still to be found.
    for first in sorted(chosen, reverse=True):
        last, name = chosen[first]
        text = lines[first - 1]
        indent = text[: len(text) - len(text.lstrip())]
        inside = [f"    {line}" if line else line for line in lines[first - 1 : last]]
        lines[first - 1 : last] = [
            f"{indent}with torch.profiler.record_function({name!r}):",
            *inside,
        ]
    # The file may import no more of torch than it uses.
    place = tree.body[0].end_lineno or 0 if ast.get_docstring(tree) is not None else 0
    lines.insert(place, "import torch")
    return "\n".join(lines) + "\n"


def layer_marks(module: ir.Module, prefix: str = "") -> dict[str, str]:
    """The mark of each layer and block inside, by its full path: where it is called, or made."""
    calls: dict[str, str] = {}
    for node in ir.flat_nodes(module.nodes):
        if isinstance(node, ir.LayerCall):
            calls.setdefault(node.layer, mark(node.span))
    found: dict[str, str] = {}
    for layer in module.layers:
        found[prefix + layer.name] = calls.get(layer.name, mark(layer.span))
        if layer.module is not None:
            found |= layer_marks(layer.module, f"{prefix}{layer.name}.")
    return found


def update_marks(program: ir.Program) -> frozenset[str]:
    """The lines that work between backward and the next step: optimizer, clip, constraints."""
    steps = program.train.steps if program.train is not None else ()
    spans = [constraint.span for step in steps for constraint in step.constraints]
    for step in steps:
        spans += [each.optimizer.span for each in step.stepped]
        spans += [step.clip.span] if step.clip is not None else []
    return frozenset(map(mark, spans))


def _choose(
    body: Iterable[ast.stmt],
    comments: Mapping[int, tuple[str, bool]],
    around: str | None,
    chosen: dict[int, tuple[int, str]],
    *,
    holds: bool,
) -> None:
    """The statements to announce: first line to last line and mark. Those that have no mark of
    their own have that of the one before, where a mark ``holds``, or that of the loop around;
    neighbours of one mark are announced as one."""
    previous: tuple[int, str] | None = None
    for node in body:
        before = previous[1] if holds and previous is not None else around
        name = mark_of(node, comments) or before
        if isinstance(node, ast.For | ast.While | ast.If | ast.With):
            _choose(node.body, comments, name, chosen, holds=holds)
            _choose(getattr(node, "orelse", ()), comments, name, chosen, holds=holds)
        elif name is not None and is_simple(node):
            first = node.lineno
            if previous is not None and previous[1] == name:
                first = previous[0]
            chosen[first] = (node.end_lineno or node.lineno, name)
            previous = (first, name)
            continue
        previous = None


__all__ = ["instrument", "layer_marks", "statement_marks", "update_marks"]
