"""A model as the tree of its layers, each with its shape and what it costs.

A layer called several times is one entry, whose costs are those of all its calls; a function or
operator that multiplies is an entry of its own below the block that calls it, every other one
counts for its block alone. Two conventions:

- *multiply-adds* are ``multiply``'s;
- *activations* are the bytes of what layers, functions and operators put out in one forward pass
  of training. What only looks at its input differently (a reshape, a slice) puts out nothing. It is
  what backward keeps if it keeps everything: kernels that keep less, or something of their own (a
  mask, an LSTM's gates), are not asked.

Non-goals: what is printed of it (``specc.report``), which entries are alike (``fold``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from specc import ir
from specc.errors import Span
from specc.inspect import multiply, program_notation
from specc.sizes import Size, evaluate, symbol

Kind = Literal["model", "block", "container", "layer", "operation", "state"]

_BYTES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2,
    "int8": 1, "uint8": 1, "bool": 1, "complex64": 8, "complex128": 16,
}  # fmt: skip

FLOATS = ("float32", "float64", "float16", "bfloat16")

# What torch answers with a view of its input.
VIEW_LAYERS = frozenset({"Identity", "Flatten", "Unflatten"})
VIEW_FUNCTIONS = frozenset(
    "flatten ravel unflatten reshape transpose swapaxes swapdims t adjoint permute movedim squeeze"
    " unsqueeze broadcast_to broadcast_tensors atleast_1d atleast_2d atleast_3d narrow select"
    " diagonal chunk split tensor_split hsplit vsplit dsplit unbind real imag view_as_real"
    " view_as_complex detach stop_gradient".split()
)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A result: its shape in the model's own symbols, and in numbers."""

    dtype: str
    shape: tuple[Size, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Costs:
    """What something costs: elements of parameters and buffers, multiply-adds, bytes."""

    trainable: int = 0
    frozen: int = 0
    buffers: int = 0
    parameter_bytes: int = 0
    buffer_bytes: int = 0
    multiply_adds: int = 0
    activation_bytes: int = 0

    def __add__(self, other: Costs) -> Costs:
        return Costs(
            self.trainable + other.trainable,
            self.frozen + other.frozen,
            self.buffers + other.buffers,
            self.parameter_bytes + other.parameter_bytes,
            self.buffer_bytes + other.buffer_bytes,
            self.multiply_adds + other.multiply_adds,
            self.activation_bytes + other.activation_bytes,
        )

    @property
    def parameters(self) -> int:
        return self.trainable + self.frozen


@dataclass(frozen=True, slots=True)
class TreeLine:
    """One line of the tree. ``costs`` are those of all below it as well; ``results`` those of its
    first call, none where it is never called."""

    kind: Kind
    name: str
    path: str
    text: str
    type: str
    span: Span | None
    results: tuple[Tensor, ...]
    calls: int
    costs: Costs
    children: tuple[TreeLine, ...] = ()


@dataclass(slots=True)
class _Growing:
    kind: Kind
    name: str
    path: str
    text: str = ""
    type: str = ""
    span: Span | None = None
    results: tuple[Tensor, ...] = ()
    calls: int = 0
    own: Costs = field(default_factory=Costs)
    children: dict[object, _Growing] = field(default_factory=dict)


def tree(model: ir.Module, sizes: Mapping[str, int], dtype: str) -> TreeLine:
    """The tree of ``model`` on inputs of these ``sizes``, with ``dtype`` for ``float``.

    ``sizes`` says what every unknown of the inputs is."""
    return _Planter(model, sizes, dtype).entry()


def frozen_names(model: ir.Module, prefix: str = "") -> Iterator[str]:
    """The full names of the parameters that ``freeze`` holds, in the model and its blocks."""
    for selection in model.frozen:
        yield from (f"{prefix}{name}" for name in selection.names)
    for layer in model.layers:
        if layer.module is not None:
            yield from frozen_names(layer.module, f"{prefix}{layer.name}.")


class _Planter:
    def __init__(self, model: ir.Module, sizes: Mapping[str, int], dtype: str) -> None:
        self.model = model
        self.dtype = dtype
        # The params of the model keep their names in a shape, and are numbers in the costs.
        self.symbols = {
            param.name: symbol(param.name) for param in model.params if param.name in model.values
        }
        self.numbers: dict[str, Size] = {**model.values, **sizes}
        self.frozen = frozenset(frozen_names(model))
        self.planted: set[str] = set()
        self.root = _Growing("model", model.name, "", span=model.span, type=model.name)

    def entry(self) -> TreeLine:
        for node, place in ir.walk(self.model, self.symbols, inside=program_notation.block_sizes):
            self._count(node, place)
        for prefix, state in self.model.all_states:
            if f"{prefix}{state.name}" not in self.planted:
                self._keep(prefix, state, state.values)
        for path, layer in _made(self.model):
            if path not in self.planted:  # made and never called
                self._plant(path, layer)
        self.root.results = tuple(
            self._tensor(output.value.type, self.symbols) for output in self.model.outputs
        )
        self.root.calls = 1
        return _grown(self.root)

    def _keep(self, path: str, state: ir.State, values: Mapping[str, Size]) -> None:
        """A parameter or buffer that a block keeps itself, as an entry of the block."""
        found = self._at(f"{path}{state.name}")
        found.kind, found.type, found.span, found.calls = "state", state.kind, state.span, 1
        found.text = program_notation.state(state, values)
        found.results = (self._tensor(state.result.type, values),)
        trainable = frozen = buffers = bytes_ = 0
        for name, shape in state.parameters:
            count = math.prod(ir.numbers(shape, state.values))
            if f"{path}{name}" in self.frozen:
                frozen += count
            else:
                trainable += count
        for _, shape in state.buffers:
            count = math.prod(ir.numbers(shape, state.values))
            buffers += count
            bytes_ += count * self._width(state.result.type.dtype)
        found.own = Costs(
            trainable, frozen, buffers, (trainable + frozen) * self._width("float"), bytes_
        )

    def _plant(self, path: str, layer: ir.Layer) -> None:
        self.planted.add(path)
        found = self._at(path)
        found.kind = "layer" if layer.module is None else "block"
        found.type, found.span = layer.type, layer.span
        found.text = program_notation.layer(layer, layer.values)
        if layer.module is not None:
            return
        trainable = frozen = 0
        for name, shape in layer.parameters:
            count = math.prod(ir.numbers(shape, layer.values))
            if f"{path}.{name}" in self.frozen:
                frozen += count
            else:
                trainable += count
        buffers = bytes_ = 0
        for name, shape in layer.buffers:
            count = math.prod(ir.numbers(shape, layer.values))
            buffers += count
            # The one buffer that counts, in torch, and is no number of the precision.
            bytes_ += count * (8 if name == "num_batches_tracked" else self._width("float"))
        found.own = Costs(
            trainable, frozen, buffers, (trainable + frozen) * self._width("float"), bytes_
        )

    def _known(self, values: Mapping[str, Size]) -> Mapping[str, Size]:
        """``values`` with the model's params put in, which are numbers."""
        own = self.model.values
        return {**own, **{name: evaluate(value, own) for name, value in values.items()}}

    def _at(self, path: str) -> _Growing:
        found = self.root
        if path:
            parts = path.split(".")
            for depth, part in enumerate(parts):
                if part not in found.children:
                    found.children[part] = _Growing("container", part, ".".join(parts[: depth + 1]))
                found = found.children[part]
        return found

    def _count(self, node: ir.Leaf, place: ir.Place) -> None:
        if isinstance(node, ir.State):
            self.planted.add(f"{place.prefix}{node.name}")
            self._keep(place.prefix, node, place.values)
            return
        results = tuple(
            self._tensor(value.type, place.values) for value in ir.result_values(node.result)
        )
        made = place.module.by_path.get(node.layer) if isinstance(node, ir.LayerCall) else None
        if made is not None:
            path = f"{place.prefix}{made.name}"
            found = self._at(path)
            if not found.calls:
                self._plant(path, made)
                found.results, found.text = (
                    results,
                    program_notation.layer(made, self._known(place.values)),
                )
            found.calls += 1
            if made.module is not None:
                return
        else:
            found = self._at(place.prefix.rstrip("."))
        work = self._work(node, made, place, results)
        if made is None and work:
            found = self._operation(found, node, place, results)
        stored = 0 if _is_view(node, made) else sum(self._bytes(result) for result in results)
        found.own += Costs(multiply_adds=work, activation_bytes=stored)

    def _operation(
        self, parent: _Growing, node: ir.Leaf, place: ir.Place, results: tuple[Tensor, ...]
    ) -> _Growing:
        found = parent.children.get(id(node))
        if found is None:
            text = program_notation.node(node, place.values)
            name = node.function if isinstance(node, ir.FunctionCall) else text
            found = _Growing("operation", name, parent.path, text, name, node.span, results)
            parent.children[id(node)] = found
        found.calls += 1
        return found

    def _work(
        self,
        node: ir.Leaf,
        made: ir.Layer | None,
        place: ir.Place,
        results: tuple[Tensor, ...],
    ) -> int:
        inputs: list[tuple[str, ir.Operand]]
        arguments: ir.Arguments = ()
        weights: tuple[tuple[str, tuple[Size, ...]], ...] = ()
        match node:
            case ir.LayerCall() if made is not None:
                rule = multiply.LAYERS.get(made.type)
                row = made.row
                names = [name.rstrip("?") for name in row.inputs] if row else []
                inputs = [*zip(names, node.inputs, strict=False), *node.keywords]
                arguments, weights = made.arguments, made.parameters
            case ir.FunctionCall(kind="function"):
                rule = multiply.FUNCTIONS.get(node.function)
                arguments = node.arguments
                inputs = list(node.arguments)
            case ir.Operation(operator="@"):
                rule = multiply.FUNCTIONS["matmul"]
                inputs = list(zip(("input", "other"), node.operands, strict=True))
            case _:
                return 0
        if rule is None:
            return 0
        return rule(
            multiply.ConcreteCall(
                dict(arguments),
                {
                    name: self._tensor(value.type, place.values).numbers
                    for name, value in _tensors(inputs)
                },
                tuple(result.numbers for result in results),
                {_bare(name): ir.numbers(shape, made.values) for name, shape in weights}
                if made
                else {},
            )
        )

    def _tensor(self, kind: ir.TensorType, values: Mapping[str, Size]) -> Tensor:
        shape = tuple(evaluate(size, values) for size in kind.shape)
        return Tensor(kind.dtype, shape, ir.numbers(shape, self.numbers))

    def _bytes(self, tensor: Tensor) -> int:
        return math.prod(tensor.numbers) * self._width(tensor.dtype)

    def _width(self, dtype: str) -> int:
        if dtype == "complex":
            return 2 * _BYTES[self.dtype]
        return _BYTES[self.dtype if dtype == "float" else dtype]


def _tensors(inputs: list[tuple[str, ir.Operand]]) -> Iterator[tuple[str, ir.Value]]:
    for name, operand in inputs:
        if isinstance(operand, ir.Value):
            yield name, operand
        elif isinstance(operand, tuple):
            for position, item in enumerate(operand):
                yield from _tensors([(f"{name}.{position}", item)])


def _bare(name: str) -> str:
    """The name of a layer's weight, below a parametrization: of what stands in its place there,
    ``original`` (or, of several, ``original1``) has its shape."""
    return _PARAMETRIZED.sub(r"\1", name)


_PARAMETRIZED = re.compile(r"^parametrizations\.(\w+)\.original1?$")


def _is_view(node: ir.Leaf, made: ir.Layer | None) -> bool:
    match node:
        case ir.LayerCall():
            return made is not None and made.type in VIEW_LAYERS
        case ir.FunctionCall():
            return node.function in VIEW_FUNCTIONS
        case ir.Subscript():
            return not any(isinstance(index, ir.Value) for index in node.indices)
        case ir.Transpose() | ir.ParameterRead() | ir.State():
            return True
        case _:
            return False


def _made(module: ir.Module, prefix: str = "") -> Iterator[tuple[str, ir.Layer]]:
    """Every layer and block with its full path, each block before what is in it."""
    for layer in module.layers:
        path = f"{prefix}{layer.name}"
        yield path, layer
        if layer.module is not None:
            yield from _made(layer.module, f"{path}.")


def _grown(growing: _Growing) -> TreeLine:
    children = tuple(_grown(child) for child in growing.children.values())
    return TreeLine(
        growing.kind,
        growing.name,
        growing.path,
        growing.text,
        growing.type,
        growing.span,
        growing.results,
        growing.calls,
        sum((child.costs for child in children), growing.own),
        children,
    )
