"""What a reading says of its symbols by the sides of branches that it took.

Where ``if stride != 1 or C != channels`` was not taken, ``stride`` is 1 and ``C`` is ``channels``,
whatever the constructor is given; in a block inside, what its arguments are there. Non-goals:
branches in loops, which say it of one round alone; what is no equality."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeGuard

from specc import ir
from specc.sizes import Poly, Size, evaluate, symbol, symbols

# What is known of each module, by identity: a block that is used often is asked once.
Known = dict[int, dict[str, Size]]


def known_by(module: ir.Module, found: Known) -> dict[str, Size]:
    """What some of the symbols are in terms of the others; ``found`` keeps it for each module."""
    if id(module) not in found:
        known: dict[str, Size] = {}
        _collect(module.nodes, known, found)
        found[id(module)] = known
    return found[id(module)]


def known_on(condition: ir.Static, taken: bool) -> dict[str, Size]:
    """What some of the symbols are on one side of a branch."""
    known: dict[str, Size] = {}
    for left, right in _equal(condition, taken):
        _equate(left, right, known)
    return known


def _collect(nodes: Iterable[ir.Node], known: dict[str, Size], found: Known) -> None:
    for node in nodes:
        match node:
            case ir.Branch():
                for left, right in _equal(node.condition, node.taken):
                    _equate(left, right, known)
                _collect(node.nodes, known, found)
            case ir.Chain():
                _collect(node.nodes, known, found)
            case ir.Make() if node.layer.module is not None:
                inside = known_by(node.layer.module, found)
                meaning = meaning_of(node.layer) if inside else {}
                for name, size in inside.items():
                    if symbols(symbol(name) - size) <= meaning.keys():
                        left, right = evaluate(symbol(name), meaning), evaluate(size, meaning)
                        _equate(left, right, known)
            case _:
                continue


def meaning_of(layer: ir.Layer) -> dict[str, Size]:
    """What the params and shape names of a block are where ``layer`` is made, as far as they are
    sizes."""
    assert layer.module is not None
    given = {param.name: param.value for param in layer.module.params}
    given |= {name: value for name, value in layer.arguments}  # type: ignore[misc]  # compile-time
    sized = {name: value for name, value in given.items() if is_size(value)}
    return sized | dict(layer.sizes)


def _equal(form: object, holds: bool) -> Iterator[tuple[Size, Size]]:
    """The sizes that are equal where ``form`` holds, or does not."""
    match form:
        case ir.Scalar():
            yield from _equal(form.form, holds)
        case ir.UnaryForm("not", operand):
            yield from _equal(operand, not holds)
        case ir.BinaryForm("and" | "or" as word, left, right) if (word == "and") is holds:
            yield from _equal(left, holds)
            yield from _equal(right, holds)
        case ir.BinaryForm("==" | "!=" as sign, left, right) if (sign == "==") is holds:
            if is_size(left) and is_size(right):
                yield left, right


def is_size(operand: object) -> TypeGuard[Size]:
    """Whether a compile-time value is a whole number."""
    return isinstance(operand, int | Poly) and not isinstance(operand, bool)


def _equate(left: Size, right: Size, known: dict[str, Size]) -> None:
    """Adds to ``known`` that two sizes are equal, where it says what one symbol is."""
    try:
        difference = evaluate(left, known) - evaluate(right, known)
    except ZeroDivisionError:
        return  # a quotient by what is known to be zero, which has no value here
    if isinstance(difference, int):
        return
    for monomial, factor in difference.terms:
        if len(monomial) != 1 or not isinstance(monomial[0], str) or abs(factor) != 1:
            continue
        name = monomial[0]
        rest = difference - Poly({monomial: factor})
        if name in symbols(rest):
            continue
        found = {name: -rest if factor == 1 else rest}
        known.update({other: evaluate(size, found) for other, size in known.items()} | found)
        return
