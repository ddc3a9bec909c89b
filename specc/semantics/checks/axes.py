"""Axes that are taken for one another where every shape fits: a reshape in the place of a
transpose, a softmax over another dimension than the one that the product behind it sums over.

Non-goal: the batch in the steps' place (``batch_axes``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from math import lcm, prod
from typing import Final

from specc import ir
from specc.errors import Collector, Span
from specc.semantics.checks.origins import dimension
from specc.sizes import Poly, Quotient, Size, evaluate, symbols

_PRODUCTS: Final = frozenset(["matmul", "bmm", "mm"])
# What changes numbers and no axis: between a softmax and the product that weighs by it.
_KEEPING: Final = frozenset(
    "Dropout dropout clone masked_fill float half bfloat16 double Identity nan_to_num".split()
)
_EXCHANGES: Final = frozenset(["transpose", "swapaxes", "swapdims"])
_MOST_STEPS: Final = 12
# Sizes to try with, none of which is a product of others.
_PRIMES: Final = (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)


def lint_axes(models: Sequence[ir.Module], train: ir.Train | None, collector: Collector) -> None:
    """Warns (W0306, W0307) of each place in the models, their blocks and ``train`` once."""
    said: set[Span] = set()
    modules = {id(model): model for model in models}
    for model in models:
        modules.update(
            (id(block.module), block.module) for _, block in model.all_blocks if block.module
        )
    for module in modules.values():
        _look(module, module.nodes, collector, said)
    if train is not None:
        subject = train.module or next(each for each in models if each.name == train.model)
        for step in train.steps:
            _look(subject, (*train.shared, *step.nodes), collector, said)


def _look(
    module: ir.Module, nodes: Iterable[ir.Node], collector: Collector, said: set[Span]
) -> None:
    flat = list(ir.flat_nodes(nodes))
    made = {id(value): node for node in flat for value in ir.result_values(node.result)}
    for node in flat:
        if isinstance(node, ir.FunctionCall) and node.function == "reshape":
            found = _mixed(node, module)
            if found is not None and node.span not in said:
                said.add(node.span)
                collector.warning("W0306", found[0], node.span, found[1])
        for place, message in _other_sums(node, made, module):
            if place not in said:
                said.add(place)
                collector.warning("W0307", message, place, "write `dim=-1`, if that is the one")


# ── a reshape that moves an axis ─────────────────────────────────────────────────────────────────


def _mixed(node: ir.FunctionCall, module: ir.Module) -> tuple[str, str] | None:
    """What is said of a reshape that gives a size another place among the others, and what is
    probably meant."""
    fed = dict(node.arguments).get("input")
    made = node.result
    if not isinstance(fed, ir.Value) or not isinstance(made, ir.Value):
        return None
    before, after = fed.type.shape, made.type.shape
    numbers = _tried(module, (*before, *after))
    try:
        first = [_number(size, numbers) for size in before]
        second = [_number(size, numbers) for size in after]
    except ZeroDivisionError:
        return None
    if 0 in (*first, *second):
        return None
    moved = [
        size
        for size in before
        if isinstance(size, Poly) and before.count(size) == after.count(size) == 1
        and _number(size, numbers) != 1
        and prod(first[: before.index(size)]) != prod(second[: after.index(size)])
    ]  # fmt: skip
    plain, other = ([each for each in side if each != 1] for side in (first, second))
    if not moved and not (plain != other and sorted(plain) == sorted(other)):
        return None
    what = f"{moved[-1]} is another axis there" if moved else "the same sizes in another order"
    return (
        f"reshape keeps the order of the numbers: of [{_listed(before)}] it makes"
        f" [{_listed(after)}], and {what}, with the others' numbers in it",
        _instead(before, after, first, second),
    )


def _instead(
    before: Sequence[Size], after: Sequence[Size], first: Sequence[int], second: Sequence[int]
) -> str:
    """What exchanges axes, in place of a reshape from ``before`` to ``after``, by the numbers that
    both are on sizes that were tried."""
    for at in range(min(len(before), len(after)) - 1):
        if list(first[:at]) != list(second[:at]):
            break
        # [.., T, D] to [.., heads, T, D // heads], and back.
        if len(after) == len(before) + 1 and second[at + 1] == first[at]:
            if second[at] * second[at + 2] == first[at + 1] and first[at + 2 :] == second[at + 3 :]:
                sizes = [*after[:at], after[at + 1], after[at], *after[at + 2 :]]
                behind = f"transpose({at}, {at + 1})"
                return f"split, then exchange: `-> reshape({_listed(sizes)}) -> {behind}`"
        if len(before) == len(after) + 1 and first[at + 1] == second[at]:
            if first[at] * first[at + 2] == second[at + 1] and first[at + 3 :] == second[at + 2 :]:
                return (
                    f"exchange first: `-> transpose({at}, {at + 1}) -> reshape({_listed(after)})`"
                )
    if sorted(first) == sorted(second) and len(set(first)) == len(first):
        order = [first.index(number) for number in second]
        return f"an exchange is `-> permute({', '.join(map(str, order))})`"
    return "axes are exchanged by `transpose` and `permute`, before they are joined or split"


def _listed(sizes: Sequence[Size]) -> str:
    return ", ".join(str(size) for size in sizes)


def _tried(module: ir.Module, sizes: Sequence[Size]) -> dict[str, Size]:
    """Sizes that go into all that divides them in ``sizes``, a prime of its own in each."""
    names = sorted({name for size in sizes for name in symbols(size)} - module.values.keys())
    whole = lcm(*(abs(number) for size in sizes for number in _divisors(size, module.values)))
    # A quotient of a quotient is divided twice.
    primes = cycle(_PRIMES)
    return {**module.values, **{name: whole * whole * next(primes) for name in names}}


def _divisors(size: Size, values: Mapping[str, Size]) -> Iterator[int]:
    """The numbers that something in ``size`` is divided by."""
    for monomial, _ in size.terms if isinstance(size, Poly) else ():
        for atom in monomial:
            if isinstance(atom, Quotient):
                divisor = evaluate(atom.denominator, values)
                if isinstance(divisor, int) and divisor:
                    yield divisor
                yield from _divisors(atom.numerator, values)


def _number(size: Size, numbers: Mapping[str, Size]) -> int:
    found = evaluate(evaluate(size, numbers), numbers)
    return found if isinstance(found, int) else 0


# ── a softmax over what is not summed ────────────────────────────────────────────────────────────


def _other_sums(
    node: ir.Leaf, made: Mapping[int, ir.Leaf], module: ir.Module
) -> Iterator[tuple[Span, str]]:
    """Each softmax of a product's scores that a product weighs by, and sums over another dimension
    than its own: its place, and what is said."""
    operands: list[ir.Operand] = []
    if isinstance(node, ir.Operation) and node.operator == "@":
        operands = list(node.operands)
    elif isinstance(node, ir.FunctionCall) and node.function in _PRODUCTS:
        operands = [value for _, value in node.arguments][:2]
    for place, value in enumerate(operands):
        if not isinstance(value, ir.Value) or len(value.type.shape) < 2:
            continue
        summed = len(value.type.shape) - 1 - place
        found = _softmax(value, summed, made, module)
        if found is None:
            continue
        maker, over, wanted, fed = found
        if over != wanted and _is_of_a_product(fed, made, 0):
            yield (
                maker.span,
                f"the shares are over dimension {over} of {fed.type}, and the product behind them"
                f" sums over dimension {wanted}: what is added up does not weigh 1",
            )


def _softmax(
    value: ir.Value, axis: int, made: Mapping[int, ir.Leaf], module: ir.Module
) -> tuple[ir.Leaf, int, int, ir.Value] | None:
    """The softmax that ``value`` comes from without a change of more than its numbers: where it is,
    its dimension, what ``axis`` of ``value`` is there, and what it is fed."""
    for _ in range(_MOST_STEPS):
        node = made.get(id(value))
        rank = len(value.type.shape)
        fed: ir.Operand = None
        match node:
            case ir.LayerCall():
                layer = module.by_path.get(node.layer)
                name = layer.type if layer is not None and layer.module is None else ""
                fed = node.inputs[0] if node.inputs else None
                if name == "Softmax" and layer is not None and isinstance(fed, ir.Value):
                    over = dimension(dict(layer.arguments).get("dim"), fed, module)
                    return None if over is None else (node, over, axis, fed)
            case ir.FunctionCall():
                name, arguments = node.function, dict(node.arguments)
                fed = arguments.get("input")
                if name == "softmax" and isinstance(fed, ir.Value):
                    over = dimension(arguments.get("dim"), fed, module)
                    return None if over is None else (node, over, axis, fed)
                if name in _EXCHANGES and isinstance(fed, ir.Value):
                    ends = [dimension(arguments.get(f"dim{n}"), fed, module) for n in (0, 1)]
                    if None in ends:
                        return None
                    axis = ends[1 - ends.index(axis)] if axis in ends else axis  # type: ignore[assignment]
                    name = "clone"
            case ir.Operation(operator=("*" | "/"), operands=(ir.Value() as only, other)):
                name, fed = ("clone" if not isinstance(other, ir.Value) else ""), only
            case ir.Transpose():
                axis = {rank - 1: rank - 2, rank - 2: rank - 1}.get(axis, axis)
                name, fed = "clone", node.value
            case _:
                return None
        if name not in _KEEPING or not isinstance(fed, ir.Value):
            return None
        if len(fed.type.shape) != rank:
            return None
        value = fed
    return None


def _is_of_a_product(value: ir.Value, made: Mapping[int, ir.Leaf], depth: int) -> bool:
    """Whether ``value`` are scores of every one with every other: a product of two values, masked,
    scaled and added to."""
    node = made.get(id(value))
    if node is None or depth > _MOST_STEPS:
        return False
    if isinstance(node, ir.Operation) and node.operator == "@":
        return all(isinstance(item, ir.Value) for item in node.operands)
    if isinstance(node, ir.FunctionCall) and node.function in _PRODUCTS:
        return True
    elementwise = isinstance(node, ir.Operation) or (
        isinstance(node, ir.FunctionCall) and node.function in ("masked_fill", "where", *_KEEPING)
    )
    return elementwise and any(
        _is_of_a_product(item, made, depth + 1)
        for item in ir.node_operands(node)
        if isinstance(item, ir.Value) and item.type.shape == value.type.shape
    )
