"""Whole numbers of any size that something is looked up by: ``Embedding(5, 3)`` of an ``int``.

Follows what a model or a training declares as a plain ``int`` through what moves elements, and into
blocks. Non-goals: whole numbers that are computed, whose range nothing states; ``index(k)``, which
the shape rules hold against the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from specc import ir
from specc.catalog.facts.lookup_tables import LOOKUPS, Entries
from specc.errors import Collector, Span
from specc.sizes import Size

_MOVING: Final = frozenset(["arrangement", "joining"])


def check_lookups(
    models: Sequence[ir.Module], train: ir.Train | None, collector: Collector
) -> None:
    """Warns (W0320) of each input that is declared as any whole number and looked up with."""
    said: set[int] = set()
    for model in models:
        declared = {id(value): value for value in model.inputs if _any_number(value)}
        inputs = train.inputs if train is not None and train.model == model.name else ()
        declared |= {id(value): value for value in inputs if _any_number(value)}
        if not declared:
            continue
        nodes = model.nodes
        labels: set[int] = set()
        if train is not None and train.module is None and train.model == model.name:
            nodes = (*nodes, *train.nodes, *train.metric_nodes)
            labels = _labels(train.nodes)
        for value, entries, what, span in _looked_up(model, nodes, declared, labels):
            if id(value) in said:
                continue
            said.add(id(value))
            shape = ", ".join(str(size) for size in value.type.shape)
            known = "k" if entries is None else str(entries)
            below = "" if entries is None else f" below {entries}"
            collector.warning(
                "W0320",
                f"{what} takes whole numbers{below}, and `{value.name}` is {value.type}: any",
                span,
                f"declare `{value.name}` as index({known})[{shape}]",
            )


def _any_number(value: ir.Value) -> bool:
    type_ = value.type
    return type_.dtype.startswith(("int", "uint")) and type_.meaning == "plain"


def _labels(nodes: Sequence[ir.Node]) -> set[int]:
    """What losses take for labels: those say what is in range, and what is ignored."""
    return {
        id(operand)
        for node in ir.flat_nodes(nodes)
        if isinstance(node, ir.FunctionCall) and node.kind == "loss"
        for name, operand in node.arguments
        if name == "target"
    }


# The input, how many entries there are, by what, and where.
_Found: TypeAlias = "tuple[ir.Value, Size | None, str, Span]"


def _looked_up(
    module: ir.Module, nodes: Sequence[ir.Node], declared: dict[int, ir.Value], labels: set[int]
) -> Iterator[_Found]:
    """The inputs that something is looked up with: in how many entries, by what, and where."""
    of = dict(declared)
    for node in ir.flat_nodes(nodes):
        match node:
            case ir.Subscript():
                for place, index in enumerate(node.indices):
                    if isinstance(index, ir.Value) and id(index) in of:
                        shape = node.value.type.shape
                        whole = not any(isinstance(i, ir.EllipsisIndex) for i in node.indices)
                        size = shape[place] if whole and place < len(shape) else None
                        yield of[id(index)], size, "an index", node.span
                _carry(of, (node.value,), node.result)
            case ir.Transpose():
                _carry(of, (node.value,), node.result)
            case ir.FunctionCall():
                yield from _function(node, of, labels)
            case ir.LayerCall():
                yield from _layer(module, node, of)
            case _:
                continue


def _carry(of: dict[int, ir.Value], operands: Sequence[ir.Operand], result: ir.Result) -> None:
    for operand in operands:
        if isinstance(operand, ir.Value) and id(operand) in of:
            of.update((id(value), of[id(operand)]) for value in ir.result_values(result))


def _function(node: ir.FunctionCall, of: dict[int, ir.Value], labels: set[int]) -> Iterator[_Found]:
    given = dict(node.arguments)
    if node.row.family in _MOVING:
        _carry(of, list(given.values()), node.result)
    target = given.get("target")
    if node.kind == "metric" and isinstance(target, ir.Value) and id(target) not in labels:
        if id(target) in of:
            yield of[id(target)], None, node.function, node.span
    if node.row.torch in LOOKUPS:
        argument, entries = LOOKUPS[node.row.torch]
        yield from _with(given.get(argument), entries, given, node, node.function, of)


def _layer(module: ir.Module, node: ir.LayerCall, of: dict[int, ir.Value]) -> Iterator[_Found]:
    layer = module.by_path.get(node.layer)
    if layer is None:
        return
    if layer.module is None:
        if layer.type in LOOKUPS and node.inputs:
            settings = dict(layer.arguments)
            entries = LOOKUPS[layer.type][1]
            yield from _with(node.inputs[0], entries, settings, node, layer.type, of)
        return
    inner = {
        id(taken): of[id(given)]
        for taken, given in zip(layer.module.inputs, node.inputs, strict=False)
        if isinstance(given, ir.Value) and id(given) in of
    }
    if inner:
        for value, _, what, _ in _looked_up(layer.module, layer.module.nodes, inner, set()):
            yield value, None, f"{what} in {layer.module.name}", node.span


def _with(
    operand: ir.Operand, entries: Entries, settings: dict[str, ir.Operand], node: ir.Leaf,
    what: str, of: dict[int, ir.Value],
) -> Iterator[_Found]:  # fmt: skip
    if isinstance(operand, ir.Value) and id(operand) in of:
        types = {name: each.type for name, each in settings.items() if isinstance(each, ir.Value)}
        yield of[id(operand)], entries(settings, types), what, node.span
