"""The settings of optimizers, schedulers, clips and penalties: whether torch takes their values.

``bind`` has told that each is of its type. Here its number is held against its range, and against
what stands beside it. Non-goal: settings that torch takes and that train badly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc import ir
from specc.catalog import OPTIMIZERS
from specc.catalog.ranges import LENGTHS, range_of
from specc.catalog.rows import Row
from specc.errors import Collector, Span
from specc.semantics.bind import Bound
from specc.semantics.entities import is_static, to_static
from specc.semantics.static import Undecided, plain
from specc.sizes import Size

# What the reference of every golden, which runs on the CPU and steps leaf parameters, cannot do.
_UNRUNNABLE: Final = {
    "capturable": "runs on CUDA alone, and goldens are made on the CPU",
    "differentiable": "cannot step the parameters of a module",
}


def check_ranges(row: Row, bound: Bound, collector: Collector, params: Mapping[str, Size]) -> bool:
    """Whether every given value is one that torch takes; an E0307 for each that is not."""
    fits = True
    for name, entity in bound.values.items():
        if not is_static(entity):
            continue
        try:
            value = plain(to_static(entity), params)
        except Undecided:
            continue
        reason = _reason(row.name, name, value)
        if reason is not None:
            collector.error("E0307", f"`{name}` of {row.name} {reason}", bound.spans[name])
            fits = False
    return fits


def _reason(row: str, name: str, value: object) -> str | None:
    if value is True and name in _UNRUNNABLE:
        return _UNRUNNABLE[name]
    items = value if isinstance(value, tuple) else (value,)
    wanted = LENGTHS.get(name)
    if isinstance(value, tuple) and wanted is not None and len(value) != wanted:
        return f"has {wanted} numbers, not {len(value)}"
    allowed = range_of(row, name)
    for item in items:
        if isinstance(item, int | float) and not isinstance(item, bool) and item not in allowed:
            return f"must be {allowed}, and is {item:g}"
    if name == "etas" and not 0 < items[0] < 1 < items[1]:
        return f"must be a number below 1 and one above it, and is {value}"
    return None


def check_optimizer(type_: str, settings: ir.Arguments, span: Span, collector: Collector) -> bool:
    """Whether the settings of an optimizer (or of one of its groups) go together."""
    given = {name: ir.static_value(value, {}) for name, value in settings}  # type: ignore[arg-type]
    refusal = None
    if given.get("nesterov") is True and (
        not given.get("momentum", 0) or given.get("dampening", 0)
    ):
        refusal = "`nesterov` wants a momentum above 0 and no dampening"
    elif given.get("foreach") is True and given.get("fused") is True:
        refusal = "`foreach` and `fused` are two ways of one step"
    if refusal is not None:
        collector.error("E0307", f"{type_}: {refusal}", span)
    return refusal is None


def check_scheduler(
    type_: str, settings: ir.Arguments, optimizer: ir.Optimizer | None, span: Span,
    collector: Collector,
) -> bool:  # fmt: skip
    """Whether a scheduler's settings go together, and go with its optimizer."""
    given = dict(settings)
    refusal = None
    if type_ == "OneCycleLR" and "total_steps" not in given:
        if not ("epochs" in given and "steps_per_epoch" in given):
            refusal = "give `total_steps`, or `epochs` and `steps_per_epoch`"
    if optimizer is not None:
        groups = len(optimizer.groups) + bool(optimizer.rest.names)
        for name, value in settings:
            each = name.endswith(("_lr", "_momentum")) and isinstance(value, tuple)
            if each and isinstance(value, tuple) and len(value) != groups:
                refusal = f"`{name}` has {len(value)} numbers for {groups} groups of parameters"
        momentum = {"momentum", "betas"} & OPTIMIZERS[optimizer.type].by_name.keys()
        cycles = type_ in ("OneCycleLR", "CyclicLR") and given.get("cycle_momentum", True) is True
        if cycles and not momentum:
            refusal = f"{optimizer.type} has no momentum to cycle: write `cycle_momentum=false`"
    if refusal is not None:
        collector.error("E0307", f"{type_}: {refusal}", span)
    return refusal is None
