"""What autocast feeds to each layer and function, in a program whose training asks for it: E0331
where torch does not take it, forward or backward, on the CPU or on CUDA.

One pass over the nodes in their order, on each device, into blocks and models as often as they are
fed in other precisions. Non-goal: what torch does with each (``specc.catalog.facts.autocast``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from specc import ir
from specc.catalog.facts.autocast import (
    DEVICES,
    FULL,
    HALVES,
    Device,
    Fed,
    refusal,
    result_precision,
    widest,
)
from specc.catalog.rows import FunctionRow, LayerRow
from specc.errors import Collector, Span

# A node that computes, where it stands, and the precisions there.
Watch: TypeAlias = Callable[[ir.Leaf, ir.Module, "Precisions"], None]
_SHOWN: Final[dict[Device, str]] = {"cpu": " on the CPU", "cuda": " on CUDA"}


def check_autocast(program: ir.Program, collector: Collector) -> None:
    """Reports (E0331) each place of ``program`` that torch refuses under the autocast that its
    training asks for."""
    train = program.train
    if train is None or not train.precision:
        return
    found: dict[Span, dict[Device, tuple[str, str, str | None]]] = {}

    def look(node: ir.Leaf, module: ir.Module, precisions: Precisions) -> None:
        named = _called(node, module)
        if named is None or named[0].module:
            return
        row, settings = named
        fed = precisions.fed(node, module)
        name = row.torch.rpartition(".")[2]
        reason = refusal(name, precisions.device, precisions.low, settings, fed)
        if reason is not None:
            why, arguments = reason
            gets = "" if not arguments else _gets(fed)
            advice = _advice(node, row, arguments, precisions)
            found.setdefault(node.span, {})[precisions.device] = (row.name, why + gets, advice)

    for device in DEVICES:
        follow(program, Precisions(device, train.precision, look))
    for span, told in found.items():
        device, (name, why, advice) = next(iter(told.items()))
        where = "" if len(told) == len(DEVICES) else _SHOWN[device]
        collector.error(
            "E0331", f"under `precision {train.precision}`{where}, {name} {why}", span, advice
        )


def follow(program: ir.Program, precisions: Precisions) -> None:
    """Goes through everything that a step of training computes under autocast."""
    train = program.train
    assert train is not None
    subject = program.subject()
    precisions.read(subject)
    if train.module is not None:
        precisions.call(train.shared, subject, train.shared_uses)
    for step in train.steps:
        precisions.call(step.nodes, subject, step.uses)


class Precisions(ir.Follower[str]):
    """The precisions of the values of a module and of the blocks inside it, on one device."""

    def __init__(self, device: Device, low: str, watch: Watch | None = None) -> None:
        super().__init__()
        self.device = device
        self.low = low
        # What a cast to `float`, or a tensor that is made, has here: that of the first input.
        self.asked = FULL
        self._watch = watch

    def unknown(self, value: ir.Value) -> str:
        """The precision of ``value``, a float, by its type."""
        return _by_type(value)

    def fed(self, node: ir.Leaf, module: ir.Module) -> list[Fed]:
        """The floats that ``node`` is given, in order, with the arguments they are given as."""
        return [
            Fed(name, self.fact(value), len(value.type.shape))
            for name, value in given_values(node, module)
            if value.type.floating
        ]

    def read(self, module: ir.Module) -> None:
        """Goes through ``module`` where a batch feeds it."""
        self.enter(module, map(self.fact, module.inputs))

    def inside(self, module: ir.Module) -> None:
        """Goes through what ``module`` computes, whose first float says what a cast has."""
        outer = self.asked
        self.call(module.nodes, module, module.inputs)
        self.asked = outer

    def call(
        self, nodes: Iterable[ir.Node], module: ir.Module, parameters: Sequence[ir.Value]
    ) -> None:
        """Goes through nodes of ``module``, or beside it, in a function of ``parameters``."""
        floats = (value for value in parameters if value.type.floating)
        first = next(floats, None)
        self.asked = FULL if first is None else self.fact(first)
        self.go(nodes, module)

    def compute(self, node: ir.Leaf, module: ir.Module) -> None:
        """Shows ``node`` to who asks, and notes the precisions of what it gives."""
        if self._watch is not None:
            self._watch(node, module, self)
        made = list(ir.result_values(node.result))
        layer = module.by_path.get(node.layer) if isinstance(node, ir.LayerCall) else None
        if layer is not None and layer.module is not None:
            assert isinstance(node, ir.LayerCall)
            given = [
                self.fact(item) if isinstance(item, ir.Value) else FULL
                for item in ir.flat_operands(node.inputs)
            ]
            found: Sequence[str] = self.enter(layer.module, given)
        else:
            found = [self._computed(node, module, value) for value in made]
        for value, precision in zip(made, found, strict=False):
            if value.type.floating:
                self.know(value, precision)

    def _computed(self, node: ir.Leaf, module: ir.Module, made: ir.Value) -> str:
        match node:
            case ir.Subscript() | ir.Transpose():
                return self.fact(node.value)
            case ir.Derivative():
                return self.fact(node.by)
            case ir.ParameterRead() | ir.State():
                return _by_type(made)
        fed = self.fed(node, module)
        named = _called(node, module)
        if named is None:
            if isinstance(node, ir.Operation) and node.operator == "@":
                return result_precision("matmul", self.device, self.low, {}, fed)
            if isinstance(node, ir.Operation) and node.operator == "**" and fed:
                return result_precision("pow", self.device, self.low, {}, fed)
            return widest(fed) if fed else self.asked
        row, settings = named
        if isinstance(row, FunctionRow):
            if row.name == "float":
                return self.asked
            if not fed:
                takes_complex = any(v.type.is_complex for _, v in given_values(node, module))
                return FULL if takes_complex else self.asked
            # Of several tensors, each is what it was.
            if row.name in _APART:
                return self._apart(node, made)
        name = row.torch.rpartition(".")[2]
        return result_precision(name, self.device, self.low, settings, fed)

    def _apart(self, node: ir.Leaf, made: ir.Value) -> str:
        place = [id(value) for value in ir.result_values(node.result)].index(id(made))
        values = [each for each in ir.node_operands(node) if isinstance(each, ir.Value)]
        return self.fact(values[place]) if place < len(values) else FULL


# Functions that give back as many tensors as they are given.
_APART: Final = frozenset(["broadcast_tensors", "atleast_1d", "atleast_2d", "atleast_3d"])


def given_values(node: ir.Leaf, module: ir.Module) -> Iterator[tuple[str, ir.Value]]:
    """The tensors that ``node`` is given, in order, with the arguments that they are given as."""
    operands: Iterable[tuple[str, ir.Operand]]
    match node:
        case ir.FunctionCall():
            operands = node.arguments
        case ir.LayerCall():
            layer = module.by_path.get(node.layer)
            names = layer.row.inputs if layer is not None and layer.row is not None else ()
            by_place = (name.rstrip("?") for name in (*names, *[""] * len(node.inputs)))
            operands = (*zip(by_place, node.inputs, strict=False), *node.keywords)
        case ir.Operation():
            operands = (("", operand) for operand in node.operands)
        case _:
            return
    for name, operand in operands:
        yield from (
            (name, each) for each in ir.flat_operands(operand) if isinstance(each, ir.Value)
        )


def _by_type(value: ir.Value) -> str:
    dtype = value.type.dtype
    return dtype if dtype in (*HALVES, "float64") else FULL


def _called(
    node: ir.Leaf, module: ir.Module
) -> tuple[FunctionRow | LayerRow, dict[str, object]] | None:
    """The row of what ``node`` calls, and its settings, defaults and params put in."""
    row: FunctionRow | LayerRow | None = None
    arguments: Iterable[tuple[str, ir.Operand]] = ()
    if isinstance(node, ir.FunctionCall):
        row, arguments = node.row, node.arguments
    elif isinstance(node, ir.LayerCall):
        layer = module.by_path.get(node.layer)
        if layer is not None:
            row, arguments = layer.row, layer.arguments
    if row is None:
        return None
    settings = dict(row.defaults)
    for name, value in arguments:
        if not ir.holds_values(value):
            settings[name] = ir.static_value(value, module.values)  # type: ignore[arg-type]  # no tensor
    return row, settings


def _gets(fed: Sequence[Fed]) -> str:
    said = " and ".join(dict.fromkeys(each.precision for each in fed))
    return f", and autocast gives it {said}"


def _advice(
    node: ir.Leaf, row: FunctionRow | LayerRow, arguments: Sequence[str], precisions: Precisions
) -> str | None:
    if row.torch == "F.binary_cross_entropy":
        return "give the scores before the sigmoid to BCEWithLogitsLoss, which is in float32"
    if not arguments:
        return "take `precision` away: the rest is then in float32 as well"
    if precisions.asked != FULL:
        return "what comes in is lower already: call this block with `float(...)` of it"
    return "compute it in float32: write `float(...)` around what is lower"


__all__ = ["Precisions", "check_autocast", "follow"]
