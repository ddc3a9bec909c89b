"""What making the layers of a class speaks of: params, sizes, variables of loops.

Non-goal: what ``forward`` speaks of (``reads``)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeAlias

from specc import ir
from specc.emit.merging.reads import sizes_read, symbols_of
from specc.emit.writing.method_parts import Choice, Cycle, Kept, Part, Sequential
from specc.semantics.compile_time.threads import is_thread

# The shape names of its inputs that a block's constructor takes.
SizesOf: TypeAlias = Callable[[ir.Layer], Collection[str]]


def asked(parts: Iterable[Part], sizes_of: SizesOf, results: Iterable[str] = ()) -> set[str]:
    """The symbols that making the layers of ``parts`` speaks of, and ``results``; those among them
    that sizes which loops hand on are made of."""
    listed = tuple(parts)
    found = {*_spoken(listed, sizes_of), *results}
    while more := set(_sources(listed, found)) - found:
        found |= more
    return found


def threads_asked(
    parts: Iterable[Part], sizes_of: SizesOf, results: Iterable[str] = ()
) -> set[str]:
    """Those of them that loops hand on, or that blocks keep."""
    return {name for name in asked(parts, sizes_of, results) if is_thread(name)}


def of_layer(layer: ir.Layer, sizes_of: SizesOf) -> Iterator[str]:
    """The symbols that making one layer speaks of."""
    for _, argument in layer.arguments:
        yield from symbols_of(argument)
    for wrapper in layer.wrappers:
        for _, argument in wrapper.arguments:
            yield from symbols_of(argument)
    if layer.module is not None:
        sizes = dict(layer.sizes)
        for name in sizes_of(layer):
            yield from symbols_of(sizes[name])


def _spoken(parts: Iterable[Part], sizes_of: SizesOf) -> Iterator[str]:
    for part in parts:
        match part:
            case ir.Make():
                yield from of_layer(part.layer, sizes_of)
            case Kept():
                for operand in part.operands():
                    yield from symbols_of(operand)
                yield from sizes_read(part.parts)
            case Sequential():
                yield from _spoken(part.parts, sizes_of)
            case Cycle():
                for bound in part.bounds or ():
                    yield from symbols_of(bound)
                yield from symbols_of(part.items)
                for round_ in part.rounds:
                    yield from _spoken(round_.parts, sizes_of)
            case Choice():
                yield from symbols_of(part.condition)
                yield from _spoken(part.yes or (), sizes_of)
                yield from _spoken(part.no or (), sizes_of)
            case _:
                continue


def _sources(parts: Iterable[Part], wanted: set[str]) -> Iterator[str]:
    """What the sizes that loops hand on, as far as they are ``wanted``, are made of."""
    for part in parts:
        match part:
            case Cycle():
                for place, symbol in enumerate(part.threads):
                    if symbol in wanted:
                        yield from symbols_of(part.starts[place])
                        for round_ in part.rounds:
                            yield from symbols_of(round_.updates[place])
                for round_ in part.rounds:
                    yield from _sources(round_.parts, wanted)
            case Choice():
                for place, symbol in enumerate(part.threads):
                    for sizes in (part.sizes_yes, part.sizes_no):
                        if symbol in wanted and sizes:
                            yield from symbols_of(sizes[place])
                yield from _sources((*(part.yes or ()), *(part.no or ())), wanted)
            case Sequential():
                yield from _sources(part.parts, wanted)
            case _:
                continue
