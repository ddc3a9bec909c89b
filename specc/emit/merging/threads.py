"""Sizes that loops hand from round to round, as variables of the constructor: which it needs, and
whether a class can be written with them.

A loop that hands on such a size, or whose rounds choose, is spelled out as statements: ``for i in
range(depth): self.layers.append(...)``. Non-goal: writing it (``constructor.threaded``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from specc import ir
from specc.emit.merging.asked import SizesOf, of_layer, threads_asked
from specc.emit.merging.common_forms import Different
from specc.emit.merging.counts import counted_loops
from specc.emit.merging.reads import direct, symbols_of
from specc.emit.merging.scopes import Scope, local_names
from specc.emit.writing.method_parts import Choice, Cycle, Kept, Part, Sequential
from specc.semantics.compile_time.threads import is_thread


def is_spelled(cycle: Cycle, wanted: Set[str]) -> bool:
    """Whether the constructor writes the loop as statements: it hands on a size that is ``wanted``,
    or chooses layers."""
    if cycle.unrolled:
        return False
    return any(symbol in wanted for symbol in cycle.threads) or any(
        _needs_statements(part, wanted) for round_ in cycle.rounds for part in round_.parts
    )


def _needs_statements(part: Part, wanted: Set[str]) -> bool:
    match part:
        case Cycle():
            return is_spelled(part, wanted)
        case Choice():
            hands_on = any(symbol in wanted for symbol in part.threads)
            inner = (*(part.yes or ()), *(part.no or ()))
            return (
                hands_on
                or (not part.one_sided and makes(part))
                or any(_needs_statements(each, wanted) for each in inner)
            )
        case Sequential():
            return any(_needs_statements(inner, wanted) for inner in part.parts)
        case ir.LayerCall():
            return any(kept.symbol in wanted for kept in part.kept)
        case _:
            return False


def makes(part: Part) -> bool:
    """Whether the part makes a layer."""
    match part:
        case ir.Make() | Sequential():
            return True
        case Cycle():
            return any(makes(inner) for round_ in part.rounds for inner in round_.parts)
        case Choice():
            return any(makes(inner) for inner in (*(part.yes or ()), *(part.no or ())))
        case _:
            return False


# ── whether it can be written ────────────────────────────────────────────────────────────────────


def check_written(parts: Sequence[Part], sizes_of: SizesOf, results: Sequence[str] = ()) -> None:
    """Raises Different where the constructor or ``forward`` has no form for ``parts``, or knows
    nothing of a symbol of the ``results``."""
    check = _Check(threads_asked(parts, sizes_of, results), sizes_of)
    known: set[str] = set()
    check.parts(parts, known, None)
    check.spoken(results, known)


class _Check:
    """Walks the parts as the constructor does. ``wanted`` are the symbols that it needs."""

    def __init__(self, wanted: Set[str], sizes_of: SizesOf) -> None:
        self._wanted = wanted
        self._sizes_of = sizes_of

    def parts(self, parts: Sequence[Part], known: set[str], around: Scope | None) -> None:
        """Checks ``parts`` where the symbols ``known`` are set; adds to those. ``around`` is the
        round of a loop that they are in."""
        for part in parts:
            match part:
                case ir.Make():
                    self.spoken(of_layer(part.layer, self._sizes_of), known)
                case Kept():
                    self._forward(part.parts)
                    for operand in part.operands():
                        self._size(operand, set())  # it is made before all layers
                case Sequential():
                    self._forward([part])
                    if any(_needs_statements(inner, self._wanted) for inner in part.parts):
                        raise Different("a row whose stages hand on sizes")
                    self.parts(part.parts, set(known), around)
                case ir.LayerCall():
                    self._forward([part])
                    known.update(kept.symbol for kept in part.kept)
                case Cycle():
                    self._cycle(part, known, around)
                case Choice():
                    self._choice(part, known, around)
                case _:
                    self._forward([part])

    def spoken(self, names: Iterable[str], known: set[str]) -> None:
        """That those of ``names`` that loops hand on, or blocks keep, are set."""
        for name in names:
            if is_thread(name) and name not in known:
                raise Different(f"{name} is not known here")

    def _forward(self, parts: Iterable[Part]) -> None:
        """That ``forward`` speaks of no such size."""
        for part in parts:
            for operand in direct(part):
                if any(map(is_thread, symbols_of(operand))):
                    raise Different("a size of a round in forward")

    def _size(self, size: object, known: set[str]) -> None:
        self.spoken(symbols_of(size), known)

    def _cycle(self, cycle: Cycle, known: set[str], around: Scope | None) -> None:
        for operand in (cycle.bounds, cycle.items):
            self._size(operand, known)
        own = [place for place, name in enumerate(cycle.threads) if name in self._wanted]
        for place in own:
            self._size(cycle.starts[place], known)
        if own and cycle.unrolled:
            raise Different("rounds that stand one by one, and hand on sizes")
        inside = known | {cycle.threads[place] for place in own}
        spelled = is_spelled(cycle, self._wanted)
        for round_ in cycle.rounds:
            scope = Scope(around or Scope(), cycle, round_)
            reached = set(inside)
            self.parts(round_.parts, reached, scope)
            for place in own:
                self._size(round_.updates[place], reached)
            if spelled:
                self._spelled(cycle, round_.parts, scope, around)
        known |= {cycle.threads[place] for place in own}

    def _spelled(
        self, cycle: Cycle, parts: Sequence[Part], scope: Scope, around: Scope | None
    ) -> None:
        """That the layers of a round can be added to their lists one after the other."""
        if cycle.loop.written_out:
            raise Different("rounds that are written out")
        if cycle.loop.kind == "repeat":
            if not cycle.loop.path or sum(map(makes, parts)) != 1:
                raise Different("a repeat inside a row")
            if any(isinstance(part, Choice) for part in parts):
                raise Different("a choice in a repeat")
            return
        if cycle.loop.kind == "list":
            raise Different("a list whose rounds hand on sizes")
        if any(not name for name in local_names(parts, scope)):
            if sum(map(makes, parts)) != 1 or any(isinstance(part, Choice) for part in parts):
                raise Different("one layer a round, and a choice")

    def _choice(self, choice: Choice, known: set[str], around: Scope | None) -> None:
        self._size(choice.condition, known)
        own = [place for place, name in enumerate(choice.threads) if name in self._wanted]
        for side, sizes in ((choice.yes, choice.sizes_yes), (choice.no, choice.sizes_no)):
            if side is None:
                continue
            reached = set(known)
            self.parts(side, reached, around)
            for place in own:
                self._size(sizes[place], reached)
            if choice.in_round and not choice.one_sided:
                self._side(side, around)
        known |= {choice.threads[place] for place in own}

    def _side(self, side: Sequence[Part], around: Scope | None) -> None:
        """That a side of a choice in a round makes layers which another round can do without."""
        assert around is not None and around.cycle is not None
        for part in side:
            match part:
                case ir.Make() | Sequential():
                    continue
                case ir.LayerCall():
                    # In the other rounds an identity stands in the layer's place.
                    alone = len(part.inputs) == 1 and not part.keywords
                    if not alone or not isinstance(part.result, ir.Value):
                        raise Different("a layer of some rounds that takes several values")
                case ir.ParameterRead():
                    raise Different("a parameter of some rounds")
                case Choice() | Cycle() if makes(part):
                    raise Different("layers of some rounds inside one another")
                case _:
                    continue


# ── how good it is ───────────────────────────────────────────────────────────────────────────────


def unlike_a_person(parts: Sequence[Part]) -> int:
    """How many loops stand round by round, how many branches in loops have one side, how many loops
    are right for one number of rounds."""
    return len(counted_loops(parts)) + sum(_unlike(part, in_loop=False) for part in parts)


def _unlike(part: Part, *, in_loop: bool) -> int:
    match part:
        case Sequential():
            return sum(_unlike(inner, in_loop=in_loop) for inner in part.parts)
        case Choice():
            inner = (*(part.yes or ()), *(part.no or ()))
            own = int(in_loop and part.one_sided)
            return own + sum(_unlike(each, in_loop=in_loop) for each in inner)
        case Cycle():
            own = int(part.unrolled and not part.loop.written_out)
            return own + sum(
                _unlike(each, in_loop=True) for round_ in part.rounds for each in round_.parts
            )
        case _:
            return 0
