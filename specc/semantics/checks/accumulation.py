"""Losses whose mean over several batches is not the mean of their means: with ``accumulate``, a
batch of few labels then weighs as much as one of many.

torch's mean of labels leaves out those that are ignored, and divides by the weights of those that
it counts; a mask does the same by hand. ``accumulate 4 by tokens`` weighs each batch by what it
counts. Non-goal: batches of different sizes, which data brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from specc import ir
from specc.errors import Collector, Span
from specc.semantics.checks.computed_alike import alike
from specc.semantics.checks.origins import Origins

_OF_LABELS: Final = frozenset(
    ("CrossEntropyLoss", "cross_entropy", "NLLLoss", "nll_loss", "linear_cross_entropy")
)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What a batch brings (``declared``, by identity), what ``train`` computes of it by name
    (``terms``), and whether it may be weighed by one of those."""

    declared: frozenset[int]
    terms: Mapping[int, str]
    weighable: bool


def lint_accumulation(model: ir.Module, train: ir.Train, collector: Collector) -> None:
    """Warns (W0404) of each loss of ``train`` that counts what a batch has, where gradients are
    accumulated over several."""
    if train.accumulate < 2:
        return
    subject = train.module or model
    batch = _Batch(
        frozenset(id(value) for value in (*subject.inputs, *train.inputs)),
        {
            id(value): name
            for step in train.steps
            for name, value in step.terms
            if value.type.floating
        },
        all(not step.name for step in train.steps),
    )
    said: set[Span] = set()
    needed: set[int] = set()
    for step in train.steps:
        needed |= _on_the_way(step, (*train.shared, *step.nodes))

    def look(node: ir.Leaf, module: ir.Module, origins: Origins) -> None:
        there = module is not subject or any(
            id(value) in needed for value in ir.result_values(node.result)
        )
        reason = _counts(node, module, origins, batch) if there else None
        if train.weighed and (reason is None or _weighed(node, train)):
            return
        if reason is not None and node.span not in said:
            said.add(node.span)
            what, advice = reason
            collector.warning(
                "W0404",
                f"{what}: over {train.accumulate} batches the mean of such means is not the mean,"
                " for a batch of few weighs as much as one of many",
                node.span,
                advice.replace("accumulate ...", f"accumulate {train.accumulate}"),
            )

    origins = Origins(look)
    origins.batch(train.inputs)
    origins.read(subject)
    for step in train.steps:
        origins.go(step.nodes, subject)


def _weighed(node: ir.Leaf, train: ir.Train) -> bool:
    """Whether what ``node`` divides by may be the count that each batch is weighed by: that of the
    labels, which the loss keeps to itself, or one that is made of the term."""
    divisor = _divisor(node)
    if divisor is None:
        return True
    nodes = (*train.shared, *train.nodes)
    numbers = alike(nodes)
    weights = {
        numbers.get(id(value))
        for step in train.steps
        for name, value in step.terms
        if name == train.weighed
    }
    made = {identity for identity, number in numbers.items() if number in weights}
    for other in ir.flat_nodes(nodes):
        if any(id(operand) in made for operand in ir.node_operands(other)):
            made.update(id(value) for value in ir.result_values(other.result))
    return id(divisor) in made


def _divisor(node: ir.Leaf) -> ir.Value | None:
    """The one number that ``node`` divides by, where it is a tensor."""
    divided = None
    if isinstance(node, ir.Operation) and node.operator == "/":
        divided = node.operands[1]
    elif isinstance(node, ir.Operation) and node.operator == "**":
        divided = node.operands[0] if _is_negative(node.operands[1]) else None
    elif isinstance(node, ir.FunctionCall):
        arguments = dict(node.arguments)
        if node.function == "div":
            divided = arguments.get("other")
        elif node.function == "reciprocal":
            divided = arguments.get("input")
        elif node.function == "pow" and _is_negative(arguments.get("exponent")):
            divided = arguments.get("input")
    if isinstance(divided, ir.Value) and divided.type.shape == ():
        return divided
    return None


def _is_negative(operand: object) -> bool:
    number = operand.value if isinstance(operand, ir.Scalar) else operand
    return isinstance(number, int | float) and number < 0


def _on_the_way(step: ir.Step, nodes: tuple[ir.Node, ...]) -> set[int]:
    """The values that the step's loss is computed from, by identity."""
    needed = {id(value) for name, value in step.terms if name == "loss"}
    for node in reversed(list(ir.flat_nodes(nodes))):
        if any(id(value) in needed for value in ir.result_values(node.result)):
            needed.update(id(o) for o in ir.node_operands(node) if isinstance(o, ir.Value))
    return needed


def _counts(
    node: ir.Leaf, module: ir.Module, origins: Origins, batch: _Batch
) -> tuple[str, str] | None:
    """What in ``node`` divides by a count of the batch, and what to write instead."""
    if isinstance(node, ir.FunctionCall) and node.function in _OF_LABELS:
        return _of_labels(node.function, node.arguments, node.row.defaults, batch)
    if isinstance(node, ir.LayerCall):
        layer = module.by_path.get(node.layer)
        if layer is not None and layer.type == "LinearCrossEntropyLoss" and layer.row is not None:
            arguments = (*layer.arguments, *zip(layer.row.inputs, node.inputs, strict=False))
            return _of_labels(layer.type, arguments, layer.row.defaults, batch)
    if isinstance(node, ir.FunctionCall) and node.function == "nanmean":
        if next(ir.result_values(node.result)).type.shape == ():
            return (
                "nanmean divides by the numbers of one batch that are not NaN",
                "write `nansum(...)` over a size, such as N, which is the same in each",
            )
    divided = _divisor(node)
    if divided is None:
        return None
    origin = origins.of(divided)
    if not origin.given or origin.learned:
        return None
    what = "this divides by what is counted in one batch"
    size = "divide by a size, such as N, which is the same in each"
    term = batch.terms.get(id(divided))
    if divided.named:
        what = f"{what}, `{divided.name}`"
    if not batch.weighable:
        return what, size
    if term is not None:
        return what, f"weigh by it: `accumulate ... by {term}`"
    return what, f"name the count and weigh by it, `accumulate ... by count`; or {size}"


def _of_labels(
    loss: str, arguments: ir.Arguments, defaults: Mapping[str, object], batch: _Batch
) -> tuple[str, str] | None:
    given = dict(arguments)
    target = given.get("target")
    if given.get("reduction", "mean") != "mean":
        return None
    if isinstance(target, ir.Value) and target.type.floating:
        return None
    whole = (
        f'write `{loss}(..., reduction="sum")` over a size, such as N, which is the same in each'
    )
    weight, ignored = given.get("weight"), given.get("ignore_index")
    count = _count_of_labels(target, weight, ignored) if batch.weighable else ""
    if count:
        whole = f"weigh each batch by what it counts: `count = {count}`, `accumulate ... by count`"
    if weight is not None:
        return f"{loss} divides by the weights of the labels of one batch", whole
    if ignored is not None:
        return f"{loss} divides by the labels of one batch that are not ignored", whole
    # What is declared as index(k) holds no -100, which these ignore where nothing is said.
    if (
        defaults.get("ignore_index") is not None
        and isinstance(target, ir.Value)
        and target.type.meaning == "plain"
        and id(target) in batch.declared
    ):
        return (
            f"{loss} divides by the labels of one batch that are not -100, and `{target.name}` may"
            " hold some",
            f"declare `{target.name}` as index(...), which holds none; or {whole}",
        )
    return None


def _count_of_labels(target: object, weight: object, ignored: object) -> str:
    """What a loss of labels divides by, as ``train`` computes it; empty where that has no name."""
    if not isinstance(target, ir.Value) or not target.named:
        return ""
    left_out = ignored.value if isinstance(ignored, ir.Scalar) else ignored
    counted = []
    if weight is not None:
        if not isinstance(weight, ir.Value) or not weight.named or target.type.meaning != "index":
            return ""
        counted.append(f"{weight.name}[{target.name}]")
    if left_out is not None or weight is None:
        if not isinstance(left_out, int | None):
            return ""
        counted.append(f"float({target.name} != {-100 if left_out is None else left_out})")
    return f"sum({' * '.join(counted)})"
