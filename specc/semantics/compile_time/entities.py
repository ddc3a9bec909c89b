"""What a name or an expression stands for while a model is being elaborated.

An entity is a tensor (``ir.Value``), a nest of them, a compile-time value, a declared layer, or
``POISON``: something already reported, which absorbs every further complaint.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, Union

from specc import ir
from specc.errors import TooLarge
from specc.sizes import Entry, Poly

MOST_ITEMS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Poison:
    """The value of a faulty expression."""


POISON = Poison()


@dataclass(frozen=True, slots=True)
class LayerHandle:
    """``layer emb = ...``: a layer to be called by name, as often as the spec likes."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Items:
    """A tuple or list of entities: ``[a, b]``, ``(hidden, cell)``, ``(1, 2)``."""

    items: tuple[Entity, ...]
    # How the whole is said, where it is a tuple that a param holds.
    entry: Entry | None = field(default=None, compare=False, repr=False)
    # Those inside, at every depth.
    count: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        count = sum(item.count + 1 if isinstance(item, Items) else 1 for item in self.items)
        if count > MOST_ITEMS:
            raise TooLarge(f"this list has more than {MOST_ITEMS:,} items, at all its depths")
        object.__setattr__(self, "count", count)


Entity: TypeAlias = Union[
    ir.Value,
    LayerHandle,
    Items,
    Poison,
    Poly,
    ir.Scalar,
    ir.LayerChoice,
    int,
    float,
    bool,
    str,
    None,
]


def is_poisoned(entity: Entity) -> bool:
    """Whether something inside was already reported."""
    if isinstance(entity, Items):
        return any(is_poisoned(item) for item in entity.items)
    return isinstance(entity, Poison)


def is_static(entity: Entity) -> bool:
    """Whether the entity is a compile-time value (a tuple of such included)."""
    if isinstance(entity, Items):
        return all(is_static(item) for item in entity.items)
    return not isinstance(entity, ir.Value | LayerHandle | Poison)


def is_nest(entity: Entity) -> bool:
    """Whether the entity is a list, maybe an empty one, of tensors and of such lists."""
    return isinstance(entity, Items) and all(
        isinstance(item, ir.Value) or is_nest(item) for item in entity.items
    )


def is_tensors(entity: Entity) -> bool:
    """Whether the entity is a list of tensors, of one at least."""
    return (
        isinstance(entity, Items)
        and bool(entity.items)
        and all(isinstance(item, ir.Value) for item in entity.items)
    )


def flat(entities: Iterable[Entity]) -> list[Entity]:
    """The entities, with the items of lists of tensors in their places."""
    found: list[Entity] = []
    for entity in entities:
        if isinstance(entity, Items) and is_tensors(entity):
            found += entity.items
        else:
            found.append(entity)
    return found


def to_static(entity: Entity) -> ir.Static:
    """The IR's form of a compile-time entity."""
    if isinstance(entity, Items):
        items = tuple(to_static(item) for item in entity.items)
        return items if entity.entry is None else ir.TupleParam(items, entity.entry)
    assert not isinstance(entity, ir.Value | LayerHandle | Poison)
    return entity


def to_operand(entity: Entity) -> ir.Operand:
    """The IR's form of an argument: a tensor, a compile-time value, or a tuple of them."""
    if isinstance(entity, Items):
        if entity.entry is not None:
            return to_static(entity)
        return tuple(to_operand(item) for item in entity.items)
    assert not isinstance(entity, LayerHandle | Poison)
    return entity


def from_static(static: ir.Static) -> Entity:
    """A compile-time value of the IR as an entity."""
    if isinstance(static, tuple):
        entry = static.entry if isinstance(static, ir.TupleParam) else None
        return Items(tuple(from_static(item) for item in static), entry)
    return static


def of_entry(entry: Entry, value: ir.Static) -> Entity:
    """What a tuple that a param holds has at the path of ``entry``, which is ``value`` now, said by
    the param."""
    if isinstance(value, tuple):
        items = (
            of_entry(replace(entry, path=(*entry.path, place)), item)
            for place, item in enumerate(value)
        )
        return Items(tuple(items), entry)
    if isinstance(value, bool | float | str):
        return ir.Scalar(value, ir.EntryForm(entry))
    return Poly({(entry,): 1}) if isinstance(value, int) else value


def from_result(result: ir.Result) -> Entity:
    """What a node gives as an entity."""
    if isinstance(result, tuple):
        return Items(tuple(from_result(item) for item in result))
    return result


def describe(entity: Entity) -> str:
    """The entity in the spec's terms, for a message."""
    match entity:
        case ir.Value():
            return f"a tensor {entity.type}"
        case LayerHandle():
            return f"the layer `{entity.name}`"
        case Items():
            shown = [describe(item) for item in entity.items[:8]]
            return f"({', '.join([*shown, '...'] if len(entity.items) > 8 else shown)})"
        case Poison():
            return "something faulty"
        case Poly():
            return f"the size {entity}"
        case ir.LayerChoice():
            return f"the layer {entity}"
        case ir.Scalar():
            return describe(entity.value)
        case bool():
            return "true" if entity else "false"
        case None:
            return "none"
        case str():
            return f'the string "{entity if len(entity) <= 60 else entity[:59] + "…"}"'
        case _:
            return f"the number {entity}"
