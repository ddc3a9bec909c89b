"""Lists of tensors into blocks and out of them: ``input xs: [float[N, c[k]] for k in range(2)]``.

In the graph a list is its items, each an input or a result of its own; in the block, and where the
block is used, it is one name. Non-goal: inputs that are one tensor (``blocks``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from specc import ir
from specc.errors import Span
from specc.semantics.block_params import Header
from specc.semantics.entities import Entity, Items, describe, is_tensors
from specc.semantics.graph import Elaborate, Graph, Hint
from specc.semantics.names import check_name
from specc.semantics.rounds import Rounds, check_variables, iterable
from specc.semantics.sites import operands_named
from specc.sizes import symbol
from specc.syntax import ast

# Binds the names of a declared tensor's shape to what comes in; whether the rest agrees.
Fits: TypeAlias = Callable[[Graph, Graph, str, ir.Value, ir.Value, Header, Span], bool]


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
    graph: Graph, local: Graph, name: str, statement: ast.Input, given: Entity, header: Header,
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
    for each in names:
        if not check_name(each.name, each.span, local.collector, "size"):
            return None
        local.env[each.name] = symbol(each.name)
        local.dimensions[each.name] = each.span
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
            local.error(
                "E0223", f"the items of `{statement.name}` do not tell what `{each.name}` is",
                each.span, f"let the first item's size be `{each.name}`, as `{each.name} // 2 ** k`"
                " from k = 0 is",
            )  # fmt: skip
            return None
    local.env[statement.name] = Items(tuple(values))
    return values
