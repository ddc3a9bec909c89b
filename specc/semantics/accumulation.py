"""Losses whose mean over several batches is not the mean of their means: with ``accumulate``, a
batch of few labels then weighs as much as one of many.

torch's mean of labels leaves out those that are ignored, and divides by the weights of those that
it counts; a mask does the same by hand. ``accumulate 4 by tokens`` weighs each batch by what it
counts. Non-goal: batches of different sizes, which data brings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from specc import ir
from specc.errors import Collector, Span
from specc.semantics.origins import Origins

_OF_LABELS: Final = frozenset(
    ("CrossEntropyLoss", "cross_entropy", "NLLLoss", "nll_loss", "linear_cross_entropy")
)


def lint_accumulation(model: ir.Module, train: ir.Train, collector: Collector) -> None:
    """Warns (W0404) of each loss of ``train`` that counts what a batch has, where gradients are
    accumulated over several."""
    if train.accumulate < 2:
        return
    subject = train.module or model
    declared = {id(value) for value in (*subject.inputs, *train.inputs)}
    said: set[Span] = set()
    needed: set[int] = set()
    for step in train.steps:
        needed |= _on_the_way(step, (*train.shared, *step.nodes))

    def look(node: ir.Leaf, module: ir.Module, origins: Origins) -> None:
        there = module is not subject or any(
            id(value) in needed for value in ir.result_values(node.result)
        )
        reason = _counts(node, module, origins, declared) if there else None
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
    made = {id(value) for step in train.steps for name, value in step.terms
            if name == train.weighed}  # fmt: skip
    for other in ir.flat_nodes(train.nodes):
        if any(id(operand) in made for operand in ir.node_operands(other)):
            made.update(id(value) for value in ir.result_values(other.result))
    return id(divisor) in made


def _divisor(node: ir.Leaf) -> ir.Value | None:
    """The one number that ``node`` divides by, where it is a tensor."""
    divided = None
    if isinstance(node, ir.Operation) and node.operator == "/":
        divided = node.operands[1]
    elif isinstance(node, ir.FunctionCall) and node.function == "div":
        divided = dict(node.arguments).get("other")
    if isinstance(divided, ir.Value) and divided.type.shape == ():
        return divided
    return None


def _on_the_way(step: ir.Step, nodes: tuple[ir.Node, ...]) -> set[int]:
    """The values that the step's loss is computed from, by identity."""
    needed = {id(value) for name, value in step.terms if name == "loss"}
    for node in reversed(list(ir.flat_nodes(nodes))):
        if any(id(value) in needed for value in ir.result_values(node.result)):
            needed.update(id(o) for o in ir.node_operands(node) if isinstance(o, ir.Value))
    return needed


def _counts(
    node: ir.Leaf, module: ir.Module, origins: Origins, declared: Collection[int]
) -> tuple[str, str] | None:
    """What in ``node`` divides by a count of the batch, and what to write instead."""
    if isinstance(node, ir.FunctionCall) and node.function in _OF_LABELS:
        return _of_labels(node.function, node.arguments, node.row.defaults, declared)
    if isinstance(node, ir.LayerCall):
        layer = module.by_path.get(node.layer)
        if layer is not None and layer.type == "LinearCrossEntropyLoss" and layer.row is not None:
            arguments = (*layer.arguments, *zip(layer.row.inputs, node.inputs, strict=False))
            return _of_labels(layer.type, arguments, layer.row.defaults, declared)
    divided = _divisor(node)
    if divided is None:
        return None
    origin = origins.of(divided)
    if not origin.given or origin.learned:
        return None
    what = "this divides by what is counted in one batch"
    size = "divide by a size, such as N, which is the same in each"
    if divided.named and divided.type.floating:
        return f"{what}, `{divided.name}`", f"weigh by it: `accumulate ... by {divided.name}`"
    return what, f"name the count and weigh by it, `accumulate ... by count`; or {size}"


def _of_labels(
    loss: str, arguments: ir.Arguments, defaults: Mapping[str, object], declared: Collection[int]
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
    if given.get("weight") is not None:
        return f"{loss} divides by the weights of the labels of one batch", whole
    if given.get("ignore_index") is not None:
        return f"{loss} divides by the labels of one batch that are not ignored", whole
    # What is declared as index(k) holds no -100, which these ignore where nothing is said.
    if (
        defaults.get("ignore_index") is not None
        and isinstance(target, ir.Value)
        and target.type.meaning == "plain"
        and id(target) in declared
    ):
        return (
            f"{loss} divides by the labels of one batch that are not -100, and `{target.name}` may"
            " hold some",
            f"declare `{target.name}` as index(...), which holds none; or {whole}",
        )
    return None
