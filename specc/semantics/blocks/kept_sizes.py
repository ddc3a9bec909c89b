"""The sizes of a block's results that no expression in its arguments says: the block keeps them,
and who uses it reads them there.

They are those that loops of the block hand on, and those that differ by the side of a branch.
Non-goal: how they are kept (``emit``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from specc import ir
from specc.errors import Span
from specc.semantics.compile_time.threads import is_thread, kept_symbol, with_symbols
from specc.semantics.naming.graph import Graph
from specc.sizes import Size, evaluate, symbols


def with_kept(
    graph: Graph, module: ir.Module, types: Sequence[ir.TensorType], span: Span
) -> tuple[tuple[ir.TensorType, ...], tuple[ir.Thread, ...]]:
    """The ``types`` of what a use of ``module`` at ``span`` gives, with symbols for sizes that the
    block keeps, and which those are."""
    kept: list[ir.Thread] = []
    found: list[ir.TensorType] = []
    for position, type_ in enumerate(types):
        said: dict[int, str] = {}
        for dimension in _told_by_the_block(graph, module, position):
            number = evaluate(type_.shape[dimension], graph.params)
            if not isinstance(number, int):
                continue  # the run alone knows it
            name = kept_symbol(module.name, span.start, position, dimension)
            said[dimension] = name
            graph.params = {**graph.params, name: number}
            forms = {**graph.threads.forms, name: type_.shape[dimension]}
            graph.threads.forms = forms
            kept.append(ir.Thread(name, position, dimension))
        found.append(with_symbols(type_, said))
    return tuple(found), tuple(kept)


def _told_by_the_block(graph: Graph, module: ir.Module, position: int) -> Iterator[int]:
    """The dimensions of a result that the block alone can tell."""
    again = module.threaded()
    tuples = {param.name for param in module.params if param.type == "tuple"}
    shapes = [
        instance.module.outputs[position].value.type.shape
        for key, instance in graph.library.instances.items()
        if key[0] == module.name and instance.module is not None
        and len(instance.module.outputs) > position
    ]  # fmt: skip
    for dimension, size in enumerate(module.outputs[position].value.type.shape):
        differ = {shape[dimension] for shape in shapes if len(shape) > dimension} - {size}
        if differ or (again is not None and _is_open(_size(again, position, dimension), tuples)):
            yield dimension


def _size(module: ir.Module, position: int, dimension: int) -> Size:
    return module.outputs[position].value.type.shape[dimension]


def _is_open(size: Size, tuples: set[str]) -> bool:
    return any(is_thread(name) or name in tuples for name in symbols(size))
