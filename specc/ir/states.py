"""State that a module keeps itself: its own parameters and buffers.

Non-goal: those of its layers (``nodes.Layer``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from specc.errors import Span
from specc.sizes import Size

if TYPE_CHECKING:
    from specc.ir.nodes import Arguments, Distribution, Node, Operand, Value, Wrapper


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A parameter or a buffer of the module itself: ``parameter gamma: float[C] = ones_``.

    It is filled by ``initializer`` of ``torch.nn.init`` with its ``arguments``; where that is
    empty, with ``value``, which ``nodes`` compute in the constructor, of sizes and params alone and
    of the buffers above it. ``result`` is what the module reads; a size of its shape is known when
    the module is made. As of a ``Layer``, ``parameters`` and ``buffers`` map a tensor's name to its
    shape (a parametrization has its own), and ``initial`` says how each is filled that no ``value``
    gives. A buffer that is not ``persistent`` is not in the ``state_dict``."""

    kind: Literal["parameter", "buffer"]
    name: str
    initializer: str
    arguments: Arguments
    nodes: tuple[Node, ...]
    value: Operand
    persistent: bool
    wrappers: tuple[Wrapper, ...]
    parameters: tuple[tuple[str, tuple[Size, ...]], ...]
    buffers: tuple[tuple[str, tuple[Size, ...]], ...]
    initial: tuple[tuple[str, Distribution], ...]
    result: Value
    span: Span
    # The sizes known where the module is made, as a layer's.
    values: Mapping[str, Size] = field(default_factory=dict, compare=False)

    @property
    def computed(self) -> bool:
        """Whether an expression gives its value, and no initialiser."""
        return not self.initializer
