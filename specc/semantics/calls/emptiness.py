"""Values that nothing is left of, whatever the sizes of a run: ``narrow(x, 1, 0, 0)``,
``zeros(N, 0)``.

Looked for in the finished program, module by module, where a size came to be 0 and not behind it.
Non-goals: slices (``subscripts``), what is empty on some sizes alone, which the rows of a test are
held against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from specc import ir
from specc.errors import Collector, Span
from specc.sizes import Size, evaluate


def check_empty(models: Sequence[ir.Module], train: ir.Train | None, collector: Collector) -> None:
    """Reports (E0305) the first place in each line at which nothing is left of a value."""
    said: set[Span] = set()
    seen: set[int] = set()

    def go(nodes: Iterable[ir.Node], module: ir.Module) -> None:
        for node in ir.flat_nodes(nodes):
            if isinstance(node, ir.State):
                go(node.nodes, module)
                if node.nodes:
                    continue
            if isinstance(node, ir.LayerCall):
                layer = module.by_path.get(node.layer)
                if layer is not None and layer.module is not None:
                    enter(layer.module)
                    continue
            given = (o for o in ir.node_operands(node) if isinstance(o, ir.Value))
            if any(_place(value, module.values) is not None for value in given):
                continue
            for value in ir.result_values(node.result):
                place = _place(value, module.values)
                if place is not None and node.span not in said:
                    said.add(node.span)
                    _report(value, place, node.span, collector)

    def enter(module: ir.Module) -> None:
        if id(module) not in seen:
            seen.add(id(module))
            go(module.nodes, module)

    for model in models:
        enter(model)
    if train is not None:
        subject = train.module or next(each for each in models if each.name == train.model)
        for nodes in (train.shared, *(step.nodes for step in train.steps), train.metric_nodes):
            go(nodes, subject)


def _place(value: ir.Value, sizes: Mapping[str, Size]) -> int | None:
    """The first dimension of ``value`` that has no entries; None where each may have some."""
    for place, size in enumerate(value.type.shape):
        try:
            number = evaluate(size, sizes)
        except ZeroDivisionError:  # which the demands of the sizes tell
            continue
        if isinstance(number, int) and number < 1:
            return place
    return None


def _report(value: ir.Value, place: int, span: Span, collector: Collector) -> None:
    shown = f"`{value.name}`" if value.named else "this"
    collector.error(
        "E0305",
        f"nothing is left of {shown}: dimension {place} of {value.type} has no entries, whatever"
        " the sizes of a run",
        span,
        "take more of it: a slice's end, a length or a piece of at least 1",
    )
