"""Variables of a constructor that may be one: ``channels`` before, in and after a loop.

Each size that a loop hands on, and each that a branch leaves, is written with a variable of its
own. Two of them are one where one is set to the other and no reader then finds another value than
it found. Non-goal: what the variables are for (``threaded``)."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from specc.emit.writing.statements import Assign, Augment, Evaluate, For, If, Statement

# What each variable of the outcome holds: the values of these variables.
State: TypeAlias = Mapping[str, frozenset[str]]
# What is written in place of each: another name, or an expression.
Names: TypeAlias = Mapping[str, str | ast.expr]


def coalesced(statements: Sequence[Statement], variables: Iterable[str]) -> dict[str, str]:
    """A name for each of ``variables``, the first that it may share."""
    shared = {name: name for name in variables}
    for pair in _copies(statements, shared):
        into, other = (shared[name] for name in pair)
        if into == other:
            continue
        tried = {name: into if name_ == other else name_ for name, name_ in shared.items()}
        if _Reader(tried).reads_the_same(statements):
            shared = tried
    return shared


def renamed(statements: Sequence[Statement], names: Names) -> list[Statement]:
    """``statements`` with other names for variables, or something else in their place, and without
    what sets one to itself."""
    found: list[Statement] = []
    for statement in statements:
        match statement:
            case Assign():
                target, value = _put(statement.target, names), _put(statement.value, names)
                if not (
                    isinstance(target, ast.Name)
                    and isinstance(value, ast.Name)
                    and target.id == value.id
                ):
                    found.append(_augmented(replace(statement, target=target, value=value)))
            case Evaluate():
                found.append(replace(statement, value=_put(statement.value, names)))
            case For():
                iterable = _put(statement.iterable, names)
                body = renamed(statement.body, names)
                if body:
                    found.append(For(_unread(statement.target, body), iterable, body))
            case If():
                condition = _put(statement.condition, names)
                chosen = _chosen(statement, condition, names)
                if chosen is not None:
                    found.append(chosen)
                    continue
                body, otherwise = (
                    renamed(side, names) for side in (statement.body, statement.otherwise)
                )
                if body:
                    found.append(replace(statement, condition=condition, body=body,
                                         otherwise=otherwise))  # fmt: skip
                elif otherwise:
                    denied = ast.UnaryOp(ast.Not(), condition)
                    found.append(If(denied, otherwise, [], statement.mark))
            case _:
                found.append(statement)
    return found


def _chosen(statement: If, condition: ast.expr, names: Names) -> Assign | None:
    """``features = a if condition else b`` where that is all that the sides do."""
    match statement:
        case If(body=[Assign() as yes], otherwise=[Assign() as no]):
            targets = [_put(side.target, names) for side in (yes, no)]
            if all(isinstance(each, ast.Name) for each in targets) and (
                ast.dump(targets[0]) == ast.dump(targets[1])
            ):
                values = [_put(side.value, names) for side in (yes, no)]
                if ast.dump(targets[0]).replace("Store", "Load") not in map(ast.dump, values):
                    return Assign(targets[0], ast.IfExp(condition, *values), statement.mark)
    return None


def _augmented(statement: Assign) -> Statement:
    """``channels += growth`` for ``channels = growth + channels``."""
    target, value = statement.target, statement.value
    if not isinstance(target, ast.Name) or not isinstance(value, ast.BinOp) or statement.mark:
        return statement
    # The operands of a sum or product, which may stand in any order; of a quotient, the first.
    operands: list[ast.expr] = [value.right]
    left: ast.expr = value.left
    together = isinstance(value.op, ast.Add | ast.Mult)
    while together and isinstance(left, ast.BinOp) and type(left.op) is type(value.op):
        operands.insert(0, left.right)
        left = left.left
    operands.insert(0, left)
    own = [
        place
        for place, operand in enumerate(operands)
        if isinstance(operand, ast.Name) and operand.id == target.id
    ]
    if len(own) != 1 or (own[0] > 0 and not together):
        return statement
    rest = [operand for place, operand in enumerate(operands) if place != own[0]]
    if any(target.id == node.id for operand in rest for node in ast.walk(operand)
           if isinstance(node, ast.Name)):  # fmt: skip
        return statement
    change = rest[0]
    for operand in rest[1:]:
        change = ast.BinOp(change, value.op, operand)
    return Augment(target, value.op, change)


def _unread(target: ast.expr, body: Sequence[Statement]) -> ast.expr:
    """A loop's target with ``_`` for what its body does not speak of."""
    read = {node.id for each in _expressions(body) for node in ast.walk(each)
            if isinstance(node, ast.Name)}  # fmt: skip
    if isinstance(target, ast.Tuple):
        return ast.Tuple([_unread(item, body) for item in target.elts], ast.Store())
    assert isinstance(target, ast.Name)
    return target if target.id in read else ast.Name("_", ast.Store())


def _expressions(statements: Sequence[Statement]) -> Iterator[ast.expr]:
    for statement in statements:
        match statement:
            case Assign() | Evaluate():
                yield statement.value
            case For():
                yield statement.iterable
                yield from _expressions(statement.body)
            case If():
                yield statement.condition
                yield from _expressions([*statement.body, *statement.otherwise])
            case _:
                continue


def _copies(
    statements: Sequence[Statement], variables: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The pairs of variables of which one is set to the other, that which is there first in
    front."""
    for statement in statements:
        match statement:
            case Assign(target=ast.Name(to), value=ast.Name(of)):
                if to in variables and of in variables:
                    yield of, to
            case For():
                yield from _copies(statement.body, variables)
            case If():
                yield from _copies([*statement.body, *statement.otherwise], variables)
            case _:
                continue


def _put(expression: ast.expr, names: Names) -> ast.expr:
    found: ast.expr = _Renamer(names).visit(copy.deepcopy(expression))
    return found


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: Names) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Another name, or what stands in its place."""
        other = self._names.get(node.id, node.id)
        if not isinstance(other, str):
            return copy.deepcopy(other)
        node.id = other
        return node


@dataclass(slots=True)
class _Reader:
    """Goes through statements with variables that are ``shared``, and holds what each reader finds
    against what it found when each had its own."""

    shared: Mapping[str, str]
    same: bool = True

    def reads_the_same(self, statements: Sequence[Statement]) -> bool:
        """Whether every reader finds the value that it wants."""
        self._through(statements, {})
        return self.same

    def _through(self, statements: Sequence[Statement], state: State) -> State:
        for statement in statements:
            match statement:
                case Assign():
                    self._read(statement.value, state)
                    state = self._set(statement, state)
                case Evaluate():
                    self._read(statement.value, state)
                case If():
                    self._read(statement.condition, state)
                    yes = self._through(statement.body, state)
                    state = _both(yes, self._through(statement.otherwise, state))
                case For():
                    self._read(statement.iterable, state)
                    state = self._loop(statement, state)
                case _:
                    continue
        return state

    def _loop(self, loop: For, state: State) -> State:
        while True:
            before = self.same
            after = _both(state, self._through(loop.body, state))
            if after == state:
                return state
            self.same = before  # what was read in a round that was not the last way round
            state = after

    def _set(self, statement: Assign, state: State) -> State:
        if not isinstance(statement.target, ast.Name) or statement.target.id not in self.shared:
            return state
        name, held = statement.target.id, frozenset[str]()
        value = statement.value
        if isinstance(value, ast.Name) and value.id in self.shared:
            held = state.get(self.shared[value.id], frozenset())
        found = {each: values - {name} for each, values in state.items()}
        found[self.shared[name]] = (held | {name}) if held else frozenset([name])
        return found

    def _read(self, expression: ast.expr, state: State) -> None:
        for node in ast.walk(expression):
            if isinstance(node, ast.Name) and node.id in self.shared:
                if node.id not in state.get(self.shared[node.id], frozenset()):
                    self.same = False


def _both(left: State, right: State) -> State:
    return {name: values & right[name] for name, values in left.items() if name in right}
