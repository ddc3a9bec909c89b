"""Several readings of the same statements to one that says them all: a class, a loop.

A block used in several ways was read once for each; the rounds of a loop likewise. Where they
differ in nothing but what their params, sizes and positions say, one text stands for all. ``merge``
finds it, or raises ``Different``. Non-goal: how it is printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from specc import ir
from specc.emit.forms import Different, Standpoint, agree
from specc.emit.plan import Choice, Cycle, Part, Round, Row


@dataclass(slots=True)
class View:
    """One reading: its nodes, what its symbols are, and which value stands for each of its own.

    ``outer`` is the reading around this round of a loop: what it knows is known here, too.
    ``classes`` says of the blocks inside, by identity, which class each is of, as far as that is
    known."""

    nodes: Sequence[ir.Node]
    at: Standpoint
    canonical: dict[int, ir.Value] = field(default_factory=dict)
    classes: Mapping[int, object] = field(default_factory=dict)
    outer: View | None = None

    def of(self, value: ir.Value) -> ir.Value:
        view: View | None = self
        while view is not None:
            found = view.canonical.get(id(value))
            if found is not None:
                return found
            view = view.outer
        return value

    def inner(self, nodes: Sequence[ir.Node]) -> View:
        return View(nodes, self.at, self.canonical, self.classes, self.outer)


def merge(views: Sequence[View]) -> tuple[Part, ...]:
    """The parts that say what every view says. Raises Different."""
    first = views[0]
    if any(len(view.nodes) != len(first.nodes) for view in views):
        raise Different("another number of statements")
    return tuple(
        _merge_node([(view, view.nodes[position]) for view in views])
        for position in range(len(first.nodes))
    )


def as_parts(nodes: Sequence[ir.Node]) -> tuple[Part, ...]:
    """The parts of nodes that were read once."""
    return merge([View(nodes, Standpoint(0, {}))])


Pair: TypeAlias = tuple[View, ir.Node]


def _merge_node(pairs: Sequence[Pair]) -> Part:
    first = pairs[0][1]
    if any(type(node) is not type(first) for _, node in pairs):
        raise Different("another kind of statement")
    match first:
        case ir.Make():
            return _make(pairs)
        case ir.Chain():
            return _row(pairs)
        case ir.Loop():
            return _cycle(pairs)
        case ir.Branch():
            return _choice(pairs)
        case _:
            return _leaf(pairs)


def _same(pairs: Sequence[Pair], *names: str) -> None:
    first = pairs[0][1]
    for name in names:
        wanted = getattr(first, name)
        if any(getattr(node, name) != wanted for _, node in pairs):
            raise Different(f"another {name}")


def _alias(pairs: Sequence[Pair], results: Sequence[ir.Result]) -> None:
    """From here on, what the others gave is what the first gave."""
    wanted = tuple(ir.result_values(results[0]))
    for (view, _), result in zip(pairs[1:], results[1:], strict=True):
        found = tuple(ir.result_values(result))
        if len(found) != len(wanted):
            raise Different("another number of results")
        for mine, canonical in zip(found, wanted, strict=True):
            if mine is not canonical:
                view.canonical[id(mine)] = canonical


def _operand(pairs: Sequence[tuple[View, ir.Operand]]) -> ir.Operand:
    """What stands for one operand of all views."""
    view, first = pairs[0]
    if isinstance(first, ir.Value):
        canonical = view.of(first)
        for other, operand in pairs[1:]:
            if not isinstance(operand, ir.Value) or other.of(operand) is not canonical:
                raise Different("another value")
        return canonical
    if isinstance(first, tuple) and _holds_values(first):
        for _, operand in pairs:
            if not isinstance(operand, tuple) or len(operand) != len(first):
                raise Different("another number of operands")
        return tuple(
            _operand([(other, operand[index]) for other, operand in pairs])  # type: ignore[index]
            for index in range(len(first))
        )
    if any(isinstance(operand, ir.Value) for _, operand in pairs):
        raise Different("a tensor and a number")
    return agree([(operand, other.at) for other, operand in pairs])  # type: ignore[misc]


def _holds_values(operand: tuple[object, ...]) -> bool:
    return any(
        isinstance(item, ir.Value) or (isinstance(item, tuple) and _holds_values(item))
        for item in operand
    )


def _arguments(pairs: Sequence[tuple[View, ir.Arguments]]) -> ir.Arguments:
    first = pairs[0][1]
    names = [name for name, _ in first]
    if any([name for name, _ in arguments] != names for _, arguments in pairs):
        raise Different("other arguments")
    return tuple(
        (name, _operand([(view, arguments[index][1]) for view, arguments in pairs]))
        for index, name in enumerate(names)
    )


def _leaf(pairs: Sequence[Pair]) -> ir.Leaf:
    node = pairs[0][1]
    made: ir.Leaf
    match node:
        case ir.LayerCall():
            _same_place(pairs)
            inputs = [(view, other.inputs) for view, other in pairs]  # type: ignore[union-attr]
            keywords = [(view, other.keywords) for view, other in pairs]  # type: ignore[union-attr]
            operands = _operand(inputs)
            assert isinstance(operands, tuple)
            made = replace(node, inputs=operands, keywords=_arguments(keywords))
        case ir.FunctionCall():
            _same(pairs, "kind", "function")
            listed = [(view, other.arguments) for view, other in pairs]  # type: ignore[union-attr]
            made = replace(node, arguments=_arguments(listed))
        case ir.Operation():
            _same(pairs, "operator")
            both = [(view, other.operands) for view, other in pairs]  # type: ignore[union-attr]
            operands = _operand(both)
            assert isinstance(operands, tuple)
            made = replace(node, operands=operands)
        case ir.Subscript():
            made = replace(
                node,
                value=_value(pairs, "value"),
                indices=tuple(
                    _index([(view, other.indices[k]) for view, other in pairs])  # type: ignore[union-attr]
                    for k in range(_indices(pairs))
                ),
            )
        case ir.ParameterRead():
            _same(pairs, "parameter")
            _same_place(pairs)
            made = node
        case ir.Transpose():
            _same(pairs, "attribute")
            made = replace(node, value=_value(pairs, "value"))
        case _:
            raise TypeError(f"no leaf: {type(node).__name__}")
    _alias(pairs, [other.result for _, other in pairs])  # type: ignore[union-attr]  # leaves
    return made


def _value(pairs: Sequence[Pair], name: str) -> ir.Value:
    found = _operand([(view, getattr(node, name)) for view, node in pairs])
    assert isinstance(found, ir.Value)
    return found


def _indices(pairs: Sequence[Pair]) -> int:
    counts = {len(node.indices) for _, node in pairs}  # type: ignore[union-attr]  # subscripts
    if len(counts) > 1:
        raise Different("another number of indices")
    return counts.pop()


def _index(pairs: Sequence[tuple[View, ir.Index]]) -> ir.Index:
    first = pairs[0][1]
    if any(type(index) is not type(first) for _, index in pairs):
        if isinstance(first, ir.SliceIndex | ir.EllipsisIndex | ir.Value):
            raise Different("another kind of index")
    if isinstance(first, ir.EllipsisIndex):
        return first
    if isinstance(first, ir.SliceIndex):
        parts = [
            agree([(getattr(index, part), view.at) for view, index in pairs])
            for part in ("lower", "upper", "step")
        ]
        return ir.SliceIndex(*parts)
    return _operand(pairs)  # type: ignore[arg-type,return-value]  # a value or a number


def _same_place(pairs: Sequence[Pair]) -> None:
    """That the layers called have one path, but for the positions in the loops around."""
    shapes = {
        _without_numbers(node.layer)
        for _, node in pairs
        if isinstance(node, ir.LayerCall | ir.ParameterRead)
    }
    if len(shapes) > 1:
        raise Different("another layer")


def _without_numbers(path: str) -> tuple[str, ...]:
    return tuple("#" if part.isdigit() else part for part in path.split("."))


def _make(pairs: Sequence[Pair]) -> ir.Make:
    node = pairs[0][1]
    assert isinstance(node, ir.Make)
    layers = [(view, other.layer) for view, other in pairs if isinstance(other, ir.Make)]
    first = node.layer
    for view, layer in layers:
        if layer.type != first.type or _without_numbers(layer.name) != _without_numbers(first.name):
            raise Different("another layer")
        if [w.type for w in layer.wrappers] != [w.type for w in first.wrappers]:
            raise Different("another parametrization")
        if view.classes.get(id(layer.module)) is not view.classes.get(id(first.module)):
            raise Different("a block of another class")
    arguments = _arguments([(view, layer.arguments) for view, layer in layers])
    sizes = _arguments([(view, layer.sizes) for view, layer in layers])
    wrappers = tuple(
        replace(
            wrapper,
            arguments=_arguments([(view, layer.wrappers[k].arguments) for view, layer in layers]),
        )
        for k, wrapper in enumerate(first.wrappers)
    )
    made = replace(first, arguments=arguments, sizes=sizes, wrappers=wrappers)  # type: ignore[arg-type]
    return ir.Make(made, node.span)


def _row(pairs: Sequence[Pair]) -> Row:
    node = pairs[0][1]
    assert isinstance(node, ir.Chain)
    source = _value(pairs, "input")
    parts = merge([view.inner(other.nodes) for view, other in pairs])  # type: ignore[union-attr]
    for view, other in pairs:
        # What the last stage stands for is known inside alone: the row is called as one.
        view.canonical.pop(id(other.result), None)  # type: ignore[union-attr]  # chains
    _alias(pairs, [other.result for _, other in pairs])  # type: ignore[union-attr]  # chains
    return Row(node.path, parts, source, node.result, node.span)


def _cycle(pairs: Sequence[Pair]) -> Cycle:
    node = pairs[0][1]
    assert isinstance(node, ir.Loop)
    loops = [(view, other) for view, other in pairs if isinstance(other, ir.Loop)]
    _same(pairs, "kind", "variable", "names", "offset")
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
        _operand([(view, loop.initial[k]) for view, loop in loops])
        for k in range(len(node.initial))
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
        _alias(pairs, [loop.results for _, loop in loops])
    return Cycle(node, rounds, unrolled, bounds, items, initial)  # type: ignore[arg-type]  # values


def _rounds(loops: Sequence[tuple[View, ir.Loop]]) -> tuple[tuple[Round, ...], bool]:
    """One round for all where they agree; each, where they do not."""
    everything = [
        (_round_view(view, loop, iteration), iteration, position)
        for view, loop in loops
        for position, iteration in enumerate(loop.iterations)
    ]
    if not everything:
        return (), False
    with suppress(Different):
        return (_round(everything),), False
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
        rounds.append(_round(at))
    return tuple(rounds), True


def _round_view(view: View, loop: ir.Loop, iteration: ir.Iteration) -> View:
    values = {**view.at.values, loop.variable: iteration.index}
    rounds = dict(view.at.rounds)
    if isinstance(iteration.index, int):
        rounds[loop.variable] = iteration.index
    at = Standpoint(view.at.variant, values, rounds)
    return View(iteration.nodes, at, classes=view.classes, outer=view)


def _round(entries: Sequence[tuple[View, ir.Iteration, int]]) -> Round:
    _, first, position = entries[0]
    for view, iteration, _ in entries[1:]:
        for mine, canonical in zip(iteration.entering, first.entering, strict=True):
            view.canonical[id(mine)] = canonical
    parts = merge([view for view, _, _ in entries])
    if _chooses(parts):
        raise Different("a branch that some rounds take")
    leaving = tuple(
        _operand([(view, iteration.leaving[k]) for view, iteration, _ in entries])
        for k in range(len(first.leaving))
    )
    return Round(position, first.index, parts, first.entering, leaving)  # type: ignore[arg-type]


def _choice(pairs: Sequence[Pair]) -> Choice:
    node = pairs[0][1]
    assert isinstance(node, ir.Branch)
    written = [(view, other) for view, other in pairs if isinstance(other, ir.Branch)]
    # A name that only one side gives is not known after it: no reading of the other side has it.
    shared = set(node.names).intersection(*(branch.names for _, branch in written))
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
            found = _operand([(view, branch.before[k]) for view, branch in branches])
            assert isinstance(found, ir.Value)
            before.append(found)
    sides: dict[bool, tuple[tuple[Part, ...] | None, tuple[ir.Value, ...]]] = {}
    for taken in (True, False):
        group = [(view, branch) for view, branch in branches if branch.taken is taken]
        if not group:
            sides[taken] = (None, ())
            continue
        parts = merge([view.inner(branch.nodes) for view, branch in group])
        after = tuple(
            _operand([(view, branch.after[k]) for view, branch in group])
            for k in range(len(node.names))
        )
        sides[taken] = (parts, after)  # type: ignore[assignment]  # values
    yes, no = sides[True], sides[False]
    if yes[0] is None or no[0] is None:
        # Nothing is chosen: what the side gives is simply what comes after.
        for view, branch in branches:
            for result, value in zip(branch.results, branch.after, strict=True):
                view.canonical[id(result)] = view.of(value)
        return Choice(condition, yes[0], no[0], (), (), (), node)
    _alias(pairs, [branch.results for _, branch in branches])
    return Choice(condition, yes[0], no[0], tuple(before), yes[1], no[1], node)


def _of_names(branch: ir.Branch, names: Set[str]) -> ir.Branch:
    """The branch as far as it concerns ``names``."""
    kept = [k for k, name in enumerate(branch.names) if name in names]
    return replace(
        branch,
        names=tuple(branch.names[k] for k in kept),
        before=tuple(branch.before[k] for k in kept),
        after=tuple(branch.after[k] for k in kept),
        results=tuple(branch.results[k] for k in kept),
    )


def _chooses(parts: Sequence[Part]) -> bool:
    for part in parts:
        if isinstance(part, Choice):
            if not part.one_sided or _chooses(part.yes or part.no or ()):
                return True
        elif isinstance(part, Cycle) and any(_chooses(round_.parts) for round_ in part.rounds):
            return True
    return False
