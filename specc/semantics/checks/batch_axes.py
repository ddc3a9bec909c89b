"""Layers that have their batch where the spec has its steps: ``batch_first`` forgotten, or one
sample taken where one step was meant.

torch computes something else then, and every shape may fit. Which size counts the samples is told
by what the loss reads, and by the names that it commonly has. Non-goal: a batch that no size
names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from specc import ir
from specc.errors import Collector, Span
from specc.sizes import Poly, Size, evaluate

_NAMES: Final = frozenset(("n", "b", "batch", "batch_size"))


def lint_batch(models: Sequence[ir.Module], train: ir.Train | None, collector: Collector) -> None:
    """Warns (W0303) of each layer and subscript in the models and in ``train``, once."""
    said: set[Span] = set()
    for model in models:
        steps = train if train is not None and train.model == model.name else None
        if steps is not None and steps.module is None:
            inputs = (*model.inputs, *steps.inputs)
            batch = batch_size(inputs, _read_by_losses(steps, inputs))
            whole = replace(model, nodes=(*model.nodes, *steps.nodes))
        else:
            batch, whole = batch_size(model.inputs, ()), model
        if batch is not None:
            _Walk(batch, collector, said).enter(whole, {})
    if train is not None and train.module is not None:
        batch = batch_size(train.inputs, _read_by_losses(train, train.inputs))
        whole = replace(train.module, nodes=(*train.module.nodes, *train.nodes))
        if batch is not None:
            _Walk(batch, collector, said).enter(whole, {})


def batch_size(inputs: Iterable[ir.Value], targets: Iterable[ir.Value]) -> Poly | None:
    """The size that counts samples; None where nothing tells it.

    ``targets`` are the inputs that the losses read themselves. One of them that has no other
    unknown size, such as labels, begins with it; and it is commonly called N."""
    shapes = [value.type.shape for value in inputs]
    named = {
        size for shape in shapes for size in shape
        if isinstance(size, Poly) and str(size).lower() in _NAMES
    }  # fmt: skip
    told = {
        value.type.shape[0] for value in targets
        if value.type.shape
        and isinstance(value.type.shape[0], Poly)
        and not any(isinstance(size, Poly) for size in value.type.shape[1:])
    }  # fmt: skip
    leading = {shape[0] for shape in shapes if shape}
    for found in (told & named, told if not named else set(), named, named & leading):
        if len(found) == 1:
            (size,) = found
            return size if isinstance(size, Poly) else None
    return None


def _read_by_losses(train: ir.Train, inputs: Iterable[ir.Value]) -> list[ir.Value]:
    """Those of ``inputs`` that a loss is computed from without a model between."""
    found: dict[int, ir.Value] = {}
    for step in train.steps:
        needed = {id(value) for name, value in step.terms if name == "loss"}
        for node in reversed(list(ir.flat_nodes((*train.shared, *step.nodes)))):
            made = any(id(value) in needed for value in ir.result_values(node.result))
            if made and not isinstance(node, ir.LayerCall):
                needed.update(id(o) for o in ir.node_operands(node) if isinstance(o, ir.Value))
        found.update((id(value), value) for value in inputs if id(value) in needed)
    return list(found.values())


class _Walk:
    """What is said of a module and of the blocks in it: each block once for the same sizes."""

    def __init__(self, batch: Poly, collector: Collector, said: set[Span]) -> None:
        self.batch = batch
        self.collector = collector
        self.said = said
        self._seen: set[tuple[int, frozenset[tuple[str, Size]]]] = set()

    def enter(self, module: ir.Module, sizes: Mapping[str, Size]) -> None:
        """Looks at ``module`` where its inputs' sizes are ``sizes``, in terms of the batch's."""
        key = id(module), frozenset(sizes.items())
        if key not in self._seen:
            self._seen.add(key)
            self._nodes(module.nodes, module, {**module.values, **sizes})

    def _nodes(
        self, nodes: Iterable[ir.Node], module: ir.Module, values: Mapping[str, Size]
    ) -> None:
        for node in nodes:
            match node:
                case ir.Chain() | ir.Branch():
                    self._nodes(node.nodes, module, values)
                case ir.Loop():
                    for each in node.iterations:
                        known = isinstance(each.index, int) and not isinstance(each.index, bool)
                        inner = {**values, node.variable: each.index} if known else values
                        self._nodes(each.nodes, module, inner)  # type: ignore[arg-type]  # an int
                case ir.LayerCall():
                    layer = module.by_path.get(node.layer)
                    if layer is not None and layer.module is not None:
                        inside = layer.module
                        self.enter(inside, ir.input_sizes(inside, node.inputs, values))
                    elif layer is not None:
                        self._say(_of_a_layer(node, layer, values, self.batch))
                case ir.Subscript():
                    self._say(_of_a_subscript(node, values, self.batch))
                case ir.FunctionCall() if node.function == "select":
                    self._say(_of_select(node, values, self.batch))
                case _:
                    continue

    def _say(self, found: tuple[Span, str, str] | None) -> None:
        if found is not None and found[0] not in self.said:
            span, message, advice = found
            self.said.add(span)
            self.collector.warning("W0303", message, span, advice)


# ── layers ───────────────────────────────────────────────────────────────────────────────────────


def _of_a_layer(
    node: ir.LayerCall, layer: ir.Layer, values: Mapping[str, Size], batch: Poly
) -> tuple[Span, str, str] | None:
    if layer.row is None or "batch_first" not in layer.row.by_name:
        return None
    given = dict(layer.arguments).get("batch_first", False)
    first = ir.static_value(given, values) is True  # type: ignore[arg-type]  # compile-time
    # A recurrent layer's states come after its sequence, and have a place of their own.
    fed = node.inputs[:1] if layer.row.family == "recurrent" else node.inputs
    for operand in fed:
        if not isinstance(operand, ir.Value) or len(operand.type.shape) != 3:
            continue
        sizes = [evaluate(size, values) for size in operand.type.shape]
        there, other = (sizes[0], sizes[1]) if first else (sizes[1], sizes[0])
        # A batch of 1 was put there: the samples are what attends to each other.
        if other == batch and there not in (batch, 1):
            shown = ", ".join(str(size) for size in sizes)
            return (
                layer.span,
                f"{layer.type} has its batch in the {'first' if first else 'second'} dimension:"
                f" of [{shown}] that is {there}, and the batch is {batch}",
                "take `batch_first=true` away" if first else "say `batch_first=true`",
            )
    return None


# ── one sample for one step ──────────────────────────────────────────────────────────────────────


def _of_a_subscript(
    node: ir.Subscript, values: Mapping[str, Size], batch: Poly
) -> tuple[Span, str, str] | None:
    shape = node.value.type.shape
    if len(shape) < 2:
        return None
    for place, index in _places(node.indices, len(shape)):
        if isinstance(index, int | Poly) and not isinstance(index, bool):
            if evaluate(shape[place], values) == batch:
                return node.span, _one_sample(node.value.type, place, batch), _steps(node, place)
    return None


def _of_select(
    node: ir.FunctionCall, values: Mapping[str, Size], batch: Poly
) -> tuple[Span, str, str] | None:
    arguments = dict(node.arguments)
    value, place = arguments.get("input"), arguments.get("dim")
    if not isinstance(value, ir.Value) or not isinstance(place, int):
        return None
    shape = value.type.shape
    if len(shape) < 2 or evaluate(shape[place], values) != batch:
        return None
    message = _one_sample(value.type, place % len(shape), batch)
    return node.span, message, "select along the dimension of the steps"


def _places(indices: Sequence[ir.Index], rank: int) -> Iterator[tuple[int, ir.Index]]:
    """Each index with the dimension that it is for."""
    place = 0
    for number, index in enumerate(indices):
        if isinstance(index, ir.EllipsisIndex):
            place = rank - (len(indices) - number - 1)
            continue
        if place < rank:
            yield place, index
        place += 1


def _one_sample(type_: ir.TensorType, place: int, batch: Poly) -> str:
    return f"this takes one sample of the batch: dimension {place} of {type_} is {batch}"


def _steps(node: ir.Subscript, place: int) -> str:
    """What to write for the step that was meant."""
    *before, last = node.indices
    if len(node.value.type.shape) < 3:
        return "index the dimension of the steps"
    whole = all(index == ir.SliceIndex() for index in before)
    if node.value.named and isinstance(last, int) and whole and place == len(before) < 2:
        other = f"{last}" if place else f":, {last}"
        return f"write `{node.value.name}[{other}]` for one step of each sample"
    return "index the dimension of the steps"
