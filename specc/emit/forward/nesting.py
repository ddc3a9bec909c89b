"""Expressions that are not yet written, and the order in which they must be.

A value that is written inside the expression that uses it is computed when that is. What draws
noise or changes a state may not change places by it: where it would, it is written out first.
Non-goal: which values nest (``body``)."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from specc import ir
from specc.emit.forward.effects import Effects
from specc.emit.forward.variables import Variables
from specc.emit.merging.reads import leaf_values, values_read
from specc.emit.writing.marks import mark
from specc.emit.writing.method_parts import Part
from specc.emit.writing.statements import Assign, Statement
from specc.errors import Span


@dataclass(slots=True)
class Pending:
    """An expression that is not yet written: ``reads`` are the values in it, ``effects`` the
    numbers of what in it draws noise or changes a state, in the order in which it does."""

    expression: ast.expr
    reads: list[int]
    effects: list[int]
    span: Span


@dataclass(slots=True)
class Collected:
    """What the expression that is being made reads and does, and what was pending and is in it."""

    reads: list[int] = field(default_factory=list)
    effects: list[int] = field(default_factory=list)
    taken: dict[int, Pending] = field(default_factory=dict)


class Nesting(Variables):
    """The statements of a function as far as they are written, and what is pending.

    ``results`` counts how often each value is read after ``parts``."""

    def __init__(
        self, parameters: Sequence[ir.Value], parts: Sequence[Part], results: Counter[int],
        taken: Iterable[str],
    ) -> None:  # fmt: skip
        made = list(leaf_values(parts))
        named = (*parameters, *(value for value in made if value.named))
        super().__init__(results, taken, [value.name for value in named])
        values_read(parts, self.reads)
        self.statements: list[Statement] = []
        self.effects = Effects(parts)
        # How many things with an effect there have been.
        self.number = 0
        self.pending: dict[int, Pending] = {}
        self.collected = Collected()
        self._by_id = {id(value): value for value in made}
        # The variables that loops and branches assign, by the value that must end in each.
        self.wanted: dict[int, str] = {}
        self._elements: dict[int, ast.expr] = {}
        self._lists: dict[tuple[int, ...], str] = {}

    def value(self, value: ir.Value) -> ast.expr:
        """``value`` in the expression that is being made."""
        identity = id(value)
        if identity in self.pending:
            item = self.collected.taken[identity] = self.pending.pop(identity)
            self.collected.reads.extend([*item.reads, identity])
            self.collected.effects.extend(item.effects)
            return item.expression
        self.collected.reads.append(identity)
        if identity in self._elements:
            return self._elements[identity]
        return ast.Name(self._names[identity], ast.Load())

    def expressions(self, values: Sequence[ir.Value]) -> list[ast.expr]:
        """``values``, one after the other, where the function returns them or goes on with
        them."""
        ahead = [id(value) for value in values if id(value) in self.pending]
        effects = [number for identity in ahead for number in self.pending[identity].effects]
        if effects != sorted(effects) or self._is_late(effects, ahead):
            self.settle()
        return [self.value(value) for value in values]

    def keep_list(self, values: Sequence[ir.Value], name: str) -> None:
        """``values`` are the items of the list ``name``."""
        self._lists[tuple(id(value) for value in values)] = name
        for position, value in enumerate(values):
            item = ast.Subscript(ast.Name(name), ast.Constant(position), ast.Load())
            self._elements[id(value)] = item

    def sequence(self, operands: tuple[ir.Operand, ...]) -> ast.expr | None:
        """The list whose items ``operands`` are, all of them in order."""
        name = self._lists.get(tuple(id(operand) for operand in operands))
        return None if name is None else ast.Name(name, ast.Load())

    # ── the order of effects ─────────────────────────────────────────────────────────────────────

    def is_out_of_order(self, effects: list[int], nests: bool) -> bool:
        """Whether an expression with these effects, nested or written now, changes the order."""
        if not effects:
            return False
        if effects != sorted(effects):
            return True
        if not nests:
            return self._is_late(effects, ())
        return any(
            effects[0] < number < effects[-1]
            for item in self.pending.values()
            for number in item.effects
        )

    def _is_late(self, effects: Sequence[int], ahead: Collection[int]) -> bool:
        """Whether something that is pending, but for ``ahead``, comes before one of ``effects``."""
        return bool(effects) and any(
            number < effects[-1]
            for identity, item in self.pending.items()
            if item.effects and identity not in ahead
            for number in item.effects
        )

    def settle(self) -> None:
        """Writes what has an effect and is pending, in the order of the spec."""
        late = {identity: item for identity, item in self.pending.items() if item.effects}
        for identity, item in sorted(late.items(), key=lambda pair: pair[1].effects):
            del self.pending[identity]
            for read in item.reads:
                self.reads[read] -= 1
            target = self.target(self._by_id[identity])
            self.statements.append(Assign(target, item.expression, mark(item.span)))

    # ── assignments ──────────────────────────────────────────────────────────────────────────────

    def target(self, result: ir.Result) -> ast.expr:
        """What a result is assigned to: its variable, a tuple of them."""
        if isinstance(result, tuple):
            return ast.Tuple([self._item(item) for item in result], ast.Store())
        wanted = self.wanted.get(id(result))
        if wanted is not None and not self.held(wanted):
            self.hold(result, wanted)
            return ast.Name(wanted, ast.Store())
        name = result.name if result.named else self.temporary()
        return ast.Name(self.claim(result, name), ast.Store())

    def _item(self, result: ir.Result) -> ast.expr:
        """One of several results; what nothing reads needs no name."""
        if all(not each.named and not self.reads[id(each)] for each in ir.result_values(result)):
            return ast.Name("_", ast.Store())
        return self.target(result)

    def want(self, value: ir.Value, name: str) -> None:
        """``value`` must be in the variable ``name`` when its stretch ends."""
        self.wanted[id(value)] = name

    def take(self, *values: ir.Value) -> list[ast.expr]:
        """``values`` read once, one after the other, outside any node."""
        self.collected = found = Collected()
        expressions = self.expressions(values)
        for read in found.reads:
            self.reads[read] -= 1
        return expressions
