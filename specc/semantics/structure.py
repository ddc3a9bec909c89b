"""Chains, ``repeat``, ``for``, lists made by ``for``, and compile-time ``if``.

Each reads its statements as often as they run, and keeps them apart, so that the emitted source
can say the loop and not its iterations. Non-goal: the statements and stages inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

from specc import ir
from specc.errors import Span
from specc.semantics import static
from specc.semantics.entities import (
    POISON,
    Entity,
    Items,
    Poison,
    describe,
    is_poisoned,
    is_static,
    to_static,
)
from specc.semantics.graph import Elaborate, Graph, Hint
from specc.semantics.library import MOST_TIMES
from specc.semantics.names import check_label, check_name
from specc.semantics.places import Namespace
from specc.semantics.sites import assigned_names, site_names, sites
from specc.sizes import Poly, Size, evaluate, symbol
from specc.syntax import ast

# A stage of a pipe, read where it stands.
ReadStage: TypeAlias = Callable[[Graph, ast.Stage, Entity, Hint], Entity]


# ── chains and repeats ───────────────────────────────────────────────────────────────────────────


def chain(
    graph: Graph, stage: ast.Stage, target: ast.Chain, value: Entity, hint: Hint, read: ReadStage
) -> Entity:
    """``label: { A -> B }``: an ``nn.Sequential`` of the stages."""
    if not isinstance(value, ir.Value):
        return _no_value(graph, "a chain", value, stage.span)
    path = graph.place(stage.label, target.span.start)
    result: Entity = value
    with graph.inside(Namespace("positions", path, splices=True)) as nodes:
        for inner in target.stages:
            result = read(graph, inner, result, None)
            if isinstance(result, Items):
                result = graph.error(
                    "E0228", "a stage of a chain gives one result", inner.span,
                    "name them: `a, b = ...`, outside the chain",
                )  # fmt: skip
    if not isinstance(result, ir.Value):
        return POISON
    made = graph.value(result.type, target.span, hint)
    graph.nodes.append(ir.Chain(path, _renamed(nodes, result, made), value, made, target.span))
    return made


def _renamed(nodes: list[ir.Node], last: ir.Value, result: ir.Value) -> tuple[ir.Node, ...]:
    """``nodes`` where what the last one gives is called ``result``."""
    final = nodes[-1]
    if isinstance(final, ir.LayerCall) and final.result is last:
        return (*nodes[:-1], replace(final, result=result))
    if isinstance(final, ir.Chain) and final.result is last:
        inner = _renamed(list(final.nodes), last, result)
        return (*nodes[:-1], replace(final, nodes=inner, result=result))
    if isinstance(final, ir.Loop) and final.results == (last,):
        return (*nodes[:-1], replace(final, results=(result,)))
    return tuple(nodes)


def repeat(
    graph: Graph, stage: ast.Stage, target: ast.Repeat, value: Entity, hint: Hint, read: ReadStage,
    elaborate: Elaborate,
) -> Entity:  # fmt: skip
    """``label: repeat(n) Block(...)``: n instances in a row, ``i`` the position of each."""
    if not isinstance(value, ir.Value):
        return _no_value(graph, "`repeat`", value, stage.span)
    count = _whole_number(graph, elaborate(graph, target.count), target.count.span)
    if count is None:
        return POISON
    written, times = count
    if not _counted(graph, times, target.count.span):
        return POISON
    spliced = graph.namespace.splices and stage.label is None
    offset = graph.namespace.position if spliced else 0
    path = graph.namespace.path if spliced else graph.place(stage.label, target.span.start)
    inner = stage.model_copy(update={"label": None, "target": target.target})
    rounds = _Rounds(graph, "i", target.span)
    current = rounds.enter("x", value.type, value.span, named=False)
    for index in range(times):
        space = Namespace("positions", path, position=offset + index)
        with rounds.round(index, index), graph.inside(space) as nodes:
            result = read(graph, inner, current, None)
            if isinstance(result, Items):
                result = graph.error(
                    "E0228", "`repeat` carries one value from each to the next", target.span,
                    "write the rounds as `for i in range(n) { ... }`",
                )  # fmt: skip
            if not isinstance(result, ir.Value):
                return POISON
            rounds.keep(index, nodes, (current,), (result,))
        current = rounds.enter("x", rounds.settled(result.type), value.span, named=False)
    if spliced:
        graph.namespace.position += times
    made = graph.value(current.type, target.span, hint)
    graph.nodes.append(
        ir.Loop(
            "repeat", "" if spliced else path, "i", (written,), None, ("x",), (value,),
            tuple(rounds.iterations), (made,), target.span, offset,
        )
    )  # fmt: skip
    return made


def _no_value(graph: Graph, what: str, value: Entity, span: Span) -> Entity:
    if isinstance(value, Poison) or is_poisoned(value):
        return POISON
    return graph.error("E0224", f"{what} takes a tensor, not {describe(value)}", span)


def _counted(graph: Graph, times: int, span: Span) -> bool:
    if times < 0:
        graph.error("E0235", f"nothing can be done {times} times", span, "count from 0 upwards")
    elif times > MOST_TIMES:
        graph.error(
            "E0235", f"{times:,} times are more than the {MOST_TIMES:,} that a spec may ask for",
            span, "is this the right number?",
        )  # fmt: skip
    return 0 <= times <= MOST_TIMES


def _whole_number(graph: Graph, entity: Entity, span: Span) -> tuple[ir.Static, int] | None:
    """A count as written and as the number it is; None where it was reported."""
    if is_poisoned(entity):
        return None
    if isinstance(entity, bool) or not isinstance(entity, int | Poly):
        graph.error("E0235", f"a count is a whole number, not {describe(entity)}", span)
        return None
    number = evaluate(entity, graph.params)
    if not isinstance(number, int):
        graph.error(
            "E0235", f"how often is known only when the model runs: {number}", span,
            "count with a number or a param",
        )  # fmt: skip
        return None
    return entity, number


# ── rounds ───────────────────────────────────────────────────────────────────────────────────────


class _Rounds:
    """The iterations of one loop. Inside each its variable is a symbol, whose value is known; what
    leaves it is said without the symbol."""

    def __init__(self, graph: Graph, variable: str, span: Span) -> None:
        self.graph = graph
        self.variable = variable
        self.span = span
        self.iterations: list[ir.Iteration] = []
        self._outer_params = graph.params
        self._outer = graph.env.get(variable)
        self._had = variable in graph.env
        self._index: ir.Static = None
        self._form: ir.Static = None

    def enter(self, name: str, type_: ir.TensorType, span: Span, *, named: bool = True) -> ir.Value:
        """What stands for a carried value at the beginning of a round."""
        if self.variable in self._outer_params:
            # The variable of a loop around has the same name, and means something else inside.
            outer = {self.variable: self._outer_params[self.variable]}
            type_ = _in_terms_of(type_, outer)
        return ir.Value(name, type_, span, named)

    def round(self, index: ir.Static, form: ir.Static) -> _Rounds:
        """The round in which the variable is ``index``, ``form`` in terms of the params."""
        self._index, self._form = index, form
        return self

    def __enter__(self) -> None:
        graph, index = self.graph, self._index
        self._conditions = len(graph.conditions)
        self._variables = graph.variables
        graph.variables = (*graph.variables, self.variable)
        graph.params = dict(self._outer_params)
        if isinstance(index, int) and not isinstance(index, bool):
            graph.params[self.variable] = index
            graph.env[self.variable] = symbol(self.variable)
        elif isinstance(index, float | str | bool):
            graph.env[self.variable] = ir.Scalar(index, ("param", self.variable))
        graph.used.add(self.variable)

    def __exit__(self, *exception: object) -> None:
        graph = self.graph
        graph.params = self._outer_params
        graph.variables = self._variables
        meaning = self._meaning()
        if meaning:
            kept = graph.conditions[self._conditions :]
            del graph.conditions[self._conditions :]
            graph.conditions += [_settled_condition(item, meaning) for item in kept]
        if self._had:
            graph.env[self.variable] = self._outer
        else:
            graph.env.pop(self.variable, None)

    def _meaning(self) -> dict[str, Size]:
        form = self._form
        whole = isinstance(form, int | Poly) and not isinstance(form, bool)
        return {self.variable: form} if whole else {}  # type: ignore[dict-item]  # a size

    def settled(self, type_: ir.TensorType) -> ir.TensorType:
        """``type_`` as it is said outside the round."""
        return _in_terms_of(type_, self._meaning())

    def settled_static(self, entity: Entity) -> Entity:
        """A compile-time value likewise."""
        meaning = self._meaning()
        if isinstance(entity, Poly):
            return evaluate(entity, meaning)
        if isinstance(entity, ir.Scalar):
            return entity.value
        if isinstance(entity, Items):
            return Items(tuple(self.settled_static(item) for item in entity.items))
        return entity

    def keep(
        self, index: ir.Static, nodes: list[ir.Node], entering: tuple[ir.Value, ...],
        leaving: tuple[ir.Value, ...],
    ) -> None:  # fmt: skip
        self.iterations.append(ir.Iteration(index, tuple(nodes), entering, leaving))


def _in_terms_of(type_: ir.TensorType, meaning: dict[str, Size]) -> ir.TensorType:
    if not meaning or all(isinstance(size, int) for size in type_.shape):
        return type_
    shape = tuple(evaluate(size, meaning) for size in type_.shape)
    return replace(type_, shape=shape)


def _settled_condition(condition: ir.Condition, meaning: dict[str, Size]) -> ir.Condition:
    left, right = evaluate(condition.left, meaning), evaluate(condition.right, meaning)
    return replace(condition, left=left, right=right)


# ── for ──────────────────────────────────────────────────────────────────────────────────────────


def for_loop(graph: Graph, statement: ast.For, elaborate: Elaborate) -> None:
    """``label: for i in range(n) { ... }``: names rebound level by level."""
    body = statement.body
    names = list(dict.fromkeys(assigned_names(body)))
    found = _iterable(graph, statement.iterable, elaborate)
    if found is None or not _variable(graph, statement.variable, statement.iterable.span):
        _poison(graph, names)
        return
    bounds, items, indices = found
    path = ""
    if statement.label is not None:
        place = statement.span._replace(end=statement.span.start + len(statement.label))
        path = labelled(graph, statement.label, place) or ""
        if not path:
            _poison(graph, names)
            return
    carried = [name for name in names if isinstance(graph.env.get(name), ir.Value)]
    known = {name for name in names if name in graph.env}
    initial = tuple(graph.env[name] for name in carried)
    rounds = _Rounds(graph, statement.variable, statement.span)
    spaces = _Spaces(graph, path, body)
    current = [rounds.enter(name, value.type, value.span)  # type: ignore[union-attr]  # carried
               for name, value in zip(carried, initial, strict=True)]  # fmt: skip
    for position, (index, form) in enumerate(indices):
        graph.env.update(zip(carried, current, strict=True))
        errors = _errors(graph)
        with rounds.round(index, form), graph.inside(spaces(position)) as nodes:
            graph.library.run(graph, body)
            leaving = [graph.env.get(name) for name in carried]
            if _errors(graph) > errors or not all(isinstance(v, ir.Value) for v in leaving):
                _not_carried(graph, carried, leaving, statement.span, errors)
                _poison(graph, names)
                return
            values = tuple(value for value in leaving if isinstance(value, ir.Value))
            rounds.keep(index, nodes, tuple(current), values)
            for name in names:
                if name not in known:
                    graph.env.pop(name, None)
                elif name not in carried:
                    graph.env[name] = rounds.settled_static(graph.env[name])
        current = [
            rounds.enter(name, rounds.settled(value.type), value.span)
            for name, value in zip(carried, values, strict=True)
        ]
    results = tuple(current)
    graph.env.update(zip(carried, results, strict=True))
    graph.nodes.append(
        ir.Loop(
            "for", path, statement.variable, bounds, items, tuple(carried),
            initial,  # type: ignore[arg-type]  # tensors, as told apart above
            tuple(rounds.iterations), results, statement.span,
        )
    )  # fmt: skip


def _errors(graph: Graph) -> int:
    return sum(item.severity == "error" for item in graph.collector.items)


def _not_carried(
    graph: Graph, carried: list[str], leaving: list[Entity], span: Span, errors: int
) -> None:
    """Reports a name that held a tensor before the round and holds something else after it."""
    if _errors(graph) > errors:
        return
    for name, value in zip(carried, leaving, strict=True):
        if not isinstance(value, ir.Value | Poison):
            graph.error(
                "E0238",
                f"`{name}` is a tensor when the loop begins and {describe(value)} at its end",
                span,
                "give what is made in the loop another name",
            )


def _poison(graph: Graph, names: Iterable[str]) -> None:
    for name in names:
        graph.env[name] = POISON


def _variable(graph: Graph, name: str, span: Span) -> bool:
    if not check_name(name, span, graph.collector, "variable"):
        return False
    if name in graph.env and name not in graph.variables:
        graph.error(
            "E0230", f"there is already something called `{name}`", span,
            "give the loop's variable another name",
        )  # fmt: skip
        return False
    return True


def labelled(graph: Graph, label: str, place: Span) -> str | None:
    """The path of what is called ``label`` here; None where the name was reported."""
    if not check_label(label, place, graph.collector, graph.namespace.attributes):
        return None
    if not graph.free(label):
        graph.error(
            "E0206",
            f"there is already a layer called `{label}`",
            place,
            "labels are the layers' names in the state_dict: give each its own",
        )
        return None
    return graph.take(label)


class _Spaces:
    """The naming of each round of a loop: ``path`` is that of its label, or empty."""

    def __init__(self, graph: Graph, path: str, body: tuple[ast.Statement, ...]) -> None:
        self._path, self._outer = path, graph.namespace
        made = list(sites(body, graph.is_layer)) if path else []
        self._single = len(made) == 1 and made[0].label is None and not made[0].depth
        self._names = site_names(made)

    def __call__(self, index: int) -> Namespace:
        if self._single:
            return Namespace("single", self._path, index)
        if self._path:
            return Namespace("members", self._path, index, names=self._names)
        return Namespace("each", "", index, self._outer)


def _iterable(
    graph: Graph, written: ast.Expression, elaborate: Elaborate
) -> tuple[tuple[ir.Static, ...] | None, ir.Static, list[tuple[ir.Static, ir.Static]]] | None:
    """``range``'s bounds or a tuple's items, and the variable in each round: its value, and what it
    is in terms of the params. None if reported."""
    is_range = (
        isinstance(written, ast.Call)
        and isinstance(written.callee, ast.Name)
        and written.callee.name == "range"
    )
    if is_range:
        assert isinstance(written, ast.Call)
        bounds: list[ir.Static] = []
        values: list[int] = []
        for argument in written.arguments:
            found = _whole_number(graph, elaborate(graph, argument.value), argument.span)
            if found is None:
                return None
            bounds.append(found[0])
            values.append(found[1])
        if not 1 <= len(values) <= 3 or any(item.name for item in written.arguments):
            graph.error("E0235", "`range` takes one to three numbers", written.span)
            return None
        if len(values) == 3 and values[2] == 0:
            graph.error("E0235", "the step of `range` cannot be 0", written.span)
            return None
        if len(values) == 1 and values[0] < 0:
            _counted(graph, values[0], written.span)
            return None
        indices = range(*values)
        if not _counted(graph, len(indices), written.span):
            return None
        first = bounds[0] if len(bounds) > 1 else 0
        step = bounds[2] if len(bounds) > 2 else 1
        assert isinstance(first, int | Poly) and isinstance(step, int | Poly)
        forms = [first + position * step for position in range(len(indices))]
        return tuple(bounds), None, list(zip(indices, forms, strict=True))
    entity = elaborate(graph, written)
    if is_poisoned(entity):
        return None
    if not isinstance(entity, Items) or not is_static(entity):
        graph.error(
            "E0235",
            f"a loop goes through `range(n)` or a list of numbers, not {describe(entity)}",
            written.span,
            "write `for i in range(n)`",
        )
        return None
    items = to_static(entity)
    try:
        plain = static.plain(items, graph.params)
    except static.Undecided as open_:
        graph.error("E0235", f"{open_.size} is known only when the model runs", written.span)
        return None
    if not all(isinstance(item, int | float | str) for item in plain):
        graph.error("E0235", "a loop goes through numbers or strings", written.span)
        return None
    assert isinstance(items, tuple)
    return None, items, list(zip(plain, items, strict=True))


# ── lists ────────────────────────────────────────────────────────────────────────────────────────


def listing(
    graph: Graph, expression: ast.Comprehension, hint: Hint, elaborate: Elaborate
) -> Entity:
    """``[x -> Expert(64) for e in range(4)]``: a list of values, each with layers of its own."""
    found = _iterable(graph, expression.iterable, elaborate)
    if found is None or not _variable(graph, expression.variable, expression.iterable.span):
        return POISON
    bounds, items, indices = found
    rounds = _Rounds(graph, expression.variable, expression.span)
    spaces = _Spaces(graph, "", (ast.Output(span=expression.span, values=(expression.element,)),))
    results: list[Entity] = []
    for position, (index, form) in enumerate(indices):
        errors = _errors(graph)
        with rounds.round(index, form), graph.inside(spaces(position)) as nodes:
            value = elaborate(graph, expression.element)
            if is_poisoned(value) or _errors(graph) > errors:
                return POISON
            if isinstance(value, ir.Value):
                rounds.keep(index, nodes, (), (value,))
                type_ = rounds.settled(value.type)
                results.append(ir.Value(value.name, type_, value.span, named=False))
            else:
                results.append(rounds.settled_static(value))
    tensors = [item for item in results if isinstance(item, ir.Value)]
    if not tensors:
        return Items(tuple(results))
    if len(tensors) < len(results):
        return graph.error("E0238", "a list is of tensors or of numbers", expression.span)
    name = hint if isinstance(hint, str) else "items"
    graph.nodes.append(
        ir.Loop(
            "list", "", expression.variable, bounds, items, (name,), (),
            tuple(rounds.iterations), tuple(tensors), expression.span,
        )
    )  # fmt: skip
    return Items(tuple(results))


# ── if ───────────────────────────────────────────────────────────────────────────────────────────


def if_statement(graph: Graph, statement: ast.If, elaborate: Elaborate) -> None:
    """``if cond { } else { }``: decided now; only the side taken is read."""
    names = list(dict.fromkeys(assigned_names(statement.body + statement.otherwise)))
    known = len(graph.collector.items)
    condition = elaborate(graph, statement.condition)
    _undecided(graph, known)
    place = statement.condition.span
    if is_poisoned(condition):
        _poison(graph, names)
        return
    try:
        decided = static.plain(to_static(condition), graph.params) if is_static(condition) else None
    except static.Undecided as open_:
        graph.error(
            "E0234", f"this is decided when the model is built, and {open_.size} is not known then",
            place, "decide by a param, or by a size that is a number",
        )  # fmt: skip
        _poison(graph, names)
        return
    if not isinstance(decided, bool):
        graph.error("E0234", f"`if` wants true or false, not {describe(condition)}", place)
        _poison(graph, names)
        return
    before = {name: graph.env.get(name) for name in names}
    with graph.inside() as nodes:
        graph.library.run(graph, statement.body if decided else statement.otherwise)
    if not isinstance(condition, ir.Scalar):
        graph.nodes += nodes  # nobody will decide it again
        return
    changed = [name for name in names if isinstance(graph.env.get(name), ir.Value)]
    after = [graph.env[name] for name in changed]
    results = []
    for name in changed:
        value = graph.env[name]
        assert isinstance(value, ir.Value)
        results.append(ir.Value(name, value.type, value.span))
        graph.env[name] = results[-1]
    earlier = [before[name] for name in changed]
    graph.nodes.append(
        ir.Branch(
            condition, decided, tuple(nodes), tuple(changed),
            tuple(value if isinstance(value, ir.Value) else None for value in earlier),
            tuple(value for value in after if isinstance(value, ir.Value)), tuple(results),
            statement.span,
        )
    )  # fmt: skip


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
