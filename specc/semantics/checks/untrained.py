"""Parameters that nothing trains: no optimizer steps them, or no loss reaches them.

They keep the values that they were drawn with, and the model computes with them all the same. Those
that the spec freezes are meant so. Non-goal: losses that reach nothing at all (``step_checks``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from specc import ir
from specc.errors import Collector
from specc.semantics.checks.gradients import reached_parameters

# So many are named one by one.
_SHOWN = 3


def lint_untrained(
    models: Sequence[ir.Module], held: Collection[str], train: ir.Train, collector: Collector
) -> None:
    """Warns (W0403) of the parameters of what ``train`` trains, and of models that it leaves out.

    ``held`` are the names of the models that are inside others."""
    steps = [step for step in train.steps if step.optimizer is not None]
    if not steps or any("loss" not in dict(step.terms) for step in steps):
        return  # what a loss that could not be read reaches is not known
    model = next(model for model in models if model.name == train.model)
    subject = train.module or model
    twins = tuple(f"{one.attribute}." for one in train.members if one.kind != "model")
    left = {
        name: layer
        for name, layer, _ in subject.parameters()
        if name not in subject.frozen_names and not name.startswith(twins)
    }
    stepped: set[str] = set()
    for step in steps:
        own = set(step.moved)
        stepped |= own
        frozen = {name for selection in step.frozen for name in selection.names}
        nodes = (*(() if train.module else model.nodes), *train.shared, *step.nodes)
        reached = reached_parameters(subject, nodes, [dict(step.terms)["loss"]])
        for name in (own & reached) | frozen:
            left.pop(name, None)
    forgotten = [name for name in left if name not in stepped]
    unreached = [name for name in left if name in stepped]
    if forgotten:
        shown, selector = _patterns(forgotten, subject, train)
        collector.warning(
            "W0403",
            f"no optimizer steps {shown}",
            steps[0].optimizer.span if steps[0].optimizer else train.span,
            f"widen its `on`, or write `freeze on {selector}` where that is meant",
        )
    if unreached:
        shown, selector = _patterns(unreached, subject, train)
        collector.warning(
            "W0403",
            f"no loss reaches {shown}, which an optimizer steps: nothing trains that",
            left[unreached[0]].span,
            "let a loss depend on what it computes, or write"
            f" `freeze on {selector}` where that is meant",
        )
    taken = {train.model, *(member.model for member in train.members), *held}
    for other in models:
        names_there = {name for name, _, _ in other.parameters()} - other.frozen_names
        if other.name not in taken and names_there:
            collector.warning(
                "W0403",
                f"`train` does not call `{other.name}`: nothing trains it",
                other.span,
                "call it, or write `freeze on *` in it where it is to stay as it is",
            )


def _patterns(names: Sequence[str], subject: ir.Module, train: ir.Train) -> tuple[str, str]:
    """``names`` as a message shows them, and as a selector: each of a whole layer or of several as
    one, where they are."""
    there = Counter(prefix for name, _, _ in subject.parameters() for prefix in _prefixes(name))
    chosen = Counter(prefix for name in names for prefix in _prefixes(name))
    found: dict[str, None] = {}
    for name in names:
        whole = (prefix for prefix in _prefixes(name) if chosen[prefix] == there[prefix])
        prefix = next(whole, None)
        pattern = name if prefix is None else f"{prefix}*"
        found[_of_member(pattern, train)] = None
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(f"`{each}`" for each in list(found)[:_SHOWN]) + more, ", ".join(found)


def _prefixes(name: str) -> Iterator[str]:
    """``a.``, ``a.b.``: the layers and lists that a parameter is in, the outermost first."""
    words = name.split(".")
    return (".".join(words[:count]) + "." for count in range(1, len(words)))


def _of_member(pattern: str, train: ir.Train) -> str:
    """A pattern as a spec writes it: from the model's name, where training holds several."""
    head, _, rest = pattern.partition(".")
    for member in train.members:
        if member.kind == "model" and member.attribute == head:
            return f"{member.model}.{rest}"
    return pattern
