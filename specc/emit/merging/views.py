"""Several readings of one place: what stands for each operand of all of them.

A block used in several ways was read once for each; the rounds of a loop likewise. What stands for
a value is what the first reading made in its place; what stands for a size is a form that says it
in all (``common_forms``). Raises ``Different`` where nothing does. Non-goal: whole statements
(``merge``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from specc import ir
from specc.emit.merging.common_forms import Different, Standpoint, agree


@dataclass(slots=True)
class View:
    """One reading: its nodes, what its symbols are, and which value stands for each of its own.

    ``outer`` is the reading around this round of a loop: what it knows is known here, too.
    ``classes`` says of the blocks inside, by identity, which class each is of, as far as that is
    known. ``lost`` are the values of names that another reading does not have."""

    nodes: Sequence[ir.Node]
    at: Standpoint
    canonical: dict[int, ir.Value] = field(default_factory=dict)
    classes: Mapping[int, object] = field(default_factory=dict)
    outer: View | None = None
    # Whether the reading has symbols for sizes that rounds change: loops may then choose.
    threaded: bool = False
    lost: set[int] = field(default_factory=set)

    def of(self, value: ir.Value) -> ir.Value:
        """What stands for ``value``. Raises Different where nothing does."""
        view: View | None = self
        while view is not None:
            if id(value) in view.lost:
                raise Different("a name that only one side of a branch gives")
            found = view.canonical.get(id(value))
            if found is not None:
                return found
            view = view.outer
        return value

    def inner(self, nodes: Sequence[ir.Node]) -> View:
        """The reading of what is inside one of its statements."""
        return View(
            nodes, self.at, self.canonical, self.classes, self.outer, self.threaded, self.lost
        )


# One statement of each reading.
Pair: TypeAlias = tuple[View, ir.Node]


def must_equal(pairs: Sequence[Pair], *names: str) -> None:
    """That the statements have the same attributes of these ``names``."""
    first = pairs[0][1]
    for name in names:
        wanted = getattr(first, name)
        if any(getattr(node, name) != wanted for _, node in pairs):
            raise Different(f"another {name}")


def alias(pairs: Sequence[Pair], results: Sequence[ir.Result]) -> None:
    """From here on, what the others gave is what the first gave."""
    wanted = tuple(ir.result_values(results[0]))
    for (view, _), result in zip(pairs[1:], results[1:], strict=True):
        found = tuple(ir.result_values(result))
        if len(found) != len(wanted):
            raise Different("another number of results")
        for mine, canonical in zip(found, wanted, strict=True):
            if mine is not canonical:
                view.canonical[id(mine)] = canonical


def one_operand(pairs: Sequence[tuple[View, ir.Operand]]) -> ir.Operand:
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
            one_operand([(other, operand[index]) for other, operand in pairs])  # type: ignore[index]  # tuples
            for index in range(len(first))
        )
    if any(isinstance(operand, ir.Value) for _, operand in pairs):
        raise Different("a tensor and a number")
    return agree([(operand, other.at) for other, operand in pairs])  # type: ignore[misc]  # no tensors


def _holds_values(operand: tuple[object, ...]) -> bool:
    return any(
        isinstance(item, ir.Value) or (isinstance(item, tuple) and _holds_values(item))
        for item in operand
    )


def one_argument_list(pairs: Sequence[tuple[View, ir.Arguments]]) -> ir.Arguments:
    """What stands for the arguments of all views."""
    first = pairs[0][1]
    names = [name for name, _ in first]
    if any([name for name, _ in arguments] != names for _, arguments in pairs):
        raise Different("other arguments")
    return tuple(
        (name, one_operand([(view, arguments[index][1]) for view, arguments in pairs]))
        for index, name in enumerate(names)
    )


def one_value(pairs: Sequence[Pair], name: str) -> ir.Value:
    """What stands for the value that is the statements' attribute ``name``."""
    found = one_operand([(view, getattr(node, name)) for view, node in pairs])
    assert isinstance(found, ir.Value)
    return found


def index_count(pairs: Sequence[Pair]) -> int:
    """How many indices each of the subscripts has."""
    counts = {len(node.indices) for _, node in pairs}  # type: ignore[union-attr]  # subscripts
    if len(counts) > 1:
        raise Different("another number of indices")
    return counts.pop()


def one_index(pairs: Sequence[tuple[View, ir.Index]]) -> ir.Index:
    """What stands for one index of all views."""
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
    return one_operand(pairs)  # type: ignore[arg-type,return-value]  # a value or a number
