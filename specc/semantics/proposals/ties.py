"""Equalities that leave a free size of an input no choice: ``T == 8``, ``T == S``. Where no `where`
states one it is a fault, for nothing else says that the model is of such sizes alone.

A block's sizes are bound where it is used, so that what it asks of them comes to the model that its
caller's inputs belong to, and is held there. Non-goals: remainders and bounds, which are conditions
(``ir.relations`` tells them apart); what else the line may have meant (``tie_fixes``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import lcm

from specc import ir
from specc.errors import Span
from specc.ir.relations import is_tie, never_zero, solved
from specc.semantics.naming.graph import Graph
from specc.sizes import Size, as_remainder, evaluate, symbol, symbols
from specc.syntax.tree import ast
from specc.syntax.tree.written import written

TIE = "E0311"


def equate(graph: Graph, difference: Size) -> None:
    """Notes what ``difference == 0`` says that a size is: the one that was named last."""
    found = solved(difference, reversed(graph.dimensions))
    if found is not None:
        name, size = found
        graph.equal = {each: evaluate(of, {name: size}) for each, of in graph.equal.items()}
        graph.equal[name] = size


def without_ties(
    graph: Graph, inputs: Sequence[ast.Input], beside: Iterable[ir.Condition] = ()
) -> list[ir.Condition]:
    """The conditions of a model or of ``train``, but those that a `where` of its ``inputs`` says
    already; an E0311 for each tie that none says.

    ``beside`` are conditions that hold here, and are stated elsewhere."""
    stated = [item for item in (*beside, *graph.conditions) if item.stated]
    for item in stated:
        if item.relation == "==":
            equate(graph, graph.decided(item.left) - graph.decided(item.right))
    whole = _multiples(stated)
    said = [item.left - item.right for item in stated if item.relation == "=="]
    kept: list[ir.Condition] = []
    for condition in dict.fromkeys(graph.conditions):
        if condition.relation != "==" or condition.stated:
            kept.append(condition)
            continue
        difference = graph.decided(condition.left) - graph.decided(condition.right)
        own = condition.left - condition.right
        if difference == 0 or own in said or -own in said or evaluate(difference, whole) == 0:
            continue
        if never_zero(difference):
            _report_never(graph, condition)
        elif is_tie(difference):
            _report(graph, condition, inputs)
        else:
            kept.append(condition)
    return kept


def _multiples(stated: Iterable[ir.Condition]) -> dict[str, Size]:
    """What each size is that a `where` says is a multiple: ``8 * H`` where ``H % 8 == 0``."""
    found: dict[str, int] = {}
    for item in stated:
        remainder = as_remainder(item.left)
        if item.relation != "==" or item.right != 0 or remainder is None:
            continue
        size, divisor = remainder
        if isinstance(divisor, int) and divisor > 0 and size == symbol(str(size)):
            found[str(size)] = lcm(found.get(str(size), 1), divisor)
    return {name: divisor * symbol(name) for name, divisor in found.items()}


def _report(graph: Graph, condition: ir.Condition, inputs: Sequence[ast.Input]) -> None:
    if _reported(graph, condition.span):
        return
    free = [name for name in graph.dimensions if name not in graph.params]
    difference = condition.left - condition.right
    found = solved(difference, reversed(free)) or solved(
        evaluate(difference, graph.params), reversed(free)
    )
    left, right = found or (condition.left, condition.right)
    if isinstance(left, int):
        left, right = right, left
    equality = f"{left} == {right}"
    told = evaluate(right, graph.params)
    value = f", which is {told}" if isinstance(told, int) and told != right else ""
    names = symbols(difference) - graph.params.keys()
    unknown = [name for name in free if name in names]
    holder = _holder(inputs, unknown[:1])
    if len(unknown) == 1 and holder is not None:
        open_ = f"`{holder.name}` leaves {unknown[0]} open"
    else:
        open_ = f"the inputs leave {' and '.join(unknown)} open"
    graph.error(
        TIE,
        f"this holds only where {equality}{value}, and {open_}",
        condition.span,
        _of_a_model(graph, unknown) or _advice(equality, _holder(inputs, unknown)),
        (condition.reason, *_uses(condition)),
    )


def _report_never(graph: Graph, condition: ir.Condition) -> None:
    """An E0302 for an equality that what `where` says excludes."""
    if _reported(graph, condition.span):
        return
    left, right = graph.decided(condition.left), graph.decided(condition.right)
    graph.collector.error(
        "E0302",
        f"this asks for {condition}, and by `where` that is {left} == {right}",
        condition.span,
        "make the sizes equal, or change what `where` says",
        (condition.reason, *_uses(condition)),
    )


def _reported(graph: Graph, span: Span) -> bool:
    """Whether the place has such a fault already: of a model that another one holds, or that
    ``train`` calls."""
    return any(item.code in (TIE, "E0302") and item.span == span for item in graph.collector.items)


def _holder(inputs: Sequence[ast.Input], names: Sequence[str]) -> ast.Input | None:
    """The first of ``inputs`` at which all of ``names`` are known."""
    missing = set(names)
    for statement in inputs:
        missing -= {size.name for size in statement.type.sizes or () if isinstance(size, ast.Name)}
        if not missing:
            return statement
    return None


def _advice(equality: str, holder: ast.Input | None) -> str:
    """How to state ``equality``, on the line of the input ``holder``."""
    if holder is None:
        return f"state it where the sizes come in: `where {equality}`"
    conditions = ", ".join([*map(written, holder.conditions), equality])
    line = f"input {holder.name}: {written(holder.type)} where {conditions}"
    return f"if that is meant, state it: `{line}`"


def _of_a_model(graph: Graph, names: Sequence[str]) -> str | None:
    """The help where `train` takes the param of a model that it calls for one that it sees."""
    if graph.kind != "train":
        return None
    for model, params in graph.library.arguments.items():
        for param in params:
            if param.name in names:
                return (
                    f"`{param.name}` is a param of {model}, which `train` does not see: move it"
                    f" above the models, `param {param.name}: {param.type} = {param.value}`"
                )
    return None


def _uses(condition: ir.Condition) -> tuple[str, ...]:
    if not condition.uses:
        return ()
    places = dict.fromkeys(f"{span.file}:{span.line}" for span in condition.uses[:4])
    return (f"it comes from what is used at {', '.join(places)}",)
