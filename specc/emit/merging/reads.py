"""Which values the parts of a function read, how often, and who reads them.

Non-goal: writing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from specc import ir
from specc.catalog.catalogue import head
from specc.emit.merging.scopes import paths
from specc.emit.writing.method_parts import Choice, Cycle, Kept, Part, Sequential
from specc.sizes import Entry, Poly, symbols

# The part that reads a value, and the list of parts that it stands in.
Reader: TypeAlias = tuple[Part, int]


def direct(part: Part) -> Iterator[ir.Operand]:
    """What a part reads itself, before and after what is inside it."""
    match part:
        case ir.Make() | Kept():
            return
        case Sequential():
            yield part.input
        case Cycle():
            yield from part.initial
        case Choice():
            yield from (value for value in part.before if value is not None)
        case _:
            yield from ir.node_operands(part)


def bodies(part: Part) -> Iterator[tuple[Sequence[Part], Sequence[ir.Value]]]:
    """What is inside a part as ``forward`` writes it, and the values read at its end."""
    match part:
        case Cycle() if part.loop.kind != "repeat":
            for round_ in part.rounds:
                yield round_.parts, round_.leaving
        case Choice():
            if part.yes is not None:
                yield part.yes, part.after_yes
            if part.no is not None:
                yield part.no, part.after_no
        case _:
            return


def values_read(parts: Iterable[Part], counts: Counter[int]) -> None:
    """Adds to ``counts`` how often each value is read, by identity."""
    for part in parts:
        for operand in direct(part):
            if isinstance(operand, ir.Value):
                counts[id(operand)] += 1
        for inner, leaving in bodies(part):
            values_read(inner, counts)
            for value in leaving:
                counts[id(value)] += 1


def readers(parts: Sequence[Part], found: dict[int, Reader]) -> None:
    """Who reads each value last, as far as it is read where it is made."""
    for part in parts:
        for operand in direct(part):
            if isinstance(operand, ir.Value):
                found[id(operand)] = (part, id(parts))
        for inner, leaving in bodies(part):
            readers(inner, found)
            for value in leaving:
                found[id(value)] = (part, id(inner))


def called_names(parts: Iterable[Part]) -> set[str]:
    """The names by which the parts call what the file carries along or imports."""
    found: set[str] = set()
    for part in parts:
        if isinstance(part, ir.FunctionCall) and (part.row.helper or part.row.module):
            found.add(head(part.row))
        for inner, _ in bodies(part):
            found |= called_names(inner)
    return found


def differentiated(parts: Iterable[Part]) -> set[int]:
    """The values, by identity, that derivatives are taken by."""
    found: set[int] = set()
    for part in parts:
        if isinstance(part, ir.Derivative):
            found.add(id(part.by))
        for inner, _ in bodies(part):
            found |= differentiated(inner)
    return found


# What these compute is a tensor of its own; others may hand on what they were fed, as `float` does.
_COMPUTED: Final = frozenset(
    "elementwise pairwise activation reduction order indexing matrix linalg loss like creation"
    .split()
)  # fmt: skip
_HANDED_ON: Final = frozenset(["positive"])


def is_its_own(node: Part) -> bool:
    """Whether what ``node`` gives is a tensor of its own, and none that something else holds."""
    if isinstance(node, ir.FunctionCall):
        return node.row.family in _COMPUTED and node.function not in _HANDED_ON
    return isinstance(node, ir.Operation | ir.Subscript | ir.Transpose | ir.Derivative)


def sizes_read(parts: Iterable[Part]) -> Iterator[str]:
    """The symbols that the nodes of ``forward`` speak of, outside the loops that bind them."""
    for part in parts:
        if isinstance(part, Cycle):
            yield from _of_rounds(part)
        elif isinstance(part, Choice):
            if part.in_round and not (part.passes or part.one_sided):
                yield from symbols_of(part.condition)
            for inner, _ in bodies(part):
                yield from sizes_read(inner)
        for operand in direct(part):
            yield from symbols_of(operand)


def _of_rounds(cycle: Cycle) -> Iterator[str]:
    """What the rounds speak of; the loop's variable stands for what it is in a round alone."""
    if cycle.loop.kind == "repeat":
        return
    counts = False
    variables = set(cycle.loop.variables)
    for round_ in cycle.rounds:
        for name in sizes_read(round_.parts):
            if name not in variables:
                yield name
            elif cycle.unrolled:
                yield from symbols_of(cycle.bound(round_)[name])
            else:
                counts = True
    if cycle.rounds and not cycle.unrolled:
        # Without layers to go through, the loop says how often it runs.
        bounds = cycle.bounds or ()
        if not any(True for _ in paths(cycle.rounds[0].parts)):
            spoken: tuple[object, ...] = (*bounds, cycle.items)
        elif counts:
            spoken = (cycle.items, *(bounds[:1] if len(bounds) > 1 else ()), *bounds[2:])
        else:
            spoken = ()
        for operand in spoken:
            yield from symbols_of(operand)


def symbols_of(operand: object) -> set[str]:
    """The symbols in an operand: of a size, of a value computed from params."""
    if isinstance(operand, Poly):
        return set(symbols(operand))
    if isinstance(operand, ir.Scalar):
        return _of_form(operand.form)
    if isinstance(operand, ir.LayerChoice):
        if operand.param:
            return {operand.param}
        return set().union(*(symbols_of(value) for _, value in operand.arguments))
    if isinstance(operand, ir.TupleParam):
        return _of_entry(operand.entry)
    if isinstance(operand, tuple):
        return set().union(*(symbols_of(item) for item in operand))
    return set()


def _of_form(form: ir.FormPart) -> set[str]:
    if isinstance(form, Poly):
        return set(symbols(form))
    if isinstance(form, Entry):
        return _of_entry(form)
    if isinstance(form, ir.ParamForm):
        return {form.name}
    if isinstance(form, ir.Form):
        return set().union(*map(_of_form, form.parts))
    return set().union(*map(_of_form, form)) if isinstance(form, tuple) else set()


def _of_entry(entry: Entry) -> set[str]:
    return {entry.param}.union(*map(symbols, entry.sizes()))


def leaf_values(parts: Iterable[Part]) -> Iterator[ir.Value]:
    """Every value that the parts make or name, those inside among them."""
    for part in parts:
        match part:
            case ir.Make():
                continue
            case Sequential():
                yield part.result
            case Kept():
                yield part.state.result
            case Cycle():
                for round_ in part.rounds:
                    yield from round_.entering
                    yield from leaf_values(round_.parts)
                yield from part.loop.results
            case Choice():
                yield from leaf_values(part.yes or ())
                yield from leaf_values(part.no or ())
                yield from part.branch.results
            case _:
                yield from ir.result_values(part.result)
