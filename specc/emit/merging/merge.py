"""Several readings of the same statements to one that says them all: a class, a loop.

A block used in several ways was read once for each; the rounds of a loop likewise. Where they
differ in nothing but what their params, sizes and positions say, one text stands for all. ``merge``
finds it, or raises ``Different``. Non-goal: how it is printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import replace

from specc import ir
from specc.emit.merging.branch_sides import known_on
from specc.emit.merging.common_forms import Different, Standpoint, agree
from specc.emit.merging.views import (
    Pair,
    View,
    alias,
    index_count,
    must_equal,
    one_argument_list,
    one_index,
    one_operand,
    one_value,
)
from specc.emit.writing.chosen_layers import remaining, with_remaining
from specc.emit.writing.method_parts import Choice, Cycle, Kept, Leaf, Part, Round, Sequential
from specc.semantics.compile_time.threads import UNSAID
from specc.sizes import Poly, Size, symbol


def merge(views: Sequence[View]) -> tuple[Part, ...]:
    """The parts that say what every view says. Raises Different."""
    first = views[0]
    if any(len(view.nodes) != len(first.nodes) for view in views):
        raise Different("another number of statements")
    return tuple(
        _merge_node([(view, view.nodes[position]) for view in views])
        for position in range(len(first.nodes))
    )


def as_parts(
    nodes: Sequence[ir.Node], results: Iterable[ir.Value]
) -> tuple[tuple[Part, ...], list[ir.Value]]:
    """The parts of nodes that were read once, and what stands in them for ``results``: what goes
    through a loop without rounds is what went in."""
    view = View(nodes, Standpoint(0))
    parts = merge([view])
    return parts, [view.of(value) for value in results]


def _merge_node(pairs: Sequence[Pair]) -> Part:
    first = pairs[0][1]
    if any(type(node) is not type(first) for _, node in pairs):
        raise Different("another kind of statement")
    match first:
        case ir.Make():
            return _make(pairs)
        case ir.Chain():
            return _sequential(pairs)
        case ir.Loop():
            return _cycle(pairs)
        case ir.Branch():
            return _choice(pairs)
        case ir.State():
            return _kept(pairs)
        case _:
            return _leaf(pairs)


def _leaf(pairs: Sequence[Pair]) -> Leaf:
    node = pairs[0][1]
    made: Leaf
    match node:
        case ir.LayerCall():
            _same_place(pairs)
            inputs = [(view, other.inputs) for view, other in pairs]  # type: ignore[union-attr]  # of one kind
            keywords = [(view, other.keywords) for view, other in pairs]  # type: ignore[union-attr]  # of one kind
            operands = one_operand(inputs)
            assert isinstance(operands, tuple)
            made = replace(node, inputs=operands, keywords=one_argument_list(keywords))
        case ir.FunctionCall():
            must_equal(pairs, "kind", "function")
            listed = [(view, other.arguments) for view, other in pairs]  # type: ignore[union-attr]  # of one kind
            made = replace(node, arguments=one_argument_list(listed))
        case ir.Operation():
            must_equal(pairs, "operator")
            both = [(view, other.operands) for view, other in pairs]  # type: ignore[union-attr]  # of one kind
            operands = one_operand(both)
            assert isinstance(operands, tuple)
            made = replace(node, operands=operands)
        case ir.Subscript():
            made = replace(
                node,
                value=one_value(pairs, "value"),
                indices=tuple(
                    one_index([(view, other.indices[k]) for view, other in pairs])  # type: ignore[union-attr]  # of one kind
                    for k in range(index_count(pairs))
                ),
            )
        case ir.ParameterRead():
            must_equal(pairs, "parameter")
            _same_place(pairs)
            made = node
        case ir.Transpose():
            must_equal(pairs, "attribute")
            made = replace(node, value=one_value(pairs, "value"))
        case ir.Derivative():
            made = replace(node, of=one_value(pairs, "of"), by=one_value(pairs, "by"))
        case _:
            raise TypeError(f"no leaf: {type(node).__name__}")
    alias(pairs, [other.result for _, other in pairs])  # type: ignore[union-attr]  # leaves
    return made


def _same_place(pairs: Sequence[Pair]) -> None:
    """That the layers called have one path, but for the positions in the loops around."""
    shapes = {
        without_numbers(node.layer)
        for _, node in pairs
        if isinstance(node, ir.LayerCall | ir.ParameterRead)
    }
    if len(shapes) > 1:
        raise Different("another layer")


def without_numbers(path: str) -> tuple[str, ...]:
    """A layer's path wherever in the loops around it stands."""
    return tuple("#" if part.isdigit() else part for part in path.split("."))


def _make(pairs: Sequence[Pair]) -> ir.Make:
    node = pairs[0][1]
    assert isinstance(node, ir.Make)
    layers = [(view, other.layer) for view, other in pairs if isinstance(other, ir.Make)]
    first = node.layer
    chosen = None if first.choice is None else first.choice.param
    for view, layer in layers:
        if chosen != (None if layer.choice is None else layer.choice.param):
            raise Different("a layer that another param chooses")
        if (chosen is None and layer.type != first.type) or without_numbers(
            layer.name
        ) != without_numbers(first.name):
            raise Different("another layer")
        if [w.type for w in layer.wrappers] != [w.type for w in first.wrappers]:
            raise Different("another parametrization")
        if view.classes.get(id(layer.module)) is not view.classes.get(id(first.module)):
            raise Different("a block of another class")
    if chosen is None:
        arguments = one_argument_list([(view, layer.arguments) for view, layer in layers])
    else:
        arguments = _chosen_arguments(layers)
    sizes = _sizes(layers)
    wrappers = _wrappers([(view, layer.wrappers) for view, layer in layers])
    made = replace(first, arguments=arguments, sizes=sizes, wrappers=wrappers)  # type: ignore[arg-type]  # as they were
    return ir.Make(made, node.span)


def _sizes(layers: Sequence[tuple[View, ir.Layer]]) -> ir.Arguments:
    """The sizes of a block's inputs; in a loop some may differ from round to round, which the block
    may well not care for."""
    try:
        return one_argument_list([(view, layer.sizes) for view, layer in layers])
    except Different:
        if not layers[0][0].threaded:
            raise
    found: list[tuple[str, ir.Operand]] = []
    for place, (name, _) in enumerate(layers[0][1].sizes):
        try:
            found += one_argument_list(
                [(view, layer.sizes[place : place + 1]) for view, layer in layers]
            )
        except Different:
            found.append((name, symbol(UNSAID)))
    return tuple(found)


def _wrappers(pairs: Sequence[tuple[View, tuple[ir.Wrapper, ...]]]) -> tuple[ir.Wrapper, ...]:
    return tuple(
        replace(
            wrapper,
            arguments=one_argument_list([(view, other[k].arguments) for view, other in pairs]),
        )
        for k, wrapper in enumerate(pairs[0][1])
    )


def _kept(pairs: Sequence[Pair]) -> Kept:
    node = pairs[0][1]
    assert isinstance(node, ir.State)
    must_equal(pairs, "kind", "name", "initializer", "persistent")
    states = [(view, other) for view, other in pairs if isinstance(other, ir.State)]
    if any(
        [w.type for w in state.wrappers] != [w.type for w in node.wrappers] for _, state in states
    ):
        raise Different("another parametrization")
    types = [(view, state.result.type) for view, state in states]
    if any(type_.dtype != node.result.type.dtype for _, type_ in types):
        raise Different("another dtype")
    shape = agree([(type_.shape, view.at) for view, type_ in types])
    classes = agree([(type_.classes, view.at) for view, type_ in types])
    parts = merge([view.inner(state.nodes) for view, state in states])
    value = one_operand([(view, state.value) for view, state in states])
    arguments = one_argument_list([(view, state.arguments) for view, state in states])
    wrappers = _wrappers([(view, state.wrappers) for view, state in states])
    alias(pairs, [state.result for _, state in states])
    return Kept(node, shape, classes, arguments, wrappers, parts, value)  # type: ignore[arg-type]  # sizes, as they were


def _chosen_arguments(layers: Sequence[tuple[View, ir.Layer]]) -> ir.Arguments:
    """The arguments of a layer that a param chooses: of whatever type, it is made by one call."""
    listed = [(view, remaining(layer)) for view, layer in layers]
    if len({len(by_place) for _, (by_place, _) in listed}) > 1:
        raise Different("another number of arguments")
    by_place = tuple(
        one_operand([(view, each[0][k]) for view, each in listed])
        for k in range(len(listed[0][1][0]))
    )
    by_name = one_argument_list([(view, each[1]) for view, each in listed])
    return with_remaining(layers[0][1], (by_place, by_name))


def _sequential(pairs: Sequence[Pair]) -> Sequential:
    node = pairs[0][1]
    assert isinstance(node, ir.Chain)
    source = one_value(pairs, "input")
    parts = merge([view.inner(other.nodes) for view, other in pairs])  # type: ignore[union-attr]  # of one kind
    for view, other in pairs:
        # What the last stage stands for is known inside alone: the row is called as one.
        view.canonical.pop(id(other.result), None)  # type: ignore[union-attr]  # chains
    alias(pairs, [other.result for _, other in pairs])  # type: ignore[union-attr]  # chains
    return Sequential(node.path, parts, source, node.result, node.span)


def _cycle(pairs: Sequence[Pair]) -> Cycle:
    node = pairs[0][1]
    assert isinstance(node, ir.Loop)
    loops = [(view, other) for view, other in pairs if isinstance(other, ir.Loop)]
    must_equal(pairs, "kind", "variable", "names", "offset", "written_out")
    if (node.bounds is None) != any(loop.bounds is None for _, loop in loops):
        raise Different("another way round")
    bounds = None
    if node.bounds is not None:
        counts = {len(loop.bounds or ()) for _, loop in loops}
        if len(counts) > 1:
            raise Different("other bounds")
        bounds = tuple(
            agree([((loop.bounds or ())[k], view.at) for view, loop in loops])
            for k in range(counts.pop())
        )
    items = agree([(loop.items, view.at) for view, loop in loops])
    initial = tuple(
        one_operand([(view, loop.initial[k]) for view, loop in loops])
        for k in range(len(node.initial))
    )
    must_equal(pairs, "threads")
    starts = tuple(
        _one_size([(view, loop.initial[thread.position]) for view, loop in loops], thread)
        for thread in node.threads
    )
    rounds, unrolled = _rounds(loops)
    if node.kind == "list":
        if len({len(loop.results) for _, loop in loops}) > 1:
            raise Different("another number of items")
    if not rounds and node.kind == "for":
        # Nothing is done: what enters comes out.
        for view, loop in loops:
            for result, value in zip(loop.results, loop.initial, strict=True):
                view.canonical[id(result)] = view.of(value)
    else:
        alias(pairs, [loop.results for _, loop in loops])
    times = frozenset(len(loop.iterations) for _, loop in loops)
    threads = tuple(thread.symbol for thread in node.threads)
    return Cycle(node, rounds, unrolled, bounds, items, initial, times, threads, starts)  # type: ignore[arg-type]  # values


def _one_size(values: Sequence[tuple[View, ir.Value]], thread: ir.Thread) -> Size:
    """The size of ``values`` that ``thread`` is of, in words that are true of all."""
    found = agree([(value.type.shape[thread.dimension], view.at) for view, value in values])
    assert isinstance(found, int | Poly)
    return found


def _rounds(loops: Sequence[tuple[View, ir.Loop]]) -> tuple[tuple[Round, ...], bool]:
    """One round for all where they agree; each, where they do not."""
    everything = [
        (_round_view(view, loop, iteration), iteration, position)
        for view, loop in loops
        for position, iteration in enumerate(loop.iterations)
    ]
    if not everything:
        return (), False
    if not loops[0][1].written_out:
        with suppress(Different):
            return (_round(everything, loops[0][1].threads),), False
    times = {len(loop.iterations) for _, loop in loops}
    if len(times) > 1:
        raise Different("another number of rounds, no two alike")
    rounds = []
    for position in range(times.pop()):
        at = [
            (_round_view(view, loop, loop.iterations[position]), loop.iterations[position],
             position)
            for view, loop in loops
        ]  # fmt: skip
        rounds.append(_round(at, loops[0][1].threads))
        for (view, loop), (inner, _, _) in zip(loops, at, strict=True):
            if loop.written_out:
                view.canonical.update(inner.canonical)
    return tuple(rounds), True


def _round_view(view: View, loop: ir.Loop, iteration: ir.Iteration) -> View:
    rounds = {**view.at.rounds, **loop.numbers(iteration.index)}
    at = Standpoint(view.at.variant, view.at.known, rounds)
    return View(
        iteration.nodes, at, classes=view.classes, outer=view, threaded=view.threaded
    )  # fmt: skip


def _round(
    entries: Sequence[tuple[View, ir.Iteration, int]], threads: Sequence[ir.Thread]
) -> Round:
    _, first, position = entries[0]
    for view, iteration, _ in entries[1:]:
        for mine, canonical in zip(iteration.entering, first.entering, strict=True):
            view.canonical[id(mine)] = canonical
    parts = merge([view for view, _, _ in entries])
    if not entries[0][0].threaded and _chooses(parts):
        raise Different("a branch that some rounds take")
    leaving = tuple(
        one_operand([(view, iteration.leaving[k]) for view, iteration, _ in entries])
        for k in range(len(first.leaving))
    )
    updates = tuple(
        _one_size([(view, each.leaving[thread.position]) for view, each, _ in entries], thread)
        for thread in threads
    )
    return Round(position, first.index, parts, first.entering, leaving, updates)  # type: ignore[arg-type]  # as they were


def _choice(pairs: Sequence[Pair]) -> Choice:
    node = pairs[0][1]
    assert isinstance(node, ir.Branch)
    written = [(view, other) for view, other in pairs if isinstance(other, ir.Branch)]
    # A name that only one side gives is not known after it: no reading of the other side has it.
    shared = set(node.names).intersection(*(branch.names for _, branch in written))
    for view, branch in written:
        view.lost.update(
            id(result)
            for name, result in zip(branch.names, branch.results, strict=True)
            if name not in shared
        )
    branches = [(view, _of_names(branch, shared)) for view, branch in written]
    node = branches[0][1]
    condition = agree([(branch.condition, view.at) for view, branch in branches])
    before: list[ir.Value | None] = []
    for k in range(len(node.names)):
        if node.before[k] is None:
            if any(branch.before[k] is not None for _, branch in branches):
                raise Different("another value before")
            before.append(None)
        else:
            found = one_operand([(view, branch.before[k]) for view, branch in branches])
            assert isinstance(found, ir.Value)
            before.append(found)
    threads = tuple({each.symbol: each for _, b in branches for each in b.threads}.values())
    left: dict[bool, tuple[Size, ...]] = {True: (), False: ()}
    shapes: dict[bool, tuple[tuple[Size, ...] | None, ...]] = {True: (), False: ()}
    sides: dict[bool, tuple[tuple[Part, ...] | None, tuple[ir.Value, ...]]] = {}
    for taken in (True, False):
        group = [(view, branch) for view, branch in branches if branch.taken is taken]
        if not group:
            sides[taken] = (None, ())
            continue
        parts = merge([view.inner(branch.nodes) for view, branch in group])
        after = tuple(
            one_operand([(view, branch.after[k]) for view, branch in group])
            for k in range(len(node.names))
        )
        sides[taken] = (parts, after)  # type: ignore[assignment]  # values
        shapes[taken] = tuple(
            _one_shape([(view, branch.after[k]) for view, branch in group])
            for k in range(len(node.names))
        )
        left[taken] = tuple(
            _one_size([(view, branch.after[each.position]) for view, branch in group], each)
            for each in threads
        )
    symbols = tuple(each.symbol for each in threads)
    in_round = pairs[0][0].outer is not None
    yes, no = sides[True], sides[False]
    if yes[0] is None or no[0] is None:
        # Nothing is chosen: what the side gives is simply what comes after.
        for view, branch in branches:
            for result, value in zip(branch.results, branch.after, strict=True):
                view.canonical[id(result)] = view.of(value)
        return Choice(
            condition, yes[0], no[0], (), (), (), node, in_round=in_round,
            threads=symbols, sizes_yes=left[True], sizes_no=left[False],
        )  # fmt: skip
    through = _passing(sides, before) if in_round else None
    if through is not None:
        for view, branch in branches:
            for result in branch.results:
                view.canonical[id(result)] = through
        return Choice(
            condition, yes[0], no[0], (), (), (), node, in_round=True, passes=True,
            threads=symbols, sizes_yes=left[True], sizes_no=left[False],
        )  # fmt: skip
    alias(pairs, [branch.results for _, branch in branches])
    takers = frozenset(view.at.variant for view, branch in branches if branch.taken)
    return Choice(
        condition, yes[0], no[0], tuple(before), yes[1], no[1], node, takers, _alike(branches),
        in_round, threads=symbols, sizes_yes=left[True], sizes_no=left[False],
        shapes_yes=shapes[True], shapes_no=shapes[False],
    )  # fmt: skip


def _one_shape(values: Sequence[tuple[View, ir.Value]]) -> tuple[Size, ...] | None:
    try:
        return agree([(value.type.shape, view.at) for view, value in values])  # type: ignore[return-value]  # sizes
    except Different:
        return None


def _alike(branches: Sequence[tuple[View, ir.Branch]]) -> frozenset[int]:
    """The variants whose words for the shapes that a branch leaves are right for all, by what its
    condition says on the side of each alone."""
    shapes = [
        (tuple(value.type.shape for value in branch.after),
         Standpoint(view.at.variant, known_on(branch.condition, branch.taken)))
        for view, branch in branches
    ]  # fmt: skip
    try:
        said = agree(shapes)
    except Different:
        return frozenset()
    return frozenset(at.variant for shape, at in shapes if shape == said)


def _passing(
    sides: Mapping[bool, tuple[Sequence[Part] | None, Sequence[ir.Value]]],
    before: Sequence[ir.Value | None],
) -> ir.Value | None:
    """What one side's layer gives of a value that the other side leaves as it is; None where the
    sides are anything else."""
    if len(before) != 1 or before[0] is None:
        return None
    for taken in (True, False):
        parts, (after,) = sides[taken]
        others, (unchanged,) = sides[not taken]
        computing = [part for part in parts or () if not isinstance(part, ir.Make)]
        if others or unchanged is not before[0] or len(computing) != 1:
            continue
        match computing[0]:
            case ir.LayerCall(inputs=(fed,), keywords=(), result=result):
                if fed is before[0] and result is after:
                    return after
            case Sequential(input=fed, result=result):
                if fed is before[0] and result is after:
                    return after
    return None


def _of_names(branch: ir.Branch, names: Set[str]) -> ir.Branch:
    """The branch as far as it concerns ``names``."""
    kept = [k for k, name in enumerate(branch.names) if name in names]
    return replace(
        branch,
        names=tuple(branch.names[k] for k in kept),
        before=tuple(branch.before[k] for k in kept),
        after=tuple(branch.after[k] for k in kept),
        results=tuple(branch.results[k] for k in kept),
        threads=tuple(
            replace(each, position=kept.index(each.position))
            for each in branch.threads
            if each.position in kept
        ),
    )


def _chooses(parts: Sequence[Part]) -> bool:
    for part in parts:
        if isinstance(part, Choice):
            if not part.one_sided or _chooses(part.yes or part.no or ()):
                return True
        elif isinstance(part, Cycle) and any(_chooses(round_.parts) for round_ in part.rounds):
            return True
    return False
