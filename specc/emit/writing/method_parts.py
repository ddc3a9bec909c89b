"""The parts of a class's methods: nodes, chains of layers, loops and branches, each said once.

Non-goal: finding what several readings have in common (``merge``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, Union

from specc import ir
from specc.errors import Span
from specc.sizes import Poly, Size

# What computes in ``forward``; a ``State`` is made in the constructor.
Leaf: TypeAlias = Union[
    ir.LayerCall,
    ir.FunctionCall,
    ir.Operation,
    ir.Subscript,
    ir.ParameterRead,
    ir.Transpose,
    ir.Derivative,
]
Part: TypeAlias = Union[Leaf, ir.Make, "Sequential", "Cycle", "Choice", "Kept"]


@dataclass(frozen=True, slots=True, eq=False)
class Sequential:
    """A chain, as an ``nn.Sequential``: ``parts`` make (and call) its stages."""

    path: str
    parts: tuple[Part, ...]
    input: ir.Value
    result: ir.Value
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A parameter or buffer of the class itself: what of ``state`` its arguments tell. ``parts``
    compute ``value`` in the constructor, where an expression gives it."""

    state: ir.State
    shape: tuple[Size, ...]
    classes: Size | None
    arguments: ir.Arguments
    wrappers: tuple[ir.Wrapper, ...]
    parts: tuple[Part, ...]
    value: ir.Operand

    @property
    def name(self) -> str:
        return self.state.name

    @property
    def span(self) -> Span:
        return self.state.span

    def operands(self) -> Iterator[ir.Operand]:
        """What making it speaks of, but for what computes it."""
        yield from self.shape
        yield self.classes
        for arguments in (self.arguments, *(wrapper.arguments for wrapper in self.wrappers)):
            yield from (value for _, value in arguments)
        yield self.value


@dataclass(frozen=True, slots=True, eq=False)
class Cycle:
    """A loop: one round that stands for all (``rounds`` has it alone), or every round in turn
    where they differ (``unrolled``). ``counts`` are the numbers of rounds that it was read with."""

    loop: ir.Loop
    rounds: tuple[Round, ...]
    unrolled: bool
    bounds: tuple[ir.Static, ...] | None
    items: ir.Static
    initial: tuple[ir.Value, ...]
    counts: frozenset[int]
    # The symbols of sizes that it hands from round to round, and what they are before the first.
    threads: tuple[str, ...] = ()
    starts: tuple[Size, ...] = ()

    @property
    def times(self) -> int:
        return len(self.loop.iterations)

    def index(self, round_: Round) -> ir.Static:
        """The loop's variable in one of the rounds, in terms of the params."""
        if self.bounds is None:
            assert isinstance(self.items, tuple)
            return self.items[round_.position]
        if len(self.bounds) == 1:
            return round_.position
        start, _, *step = self.bounds
        by = step[0] if step else 1
        assert isinstance(start, int | Poly) and isinstance(by, int | Poly)
        return start + round_.position * by

    def bound(self, round_: Round) -> dict[str, ir.Static]:
        """Each of the loop's variables likewise."""
        return self.loop.bound(self.index(round_))


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """One time round; its layers' paths are those of the iteration at ``position``."""

    position: int
    index: ir.Static
    parts: tuple[Part, ...]
    entering: tuple[ir.Value, ...]
    leaving: tuple[ir.Value, ...]
    # What the loop's ``threads`` are at its end.
    updates: tuple[Size, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A branch. A side is None where no reading took it: ``yes`` and ``no`` are then not both.
    Where they are both, ``takers`` are the variants of the class that took ``yes``, and ``alike``
    those that say the shapes of the results in words which are right for either side.

    In the round of a loop (``in_round``) ``forward`` asks the condition again; where ``passes``, it
    does not: one side calls a layer and the other is an identity."""

    condition: ir.Static
    yes: tuple[Part, ...] | None
    no: tuple[Part, ...] | None
    before: tuple[ir.Value | None, ...]
    after_yes: tuple[ir.Value, ...]
    after_no: tuple[ir.Value, ...]
    branch: ir.Branch
    takers: frozenset[int] = frozenset()
    alike: frozenset[int] = frozenset()
    in_round: bool = False
    passes: bool = False
    # The symbols of sizes that the sides leave, and what they are after each side.
    threads: tuple[str, ...] = ()
    sizes_yes: tuple[Size, ...] = ()
    sizes_no: tuple[Size, ...] = ()
    # The shapes of what each side leaves, in words that are true of all readings that take it.
    shapes_yes: tuple[tuple[Size, ...] | None, ...] = ()
    shapes_no: tuple[tuple[Size, ...] | None, ...] = ()

    @property
    def one_sided(self) -> bool:
        return self.yes is None or self.no is None
