"""The settings of optimizers, schedulers, clips and penalties: whether torch takes their values.

``bind`` has told that each is of its type. Here its number is held against its range, and against
what stands beside it. Non-goal: settings that torch takes and that train badly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from specc import ir
from specc.catalog import OPTIMIZERS
from specc.catalog.rows import OptimizerRow, Row
from specc.catalog.training.ranges import LENGTHS, range_of
from specc.errors import Collector, Span
from specc.semantics.compile_time.entities import is_static, to_static
from specc.semantics.compile_time.static import Undecided, plain
from specc.semantics.naming.bind import BoundArguments
from specc.semantics.naming.selectors import picking
from specc.sizes import Size

# What torch asks to be a float, and not a whole number.
_FRACTIONS: Final = frozenset(["pct_start"])
# What the reference of every golden, which runs on the CPU and steps leaf parameters, cannot do.
_UNRUNNABLE: Final = {
    "capturable": "runs on CUDA alone, and goldens are made on the CPU",
    "differentiable": "cannot step the parameters of a module",
}


def check_ranges(
    row: Row, bound: BoundArguments, collector: Collector, params: Mapping[str, Size]
) -> bool:
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
    if name in _FRACTIONS and isinstance(value, int):
        return f"is a float, which torch asks for: write {float(value)}"
    allowed = range_of(row, name)
    for item in items:
        if isinstance(item, int | float) and not isinstance(item, bool) and item not in allowed:
            return f"must be {allowed}, and is {item:g}"
    if name == "etas" and not 0 < items[0] < 1 < items[1]:
        return f"must be a number below 1 and one above it, and is {value}"
    return None


def check_optimizer(type_: str, settings: ir.Arguments, span: Span, collector: Collector) -> bool:
    """Whether the settings of an optimizer (or of one of its groups) go together."""
    given: dict[str, object] = dict(OPTIMIZERS[type_].defaults)
    for name, value in settings:
        given[name] = ir.static_value(value, {})  # type: ignore[arg-type]  # compile-time
    refusal = None
    # SGD's alone: Muon's nesterov without momentum is the gradient.
    still = "dampening" in given and (not given["momentum"] or given["dampening"])
    if given.get("nesterov") is True and still:
        refusal = "`nesterov` wants a momentum above 0 and no dampening"
    elif given.get("foreach") is True and given.get("fused") is True:
        refusal = "`foreach` and `fused` are two ways of one step"
    elif given.get("line_search_fn") == "strong_wolfe" and given.get("lr") == 0:
        refusal = "the line search starts from a step of `lr`, and divides by it"
    if refusal is not None:
        collector.error("E0307", f"{type_}: {refusal}", span)
    return refusal is None


def check_parameters(
    row: OptimizerRow, settings: ir.Arguments, on: ir.Selection, model: ir.Module, span: Span,
    collector: Collector,
) -> bool:  # fmt: skip
    """Whether each of the parameters ``on`` picks is one that the optimizer can step; E0406."""
    wanted = set(on.names)
    refusal = help_ = None
    for name, layer, shape in model.parameters():
        if name not in wanted:
            continue
        still = name in model.frozen_names  # torch looks at its shape all the same
        sparse = any(key == "sparse" and value is True for key, value in layer.arguments)
        decays = any(key == "weight_decay" and value != 0 for key, value in settings)
        if row.rank is not None and len(shape) != row.rank:
            refusal = f"parameters of {row.rank} dimensions, and `{name}` has {len(shape)}"
            help_ = _of_rank(row, on, model)
        elif row.gradients == "sparse" and not sparse and not still:
            refusal = f"sparse gradients alone, and that of `{name}` is dense"
            help_ = "make the layer with `sparse=true`, or step it with Adam"
        elif sparse and not still and (row.gradients == "dense" or decays):
            what = "no sparse gradients" if not decays else "no sparse gradients with weight_decay"
            refusal = f"{what}, and that of `{name}` is sparse"
            help_ = "take SparseAdam, SGD or Adagrad, or leave `sparse` out"
        if refusal is not None:
            collector.error("E0406", f"{row.name} takes {refusal}", span, help_)
            return False
    return True


def _of_rank(row: OptimizerRow, on: ir.Selection, model: ir.Module) -> str:
    """What to write where an optimizer of matrices alone is to step more: a selector of those, and
    another optimizer for the rest."""
    shapes = {name: shape for name, _, shape in model.parameters()}
    fit = [name for name in on.names if len(shapes[name]) == row.rank]
    if not fit:
        return f"nothing that it is to step has {row.rank} dimensions: take AdamW"
    only = picking(fit, model)
    if only is None:
        return f"select what has {row.rank} dimensions, such as `{fit[0]}`"
    # Of several models, this optimizer steps some: the others have their own.
    whole = on.text if model.name == "Training" else "*"
    rest = f"{whole}, {only}" if " except " in whole else f"{whole} except {only}"
    return (
        f"write `optimizer {row.name}(...) on {only}`, and step the others by another:"
        f" `optimizer AdamW(lr=1e-3) on {rest}`"
    )


def check_closure(train: ir.Train, collector: Collector) -> None:
    """Reports what an optimizer that computes the loss itself cannot stand beside; E0419."""
    for step, optimizer in ((s, each.optimizer) for s in train.steps for each in s.stepped):
        if not OPTIMIZERS[optimizer.type].closure:
            continue
        refusals = {
            "a step among others": bool(step.name),
            "another optimizer": bool(step.more),
            "groups of parameters": bool(optimizer.groups),
            "`clip`": step.clip is not None,
            "`accumulate`": train.accumulate > 1,
            "`precision float16`": train.precision == "float16",
        }
        for what, found in refusals.items():
            if found:
                collector.error(
                    "E0419",
                    f"{optimizer.type} computes the loss many times in one step, and does not go "
                    f"with {what}",
                    optimizer.span,
                    "take another optimizer, or leave that out",
                )


def check_clip(
    clip: ir.Clip, optimizer: ir.Optimizer, model: ir.Module, collector: Collector
) -> None:
    """Reports a clip of gradients that are sparse, whose norm and bounds torch has not; E0419."""
    stepped = {*optimizer.rest.names, *(n for group in optimizer.groups for n in group.on.names)}
    clipped = stepped if clip.on is None else stepped & set(clip.on.names)
    for name, layer, _ in model.parameters():
        sparse = any(key == "sparse" and value is True for key, value in layer.arguments)
        if sparse and name in clipped and name not in model.frozen_names:
            collector.error(
                "E0419",
                f"torch clips no sparse gradients, and that of `{name}` is sparse",
                clip.span,
                "leave `sparse` out, or select what is clipped: `clip GradNorm(1.0) on fc.*`",
            )
            return


def check_scheduler(
    type_: str, settings: ir.Arguments, optimizer: ir.Optimizer | None, span: Span,
    collector: Collector, parts: Sequence[ir.Scheduler] = (),
) -> bool:  # fmt: skip
    """Whether a scheduler's settings go together, and go with its optimizer; those of the
    schedulers that it is made of as well."""
    for part in parts:
        if not check_scheduler(part.type, part.arguments, optimizer, part.span, collector):
            return False
    given = dict(settings)
    refusal = None
    if type_ == "OneCycleLR" and given.get("total_steps") is None:
        if given.get("epochs") is None or given.get("steps_per_epoch") is None:
            refusal = "give `total_steps`, or `epochs` and `steps_per_epoch`"
    places = given.get("milestones")
    if parts and isinstance(places, tuple):
        numbers = [ir.static_value(place, {}) for place in places]  # type: ignore[arg-type]
        if len(numbers) != len(parts) - 1:
            refusal = f"{len(parts)} schedulers change over {len(parts) - 1} times, and " + (
                f"`milestones` has {len(numbers)}"
            )
        elif numbers != sorted(set(numbers)):  # type: ignore[type-var]  # ints, by the row
            refusal = "each milestone comes after the one before"
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
