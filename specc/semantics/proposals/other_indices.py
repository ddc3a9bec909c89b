"""Indices of Python's and torch's that a spec has not, and what picks the same: several tensors at
once, lists, masks, a step backwards.

Each gives the help of a message, and the text that goes in place of the whole where there is one.
Non-goal: what indices a spec has (``subscripts``)."""

from __future__ import annotations

from collections.abc import Sequence

from specc import ir
from specc.errors import Fix
from specc.semantics.naming.graph import Graph
from specc.semantics.proposals.call_forms import called, literal
from specc.sizes import Poly, Size, symbols
from specc.syntax.tree import ast
from specc.syntax.tree.written import written

_FORMS = "an index is a whole number, a slice such as `0:2`, or a tensor of whole numbers"
_MASKED = "how many entries a mask keeps, only a run knows: "


def of_tensors(
    graph: Graph, value: ir.Value, expression: ast.Subscript, indices: Sequence[ir.Index]
) -> Fix:
    """``x[a, b]`` of two tensors: their dimensions are joined, and one tensor counts through
    them."""
    span, otherwise = expression.span, (
        "join the dimensions and count through both: `flatten(x, 0, 1)[a * S + b]`, where `b` is"
        " below `S`; or take one after the other"
    )  # fmt: skip
    places = [place for place, item in enumerate(indices) if isinstance(item, ir.Value)]
    first, last = places[0], places[-1]
    whole = all(isinstance(item, ir.SliceIndex) for item in indices[:first])
    if places != list(range(first, last + 1)) or len(indices) > len(value.type.shape) or not whole:
        return Fix(span.start, span.end, "", otherwise)
    count = expression.indices[first]
    for place in places[1:]:
        size = size_of(graph, value.type.shape[place], expression)
        entry = expression.indices[place]
        if size is None or not isinstance(count, ast.Expression):
            return Fix(span.start, span.end, "", otherwise)
        if not isinstance(entry, ast.Expression):
            return Fix(span.start, span.end, "", otherwise)
        product = ast.Binary(span=span, operator="*", left=count, right=size)
        count = ast.Binary(span=span, operator="+", left=product, right=entry)
    bounds = [literal(first, span), literal(last, span)]
    joined = called("flatten", [(None, expression.value), *((None, each) for each in bounds)], span)
    kept = (*expression.indices[:first], count, *expression.indices[last + 1 :])
    made = expression.model_copy(update={"value": joined, "indices": kept})
    return Fix(span.start, span.end, written(made), otherwise)


def of_list(expression: ast.Subscript, index: ast.Expression) -> Fix | None:
    """``x[:, [0, 2]]``: a slice where the numbers follow each other, and a stack of parts."""
    if not isinstance(index, ast.Sequence) or not index.items:
        return None
    place = expression.indices.index(index)
    others = [each for at, each in enumerate(expression.indices) if at != place]
    numbers = [item.value for item in index.items if isinstance(item, ast.Number)]
    if len(numbers) != len(index.items) or not all(_is_whole(each) for each in others):
        return None
    span = expression.span
    otherwise = "stack the parts: `stack([x[:, 0], x[:, 2]], dim=1)`"
    if numbers == list(range(int(numbers[0]), int(numbers[0]) + len(numbers))):
        ends = (literal(numbers[0], span), literal(numbers[-1] + 1, span))
        cut = ast.Slice(span=span, lower=ends[0], upper=ends[1], step=None)
        return Fix(span.start, span.end, written(_with(expression, place, cut)), otherwise)
    parts = tuple(_with(expression, place, item) for item in index.items)
    listed = ast.Sequence(span=span, kind="list", items=parts)
    made = called("stack", [(None, listed), ("dim", literal(place, span))], span)
    return Fix(span.start, span.end, written(made), otherwise)


def of_mask(expression: ast.Subscript, index: ast.Expression) -> str:
    """``x[mask]``: what keeps the shape."""
    return (
        f"{_MASKED}`where({written(index)}, {written(expression.value)}, 0.0)` keeps the shape, and"
        " a sum over it counts those alone"
    )


def of_anything() -> str:
    """The help of a message on what is no index at all."""
    return _FORMS


def backwards(expression: ast.Subscript) -> Fix | None:
    """``x[:, ::-1]`` as ``flip(x, 1)``."""
    turned = [
        place for place, item in enumerate(expression.indices)
        if isinstance(item, ast.Slice) and isinstance(item.step, ast.Unary)
    ]  # fmt: skip
    span = expression.span
    for place, item in enumerate(expression.indices):
        if isinstance(item, ast.Slice) and place in turned:
            if item.lower is not None or item.upper is not None or written(item.step) != "-1":  # type: ignore[arg-type]  # as just told
                return None
        elif not _is_whole(item):
            return None
    if not turned:
        return None
    where = literal(turned[0], span) if len(turned) == 1 else ast.Sequence(
        span=span, kind="tuple", items=tuple(literal(place, span) for place in turned)
    )  # fmt: skip
    made = called("flip", [(None, expression.value), (None, where)], span)
    return Fix(span.start, span.end, written(made))


def size_of(graph: Graph, size: Size, node: ast.Expression) -> ast.Expression | None:
    """``size`` by its name, its number, or what it is computed by; None where that has no name."""
    if isinstance(size, int):
        return literal(size, node.span)
    for name in (*graph.dimensions, *graph.params):
        if graph.env.get(name) == size:
            return ast.Name(span=node.span, name=name)
    if isinstance(size, Poly) and all(name in graph.env for name in symbols(size)):
        text = str(size)
        return ast.Name(span=node.span, name=text if text.isidentifier() else f"({text})")
    return None


def _is_whole(item: ast.Node) -> bool:
    return isinstance(item, ast.Slice) and item.lower is item.upper is item.step is None


def _with(expression: ast.Subscript, place: int, item: ast.Expression | ast.Slice) -> ast.Subscript:
    indices = (*expression.indices[:place], item, *expression.indices[place + 1 :])
    return expression.model_copy(update={"indices": indices})
