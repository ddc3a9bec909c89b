"""What an emitted file takes from rows besides torch: functions and classes that it carries along,
modules of extensions that it imports.

Each is there where something of the file uses it, and once. Non-goal: importing such modules when
the file runs (``specc.extensions``)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from specc import ir
from specc.catalog import REGULARIZERS
from specc.catalog.rows import Row


def rows_of(program: ir.Program) -> Iterator[Row]:
    """The rows of everything that the program's models and its training compute, blocks entered,
    in the order of the emitted file."""
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


def helpers(program: ir.Program) -> list[str]:
    """The source of what the file carries along, each text once."""
    found = {row.helper.strip() + "\n": None for row in rows_of(program) if row.helper}
    return list(found)


def imports(program: ir.Program, body: ast.Module) -> list[str]:
    """The modules of extensions that the parsed ``body`` of the file uses, sorted."""
    wanted = {row.module for row in rows_of(program) if row.module}
    if not wanted:
        return []
    used = {ast.unparse(node) for node in ast.walk(body) if isinstance(node, ast.Attribute)}
    return sorted(module for module in wanted if any(n.startswith(f"{module}.") for n in used))


def borrowed_names(program: ir.Program) -> frozenset[str]:
    """The names that helpers and imported modules have in the file."""
    return frozenset(
        row.torch.partition(".")[0] for row in rows_of(program) if row.module or row.helper
    )
