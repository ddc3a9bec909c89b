"""How a module makes its layers: the statements of ``__init__``, in the order of the
``state_dict``.

A row of layers is an ``nn.Sequential``; the layers of a loop are a list made by one expression.
Non-goal: what the layers compute."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from specc import ir
from specc.catalog import WRAPPERS
from specc.emit.constructor.asserted import Asserted
from specc.emit.constructor.size_variables import with_variables
from specc.emit.constructor.states import state_statements
from specc.emit.constructor.threaded import Spelled, held
from specc.emit.merging.common_forms import Different
from specc.emit.merging.limits import ONE_CASE
from specc.emit.merging.param_names import argument_names, distinct
from specc.emit.merging.result_sizes import ResultSize
from specc.emit.merging.scopes import Scope
from specc.emit.merging.threads import is_spelled
from specc.emit.writing import chosen_layers
from specc.emit.writing.expressions import (
    Naming,
    call,
    dotted,
    loop_target,
    of_arguments,
    of_static,
)
from specc.emit.writing.layout import identifier
from specc.emit.writing.marks import mark
from specc.emit.writing.method_parts import Choice, Cycle, Kept, Part, Round, Sequential
from specc.emit.writing.statements import Assert, Assign, If, Statement
from specc.emit.writing.templates import filled
from specc.emitted_names import RESERVED


@dataclass(slots=True)
class ClassForm:
    """How a class of blocks is called: its name, and the dimensions and params that its constructor
    takes, in order."""

    name: str
    dimensions: tuple[str, ...]
    # What the constructor's own defaults are.
    defaults: dict[str, ir.Static]
    # The params that are none of its arguments.
    hidden: frozenset[str] = frozenset()


class Maker(Asserted):
    """Writes what makes the layers of one class. ``naming`` is how params are called in
    ``__init__``; ``class_of`` gives the class that a block's layer is of; ``order`` is the
    module's; ``taken`` are the names that mean something in the constructor, ``wanted`` the sizes
    handed from round to round that it needs; ``kept_by`` gives those that a block keeps."""

    def __init__(
        self, naming: Naming, class_of: Callable[[ir.Layer], ClassForm], order: Sequence[str],
        taken: Collection[str] = (), wanted: Collection[str] = (),
        kept_by: Callable[[ir.Layer], Sequence[tuple[ir.Thread, str]]] = lambda layer: (),
    ) -> None:  # fmt: skip
        super().__init__(naming)
        self._kept_by = kept_by
        # What stands for a size that a block keeps.
        self.references: dict[str, ast.expr] = {}
        self._taken = taken
        self._wanted = frozenset(wanted)
        # The variables for lists of layers that are in a list themselves.
        self._lists: set[str] = set()
        # The parameters and buffers made so far, by the identity of the values that they are.
        self._above: dict[int, ast.expr] = {}
        self.class_of = class_of
        self._ranks = {path: rank for rank, path in enumerate(order)}

    # ── statements ───────────────────────────────────────────────────────────────────────────────

    def body(
        self, parts: Sequence[Part], flags: Mapping[int, str],
        kept: Sequence[tuple[str, ResultSize]] = (),
    ) -> list[Statement]:  # fmt: skip
        """``statements``, and the sizes of its results that the module has ``kept``; with variables
        for the sizes that loops hand on."""
        made = [*self.statements(parts, flags), *self.keep(kept)]
        taken = {*self._taken, *self._lists}
        if not self._wanted:
            return made
        return with_variables(made, parts, self._wanted, taken, self.references)

    def keep(self, kept: Sequence[tuple[str, ResultSize]]) -> list[Statement]:
        """``self.out_channels = 2 * C if merge else C``."""
        return [
            Assign(
                ast.Attribute(ast.Name("self"), identifier(name), ast.Store()),
                of_result_size(size, self.naming),
            )
            for name, size in kept
        ]

    def statements(self, parts: Sequence[Part], flags: Mapping[int, str]) -> list[Statement]:
        """The assignments that make the layers of a class. ``flags`` names the attribute that
        ``forward`` asks which side of a choice was taken, by the choice's identity."""
        found = [made for part in parts if isinstance(part, Kept) for made in self._kept(part)]
        scope = Scope()
        for part in parts:
            if isinstance(part, Choice):
                found += self._choice(part, flags)
                continue
            if isinstance(part, Cycle) and is_spelled(part, self._wanted):
                spelled = self._spelled()
                reached = {name: held(name) for name in spelled.names(part, scope)}
                found += spelled.loop(part, scope, reached)
                continue
            for name, value, where in self.entries([part], scope):
                target = ast.Attribute(ast.Name("self"), identifier(name), ast.Store())
                found.append(Assign(target, value, where))
                if isinstance(part, ir.Make):
                    self._refer(part.layer, held(name))
        return found

    def _refer(self, layer: ir.Layer, reached: ast.expr) -> None:
        """Notes where the sizes that a layer keeps are read: it is ``reached`` so from here on."""
        for thread, name in self._kept_by(layer):
            self.references[thread.symbol] = ast.Attribute(reached, identifier(name), ast.Load())

    def _spelled(self) -> Spelled:
        return Spelled(
            naming=self.naming, entries=self.entries, stage=self._stage, rounds=self.rounds_of,
            wanted=self._wanted, rank=lambda name: self._ranks.get(name, -1), free=self._free,
            keeps=self._keeps, refer=self._refer,
        )  # fmt: skip

    def _keeps(self, layer: ir.Layer) -> bool:
        """Whether a layer keeps a size that is wanted."""
        return any(thread.symbol in self._wanted for thread, _ in self._kept_by(layer))

    def _free(self, name: str) -> str:
        """A variable for a list of layers like ``name``."""
        found = distinct(name, {*self._taken, *self._lists, *RESERVED})
        self._lists.add(found)
        return found

    def _kept(self, kept: Kept) -> list[Statement]:
        """What the module keeps itself comes before its layers, as in the ``state_dict``."""
        found = state_statements(kept, self.naming, self._above, self._taken)
        held = ast.Attribute(ast.Name("self"), identifier(kept.name), ast.Load())
        self._above[id(kept.state.result)] = held
        return found

    def _choice(self, choice: Choice, flags: Mapping[int, str]) -> list[Statement]:
        condition = of_static(choice.condition, self.naming)
        if choice.one_sided:
            taken = choice.yes is not None
            only = choice.yes if taken else choice.no
            inner = [*self.counted(only or ()), *self.statements(only or (), flags)]
            test = condition if taken else ast.UnaryOp(ast.Not(), condition)
            return [Assert(test, ONE_CASE, mark(choice.branch.span)), *inner]
        yes = [*self.counted(choice.yes or ()), *self.statements(choice.yes or (), flags)]
        no = [*self.counted(choice.no or ()), *self.statements(choice.no or (), flags)]
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
                case Sequential():
                    found.append((_local(scope, part.path), self.sequential(part, scope),
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
        if layer.choice is not None:
            return chosen_layers.made(layer, self.naming)
        if row.made:
            made = filled(row.made, row, layer.arguments, self.naming)
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
            if param.name in form.hidden:
                continue
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

    def sequential(self, chain: Sequential, scope: Scope) -> ast.expr:
        """``nn.Sequential(...)``; with labels, of an ordered dictionary of them."""
        entries = self.stages(chain.parts, chain.path)
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
                case Sequential():
                    found.append((part.path.rpartition(".")[2], self.sequential(part, Scope())))
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
        with self.round(cycle, round_):
            entries = [entry for part in round_.parts for entry in self._stage(part)]
        return entries[0]

    def _stage(self, part: Part) -> list[ast.expr]:
        match part:
            case ir.Make():
                return [self.layer(part.layer)]
            case Sequential():
                return [self.sequential(part, Scope())]
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
            with self.round(cycle, round_):
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
        alike = cycle.loop.written_out and len({ast.unparse(each) for each in made}) == 1
        if cycle.unrolled and not (alike and len(made) > 1):
            return call(dotted("nn.ModuleList"), ast.List(list(made), ast.Load()))
        return call(dotted("nn.ModuleList"), self._generator(cycle, made[0]))

    def _generator(self, cycle: Cycle, element: ast.expr) -> ast.expr:
        used = {n.id for n in ast.walk(element) if isinstance(n, ast.Name)}
        target = loop_target([name if name in used else "_" for name in cycle.loop.variables])
        loop = ast.comprehension(target, self.rounds_of(cycle), [], 0)
        return ast.GeneratorExp(element, [loop])


def of_result_size(size: ResultSize, naming: Naming) -> ast.expr:
    """``2 * C if merge else C``."""
    if not isinstance(size, tuple):
        return of_static(size, naming)
    condition, yes, no = size
    sides = (of_result_size(side, naming) for side in (yes, no))
    return ast.IfExp(of_static(condition, naming), *sides)


def _by_position(made: Mapping[int, ast.expr]) -> ast.expr:
    """The layers of a loop that only some rounds make."""
    keys: list[ast.expr | None] = [ast.Constant(str(position)) for position in made]
    return call(dotted("nn.ModuleDict"), ast.Dict(keys, list(made.values())))


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
