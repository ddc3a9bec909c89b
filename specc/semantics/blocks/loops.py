"""``for``, lists made by ``for``, and compile-time ``if``.

Each reads its statements as often as they run, and keeps them apart, so that the emitted source
can say the loop and not its iterations. Non-goal: the statements inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from specc import ir
from specc.errors import Span
from specc.semantics.blocks.chains import labelled
from specc.semantics.blocks.growing import grows, lists_in_a_list, written_out
from specc.semantics.blocks.rounds import Rounds, Spaces, check_variables, iterable
from specc.semantics.compile_time import static
from specc.semantics.compile_time.carried import Carried
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    Items,
    Poison,
    describe,
    is_poisoned,
    is_static,
    to_static,
)
from specc.semantics.compile_time.layers_made import assigned_names
from specc.semantics.compile_time.threads import with_symbols
from specc.semantics.naming.graph import Elaborate, Graph, Hint
from specc.sizes import Size, evaluate
from specc.syntax.tree import ast

# ── for ──────────────────────────────────────────────────────────────────────────────────────────


def for_loop(graph: Graph, statement: ast.For, elaborate: Elaborate) -> None:
    """``label: for i in range(n) { ... }``: names rebound level by level."""
    body = statement.body
    names = list(dict.fromkeys(assigned_names(body)))
    variables = [each.name for each in statement.variables]
    found = iterable(graph, statement.iterable, elaborate, len(variables))
    if found is None or not check_variables(graph, statement.variables):
        _poison(graph, names)
        return
    bounds, items, indices, tensors = found
    path = ""
    if statement.label is not None:
        place = statement.span._replace(end=statement.span.start + len(statement.label))
        path = labelled(graph, statement.label, place) or ""
        if not path:
            _poison(graph, names)
            return
    if grows(body, graph.env, variables if tensors else ()):
        if not written_out(graph, statement, found, path, names):
            _poison(graph, names)
        return
    before = dict(graph.env)
    known = {name for name in names if name in before}
    held = Carried(graph.env, names)
    carried, initial = held.names, held.values(graph.env)
    rounds = Rounds(graph, variables, statement.span, tensors)
    spaces = Spaces(graph, path, body)
    current = rounds.carry(carried, initial)
    for position, (index, form) in enumerate(indices):
        graph.env.update(held.bound(current))
        errors = graph.faults
        with rounds.round(index, form), graph.inside(spaces(position)) as nodes:
            graph.library.run(graph, body)
            leaving = held.entities(graph.env)
            if graph.faults > errors or not all(isinstance(v, ir.Value) for v in leaving):
                _not_carried(graph, carried, leaving, statement.span, errors)
                _poison(graph, names)
                return
            values = tuple(value for value in leaving if isinstance(value, ir.Value))
            rounds.keep(index, nodes, tuple(current), values)
            for name in names:
                if name not in known:
                    graph.env.pop(name, None)
                elif name not in held.counts:
                    if isinstance(graph.env[name], ir.Value) or not _is_compile_time(
                        graph, name, statement.span
                    ):
                        _not_kept(graph, name, before[name], statement.span)
                        _poison(graph, names)
                        return
                    graph.env[name] = rounds.settled_static(graph.env[name])
        current = rounds.next(carried, values)
    results = rounds.last(current, (bounds, items))
    graph.env.update(held.bound(results))
    graph.nodes.append(
        ir.Loop(
            "for", path, ", ".join(variables), bounds, items, tuple(carried),
            initial, tuple(rounds.iterations), results, statement.span, threads=rounds.threads,
        )
    )  # fmt: skip


def _not_kept(graph: Graph, name: str, before: Entity, span: Span) -> None:
    """An E0238 for a number, or an empty list, that a round makes a tensor of."""
    value = graph.env.get(name)
    if isinstance(value, ir.Value):
        graph.error(
            "E0238", f"`{name}` is {describe(before)} when the loop begins and a tensor at its end",
            span, "give what is made in the loop another name, or begin with a tensor",
        )  # fmt: skip


def _is_compile_time(graph: Graph, name: str, span: Span) -> bool:
    """Whether a name that a loop or branch binds anew holds no list of tensors, which no variable
    of the emitted source could carry out of it; an E0238 where it does."""
    value = graph.env.get(name)
    if not isinstance(value, Items) or is_static(value) or is_poisoned(value):
        return True
    graph.error(
        "E0238", f"`{name}` is a list of tensors, and cannot be bound anew in here", span,
        "give the list made inside another name, or cat() it into one tensor",
    )  # fmt: skip
    return False


def _not_carried(
    graph: Graph, carried: list[str], leaving: list[Entity], span: Span, errors: int
) -> None:
    """Reports a name that held a tensor before the round and holds something else after it."""
    if graph.faults > errors:
        return
    for name, value in zip(carried, leaving, strict=True):
        if isinstance(value, Items):
            whole, _, _ = name.rpartition("_")
            graph.error(
                "E0238",
                f"`{whole}` is a list of tensors when the loop begins, and at its end it is not one"
                " of as many",
                span,
                "give what is made in the loop another name, or write the rounds out",
            )
            return
        if not isinstance(value, ir.Value | Poison):
            graph.error(
                "E0238",
                f"`{name}` is a tensor when the loop begins and {describe(value)} at its end",
                span,
                "give what is made in the loop another name",
            )


# ── lists ────────────────────────────────────────────────────────────────────────────────────────


def listing(
    graph: Graph, expression: ast.Comprehension, hint: Hint, elaborate: Elaborate
) -> Entity:
    """``[x -> Expert(64) for e in range(4)]``: a list of values, each with layers of its own."""
    variables = [each.name for each in expression.variables]
    found = iterable(graph, expression.iterable, elaborate, len(variables))
    if found is None or not check_variables(graph, expression.variables):
        return POISON
    if isinstance(expression.element, ast.Comprehension | ast.Sequence):
        return lists_in_a_list(graph, expression, found, elaborate)
    bounds, items, indices, tensors = found
    rounds = Rounds(graph, variables, expression.span, tensors)
    spaces = Spaces(graph, "", (ast.Output(span=expression.span, values=(expression.element,)),))
    results: list[Entity] = []
    picked: list[Entity] = []
    for position, (index, form) in enumerate(indices):
        errors = graph.faults
        with rounds.round(index, form), graph.inside(spaces(position)) as nodes:
            value = elaborate(graph, expression.element)
            if is_poisoned(value) or graph.faults > errors:
                return POISON
            if isinstance(value, Items) and not is_static(value):
                return graph.error(
                    "E0238", "a list holds one tensor a round, not a list of them",
                    expression.span, "stack() or cat() the inner ones",
                )  # fmt: skip
            if isinstance(value, ir.Value):
                picked += [] if nodes else [value]
                rounds.keep(index, nodes, (), (value,))
                type_ = rounds.settled(value.type)
                results.append(ir.Value(value.name, type_, value.span, named=False))
            else:
                results.append(rounds.settled_static(value))
    made = [item for item in results if isinstance(item, ir.Value)]
    if not made:
        return Items(tuple(results))
    if len(made) < len(results):
        return graph.error("E0238", "a list is of tensors or of numbers", expression.span)
    if len(picked) == len(made):
        return Items(tuple(picked))  # nothing is computed: it holds what was there
    name = hint if isinstance(hint, str) else "items"
    graph.nodes.append(
        ir.Loop(
            "list", "", ", ".join(variables), bounds, items, (name,), (),
            tuple(rounds.iterations), tuple(made), expression.span,
        )
    )  # fmt: skip
    return Items(tuple(results))


# ── if ───────────────────────────────────────────────────────────────────────────────────────────


def if_statement(graph: Graph, statement: ast.If, elaborate: Elaborate) -> None:
    """``if cond { } else { }``: decided now; only the side taken is read."""
    names = list(dict.fromkeys(assigned_names(statement.body + statement.otherwise)))
    decision = decide(graph, statement, elaborate)
    if decision is None:
        _poison(graph, names)
        return
    condition, decided = decision
    before = {name: graph.env.get(name) for name in names}
    with graph.inside() as nodes:
        side = statement.body if decided else statement.otherwise
        graph.library.run(graph, side)
    for name in [item.name for item in side if isinstance(item, ast.State)]:
        # It is there inside the braces alone; a value that took over its name may leave them.
        if id(graph.env.get(name)) in graph.kept:
            del graph.env[name]
    for declaration in graph.declared.values():
        if declaration.nodes is nodes and declaration.path not in graph.layers:
            # Declared inside, fed after it: it comes to be between.
            declaration.nodes, declaration.position = graph.nodes, len(graph.nodes)
    if not isinstance(condition, ir.Scalar):
        graph.nodes += nodes  # nobody will decide it again
        return
    held, ahead = Carried(graph.env, names), Carried(before, names)
    changed, after = held.names, held.values(graph.env)
    known_before = dict(zip(ahead.names, ahead.values(before), strict=True))
    earlier = [known_before.get(name) for name in changed]
    results, threads = _left_behind(graph, statement.span, changed, earlier, after)
    graph.env.update(held.bound(results))
    graph.nodes.append(
        ir.Branch(
            condition, decided, tuple(nodes), tuple(changed),
            tuple(earlier), after, tuple(results), statement.span, threads,
        )
    )  # fmt: skip


def _left_behind(
    graph: Graph, span: Span, names: Sequence[str], before: Sequence[ir.Value | None],
    after: Sequence[ir.Value],
) -> tuple[list[ir.Value], tuple[ir.Thread, ...]]:  # fmt: skip
    """What a branch is known by after it; in a loop, whose rounds may take other sides, with
    symbols for the sizes that it changes."""
    threads, start = graph.threads, span.start
    threads.chooses |= bool(graph.meanings)
    results, said, known = [], list[ir.Thread](), dict[str, Size]()
    for position, (name, old, new) in enumerate(zip(names, before, after, strict=True)):
        kept: dict[int, str] = {}
        if graph.meanings and old is not None:
            threads.note(start, name, old.type, new.type, graph.params)
            for dimension, symbol in threads.of(start, name, len(new.type.shape)):
                number = evaluate(new.type.shape[dimension], graph.params)
                if isinstance(number, int) and len(old.type.shape) == len(new.type.shape):
                    kept[dimension], known[symbol] = symbol, number
                    said.append(ir.Thread(symbol, position, dimension))
                    threads.forms = {**threads.forms, symbol: new.type.shape[dimension]}
        results.append(ir.Value(name, with_symbols(new.type, kept), new.span))
    if known:
        graph.params = {**graph.params, **known}
    return results, tuple(said)


def decide(
    graph: Graph, statement: ast.If, elaborate: Elaborate
) -> tuple[Entity, bool] | None:  # fmt: skip
    """The condition of ``statement`` and whether it holds; None where it was reported."""
    known = len(graph.collector.items)
    condition = elaborate(graph, statement.condition)
    _undecided(graph, known)
    place = statement.condition.span
    if is_poisoned(condition):
        return None
    try:
        decided = static.plain(to_static(condition), graph.params) if is_static(condition) else None
    except static.Undecided as open_:
        graph.error(
            "E0234", f"this is decided when the model is built, and {open_.size} is not known then",
            place, "decide by a param, or by a size that is a number",
        )  # fmt: skip
        return None
    if not isinstance(decided, bool):
        advice = (
            "an `if` is decided when the model is built; tensors are chosen from by"
            " `where(condition, a, b)`"
        )
        if is_static(condition):
            advice = 'write a comparison: `k > 0`, `k != none`, `mode == "same"`'
        graph.error("E0234", f"`if` wants true or false, not {describe(condition)}", place, advice)
        return None
    return condition, decided


def _undecided(graph: Graph, known: int) -> None:
    """Says of what was reported after the first ``known`` faults that an `if` asked for it."""
    items = graph.collector.items
    for position in range(known, len(items)):
        if items[position].code == "E0216":
            items[position] = replace(
                items[position],
                code="E0234",
                message=f"`if` is decided when the model is built: {items[position].message}",
                help="decide by a param, or by a size that is a number",
            )


def _poison(graph: Graph, names: Iterable[str]) -> None:
    for name in names:
        graph.env[name] = POISON
