"""Values that are computed alike: by the same function of the same values, wherever they stand.

``tokens = sum(mask)`` and the ``sum(mask)`` of another line are one number. Non-goal: what is equal
by arithmetic, ``a + b`` and ``b + a``."""

from __future__ import annotations

from collections.abc import Iterable

from specc import ir


def alike(nodes: Iterable[ir.Node]) -> dict[int, int]:
    """A number for each value that ``nodes`` give, by identity: the same for values that are
    computed alike. Of what is drawn, and of what layers give, every value has its own."""
    numbers: dict[int, int] = {}
    known: dict[object, int] = {}

    def form(operand: ir.Operand) -> object:
        if isinstance(operand, ir.Value):
            return "value", numbers.get(id(operand), -1 - id(operand))
        if isinstance(operand, tuple):
            return tuple(form(item) for item in operand)
        # 1, 1.0 and True are equal, and are not the same.
        return repr(operand)

    def indexed(index: ir.Index) -> object:
        if isinstance(index, ir.EllipsisIndex):
            return "..."
        if isinstance(index, ir.SliceIndex):
            return "slice", repr(index)
        return form(index)

    for node in ir.flat_nodes(nodes):
        said: object = None
        match node:
            case ir.FunctionCall() if not node.row.stochastic:
                said = node.function, [(name, form(value)) for name, value in node.arguments]
            case ir.Operation():
                said = node.operator, [form(operand) for operand in node.operands]
            case ir.Transpose():
                said = "transpose", node.attribute, form(node.value)
            case ir.Subscript():
                said = "part", form(node.value), [indexed(index) for index in node.indices]
        for place, value in enumerate(ir.result_values(node.result)):
            key = id(value) if said is None else (repr(said), place)
            numbers[id(value)] = known.setdefault(key, len(known))
    return numbers
