"""How often derivatives are taken of one another, and whether there is anything to differentiate:
the derivative of what is linear in a value does not depend on it, and torch has then no graph.

One pass forwards, however many derivatives there are. Non-goals: what a gradient reaches
(``gradients``), what each value depends on (``slopes``)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from specc import ir
from specc.semantics.checks.slopes import Known, Slopes, bits, source

# How many there may be: each is a pass backwards.
MOST_DERIVATIVES: Final = 64


class DerivativeOrder(NamedTuple):
    """A derivative: how many are taken of one another in it, 1 of what has none, 0 where its number
    does not depend on what it is by; ``linear`` says that it then is computed from it, linearly."""

    node: ir.Derivative
    order: int
    linear: bool


def orders(nodes: Sequence[ir.Node], subject: ir.Module | None) -> list[DerivativeOrder]:
    """The order of each derivative among ``nodes``, which call layers of ``subject``."""
    taken = [node for node in ir.flat_nodes(nodes) if isinstance(node, ir.Derivative)]
    return _gone_through(nodes, subject, taken, ())[0] if taken else []


def is_steppable(
    nodes: Sequence[ir.Node], subject: ir.Module, loss: ir.Value, learning: Collection[str]
) -> bool:
    """Whether ``loss``, which ``nodes`` compute with derivatives, depends on any of ``learning``:
    the derivative of what a parameter is added to does not."""
    taken = [node for node in ir.flat_nodes(nodes) if isinstance(node, ir.Derivative)]
    if len(taken) > MOST_DERIVATIVES:
        return True  # which is refused, and would take long to go through
    found = _gone_through(nodes, subject, taken, learning)[1].of(loss)
    return bool(found.sources >> len(taken) & 1)


def _gone_through(
    nodes: Sequence[ir.Node], subject: ir.Module | None, taken: Sequence[ir.Derivative],
    learning: Collection[str],
) -> tuple[list[DerivativeOrder], Slopes]:  # fmt: skip
    """The orders of the derivatives ``taken``, and what is known of all values: a bit for each of
    the derivatives, and one for what learns."""
    known = Slopes(nodes, subject, learning, len(taken))
    places = {id(node): place for place, node in enumerate(taken)}
    for place, each in enumerate(taken):
        known.keep(each.by, source(place))
    result: list[DerivativeOrder] = []
    for node in ir.flat_nodes(nodes):
        if not isinstance(node, ir.Derivative):
            known.go(node)
            continue
        place = places[id(node)]
        of = known.of(node.of)
        depends = bool(of.sources >> place & 1)
        # What is refused is not judged again by what the loss would make of it.
        sources = of.slopes.get(place, 0) if depends else 1 << len(taken)
        slopes = {k: sources for k in bits(sources)}
        known.keep(node.result, Known(of.computed, sources, sources, slopes, of.depth + 1))
        linear = not depends and bool(of.computed >> place & 1)
        result.append(DerivativeOrder(node, of.depth + 1 if depends else 0, linear))
    return result, known
