"""The rounds of a loop: how many, what its variable stands for in each, how its layers are named.

Non-goal: what is done in a round (``loops``, ``rows``)."""

from __future__ import annotations

from specc import ir
from specc.errors import Span
from specc.semantics import static
from specc.semantics.entities import (
    Entity,
    Items,
    describe,
    is_poisoned,
    is_static,
    to_static,
)
from specc.semantics.graph import Elaborate, Graph
from specc.semantics.library import MOST_ROUNDS, MOST_TIMES
from specc.semantics.names import check_name
from specc.semantics.places import Namespace
from specc.semantics.sites import site_names, sites
from specc.semantics.substitution import condition_outside, static_outside, type_outside
from specc.sizes import Poly, Size, evaluate, symbol
from specc.syntax import ast


class Rounds:
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
            type_ = type_outside(type_, outer)
        return ir.Value(name, type_, span, named)

    def round(self, index: ir.Static, form: ir.Static) -> Rounds:
        """The round in which the variable is ``index``, ``form`` in terms of the params."""
        self._index, self._form = index, form
        return self

    def __enter__(self) -> None:
        graph, index = self.graph, self._index
        self._conditions = len(graph.conditions)
        self._variables, self._meanings = graph.variables, graph.meanings
        graph.variables = (*graph.variables, self.variable)
        graph.meanings = (*graph.meanings, self._meaning())
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
        graph.variables, graph.meanings = self._variables, self._meanings
        meaning = self._meaning()
        if meaning:
            kept = graph.conditions[self._conditions :]
            del graph.conditions[self._conditions :]
            graph.conditions += [condition_outside(item, meaning) for item in kept]
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
        return type_outside(type_, self._meaning())

    def settled_static(self, entity: Entity) -> Entity:
        """A compile-time value likewise."""
        return static_outside(entity, self._meaning())

    def keep(
        self, index: ir.Static, nodes: list[ir.Node], entering: tuple[ir.Value, ...],
        leaving: tuple[ir.Value, ...],
    ) -> None:  # fmt: skip
        self.iterations.append(ir.Iteration(index, tuple(nodes), entering, leaving))
        self.graph.library.rounds += 1
        if self.graph.library.rounds == MOST_ROUNDS + 1:
            self.graph.error(
                "E0235", f"the loops of this spec go round more than {MOST_ROUNDS:,} times in all",
                self.span, "is this the right number?",
            )  # fmt: skip

    @property
    def exhausted(self) -> bool:
        """Whether the spec's loops have gone round too often to go on."""
        return self.graph.library.rounds > MOST_ROUNDS


class Spaces:
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


# ── how often ────────────────────────────────────────────────────────────────────────────────────


def counted(graph: Graph, times: int, span: Span) -> bool:
    """Whether something may be done so many times."""
    if times < 0:
        graph.error("E0235", f"nothing can be done {times} times", span, "count from 0 upwards")
    elif times > MOST_TIMES:
        graph.error(
            "E0235", f"{times:,} times are more than the {MOST_TIMES:,} that a spec may ask for",
            span, "is this the right number?",
        )  # fmt: skip
    return 0 <= times <= MOST_TIMES


def whole_number(graph: Graph, entity: Entity, span: Span) -> tuple[ir.Static, int] | None:
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


def check_variable(graph: Graph, name: str, span: Span) -> bool:
    """Whether a loop's variable may be called so here."""
    if not check_name(name, span, graph.collector, "variable", graph.catalogue.globals):
        return False
    if graph.is_foreign(name, span):
        return False
    if name in graph.env and name not in graph.variables:
        graph.error(
            "E0230", f"there is already something called `{name}`", span,
            "give the loop's variable another name",
        )  # fmt: skip
        return False
    return True


def iterable(
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
            found = whole_number(graph, elaborate(graph, argument.value), argument.span)
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
            counted(graph, values[0], written.span)
            return None
        indices = range(*values)
        if not counted(graph, len(indices), written.span):
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
