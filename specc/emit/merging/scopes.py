"""What a layer's path is called where it is made and where it is used: ``self.blocks``, ``block``.

Inside a loop, a layer is reached by the loop's variable; its name there is its path without the
loop's part. Non-goal: which layers there are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from specc import ir
from specc.emit.writing.method_parts import Choice, Cycle, Part, Round, Sequential


@dataclass(slots=True)
class Scope:
    """The layers of a module (no ``cycle``), or of one round of a loop inside it."""

    outer: Scope | None = None
    cycle: Cycle | None = None
    round: Round | None = None
    # What each local name is reached by in `forward`; the empty name is the loop's one layer.
    reached: dict[str, ast.expr] = field(default_factory=dict)

    def local(self, path: str) -> str | None:
        """``path`` as it is called in this scope; None where it is from outside.

        One round stands for all, and those of a loop inside it may be another's: which round a
        path is of does not matter."""
        if self.cycle is None or self.round is None:
            return path
        if self.cycle.loop.path:
            prefix = [*self.cycle.loop.path.split("."), str(self.round.position)]
            parts = path.split(".")
            inside = len(parts) >= len(prefix) and all(
                part == wanted or (part.isdigit() and wanted.isdigit())
                for part, wanted in zip(parts, prefix, strict=False)
            )
            return ".".join(parts[len(prefix) :]) if inside else None
        assert self.outer is not None
        outer = self.outer.local(path)
        if outer is None:
            return None
        head, _, rest = outer.partition(".")
        position, _, rest = rest.partition(".")
        if not position.isdigit():
            return None
        return f"{head}.{rest}" if rest else head

    def pattern(self, name: str) -> str:
        """The path of what is called ``name`` here, as ``Module.order`` has it."""
        scope: Scope | None = self
        while scope is not None and scope.cycle is not None:
            if scope.cycle.loop.path:
                parts = scope.cycle.loop.path.split(".")
                return ".".join(["*" if part.isdigit() else part for part in parts] + ["*", name])
            scope = scope.outer
        return name


def local_names(parts: Sequence[Part], scope: Scope) -> list[str]:
    """The names that the parts' layers have in ``scope``, in order: one for a list of layers."""
    found: dict[str, None] = {}
    for path in paths(parts):
        name = scope.local(path)
        if name is not None:
            found[name.partition(".")[0]] = None
    return list(found)


def paths(parts: Sequence[Part]) -> Iterator[str]:
    """The paths of what the parts make, in order."""
    for part in parts:
        match part:
            case ir.Make():
                yield part.layer.name
            case Sequential():
                yield part.path
            case Cycle() if part.loop.kind == "repeat":
                yield part.loop.path
            case Cycle():
                for round_ in part.rounds:
                    yield from paths(round_.parts)
            case Choice():
                yield from paths(part.yes or ())
                yield from paths(part.no or ())
