"""What a test builds and runs, seen as a whole: inputs, and every node in the order of the data.

A program is one model, or a training of several: then the class ``Training`` is what is built, and
what its methods compute follows on what its members do. Torch-free. Non-goal: running it
(``observe``).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from functools import lru_cache

from specc.ir import (
    Derivative,
    LayerCall,
    Leaf,
    Module,
    Node,
    Place,
    Program,
    Step,
    Train,
    Value,
    flat_nodes,
    node_operands,
    walk,
)
from specc.semantics.calls.derivative_orders import orders
from specc.sizes import Size


class Key:
    """A program as a dictionary's key, by identity: a process keeps it for all cells of a spec."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def __hash__(self) -> int:
        return id(self.program)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other.program is self.program


def of_several(program: Program) -> Train | None:
    """The training, where it is a class of its own that holds the models; None where one model
    trains itself."""
    train = program.train
    return train if train is not None and train.module is not None else None


def model_inputs(program: Program) -> tuple[Value, ...]:
    """The inputs of the one model; a training of several has none but what a batch brings."""
    return () if of_several(program) else program.subject().inputs


def train_inputs(program: Program) -> tuple[Value, ...]:
    """What a batch brings beside the model's inputs."""
    return program.train.inputs if program.train else ()


def known_sizes(program: Program) -> dict[str, Size]:
    """The sizes that the spec itself decides, by name."""
    subject = program.subject()
    return {**program.param_values(subject), **subject.values}


def outer_nodes(program: Program) -> tuple[Node, ...]:
    """The nodes of the model, then those of its training that are no model's; blocks are not
    entered."""
    train = program.train
    found: dict[int, Node] = {id(node): node for node in program.subject().nodes}
    if train is not None:
        following = (*train.shared, *train.nodes, *train.metric_nodes)
        found |= {id(node): node for node in following}
    return tuple(found.values())


def nodes(program: Program, values: dict[str, Size]) -> Iterator[tuple[Leaf, Place]]:
    """Every node of the model and its training, each with its place; blocks are entered.

    ``values`` are the sizes of the inputs; those that the spec decides are added."""
    whole = dataclasses.replace(program.subject(), nodes=outer_nodes(program))
    yield from walk(whole, {**known_sizes(program), **values})


def layer_calls(program: Program) -> dict[str, LayerCall]:
    """The first call of each layer and block of the subject by its full path, in the order of the
    data."""
    return dict(_layer_calls(Key(program)))


# Every run asks for them.
@lru_cache(maxsize=4)
def _layer_calls(key: Key) -> dict[str, LayerCall]:
    found: dict[str, LayerCall] = {}
    for node, place in nodes(key.program, {}):
        if isinstance(node, LayerCall):
            found.setdefault(place.prefix + node.layer, node)
    return found


def reaching_inputs(program: Program) -> frozenset[str]:
    """The train inputs that go into a member: those whose gradient says something of it."""
    train = of_several(program)
    if train is None:
        return frozenset()
    following = list(flat_nodes((*train.shared, *train.nodes)))
    # What a derivative is taken by is a tensor of the loss's own.
    apart = {id(node.by) for node in following if isinstance(node, Derivative)}
    inputs = {id(value): value.name for value in train.inputs if id(value) not in apart}
    return frozenset(
        inputs[id(operand)]
        for node in following
        if isinstance(node, LayerCall)
        for operand in node_operands(node)
        if id(operand) in inputs
    )


def derivatives(program: Program) -> int:
    """How many times, one of the other, losses take derivatives before training takes its own: 0,
    1, or 2 for more than one."""
    train = program.train
    sections = () if train is None else (train.shared, *(step.nodes for step in train.steps))
    subject = program.subject()
    found = [order.order for section in sections for order in orders(section, subject)]
    return min(2, max(found, default=0))


def steps(program: Program) -> tuple[Step, ...]:
    """The steps of training, in their order."""
    return program.train.steps if program.train else ()


def prefixed(step: str, name: str) -> str:
    """``discriminator/loss``; the unnamed step's names stand alone."""
    return f"{step}/{name}" if step else name


def method(step: str, name: str) -> str:
    """``discriminator_loss``; the unnamed step's methods stand alone."""
    return f"{step}_{name}" if step else name


def blocks(module: Module, prefix: str = "") -> Iterator[tuple[str, Module]]:
    """``module`` and every block inside it, each with the path in front of its layers' names."""
    stack = [(prefix, module)]
    while stack:
        path, each = stack.pop()
        yield path, each
        for layer in reversed(each.layers):
            if layer.module is not None:
                stack.append((f"{path}{layer.name}.", layer.module))


def is_numbered(train: Train) -> bool:
    """Whether a step is told the number of its batch."""
    return train.accumulate > 1 or any(member.kind == "copy" for member in train.members)


def period(train: Train) -> int:
    """After how many batches everything that does not happen each batch has happened together."""
    return math.lcm(train.accumulate, *(m.every for m in train.members if m.kind == "copy"))


def first_batch(train: Train, count: int) -> int:
    """The number of the first of ``count`` batches to run: so that what happens now and then
    happens among them, and where there is room one batch shows what follows on it."""
    return max(0, period(train) - max(count - 1, 1))
