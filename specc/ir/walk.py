"""A module and the blocks inside it, gone through in the order in which they compute.

Non-goal: deciding anything about what is met."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from specc.ir.modules import Module
from specc.ir.nodes import Branch, Chain, Layer, LayerCall, Leaf, Loop, Make, Node, Operand, Value
from specc.ir.types import TensorType
from specc.sizes import Size, evaluate


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands: the module, the path in front of its layers' names (empty, or ending
    with a dot), what its sizes' names stand for there."""

    module: Module
    prefix: str
    values: Mapping[str, Size]


# What the names of a block stand for: the block's layer, its call, the sizes around it.
Inside: TypeAlias = Callable[[Layer, LayerCall, Mapping[str, Size]], Mapping[str, Size]]


def called_sizes(layer: Layer, node: LayerCall, values: Mapping[str, Size]) -> Mapping[str, Size]:
    """The sizes of a block's inputs, in the caller's terms."""
    return input_sizes(layer.module, node.inputs, values) if layer.module else {}


def walk(
    module: Module,
    values: Mapping[str, Size],
    prefix: str = "",
    inside: Inside = called_sizes,
) -> Iterator[tuple[Leaf, Place]]:
    """Every node that computes, in order, with its place. A block's nodes come before its call.

    ``values`` are the unknown sizes of the inputs as far as they are known; a block's own are what
    ``inside`` makes of the caller's."""
    place = Place(module, prefix, {**module.values, **values})
    yield from _walk(module.nodes, place, inside)


def _walk(nodes: Iterable[Node], place: Place, inside: Inside) -> Iterator[tuple[Leaf, Place]]:
    for node in nodes:
        match node:
            case Make():
                continue
            case Chain() | Branch():
                yield from _walk(node.nodes, place, inside)
            case Loop():
                for iteration in node.iterations:
                    inner = place
                    numbers = node.numbers(iteration.index)
                    if numbers:
                        values = {**place.values, **numbers}
                        inner = Place(place.module, place.prefix, values)
                    yield from _walk(iteration.nodes, inner, inside)
            case LayerCall():
                layer = place.module.by_path.get(node.layer)
                if layer is not None and layer.module is not None:
                    path = f"{place.prefix}{layer.name}."
                    sizes = inside(layer, node, place.values)
                    yield from walk(layer.module, sizes, path, inside)
                yield node, place
            case _:
                yield node, place


def input_sizes(
    module: Module, inputs: Iterable[Operand], values: Mapping[str, Size]
) -> dict[str, Size]:
    """What the shape names of ``module``'s inputs stand for when it is called with ``inputs``."""
    found: dict[str, Size] = {}
    for declared, given in zip(module.inputs, inputs, strict=False):
        if isinstance(given, Value):
            match_shape(declared.type, given.type, values, found)
    return found


def match_shape(
    declared: TensorType, given: TensorType, values: Mapping[str, Size], found: dict[str, Size]
) -> None:
    """Adds to ``found`` what each bare name of ``declared``'s shape is in ``given``'s."""
    for size, actual in zip(declared.shape, given.shape, strict=False):
        if not isinstance(size, int) and str(size).isidentifier():
            found.setdefault(str(size), evaluate(actual, values))


Fact = TypeVar("Fact")


class Follower(ABC, Generic[Fact]):
    """What is known of each value, handed on through chains, loops and branches, into blocks as
    often as they are fed with something else."""

    def __init__(self) -> None:
        self._known: dict[int, Fact] = {}
        self._read: dict[tuple[int, tuple[Fact, ...]], tuple[Fact, ...]] = {}

    @abstractmethod
    def unknown(self, value: Value) -> Fact:
        """What holds of a value that nothing was noted of."""

    @abstractmethod
    def compute(self, node: Leaf, module: Module) -> None:
        """Notes what is known of the results of ``node``."""

    def fact(self, value: Value) -> Fact:
        """What is known of ``value``."""
        known = self._known
        return known[id(value)] if id(value) in known else self.unknown(value)

    def know(self, value: Value, fact: Fact) -> None:
        """Notes what is known of ``value``."""
        self._known[id(value)] = fact

    def enter(self, module: Module, fed: Iterable[Fact]) -> tuple[Fact, ...]:
        """Goes through ``module`` where its inputs are ``fed``; what is known of its outputs."""
        given = tuple(fed)
        key = id(module), given
        if key not in self._read:
            for value, fact in zip(module.inputs, given, strict=False):
                self.know(value, fact)
            self.inside(module)
            self._read[key] = tuple(self.fact(output.value) for output in module.outputs)
        return self._read[key]

    def inside(self, module: Module) -> None:
        """Goes through what ``module`` computes of its inputs, which are known."""
        self.go(module.nodes, module)

    def go(self, nodes: Iterable[Node], module: Module) -> None:
        """Goes through nodes that ``module`` has, or that stand beside it."""
        for node in nodes:
            match node:
                case Make():
                    continue
                case Chain():
                    self.go(node.nodes, module)
                case Loop():
                    self._loop(node, module)
                case Branch():
                    self.go(node.nodes, module)
                    self._hand_over(node.after, node.results)
                case _:
                    self.compute(node, module)

    def _loop(self, node: Loop, module: Module) -> None:
        before: Sequence[Value] = node.initial
        for number, iteration in enumerate(node.iterations):
            if node.kind == "list":
                self.go(iteration.nodes, module)
                self._hand_over(iteration.leaving, node.results[number : number + 1])
                continue
            self._hand_over(before, iteration.entering)
            self.go(iteration.nodes, module)
            before = iteration.leaving
        if node.kind != "list":
            self._hand_over(before, node.results)

    def _hand_over(self, given: Iterable[Value], taken: Iterable[Value]) -> None:
        for value, other in zip(given, taken, strict=False):
            self.know(other, self.fact(value))
