"""Indexing and slicing: ``h[:, -1]``, ``x[..., 0:D]``, ``hidden[0]``.

An index drops its dimension, a slice keeps it, ``...`` stands for the dimensions left over; sizes
of slices are exact where the bounds are known and the step is 1. Non-goal: masks and gathers, which
are functions."""

from __future__ import annotations

from dataclasses import replace

from specc import ir
from specc.catalog.rows import RuleError
from specc.errors import Span
from specc.semantics.compile_time import static
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    Items,
    Poison,
    describe,
    is_poisoned,
    of_entry,
    to_static,
)
from specc.semantics.naming.graph import Elaborate, Graph, Hint
from specc.semantics.naming.positional import counted
from specc.semantics.proposals.other_indices import (
    backwards,
    of_anything,
    of_list,
    of_mask,
    of_tensors,
)
from specc.sizes import Cut, Poly, Size, evaluate, never_negative
from specc.syntax.tree import ast


def subscript(
    graph: Graph, value: Entity, expression: ast.Subscript, hint: Hint, elaborate: Elaborate
) -> Entity:
    """``value[indices]``: a part of a tensor, or one of several results."""
    if isinstance(value, Items):
        return _pick(graph, value, expression, elaborate)
    if not isinstance(value, ir.Value):
        return graph.error("E0225", f"{describe(value)} has no parts to take", expression.span)
    indices: list[ir.Index] = []
    for index in expression.indices:
        made = _index(graph, index, elaborate, expression)
        if isinstance(made, Poison):
            return POISON
        indices.append(made)
    turned = backwards(expression)
    if turned is not None:
        return graph.error(
            "E0307", "a slice goes forwards, by a step of at least 1", expression.span,
            f"write `{turned.text}`", (), turned,
        )  # fmt: skip
    if sum(isinstance(item, ir.Value) for item in indices) > 1:
        fix = of_tensors(graph, value, expression, indices)
        help_ = f"write `{fix.text}`" if fix.text else fix.otherwise
        return graph.error(
            "E0304", "one tensor at a time may be an index", expression.span, help_, (),
            fix if fix.text else None,
        )  # fmt: skip
    try:
        shape = _shape(graph, value.type, indices, expression.span)
    except RuleError as fault:
        return graph.rule_error(fault, expression.span, {}, (f"the value is {value.type}",))
    type_ = value.type
    part = type_.with_shape(shape)
    if type_.classes is not None:
        part = replace(type_, shape=shape)  # some of the labels are labels
    result = graph.value(part, expression.span, hint)
    graph.nodes.append(ir.Subscript(value, tuple(indices), result, expression.span))
    return result


def _pick(graph: Graph, value: Items, expression: ast.Subscript, elaborate: Elaborate) -> Entity:
    index = expression.indices[0]
    if isinstance(index, ast.Slice) and len(expression.indices) == 1:
        return _part(graph, value, index, elaborate)
    position = elaborate(graph, index) if isinstance(index, ast.Expression) else None
    if is_poisoned(position):
        return POISON
    said: Entity = position
    if isinstance(position, Poly):
        if value.entry is None:
            graph.fix(position)  # what is picked was picked by this value of it
        position = evaluate(position, graph.params)
    if len(expression.indices) != 1 or not isinstance(position, int):
        return graph.error(
            "E0225", f"one of {len(value.items)} values is picked by a number", expression.span
        )
    listed = expression.value
    if isinstance(listed, ast.Name) and listed.name in graph.unread:
        return POISON  # it may have got items where something could not be read
    if not -len(value.items) <= position < len(value.items):
        return graph.error(
            "E0304",
            f"there are {len(value.items)} values; there is no number {position}",
            expression.span,
        )
    if value.entry is not None and isinstance(said, int | Poly):
        held = static.plain(to_static(value.items[position]), graph.params)
        return of_entry(replace(value.entry, path=(*value.entry.path, said)), held)
    return value.items[position]


def _part(graph: Graph, value: Items, cut: ast.Slice, elaborate: Elaborate) -> Entity:
    """``widths[1:]``: some of the items."""
    bounds: list[int | None] = []
    forms: list[Size | None] = []
    for written in (cut.lower, cut.upper, cut.step):
        bound = None if written is None else elaborate(graph, written)
        if is_poisoned(bound):
            return POISON
        forms.append(bound if isinstance(bound, int | Poly) else None)
        if isinstance(bound, Poly):
            if value.entry is None:
                graph.fix(bound)
            bound = evaluate(bound, graph.params)
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int)):
            span = cut.span if written is None else written.span
            return graph.error("E0225", f"items are cut at a number, not {describe(bound)}", span)
        bounds.append(bound)
    if bounds[2] == 0:
        return graph.error("E0225", "the step of a slice cannot be 0", cut.span)
    found = value.items[slice(*bounds)]
    if value.entry is None or bounds[2] not in (None, 1):
        graph.fix(value)
        return Items(found)
    held = static.plain(tuple(map(to_static, found)), graph.params)
    return of_entry(replace(value.entry, path=(*value.entry.path, Cut(*forms[:2]))), held)


def _index(
    graph: Graph, index: ast.Expression | ast.Slice | ast.Ellipsis, elaborate: Elaborate,
    expression: ast.Subscript,
) -> ir.Index | Poison:  # fmt: skip
    if isinstance(index, ast.Ellipsis):
        return ir.EllipsisIndex()
    if isinstance(index, ast.Slice):
        bounds: list[ir.Static] = []
        for part in (index.lower, index.upper, index.step):
            bound = None if part is None else elaborate(graph, part)
            if is_poisoned(bound):
                return POISON
            if bound is not None and not _is_size(bound):
                span = part.span if part is not None else index.span
                graph.error("E0211", f"a slice is cut at a size, not {describe(bound)}", span)
                return POISON
            bounds.append(to_static(bound))
        return ir.SliceIndex(*bounds)
    value = elaborate(graph, index)
    if is_poisoned(value):
        return POISON
    if value is None or _is_size(value):
        return to_static(value)
    if isinstance(value, ir.Value) and value.type.dtype.startswith("int"):
        return value
    fix = of_list(expression, index)
    masks = isinstance(value, ir.Value) and value.type.dtype == "bool"
    help_ = of_mask(expression, index) if masks else of_anything()
    graph.error(
        "E0211",
        f"an index is a whole number, a slice or a tensor of them, not {describe(value)}",
        index.span, help_ if fix is None else f"write `{fix.text}`", (), fix,
    )  # fmt: skip
    return POISON


def _shape(
    graph: Graph, type_: ir.TensorType, indices: list[ir.Index], span: Span
) -> tuple[Size, ...]:
    rank = len(type_.shape)
    takes = sum(not (item is None or isinstance(item, ir.EllipsisIndex)) for item in indices)
    if sum(isinstance(item, ir.EllipsisIndex) for item in indices) > 1:
        raise RuleError("E0304", "`...` stands at most once in an index")
    if takes > rank:
        have = f"{counted(takes, 'index', 'indices')} for {counted(rank, 'dimension')}"
        raise RuleError("E0304", have, help="say as many as there are, or fewer")
    shape: list[Size] = []
    position = 0
    for item in indices:
        match item:
            case ir.EllipsisIndex():
                kept = rank - takes
                shape.extend(type_.shape[position : position + kept])
                position += kept
            case None:
                shape.append(1)
            case ir.SliceIndex():
                shape.append(_sliced(graph, type_.shape[position], item, span))
                position += 1
            case ir.Value():
                if item.type.classes is not None:
                    _covered(graph, type_.shape[position], item.type, position, span)
                shape.extend(item.type.shape)
                position += 1
            case _:
                _in_range(graph, type_.shape[position], item, position, span)
                position += 1
    shape.extend(type_.shape[position:])
    return tuple(shape)


def _in_range(graph: Graph, size: Size, index: object, dimension: int, span: Span) -> None:
    """E0304 for an index known to be outside; a condition where only the run's sizes tell."""
    assert isinstance(index, int | Poly)
    known, length = evaluate(index, graph.params), evaluate(size, graph.params)
    if isinstance(known, int) and isinstance(length, int):
        if not -length <= known < length:
            raise RuleError(
                "E0304", f"index {known} is outside dimension {dimension}, which has size {length}",
                help=f"the last is {length - 1}, or -1",
            )  # fmt: skip
        return
    reason = f"{index} is an index of a dimension of size {size}"
    # torch counts from the end where the number is negative: `x[:, -T]` is the first.
    if never_negative(-known - 1):
        least, most = -known, length
    else:
        _state(graph, 0, known, reason, span)
        least, most = known + 1, length
    if never_negative(graph.decided(least) - graph.decided(most) - 1):
        raise RuleError(
            "E0304", f"index {index} is outside dimension {dimension}, which has size {size}",
            help=f"the last is {size - 1}, or -1",
        )  # fmt: skip
    _state(graph, least, most, reason, span)


def _covered(graph: Graph, size: Size, index: ir.TensorType, dimension: int, span: Span) -> None:
    """E0309 for an ``index(k)`` known to go beyond the dimension; a condition where that is
    open."""
    assert index.classes is not None
    known, length = graph.decided(index.classes), graph.decided(size)
    message = f"dimension {dimension} has {size} entries, and {index} goes up to"
    last = index.classes - 1
    if never_negative(known - length - 1):
        raise RuleError("E0309", f"{message} {last}", help="pick from k or more")
    _state(graph, known, length, f"{message} {last}", span)


def _state(graph: Graph, least: Size, most: Size, reason: str, span: Span) -> None:
    """``least <= most`` as a condition, where sizes of at least 1 do not make it so."""
    if _smallest(most - least) < 0:
        graph.conditions.append(ir.Condition(least, "<=", most, reason, span))


def _smallest(size: Size) -> float:
    """The least that ``size`` can be, as far as its form shows it, for symbols of at least 1."""
    if isinstance(size, int):
        return size
    total = 0.0
    for monomial, factor in size.terms:
        if monomial and (factor < 0 or not all(isinstance(atom, str) for atom in monomial)):
            return float("-inf")
        total += factor
    return total


def _sliced(graph: Graph, size: Size, cut: ir.SliceIndex, span: Span) -> Size:
    step = 1 if cut.step is None else _size(cut.step)
    if not isinstance(step, int) or step < 1:
        raise RuleError("E0307", f"a slice's step is a number of at least 1, not {step}")
    lower = _bound(graph, cut.lower, size, 0)
    upper = _bound(graph, cut.upper, size, size)
    length = upper - lower
    known = evaluate(length, graph.params)
    if isinstance(known, int) and known < 1:
        raise RuleError("E0304", f"the slice from {lower} to {upper} is empty")
    # torch cuts a bound that is outside down to the dimension, and would give another shape.
    reason = f"the slice from {lower} to {upper} lies within a dimension of size {size}"
    lowest, highest = evaluate(lower, graph.params), evaluate(upper, graph.params)
    _state(graph, 0, lowest, reason, span)
    _state(graph, lowest, highest, reason, span)
    _state(graph, highest, evaluate(size, graph.params), reason, span)
    return length if step == 1 else (length + step - 1) // step


def _bound(graph: Graph, bound: ir.Static, size: Size, default: Size) -> Size:
    """A slice's bound counted from the front, within the dimension where that can be told."""
    if bound is None:
        return default
    where = _size(bound)
    known, length = evaluate(where, graph.params), evaluate(size, graph.params)
    if isinstance(known, int) and known < 0:
        where = size + where
        known = evaluate(where, graph.params)
    if isinstance(known, int) and isinstance(length, int):
        return where if 0 <= known <= length else max(0, min(known, length))
    return where


def _size(value: ir.Static) -> Size:
    assert isinstance(value, int | Poly)
    return value


def _is_size(value: object) -> bool:
    return isinstance(value, Poly) or (isinstance(value, int) and not isinstance(value, bool))
