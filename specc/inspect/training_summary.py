"""What trains what: the losses, and for each optimizer the parameters that its groups hold.

Everything in the spec's own words, with counts. Non-goals: layout
(``specc.report.structure.show``), what a step computes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass

from specc import catalog, ir
from specc.errors import Span
from specc.inspect import program_notation
from specc.inspect.tree import frozen_names


@dataclass(frozen=True, slots=True)
class Share:
    """Some parameters: how they were selected, how many tensors they are and how many elements."""

    text: str
    tensors: int
    elements: int

    def __str__(self) -> str:
        tensors = "tensor" if self.tensors == 1 else "tensors"
        return f"{self.text}: {self.tensors} {tensors}, {self.elements:,} parameters"


@dataclass(frozen=True, slots=True)
class StepFacts:
    """One step: its terms as (name, expression), the loss last; its optimizer and what that
    holds, group by group; the rest as one line each."""

    name: str
    terms: tuple[tuple[str, str], ...]
    optimizer: str
    shares: tuple[Share, ...]
    others: tuple[tuple[str, str], ...]
    # What else has a name in it, as (name, expression).
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """What the training holds, what its steps have in common as (name, expression), the steps,
    what else is said of it, what no optimizer trains, and its metrics as (name, expression)."""

    members: tuple[tuple[str, str], ...]
    shared: tuple[tuple[str, str], ...]
    steps: tuple[StepFacts, ...]
    others: tuple[tuple[str, str], ...]
    untrained: Share | None
    metrics: tuple[tuple[str, str], ...] = ()


def facts(program: ir.Program) -> TrainingFacts | None:
    """What ``program`` trains; None where it trains nothing."""
    train = program.train
    if train is None:
        return None
    subject = program.subject()
    counts = {name: math.prod(shape) for name, _, shape in subject.parameters()}
    makers, values = _made(train.shared)
    common = [value for value in values if value.named]
    names = {id(value) for value in common}
    shared = tuple(
        (value.name, program_notation.expression(value, makers, names)) for value in common
    )
    steps = tuple(_step(step, counts, names, train.span) for step in train.steps)
    others = []
    if train.accumulate > 1:
        weighed = f", weighed by {train.weighed}" if train.weighed else ""
        others.append(("accumulate", f"{train.accumulate} batches a step{weighed}"))
    if train.precision:
        others.append(("precision", f"{train.precision} (autocast)"))
    return TrainingFacts(
        tuple(_members(train)), shared, steps, tuple(others), _untrained(train, subject, counts),
        tuple(_metrics(train, names)),
    )  # fmt: skip


def _metrics(train: ir.Train, common: Container[int]) -> Iterable[tuple[str, str]]:
    makers, _ = _made((*train.shared, *train.metric_nodes))
    for metric in train.metrics:
        yield metric.name, program_notation.expression(metric.value, makers, common)


def _members(train: ir.Train) -> Iterable[tuple[str, str]]:
    for member in train.members:
        match member.kind:
            case "copy":
                yield "copy", f"{member.attribute} of {member.of} every {member.every}"
            case "ema":
                decay = program_notation.literal(member.decay, {})
                yield "ema", f"{member.attribute} of {member.of} decay {decay}"
            case "model":
                yield "model", f"{member.attribute}: {member.model}"


def _untrained(train: ir.Train, subject: ir.Module, counts: Mapping[str, int]) -> Share | None:
    left = dict(counts)
    for name in frozen_names(subject):
        left.pop(name, None)
    twins = tuple(f"{one.attribute}." for one in train.members if one.kind != "model")
    for step in train.steps:
        for name in step.moved:
            left.pop(name, None)
    found = [name for name in left if not name.startswith(twins)]
    if not found:
        return None
    names = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
    return Share(names, len(found), sum(counts[name] for name in found))


def _step(
    step: ir.Step, counts: Mapping[str, int], common: Collection[int], place: Span
) -> StepFacts:
    makers, values = _made(step.nodes)
    terms_ = {id(value) for _, value in step.terms}
    # What the author named once in the lines of `train`; a block's own names are not told.
    often = Counter(value.name for value in values if value.named)
    own = [
        value
        for value in values
        if value.named and often[value.name] == 1 and id(value) not in {*common, *terms_}
        and value.span.file == place.file and place.start <= value.span.start <= place.end
    ]  # fmt: skip
    named = {*common, *terms_, *map(id, own)}
    inner = tuple((value.name, program_notation.expression(value, makers, named)) for value in own)
    terms = tuple(
        (name, program_notation.expression(value, makers, named)) for name, value in step.terms
    )
    optimizer, shares = "", []
    if step.optimizer is not None:
        optimizer = program_notation.call(step.optimizer.type, step.optimizer.arguments, None, {})
        for group in step.optimizer.groups:
            text = program_notation.call("group", group.arguments, None, {})
            shares.append(_share(f"{text} on {group.on.text}", group.on, counts))
        if step.optimizer.rest.names:
            on = step.optimizer.rest.text
            whole = "every other" if shares else "every parameter"
            rest = whole if on in ("", "*") else f"on {on}"
            shares.append(_share(rest, step.optimizer.rest, counts))
    others = tuple(_others(step, counts))
    return StepFacts(step.name, terms, optimizer, tuple(shares), others, inner)


def _others(step: ir.Step, counts: Mapping[str, int]) -> Iterable[tuple[str, str]]:
    for regularizer in step.regularizers:
        row = catalog.REGULARIZERS.get(regularizer.type)
        text = program_notation.call(regularizer.type, regularizer.arguments, row, {})
        yield "regularize", str(_share(f"{text} on {regularizer.on.text}", regularizer.on, counts))
    for constraint in step.constraints:
        row = catalog.CONSTRAINTS.get(constraint.type)
        text = program_notation.call(constraint.type, constraint.arguments, row, {})
        yield "constrain", str(_share(f"{text} on {constraint.on.text}", constraint.on, counts))
    if step.clip is not None:
        text = program_notation.call(
            step.clip.type, step.clip.arguments, catalog.CLIPS.get(step.clip.type), {}
        )
        on = step.clip.on
        yield "clip", str(_share(f"{text} on {on.text}", on, counts)) if on else text
    if step.scheduler is not None:
        yield "scheduler", f"{_schedule(step.scheduler)} per {step.scheduler.interval}"
    for optimizer, scheduler in step.more:
        text = program_notation.call(optimizer.type, optimizer.arguments, None, {})
        yield "optimizer", f"{text} on {optimizer.rest.text}"
        for group in optimizer.groups:
            yield (
                "",
                f"{program_notation.call('group', group.arguments, None, {})} on {group.on.text}",
            )
        if scheduler is not None:
            yield "scheduler", f"{_schedule(scheduler)} per {scheduler.interval}"
    for selection in step.frozen:
        yield "freeze", str(_share(f"on {selection.text}", selection, counts))


def _schedule(scheduler: ir.Scheduler) -> str:
    """As a spec writes it, those that it is made of first."""
    text = program_notation.call(scheduler.type, scheduler.arguments, None, {})
    if not isinstance(scheduler, ir.ComposedScheduler):
        return text
    head, _, rest = text.partition("(")
    parts = ", ".join(_schedule(part) for part in scheduler.parts)
    return f"{head}([{parts}]{', ' if rest not in ('', ')') else ''}{rest or ')'}"


def _share(text: str, on: ir.Selection, counts: Mapping[str, int]) -> Share:
    return Share(text, len(on.names), sum(counts[name] for name in on.names))


def _made(nodes: Iterable[ir.Node]) -> tuple[dict[int, ir.Leaf], list[ir.Value]]:
    """What makes each value, by the value's identity, and the values in their order."""
    made = [
        (value, node) for node in ir.flat_nodes(nodes) for value in ir.result_values(node.result)
    ]
    return {id(value): node for value, node in made}, [value for value, _ in made]
