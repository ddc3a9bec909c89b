"""What the constructor of one class asserts, and what a loop's variable is in a round.

The assertions are those of ``limits``, and those of loops: so many rounds where they are written
one by one or went into a size, and the sides that the branches in them took. Non-goal: what is made
(``constructors``)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from specc import ir
from specc.emit.merging.counts import counted_loops
from specc.emit.merging.limits import ONE_CASE, Fixed, fixed_values, together
from specc.emit.merging.param_names import argument_names
from specc.emit.writing.expressions import (
    Naming,
    call,
    loop_target,
    of_static,
    operation,
    static_naming,
)
from specc.emit.writing.marks import mark
from specc.emit.writing.method_parts import Choice, Cycle, Part, Round, Sequential
from specc.emit.writing.statements import Assert, Statement
from specc.sizes import Poly, symbols


class Asserted:
    """``naming`` is how params are called in ``__init__``."""

    def __init__(self, naming: Naming) -> None:
        # The variable of a loop whose rounds are written one by one, as the value it has in each.
        self.values: dict[str, ir.Static] = {}
        # The loops that are right for one number of rounds alone.
        self._counts: set[int] = set()
        self.naming = static_naming(self._param)
        self._outer = naming

    def _param(self, name: str) -> ast.expr:
        if name not in self.values:
            return self._outer.param(name)
        # The value of an inner variable may speak of the outer one of the same name.
        value = self.values.pop(name)
        try:
            return of_static(value, self.naming)
        finally:
            self.values[name] = value

    @contextmanager
    def round(self, cycle: Cycle, round_: Round) -> Iterator[None]:
        """While open, the loop's variable is what it is in this round, and not what one of the same
        name around it is."""
        variables = cycle.loop.variables
        around = {name: self.values.pop(name) for name in variables if name in self.values}
        if cycle.unrolled:
            self.values |= cycle.bound(round_)
        try:
            yield
        finally:
            for name in variables:
                self.values.pop(name, None)
            self.values |= around

    def rounds_of(self, cycle: Cycle) -> ast.expr:
        """What the loop goes through: ``range(depth)``, ``(16, 32)``."""
        if cycle.bounds is None:
            return of_static(cycle.items, self.naming)
        return call(ast.Name("range"), *(of_static(bound, self.naming) for bound in cycle.bounds))

    def limits(
        self, module: ir.Module, fixed: Fixed, inherited: Sequence[ir.Scalar],
        parts: Sequence[Part], variants: int,
    ) -> list[Statement]:  # fmt: skip
        """Asserts what the class, read as so many variants, is right for alone; ``inherited`` is
        what the blocks inside were decided by."""
        where = mark(module.span)
        names = {*argument_names(module).values(), *module.dimensions}
        self._counts = counted_loops(parts)
        return [
            *fixed_values(fixed, self.naming, where),
            *(Assert(of_static(one, self.naming), ONE_CASE, where) for one in inherited),
            *together(parts, variants, self.naming, names, where),
            *self.counted(parts),
        ]

    def counted(self, parts: Sequence[Part]) -> list[Statement]:
        """Asserts the rounds of loops that are right for so many alone, and what branches in loops
        were decided by; each once, wherever in rows and loops it stands."""
        found: dict[str, Assert] = {}
        for part in parts:
            if isinstance(part, Cycle):
                for item in self._decided(part):
                    found.setdefault(ast.unparse(item.condition), item)
            for item in self._rounds_counted(part):
                found.setdefault(ast.unparse(item.condition), item)
        return list(found.values())

    def _rounds_counted(self, part: Part) -> Iterator[Assert]:
        if isinstance(part, Sequential):
            for inner in part.parts:
                yield from self._rounds_counted(inner)
        if not isinstance(part, Cycle):
            return
        fixed = part.unrolled or not part.rounds or id(part) in self._counts
        if fixed and part.bounds is not None and any(map(_open, part.bounds)):
            count: ast.expr = call(ast.Name("len"), self.rounds_of(part))
            if len(part.bounds) == 1:
                count = of_static(part.bounds[0], self.naming)
            test = operation("==", count, ast.Constant(part.times))
            rounds = "1 round" if part.times == 1 else f"{part.times} rounds"
            message = f"built for {rounds}: build the spec again with these params"
            # A count that a row of a table says is a number here.
            if _names(test) - {"len", "range"}:
                yield Assert(test, message, mark(part.loop.span))
        for round_ in part.rounds:
            with self.round(part, round_):
                for inner in round_.parts:
                    for item in self._rounds_counted(inner):
                        # A count of each round is told by the rounds.
                        told = _names(item.condition).intersection(part.loop.variables)
                        if part.unrolled or not told:
                            yield item

    def _decided(self, cycle: Cycle, around: tuple[Cycle, ...] = ()) -> Iterator[Assert]:
        """Asserts of the branches in the rounds of a loop, each of which took one side."""
        for round_ in cycle.rounds:
            with self.round(cycle, round_):
                yield from self._decided_in((*around, cycle), round_.parts)

    def _decided_in(self, around: tuple[Cycle, ...], parts: Sequence[Part]) -> Iterator[Assert]:
        for part in parts:
            if isinstance(part, Cycle):
                yield from self._decided(part, around)
            if not isinstance(part, Choice):
                continue
            if not part.one_sided:
                yield from self._decided_in(around, (*(part.yes or ()), *(part.no or ())))
                continue
            test = of_static(part.condition, self.naming)
            if part.yes is None:
                test = ast.UnaryOp(ast.Not(), test)
            variables = set()
            for cycle in reversed(around):
                spoken = _names(test)
                own = [name if name in spoken else "_" for name in cycle.loop.variables]
                if cycle.unrolled or not spoken.intersection(own):
                    continue
                variables.update(own)
                rounds = ast.comprehension(loop_target(own), self.rounds_of(cycle), [], 0)
                test = call(ast.Name("all"), ast.GeneratorExp(test, [rounds]))
            # What depends on nothing but the rounds is as it was decided.
            if _names(test) - variables - {"all", "range"}:
                yield Assert(test, ONE_CASE, mark(part.branch.span))
            yield from self._decided_in(around, part.yes or part.no or ())


def _names(expression: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}


def _open(bound: ir.Static) -> bool:
    return isinstance(bound, Poly) and bool(symbols(bound))
