"""Mutants of a file: each is its source with one decision made otherwise.

A decision is a comparison, an ``and`` or ``or``, a ``not``, a branch, a bool that is returned or
given, a number of policy, an element of a table. What a message says and what a type checker alone
reads (annotations, assertions) is none. Non-goals: running tests (``mutants``), which tests reach a
line (``mutants_reached``).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_FLIPPED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
# Calls whose tuple is a choice of several, and not a place for each.
_OF_SEVERAL = frozenset({"startswith", "endswith", "isinstance", "issubclass", "frozenset", "set"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

Change = Callable[[ast.AST], ast.AST | None]


@dataclass(frozen=True)
class Mutant:
    """``node`` counts the nodes of the file in ``ast.walk``'s order, ``way`` the changes of that
    node. ``names`` are the module's constants that it changes; empty inside a function."""

    path: Path
    node: int
    way: int
    first: int
    last: int
    before: str
    after: str
    names: tuple[str, ...] = ()
    source: str = field(default="", repr=False)

    def tree(self) -> ast.Module:
        """The mutated file, as it was when the mutant was made."""
        tree = ast.parse(self.source)
        _replaced(tree, self.node, self.way)
        return tree

    def __str__(self) -> str:
        return f"{self.path}:{self.first}: {_short(self.before)}  →  {_short(self.after)}"


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every mutant of a file, in the order of its nodes."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    surroundings = _surroundings(tree)
    for number, node in enumerate(ast.walk(tree)):
        around = surroundings.get(node)
        if around is None:
            continue
        for way, change in enumerate(_changes(node, around)):
            changed = change(copy.deepcopy(node))
            if changed is None:
                continue
            assert isinstance(node, ast.expr | ast.stmt)
            head = node.test if isinstance(node, ast.If | ast.While) else node
            before, after = (ast.unparse(_head(each)) for each in (node, changed))
            if before != after:
                last = head.end_lineno or head.lineno
                lines = node.lineno, last
                yield Mutant(path, number, way, *lines, before, after, around.names, source)


@dataclass(frozen=True)
class _Around:
    """Where a node stands: its parent, whether the function around it returns a bool, and at the
    top of a module the names that its statement gives."""

    parent: ast.AST
    decides: bool
    names: tuple[str, ...]


def _surroundings(tree: ast.Module) -> dict[ast.AST, _Around]:
    found: dict[ast.AST, _Around] = {}

    def visit(node: ast.AST, parent: ast.AST, decides: bool, names: tuple[str, ...] | None) -> None:
        """``names`` is None inside a function."""
        found[node] = _Around(parent, decides, names or ())
        if isinstance(node, ast.Assert | ast.Raise):
            del found[node]
            return
        if isinstance(node, _FUNCTIONS):
            returns = getattr(node, "returns", None)
            decides = isinstance(returns, ast.Name) and returns.id == "bool"
            body = node.body if isinstance(node.body, list) else [node.body]
            for each in body:
                visit(each, node, decides, None)
            return
        for part, value in ast.iter_fields(node):
            if part in ("annotation", "returns", "decorator_list", "format_spec"):
                continue
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    visit(each, node, decides, names)

    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            visit(statement, tree, False, None)
        elif isinstance(statement, ast.ClassDef):
            for each in statement.body:
                if isinstance(each, ast.FunctionDef):
                    visit(each, statement, False, None)
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = tuple(each.id for each in targets if isinstance(each, ast.Name))
            if names and names != ("__all__",):
                visit(statement.value, statement, False, names)
    return found


def _changes(node: ast.AST, around: _Around) -> Iterator[Change]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in _FLIPPED[type(node.ops[0])]:
            yield lambda it, other=other: _set(it, ops=[other()])
    elif isinstance(node, ast.Compare):
        for k, op in enumerate(node.ops):
            other = _FLIPPED[type(op)][0]
            ops = [*node.ops[:k], other(), *node.ops[k + 1 :]]
            yield lambda it, ops=ops: _set(it, ops=ops)
    elif isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield lambda it: _set(it, op=other())
        for k in range(len(node.values)):
            yield lambda it, k=k: _without(it, "values", k)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield lambda it: it.operand
    elif isinstance(node, ast.If | ast.IfExp):
        yield lambda it: _set(it, test=ast.Constant(True))
        yield lambda it: _set(it, test=ast.Constant(False))
    elif isinstance(node, ast.comprehension):
        return
    elif isinstance(node, ast.Return) and around.decides and node.value is not None:
        yield lambda it: _set(it, value=ast.UnaryOp(ast.Not(), it.value))
    elif isinstance(node, ast.Constant):
        yield from _constant(node, around)
    elif isinstance(node, ast.Set | ast.Dict | ast.List | ast.Tuple):
        yield from _table(node, around)
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        for k, part in enumerate(node.generators):
            for j in range(len(part.ifs)):
                yield lambda it, k=k, j=j: _without(it.generators[k], "ifs", j) and it


def _constant(node: ast.Constant, around: _Around) -> Iterator[Change]:
    number = node.value
    if isinstance(number, bool):
        given = (ast.keyword, ast.Assign, ast.AnnAssign)
        if isinstance(around.parent, given):
            yield lambda it: _set(it, value=not number)
    elif isinstance(number, int) and (around.names or isinstance(around.parent, ast.Compare)):
        yield lambda it: _set(it, value=number + 1)
    elif isinstance(number, float) and (around.names or isinstance(around.parent, ast.Compare)):
        yield lambda it: _set(it, value=number * 2 or 1e-3)


def _table(node: ast.Set | ast.Dict | ast.List | ast.Tuple, around: _Around) -> Iterator[Change]:
    if isinstance(node, ast.Dict):
        for k in range(len(node.keys)):
            yield lambda it, k=k: _without(it, "keys", k) and _without(it, "values", k)
        return
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load) or len(node.elts) < 2:
        return
    parent = around.parent
    if isinstance(node, ast.Tuple) and not around.names:
        called = parent.func if isinstance(parent, ast.Call) else None
        name = getattr(called, "attr", getattr(called, "id", ""))
        of_several = name in _OF_SEVERAL or isinstance(parent, ast.Compare)
        if not of_several:
            return
    for k in range(len(node.elts)):
        yield lambda it, k=k: _without(it, "elts", k)


def _set(node: ast.AST, **fields: object) -> ast.AST:
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def _without(node: ast.AST, field: str, at: int) -> ast.AST:
    del getattr(node, field)[at]
    if isinstance(node, ast.BoolOp) and len(node.values) == 1:
        return node.values[0]
    return node


def _replaced(tree: ast.Module, number: int, way: int) -> None:
    surroundings = _surroundings(tree)
    node = next(each for k, each in enumerate(ast.walk(tree)) if k == number)
    changed = list(_changes(node, surroundings[node]))[way](node)
    parent = surroundings[node].parent
    assert changed is not None
    ast.copy_location(changed, node)
    for part, value in ast.iter_fields(parent):
        if value is node:
            setattr(parent, part, changed)
        elif isinstance(value, list):
            value[:] = [changed if each is node else each for each in value]
    ast.fix_missing_locations(tree)


def _head(node: ast.AST) -> ast.AST:
    """A statement without what it holds."""
    if isinstance(node, ast.If | ast.While):
        return ast.If(node.test, [ast.Expr(ast.Constant(...))], [])
    return node


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 110 else f"{text[:107]}…"
