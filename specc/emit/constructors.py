"""How a module makes its layers: the statements of ``__init__``, in the order of the
``state_dict``.

A row of layers is an ``nn.Sequential``; the layers of a loop are a list made by one expression.
Non-goal: what the layers compute."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from specc import ir
from specc.catalog import WRAPPERS
from specc.emit.counts import counted_loops
from specc.emit.expressions import (
    Naming,
    call,
    dotted,
    of_arguments,
    of_static,
    operation,
    static_naming,
)
from specc.emit.forms import Different
from specc.emit.layout import identifier
from specc.emit.limits import ONE_CASE, Fixed, fixed_values, together
from specc.emit.made import made_of
from specc.emit.marks import mark
from specc.emit.names import argument_names
from specc.emit.plan import Choice, Cycle, Part, Round, Row
from specc.emit.scopes import Scope
from specc.emit.statements import Assert, Assign, If, Statement
from specc.sizes import Poly, symbols


@dataclass(slots=True)
class ClassForm:
    """How a class of blocks is called: its name, and the dimensions and params that its constructor
    takes, in order."""

    name: str
    dimensions: tuple[str, ...]
    # What the constructor's own defaults are.
    defaults: dict[str, ir.Static]


class Maker:
    """Writes what makes the layers of one class. ``naming`` is how params are called in
    ``__init__``; ``class_of`` gives the class that a block's layer is of; ``order`` is the
    module's."""

    def __init__(
        self, naming: Naming, class_of: Callable[[ir.Layer], ClassForm], order: Sequence[str]
    ) -> None:
        self.class_of = class_of
        self._ranks = {path: rank for rank, path in enumerate(order)}
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
    def _round(self, cycle: Cycle, round_: Round) -> Iterator[None]:
        """While open, the loop's variable is what it is in this round, and not what one of the same
        name around it is."""
        variable = cycle.loop.variable
        around = self.values.pop(variable, None)
        there = around is not None
        if cycle.unrolled:
            self.values[variable] = cycle.index(round_)
        try:
            yield
        finally:
            self.values.pop(variable, None)
            if there:
                self.values[variable] = around

    # ── statements ───────────────────────────────────────────────────────────────────────────────

    def statements(self, parts: Sequence[Part], flags: Mapping[int, str]) -> list[Statement]:
        """The assignments that make the layers of a class. ``flags`` names the attribute that
        ``forward`` asks which side of a choice was taken, by the choice's identity."""
        found: list[Statement] = []
        scope = Scope()
        for part in parts:
            if isinstance(part, Choice):
                found += self._choice(part, flags)
                continue
            for name, value, where in self.entries([part], scope):
                target = ast.Attribute(ast.Name("self"), identifier(name), ast.Store())
                found.append(Assign(target, value, where))
        return found

    def _choice(self, choice: Choice, flags: Mapping[int, str]) -> list[Statement]:
        condition = of_static(choice.condition, self.naming)
        if choice.one_sided:
            taken = choice.yes is not None
            only = choice.yes if taken else choice.no
            inner = [*self._counted(only or ()), *self.statements(only or (), flags)]
            test = condition if taken else ast.UnaryOp(ast.Not(), condition)
            return [Assert(test, ONE_CASE, mark(choice.branch.span)), *inner]
        yes = [*self._counted(choice.yes or ()), *self.statements(choice.yes or (), flags)]
        no = [*self._counted(choice.no or ()), *self.statements(choice.no or (), flags)]
        flag = flags.get(id(choice))
        found: list[Statement] = []
        if flag is not None and flag in made_by(yes):
            nothing = ast.Attribute(ast.Name("self"), flag, ast.Store())
            found.append(Assign(nothing, ast.Constant(None)))
        elif flag is not None:
            target = ast.Attribute(ast.Name("self"), flag, ast.Store())
            found.append(Assign(target, condition, mark(choice.branch.span)))
            condition = ast.Attribute(ast.Name("self"), flag, ast.Load())
        if yes:
            found.append(If(condition, yes, no, mark(choice.branch.span)))
        elif no:
            found.append(If(ast.UnaryOp(ast.Not(), condition), no, [], mark(choice.branch.span)))
        return found

    # ── expressions ──────────────────────────────────────────────────────────────────────────────

    def entries(self, parts: Sequence[Part], scope: Scope) -> list[tuple[str, ast.expr, str]]:
        """What the parts make in ``scope``: (local name, expression, mark), in order."""
        found: list[tuple[str, ast.expr, str]] = []
        for part in parts:
            match part:
                case ir.Make():
                    found.append((_local(scope, part.layer.name), self.layer(part.layer),
                                  mark(part.span)))  # fmt: skip
                case Row():
                    found.append((_local(scope, part.path), self.row(part, scope),
                                  mark(part.span)))  # fmt: skip
                case Cycle():
                    found += self._cycle(part, scope)
                case Choice():
                    if not part.one_sided:
                        raise Different("a layer of a loop that is there or not")
                    found += self.entries(part.yes or part.no or (), scope)
        return found

    def layer(self, layer: ir.Layer) -> ast.expr:
        """The call that makes a layer or block, inside its parametrizations."""
        if layer.module is not None:
            return self._block(layer)
        row = layer.row
        assert row is not None  # only a block has none
        if row.made:
            made = made_of(row, layer.arguments, self.naming)
        else:
            positional, by_keyword = of_arguments(row, layer.arguments, self.naming)
            made = ast.Call(dotted(row.torch), positional, by_keyword)
        for wrapper in layer.wrappers:
            of = WRAPPERS[wrapper.type]
            more, by_name = of_arguments(of, wrapper.arguments, self.naming)
            named = [ast.keyword(argument.name, value)
                     for argument, value in zip(of.arguments, more, strict=False)]  # fmt: skip
            made = ast.Call(dotted(of.torch), [made], [*named, *by_name])
        return made

    def _block(self, layer: ir.Layer) -> ast.expr:
        assert layer.module is not None
        form, names = self.class_of(layer), argument_names(layer.module)
        sizes, given = dict(layer.sizes), dict(layer.arguments)
        arguments: list[ast.expr] = [
            of_static(sizes[name], self.naming) for name in form.dimensions
        ]
        keywords: list[ast.keyword] = []
        by_place = True
        for param in layer.module.params:
            if param.name not in given:
                by_place = False
                if form.defaults.get(param.name) != param.value:
                    keywords.append(
                        ast.keyword(names[param.name], of_static(param.value, self.naming))
                    )
                continue
            operand = given[param.name]
            assert not isinstance(operand, ir.Value)
            value = of_static(operand, self.naming)  # type: ignore[arg-type]  # compile-time
            if by_place and param.name not in form.defaults:
                arguments.append(value)
            else:
                by_place = False
                keywords.append(ast.keyword(names[param.name], value))
        return ast.Call(ast.Name(identifier(form.name)), arguments, keywords)

    def row(self, row: Row, scope: Scope) -> ast.expr:
        """``nn.Sequential(...)``; with labels, of an ordered dictionary of them."""
        entries = self.stages(row.parts, row.path)
        if all(name.isdigit() or name == "*" for name, _ in entries):
            return call(dotted("nn.Sequential"), *(value for _, value in entries))
        pairs: list[ast.expr] = [
            ast.Tuple([ast.Constant(name), value], ast.Load()) for name, value in entries
        ]
        ordered = call(ast.Name("OrderedDict"), ast.List(pairs, ast.Load()))
        return call(dotted("nn.Sequential"), ordered)

    def stages(self, parts: Sequence[Part], path: str) -> list[tuple[str, ast.expr]]:
        """The stages of a row: (name, expression), where ``*`` names several in a row."""
        found: list[tuple[str, ast.expr]] = []
        for part in parts:
            match part:
                case ir.Make():
                    found.append((part.layer.name.rpartition(".")[2], self.layer(part.layer)))
                case Row():
                    found.append((part.path.rpartition(".")[2], self.row(part, Scope())))
                case Cycle() if not part.loop.path or part.loop.path == path:
                    found += self._spliced(part)
                case Cycle():
                    name, value, _ = self._cycle(part, Scope())[0]
                    found.append((name.rpartition(".")[2], value))
                case _:
                    continue
        return found

    def _spliced(self, cycle: Cycle) -> list[tuple[str, ast.expr]]:
        if cycle.unrolled:
            stages = [self._only(cycle, round_) for round_ in cycle.rounds]
            first = cycle.loop.offset
            return [(str(first + position), stage) for position, stage in enumerate(stages)]
        if not cycle.rounds:
            return []
        return [("*", ast.Starred(self._generator(cycle, self._only(cycle, cycle.rounds[0]))))]

    def _only(self, cycle: Cycle, round_: Round) -> ast.expr:
        with self._round(cycle, round_):
            entries = [entry for part in round_.parts for entry in self._stage(part)]
        return entries[0]

    def _stage(self, part: Part) -> list[ast.expr]:
        match part:
            case ir.Make():
                return [self.layer(part.layer)]
            case Row():
                return [self.row(part, Scope())]
            case Cycle():
                return [self._cycle(part, Scope())[0][1]]
            case _:
                return []

    # ── loops ────────────────────────────────────────────────────────────────────────────────────

    def _cycle(self, cycle: Cycle, scope: Scope) -> list[tuple[str, ast.expr, str]]:
        loop = cycle.loop
        where = mark(loop.span)
        if loop.kind == "repeat":
            if cycle.unrolled or not cycle.rounds:
                stages = [self._only(cycle, round_) for round_ in cycle.rounds]
            else:
                stages = [ast.Starred(self._generator(cycle, self._only(cycle, cycle.rounds[0])))]
            return [(_local(scope, loop.path), call(dotted("nn.Sequential"), *stages), where)]
        each = []
        for round_ in cycle.rounds:
            with self._round(cycle, round_):
                each.append(self.entries(round_.parts, Scope(scope, cycle, round_)))
        if loop.path:
            made = [_members(entries) for entries in each]
            if not any(each):
                return []
            return [(_local(scope, loop.path), self._list(cycle, made), where)]
        found: dict[str, dict[int, ast.expr]] = {}
        spots: dict[str, str] = {}
        for round_, entries in zip(cycle.rounds, each, strict=True):
            for name, value, spot in entries:
                found.setdefault(name, {})[round_.position] = value
                spots.setdefault(name, spot)
        return [
            (name, self._list(cycle, list(made.values())) if len(made) == len(each)
             else _by_position(made), spots[name])
            for name, made in sorted(
                found.items(), key=lambda item: self._ranks.get(scope.pattern(item[0]), -1)
            )
        ]  # fmt: skip

    def _list(self, cycle: Cycle, made: list[ast.expr]) -> ast.expr:
        if cycle.unrolled:
            return call(dotted("nn.ModuleList"), ast.List(list(made), ast.Load()))
        return call(dotted("nn.ModuleList"), self._generator(cycle, made[0]))

    def _generator(self, cycle: Cycle, element: ast.expr) -> ast.expr:
        variable = cycle.loop.variable
        used = any(isinstance(n, ast.Name) and n.id == variable for n in ast.walk(element))
        target = ast.Name(variable if used else "_", ast.Store())
        loop = ast.comprehension(target, self.rounds_of(cycle), [], 0)
        return ast.GeneratorExp(element, [loop])

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
            *self._counted(parts),
        ]

    def _counted(self, parts: Sequence[Part]) -> list[Statement]:
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
        if isinstance(part, Row):
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
            yield Assert(test, message, mark(part.loop.span))
        for round_ in part.rounds:
            with self._round(part, round_):
                for inner in round_.parts:
                    for item in self._rounds_counted(inner):
                        # A count of each round is told by the rounds.
                        if part.unrolled or part.loop.variable not in _names(item.condition):
                            yield item

    def _decided(self, cycle: Cycle, around: tuple[Cycle, ...] = ()) -> Iterator[Assert]:
        """Asserts of the branches in the rounds of a loop, each of which took one side."""
        for round_ in cycle.rounds:
            with self._round(cycle, round_):
                yield from self._decided_in((*around, cycle), round_.parts)

    def _decided_in(self, around: tuple[Cycle, ...], parts: Sequence[Part]) -> Iterator[Assert]:
        for part in parts:
            if isinstance(part, Cycle):
                yield from self._decided(part, around)
            if not isinstance(part, Choice):
                continue
            test = of_static(part.condition, self.naming)
            if part.yes is None:
                test = ast.UnaryOp(ast.Not(), test)
            variables = set()
            for cycle in reversed(around):
                own = cycle.loop.variable
                if cycle.unrolled or own not in _names(test):
                    continue
                variables.add(own)
                rounds = ast.comprehension(ast.Name(own, ast.Store()), self.rounds_of(cycle), [], 0)
                test = call(ast.Name("all"), ast.GeneratorExp(test, [rounds]))
            # What depends on nothing but the rounds is as it was decided.
            if _names(test) - variables - {"all", "range"}:
                yield Assert(test, ONE_CASE, mark(part.branch.span))
            yield from self._decided_in(around, part.yes or part.no or ())


def _names(expression: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}


def _by_position(made: Mapping[int, ast.expr]) -> ast.expr:
    """The layers of a loop that only some rounds make."""
    keys: list[ast.expr | None] = [ast.Constant(str(position)) for position in made]
    return call(dotted("nn.ModuleDict"), ast.Dict(keys, list(made.values())))


def _open(bound: ir.Static) -> bool:
    return isinstance(bound, Poly) and bool(symbols(bound))


def _local(scope: Scope, path: str) -> str:
    name = scope.local(path)
    return path if name is None else name


def _members(entries: list[tuple[str, ast.expr, str]]) -> ast.expr:
    """One round's layers: the one without a name, or a dictionary of them."""
    if len(entries) == 1 and not entries[0][0]:
        return entries[0][1]
    keys: list[ast.expr | None] = [ast.Constant(name) for name, _, _ in entries]
    return call(dotted("nn.ModuleDict"), ast.Dict(keys, [value for _, value, _ in entries]))


def made_by(statements: Sequence[Statement]) -> set[str]:
    """The attributes that the statements assign."""
    return {
        statement.target.attr
        for statement in statements
        if isinstance(statement, Assign) and isinstance(statement.target, ast.Attribute)
    }
