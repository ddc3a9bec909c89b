"""Which loops are right for one number of rounds alone, though one round stands for all.

A row of ``repeat(depth)`` that halves an image is the same row for any ``depth``; the layer that
takes the flattened image is not. Followed are the sizes that layers infer from what the rounds
leave behind. Non-goal: loops that are written out, which are always counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from specc import ir
from specc.emit.writing.method_parts import Choice, Cycle, Kept, Leaf, Part, Sequential
from specc.semantics.compile_time.threads import is_thread
from specc.sizes import Poly, Size, symbols


def counted_loops(parts: Sequence[Part]) -> set[int]:
    """The loops, by identity, whose number of rounds must be what it was."""
    layers = {layer.name: layer for layer in _layers(parts)}
    return {
        id(cycle)
        for cycle in _cycles(parts)
        if _is_open(cycle) and _Follower(cycle, layers).follows(parts)
    }


def _cycles(parts: Sequence[Part]) -> Iterator[Cycle]:
    for part in parts:
        match part:
            case Cycle():
                yield part
                for round_ in part.rounds:
                    yield from _cycles(round_.parts)
            case Choice():
                yield from _cycles(part.yes or ())
                yield from _cycles(part.no or ())
            case Sequential():
                yield from _cycles(part.parts)
            case _:
                continue


def _layers(parts: Sequence[Part]) -> Iterator[ir.Layer]:
    for part in parts:
        match part:
            case ir.Make():
                yield part.layer
            case Cycle():
                for round_ in part.rounds:
                    yield from _layers(round_.parts)
            case Choice():
                yield from _layers(part.yes or ())
                yield from _layers(part.no or ())
            case Sequential():
                yield from _layers(part.parts)
            case _:
                continue


def _is_open(cycle: Cycle) -> bool:
    """Whether one round stands for a number of them that a param decides, and that was read once:
    what agrees for several numbers does not depend on them."""
    if cycle.unrolled or not cycle.rounds or len(cycle.counts) > 1:
        return False
    return any(isinstance(bound, Poly) for bound in cycle.bounds or ())


@dataclass(slots=True)
class _Follower:
    """Follows the values that another number of rounds would give other sizes. ``allowed`` are
    sizes that it would leave alone."""

    cycle: Cycle
    layers: Mapping[str, ir.Layer]
    values: set[int] = field(default_factory=set)
    allowed: set[Size] = field(default_factory=set)
    inside: bool = False

    def follows(self, parts: Sequence[Part]) -> bool:
        """Whether a layer takes a size from what the number of rounds decides."""
        loop = self.cycle.loop
        if loop.kind == "list":
            if len(loop.results) > 1:
                self.allowed = {size for value in loop.results for size in value.type.shape}
            return self._any(parts)
        for position, (first, last) in enumerate(zip(loop.initial, loop.results, strict=True)):
            stays = self._staying(position, first.type.shape, last.type.shape)
            self.allowed.update(stays)
            if len(stays) < max(len(first.type.shape), len(last.type.shape)):
                self.values.add(id(last))
        return bool(self.values) and (self._in_a_round() or self._any(parts))

    def _staying(
        self, position: int, before: tuple[Size, ...], after: tuple[Size, ...]
    ) -> list[Size]:
        """The sizes of a carried value that each round leaves alone, whichever round it is."""
        left = [iteration.leaving[position].type.shape for iteration in self.cycle.loop.iterations]
        if any(len(shape) != len(before) for shape in (after, *left)):
            return []
        return [
            size
            for dimension, size in enumerate(before)
            if all(shape[dimension] == size for shape in (after, *left))
        ]

    def _in_a_round(self) -> bool:
        """Whether a single round, which agrees with itself, takes sizes that the next would not."""
        round_ = self.cycle.rounds[0]
        if len(self.cycle.loop.iterations) > 1:
            return False
        inner = _Follower(self.cycle, self.layers, set(), set(self.allowed), inside=True)
        inner.values = {id(value) for value in (*round_.entering, *self.cycle.initial)}
        return inner._any(round_.parts)

    def _any(self, parts: Sequence[Part]) -> bool:
        return any(self._takes(part) for part in parts)

    def _takes(self, part: Part) -> bool:
        match part:
            case ir.Make() | Kept():
                return False
            case Sequential():
                found = self._any(part.parts)
                self._pass_on(id(part.input) in self.values, (part.result,))
                return found
            case Choice():
                found = self._any(part.yes or ()) or self._any(part.no or ())
                after = (*part.after_yes, *part.after_no)
                self._pass_on(any(id(v) in self.values for v in after), part.branch.results)
                return found
            case Cycle():
                return self._through(part)
            case _:
                return self._leaf(part)

    def _through(self, cycle: Cycle) -> bool:
        if cycle is self.cycle:
            return False
        found = False
        carried = any(id(value) in self.values for value in cycle.initial)
        for round_ in cycle.rounds:
            self._pass_on(carried, round_.entering)
            found |= self._any(round_.parts)
            carried |= any(id(value) in self.values for value in round_.leaving)
        self._pass_on(carried, cycle.loop.results)
        return found

    def _leaf(self, node: Leaf) -> bool:
        read = {id(operand) for operand in ir.node_operands(node) if isinstance(operand, ir.Value)}
        whole = self.cycle.loop.kind == "list" and not self.inside
        followed = bool(read & self.values) or (
            whole and read >= {id(value) for value in self.cycle.loop.results}
        )
        self._pass_on(followed, ir.result_values(node.result))
        if not followed or not isinstance(node, ir.LayerCall):
            return False
        layer = self.layers.get(node.layer)
        if layer is None:
            return False
        inferred, given = _sizes_of(layer)
        found = any(not self._may_be(size) for size in inferred)
        self.allowed |= given
        return found

    def _may_be(self, size: Size) -> bool:
        """Whether a size that a layer infers may have nothing to do with the rounds, or is made of
        what they hand on."""
        if isinstance(size, Poly) and any(map(is_thread, symbols(size))):
            return True
        alone = isinstance(size, Poly) and {str(size)} == symbols(size)
        return size in self.allowed or (alone and not self.inside)

    def _pass_on(self, followed: bool, values: Sequence[ir.Value] | Iterator[ir.Value]) -> None:
        if followed:
            self.values.update(id(value) for value in values)


def _sizes_of(layer: ir.Layer) -> tuple[set[Size], set[Size]]:
    """The sizes that a layer takes from what it is fed, and those that it is given."""
    if layer.module is not None:
        arguments = (argument for _, argument in layer.arguments)
        return {size for _, size in layer.sizes}, set(_sizes(arguments))
    assert layer.row is not None  # only a block has none
    rows = layer.row.by_name
    inferred = (argument for name, argument in layer.arguments if rows[name].inferred)
    given = (argument for name, argument in layer.arguments if not rows[name].inferred)
    return set(_sizes(inferred)), set(_sizes(given))


def _sizes(operands: Iterator[ir.Operand]) -> Iterator[Size]:
    for operand in operands:
        if isinstance(operand, tuple):
            yield from _sizes(iter(operand))
        elif isinstance(operand, int | Poly) and not isinstance(operand, bool):
            yield operand
