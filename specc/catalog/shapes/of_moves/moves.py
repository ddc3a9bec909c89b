"""Shape rules of what moves places within a value: flips, rolls, turns, dimensions to other places.

Non-goal: what makes several dimensions one or one several, which is ``arrangement``.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import axes, dimensions, integer, rearranged
from specc.ir import TensorType


def turned(call: Call) -> TensorType:
    """``rot90(input, k, dims)``: two dimensions, exchanged for an odd k; E0301, E0304, E0307."""
    tensor = call.tensor()
    given = call.args["dims"]
    if len(tensor.shape) < 2:
        raise RuleError("E0301", f"rot90 takes at least 2 dimensions; got {tensor}")
    if not isinstance(given, tuple) or len(given) != 2:
        raise RuleError("E0307", "dims of rot90 are two dimensions", argument="dims")
    first, second = axes(call, len(tensor.shape), "dims")
    shape = list(tensor.shape)
    if integer(call, "k") % 2:
        shape[first], shape[second] = shape[second], shape[first]
    return rearranged(tensor, tuple(shape))


def reversed_along(call: Call, *, dim: int) -> TensorType:
    """``fliplr``, ``flipud``: shape kept; E0301."""
    tensor = call.tensor()
    if len(tensor.shape) <= dim:
        raise RuleError("E0301", f"{call.name} takes at least {dim + 1} dimensions; got {tensor}")
    return rearranged(tensor, tensor.shape)


def moved(call: Call) -> TensorType:
    """``flip(input, dims)``, ``roll(input, shifts, dims)``: shape kept, dimensions checked."""
    tensor = call.tensor()
    shifts = call.args.get("shifts")
    if call.args["dims"] not in (None, ()):
        if not tensor.shape and call.name == "roll":
            raise RuleError("E0301", f"{call.name} takes at least 1 dimension; got {tensor}")
        found = axes(call, len(tensor.shape), "dims")
        count = len(shifts) if isinstance(shifts, tuple) else 1
        if shifts is not None and count != len(found):
            raise RuleError(
                "E0307",
                f"{call.name} has {count} shifts for {len(found)} dimensions",
                help="give each of dims its shift",
                argument="shifts",
            )
    elif isinstance(shifts, tuple) and len(shifts) != 1:
        raise RuleError(
            "E0307",
            f"{call.name} with several shifts must be told their dims",
            help="write roll(x, (1, 2), dims=(0, 1))",
            argument="shifts",
        )
    return rearranged(tensor, tensor.shape)


def dimensions_moved(call: Call) -> TensorType:
    """``movedim(input, source, destination)``: the others keep their order; E0304, E0307."""
    tensor = call.tensor()
    rank = len(tensor.shape)
    source, target = axes(call, rank, "source"), axes(call, rank, "destination")
    alike = {isinstance(call.args[name], tuple) for name in ("source", "destination")}
    if len(alike) != 1:
        raise RuleError(
            "E0307",
            "movedim takes two numbers or two tuples",
            help="write movedim(x, (0,), (1,)), or movedim(x, 0, 1)",
            argument="destination",
        )
    if len(source) != len(target):
        raise RuleError(
            "E0307",
            f"movedim moves {dimensions(len(source))} to {len(target)} places",
            help="give each of source its destination",
            argument="destination",
        )
    placed = dict(zip(target, source, strict=True)) if rank else {}
    rest = iter(place for place in range(rank) if place not in source)
    order = [placed[place] if place in placed else next(rest) for place in range(rank)]
    return rearranged(tensor, tuple(tensor.shape[place] for place in order))
