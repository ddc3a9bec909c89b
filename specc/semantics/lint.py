"""Faults that every rule accepts: a softmax applied twice, a bias that the next layer takes away.

Reads the finished model and ``train``; the pairs are rows of ``specc.catalog.pairs``. A warning
never stops a build."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from specc import ir
from specc.catalog.pairs import BIAS_BEFORE_NORM, PAIRS, Pair
from specc.errors import Collector, Diagnostic, Span
from specc.semantics.graph import Graph


def lint_model(model: ir.Module, graph: Graph, collector: Collector) -> None:
    """Warns of a bias before a batch norm and of a named value that nothing reads."""
    made_by = _producers(model)
    layers = model.by_path
    reads = Counter(
        id(operand)
        for node in ir.flat_nodes(model.nodes)
        for operand in ir.node_operands(node)
        if isinstance(operand, ir.Value)
    )
    for node in ir.flat_nodes(model.nodes):
        if not isinstance(node, ir.LayerCall):
            continue
        consumer = layers[node.layer]
        source = node.inputs[0]
        if consumer.type not in BIAS_BEFORE_NORM.consumers or not isinstance(source, ir.Value):
            continue
        producer = made_by.get(id(source))
        if isinstance(producer, ir.LayerCall) and reads[id(source)] == 1:
            layer = layers[producer.layer]
            has_bias = any(name == "bias" for name, _ in layer.parameters)
            if layer.type in BIAS_BEFORE_NORM.producers and has_bias:
                _report(BIAS_BEFORE_NORM, layer.name, consumer.type, layer.span, collector)
    outputs = {output.name for output in model.outputs}
    for name, span in graph.assigned.items():
        value = graph.env.get(name)
        alone = isinstance(value, ir.Value) and isinstance(made_by.get(id(value)), ir.LayerCall)
        if name not in graph.used and name not in outputs and not name.startswith("_") and alone:
            node = made_by[id(value)]
            if isinstance(node.result, ir.Value):
                collector.warning(
                    "W0201",
                    f"`{name}` is computed and never used",
                    span,
                    f"use it, put it out, or call it `_{name}`",
                )


def lint_train(model: ir.Module, train: ir.Train, collector: Collector) -> None:
    """Reports losses fed by what they already do themselves."""
    model = train.module or model
    made_by = _producers(model) | _from_nodes(train.nodes)
    for node in ir.flat_nodes(train.nodes):
        if not isinstance(node, ir.FunctionCall) or node.kind != "loss":
            continue
        first = node.arguments[0][1]
        producer = made_by.get(id(first))
        name = _type_of(producer, model)
        for pair in PAIRS:
            if node.function in pair.consumers and name in pair.producers:
                _report(pair, name, node.function, node.span, collector)


def _producers(model: ir.Module) -> dict[int, ir.Leaf]:
    return _from_nodes(model.nodes)


def _from_nodes(nodes: Iterable[ir.Node]) -> dict[int, ir.Leaf]:
    return {
        id(value): node for node in ir.flat_nodes(nodes) for value in ir.result_values(node.result)
    }


def _type_of(node: ir.Leaf | None, model: ir.Module) -> str:
    if isinstance(node, ir.LayerCall):
        layer = model.layer(node.layer)
        if layer.module is None or len(layer.module.outputs) != 1:
            return layer.type
        # What a block gives is what its last layer gives.
        inner = _producers(layer.module).get(id(layer.module.outputs[0].value))
        return _type_of(inner, layer.module)
    return node.function if isinstance(node, ir.FunctionCall) else ""


def _report(pair: Pair, producer: str, consumer: str, span: Span, collector: Collector) -> None:
    collector.items.append(
        Diagnostic(
            pair.code,
            pair.message.format(producer=producer, consumer=consumer),
            span,
            pair.help.format(producer=producer, consumer=consumer),
            severity=pair.severity,
        )
    )
