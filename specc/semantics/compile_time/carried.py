"""What loops and branches carry: tensors under their names, and lists of them item by item.

In the graph a list is its items, ``branches_0``, ``branches_1``; in the spec it is one name.
Non-goal: the loops and branches themselves (``loops``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from specc import ir
from specc.semantics.compile_time.entities import Entity, Items, is_tensors


class Carried:
    """Those of ``names`` that hold a tensor or a list of tensors in ``env``."""

    def __init__(self, env: Mapping[str, Entity], names: Iterable[str]) -> None:
        self.counts: dict[str, int | None] = {}
        for name in names:
            value = env.get(name)
            if isinstance(value, Items) and is_tensors(value):
                self.counts[name] = len(value.items)
            elif isinstance(value, ir.Value):
                self.counts[name] = None

    @property
    def names(self) -> list[str]:
        """The names in the graph, those of a list's items among them."""
        found: list[str] = []
        for name, count in self.counts.items():
            found += [name] if count is None else [f"{name}_{k}" for k in range(count)]
        return found

    def entities(self, env: Mapping[str, Entity]) -> list[Entity]:
        """What ``env`` has for each of ``names``; what is no list of as many stands for each of its
        items."""
        found: list[Entity] = []
        for name, count in self.counts.items():
            value = env.get(name)
            if count is None:
                found.append(value)
            elif isinstance(value, Items) and is_tensors(value) and len(value.items) == count:
                found += value.items
            else:
                found += [Items((value,))] * count
        return found

    def values(self, env: Mapping[str, Entity]) -> tuple[ir.Value, ...]:
        """The tensors of ``env`` under ``names``, where all are there."""
        return tuple(item for item in self.entities(env) if isinstance(item, ir.Value))

    def bound(self, values: Sequence[ir.Value]) -> dict[str, Entity]:
        """``values`` under the names that the spec has for them."""
        rest = iter(values)
        return {
            name: next(rest) if count is None else Items(tuple(next(rest) for _ in range(count)))
            for name, count in self.counts.items()
        }
