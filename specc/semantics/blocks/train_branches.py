"""``if`` in ``train``: decided before anything else of the block is read, by params alone.

What stands on the side that is taken stands in the block, whatever it is: a term, a step, another
optimizer. Non-goal: an ``if`` inside a ``for``, which is decided in each round (``loops``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from specc import ir
from specc.semantics.blocks.expressions import elaborate
from specc.semantics.blocks.loops import decide
from specc.semantics.compile_time.layers_made import assigned_names
from specc.semantics.naming.graph import Graph
from specc.syntax.tree import ast


@dataclass(slots=True)
class Chosen:
    """The block without its ``if``s, and what they were decided by. ``unread`` are the names that
    an ``if`` would have bound which could not be decided."""

    block: ast.Train
    decisions: list[ir.Decision] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)


def chosen(block: ast.Train, graph: Graph) -> Chosen:
    """``block`` as it is with the params in ``graph``; reports E0234 where they do not decide."""
    found = Chosen(block)
    found.block = block.model_copy(update={"body": tuple(_read(block.body, graph, found))})
    return found


def _read(
    statements: Iterable[ast.Statement], graph: Graph, found: Chosen
) -> Iterator[ast.Statement]:
    for statement in statements:
        if isinstance(statement, ast.Step):
            body = tuple(_read(statement.body, graph, found))
            yield statement.model_copy(update={"body": body})
        elif not isinstance(statement, ast.If):
            yield statement
        else:
            decision = decide(graph, statement, elaborate)
            if decision is None:
                found.unread.update(assigned_names((statement,)))
                continue
            condition, taken = decision
            if isinstance(condition, ir.Scalar):
                found.decisions.append(ir.Decision(condition, taken, statement.span))
            side = statement.body if taken else statement.otherwise
            yield from _read(side, graph, found)
