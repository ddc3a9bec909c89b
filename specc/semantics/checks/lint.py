"""Faults that every rule accepts: values that nothing reads, a bias that the next layer takes away.

Reads the finished model and ``train``. A warning never stops a build. Non-goal: what losses are fed
with (``feeding``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from specc import ir
from specc.catalog.advice.pairs import BIAS_BEFORE_NORM, OF_PROBABILITIES, Pair
from specc.errors import Collector, Diagnostic, Span
from specc.semantics.compile_time.entities import POISON, is_static
from specc.semantics.naming.graph import Graph


def lint_model(model: ir.Module, graph: Graph, collector: Collector) -> None:
    """Warns of a bias before a batch norm, in the model and in its blocks, and of a named value, a
    parameter or a buffer that nothing reads."""
    for module in {id(block.module): block.module for _, block in model.all_blocks}.values():
        if module is not None:
            _bias_before_norm(module, collector)
    _bias_before_norm(model, collector)
    _unread_states(model, collector)
    made_by = _from_nodes(model.nodes)
    outputs = {output.name for output in model.outputs}
    for name, span in graph.assigned.items():
        value = graph.env.get(name)
        alone = isinstance(value, ir.Value) and isinstance(made_by.get(id(value)), ir.LayerCall)
        if graph.unknown:
            break  # what is not there may have been meant for it
        if name not in graph.used and name not in outputs and not name.startswith("_") and alone:
            node = made_by[id(value)]
            if isinstance(node.result, ir.Value):
                collector.warning(
                    "W0201",
                    f"`{name}` is computed and never used",
                    span,
                    f"use it, put it out, or call it `_{name}`",
                )


def warn_of_idle(graphs: Sequence[Graph], collector: Collector) -> None:
    """Warns of a number or a string of `train` that nothing reads: ``epochs = 10`` sets nothing.
    ``graphs`` are those of the training and of its steps."""
    if collector.failed:
        return  # what was reported may read it
    used = set[str]().union(*(graph.used for graph in graphs))
    for name, span in {
        name: span for graph in graphs for name, span in graph.assigned.items()
    }.items():
        value = next((graph.env[name] for graph in graphs if name in graph.env), POISON)
        if name in used or name.startswith("_") or not is_static(value):
            continue
        from specc.syntax.recovery.habit_words import setting  # a habit alone needs it

        collector.warning(
            "W0201", f"`{name}` is a value that nothing reads", span,
            setting(name) or "use it, or take it away",
        )  # fmt: skip


def _unread_states(model: ir.Module, collector: Collector) -> None:
    """Warns of a parameter or buffer that no use of its block reads: nothing trains it."""
    if collector.failed:
        return  # what was reported may read it
    modules = {id(block.module): block.module for _, block in model.all_blocks if block.module}
    read: dict[Span, bool] = {}
    named: dict[Span, ir.State] = {}
    for module in (model, *modules.values()):
        values = {id(output.value) for output in module.outputs}
        values.update(id(value) for value in _read(module.nodes))
        for state in module.states:
            values.update(id(value) for value in (*_read(state.nodes), state.value))
        for state in module.states:
            place = state.result.span
            named[place] = state
            read[place] = read.get(place, False) or id(state.result) in values
    for place, state in named.items():
        if not read[place] and not state.name.startswith("_"):
            what = "nothing trains it" if state.kind == "parameter" else "it does nothing"
            collector.warning(
                "W0201", f"the {state.kind} `{state.name}` is never read: {what}", place,
                "use it, put it out, or take it away",
            )  # fmt: skip


def lint_train(model: ir.Module, train: ir.Train, collector: Collector) -> None:
    """Warns of targets of any size where a probability is meant."""
    subject = train.module or model
    declared = {id(value) for value in (*subject.inputs, *train.inputs)}
    for node in ir.flat_nodes(train.nodes):
        if not isinstance(node, ir.FunctionCall) or not node.arguments:
            continue
        target = dict(node.arguments).get("target")
        if (
            node.function in OF_PROBABILITIES
            and isinstance(target, ir.Value)
            and id(target) in declared
            and target.type.meaning != "unit"
        ):
            collector.warning(
                "W0302",
                f"{node.function} compares with probabilities, and `{target.name}` is"
                f" {target.type}: any number",
                node.span,
                f"declare `{target.name}` as unit[...], which is in 0..1",
            )


def _bias_before_norm(module: ir.Module, collector: Collector) -> None:
    made_by, layers = _from_nodes(module.nodes), module.by_path
    reads = Counter(id(output.value) for output in module.outputs)
    reads.update(id(value) for value in _read(module.nodes))
    for node in ir.flat_nodes(module.nodes):
        if not isinstance(node, ir.LayerCall):
            continue
        consumer, source = layers[node.layer], next(iter(node.inputs), None)
        if consumer.type not in BIAS_BEFORE_NORM.consumers or not isinstance(source, ir.Value):
            continue
        producer = made_by.get(id(source))
        if isinstance(producer, ir.LayerCall) and reads[id(source)] == 1:
            layer = layers[producer.layer]
            has_bias = any(name == "bias" for name, _ in layer.parameters)
            if layer.type in BIAS_BEFORE_NORM.producers and has_bias:
                label = layer.name.rpartition(".")[2]
                name = layer.type if label.isdigit() else layer.name
                _report(BIAS_BEFORE_NORM, name, consumer.type, layer.span, collector)


def _read(nodes: Iterable[ir.Node]) -> Iterator[ir.Operand]:
    """What the nodes read, and what loops and branches carry on."""
    for node in nodes:
        match node:
            case ir.Make():
                continue
            case ir.Chain():
                yield from _read(node.nodes)
            case ir.Loop():
                yield from node.initial if node.kind != "repeat" else ()
                for iteration in node.iterations:
                    yield from _read(iteration.nodes)
                    yield from iteration.leaving
            case ir.Branch():
                yield from _read(node.nodes)
                yield from node.after
            case _:
                yield from ir.node_operands(node)


def _from_nodes(nodes: Iterable[ir.Node]) -> dict[int, ir.Leaf]:
    """What makes each value, by the value's identity."""
    return {
        id(value): node for node in ir.flat_nodes(nodes) for value in ir.result_values(node.result)
    }


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
