"""Where ``forward`` learns the precision of the run when no input has it: ``self.table.weight``.

Blocks whose inputs are whole numbers alone may make floats. A parameter that is surely there tells
their precision; where there is none, the module keeps an empty buffer, which ``.to()`` moves as it
moves the rest. Non-goal: inputs that have it, which ``body`` asks first."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from specc import ir
from specc.emit.merging.param_names import distinct
from specc.emit.writing.expressions import call, dotted, path_expression
from specc.emit.writing.method_parts import Kept, Part, Sequential
from specc.emit.writing.statements import Evaluate, Statement

_BUFFER: Final = "precision"


class Precision:
    """What the ``forward`` of one class asks for its precision. ``parts`` are the class's,
    ``parts_of`` gives those of a block inside, ``taken`` are the names of its attributes."""

    def __init__(
        self, parts: Sequence[Part], parts_of: Callable[[ir.Module], Sequence[Part]],
        taken: Collection[str],
    ) -> None:  # fmt: skip
        self._parts = parts
        self._parts_of = parts_of
        self._buffer = distinct(_BUFFER, taken)
        self._is_kept = False

    def asked(self) -> ast.expr:
        """A floating tensor of the module."""
        path = next(_parameters(self._parts, self._parts_of), None)
        if path is not None:
            return path_expression(ast.Name("self"), path)
        self._is_kept = True
        return dotted(f"self.{self._buffer}")

    def kept(self) -> list[Statement]:
        """What the constructor keeps for it, if it was asked and there is no parameter."""
        if not self._is_kept:
            return []
        empty = call(dotted("torch.empty"), ast.Constant(0))
        register = call(
            dotted("self.register_buffer"), ast.Constant(self._buffer), empty,
            persistent=ast.Constant(False),
        )  # fmt: skip
        return [Evaluate(register)]


def _parameters(
    parts: Sequence[Part], parts_of: Callable[[ir.Module], Sequence[Part]]
) -> Iterator[str]:
    """The paths of parameters, and of floating buffers of the module itself, that are there
    whatever the arguments: not those in loops, which may be empty, nor in branches; nor what a
    parametrization computes."""
    for part in parts:
        match part:
            case ir.Make() if part.layer.module is not None:
                for path in _parameters(parts_of(part.layer.module), parts_of):
                    yield f"{part.layer.name}.{path}"
            case ir.Make() if not part.layer.wrappers:
                # A layer that torch makes of others may make them or not.
                for name, _ in part.layer.parameters:
                    if "." not in name:
                        yield f"{part.layer.name}.{name}"
            case Kept() if part.state.result.type.floating and not part.wrappers:
                yield part.name
            case Sequential():
                yield from _parameters(part.parts, parts_of)
            case _:
                continue
