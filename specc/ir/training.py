"""How models learn: steps, what each minimises, penalizes, clips, and steps with.

Non-goal: what the models compute (``modules``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from specc.errors import Span
from specc.ir.modules import Condition, Module, Selection
from specc.ir.nodes import Arguments, Node, Value
from specc.ir.types import Scalar, Static


@dataclass(frozen=True, slots=True)
class Regularizer:
    """A penalty on parameters: ``L1``, ``L2``, ``ElasticNet``, ``Orthogonal``."""

    type: str
    arguments: Arguments
    on: Selection
    span: Span


@dataclass(frozen=True, slots=True)
class Constraint:
    """A projection after each optimizer step: ``MaxNorm``."""

    type: str
    arguments: Arguments
    on: Selection
    span: Span


@dataclass(frozen=True, slots=True)
class Clip:
    """``GradNorm`` or ``GradValue`` between backward and step; ``on`` None means every parameter
    that the step's optimizer steps."""

    type: str
    arguments: Arguments
    on: Selection | None
    span: Span


@dataclass(frozen=True, slots=True)
class Group:
    """A parameter group with its own settings."""

    arguments: Arguments
    on: Selection
    span: Span


@dataclass(frozen=True, slots=True)
class Optimizer:
    """A torch optimizer; ``rest`` are the parameters that no group claims, in the model's order."""

    type: str
    arguments: Arguments
    groups: tuple[Group, ...]
    rest: Selection
    span: Span


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A torch learning-rate scheduler, stepped once a ``step`` or once an ``epoch``."""

    type: str
    arguments: Arguments
    interval: Literal["step", "epoch"]
    span: Span


@dataclass(frozen=True, slots=True)
class ComposedScheduler(Scheduler):
    """A scheduler that is made of others: ``SequentialLR``, ``ChainedScheduler``."""

    parts: tuple[Scheduler, ...]


@dataclass(frozen=True, slots=True)
class Stepped:
    """One of the optimizers of a step. ``key`` names it in what ``configure_optimizers`` gives:
    the step's name, with the optimizer's type where the step has several."""

    key: str
    optimizer: Optimizer
    scheduler: Scheduler | None


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric reported beside the loss."""

    name: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Decision:
    """An ``if`` of ``train``: what it was decided by, and whether that held."""

    condition: Scalar
    taken: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Member:
    """A module that training holds: ``attribute`` is its name in the training module.

    A ``copy`` is a frozen twin of another member, loaded from it every ``every`` batches; an
    ``ema`` a frozen twin that moves towards it by ``1 - decay`` after every batch."""

    attribute: str
    model: str
    kind: Literal["model", "copy", "ema"]
    of: str = ""
    every: int = 1
    decay: Static = 0.0
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One loss and what is done with it. ``terms`` are the named scalars; the last is ``loss``.

    ``nodes`` compute the terms from ``uses``, in that order: outputs and inputs of the model (or,
    in a training of several, values of ``Train.shared`` and train inputs). Parameters in
    selections are named from the model, or from the training module (``generator.0.weight``).
    """

    name: str
    nodes: tuple[Node, ...]
    terms: tuple[tuple[str, Value], ...]
    uses: tuple[Value, ...]
    regularizers: tuple[Regularizer, ...]
    constraints: tuple[Constraint, ...]
    clip: Clip | None
    optimizer: Optimizer | None
    scheduler: Scheduler | None
    frozen: tuple[Selection, ...]
    span: Span
    # What the loss asks of the sizes: that labels and outputs have one batch size, say. Follows
    # from the nodes, and computes nothing.
    conditions: tuple[Condition, ...] = field(default=(), compare=False)
    # Further optimizers on other parameters, each with its scheduler; of few steps.
    more: tuple[tuple[Optimizer, Scheduler | None], ...] = field(
        default=(), metadata={"if_any": True}
    )

    @property
    def stepped(self) -> tuple[Stepped, ...]:
        """The optimizers, in their order."""
        if self.optimizer is None:
            return ()
        pairs = [(self.optimizer, self.scheduler), *self.more]
        if not self.more:
            return (Stepped(self.name, *pairs[0]),)
        types = [optimizer.type.lower() for optimizer, _ in pairs]
        found = []
        for position, (type_, pair) in enumerate(zip(types, pairs, strict=True)):
            number = f"_{types[: position + 1].count(type_)}" if types.count(type_) > 1 else ""
            key = f"{self.name}/{type_}{number}" if self.name else f"{type_}{number}"
            found.append(Stepped(key, *pair))
        return tuple(found)

    @property
    def moved(self) -> tuple[str, ...]:
        """The parameters that the optimizers step, by their full names."""
        return tuple(
            name
            for each in self.stepped
            for on in (each.optimizer.rest, *(group.on for group in each.optimizer.groups))
            for name in on.names
        )


@dataclass(frozen=True, slots=True)
class Train:
    """How the models learn.

    Most often there is one model and one unnamed step: ``members`` is empty, and the methods of
    training are the model's own. Otherwise ``members`` says what the class ``Training`` holds,
    and calls of members are ``LayerCall``s of their attributes; ``shared`` computes what the steps
    have in common, ``shared_uses`` the train inputs that it reads, ``shared_values`` what of it the
    steps and metrics read.

    ``accumulate`` batches make one optimizer step; ``precision`` is autocast's, or empty."""

    model: str
    inputs: tuple[Value, ...]
    steps: tuple[Step, ...]
    metrics: tuple[Metric, ...]
    metric_nodes: tuple[Node, ...]
    metric_uses: tuple[Value, ...]
    span: Span
    members: tuple[Member, ...] = ()
    shared: tuple[Node, ...] = ()
    shared_uses: tuple[Value, ...] = ()
    shared_values: tuple[Value, ...] = ()
    module: Module | None = None
    accumulate: int = 1
    precision: Literal["", "bfloat16", "float16"] = ""
    conditions: tuple[Condition, ...] = field(default=(), compare=False)
    # What of them the metrics ask for.
    metric_conditions: tuple[Condition, ...] = field(default=(), compare=False)
    # The term that a batch counts by, where the gradients of several are accumulated.
    weighed: str = field(default="", metadata={"if_any": True})
    # What was decided by params, whose values are part of what is computed.
    decisions: tuple[Decision, ...] = field(default=(), compare=False)

    # The one step of a training that has one.

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What computes the terms of every step."""
        return tuple(node for step in self.steps for node in step.nodes)

    @property
    def terms(self) -> tuple[tuple[str, Value], ...]:
        """The terms of the first step."""
        return self.steps[0].terms

    @property
    def keyed(self) -> bool:
        """Whether optimizers are known by name: there are several, or steps with names."""
        return bool(self.steps[0].name) or any(step.more for step in self.steps)

    @property
    def optimizer(self) -> Optimizer | None:
        """The first step's optimizer."""
        return self.steps[0].optimizer
