"""One way to write a compile-time value that several readings write in their own ways.

``C`` in one use of a block and ``channels`` in another, ``3`` in the first round and ``64`` in the
second: a form is right for all whatever the constructor is given. Non-goal: values that only the
run knows; those must be written alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from specc import ir
from specc.emit.merging.branch_sides import is_size
from specc.sizes import Poly, Size, evaluate, symbol


@dataclass(frozen=True, slots=True)
class Standpoint:
    """Where a form is read: in which ``variant`` of a class, in which rounds of the loops around;
    ``known`` is what the branches that it took say of its symbols, for any values of them."""

    variant: int
    known: Mapping[str, Size] = field(default_factory=dict)
    rounds: Mapping[str, Size] = field(default_factory=dict)


Reading: TypeAlias = tuple[ir.Static, Standpoint]


class Different(Exception):
    """Two readings do not say the same."""


def agree(readings: Sequence[Reading]) -> ir.Static:
    """A form that says what each reading says. Raises Different.

    It must say so for any values of the symbols, not for those of today alone: the class is made
    with others. ``C`` and ``channels`` are one where the branches that were taken say so."""
    first = readings[0][0]
    if all(_alike(form, first) for form, _ in readings):
        return first
    if isinstance(first, tuple):
        if any(not isinstance(form, tuple) or len(form) != len(first) for form, _ in readings):
            raise Different("another tuple")
        return tuple(
            agree([(form[k], at) for form, at in readings])  # type: ignore[index]  # tuples
            for k in range(len(first))
        )
    by_variant: dict[int, list[Reading]] = {}
    for reading in readings:
        by_variant.setdefault(reading[1].variant, []).append(reading)
    said = [(_of_rounds(each), each[0][1].known) for each in by_variant.values()]
    forms = {repr(form): form for form, _ in said}.values()
    # A form with a symbol says more than a number that happens to fit.
    for form in sorted(forms, key=lambda form: not isinstance(form, Poly)):
        if all(_same(form, other, known) for other, known in said):
            return form
    raise Different(f"{first} and another")


def _of_rounds(readings: Sequence[Reading]) -> ir.Static:
    """The form of one variant: a function of the loops' variables, where they matter."""
    first = readings[0][0]
    if all(_alike(form, first) for form, _ in readings):
        return first
    if not all(is_size(form) for form, _ in readings):
        raise Different("another value in each round")
    for form in (readings[-1][0], _line(readings)):
        if form is not None and all(
            evaluate(form, at.rounds) == evaluate(other, at.rounds)  # type: ignore[arg-type]  # sized
            for other, at in readings
        ):
            return form
    raise Different("another size in each round")


def _alike(left: ir.Static, right: ir.Static) -> bool:
    """Whether two forms are written alike, whatever their values."""
    if isinstance(left, ir.Scalar) and isinstance(right, ir.Scalar):
        return left.form == right.form
    if isinstance(left, ir.LayerChoice) and isinstance(right, ir.LayerChoice):
        return left.param == right.param and (bool(left.param) or left == right)
    return left == right and type(left) is type(right)


def _same(left: ir.Static, right: ir.Static, known: Mapping[str, Size]) -> bool:
    """Whether two forms are the same for all values of the symbols that ``known`` leaves open."""
    if _alike(left, right):
        return True
    if not is_size(left) or not is_size(right):
        return False
    try:
        return evaluate(left, known) == evaluate(right, known)
    except ZeroDivisionError:
        return False


def _line(readings: Sequence[Reading]) -> ir.Static | None:
    """``first + slope * i`` through the first two rounds of the innermost loop."""
    (first, here), (second, there) = readings[0], readings[1]
    names = [name for name, index in here.rounds.items() if there.rounds.get(name) != index]
    if not names or not isinstance(first, int | Poly) or not isinstance(second, int | Poly):
        return None
    start, stop = here.rounds[names[-1]], there.rounds[names[-1]]
    assert isinstance(start, int) and isinstance(stop, int)
    if len({at.rounds.get(names[-1]) for _, at in readings}) < 3:
        return None  # two sizes lie on a line always: a third would tell adding from doubling
    rise = second - first
    slope = rise // (stop - start)
    if slope * (stop - start) != rise:
        return None
    return first + slope * (symbol(names[-1]) - start)
