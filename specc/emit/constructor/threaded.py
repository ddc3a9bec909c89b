"""Loops of the constructor as statements, where they hand a size from round to round or choose.

``features = points`` before the loop, ``self.pts.append(nn.Linear(features, width))`` in it,
``features = width`` at its end. Non-goals: loops that one expression says (``constructors``); which
variables share a name (``coalesced``)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TypeAlias

from specc import ir
from specc.emit.forward.flow import list_name, singular
from specc.emit.merging.scopes import Scope, local_names
from specc.emit.merging.threads import is_spelled, makes
from specc.emit.writing.expressions import Naming, call, dotted, loop_target, of_size, of_static
from specc.emit.writing.layout import identifier
from specc.emit.writing.marks import mark
from specc.emit.writing.method_parts import Choice, Cycle, Part, Round
from specc.emit.writing.statements import Assign, Evaluate, For, If, Statement
from specc.sizes import Size

# A local name, the expression that makes what it names, the place in the spec.
Entry: TypeAlias = tuple[str, ast.expr, str]


@dataclass(slots=True)
class Spelled:
    """Writes such loops. ``entries`` gives what parts make in a scope, ``rounds`` what a loop goes
    through; ``wanted`` are the symbols that the constructor needs; ``rank`` is a name's place in
    the module's order, ``free`` a name for a variable like the wanted one."""

    naming: Naming
    entries: Callable[[Sequence[Part], Scope], list[Entry]]
    stage: Callable[[Part], list[ast.expr]]
    rounds: Callable[[Cycle], ast.expr]
    wanted: Set[str]
    rank: Callable[[str], int]
    free: Callable[[str], str]
    # Whether a layer keeps a size that is wanted, and what says where it is read.
    keeps: Callable[[ir.Layer], bool]
    refer: Callable[[ir.Layer, ast.expr], None]

    def loop(self, cycle: Cycle, scope: Scope, reached: Mapping[str, ast.expr]) -> list[Statement]:
        """The statements that make the layers of ``cycle``. ``reached`` is where the lists that it
        fills are kept, by the names that they have in ``scope``."""
        where = mark(cycle.loop.span)
        own = [place for place, name in enumerate(cycle.threads) if name in self.wanted]
        found: list[Statement] = [
            self._set(cycle.threads[place], cycle.starts[place]) for place in own
        ]
        (round_,) = cycle.rounds
        inner = Scope(scope, cycle, round_)
        kind = "nn.Sequential" if cycle.loop.kind == "repeat" else "nn.ModuleList"
        for target in reached.values():
            found.append(Assign(_stored(target), call(dotted(kind)), where))
        if cycle.loop.kind == "repeat":
            body = self._row(cycle, round_, next(iter(reached.values())))
        elif cycle.loop.path and reached:
            body = self._members(round_, inner, next(iter(reached.values())))
        else:
            body = self._each(round_.parts, inner, reached)
        body += [self._set(cycle.threads[place], round_.updates[place]) for place in own]
        target = loop_target(list(cycle.loop.variables))
        return [*found, For(target, self.rounds(cycle), body)]

    def _list_name(self, scope: Scope) -> str:
        assert scope.cycle is not None
        return list_name(scope.cycle.loop.path)

    def names(self, cycle: Cycle, scope: Scope) -> list[str]:
        """The names in ``scope`` of the lists that ``cycle`` fills, in the module's order."""
        if not any(map(makes, cycle.rounds[0].parts)):
            return []
        if cycle.loop.path:
            local = scope.local(cycle.loop.path)
            return [cycle.loop.path if local is None else local]
        (round_,) = cycle.rounds
        inner = Scope(scope, cycle, round_)
        return sorted(
            local_names(round_.parts, inner), key=lambda name: self.rank(inner.pattern(name))
        )

    def _set(self, symbol: str, size: Size) -> Assign:
        target = self.naming.param(symbol)
        return Assign(_stored(target), of_size(size, self.naming))

    # ── rounds ───────────────────────────────────────────────────────────────────────────────────

    def _row(self, cycle: Cycle, round_: Round, row: ast.expr) -> list[Statement]:
        found: list[Statement] = []
        for part in round_.parts:
            if isinstance(part, Cycle) and is_spelled(part, self.wanted):
                variable = ast.Name(self.free("layers"), ast.Load())
                found += self.loop(part, Scope(), {"": variable})
                found.append(_append(row, variable, mark(part.loop.span)))
                continue
            if isinstance(part, ir.Make) and self.keeps(part.layer):
                named, variable = self._named(
                    part.layer, list_name(cycle.loop.path), self.stage(part)[0], mark(part.span)
                )
                found += [named, _append(row, variable, "")]
                continue
            where = mark(part.loop.span if isinstance(part, Cycle) else cycle.loop.span)
            found += [_append(row, made, where) for made in self.stage(part)]
        return found

    def _members(self, round_: Round, scope: Scope, listed: ast.expr) -> list[Statement]:
        """The one layer of a round, or a dictionary of its layers."""
        names = local_names(round_.parts, scope)
        if names != [""] and any(map(self._one_by_one, round_.parts)):
            variable = ast.Name(self.free(_one_of(self._list_name(scope))), ast.Load())
            reached: dict[str, ast.expr] = {
                name: ast.Subscript(variable, ast.Constant(name), ast.Load()) for name in names
            }
            made_of = Assign(_stored(variable), call(dotted("nn.ModuleDict")))
            body = self._each(round_.parts, scope, reached)
            return [made_of, *body, _append(listed, variable, "")]
        found: list[Statement] = []
        made: list[Entry] = []
        for part in round_.parts:
            statements, entries = self._made(part, scope)
            found += statements
            made += entries
        if len(made) == 1 and not made[0][0]:
            return [*found, _append(listed, made[0][1], made[0][2])]
        keys: list[ast.expr | None] = [ast.Constant(name) for name, _, _ in made]
        members = ast.Dict(keys, [value for _, value, _ in made])
        return [*found, _append(listed, call(dotted("nn.ModuleDict"), members), "")]

    def _one_by_one(self, part: Part) -> bool:
        """Whether a layer is not known before others of its round are made."""
        return isinstance(part, Choice) or (isinstance(part, ir.Make) and self.keeps(part.layer))

    def _named(
        self, layer: ir.Layer, name: str, value: ast.expr, where: str
    ) -> tuple[Assign, ast.Name]:
        """A layer that keeps a size, as a variable that it is read from."""
        variable = ast.Name(self.free(_one_of(name)), ast.Load())
        self.refer(layer, variable)
        return Assign(_stored(variable), value, where), variable

    def _each(
        self, parts: Sequence[Part], scope: Scope, reached: Mapping[str, ast.expr]
    ) -> list[Statement]:
        """Each layer of a round added to the list of its name."""
        found: list[Statement] = []
        for part in parts:
            statements, entries = self._made(part, scope, reached)
            found += statements
            found += [_append(reached[name], value, where) for name, value, where in entries]
        return found

    def _made(
        self, part: Part, scope: Scope, reached: Mapping[str, ast.expr] | None = None
    ) -> tuple[list[Statement], list[Entry]]:
        if isinstance(part, Choice):
            return self._choice(part, scope, reached or {}), []
        if isinstance(part, ir.Make) and self.keeps(part.layer):
            ((name, value, where),) = self.entries([part], scope)
            named, variable = self._named(part.layer, name or self._list_name(scope), value, where)
            return [named], [(name, variable, "")]
        if not isinstance(part, Cycle) or not is_spelled(part, self.wanted):
            return [], self.entries([part], scope)
        names = self.names(part, scope)
        lists = {name: ast.Name(self.free(name), ast.Load()) for name in names}
        where = mark(part.loop.span)
        return self.loop(part, scope, lists), [(name, lists[name], where) for name in names]

    def _choice(
        self, choice: Choice, scope: Scope, reached: Mapping[str, ast.expr]
    ) -> list[Statement]:
        sides = []
        made = [local_names(side or (), scope) for side in (choice.yes, choice.no)]
        both = {name for names in made for name in names}
        for parts, names, sizes in zip(
            (choice.yes, choice.no), made, (choice.sizes_yes, choice.sizes_no), strict=True
        ):
            if parts is None:
                continue
            side = self._each(parts, scope, reached)
            if side and isinstance(side[0], Evaluate) and side[0].mark == mark(choice.branch.span):
                side[0] = replace(side[0], mark="")
            # Where a round makes no layer, what stands in its place hands on what it is fed.
            side += [
                _append(reached[name], call(dotted("nn.Identity")), "")
                for name in reached
                if name in both and name not in names
            ]
            side += [
                self._set(symbol, size)
                for symbol, size in zip(choice.threads, sizes, strict=True)
                if symbol in self.wanted
            ]
            sides.append(side)
        if len(sides) == 1:
            return sides[0]
        condition = of_static(choice.condition, self.naming)
        yes, no = sides
        where = mark(choice.branch.span)
        if yes:
            return [If(condition, yes, no, where)]
        return [If(ast.UnaryOp(ast.Not(), condition), no, [], where)] if no else []


def _one_of(name: str) -> str:
    """What one of several layers is called; by a word where nothing but a letter is left."""
    found = singular(name)
    return found if len(found) > 1 else "layer"


def _append(listed: ast.expr, value: ast.expr, where: str) -> Statement:
    """Adds a layer to its list, or to the dictionary of the layers of a round."""
    if isinstance(listed, ast.Subscript):
        return Assign(ast.Subscript(listed.value, listed.slice, ast.Store()), value, where)
    return Evaluate(call(ast.Attribute(listed, "append", ast.Load()), value), where)


def _stored(target: ast.expr) -> ast.expr:
    match target:
        case ast.Name(name):
            return ast.Name(name, ast.Store())
        case ast.Attribute(value, name):
            return ast.Attribute(value, name, ast.Store())
    raise TypeError(f"no variable: {ast.dump(target)}")


def held(name: str) -> ast.expr:
    """The attribute of the module that the layers called ``name`` are kept in."""
    return ast.Attribute(ast.Name("self"), identifier(name), ast.Load())
