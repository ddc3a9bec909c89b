"""What a loss depends on, as autograd would follow it: the layers and members it goes back to.

Non-goal: gradients that exist and are zero everywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from specc import ir

_STOPS: Final = frozenset(["detach", "stop_gradient"])
# Of these torch gives a gradient, and it is 0 everywhere.
FLAT: Final = frozenset("round floor ceil trunc sign sgn".split())


def reached(
    subject: ir.Module, nodes: Sequence[ir.Node], loss: ir.Value,
    frozen: Iterable[ir.Selection] = (), only: Sequence[ir.Node] | None = None,
) -> set[str]:  # fmt: skip
    """The paths of the layers with parameters, and the own parameters, that ``loss`` has a gradient
    to.

    ``nodes`` compute it; those frozen learn nothing but pass gradients on. ``only`` asks for those
    that are called by these nodes."""
    learning = _learning(subject, frozen)
    leaves = list(ir.flat_nodes(nodes))
    asked = None if only is None else {id(node) for node in ir.flat_nodes(only)}
    aliases = aliases_of(nodes)
    needed = {id(loss)}
    found: set[str] = set()
    for node in reversed(leaves):
        made = [value for value in ir.result_values(node.result) if value.type.differentiable]
        if not any(id(value) in needed or aliases.get(id(value), set()) & needed for value in made):
            continue
        if isinstance(node, ir.FunctionCall) and stops(node):
            continue
        if isinstance(node, ir.LayerCall | ir.ParameterRead) and node.layer in learning:
            if asked is None or id(node) in asked:
                found.add(node.layer)
        if isinstance(node, ir.State) and node.name in learning:
            found.add(node.name)
        needed.update(id(o) for o in ir.node_operands(node) if isinstance(o, ir.Value))
    return found


def reached_parameters(
    subject: ir.Module, nodes: Sequence[ir.Node], wanted: Collection[ir.Value]
) -> set[str]:
    """The full names of the parameters that any of ``wanted`` has a gradient to that is not 0 for
    all values, through ``nodes``: of blocks those inside that the results are computed with."""
    return _Reach().go(subject, nodes, wanted)[0]


class _Reach:
    """What a backward pass reaches; each block once for the results that are asked of it."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, frozenset[int]], tuple[set[str], frozenset[int]]] = {}

    def go(
        self, module: ir.Module, nodes: Sequence[ir.Node], wanted: Collection[ir.Value]
    ) -> tuple[set[str], set[int]]:
        """The names inside ``module``, and the identities of all values on the way."""
        aliases = aliases_of(nodes)
        needed = {id(value) for value in wanted if value.type.differentiable}
        found: set[str] = set()
        for node in reversed(list(ir.flat_nodes(nodes))):
            places = frozenset(
                place
                for place, value in enumerate(ir.result_values(node.result))
                if value.type.differentiable
                and (id(value) in needed or aliases.get(id(value), set()) & needed)
            )
            if not places or (
                isinstance(node, ir.FunctionCall) and (stops(node) or node.function in FLAT)
            ):
                continue
            operands = list(ir.node_operands(node))
            if isinstance(node, ir.State) and node.kind == "parameter":
                found.add(node.name)
            elif isinstance(node, ir.ParameterRead):
                found.add(f"{node.layer}.{node.parameter}")
            elif isinstance(node, ir.LayerCall) and node.layer in module.by_path:
                layer = module.by_path[node.layer]
                if layer.module is None:
                    found.update(f"{layer.name}.{name}" for name, _ in layer.parameters)
                else:
                    names, inputs = self._block(layer.module, places)
                    found.update(f"{layer.name}.{name}" for name in names)
                    operands = [node.inputs[place] for place in inputs if place < len(node.inputs)]
            needed.update(id(operand) for operand in operands if isinstance(operand, ir.Value))
        # What a loop or a branch hands on is needed by its other names.
        for value, others in aliases.items():
            if others & needed:
                needed.add(value)
        return found, needed

    def _block(self, block: ir.Module, places: frozenset[int]) -> tuple[set[str], frozenset[int]]:
        key = id(block), places
        if key not in self._blocks:
            asked = [out.value for place, out in enumerate(block.outputs) if place in places]
            names, needed = self.go(block, block.nodes, asked)
            inputs = (place for place, one in enumerate(block.inputs) if id(one) in needed)
            self._blocks[key] = names, frozenset(inputs)
        return self._blocks[key]


def aliases_of(nodes: Sequence[ir.Node]) -> dict[int, set[int]]:
    """What else each value is called: at the end of a chain, a loop or a branch, in a round."""
    found: dict[int, set[int]] = {}

    def name(value: ir.Value | None, other: ir.Value) -> None:
        if value is not None:
            found.setdefault(id(value), set()).update({id(other), *found.get(id(other), ())})

    def visit(inner: Sequence[ir.Node]) -> None:
        for node in reversed(inner):
            match node:
                case ir.Loop():
                    after = node.results
                    for number, iteration in reversed(list(enumerate(node.iterations))):
                        if node.kind == "list":
                            name(iteration.leaving[0], node.results[number])
                        else:
                            for value, later in zip(iteration.leaving, after, strict=True):
                                name(value, later)
                            after = iteration.entering
                        visit(iteration.nodes)
                    if node.kind != "list":
                        for value, later in zip(node.initial, after, strict=True):
                            name(value, later)
                case ir.Branch():
                    for value, later in zip(node.after, node.results, strict=True):
                        name(value, later)
                    visit(node.nodes)
                case ir.Chain():
                    visit(node.nodes)
                case _:
                    continue

    visit(nodes)
    return found


def _learning(subject: ir.Module, frozen: Iterable[ir.Selection]) -> set[str]:
    still = subject.frozen_names | {name for selection in frozen for name in selection.names}
    names = {name for name, _, _ in subject.parameters()} - still
    return {
        layer.name
        for layer in subject.layers
        if any(name.startswith(f"{layer.name}.") for name in names)
    } | {state.name for state in subject.states if {name for name, _ in state.parameters} & names}


def stops(node: ir.FunctionCall) -> bool:
    """Whether no gradient goes back through ``node``, whatever it is fed."""
    if node.kind != "function":
        return False
    return node.function in _STOPS or node.row.family in ("creation", "like")
