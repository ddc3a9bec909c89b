"""What one scope says, said in another's terms: types, conditions and compile-time values, with the
symbols of a block or of a round replaced by what they stand for outside.

Non-goal: what they stand for (``blocks``, ``rounds``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from specc import ir
from specc.semantics.entities import Entity, Items, from_static, to_static
from specc.sizes import Poly, Size, evaluate


def type_outside(type_: ir.TensorType, meaning: Mapping[str, Size]) -> ir.TensorType:
    """``type_`` with its sizes, and the number of classes of an ``index``, in the terms of
    ``meaning``."""
    if not meaning or all(type(size) is int for size in (*type_.shape, type_.classes or 0)):
        return type_
    shape = tuple(evaluate(size, meaning) for size in type_.shape)
    classes = None if type_.classes is None else evaluate(type_.classes, meaning)
    return replace(type_, shape=shape, classes=classes)


def condition_outside(condition: ir.Condition, meaning: Mapping[str, Size]) -> ir.Condition:
    """A condition likewise. Raises ZeroDivisionError where it then divides by zero."""
    left, right = evaluate(condition.left, meaning), evaluate(condition.right, meaning)
    return replace(condition, left=left, right=right)


def static_outside(entity: Entity, meaning: Mapping[str, Size]) -> Entity:
    """A compile-time value likewise; anything else is left as it is."""
    match entity:
        case Poly():
            return evaluate(entity, meaning)
        case ir.Scalar():
            return entity.value
        case ir.LayerChoice():
            return ir.with_arguments(
                entity, lambda item: to_static(static_outside(from_static(item), meaning))
            )
        case Items():
            return Items(tuple(static_outside(item, meaning) for item in entity.items))
    return entity
