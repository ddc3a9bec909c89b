"""The layers of torch's around each parameter: those that a spec makes, and those inside them.

torch makes a ``TransformerEncoderLayer`` of a ``MultiheadAttention``, ``Linear`` and ``LayerNorm``;
``LayerRow.parts`` says where. Non-goal: blocks, which are layers of the spec's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from specc.ir.modules import Module
from specc.ir.nodes import Layer


@dataclass(frozen=True, slots=True)
class Owned:
    """A parameter by its full ``name``, the ``layer`` of the spec that has it, and the types of the
    layers around it, each with its name in there: the layer's own type first, the innermost last.

    ``direct`` says that the innermost one has it itself, and not a parametrization in it."""

    name: str
    layer: Layer
    around: tuple[tuple[str, str], ...]

    @property
    def direct(self) -> bool:
        return "." not in self.around[-1][1]


def owned_parameters(module: Module) -> Iterator[Owned]:
    """Each parameter of ``module``, in torch's order."""
    for path, layer in module.all_layers:
        for name, _ in layer.parameters:
            yield Owned(f"{path}.{name}", layer, _around(layer, name))


def _around(layer: Layer, name: str) -> tuple[tuple[str, str], ...]:
    found = [(layer.type, name)]
    parts = layer.row.parts if layer.row is not None else {}
    words = name.split(".")
    for count in range(1, len(words)) if parts else ():
        place = ".".join("*" if word.isdigit() else word for word in words[:count])
        if place in parts:
            found.append((parts[place], ".".join(words[count:])))
    return tuple(found)
