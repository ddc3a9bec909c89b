"""How large a block's result is, in what its constructor knows: an expression, or one for each side
of a branch. A block whose user cannot say it keeps it, as ``self.out_channels``.

Non-goal: which sizes are asked for (``constructor.classes``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias, Union

from specc import ir
from specc.emit.merging.common_forms import Different, Standpoint, agree
from specc.emit.merging.merge import without_numbers
from specc.emit.merging.reads import symbols_of
from specc.emit.writing.method_parts import Choice, Cycle, Part, Sequential
from specc.sizes import Poly, Size

# A size, or the condition of a branch and what it is on each side.
ResultSize: TypeAlias = Union[Size, tuple[ir.Static, "ResultSize", "ResultSize"]]


class Written(Protocol):
    """What is asked of a class (``classes.EmittedClass``)."""

    @property
    def parts(self) -> tuple[Part, ...]: ...
    @property
    def readings(self) -> list[ir.Module]: ...
    @property
    def standpoints(self) -> list[Standpoint]: ...
    def results(self) -> list[ir.Value]: ...


def result_size(made: Written, position: int, dimension: int) -> ResultSize:
    """The size of one dimension of a result. Raises Different where the constructor cannot say it
    for all of its arguments."""
    value = made.results()[position]
    chosen = _on_sides(value, made.parts, dimension)
    if chosen is not None:
        return chosen
    shapes = [reading.outputs[position].value.type.shape for reading in made.readings]
    found = agree(
        [(shape[dimension], at) for shape, at in zip(shapes, made.standpoints, strict=True)]
    )
    assert isinstance(found, int | Poly)
    return found


def symbols_said(size: ResultSize) -> Iterator[str]:
    """The symbols that a result's size is made of."""
    if isinstance(size, tuple):
        condition, yes, no = size
        yield from symbols_of(condition)
        yield from symbols_said(yes)
        yield from symbols_said(no)
    else:
        yield from symbols_of(size)


def _on_sides(value: ir.Value, parts: Sequence[Part], dimension: int) -> ResultSize | None:
    """The size of what a branch leaves; None where no branch among ``parts`` leaves ``value``."""
    for part in parts:
        if not isinstance(part, Choice):
            continue
        if part.one_sided:
            found = _on_sides(value, part.yes or part.no or (), dimension)
            if found is not None:
                return found
            continue
        for position, result in enumerate(part.branch.results):
            if result is not value:
                continue
            sides = []
            for inner, after, shapes in (
                (part.yes, part.after_yes, part.shapes_yes),
                (part.no, part.after_no, part.shapes_no),
            ):
                deeper = _on_sides(after[position], inner or (), dimension)
                shape = shapes[position]
                if deeper is None and shape is None:
                    raise Different("a side whose sizes no words say")
                sides.append(deeper if deeper is not None else shape[dimension])  # type: ignore[index]  # as just asked
            yes, no = sides
            return yes if yes == no else (part.condition, yes, no)
    return None


# ── who asks ─────────────────────────────────────────────────────────────────────────────────────


def blocks_asked(parts: Sequence[Part]) -> Iterator[tuple[ir.Layer, ir.Thread]]:
    """The layers of blocks that keep a size, each with the symbol that stands for it."""
    layers: dict[tuple[str, ...], list[ir.Make]] = {}
    for make in _made(parts):
        layers.setdefault(without_numbers(make.layer.name), []).append(make)
    for call, kept in _kept(parts):
        made = layers.get(without_numbers(call.layer), [])
        # Both sides of a branch may have a layer of one name, each called where it is made.
        own = [make for make in made if make.span == call.span] or made
        yield from ((make.layer, kept) for make in own)


def _made(parts: Sequence[Part]) -> Iterator[ir.Make]:
    for part in parts:
        if isinstance(part, ir.Make):
            yield part
        for inner in _inside(part):
            yield from _made(inner)


def _kept(parts: Sequence[Part]) -> Iterator[tuple[ir.LayerCall, ir.Thread]]:
    for part in parts:
        if isinstance(part, ir.LayerCall):
            yield from ((part, kept) for kept in part.kept)
        for inner in _inside(part):
            yield from _kept(inner)


def _inside(part: Part) -> Iterator[Sequence[Part]]:
    match part:
        case Sequential():
            yield part.parts
        case Cycle():
            yield from (round_.parts for round_ in part.rounds)
        case Choice():
            yield part.yes or ()
            yield part.no or ()
        case _:
            return
