"""What the steps of a training do to parameters and to each other: losses that reach nothing,
shared values that two go back through, gradients that would gather in the sums of another.

Non-goal: what is inside a step (``steps``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from specc import ir
from specc.errors import Collector
from specc.semantics.calls.derivative_orders import is_steppable
from specc.semantics.checks.gradients import reached, reached_parameters
from specc.semantics.training.steps import StepBuilder, optimizer_names


def check_gradient(step: StepBuilder, nodes: tuple[ir.Node, ...], subject: ir.Module) -> None:
    """Reports a loss that no step could make smaller."""
    loss = step.terms.get("loss")
    if loss is None or not step.optimizers or step.incomplete:
        return
    still = subject.frozen_names | {name for each in step.frozen for name in each.names}
    if any(not still.issuperset(each.on.names) for each in step.regularizers):
        return
    found = reached(subject, nodes, loss, step.frozen)
    learning = reached_parameters(subject, nodes, [loss]) - still
    derived = any(isinstance(node, ir.Derivative) for node in ir.flat_nodes(nodes))
    learns = {name for name, _, _ in subject.parameters()} - still
    if not found or not learning or (derived and not is_steppable(nodes, subject, loss, learns)):
        step.collector.error(
            "E0404",
            "this loss depends on no parameter of the model: there is nothing to step on",
            loss.span,
            "make it from an output that the layers compute in floats",
        )
        return
    for optimizer in step.optimizers:
        stepped = optimizer_names(optimizer)
        if learning.isdisjoint(stepped):
            step.collector.error(
                "E0415",
                f"this optimizer steps {optimizer.rest.text or 'its groups'}, and the loss reaches"
                f" {', '.join(sorted(found)[:4])} alone",
                optimizer.span,
                "step what the loss is computed from; `detach` stops gradients",
            )


def check_shared_once(
    steps: Sequence[ir.Step], shared: tuple[ir.Node, ...], subject: ir.Module, collector: Collector
) -> None:
    """Reports a shared value that two losses go back through: the second would find its graph
    gone."""
    seen: str | None = None
    for step in steps:
        loss = dict(step.terms).get("loss")
        if loss is None or step.optimizer is None or len(steps) < 2:
            continue
        nodes = (*shared, *step.nodes)
        inside = reached(subject, nodes, loss, step.frozen)
        own = reached(subject, step.nodes, loss, step.frozen)
        made_there = {
            node.layer for node in ir.flat_nodes(shared) if isinstance(node, ir.LayerCall)
        }
        # The members whose shared results the step's loss goes back to.
        back = reached(subject, nodes, loss, step.frozen, only=shared)
        through = (inside - own) | (inside & made_there & back)
        if not through:
            continue
        if seen is not None:
            collector.error(
                "E0416",
                f"the steps `{seen}` and `{step.name}` both go back through"
                f" {', '.join(sorted(through))}, which is computed once before them",
                loss.span,
                "compute it inside each step, or `detach` it in one",
            )
            return
        seen = step.name


def apart(
    steps: Sequence[ir.Step], members: Sequence[ir.Member], subject: ir.Module, collector: Collector
) -> list[ir.Step]:
    """The steps, each keeping the models that it does not step from gathering gradients: those
    would wait, over the batches of one optimizer step, in the sums of the steps they are of."""
    models = [member.attribute for member in members if member.kind == "model"]
    stepped = [set(step.moved) for step in steps]
    found = []
    for step, own in zip(steps, stepped, strict=True):
        others = set().union(*(names for names in stepped if names is not own))
        held = {name.partition(".")[0] for name in own}
        mixed = sorted({name.partition(".")[0] for name in others} & held)
        if step.optimizer is not None and mixed:
            collector.error(
                "E0418",
                f"two steps share the parameters of {mixed[0]}, and gradients are accumulated",
                step.span._replace(end=step.span.start + 4),
                "give each step a model of its own, or leave `accumulate` out",
            )
        still = tuple(
            ir.Selection(
                f"{attribute}.*",
                tuple(n for n, _, _ in subject.parameters() if n.startswith(f"{attribute}.")),
            )
            for attribute in models
            if attribute not in held
        )
        found.append(replace(step, frozen=(*step.frozen, *still)))
    return found
