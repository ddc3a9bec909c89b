"""How often derivatives are taken of one another, and whether there is anything to differentiate:
the derivative of what is linear in a value does not depend on it, and torch has then no graph.

One pass forwards, however many derivatives there are. Non-goals: what a gradient reaches
(``gradients``), which functions are linear (``specc.catalog.derivatives``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from specc import ir
from specc.catalog.derivatives import curvature
from specc.semantics.gradients import aliases_of, stops

_OPERATORS: Final = {"+": "none", "-": "none", "*": "others", "@": "others"}


class Order(NamedTuple):
    """A derivative: how many are taken of one another in it, 1 of what has none, 0 where its number
    does not depend on what it is by; ``linear`` says that it then is computed from it, linearly."""

    node: ir.Derivative
    order: int
    linear: bool


class _Known(NamedTuple):
    """Of a value: by which derivatives' values it is computed (a bit each), on which of them it
    depends, and on which its derivative by each depends."""

    computed: int = 0
    sources: int = 0
    slopes: dict[int, int] = {}  # noqa: RUF012  # never written to
    depth: int = 0


def orders(nodes: Sequence[ir.Node], subject: ir.Module | None) -> list[Order]:
    """The order of each derivative among ``nodes``, which call layers of ``subject``."""
    leaves = list(ir.flat_nodes(nodes))
    taken = [node for node in leaves if isinstance(node, ir.Derivative)]
    if not taken:
        return []
    aliases = aliases_of(nodes)
    bends: dict[int, bool] = {}
    known: dict[int, _Known] = {}
    places = {id(node): place for place, node in enumerate(taken)}

    def keep(value: ir.Value, found: _Known) -> None:
        for name in (id(value), *aliases.get(id(value), ())):
            known[name] = _joined(known.get(name, _Known()), found)

    for place, each in enumerate(taken):
        keep(each.by, _Known(1 << place, 1 << place, {place: 0}))
    result: list[Order] = []
    for node in leaves:
        if isinstance(node, ir.Derivative):
            place = places[id(node)]
            of = known.get(id(node.of), _Known())
            depends = bool(of.sources >> place & 1)
            sources = of.slopes.get(place, 0)
            slopes = {k: sources for k in _bits(sources)}
            keep(node.result, _Known(of.computed, sources, slopes, of.depth + 1))
            linear = not depends and bool(of.computed >> place & 1)
            result.append(Order(node, of.depth + 1 if depends else 0, linear))
            continue
        if isinstance(node, ir.FunctionCall) and stops(node):
            continue
        found = _through(node, known, _how(node, bends, subject))
        for value in ir.result_values(node.result):
            if value.type.differentiable:
                keep(value, found)
    return result


def _through(node: ir.Leaf, known: dict[int, _Known], how: str) -> _Known:
    """What is known of what ``node`` makes, whose derivatives depend on ``how`` much."""
    operands = [known.get(id(o), _Known()) for o in ir.node_operands(node)
                if isinstance(o, ir.Value)]  # fmt: skip
    found = _Known()
    for place, each in enumerate(operands):
        local = 0
        if how != "none":
            for other, beside in enumerate(operands):
                if how == "all" or other != place:
                    local |= beside.sources
        slopes = {k: each.slopes.get(k, 0) | local for k in _bits(each.sources)}
        found = _joined(found, _Known(each.computed, each.sources, slopes, each.depth))
    return found


def _joined(one: _Known, other: _Known) -> _Known:
    slopes = dict(one.slopes)
    for k, mask in other.slopes.items():
        slopes[k] = slopes.get(k, 0) | mask
    return _Known(
        one.computed | other.computed, one.sources | other.sources, slopes,
        max(one.depth, other.depth),
    )  # fmt: skip


def _bits(mask: int) -> Iterator[int]:
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1


def _how(node: ir.Leaf, bends: dict[int, bool], module: ir.Module | None) -> str:
    """What the derivative of ``node`` by an operand depends on, as ``curvature`` says."""
    match node:
        case ir.Operation():
            if node.operator == "/" and not isinstance(node.operands[1], ir.Value):
                return "none"
            return _OPERATORS.get(node.operator, "all")
        case ir.Subscript() | ir.Transpose():
            return "none"
        case ir.FunctionCall():
            return curvature(node.row.torch.rpartition(".")[2], node.row.family)
        case ir.LayerCall() if module is not None and node.layer in module.by_path:
            layer = module.by_path[node.layer]
            if layer.module is None:
                return curvature(layer.type, "")
            return "all" if _bends(layer.module, bends) else "none"
    return "all"


def _bends(module: ir.Module, bends: dict[int, bool]) -> bool:
    """Whether what a block or model gives may be other than linear in what it is fed."""
    if id(module) not in bends:
        bends[id(module)] = True
        aliases = aliases_of(module.nodes)
        fed = {id(value) for value in module.inputs}
        fed |= {name for value in module.inputs for name in aliases.get(id(value), ())}
        bent = False
        for node in ir.flat_nodes(module.nodes):
            count = sum(id(o) in fed for o in ir.node_operands(node))
            if not count:
                continue
            how = _how(node, bends, module)
            bent = bent or how == "all" or (how == "others" and count > 1)
            for value in ir.result_values(node.result):
                fed |= {id(value), *aliases.get(id(value), ())}
        bends[id(module)] = bent
    return bends[id(module)]
