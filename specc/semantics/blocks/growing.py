"""Loops in which a list of tensors grows or shrinks: ``features = features + [x]``.

Their rounds are no text that a variable stands for: what one round makes, the rounds after it and
what follows the loop read by its own name. So each is read as if it were written out, and kept
apart; so is what makes a list of lists. Non-goal: loops that carry as many tensors as they began
with (``loops``)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from specc import ir
from specc.errors import Span
from specc.semantics.blocks.rounds import Passed, Rounds, Spaces
from specc.semantics.compile_time import static_functions
from specc.semantics.compile_time.carried import Carried
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    Items,
    describe,
    is_nest,
    is_poisoned,
    is_static,
)
from specc.semantics.compile_time.library import MOST_WRITTEN_OUT
from specc.semantics.naming.graph import Elaborate, Graph
from specc.syntax.tree import ast


def grows(
    body: Sequence[ast.Statement], env: Mapping[str, Entity], variables: Collection[str] = ()
) -> bool:
    """Whether ``body``, run in ``env``, binds a list of tensors to one that is longer or shorter,
    by its form alone: to itself with something beside it, or to a part of itself. So a number to
    which each round adds a tensor: ``total = 0.0`` before it, ``total = total + y`` in it.
    ``variables`` are those of the loop that stand for tensors."""
    resized = any(is_nest(env.get(name)) for name in _resized(body))
    return resized or _sums_up(body, env, variables)


def _sums_up(
    body: Sequence[ast.Statement], env: Mapping[str, Entity], variables: Collection[str]
) -> bool:
    bound = list(_bound(body))
    sums = {name for name, value in bound if _is_number(env.get(name)) and _reads(value, {name})}
    if not sums:
        return False
    tensors = {*variables}
    tensors |= {name for name, entity in env.items() if isinstance(entity, ir.Value)}
    # What a later line makes, an earlier one reads in the next round.
    for _ in bound:
        more = {name for name, value in bound if name not in tensors and _is_made(value, tensors)}
        if not more:
            break
        tensors |= more
    return not sums.isdisjoint(tensors)


def _is_number(entity: Entity) -> bool:
    return entity is not None and not isinstance(entity, Items) and is_static(entity)


def _bound(statements: Iterable[ast.Statement]) -> Iterator[tuple[str, ast.Expression]]:
    """Each name that is assigned anywhere in ``statements``, and to what."""
    for statement in statements:
        match statement:
            case ast.Assign(targets=targets, value=value):
                yield from ((target.name, value) for target in targets if target.name is not None)
            case ast.If():
                yield from _bound(statement.body + statement.otherwise)
            case ast.For():
                yield from _bound(statement.body)


def _is_made(value: ast.Expression, tensors: Collection[str]) -> bool:
    """Whether ``value`` is a tensor, by its form: it flows through a layer, or is computed from
    one."""
    match value:
        case ast.Pipeline():
            return True
        case ast.CallExpression(callee=ast.Name(name=name)) if name not in static_functions.NAMES:
            return True
    return _reads(value, tensors)


def _reads(node: ast.Node, names: Collection[str]) -> bool:
    return (isinstance(node, ast.Name) and node.name in names) or any(
        _reads(each, names) for each in ast.inner(node)
    )


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
    if not _are_few(graph, len(passed.indices), statement.span):
        return False
    known = {name for name in names if name in graph.env}
    before = Carried(graph.env, names)
    lists = {name: graph.env[name] for name in known if is_nest(graph.env[name])}
    variables = [each.name for each in statement.variables]
    rounds = Rounds(
        graph, variables, statement.span, passed.tensors, written_out=True
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
            "for", path, ", ".join(variables), passed.bounds, passed.items, (), (),
            tuple(rounds.iterations), (), statement.span, written_out=True,
        )
    )  # fmt: skip
    return True


def lists_in_a_list(
    graph: Graph, expression: ast.Comprehension, passed: Passed, elaborate: Elaborate
) -> Entity:
    """``[[x, relu(x)] for x in features]``, of numbers too, each list read in turn; POISON where a
    fault was reported."""
    variables = [each.name for each in expression.variables]
    rounds = Rounds(
        graph, variables, expression.span, passed.tensors, written_out=True
    )  # fmt: skip
    body = (ast.Output(span=expression.span, values=(expression.element,)),)
    spaces = Spaces(graph, "", body)
    found: list[Entity] = []
    for position, (index, form) in enumerate(passed.indices):
        errors = graph.faults
        with rounds.round(index, form), graph.inside(spaces(position)) as nodes:
            value = elaborate(graph, expression.element)
            if is_poisoned(value) or graph.faults > errors:
                return POISON
            rounds.keep(index, nodes, (), ())
        if nodes and not _are_few(graph, 1, expression.span):
            return POISON
        found.append(value)
    if any(each.nodes for each in rounds.iterations):
        graph.nodes.append(
            ir.Loop(
                "for", "", ", ".join(variables), passed.bounds, passed.items, (), (),
                tuple(rounds.iterations), (), expression.span, written_out=True,
            )
        )  # fmt: skip
    return Items(tuple(found))


def _are_few(graph: Graph, rounds: int, span: Span) -> bool:
    graph.library.written_out += rounds
    if graph.library.written_out <= MOST_WRITTEN_OUT:
        return True
    graph.error(
        "E0235",
        f"a loop in which a list grows is written out round by round, and {MOST_WRITTEN_OUT:,}"
        " rounds are the most",
        span,
        "keep what a round makes in a tensor: `ys = cat([ys, y], dim=1)`, or make the list by"
        " `[... for k in range(n)]`",
    )
    return False


def _is_kept(
    graph: Graph, name: str, before: Carried, lists: Mapping[str, Entity], span: Span
) -> bool:
    """Whether ``name`` is, after a round, still the kind of thing that it was; E0238 where not."""
    value = graph.env.get(name)
    if is_poisoned(value):
        return False
    if name in lists:
        # One that is empty may become one of numbers.
        fits = is_nest(value) or (lists[name] == Items(()) and is_static(value))
        was = "a list of tensors"
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
