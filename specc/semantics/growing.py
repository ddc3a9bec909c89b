"""Loops in which a list of tensors grows or shrinks: ``features = features + [x]``.

Their rounds are no text that a variable stands for: what one round makes, the rounds after it and
what follows the loop read by its own name. So each is read as if it were written out, and kept
apart. Non-goal: loops that carry as many tensors as they began with (``loops``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from specc import ir
from specc.errors import Span
from specc.semantics.carried import Carried
from specc.semantics.entities import Entity, Items, describe, is_poisoned, is_tensors
from specc.semantics.graph import Graph
from specc.semantics.library import MOST_WRITTEN_OUT
from specc.semantics.rounds import Passed, Rounds, Spaces
from specc.syntax import ast


def grows(body: Sequence[ast.Statement], env: Mapping[str, Entity]) -> bool:
    """Whether ``body``, run in ``env``, binds a list of tensors to one that is longer or shorter,
    by its form alone: to itself with something beside it, or to a part of itself."""
    return any(_is_list(env.get(name)) for name in _resized(body))


def _is_list(value: Entity) -> bool:
    return isinstance(value, Items) and (not value.items or is_tensors(value))


def _resized(statements: Iterable[ast.Statement]) -> Iterator[str]:
    for statement in statements:
        match statement:
            case ast.Assign(targets=(ast.Target(name=str() as name),), value=value):
                if _resizes(value, name):
                    yield name
            case ast.If():
                yield from _resized(statement.body + statement.otherwise)
            case ast.For():
                yield from _resized(statement.body)


def _resizes(value: ast.Expression, name: str) -> bool:
    match value:
        case ast.Binary(operator="+"):
            return any(
                _resizes(side, name) or (isinstance(side, ast.Name) and side.name == name)
                for side in (value.left, value.right)
            )
        case ast.Subscript(value=ast.Name(name=of), indices=(ast.Slice(),)):
            return of == name
    return False


def written_out(
    graph: Graph, statement: ast.For, passed: Passed, path: str, names: Sequence[str]
) -> bool:
    """Reads each round of ``statement`` in turn; False where a fault was reported. ``names`` are
    those that its body binds, ``path`` is its label's."""
    graph.library.written_out += len(passed.indices)
    if graph.library.written_out > MOST_WRITTEN_OUT:
        graph.error(
            "E0235",
            f"a loop in which a list grows is written out round by round, and {MOST_WRITTEN_OUT:,}"
            " rounds are the most",
            statement.span,
            "keep what a round makes in a tensor: `ys = cat([ys, y], dim=1)`, or make the list by"
            " `[... for k in range(n)]`",
        )
        return False
    known = {name for name in names if name in graph.env}
    before = Carried(graph.env, names)
    lists = {name for name in known if _is_list(graph.env[name])}
    rounds = Rounds(
        graph, statement.variables, statement.span, passed.tensors, written_out=True
    )  # fmt: skip
    spaces = Spaces(graph, path, statement.body)
    for position, (index, form) in enumerate(passed.indices):
        errors = graph.faults
        with rounds.round(index, form), graph.inside(spaces(position)) as nodes:
            graph.library.run(graph, statement.body)
            if graph.faults > errors:
                return False
            for name in names:
                if name not in known:
                    graph.env.pop(name, None)
                elif not _is_kept(graph, name, before, lists, statement.span):
                    return False
            rounds.keep(index, nodes, (), ())
    graph.nodes.append(
        ir.Loop(
            "for", path, ", ".join(statement.variables), passed.bounds, passed.items, (), (),
            tuple(rounds.iterations), (), statement.span, written_out=True,
        )
    )  # fmt: skip
    return True


def _is_kept(graph: Graph, name: str, before: Carried, lists: set[str], span: Span) -> bool:
    """Whether ``name`` is, after a round, still the kind of thing that it was; E0238 where not."""
    value = graph.env.get(name)
    if is_poisoned(value):
        return False
    if name in lists:
        fits, was = _is_list(value), "a list of tensors"
    elif name in before.counts:
        fits, was = isinstance(value, ir.Value), "a tensor"
    else:
        return True
    if not fits:
        graph.error(
            "E0238", f"`{name}` is {was} when the loop begins and {describe(value)} at its end",
            span, "give what is made in the loop another name",
        )  # fmt: skip
    return fits
