"""Which of the values that ``train`` can see its nodes read: the parameters of the emitted methods.

Non-goal: building the nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from specc import ir
from specc.sizes import Poly, symbols


def visible_uses(
    nodes: tuple[ir.Node, ...],
    results: Iterable[ir.Value],
    visible: tuple[ir.Value, ...],
    conditions: tuple[ir.Condition, ...] = (),
) -> tuple[ir.Value, ...]:
    """The visible values that the nodes read, and one for each size that they speak of."""
    read: set[int] = {id(value) for value in results}
    sizes: set[str] = set()
    for condition in conditions:
        sizes |= symbols(condition.left) | symbols(condition.right)
    for node in ir.flat_nodes(nodes):
        for operand in ir.node_operands(node):
            if isinstance(operand, ir.Value):
                read.add(id(operand))
            elif isinstance(operand, Poly):
                sizes |= symbols(operand)
    chosen = [value for value in visible if id(value) in read]
    for name in sorted(sizes):
        if not any(_tells(value, name) for value in chosen):
            chosen.extend([value for value in visible if _tells(value, name)][:1])
    order = {id(value): index for index, value in enumerate(visible)}
    unique = {id(value): value for value in chosen}
    return tuple(sorted(unique.values(), key=lambda value: order[id(value)]))


def made_by(nodes: Iterable[ir.Node]) -> Iterator[ir.Value]:
    """The values that are known after ``nodes``: of a loop what it carries out, and not what its
    rounds make."""
    for node in nodes:
        match node:
            case ir.Loop() | ir.Branch():
                yield from node.results
            case ir.Chain():
                yield node.result
            case ir.Make():
                continue
            case _:
                yield from ir.result_values(node.result)


def closure(nodes: Sequence[ir.Node], wanted: Iterable[ir.Value]) -> tuple[ir.Node, ...]:
    """Those of ``nodes`` that ``wanted`` is computed by, in order."""
    needed = {id(value) for value in wanted}
    kept: list[ir.Node] = []
    for node in reversed(nodes):
        inner = list(ir.flat_nodes((node,)))
        made = {id(value) for leaf in inner for value in ir.result_values(leaf.result)}
        made |= {id(value) for value in getattr(node, "results", ())}
        if not made & needed:
            continue
        kept.append(node)
        for leaf in inner:
            needed.update(id(o) for o in ir.node_operands(leaf) if isinstance(o, ir.Value))
        needed.update(id(value) for value in getattr(node, "initial", ()))
    return tuple(reversed(kept))


def _tells(value: ir.Value, name: str) -> bool:
    return any(isinstance(size, Poly) and str(size) == name for size in value.type.shape)
