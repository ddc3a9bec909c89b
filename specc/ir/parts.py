"""The layers of torch's around each parameter: those that a spec makes, and those inside them.

torch makes a ``TransformerEncoderLayer`` of a ``MultiheadAttention``, ``Linear`` and ``LayerNorm``;
``LayerRow.parts`` says where. Non-goal: blocks, which are layers of the spec's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from specc.ir.modules import Module
from specc.ir.nodes import Layer
from specc.ir.states import State


@dataclass(frozen=True, slots=True)
class Owned:
    """A parameter by its full ``name``, the ``holder`` in the spec that has it, and the types of
    the layers around it, each with its name in there: the layer's own type first, the innermost
    last. What a model or block keeps itself is in no layer: the one type is then empty.

    ``direct`` says that the innermost one has it itself, and not a parametrization in it."""

    name: str
    holder: Layer | State
    around: tuple[tuple[str, str], ...]

    @property
    def direct(self) -> bool:
        return "." not in self.around[-1][1]


def owned_parameters(module: Module) -> Iterator[Owned]:
    """Each parameter of ``module``, in torch's order."""
    for path, holder in module.holders():
        for name, _ in holder.parameters:
            yield Owned(f"{path}{name}", holder, _around(holder, name))


def _around(holder: Layer | State, name: str) -> tuple[tuple[str, str], ...]:
    if isinstance(holder, State):
        return (("", name),)
    found = [(holder.type, name)]
    parts = holder.row.parts if holder.row is not None else {}
    words = name.split(".")
    for count in range(1, len(words)) if parts else ():
        place = ".".join("*" if word.isdigit() else word for word in words[:count])
        if place in parts:
            found.append((parts[place], ".".join(words[count:])))
    return tuple(found)
