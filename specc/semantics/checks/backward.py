"""Where gradients would go through a function that torch has no derivative of.

Followed as autograd would: forwards from what learns and from the floats that are put in, backwards
from a loss, or from the outputs of what no loss is known for. Non-goals: what a loss reaches
(``gradients``), which functions those are (``specc.catalog.facts.derivatives``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from specc import ir
from specc.catalog.facts.derivatives import OPERATORS, without_derivative
from specc.errors import Collector
from specc.semantics.checks.gradients import aliases_of, stops

_ADVICE = {
    "//": "write `floor(a / b)`, whose derivative is 0, or `detach` what goes in",
    "floor_divide": "write `floor(a / b)`, whose derivative is 0, or `detach` what goes in",
}
_OPERANDS = {
    "//": "what is divided or divides", "%": "what is divided or divides",
    "**": "what is raised to the power of bools",
}  # fmt: skip
_ADVICE_OF_A_BOOL = "make numbers of the bools first: `float(...)`"
_ADVICE_OF_ANY = "`detach` what goes in, or compute it from what does not learn"


def check_derivatives(
    models: Sequence[ir.Module], train: ir.Train | None, collector: Collector
) -> None:
    """Reports (E0320) each place where a gradient that is asked for would end in torch's refusal.

    A model with one step is followed from its loss; models without one, blocks, and what several
    steps are made of from their outputs."""
    found: dict[object, tuple[ir.Leaf, str]] = {}

    def look(module: ir.Module, nodes: Sequence[ir.Node], goals: Iterable[ir.Value]) -> None:
        for node, name in _refused(module, nodes, goals):
            found.setdefault(node.span, (node, name))

    blocks: dict[int, ir.Module] = {}
    for model in models:
        alone = train is not None and train.module is None and train.model == model.name
        if alone:
            assert train is not None
            for step in train.steps:
                look(model, (*model.nodes, *step.nodes), _losses(step))
        else:
            look(model, model.nodes, (output.value for output in model.outputs))
        for _, block in model.all_blocks:
            if block.module is not None:
                blocks[id(block.module)] = block.module
    if train is not None and train.module is not None:
        for step in train.steps:
            look(train.module, (*train.shared, *step.nodes), _losses(step))
    for inner in blocks.values():
        look(inner, inner.nodes, (output.value for output in inner.outputs))
    for node, name in found.values():
        _report(node, name, collector)


def _losses(step: ir.Step) -> Iterator[ir.Value]:
    return (value for name, value in step.terms if name == "loss")


def _report(node: ir.Leaf, name: str, collector: Collector) -> None:
    said = node.operator if isinstance(node, ir.Operation) else ""
    said = node.function if isinstance(node, ir.FunctionCall) else said
    values = (each for _, each in _arguments(node) if isinstance(each, ir.Value))
    beside_a_bool = any(each.type.dtype == "bool" for each in values)
    by = f"by `{name}`" if isinstance(node, ir.FunctionCall) else f"by {_OPERANDS[said]}"
    collector.error(
        "E0320",
        f"torch has no derivative of `{said}` {by}, and a gradient goes back through it",
        node.span,
        _ADVICE.get(said, _ADVICE_OF_A_BOOL if beside_a_bool else _ADVICE_OF_ANY),
    )


def _refused(
    module: ir.Module, nodes: Sequence[ir.Node], goals: Iterable[ir.Value]
) -> Iterator[tuple[ir.Leaf, str]]:
    """The nodes that a gradient from one of ``goals`` cannot go through, each with the argument
    that it would go to."""
    leaves = list(ir.flat_nodes(nodes))
    suspects = [(node, names) for node in leaves if (names := _without(node))]
    if not suspects:
        return
    aliases = aliases_of(nodes)
    carrying = _carrying(module, leaves, aliases)
    asked = _asked(leaves, aliases, goals)
    for node, names in suspects:
        results = {id(value) for value in ir.result_values(node.result)}
        if not results & asked:
            continue
        for name, operand in _arguments(node):
            if name in names and isinstance(operand, ir.Value) and id(operand) in carrying:
                yield node, name
                break


def _carrying(
    module: ir.Module, leaves: Sequence[ir.Leaf], aliases: dict[int, set[int]]
) -> set[int]:
    """What has a gradient: the floats that come in, what learns, and what is made of those."""
    learning = {name.rpartition(".")[0] for name, _, _ in module.parameters()
                if name not in module.frozen_names}  # fmt: skip
    found: set[int] = set()
    for value in module.inputs if module.name != "Training" else ():
        if value.type.differentiable:
            found |= {id(value), *aliases.get(id(value), ())}
    for node in leaves:
        if isinstance(node, ir.FunctionCall) and stops(node):
            continue
        own = isinstance(node, ir.LayerCall | ir.ParameterRead) and any(
            path == node.layer or path.startswith(f"{node.layer}.") for path in learning
        )
        operands = (o for o in ir.node_operands(node) if isinstance(o, ir.Value))
        if own or any(id(operand) in found for operand in operands):
            for value in ir.result_values(node.result):
                if value.type.differentiable:
                    found |= {id(value), *aliases.get(id(value), ())}
    return found


def _asked(
    leaves: Sequence[ir.Leaf], aliases: dict[int, set[int]], goals: Iterable[ir.Value]
) -> set[int]:
    """What a gradient from one of ``goals`` comes to."""
    asked = {id(value) for value in goals if value.type.differentiable}
    for node in reversed(leaves):
        made = [value for value in ir.result_values(node.result) if value.type.differentiable]
        wanted = [v for v in made if id(v) in asked or aliases.get(id(v), set()) & asked]
        if not wanted or (isinstance(node, ir.FunctionCall) and stops(node)):
            continue
        asked.update(id(value) for value in wanted)
        asked.update(id(o) for o in ir.node_operands(node) if isinstance(o, ir.Value))
    return asked


def _arguments(node: ir.Leaf) -> Iterator[tuple[str, ir.Operand]]:
    if isinstance(node, ir.FunctionCall):
        yield from node.arguments
    elif isinstance(node, ir.Operation) and node.operator in OPERATORS:
        yield from zip(OPERATORS[node.operator][1], node.operands, strict=False)


def _without(node: ir.Leaf) -> tuple[str, ...]:
    given = dict(_arguments(node))
    if not given:
        return ()
    types = {name: each.type for name, each in given.items() if isinstance(each, ir.Value)}
    if isinstance(node, ir.FunctionCall):
        settings = {**node.row.defaults, **given}
        return without_derivative(node.row.torch, settings, types)
    assert isinstance(node, ir.Operation)
    return without_derivative(OPERATORS[node.operator][0], given, types)
