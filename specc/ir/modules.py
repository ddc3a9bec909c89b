"""Params, conditions, and the modules that they and the nodes make up: models and blocks.

Non-goal: training (``training``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from specc.errors import Span
from specc.ir import checkpoints
from specc.ir.nodes import (
    Arguments,
    Distribution,
    Layer,
    Node,
    Value,
    made_places,
    made_states,
)
from specc.ir.states import State
from specc.ir.types import Static
from specc.sizes import Size, evaluate


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Param:
    """A compile-time value: ``default`` as the spec says, ``value`` after ``--set``."""

    name: str
    type: str
    default: Static
    value: Static
    span: Span


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of the sizes and could not be decided: ``left relation right``, and why."""

    left: Size
    relation: Literal["==", "<=", "<", ">=", ">", "!="]
    right: Size
    reason: str
    span: Span
    # Whether torch itself refuses what breaks it, in clear words: nothing need be asserted.
    refused_by_torch: bool = False
    # Whether a `where` of the module itself says it, so that its author knows of it.
    stated: bool = False
    # Where the blocks are used that it comes out of, the innermost first.
    uses: tuple[Span, ...] = field(default=(), compare=False)

    def holds(self, values: Mapping[str, Size]) -> bool | None:
        """Whether it holds of ``values``; None where they leave a symbol open."""
        left, right = evaluate(self.left, values), evaluate(self.right, values)
        if not isinstance(left, int) or not isinstance(right, int):
            return None
        return {
            "==": left == right,
            "!=": left != right,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }[self.relation]

    def broken_by(self, values: Mapping[str, Size]) -> str | None:
        """How ``values`` break it, in numbers: ``1 == 0 is false``; None where they do not."""
        try:
            if self.holds(values) is not False:
                return None
            left, right = evaluate(self.left, values), evaluate(self.right, values)
        except ZeroDivisionError:
            return "it divides by zero"
        return f"{left} {self.relation} {right} is false"

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right}"


@dataclass(frozen=True, slots=True)
class Output:
    """One of a model's results and the name it is known by in ``train`` and in goldens."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Selection:
    """What a selector matched: the full parameter names in the model's order; ``text`` as
    written."""

    text: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Still(Selection):
    """Layers, blocks and models at ``paths`` that are kept whole as in evaluation."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Initializer:
    """``init normal_(std=0.02) on Linear.weight``."""

    type: str
    arguments: Arguments
    on: Selection
    # What each of the selected parameters is then filled with.
    distributions: tuple[tuple[str, Distribution], ...]
    span: Span


@dataclass(frozen=True, eq=False)
class Module:
    """A model, or a block as one set of params and sizes makes it: one instance of a class of
    emitted source.

    ``dimensions`` are the names that a block's inputs give to their sizes. ``values`` are the
    params and dimensions that are known here, for evaluating sizes. ``sequential`` says that it is
    nothing but a row of unlabelled layers: an ``nn.Sequential``. ``weights`` is the checkpoint that
    a model starts from, ``weight_map`` what becomes of the names in it. ``fixed`` are params and
    dimensions whose value went into a number of this module, so that it is right for that value
    alone."""

    name: str
    params: tuple[Param, ...]
    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    conditions: tuple[Condition, ...]
    span: Span
    kind: Literal["model", "block"] = "model"
    dimensions: tuple[str, ...] = ()
    values: Mapping[str, Size] = field(default_factory=dict, compare=False)
    fixed: tuple[tuple[str, Static], ...] = ()
    sequential: bool = False
    # The paths of the layers in the order of the text, `*` for every position in a loop: the order
    # of the ``state_dict``, whatever is made first.
    order: tuple[str, ...] = field(default=(), compare=False)
    initializers: tuple[Initializer, ...] = ()
    frozen: tuple[Selection, ...] = ()
    weights: str | None = None
    # Of each result of a block: how many outputs it is, where it is a list; else None.
    lists: tuple[int | None, ...] = field(default=(), compare=False)
    # Reads the same text once more, with symbols for the sizes that rounds change: what the emitter
    # writes where a loop has no form without. What it gives is None where there is no such reading.
    threaded: Callable[[], Module | None] = field(default=_nothing, compare=False, repr=False)
    # Says how a file is read, and nothing of what is computed.
    weight_map: tuple[checkpoints.MapLine, ...] = field(default=(), compare=False)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers and blocks that this module makes itself, in the order of the
        ``state_dict``: a list of layers is one place in it."""
        tree: dict[str, object] = {}
        for path, layer in made_places(self.nodes):
            *parents, last = path.split(".")
            level = tree
            for parent in parents:
                found = level.setdefault(parent, {})
                assert isinstance(found, dict)
                level = found
            level.setdefault(last, {} if layer is None else layer)
        return tuple(_leaves(tree, {path: rank for rank, path in enumerate(self.order)}, ""))

    @cached_property
    def by_path(self) -> dict[str, Layer]:
        """The layers by their path."""
        return {layer.name: layer for layer in self.layers}

    def layer(self, name: str) -> Layer:
        """The layer at the path ``name``."""
        return self.by_path[name]

    @cached_property
    def states(self) -> tuple[State, ...]:
        """The parameters and buffers that this module keeps itself, in torch's order."""
        own = tuple(made_states(self.nodes))
        # A parametrization is a module inside, which comes after what is the module's own.
        return (*(s for s in own if not s.wrappers), *(s for s in own if s.wrappers))

    @cached_property
    def all_states(self) -> tuple[tuple[str, State], ...]:
        """Every parameter and buffer that a model or a block inside keeps itself, with the path of
        what keeps it (empty, or ending with a dot)."""
        found = [("", state) for state in self.states]
        for path, layer in self.all_blocks:
            if layer.module is not None:
                found += [(f"{path}.", state) for state in layer.module.states]
        return tuple(found)

    @cached_property
    def all_layers(self) -> tuple[tuple[str, Layer], ...]:
        """Every catalogue layer inside, blocks entered, with its full path, in torch's order."""
        return tuple((path, layer) for path, layer in self._inside() if layer.module is None)

    @cached_property
    def initial(self) -> dict[str, Distribution]:
        """What each parameter is filled with when the module is made, by its full name."""
        found = {name: of for state in self.states for name, of in state.initial}
        for layer in self.layers:
            inner = dict(layer.initial) if layer.module is None else layer.module.initial
            found.update((f"{layer.name}.{name}", of) for name, of in inner.items())
        for initializer in self.initializers:
            found.update(initializer.distributions)
        return found

    @cached_property
    def frozen_names(self) -> frozenset[str]:
        """The full names of the parameters that never learn."""
        names = {name for selection in self.frozen for name in selection.names}
        for layer in self.layers:
            if layer.module is not None:
                names.update(f"{layer.name}.{name}" for name in layer.module.frozen_names)
        return frozenset(names)

    @cached_property
    def still_paths(self) -> frozenset[str]:
        """The full paths of what is kept as in evaluation, blocks entered."""
        found = {path for each in self.frozen if isinstance(each, Still) for path in each.paths}
        for layer in self.layers:
            if layer.module is not None:
                found.update(f"{layer.name}.{path}" for path in layer.module.still_paths)
        return frozenset(found)

    @cached_property
    def all_blocks(self) -> tuple[tuple[str, Layer], ...]:
        """Every block inside, with its full path: each before those inside it."""
        return tuple((path, layer) for path, layer in self._inside() if layer.module is not None)

    def _inside(self) -> Iterator[tuple[str, Layer]]:
        """Every layer and block inside, with its full path; however deep, each is met once."""
        stack = [("", iter(self.layers))]
        while stack:
            prefix, layers = stack[-1]
            layer = next(layers, None)
            if layer is None:
                stack.pop()
                continue
            path = prefix + layer.name
            yield path, layer
            if layer.module is not None:
                stack.append((f"{path}.", iter(layer.module.layers)))

    def holders(self) -> Iterator[tuple[str, Layer | State]]:
        """What holds parameters and buffers, with the path in front of their names, in torch's
        order: what a module keeps itself, then what is inside it."""
        yield from (("", state) for state in self.states)
        for path, layer in self._inside():
            if layer.module is None:
                yield f"{path}.", layer
            else:
                yield from ((f"{path}.", state) for state in layer.module.states)

    def parameters(self) -> Iterator[tuple[str, Layer | State, tuple[int, ...]]]:
        """Each parameter as (its ``state_dict`` name, what holds it, its shape), in torch's
        order."""
        for path, holder in self.holders():
            for name, shape in holder.parameters:
                yield f"{path}{name}", holder, numbers(shape, holder.values)

    def buffers(self) -> Iterator[tuple[str, Layer | State, tuple[int, ...]]]:
        """Each buffer likewise, those that are not in the ``state_dict`` among them."""
        for path, holder in self.holders():
            for name, shape in holder.buffers:
                yield f"{path}{name}", holder, numbers(shape, holder.values)


def numbers(shape: tuple[Size, ...], values: Mapping[str, Size]) -> tuple[int, ...]:
    """A shape that is known when the module is built, as numbers."""
    if all(type(size) is int for size in shape):
        return shape  # type: ignore[return-value]  # all ints, as just checked
    found = tuple(evaluate(size, values) for size in shape)
    assert all(isinstance(size, int) for size in found), f"{shape} is open when it must be known"
    return found  # type: ignore[return-value]  # all ints, as just checked


def _leaves(tree: dict[str, object], ranks: Mapping[str, int], prefix: str) -> Iterator[Layer]:
    for name in sorted(tree, key=lambda name: ranks.get(prefix + name, -1)):
        item = tree[name]
        if isinstance(item, dict):
            yield from _leaves(item, ranks, f"{prefix}{'*' if name.isdigit() else name}.")
        else:
            assert isinstance(item, Layer)
            yield item
