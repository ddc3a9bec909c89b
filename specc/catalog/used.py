"""The rows that a program uses: of its layers, its functions, its penalties.

Non-goal: what a row brings into the emitted file (``specc.emit.writing.borrowed``)."""

from __future__ import annotations

from collections.abc import Iterator

from specc import ir
from specc.catalog import REGULARIZERS
from specc.catalog.rows import Row


def rows_of(program: ir.Program) -> Iterator[Row]:
    """The rows of everything that the program's models and its training compute, blocks entered,
    in the order of the emitted file. A row comes as often as it is used."""
    seen: set[int] = set()
    for model in program.models:
        yield from _of_module(model, seen)
    train = program.train
    if train is None:
        return
    if train.module is not None:
        yield from _of_module(train.module, seen)
    yield from (
        REGULARIZERS[regularizer.type] for step in train.steps for regularizer in step.regularizers
    )
    for nodes in (train.shared, train.nodes, train.metric_nodes):
        yield from _of_nodes(nodes)


def _of_module(module: ir.Module, seen: set[int]) -> Iterator[Row]:
    if id(module) in seen:
        return
    seen.add(id(module))
    for layer in module.layers:
        if layer.module is not None:
            yield from _of_module(layer.module, seen)
        elif layer.row is not None:
            yield layer.row
    yield from _of_nodes(module.nodes)


def _of_nodes(nodes: tuple[ir.Node, ...]) -> Iterator[Row]:
    for node in ir.flat_nodes(nodes):
        if isinstance(node, ir.FunctionCall):
            yield node.row
