"""Lists of layers that are as long as a param says, layers that have in them what a param says, and
selections of what is there.

A selection written out, ``[self.body[0].weight, self.body[1].weight]``, is right for one length:
where a condition cannot say it, the constructor asserts the length. Non-goal: the rounds of loops
in ``forward`` (``asserted``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from specc import ir
from specc.ir.nodes import made_places
from specc.sizes import Poly


def has_open_length(module: ir.Module, on: ir.Selection) -> bool:
    """Whether how many parameters ``on`` selects depends on the length of a list that a param
    decides, or on what a layer has: some are in it at places that the selector does not say."""
    return any(is_open(on, path) for path, _ in open_lists(module)) or any(
        is_open_inside(on, path) for path in open_layers(module)
    )


def may_have_more(module: ir.Module, on: ir.Selection, path: str) -> bool:
    """Whether all that is at ``path`` now, which ``on`` selects, may be less than all for other
    params."""
    inside = f"{path}." if path else ""
    wanted, _, excluded = on.text.partition(" except ")
    covered = not excluded and any(
        pattern == module.name or (pattern.endswith("*") and inside.startswith(pattern[:-1]))
        for pattern in wanted.split(", ")
    )
    return not covered and any(
        f"{held}.".startswith(inside) or inside.startswith(f"{held}.")
        for held in open_layers(module)
    )


def is_pinned(module: ir.Module, on: ir.Selection, path: str = "") -> bool:
    """Whether ``on`` is of the positions that it says, in the list at ``path`` or in one of those
    of ``module``: all that is there now may not be all of a longer one."""
    return any(
        any(name.startswith(f"{held}.") for name in on.names) and not is_open(on, held)
        for held, _ in open_lists(module)
        if f"{held}.".startswith(f"{path}." if path else "")
    )


def is_item(module: ir.Module, on: ir.Selection, path: str) -> bool:
    """Whether ``path`` is in a list at a position that ``on`` does not say."""
    return any(path.startswith(f"{held}.") and is_open(on, held) for held, _ in open_lists(module))


def is_open(on: ir.Selection, path: str) -> bool:
    """Whether ``on`` selects in the list at ``path``, at positions that it does not say, or would
    if there were others than those that it takes away."""
    wanted, _, excluded = on.text.partition(" except ")
    if not any(_may_reach(pattern, f"{path}.") for pattern in wanted.split(", ")):
        return False
    return any(name.startswith(f"{path}.") for name in on.names) or any(
        pattern.startswith(f"{path}.") and not _may_reach(pattern, f"{path}.")
        for pattern in excluded.split(", ")
    )


def may_select_in(on: ir.Selection, path: str) -> bool:
    """Whether ``on`` selects in the list at ``path``, or may where that has other layers."""
    inside = f"{path}."
    if any(name.startswith(inside) for name in on.names):
        return True
    literals = [
        re.split(r"[*?]", pattern, maxsplit=1)[0]
        for pattern in on.text.partition(" except ")[0].split(", ")
        if not pattern[0].isupper()
    ]
    return any(text.startswith(inside) or inside.startswith(text) for text in literals)


def is_open_inside(on: ir.Selection, path: str) -> bool:
    """Whether ``on`` may select in the layer at ``path`` what it has for other params."""
    patterns = on.text.partition(" except ")[0].split(", ")
    inside = f"{path}."
    for pattern in patterns:
        literal = re.split(r"[*?]", pattern, maxsplit=1)[0]
        exact = pattern in on.names  # `lstm.weight` is none of these
        if pattern[0].isupper() or (
            not exact and (literal.startswith(inside) or inside.startswith(literal))
        ):
            return True
    return False


def _may_reach(pattern: str, inside: str) -> bool:
    """Whether a pattern may mean several positions of a list, whose items are ``inside`` it."""
    if pattern[0].isupper():
        return True  # a type, which may be anywhere
    literal = re.split(r"[*?]", pattern, maxsplit=1)[0]
    if literal.startswith(inside):
        return "." not in literal.removeprefix(inside)
    return inside.startswith(literal)


def open_layers(module: ir.Module) -> Iterator[str]:
    """The paths of layers that have other parameters for other params: blocks with an ``if``, what
    a param chooses, and torch's layers whose depth or whose biases it decides."""
    if not module.params:
        return
    known: dict[int, bool] = {}
    for path, layer in module.all_blocks:
        inner = layer.module
        if inner is not None and known.setdefault(id(inner), _has_branch(inner.nodes)):
            yield path
    for path, layer in module.all_layers:
        if layer.parameters and (
            layer.choice is not None
            or any(_decides(name, value) for name, value in layer.arguments)
        ):
            yield path


def _decides(name: str, value: object) -> bool:
    """Whether an argument of a layer is a param's, and says which parameters it has."""
    if isinstance(value, Poly):
        return name.endswith("layers")
    return isinstance(value, ir.Scalar) and isinstance(value.value, bool)


def _has_branch(nodes: Sequence[ir.Node]) -> bool:
    return any(
        isinstance(node, ir.Branch)
        or (isinstance(node, ir.Chain) and _has_branch(node.nodes))
        or (
            isinstance(node, ir.Loop)
            and any(_has_branch(iteration.nodes) for iteration in node.iterations)
        )
        for node in nodes
    )


def open_lists(module: ir.Module) -> Iterator[tuple[str, int]]:
    """The paths of the lists whose length params decide, in blocks too, with the length that they
    have."""
    yield from _open_in(_said(module), "")
    for path, layer in module.all_blocks:
        if layer.module is not None:
            yield from _open_in(_said(layer.module), f"{path}.")


def _said(module: ir.Module) -> Sequence[ir.Node]:
    """The nodes in words that say what of a tuple a loop goes through."""
    again = module.threaded()
    return (module if again is None else again).nodes


def chosen_lists(module: ir.Module) -> Iterator[tuple[str, int]]:
    """The paths of the module's lists that have in some rounds what they have not in others, with
    how many rounds there are."""
    for loop in _loops(module.nodes):
        if any(_has_branch(iteration.nodes) for iteration in loop.iterations):
            place = loop.path.count(".") + 1 if loop.path else 1
            for path, _ in _lists(loop, place):
                yield path, loop.offset + len(loop.iterations)


def _loops(nodes: Sequence[ir.Node]) -> Iterator[ir.Loop]:
    for node in nodes:
        if isinstance(node, ir.Loop):
            yield node
        elif isinstance(node, ir.Chain | ir.Branch):
            yield from _loops(node.nodes)


def _open_in(
    nodes: Sequence[ir.Node], prefix: str, start: int = 0, rounds: int = 0
) -> Iterator[tuple[str, int]]:
    """``start`` is where, among the words of a path, the names of the round around begin, behind
    whose first ``rounds`` positions follow: ``fc.1.0`` in a loop without a label in another."""
    for node in nodes:
        if isinstance(node, ir.Loop):
            counted = any(isinstance(bound, Poly) for bound in node.bounds or ())
            inner = (node.path.count(".") + 2, 0) if node.path else (start, rounds + 1)
            if counted or isinstance(node.items, ir.TupleParam):
                place = inner[0] - 1 if node.path else start + rounds + 1
                yield from ((f"{prefix}{path}", count) for path, count in _lists(node, place))
            for iteration in node.iterations:
                yield from _open_in(iteration.nodes, prefix, *inner)
        elif isinstance(node, ir.Chain | ir.Branch):
            yield from _open_in(node.nodes, prefix, start, rounds)


def _lists(loop: ir.Loop, place: int) -> Iterator[tuple[str, int]]:
    """The lists that a loop fills, each with how long it is; ``place`` is where in their paths its
    position stands, if they are not spliced into a row."""
    found: dict[str, int] = {}
    for position, iteration in enumerate(loop.iterations, loop.offset):
        for name, _ in made_places(iteration.nodes):
            words = name.split(".")
            at = place if words[place : place + 1] == [str(position)] else None
            if at is None and not loop.path:
                at = next((n for n, word in enumerate(words) if word == str(position)), None)
            if at is not None:
                found[".".join(words[:at])] = position + 1
    yield from found.items()
