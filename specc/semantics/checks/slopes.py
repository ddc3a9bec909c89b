"""What a value depends on, and what its derivatives depend on: of what is fed, and of what learns.

A module is read once for each set of parameters that learn in it, result by result. Non-goals: what
orders of derivatives there are (``derivative_orders``), which parameters a loss reaches
(``gradients``)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from specc import ir
from specc.catalog.facts.derivatives import curvature, followed
from specc.semantics.checks.gradients import FLAT, aliases_of, stops

_OPERATORS: Final = {"+": "none", "-": "none", "*": "others", "@": "others"}
# What learns of a layer and is added alone.
_ADDED: Final = frozenset(["bias"])


class Known(NamedTuple):
    """Of a value: by which sources it is computed (a bit each), on which of them it depends, by
    which its derivative is not 0 everywhere, and on which its derivative by each depends. A bit of
    its own stands for all that learns."""

    computed: int = 0
    sources: int = 0
    live: int = 0
    slopes: dict[int, int] = {}  # noqa: RUF012  # never written to
    depth: int = 0


def source(bit: int) -> Known:
    """What is known of a source itself."""
    return Known(1 << bit, 1 << bit, 1 << bit, {bit: 0})


def joined(one: Known, other: Known) -> Known:
    """What is known of what is either, or computed linearly from both."""
    slopes = dict(one.slopes)
    for k, mask in other.slopes.items():
        slopes[k] = slopes.get(k, 0) | mask
    return Known(
        one.computed | other.computed, one.sources | other.sources, one.live | other.live, slopes,
        max(one.depth, other.depth),
    )  # fmt: skip


def _bent(each: Known, by: int) -> Known:
    """``each`` where its derivatives are multiplied with what depends on ``by``."""
    return each._replace(
        slopes={
            k: each.slopes.get(k, 0) | (by if each.live >> k & 1 else 0) for k in bits(each.sources)
        }
    )


def bits(mask: int) -> Iterator[int]:
    """The sources in a mask."""
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1


class Slopes:
    """What is known of the values of ``nodes``, which call layers of ``module``, where parameters
    called ``learning`` learn; their bit is ``learned``."""

    def __init__(
        self, nodes: Sequence[ir.Node], module: ir.Module | None, learning: Collection[str],
        learned: int, read: dict[tuple[int, frozenset[str]], tuple[Known, ...]] | None = None,
    ) -> None:  # fmt: skip
        self._module = module
        self._learning = frozenset(learning)
        self._learned = learned
        self._aliases = aliases_of(nodes)
        self._known: dict[int, Known] = {}
        self._read = {} if read is None else read

    def of(self, value: ir.Value) -> Known:
        """What is known of ``value`` so far."""
        return self._known.get(id(value), Known())

    def keep(self, value: ir.Value, found: Known) -> None:
        """Adds what is known of ``value``, by whatever name it goes on."""
        for name in (id(value), *self._aliases.get(id(value), ())):
            self._known[name] = joined(self._known.get(name, Known()), found)

    def go(self, node: ir.Leaf) -> None:
        """Goes through a node that is no derivative."""
        if isinstance(node, ir.FunctionCall) and stops(node):
            return
        places = enumerate(ir.result_values(node.result))
        made = [(place, value) for place, value in places if value.type.differentiable]
        if not made:
            return
        whole = self._blocks(node)
        for place, value in made:
            if whole is None:
                self.keep(value, self._through(node, place))
            elif place < len(whole):
                assert isinstance(node, ir.LayerCall)
                self.keep(value, self._composed(node.inputs, whole[place]))

    # ── what is in the catalogue ─────────────────────────────────────────────────────────────────

    def _through(self, node: ir.Leaf, place: int) -> Known:
        """What is known of the result at ``place``."""
        if isinstance(node, ir.State | ir.ParameterRead):
            name = node.name if isinstance(node, ir.State) else f"{node.layer}.{node.parameter}"
            return source(self._learned) if name in self._learning else Known()
        how = self._how(node)
        operands = [self.of(value) for value in _followed(node, place)]
        if isinstance(node, ir.FunctionCall) and node.function in FLAT:
            operands = [each._replace(live=0) for each in operands]
        own = self._own(node)
        if own:
            operands.append(source(self._learned))
        # What is multiplied with a weight has it for its slope; what a bias is added to has not.
        weighed = 1 << self._learned if own - _ADDED else 0
        result = Known()
        for number, each in enumerate(operands):
            local = weighed
            if how != "none" or (weighed and own and number == len(operands) - 1):
                for other, beside in enumerate(operands):
                    if how == "all" or other != number:
                        local |= beside.sources
            result = joined(result, _bent(each, local))
        return result

    def _how(self, node: ir.Leaf) -> str:
        """What the derivative of ``node`` by an operand depends on, as ``curvature`` says."""
        match node:
            case ir.Operation():
                if node.operator == "/" and not isinstance(node.operands[1], ir.Value):
                    return "none"
                return _OPERATORS.get(node.operator, "all")
            case ir.Subscript() | ir.Transpose():
                return "none"
            case ir.FunctionCall():
                return curvature(_name(node), node.row.family)
            case ir.LayerCall() if (layer := self._layer(node)) is not None:
                return curvature(layer.type, "")
        return "all"

    def _own(self, node: ir.Leaf) -> frozenset[str]:
        """The parameters of the layer that ``node`` calls which learn, by their names in it."""
        layer = self._layer(node)
        if layer is None:
            return frozenset()
        names = (name for name, _ in layer.parameters)
        return frozenset(name for name in names if f"{layer.name}.{name}" in self._learning)

    def _layer(self, node: ir.Leaf) -> ir.Layer | None:
        if not isinstance(node, ir.LayerCall) or self._module is None:
            return None
        return self._module.by_path.get(node.layer)

    # ── blocks and models ────────────────────────────────────────────────────────────────────────

    def _blocks(self, node: ir.Leaf) -> tuple[Known, ...] | None:
        """What is known of the results of a block, on its inputs and what learns in it."""
        layer = self._layer(node)
        if layer is None or layer.module is None:
            return None
        head = f"{layer.name}."
        inner = frozenset(n.removeprefix(head) for n in self._learning if n.startswith(head))
        key = id(layer.module), inner
        if key not in self._read:
            self._read[key] = of_module(layer.module, inner, self._read)
        return self._read[key]

    def _composed(self, inputs: Sequence[ir.Operand], inside: Known) -> Known:
        """What is known of a block's result by what the block is fed."""
        fed = [self.of(each) if isinstance(each, ir.Value) else Known() for each in inputs]
        fed.append(source(self._learned))
        result = Known()
        for place in bits(inside.computed):
            result = joined(result, Known(fed[place].computed, depth=fed[place].depth))
        for place in bits(inside.sources):
            local = 0
            for other in bits(inside.slopes.get(place, 0)):
                local |= fed[other].sources
            each = _bent(fed[place], local)
            if not inside.live >> place & 1:
                each = each._replace(live=0)
            result = joined(result, each)
        return result


def of_module(
    module: ir.Module, learning: Collection[str],
    read: dict[tuple[int, frozenset[str]], tuple[Known, ...]],
) -> tuple[Known, ...]:  # fmt: skip
    """What is known of each output of ``module``: a bit for each input, and one for what learns."""
    inside = Slopes(module.nodes, module, learning, len(module.inputs), read)
    for bit, value in enumerate(module.inputs):
        if value.type.differentiable:
            inside.keep(value, source(bit))
    for node in ir.flat_nodes(module.nodes):
        inside.go(node)
    return tuple(inside.of(output.value) for output in module.outputs)


def _name(node: ir.FunctionCall) -> str:
    return node.row.torch.rpartition(".")[2]


def _followed(node: ir.Leaf, place: int) -> list[ir.Value]:
    """The tensors that a gradient of the result at ``place`` goes back to."""
    given: list[tuple[str | int, ir.Value]] = []
    name = ""
    if isinstance(node, ir.FunctionCall):
        name = _name(node)
        given = [(key, each) for key, operand in node.arguments for each in _values(operand)]
    elif isinstance(node, ir.LayerCall):
        given = [(number, v) for number, one in enumerate(node.inputs) for v in _values(one)]
        given += [(key, each) for key, operand in node.keywords for each in _values(operand)]
    else:
        given = [(0, each) for each in ir.node_operands(node) if isinstance(each, ir.Value)]
    types = [(key, value.type) for key, value in given]
    return [given[each][1] for each in followed(name, place, types)]


def _values(operand: ir.Operand) -> Iterator[ir.Value]:
    if isinstance(operand, tuple):
        for item in operand:
            yield from _values(item)
    elif isinstance(operand, ir.Value):
        yield operand
