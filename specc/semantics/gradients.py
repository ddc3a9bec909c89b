"""Whether a value depends on the model's parameters, so that a loss of it can be stepped on.

Follows the nodes as autograd does: from the parameters through whatever makes floats of floats.
Non-goal: gradients that exist and are zero everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from specc import ir
from specc.catalog import FUNCTIONS

_STOPS: Final = frozenset(["detach", "stop_gradient"])


def has_gradient(model: ir.Module, nodes: Iterable[ir.Node], value: ir.Value) -> bool:
    """Whether ``value``, made by the model's nodes and then by ``nodes``, has a gradient."""
    learned = {
        layer.name
        for layer in model.layers
        if layer.parameters or (layer.module is not None and any(layer.module.parameters()))
    }
    carried: set[int] = set()
    for node in ir.flat_nodes((*model.nodes, *nodes)):
        if isinstance(node, ir.FunctionCall) and _stops(node):
            continue
        starts = isinstance(node, ir.ParameterRead) or (
            isinstance(node, ir.LayerCall) and node.layer in learned
        )
        if starts or any(id(operand) in carried for operand in ir.node_operands(node)):
            carried.update(id(made) for made in ir.result_values(node.result) if made.type.floating)
    return id(value) in carried


def _stops(node: ir.FunctionCall) -> bool:
    if node.kind != "function":
        return False
    return node.function in _STOPS or FUNCTIONS[node.function].family in ("creation", "like")
