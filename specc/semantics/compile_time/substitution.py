"""What one scope says, said in another's terms: types, conditions and compile-time values, with the
symbols of a block or of a round replaced by what they stand for outside.

Non-goal: what they stand for (``blocks``, ``rounds``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from specc import ir
from specc.semantics.compile_time.entities import Entity, Items, from_static, to_static
from specc.sizes import Entry, Poly, Size, evaluate


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


def static_outside(
    entity: Entity, meaning: Mapping[str, Size], scalars: Mapping[str, Entity] | None = None
) -> Entity:
    """A compile-time value likewise; anything else is left as it is. ``scalars`` are what names
    stand for that are no sizes: a float keeps the form that a param outside gives it."""
    said = scalars or {}
    match entity:
        case Poly():
            return evaluate(entity, meaning)
        case ir.Scalar():
            form = _form_outside(entity.form, meaning, said)
            if not _speaks(form):
                return entity.value
            return ir.Scalar(
                entity.value, form if isinstance(form, ir.Form) else ir.LiteralForm(form)
            )
        case ir.LayerChoice():
            return ir.with_arguments(
                entity, lambda item: to_static(static_outside(from_static(item), meaning, said))
            )
        case Items():
            items = tuple(static_outside(item, meaning, said) for item in entity.items)
            return Items(items, None if entity.entry is None else _moved(entity.entry, meaning))
    return entity


def _form_outside(
    form: ir.FormPart, meaning: Mapping[str, Size], scalars: Mapping[str, Entity]
) -> ir.FormPart:
    match form:
        case Poly():
            return evaluate(form, meaning)
        case Entry():
            return _moved(form, meaning)
        case ir.ParamForm(name):
            if name in scalars:
                found = scalars[name]
                return found.form if isinstance(found, ir.Scalar) else to_static(found)
            return meaning.get(name, form)
        case ir.Form():
            return form.of(tuple(_form_outside(part, meaning, scalars) for part in form.parts))
    return form


def _moved(entry: Entry, meaning: Mapping[str, Size]) -> Entry:
    moved = entry.put_in({name: size for name, size in meaning.items() if name != entry.param})
    assert isinstance(moved, Poly)  # the values of params are not among what names mean
    ((monomial, _),) = moved.terms
    (found,) = monomial
    assert isinstance(found, Entry)
    return found


def _speaks(form: ir.FormPart) -> bool:
    """Whether a form speaks of a param or of a size."""
    match form:
        case Poly() | Entry() | ir.ParamForm():
            return True
        case ir.Form():
            return any(map(_speaks, form.parts))
        case tuple():
            return any(map(_speaks, form))
    return False
