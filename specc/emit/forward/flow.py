"""Loops, lists and branches in a function's body.

A variable that a loop or branch carries is one variable from beginning to end: what enters, what
each round leaves, what comes after. Non-goal: the statements inside, which are the body's again."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from specc import ir
from specc.emit.forward.nesting import Nesting
from specc.emit.merging.reads import leaf_values, sizes_read, values_read
from specc.emit.merging.scopes import Scope, local_names
from specc.emit.writing.expressions import (
    Naming,
    call,
    loop_target,
    of_static,
    operation,
    path_expression,
)
from specc.emit.writing.method_parts import Choice, Cycle, Part, Round
from specc.emit.writing.statements import Assign, Evaluate, For, If, Statement


class Flow(Nesting, ABC):
    """What loops and branches ask of the body that they stand in (``body.Body``)."""

    flags: Mapping[int, str]
    optional: frozenset[str]
    scope: Scope
    naming: Naming

    @abstractmethod
    def write(self, parts: Sequence[Part]) -> None:
        """Writes ``parts`` where ``statements`` stands now."""

    @abstractmethod
    def follow(self, *values: ir.Value, own: bool = False) -> None:
        """Lets derivatives by those of ``values`` be taken that one is taken by."""

    @abstractmethod
    def layer(self, path: str) -> ast.expr:
        """The layer at ``path`` as it is reached here."""

    @abstractmethod
    def stretch(self, scope: Scope | None = None) -> AbstractContextManager[list[Statement]]:
        """While open, statements go to a list of their own, and layers are those of ``scope``."""

    @abstractmethod
    def variable(self, symbol: str, meaning: ast.expr) -> AbstractContextManager[None]:
        """While open, the symbol of a loop's variable is written ``meaning``."""


# ── for ──────────────────────────────────────────────────────────────────────────────────────────


def write_loop(body: Flow, cycle: Cycle) -> None:
    """``for block in self.blocks: ...``, or each round in turn where they differ."""
    loop = cycle.loop
    if not cycle.rounds:
        return
    first = cycle.rounds[0]
    variables = [
        _carry(body, initial, entering, name, [first.parts])
        for initial, entering, name in zip(cycle.initial, first.entering, loop.names, strict=True)
    ]
    in_each_round = _in_each_round(body, cycle)
    outside = _outside(body, cycle)
    for identity in outside:
        body.reads[identity] += 1
    for round_ in cycle.rounds:
        for variable, entering in zip(variables, round_.entering, strict=True):
            body.hold(entering, variable)
        scope = Scope(body.scope, cycle, round_)
        if cycle.unrolled:
            _reach_by_position(body, cycle, scope, in_each_round)
            before, body.scope = body.scope, scope
            with _alone(body, cycle, round_):
                _round(body, round_, variables)
            body.scope = before
            continue
        target, iterable, meanings = _header(body, cycle, scope)
        with body.stretch(scope) as statements, _bound(body, meanings):
            _round(body, round_, variables)
        if statements:
            body.statements.append(For(target, iterable, statements))
    for identity in outside:
        body.reads[identity] -= 1
    for variable, result in zip(variables, loop.results, strict=True):
        body.hold(result, variable)


@contextmanager
def _alone(body: Flow, cycle: Cycle, round_: Round) -> Iterator[None]:
    """While open, the variable of an unrolled loop is written as what it is in this round."""
    read = set(sizes_read(round_.parts))
    with ExitStack() as stack:
        for name, value in cycle.bound(round_).items():
            if name in read:
                stack.enter_context(body.variable(name, of_static(value, body.naming)))
        yield


@contextmanager
def _bound(body: Flow, meanings: Mapping[str, ast.expr]) -> Iterator[None]:
    """While open, the variables of a loop are written as ``meanings`` says."""
    with ExitStack() as stack:
        for name, meaning in meanings.items():
            stack.enter_context(body.variable(name, meaning))
        yield


def _round(body: Flow, round_: Round, variables: Sequence[str]) -> None:
    for variable, leaving in zip(variables, round_.leaving, strict=True):
        body.want(leaving, variable)
    body.follow(*round_.entering)
    body.write(round_.parts)
    _move(body, list(zip(variables, round_.leaving, strict=True)))


def _carry(
    body: Flow, initial: ir.Value, inner: ir.Value, wanted: str, inside: Sequence[Sequence[Part]]
) -> str:
    """The variable that carries ``initial`` into a loop, assigned where need be."""
    counts: Counter[int] = Counter()
    for parts in inside:
        values_read(parts, counts)
    alone = body.reads[id(initial)] == 1 and not counts[id(initial)]
    if alone and body.name_of(initial) == wanted:
        body.reads[id(initial)] -= 1
        body.hold(inner, wanted)
        return wanted
    (expression,) = body.take(initial)
    variable = body.claim(inner, wanted)
    if not (isinstance(expression, ast.Name) and expression.id == variable):
        body.statements.append(Assign(ast.Name(variable, ast.Store()), expression))
    return variable


def _move(body: Flow, pairs: list[tuple[str, ir.Value]]) -> None:
    """Puts each value into its variable where it is not there already, all at once."""
    moves = [(name, value) for name, value in pairs if body.name_of(value) != name]
    for name, value in pairs:
        if (name, value) not in moves:
            body.reads[id(value)] -= 1
    if not moves:
        return
    targets: list[ast.expr] = [ast.Name(name, ast.Store()) for name, _ in moves]
    values = body.take(*(value for _, value in moves))
    one = len(moves) == 1
    body.statements.append(
        Assign(
            targets[0] if one else ast.Tuple(targets, ast.Store()),
            values[0] if one else ast.Tuple(values, ast.Load()),
        )
    )


def _outside(body: Flow, cycle: Cycle) -> set[int]:
    """What the rounds read from outside, which every round must find unchanged."""
    counts: Counter[int] = Counter()
    made: set[int] = set()
    for round_ in cycle.rounds:
        values_read(round_.parts, counts)
        for value in round_.leaving:
            counts[id(value)] += 1
        made |= {id(value) for value in (*round_.entering, *leaf_values(round_.parts))}
    return counts.keys() - made


def _header(
    body: Flow, cycle: Cycle, scope: Scope
) -> tuple[ast.expr, ast.expr, dict[str, ast.expr]]:
    """The loop's target, what it goes through, and what its variables are written as."""
    loop = cycle.loop
    assert scope.round is not None
    names = local_names(scope.round.parts, scope)
    read = set(sizes_read(scope.round.parts))
    counts = not read.isdisjoint(loop.variables)
    variables = [body.reserve(name) if name in read else "_" for name in loop.variables]
    meanings: dict[str, ast.expr] = {
        name: ast.Name(variable)
        for name, variable in zip(loop.variables, variables, strict=True)
        if variable != "_"
    }
    own = loop_target(variables)
    if not names:
        items = [of_static(bound, body.naming) for bound in cycle.bounds or ()]
        through: ast.expr = call(ast.Name("range"), *items)
        if cycle.bounds is None:
            through = of_static(cycle.items, body.naming)
        return own, through, meanings
    target, iterable = _through_layers(body, cycle, scope, names)
    if not counts:
        return target, iterable, meanings
    pair = ast.Tuple([own, target], ast.Store())
    if cycle.bounds is None:
        # TorchScript goes through lists of layers together with a tuple, not with a range.
        first = of_static(cycle.items, body.naming)
        return pair, call(ast.Name("zip"), first, iterable), meanings
    start, *_ = cycle.bounds if len(cycle.bounds) > 1 else (0,)
    step = cycle.bounds[2] if len(cycle.bounds) > 2 else 1
    if step == 1 and start != 0:
        enumerated = call(ast.Name("enumerate"), iterable, start=of_static(start, body.naming))
        return pair, enumerated, meanings
    if step != 1:
        index = operation("*", meanings[loop.variable], of_static(step, body.naming))
        if start != 0:
            index = operation("+", of_static(start, body.naming), index)
        meanings = {loop.variable: index}
    return pair, call(ast.Name("enumerate"), iterable), meanings


def _through_layers(
    body: Flow, cycle: Cycle, scope: Scope, names: list[str]
) -> tuple[ast.expr, ast.expr]:
    """``block`` in ``self.blocks``; the lists of layers that the loop goes through, together."""
    loop = cycle.loop
    outer = _reached_from_outside(body, cycle, names)
    if loop.path:
        variable = body.reserve(singular(list_name(loop.path)))
        element = ast.Name(variable)
        scope.reached = {
            name: element if not name else ast.Subscript(element, ast.Constant(name), ast.Load())
            for name in names
        }
        iterable: ast.expr = outer[0]
        target_: ast.expr = ast.Name(variable, ast.Store())
    else:
        variables = [body.reserve(singular(name)) for name in names]
        scope.reached = {
            name: ast.Name(variable) for name, variable in zip(names, variables, strict=True)
        }
        stores: list[ast.expr] = [ast.Name(variable, ast.Store()) for variable in variables]
        target_ = stores[0] if len(stores) == 1 else ast.Tuple(stores, ast.Store())
        iterable = outer[0] if len(outer) == 1 else call(ast.Name("zip"), *outer)
    return target_, iterable


def _reached_from_outside(body: Flow, cycle: Cycle, names: list[str]) -> list[ast.expr]:
    """The lists of layers that the loop goes through, as the scope around it reaches them."""
    if cycle.loop.path:
        return [body.layer(cycle.loop.path)]
    scope = body.scope
    if scope.cycle is None:
        return [path_expression(ast.Name("self"), name) for name in names]
    return [scope.reached[name] for name in names]


def _in_each_round(body: Flow, cycle: Cycle) -> frozenset[str]:
    """The lists that have a layer of every round."""
    if not cycle.unrolled or cycle.loop.path:
        return frozenset()
    made = [local_names(round_.parts, Scope(body.scope, cycle, round_)) for round_ in cycle.rounds]
    return frozenset(made[0]).intersection(*made[1:])


def _reach_by_position(
    body: Flow, cycle: Cycle, scope: Scope, in_each_round: frozenset[str]
) -> None:
    assert scope.round is not None
    names = local_names(scope.round.parts, scope)
    position = ast.Constant(scope.round.position)
    if not names:
        return
    outer = _reached_from_outside(body, cycle, names)
    if cycle.loop.path:
        item = ast.Subscript(outer[0], position, ast.Load())
        scope.reached = {
            name: item if not name else ast.Subscript(item, ast.Constant(name), ast.Load())
            for name in names
        }
    else:
        # What only some rounds make is a dictionary by the round's number as a word.
        word = ast.Constant(str(scope.round.position))
        scope.reached = {
            name: ast.Subscript(base, position if name in in_each_round else word, ast.Load())
            for name, base in zip(names, outer, strict=True)
        }


def list_name(path: str) -> str:
    """What the list of layers at ``path`` is called, wherever in loops it stands."""
    return next(part for part in reversed(path.split(".")) if not part.isdigit())


def singular(name: str) -> str:
    """What one of several is called: ``blocks`` holds a ``block``."""
    last = name.rstrip("_0123456789") or name
    return last[:-1] if last.endswith("s") and not last.endswith("ss") and len(last) > 2 else (
        last if last != name else f"{name}_layer" if len(name) < 3 else name
    )  # fmt: skip


# ── lists ────────────────────────────────────────────────────────────────────────────────────────


def write_list(body: Flow, cycle: Cycle) -> None:
    """``[expert(x) for expert in self.experts]``."""
    loop = cycle.loop
    name = body.reserve(loop.names[0])
    in_each_round = _in_each_round(body, cycle)
    outside = _outside(body, cycle)
    for identity in outside:
        body.reads[identity] += 1
    if cycle.unrolled:
        for round_ in cycle.rounds:
            scope = Scope(body.scope, cycle, round_)
            _reach_by_position(body, cycle, scope, in_each_round)
            before, body.scope = body.scope, scope
            with _alone(body, cycle, round_):
                body.write(round_.parts)
            body.scope = before
        # Read when all are there: a round must not take the variable of the one before.
        items = body.take(*(round_.leaving[0] for round_ in cycle.rounds))
        body.statements.append(Assign(ast.Name(name, ast.Store()), ast.List(items, ast.Load())))
    else:
        _comprehension(body, cycle, cycle.rounds[0], name)
    for identity in outside:
        body.reads[identity] -= 1
    body.keep_list(loop.results, name)


def _comprehension(body: Flow, cycle: Cycle, round_: Round, name: str) -> None:
    scope = Scope(body.scope, cycle, round_)
    target, iterable, meanings = _header(body, cycle, scope)
    with body.stretch(scope) as statements, _bound(body, meanings):
        body.write(round_.parts)
        (value,) = body.take(round_.leaving[0])
        appended = Evaluate(call(ast.Attribute(ast.Name(name), "append", ast.Load()), value))
    whole = ast.Name(name, ast.Store())
    if not statements:
        loop = ast.comprehension(target, iterable, [], 0)
        body.statements.append(Assign(whole, ast.ListComp(value, [loop])))
        return
    body.statements.append(Assign(whole, ast.List([], ast.Load())))
    body.statements.append(For(target, iterable, [*statements, appended]))


# ── if ───────────────────────────────────────────────────────────────────────────────────────────


def write_choice(body: Flow, choice: Choice) -> None:
    """``if self.downsample is not None: ...``; of a branch with one side, that side alone."""
    if choice.one_sided:
        body.write(choice.yes if choice.yes is not None else choice.no or ())
        return
    if choice.passes:
        # The other side's layer is an identity: the one that computes is called in every round.
        body.write(choice.yes or choice.no or ())
        return
    branch = choice.branch
    sides = [(choice.yes or (), choice.after_yes), (choice.no or (), choice.after_no)]
    variables = [_chosen(body, choice, position, sides) for position in range(len(branch.names))]
    written: list[list[Statement]] = []
    for parts, after in sides:
        moves = [
            (variable, value)
            for variable, value, before in zip(variables, after, choice.before, strict=True)
            if value is not before
        ]
        with body.stretch() as statements, _side(body, choice, parts, after, variables):
            for variable, value in moves:
                body.want(value, variable)
            body.write(parts)
            _move(body, moves)
        written.append(statements)
    for variable, result in zip(variables, branch.results, strict=True):
        body.hold(result, variable)
    yes, no = written
    test = _test(body, choice)
    if yes:
        body.statements.append(If(test, yes, no))
    elif no:
        body.statements.append(If(ast.UnaryOp(ast.Not(), test), no))


def _chosen(
    body: Flow, choice: Choice, position: int,
    sides: Sequence[tuple[Sequence[Part], Sequence[ir.Value]]],
) -> str:  # fmt: skip
    """The variable that holds a name's value after the branch; a side that leaves the name alone
    needs it to hold the earlier value beforehand."""
    name, before = choice.branch.names[position], choice.before[position]
    if before is None:
        return body.free(name)
    kept = sum(after[position] is before for _, after in sides)
    body.reads[id(before)] -= 1 + kept
    counts: Counter[int] = Counter()
    for parts, _ in sides:
        values_read(parts, counts)
    if body.name_of(before) == name and body.reads[id(before)] == counts[id(before)]:
        return name  # nobody asks for the earlier value after the branch
    if not kept:
        return body.free(name)
    body.reads[id(before)] += 1
    (expression,) = body.take(before)
    variable = body.free(name)
    body.statements.append(Assign(ast.Name(variable, ast.Store()), expression))
    return variable


@contextmanager
def _side(
    body: Flow, choice: Choice, parts: Sequence[Part], after: Sequence[ir.Value],
    variables: Sequence[str],
) -> Iterator[None]:  # fmt: skip
    """While open, an earlier value counts as read only as often as this side reads it: the other
    side's reads do not keep its variable. A side that leaves it alone keeps it to the end."""
    counts: Counter[int] = Counter()
    values_read(parts, counts)
    parked: dict[int, int] = {}
    for variable, before, value in zip(variables, choice.before, after, strict=True):
        if before is not None and body.name_of(before) == variable:
            own = counts[id(before)] + (value is before)
            body.hold(before, variable)
            parked[id(before)] = body.reads[id(before)] - own
            body.reads[id(before)] = own
    yield
    for identity, reads in parked.items():
        body.reads[identity] += reads


def _test(body: Flow, choice: Choice) -> ast.expr:
    if choice.in_round:
        return of_static(choice.condition, body.naming)
    flag = body.flags[id(choice)]
    attribute = ast.Attribute(ast.Name("self"), flag, ast.Load())
    if flag in body.optional:
        return ast.Compare(attribute, [ast.IsNot()], [ast.Constant(None)])
    return attribute
