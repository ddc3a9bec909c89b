"""The graph computed node by node over torch, to hold emitted source against.

Shares nothing with the emitter: it walks the nodes, makes each catalogue layer as torch's own with
the weights of the module under test, and binds sizes as they come in. Covers what
``program_strategies`` writes, and raises on anything else.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from specc import ir

OPERATORS: Final[dict[str, Callable[..., Any]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "@": operator.matmul,
}  # fmt: skip
FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "cat": lambda tensors, dim: torch.cat(list(tensors), dim),
    "stack": lambda tensors, dim: torch.stack(list(tensors), dim),
    "chunk": lambda input, chunks, dim: torch.chunk(input, chunks, dim),
    "mean": lambda input, dim: torch.mean(input, dim),
}


def interpret(module: ir.Module, inputs: Iterable[Tensor], weights: Mapping[str, Tensor]) -> list[
    Tensor
]:  # fmt: skip
    """The outputs of ``module`` in training mode, with ``weights`` (parameters, and buffers, which
    layers change in place) by their full names."""
    return _Reading(module, weights, "").run(list(inputs))


class _Reading:
    """One call of one module: ``prefix`` is the path in front of its layers' names."""

    def __init__(self, module: ir.Module, weights: Mapping[str, Tensor], prefix: str) -> None:
        self.module, self.weights, self.prefix = module, weights, prefix
        self.values: dict[int, Tensor] = {}
        self.sizes: dict[str, Any] = dict(module.values)

    def run(self, inputs: list[Tensor]) -> list[Tensor]:
        for declared, tensor in zip(self.module.inputs, inputs, strict=True):
            self.values[id(declared)] = tensor
            for size, actual in zip(declared.type.shape, tensor.shape, strict=True):
                if not isinstance(size, int) and str(size).isidentifier():
                    self.sizes.setdefault(str(size), actual)
        self.nodes(self.module.nodes)
        return [self.values[id(output.value)] for output in self.module.outputs]

    def nodes(self, nodes: Iterable[ir.Node]) -> None:
        for node in nodes:
            self.node(node)

    def node(self, node: ir.Node) -> None:
        match node:
            case ir.Make():
                return
            case ir.Chain():
                self.nodes(node.nodes)
            case ir.Branch():
                self.nodes(node.nodes)
                self.bind(node.results, [self.values[id(value)] for value in node.after])
            case ir.Loop():
                self.loop(node)
            case _:
                self.keep(node.result, self.compute(node))

    def loop(self, loop: ir.Loop) -> None:
        carried = [self.values[id(value)] for value in loop.initial]
        listed: list[Tensor] = []
        before = dict(self.sizes)
        for iteration in loop.iterations:
            self.bind(iteration.entering, carried)
            self.sizes = {**before, **loop.bound(iteration.index)}
            self.nodes(iteration.nodes)
            leaving = [self.values[id(value)] for value in iteration.leaving]
            if loop.kind == "list":
                listed += leaving
            else:
                carried = leaving
        self.sizes = before
        self.bind(loop.results, listed if loop.kind == "list" else carried)

    def bind(self, values: Iterable[ir.Value], tensors: Iterable[Tensor]) -> None:
        for value, tensor in zip(values, tensors, strict=True):
            self.values[id(value)] = tensor

    def keep(self, result: ir.Result, computed: Any) -> None:
        if isinstance(result, ir.Value):
            self.values[id(result)] = computed
        else:
            for item, part in zip(result, computed, strict=True):
                self.keep(item, part)

    def compute(self, node: ir.Leaf) -> Any:
        match node:
            case ir.LayerCall():
                return self.layer(self.module.layer(node.layer), [*map(self.operand, node.inputs)])
            case ir.FunctionCall():
                given = {name: self.operand(operand) for name, operand in node.arguments}
                return FUNCTIONS[node.function](**given)
            case ir.Operation():
                operands = [self.operand(operand) for operand in node.operands]
                if len(operands) == 1 and node.operator == "-":
                    return -operands[0]
                return OPERATORS[node.operator](*operands)
            case ir.Subscript():
                return self.values[id(node.value)][tuple(map(self.index, node.indices))]
            case ir.ParameterRead():
                return self.weights[f"{self.prefix}{node.layer}.{node.parameter}"]
            case ir.Transpose():
                return getattr(self.values[id(node.value)], node.attribute)
        raise NotImplementedError(type(node).__name__)

    def layer(self, layer: ir.Layer, inputs: list[Tensor]) -> Any:
        path = f"{self.prefix}{layer.name}."
        if layer.module is not None:
            results = _Reading(layer.module, self.weights, path).run(inputs)
            return results[0] if len(results) == 1 else results
        sizes = {**self.sizes, **layer.values}
        given = {name: ir.static_value(of, sizes) for name, of in layer.arguments}  # type: ignore[arg-type]  # compile-time
        with torch.random.fork_rng(devices=[]):  # what it draws for its weights is not used
            made = getattr(nn, layer.type)(**given)
        tensors = (*layer.parameters, *layer.buffers)
        own = {name: self.weights[path + name] for name, _ in tensors}
        return torch.func.functional_call(made, own, tuple(inputs))

    def operand(self, operand: ir.Operand) -> Any:
        if isinstance(operand, ir.Value):
            return self.values[id(operand)]
        if isinstance(operand, tuple):
            return tuple(self.operand(item) for item in operand)
        return ir.static_value(operand, self.sizes)

    def index(self, index: ir.Index) -> Any:
        if isinstance(index, ir.EllipsisIndex):
            return ...
        if isinstance(index, ir.SliceIndex):
            return slice(*(self.operand(part) for part in (index.lower, index.upper, index.step)))
        return self.operand(index)
