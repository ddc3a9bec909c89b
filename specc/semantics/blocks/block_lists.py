"""Lists of tensors into blocks, models and ``train``, and out of them:
``input xs: [float[N, c[k]] for k in range(2)]``.

In the graph a list is its items, each an input or a result of its own; where it is declared, and
where the block or model is used, it is one name. Non-goal: inputs of one tensor (``blocks``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from specc import ir
from specc.errors import Span
from specc.semantics.blocks.block_params import BoundParams
from specc.semantics.blocks.rounds import Rounds, check_variables, iterable
from specc.semantics.compile_time.entities import POISON, Entity, Items, describe, is_tensors
from specc.semantics.compile_time.free_names import check_name
from specc.semantics.compile_time.layers_made import operands_named
from specc.semantics.naming.graph import Elaborate, Graph, Hint
from specc.sizes import symbol
from specc.syntax.tree import ast

# Binds the names of a declared tensor's shape to what comes in; whether the rest agrees.
Fits: TypeAlias = Callable[[Graph, Graph, str, ir.Value, ir.Value, BoundParams, Span], bool]


def flat_hint(lists: tuple[int | None, ...], hint: Hint) -> Hint:
    """The names of the results, where some are lists: ``low``, ``branches_0``, ``branches_1``."""
    hints = (hint,) if len(lists) == 1 else hint
    if not isinstance(hints, tuple) or len(hints) != len(lists):
        return None
    found: list[Hint] = []
    for count, each in zip(lists, hints, strict=True):
        if count is None:
            found.append(each)
        elif isinstance(each, str):
            found += [f"{each}_{k}" for k in range(count)]
        else:
            found += each if isinstance(each, tuple) and len(each) == count else [None] * count
    return found[0] if len(found) == 1 else tuple(found)


def listed(result: ir.Result, lists: tuple[int | None, ...]) -> Entity:
    """The results of a block, those that are lists as such."""
    values = iter(ir.result_values(result))
    found: list[Entity] = [
        next(values) if count is None else Items(tuple(next(values) for _ in range(count)))
        for count in lists
    ]
    return found[0] if len(found) == 1 else Items(tuple(found))


def bind_list(
    graph: Graph, local: Graph, name: str, statement: ast.Input, given: Entity, header: BoundParams,
    span: Span, elaborate: Elaborate, fits: Fits,
) -> list[ir.Value] | None:  # fmt: skip
    """The tensors of an input that is a list, each bound as an input of its own."""
    assert statement.iterable is not None
    variables = [each.name for each in statement.variables]
    found = iterable(local, statement.iterable, elaborate, len(variables))
    if found is None or not check_variables(local, statement.variables):
        return None
    indices = found.indices
    if not isinstance(given, Items) or not is_tensors(given):
        graph.error(
            "E0224", f"`{statement.name}` of {name} is a list of tensors, not {describe(given)}",
            span, "write one out: `[a, b]`",
        )  # fmt: skip
        return None
    if len(given.items) != len(indices):
        graph.error(
            "E0224",
            f"`{statement.name}` of {name} is a list of {len(indices)}; {len(given.items)} come in",
            span,
            "feed it as many as it says, or let a param say how many",
        )
        return None
    if not check_name(statement.name, statement.span, local.collector, "value"):
        return None
    names = [
        each
        for size in statement.type.sizes or ()
        for each in operands_named(size)
        if each.name not in local.env and each.name not in variables
    ]
    if not _new_sizes(local, names):
        return None
    rounds = Rounds(local, variables, statement.span)
    values: list[ir.Value] = []
    for position, (item, (index, form)) in enumerate(zip(given.items, indices, strict=True)):
        one = {"name": f"{statement.name}_{position}", "iterable": None, "variables": ()}
        with rounds.round(index, form):
            said = graph.library.declare_input(local, statement.model_copy(update=one))
        if said is None:
            return None
        del local.env[said.name]  # known as an item of the list alone
        value = ir.Value(said.name, rounds.settled(said.type), statement.span)
        assert isinstance(item, ir.Value)
        if not fits(graph, local, name, value, item, header, span):
            return None
        values.append(value)
    for each in names:
        if each.name not in header.meaning:
            _not_told(local, statement, each)
            return None
    local.env[statement.name] = Items(tuple(values))
    return values


def declare_list(graph: Graph, statement: ast.Input, elaborate: Elaborate) -> list[ir.Value]:
    """The tensors of a list that a batch brings to a model or to ``train``, each an input of its
    own; none where something was reported."""
    assert statement.iterable is not None
    name = statement.name
    variables = [each.name for each in statement.variables]
    if not check_name(name, statement.span, graph.collector, "value"):
        return []
    if name in graph.env:
        graph.error(
            "E0230", f"there is already something called `{name}`", statement.span,
            "give the input another name",
        )  # fmt: skip
        return []
    graph.env[name] = POISON
    found = iterable(graph, statement.iterable, elaborate, len(variables))
    if found is None or not check_variables(graph, statement.variables):
        return []
    # What stands alone is a size wherever it is met; in arithmetic it is one beforehand.
    names = [
        each
        for size in statement.type.sizes or ()
        if not isinstance(size, ast.Name)
        for each in operands_named(size)
        if each.name not in graph.env and each.name not in variables
    ]
    if not _new_sizes(graph, names):
        return []
    rounds = Rounds(graph, variables, statement.span)
    values: list[ir.Value] = []
    for position, (index, form) in enumerate(found.indices):
        one = {"name": f"{name}_{position}", "iterable": None, "variables": ()}
        if position:
            one["conditions"] = ()
        with rounds.round(index, form):
            said = graph.library.declare_input(graph, statement.model_copy(update=one))
        if said is None:
            return []
        del graph.env[said.name]  # known as an item of the list alone
        values.append(ir.Value(said.name, rounds.settled(said.type), statement.span))
    told = {str(size) for value in values for size in value.type.shape}
    for each in names:
        if each.name not in told:
            _not_told(graph, statement, each)
            return []
    if not values:
        graph.error(
            "E0223", f"`{name}` is a list of no tensors", statement.span, "let it have one at least"
        )
        return []
    graph.env[name] = Items(tuple(values))
    return values


def named_inputs(statements: Iterable[ast.Input], values: Iterable[ir.Value]) -> dict[str, Entity]:
    """The inputs of a model by name, those that are lists as such."""
    rest = {value.name: value for value in values}
    found: dict[str, Entity] = {}
    for statement in statements:
        if statement.iterable is None:
            if statement.name in rest:
                found[statement.name] = rest[statement.name]
            continue
        items: list[ir.Value] = []
        while f"{statement.name}_{len(items)}" in rest:
            items.append(rest[f"{statement.name}_{len(items)}"])
        found[statement.name] = Items(tuple(items))
    return found


def named_outputs(module: ir.Module) -> dict[str, Entity]:
    """The outputs of a model by name, those that are lists as such."""
    rest = iter(module.outputs)
    found: dict[str, Entity] = {}
    for count in module.lists:
        items = [next(rest) for _ in range(1 if count is None else count)]
        if count is None:
            found[items[0].name] = items[0].value
        else:
            name, _, _ = items[0].name.rpartition("_")
            found[name] = Items(tuple(item.value for item in items))
    return found


def _new_sizes(graph: Graph, names: Iterable[ast.Name]) -> bool:
    """Puts the sizes that a list's items speak of in scope; whether they may be called so."""
    for each in names:
        if not check_name(each.name, each.span, graph.collector, "size"):
            return False
        graph.env[each.name] = symbol(each.name)
        graph.dimensions[each.name] = each.span
    return True


def _not_told(graph: Graph, statement: ast.Input, size: ast.Name) -> None:
    graph.error(
        "E0223", f"the items of `{statement.name}` do not tell what `{size.name}` is", size.span,
        f"let the first item's size be `{size.name}`, as `{size.name} // 2 ** k` from k = 0 is",
    )  # fmt: skip
