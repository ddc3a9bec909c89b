"""The rounds of a loop: how many, what its variable stands for in each, how its layers are named.

Non-goal: what is done in a round (``loops``, ``chains``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from specc import ir
from specc.errors import Fix, Span, TooLarge
from specc.semantics.compile_time import static
from specc.semantics.compile_time.entities import (
    Entity,
    Items,
    LayerHandle,
    describe,
    from_static,
    is_poisoned,
    is_static,
    is_tensors,
    to_static,
)
from specc.semantics.compile_time.free_names import check_name
from specc.semantics.compile_time.layer_paths import Namespace
from specc.semantics.compile_time.layers_made import site_names, sites
from specc.semantics.compile_time.library import MOST_ROUNDS, MOST_TIMES
from specc.semantics.compile_time.param_values import in_scope
from specc.semantics.compile_time.substitution import (
    condition_outside,
    static_outside,
    type_outside,
)
from specc.semantics.compile_time.threads import symbols_in, with_symbols
from specc.semantics.naming.graph import Elaborate, Graph
from specc.sizes import Poly, Size, evaluate, symbols
from specc.syntax.tree import ast
from specc.syntax.tree.written import written as as_text


class _Left(NamedTuple):
    """What a round leaves of a carried value: its type in the terms of what is around the loop, its
    sizes as numbers, and which of them are said so for any params."""

    type: ir.TensorType
    numbers: tuple[Size, ...]
    exact: tuple[bool, ...]


class Rounds:
    """The iterations of one loop. Inside each its variables are symbols, whose values are known;
    what leaves it is said without the symbols."""

    def __init__(
        self, graph: Graph, variables: Sequence[str], span: Span,
        tensors: tuple[ir.Value, ...] = (), *, unnamed: ast.Repeat | None = None,
        written_out: bool = False,
    ) -> None:  # fmt: skip
        self.graph = graph
        # Whether a variable is what it is in each round, and no symbol for it.
        self.written_out = written_out
        self.tensors = tensors
        self.variables = tuple(variables)
        # The `repeat` whose position the spec has not named: no expression can speak of it.
        self.unnamed = unnamed
        self.span = span
        self.iterations: list[ir.Iteration] = []
        self._outer_params = graph.params
        self._index: ir.Static = None
        self._form: ir.Static = None
        # What the symbols of changed sizes are at the beginning of this round, said outside.
        self._heads: dict[str, Size] = {}
        self._around = dict(graph.threads.forms)
        self._left: list[_Left] = []
        # Those of the symbols whose form is right for any params.
        self._exact: set[str] = set()
        self._named = True
        self.threads: tuple[ir.Thread, ...] = ()

    def carry(
        self, names: Sequence[str], values: Sequence[ir.Value], *, named: bool = True
    ) -> list[ir.Value]:
        """What stands for the carried values at the beginning of the first round."""
        self._named = named
        if self.graph.threads.reading:
            self._left = [self._numbered(value.type, value.type) for value in values]
        return self._enter(names, values, [value.type for value in values])

    def next(self, names: Sequence[str], values: Sequence[ir.Value]) -> list[ir.Value]:
        """What stands for what a round left at the beginning of the next, and after the last."""
        if self.graph.threads.reading:
            types = [left.type for left in self._left]
        else:
            types = [self.settled(value.type) for value in values]
        return self._enter(names, values, types)

    def last(self, values: Sequence[ir.Value], through: object) -> tuple[ir.Value, ...]:
        """``values``, which stand for what the last round left: with its sizes where as many rounds
        are gone whatever the params are, so that no variable need hold them."""
        if not self.threads or symbols_in(through):
            return tuple(values)
        found = list(values)
        for thread in self.threads:
            left = self._left[thread.position]
            if left.exact[thread.dimension]:
                value = found[thread.position]
                shape = list(value.type.shape)
                shape[thread.dimension] = left.type.shape[thread.dimension]
                type_ = replace(value.type, shape=tuple(shape))
                found[thread.position] = replace(value, type=type_)
        return tuple(found)

    def _numbered(self, type_: ir.TensorType, raw: ir.TensorType) -> _Left:
        """``type_``, said outside, of what inside is ``raw``."""
        threads = self.graph.threads
        sure = {*self._around, *self._exact}
        return _Left(
            type_,
            tuple(evaluate(size, self.graph.params) for size in raw.shape),
            tuple(
                all(name in sure for name in symbols(size) if name in threads.forms)
                for size in raw.shape
            ),
        )

    def _enter(
        self, names: Sequence[str], values: Sequence[ir.Value], types: Sequence[ir.TensorType]
    ) -> list[ir.Value]:
        graph, threads = self.graph, self.graph.threads
        found, known, said = [], dict[str, Size](), list[ir.Thread]()
        for position, (name, value, type_) in enumerate(zip(names, values, types, strict=True)):
            kept: dict[int, str] = {}
            for dimension, symbol in threads.of(self.span.start, name, len(type_.shape)):
                left = self._left[position]
                number = left.numbers[dimension]
                if not isinstance(number, int):
                    continue
                kept[dimension] = symbol
                known[symbol], self._heads[symbol] = number, type_.shape[dimension]
                said.append(ir.Thread(symbol, position, dimension))
                if left.exact[dimension]:
                    self._exact.add(symbol)
                else:
                    self._exact.discard(symbol)
            found.append(ir.Value(name, with_symbols(type_, kept), value.span, self._named))
        if said:
            self.threads = tuple(said)
            graph.params = self._outer_params = {**graph.params, **known}
            threads.forms = {**self._around, **self._heads}
        return found

    def round(self, index: ir.Static, form: ir.Static) -> Rounds:
        """The round of ``index``, which is ``form`` in terms of the params."""
        self._index, self._form = index, form
        return self

    def __enter__(self) -> None:
        graph = self.graph
        graph.library.rounds += 1
        if graph.library.rounds > MOST_ROUNDS:
            fault = TooLarge(
                f"the loops of this spec go round more than {MOST_ROUNDS:,} times in all",
                help="is this the right number?",
                code="E0235",
            )
            fault.span = self.span
            raise fault
        self._conditions = len(graph.conditions)
        self._forms = graph.threads.forms
        self._variables, self._meanings = graph.variables, graph.meanings
        if not self.written_out:
            graph.variables = (*graph.variables, *self.variables)
        graph.meanings = (*graph.meanings, self._meaning())
        self._repeats = graph.repeats
        if self.unnamed is not None:
            graph.repeats = (*graph.repeats, self.unnamed)
            if graph.threads.reading:
                graph.params = {**self._outer_params}
            return
        graph.params = dict(self._outer_params)
        if self.tensors:
            assert isinstance(self._index, int)
            graph.env[self.variables[0]] = self.tensors[self._index]
            graph.used.add(self.variables[0])
            return
        if self.written_out:
            for name, form in ir.bound(self.variables, self._form).items():
                graph.env[name] = from_static(form)
                graph.used.add(name)
            return
        for name, value in ir.bound(self.variables, self._index).items():
            if isinstance(value, int) and not isinstance(value, bool):
                graph.params[name] = value
            graph.env[name] = in_scope(name, value)
            graph.used.add(name)

    def __exit__(self, *exception: object) -> None:
        graph = self.graph
        graph.params = self._outer_params
        graph.threads.forms = self._forms
        graph.variables, graph.meanings = self._variables, self._meanings
        meaning = self._meaning()
        if meaning:
            kept = graph.conditions[self._conditions :]
            del graph.conditions[self._conditions :]
            graph.conditions += [condition_outside(item, meaning) for item in kept]
        graph.repeats = self._repeats
        for name in self.variables if self.unnamed is None else ():
            graph.env.pop(name, None)

    def _meaning(self) -> dict[str, Size]:
        if self.tensors or self.written_out:
            return dict(self._heads)
        said = {
            name: form
            for name, form in ir.bound(self.variables, self._form).items()
            if isinstance(form, int | Poly) and not isinstance(form, bool)
        }
        return said | self._heads

    def settled(self, type_: ir.TensorType) -> ir.TensorType:
        """``type_`` as it is said outside the round."""
        return type_outside(type_, self._meaning())

    def settled_static(self, entity: Entity) -> Entity:
        """A compile-time value likewise."""
        said = {} if self.tensors else ir.bound(self.variables, self._form)
        scalars = {name: from_static(value) for name, value in said.items()}
        return static_outside(entity, self._meaning(), scalars)

    def keep(
        self, index: ir.Static, nodes: list[ir.Node], entering: tuple[ir.Value, ...],
        leaving: tuple[ir.Value, ...],
    ) -> None:  # fmt: skip
        graph, threads = self.graph, self.graph.threads
        # A list carries nothing: what leaves its rounds did not enter them.
        for before, after in zip(entering, leaving if entering else (), strict=True):
            threads.note(self.span.start, before.name, before.type, after.type, graph.params)
        if threads.reading:
            own = {*self._around, *self._heads}
            self._left = [
                self._numbered(self.settled(threads.outside(value.type, own)), value.type)
                for value in leaving
            ]
        self.iterations.append(ir.Iteration(index, tuple(nodes), entering, leaving))


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


class Passed(NamedTuple):
    """What a loop goes through: ``range``'s bounds or a tuple's items, and of each round its value
    and what it is in terms of the params. Of a list of ``tensors`` the rounds are counted."""

    bounds: tuple[ir.Static, ...] | None
    items: ir.Static
    indices: list[tuple[ir.Static, ir.Static]]
    tensors: tuple[ir.Value, ...] = ()


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


def check_variables(graph: Graph, variables: Sequence[ast.Name]) -> bool:
    """Whether a loop's variables may be called so here; `_` is for what of a row is not wanted."""
    wanted = [each for each in variables if each.name != "_" or len(variables) == 1]
    names = [each.name for each in wanted]
    for place, each in enumerate(wanted):
        if each.name in names[:place]:
            graph.error("E0230", "a loop's variables have different names", each.span)
            return False
    return all(_check_variable(graph, each.name, each.span) for each in wanted)


def _check_variable(graph: Graph, name: str, span: Span) -> bool:
    if not check_name(name, span, graph.collector, "variable", graph.catalogue.globals):
        return False
    if graph.is_foreign(name, span):
        return False
    if name in graph.env or graph.is_layer(name):
        graph.used.add(name)
        hidden = graph.env.get(name)
        if isinstance(hidden, LayerHandle):
            graph.declared.pop(hidden.path, None)  # nobody knows whether it is fed
        graph.error(
            "E0230", f"there is already something called `{name}`, which this would hide", span,
            "give the variable another name",
        )  # fmt: skip
        return False
    return True


def unseen_variable(graph: Graph) -> str:
    """What the emitted source may call the position in a `repeat` that the spec does not name."""
    taken = {*graph.env, *graph.variables, *graph.unread}
    letters = (chr(code) for code in range(ord("i"), ord("z") + 1))
    return next((name for name in letters if name not in taken), f"position{len(taken)}")


def iterable(
    graph: Graph, written: ast.Expression, elaborate: Elaborate, places: int = 1
) -> Passed | None:
    """What a loop goes through; for several ``places`` rows of as many. None if reported."""
    is_range = (
        isinstance(written, ast.CallExpression)
        and isinstance(written.callee, ast.Name)
        and written.callee.name == "range"
    )
    if is_range and places > 1:
        graph.error(
            "E0235", f"`range` counts, and {places} variables want rows of {places}", written.span,
            "go through a tuple of tuples: `for c, n in ((16, 1), (24, 2))`",
        )  # fmt: skip
        return None
    if is_range:
        assert isinstance(written, ast.CallExpression)
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
        return Passed(tuple(bounds), None, list(zip(indices, forms, strict=True)))
    entity = elaborate(graph, written)
    if is_poisoned(entity):
        return None
    if isinstance(entity, Items) and is_tensors(entity) and places == 1:
        # The graph counts the rounds; in each, the variable is one of the tensors.
        counted_ = list(zip(range(len(entity.items)), range(len(entity.items)), strict=True))
        tensors = tuple(item for item in entity.items if isinstance(item, ir.Value))
        return Passed((len(tensors),), None, [*counted_], tensors)
    if not isinstance(entity, Items) or not is_static(entity):
        count = isinstance(entity, int | Poly) and isinstance(evaluate(entity, graph.params), int)
        said = f"range({as_text(written)})"
        graph.error(
            "E0235",
            f"a loop goes through `range(n)` or a list of numbers, not {describe(entity)}",
            written.span,
            f"write `{said}`" if count else "write `for i in range(n)`",
            (),
            Fix(written.span.start, written.span.end, said) if count else None,
        )
        return None
    items = to_static(entity)
    try:
        plain = static.plain(items, graph.params)
    except static.Undecided as open_:
        graph.error("E0235", f"{open_.size} is known only when the model runs", written.span)
        return None
    assert isinstance(items, tuple)
    if not counted(graph, len(items), written.span):
        return None
    if places == 1:
        return Passed(None, items, list(zip(plain, items, strict=True)))
    for item in plain:
        if not isinstance(item, tuple) or len(item) != places:
            said = describe(from_static(item))
            graph.error(
                "E0235",
                f"{places} variables want rows of {places}, and one is {said}",
                written.span,
                "name as many variables as a row has places",
            )
            return None
    return Passed(None, items, list(zip(plain, items, strict=True)))
