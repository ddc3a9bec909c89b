"""A program as the graph that is drawn: what computes, what flows, which block holds what.

Non-goals: the look, and the text of a drawing (``specc.report.structure.dot``); drawing what is
alike once (``drawing``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from specc import ir
from specc.inspect import program_notation
from specc.inspect.drawing import Canvas, Cluster, Drawing, Item, Vertex, VertexKind
from specc.sizes import Size, evaluate, symbol


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where nodes are being drawn: their module, what its sizes are, what has been computed (the
    vertex that gives a value), which names the title around them already says."""

    module: ir.Module
    prefix: str
    values: Mapping[str, Size]
    sources: dict[ir.Value, int]
    items: list[Item]
    depth: int = 1
    said: str = ""


def graph(
    program: ir.Program, model: ir.Module | None = None, *, depth: int = 99, apart: bool = False
) -> Drawing:
    """The graph of ``model`` alone, or (None) of all that is trained, or of every model where
    nothing is.

    Blocks more than ``depth`` levels down are one vertex each; ``apart`` draws what is alike one
    by one."""
    drawer = _Drawer(Canvas(apart), depth)
    items: list[Item] = []
    if model is not None:
        drawer.model(model, items)
        title = model.name
    elif program.train is not None:
        drawer.training(program, program.train, items)
        several = program.models if program.train.module else (program.subject(),)
        title = ", ".join(each.name for each in several)
    else:
        title = ", ".join(each.name for each in program.models)
        for each in program.models:
            cluster = Cluster("model", each.name, "")
            drawer.model(each, cluster.items)
            items += [cluster] if len(program.models) > 1 else cluster.items
    return Drawing(title, items, tuple(dict.fromkeys(drawer.canvas.edges)))


class _Drawer:
    def __init__(self, canvas: Canvas, depth: int) -> None:
        self.canvas = canvas
        self.depth = depth
        self.several: set[ir.Value] = set()  # one of several results: its name tells which
        self.terms: dict[ir.Value, str] = {}  # of the step's loss: each stands in the way to it
        self.called: dict[str, int] = {}  # a layer's full path, and the vertex of its first call

    # ── whole models ────────────────────────────────────────────────────────────────────────────

    def model(self, model: ir.Module, items: list[Item]) -> _Scope:
        """Draws ``model`` with its inputs and outputs."""
        scope = _scope(model, items)
        self._inputs(model.inputs, scope)
        self._nodes(model.nodes, scope)
        for output in model.outputs:
            self._leave(scope, "output", output.name, "", output.value)
        return scope

    def training(self, program: ir.Program, train: ir.Train, items: list[Item]) -> None:
        """Draws what is trained, and the losses."""
        subject = program.subject()
        scope = _scope(subject, items) if train.module else self.model(subject, items)
        self._inputs([value for value in train.inputs if value not in scope.sources], scope)
        self._nodes(train.shared, scope)
        for step in train.steps:
            inner = scope
            trains = _optimizer(step, scope.values)
            if len(train.steps) > 1:
                cluster = Cluster("step", f"step {step.name}", trains)
                items.append(cluster)
                inner, trains = replace(scope, items=cluster.items), ""
            (*terms, (total, loss)) = step.terms
            self.terms = {value: name for name, value in terms}
            self._nodes(step.nodes, inner)
            self._leave(inner, "loss", total, trains, loss)

    def _inputs(self, inputs: Iterable[ir.Value], scope: _Scope) -> None:
        for value in inputs:
            head = str(value.type.with_shape(())) if value.type.meaning == "plain" else ""
            head = (head or str(replace(value.type, shape=()))).removesuffix("[]")
            shape = _shape(value.type, scope)
            vertex = self.canvas.vertex(scope.items, "input", value.name, head, "", shape)
            self.canvas.bind(scope.sources, value, vertex.number)

    def _leave(
        self, scope: _Scope, kind: VertexKind, name: str, text: str, value: ir.Value
    ) -> None:
        shape = _shape(value.type, scope)
        vertex = self.canvas.vertex(scope.items, kind, name, text, "", shape)
        self._feed(vertex, (value,), scope)
        self.canvas.bind(scope.sources, value, vertex.number)

    # ── nodes ───────────────────────────────────────────────────────────────────────────────────

    def _nodes(self, nodes: Iterable[ir.Node], scope: _Scope) -> None:
        for node in nodes:
            match node:
                case ir.Make():
                    continue
                case ir.Chain():
                    self._nodes(node.nodes, scope)
                case ir.Branch():
                    self._nodes(node.nodes, scope)
                    self._rename(node.results, node.after, scope)
                case ir.Loop():
                    self._loop(node, scope)
                case ir.LayerCall():
                    self._call(node, scope)
                case _:
                    self._leaf(node, scope)

    def _loop(self, loop: ir.Loop, scope: _Scope) -> None:
        # A list's rounds stand side by side: nothing goes from one to the next.
        carried: Sequence[ir.Value] = () if loop.kind == "list" else loop.initial
        leaving: list[ir.Value] = []
        for position, iteration in enumerate(loop.iterations, loop.offset):
            values = {**scope.values, **loop.numbers(iteration.index)}
            title = f"{loop.path}.{position}" if loop.path else str(position)
            name = title.removeprefix(scope.said)
            cluster = Cluster("round", name, "")
            with self.canvas.enclosed(cluster, scope.items):
                self._rename(iteration.entering, carried, scope)
                self._nodes(
                    iteration.nodes,
                    replace(scope, items=cluster.items, values=values, said=f"{title}."),
                )
            leaving += iteration.leaving
            if loop.kind != "list":
                carried = iteration.leaving
        self._rename(loop.results, leaving if loop.kind == "list" else carried, scope)

    def _call(self, node: ir.LayerCall, scope: _Scope) -> None:
        layer = scope.module.by_path[node.layer]
        path = f"{scope.prefix}{layer.name}"
        name = layer.name.removeprefix(scope.said)
        text = program_notation.layer(layer, scope.values)
        if layer.module is None:
            row = layer.row
            self._vertex(path, "layer", name, text, row.family if row else "", node, scope)
            return
        if scope.depth >= self.depth or path in self.called:
            # Closed as a block that is entered is, so that alike ones are drawn once.
            cluster = Cluster("round", name, "")
            with self.canvas.enclosed(cluster, scope.items):
                inside = replace(scope, items=cluster.items)
                self._vertex(path, "block", name, text, "", node, inside)
            return
        block = layer.module
        sizes = program_notation.block_sizes(layer, node, scope.values)
        cluster = Cluster("block", name, text)
        with self.canvas.enclosed(cluster, scope.items):
            self.canvas.bind(self.called, path, len(self.canvas.vertices))
            inner = _Scope(
                block, f"{path}.", {**block.values, **sizes}, {}, cluster.items, scope.depth + 1
            )
            for declared, given in zip(block.inputs, node.inputs, strict=False):
                if isinstance(given, ir.Value):
                    self.canvas.bind(inner.sources, declared, scope.sources[given])
            self._nodes(block.nodes, inner)
            results = ir.result_values(node.result)
            for value, output in zip(results, block.outputs, strict=True):
                self.canvas.bind(scope.sources, value, inner.sources[output.value])

    def _vertex(
        self,
        path: str,
        kind: VertexKind,
        name: str,
        text: str,
        family: str,
        node: ir.LayerCall,
        scope: _Scope,
    ) -> None:
        again = path in self.called
        vertex = self._computed(
            kind, name, f"{text} (again)" if again else text, family, node, scope
        )
        if not again:
            self.canvas.bind(self.called, path, vertex.number)

    def _leaf(self, node: ir.Leaf, scope: _Scope) -> None:
        text = program_notation.node(node, scope.values)
        match node:
            case ir.ParameterRead():
                vertex = self._computed("parameter", text, "", "", node, scope)
                made = self.called.get(f"{scope.prefix}{node.layer}")
                if made is not None:
                    self.canvas.edge(made, vertex, "weight")
            case ir.State():
                self._computed("parameter", text, "", "", node, scope)
            case ir.FunctionCall():
                family = "loss" if node.kind == "loss" else ""
                if node.kind == "function":
                    family = node.row.family
                self._computed("function", "", text, family, node, scope)
            case ir.Operation() if text in ("+", "-", "*", "/", "@", "//", "%", "**"):
                self._computed("operator", text, "", "", node, scope)
            case _:
                self._computed("function", "", text, "arrangement", node, scope)

    def _computed(
        self, kind: VertexKind, name: str, text: str, family: str, node: ir.Leaf, scope: _Scope
    ) -> Vertex:
        results = list(ir.result_values(node.result))
        shape = _shape(results[0].type, scope)
        vertex = self.canvas.vertex(scope.items, kind, name, text, family, shape)
        self._feed(vertex, ir.node_operands(node), scope)
        for value in results:
            self.canvas.bind(scope.sources, value, vertex.number)
            if len(results) > 1:
                self.several.add(value)
            if value in self.terms:
                self._leave(scope, "loss", self.terms[value], "", value)
        return vertex

    def _feed(self, vertex: Vertex, operands: Iterable[ir.Operand], scope: _Scope) -> None:
        for operand in operands:
            if isinstance(operand, ir.Value):
                label = _shape(operand.type, scope)
                if operand in self.several:
                    label = f"{operand.name} {label}"
                self.canvas.edge(scope.sources[operand], vertex, "data", label)

    def _rename(self, names: Sequence[ir.Value], values: Sequence[ir.Value], scope: _Scope) -> None:
        for name, value in zip(names, values, strict=True):
            self.canvas.bind(scope.sources, name, scope.sources[value])


def _scope(module: ir.Module, items: list[Item]) -> _Scope:
    named = {param.name: symbol(param.name) for param in module.params}
    values = {name: named.get(name, size) for name, size in module.values.items()}
    return _Scope(module, "", values, {}, items)


def _shape(kind: ir.TensorType, scope: _Scope) -> str:
    return program_notation.shape(evaluate(size, scope.values) for size in kind.shape)


def _optimizer(step: ir.Step, values: Mapping[str, Size]) -> str:
    optimizer = step.optimizer
    if optimizer is None:
        return ""
    text = program_notation.call(optimizer.type, optimizer.arguments, None, values)
    return text if optimizer.rest.text in ("", "*") else f"{text} on {optimizer.rest.text}"
