"""What draws noise or changes a state: computed in the order of the spec, however it is written.

Everything else may be computed whenever its operands are there. Non-goal: the order itself, which
``body`` keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from specc import ir
from specc.emit.writing.method_parts import Choice, Cycle, Kept, Part, Sequential


class Effects:
    """Tells of the parts of one function which have an effect."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._layers = {layer.name: _moves(layer) for layer in made_in(parts)}

    def of(self, part: Part) -> bool:
        """Whether ``part`` draws noise or changes a state, itself or by what is inside it."""
        match part:
            case ir.Make() | Kept():
                return False
            case Sequential():
                return self.among(part.parts)
            case Cycle():
                return any(self.among(round_.parts) for round_ in part.rounds)
            case Choice():
                return self.among(part.yes or ()) or self.among(part.no or ())
            case ir.LayerCall() | ir.ParameterRead():
                # What is made elsewhere, a model that training holds, may do anything.
                return self._layers.get(part.layer, isinstance(part, ir.LayerCall))
            case ir.FunctionCall():
                return part.row.stochastic or part.row.training
            case _:
                return False

    def among(self, parts: Iterable[Part]) -> bool:
        """Whether one of ``parts`` has an effect."""
        return any(self.of(part) for part in parts)


def made_in(parts: Iterable[Part]) -> Iterator[ir.Layer]:
    """The layers that the parts make, those inside rows, loops and branches among them."""
    for part in parts:
        match part:
            case ir.Make():
                yield part.layer
            case Sequential():
                yield from made_in(part.parts)
            case Cycle():
                for round_ in part.rounds:
                    yield from made_in(round_.parts)
            case Choice():
                yield from made_in(part.yes or ())
                yield from made_in(part.no or ())
            case _:
                continue


def _moves(layer: ir.Layer) -> bool:
    """Whether calling the layer draws noise or changes a buffer; a parametrization may change its
    own when the weight is read."""
    if layer.module is not None:
        return (
            any(_moves(inner) for _, inner in layer.module.all_layers)
            or any(state.wrappers for _, state in layer.module.all_states)
            or any(_draws(block.nodes) for block in _modules(layer.module))
        )
    assert layer.row is not None  # only a block has none
    return layer.row.stochastic or bool(layer.buffers) or bool(layer.wrappers)


def _modules(module: ir.Module) -> Iterator[ir.Module]:
    yield module
    for _, block in module.all_blocks:
        assert block.module is not None
        yield block.module


def _draws(nodes: Iterable[ir.Node]) -> bool:
    return any(
        node.row.stochastic or node.row.training
        for node in ir.flat_nodes(nodes)
        if isinstance(node, ir.FunctionCall)
    )
