"""The spec's own training steps, run and recorded; then what so few of them do not reach.

Each step of training has its loss, gradients, clip, optimizer and schedule; a training of one model
has a single step without a name. Non-goals: building (``ongoing_run``), evaluation (``observe``).
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from specc.catalog import OPTIMIZERS
from specc.harness.cases import subject
from specc.harness.numbers.noise import set_step
from specc.harness.running.hooks import GradientHooks, IdleOptimizer, gradients_of
from specc.harness.running.kernels import in_float64, stepping
from specc.harness.running.observed_lines import CHANGED_GRADIENT
from specc.harness.running.ongoing_run import Running
from specc.harness.running.recorder import TensorSummary
from specc.harness.running.side_by_side import PROCESS_WIDE
from specc.ir import Step, Train

# By how much weights are enlarged to see a constraint act, and gradients to see a clip act (powers
# of two: exact), and how far a schedule is followed.
ENLARGED = 64.0
AMPLIFIED = 2.0**14
AHEAD = 20
# What float16's gradients are scaled by: small enough that no honest gradient overflows, so that
# no step is left out; large enough that few are lost.
GRADIENT_SCALE = 128.0


class _Enough(Exception):
    """Ends a step whose forward and loss were wanted, and no more."""


def train(running: Running) -> None:
    """Run every batch of the case, then the clips, the constraints and the schedules."""
    _Training(running).run()


class _Training:
    def __init__(self, running: Running) -> None:
        train = running.program.train
        assert train is not None
        self.running = running
        self.seen = running.seen
        self.train: Train = train
        self.named = any(step.name for step in train.steps)
        # The step of each optimizer, by the optimizer's key.
        self.step_of = {each.key: step for step in train.steps for each in step.stepped}
        self.first = subject.first_batch(train, len(running.closed.batches))
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.schedules: dict[str, dict[str, Any]] = {}
        with PROCESS_WIDE, running.stage("configure"), stepping(running.setting.optimizer):
            configured = running.shell.configure_optimizers()
            for name, each in (configured if train.keyed else {"": configured}).items():
                self.optimizers[name] = each["optimizer"]
                if each.get("lr_scheduler") is not None:
                    self.schedules[name] = each["lr_scheduler"]
        if running.dtype == torch.float64:
            for optimizer in self.optimizers.values():
                in_float64(optimizer)
        device = torch.device(running.setting.device).type
        self.scaler = torch.amp.GradScaler(device, init_scale=GRADIENT_SCALE)

    def run(self) -> None:
        for name, optimizer in self.optimizers.items():
            self.seen.options(name, optimizer)
        clipping = {key for key, step in self.step_of.items() if step.clip is not None}
        hooks = GradientHooks(
            self.running.module,
            {name: each for name, each in self.optimizers.items() if name in clipping},
            lambda: self.running.captured.step,
            {} if self.running.setting.numbers_alone else self.stepping(),
            self.seen.looked,
        )
        if self.running.setting.without_hooks:
            self.run_without_hooks()
        with hooks:
            for position in range(len(self.running.closed.batches)):
                self.batch(position, hooks)
        for step in self.train.steps:
            if step.optimizer is not None:
                if step.clip is not None:
                    self.record_clip(step)
                if step.constraints:
                    self.record_constraints(step)
        for name in self.schedules:
            self.record_when(name)
            self.record_schedule(name)

    def stepping(self) -> dict[str, torch.optim.Optimizer]:
        """The optimizers whose step reads gradients and computes none itself."""
        return {
            each.key: self.optimizers[each.key]
            for step in self.train.steps
            for each in step.stepped
            if not OPTIMIZERS[each.optimizer.type].closure
        }

    def run_without_hooks(self) -> None:
        """The first batch as far as the first loss, with no hook anywhere: what follows depends on
        what the step has moved, and this moves nothing."""
        running, first = self.running, self.train.steps[0]
        losses: dict[str, Tensor] = {}
        name = subject.method(first.name, "loss")
        compute = getattr(running.shell, name)

        def loss(*arguments: Tensor) -> Any:
            losses.update(compute(*arguments))
            raise _Enough

        set_step(running.module, 0)
        inputs, labels = self.data(0, grad=True)
        idle = {each: IdleOptimizer(optimizer) for each, optimizer in self.optimizers.items()}
        scaler = torch.amp.GradScaler(enabled=False)
        setattr(running.shell, name, loss)
        learning = [p for p in running.module.parameters() if p.requires_grad]
        try:
            with running.unmoved("step0/no_hooks"), contextlib.suppress(_Enough):
                self.step(idle, scaler, self.first, inputs, labels)
        finally:
            setattr(running.shell, name, compute)
            for parameter in learning:  # what the step that was left had frozen for its time
                parameter.requires_grad_(True)
        for step in dict.fromkeys(("", first.name)):
            self.seen.captured("step0/no_hooks", running.captured.of.get(step, {}))
        terms = {subject.prefixed(first.name, str(k)): v for k, v in losses.items()}
        self.seen.terms("step0/no_hooks", {k: torch.as_tensor(v) for k, v in terms.items()})

    # ── a batch ──────────────────────────────────────────────────────────────────────────────────

    def batch(self, position: int, hooks: GradientHooks) -> None:
        """One batch through every step, recorded."""
        running, module = self.running, self.running.module
        number = self.first + position
        set_step(module, position)
        before = {n: self.before(position, n, p) for n, p in module.named_parameters()}
        rates = {
            name: [float(group["lr"]) for group in optimizer.param_groups]
            for name, optimizer in self.optimizers.items()
        }
        inputs, labels = self.data(position, grad=True)
        hooks.clear()
        with running.stage(f"step{position}"), running.layers_seen(position == 0):
            with running.setting.surroundings():
                terms = self.step(self.optimizers, self.scaler, number, inputs, labels)
            terms = {str(name): torch.as_tensor(term) for name, term in terms.items()}
        prefix = f"step{position}"
        for step in self.train.steps:
            self.record_step(prefix, step, terms, hooks)
            if step is self.train.steps[-1]:
                self.record_input_gradients(position, (*inputs, *labels))
            self.record_rates(prefix, step, hooks, rates)
        known = (f"{step.name}/" for step in self.train.steps)
        if self.named:
            beside = tuple(known)
            self.seen.terms(prefix, {k: v for k, v in terms.items() if not k.startswith(beside)})
        for name, parameter in module.named_parameters():
            # Exact in their own precision for numbers within a factor of two (Sterbenz).
            old = before.pop(name)
            if old is None:
                old = running.closed.parameters[name].to(parameter)
            self.seen.tensor(f"{prefix}/delta/{name}", parameter.detach() - old)
        for name, optimizer in self.optimizers.items():
            self.seen.state(prefix, module, name, optimizer)
        self.seen.buffers(prefix, module)
        if (number + 1) % self.train.accumulate == 0:
            for name, schedule in self.schedules.items():
                with running.stage(f"scheduler after step{position}"):
                    schedule["scheduler"].step(*self.watched(name, schedule, terms))

    def before(self, position: int, name: str, parameter: Tensor) -> Tensor | None:
        """A copy of a parameter; None for one that is what the case has, which needs none."""
        given = self.running.closed.parameters.get(name)
        if position == 0 and given is not None and torch.equal(given.to(parameter), parameter):
            return None
        return parameter.detach().clone()

    def record_step(
        self,
        prefix: str,
        step: Step,
        terms: Mapping[str, Tensor],
        hooks: GradientHooks,
    ) -> None:
        """What one step computes and its gradients, in the order in which they come to be."""
        module, name = self.running.module, step.name
        captured = self.running.captured.of
        if name and step is self.train.steps[0]:
            self.seen.captured(prefix, captured.get("", {}))
        self.seen.captured(prefix, captured.get(name, {}))
        own = {k: v for k, v in terms.items() if not self.named or k.startswith(f"{name}/")}
        self.seen.terms(prefix, own)
        keys = [each.key for each in step.stepped]
        wanted = self.parameters_of(*keys) if name else dict(module.named_parameters())
        raw = hooks.raw.get(name, {})
        self.seen.gradients(f"{prefix}/{_kind('grad', name)}", module, raw, wanted)

    def record_input_gradients(self, position: int, tensors: Sequence[Tensor]) -> None:
        """What all steps together leave at the inputs."""
        batch = self.running.closed.batches[position]
        for (name, _), tensor in zip((*batch.inputs, *batch.labels), tensors, strict=True):
            if tensor.requires_grad:
                self.seen.tensor(f"step{position}/input_grad/{name}", tensor.grad)

    def record_rates(
        self,
        prefix: str,
        step: Step,
        hooks: GradientHooks,
        rates: Mapping[str, Sequence[float]],
    ) -> None:
        """What the step's optimizer gets: clipped gradients, and at which rate."""
        for each in step.stepped:
            key = each.key
            if step.clip is not None:
                clipped = hooks.clipped.get(key, {})
                kind = _kind("clipped_grad", key)
                own = self.parameters_of(key)
                self.seen.gradients(f"{prefix}/{kind}", self.running.module, clipped, own)
            for number, rate in enumerate(rates[key]):
                self.seen.exact(f"{prefix}/{_kind('lr', key)}/group{number}", rate)
            for parameter, change in hooks.changed.get(key, {}).items():
                self.seen.tensor(f"{prefix}/{_kind(CHANGED_GRADIENT, key)}/{parameter}", change)

    def step(
        self,
        optimizers: Mapping[str, Any],
        scaler: torch.amp.GradScaler,
        number: int,
        inputs: Sequence[Tensor],
        labels: Sequence[Tensor],
    ) -> dict[str, Tensor]:
        """The emitted ``training_step`` with what this training asks for."""
        arguments: list[Any] = [dict(optimizers) if self.train.keyed else optimizers[""]]
        if self.train.precision == "float16":
            arguments.append(scaler)
        if subject.is_numbered(self.train):
            arguments.append(number)
        terms: dict[str, Tensor] = self.running.shell.training_step(*arguments, *inputs, *labels)
        return terms

    def data(self, position: int, grad: bool) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The batch's model inputs and train inputs."""
        batch = self.running.closed.batches[position]
        reaching = subject.reaching_inputs(self.running.program) if grad else frozenset()
        return self.running.tensors(batch.inputs, grad), self.running.tensors(
            batch.labels, reaching
        )

    def parameters_of(self, *keys: str) -> dict[str, Tensor]:
        """The parameters that the optimizers with these keys have, by name."""
        held = [self.optimizers[key] for key in keys if key in self.optimizers]
        groups = [group for optimizer in held for group in optimizer.param_groups]
        own = {id(parameter) for group in groups for parameter in group["params"]}
        named = self.running.module.named_parameters()
        return {name: parameter for name, parameter in named if id(parameter) in own}

    def watched(
        self, key: str, schedule: Mapping[str, Any], terms: Mapping[str, Tensor]
    ) -> tuple[Tensor, ...]:
        """What a scheduler that watches a value is told."""
        if "monitor" not in schedule:
            return ()
        name = schedule["monitor"]
        step = self.step_of[key].name
        return (terms[name if name in terms else subject.prefixed(step, name)],)

    # ── what a few steps do not reach ────────────────────────────────────────────────────────────

    def idle_step(self, optimizers: Mapping[str, IdleOptimizer]) -> None:
        """A step of the last batch that moves no parameter by an optimizer, where everything that
        happens now and then happens."""
        inputs, labels = self.data(-1, grad=False)
        number = subject.period(self.train) - 1
        scaler = torch.amp.GradScaler(enabled=False)
        self.running.module.zero_grad()
        with self.running.layers_seen(False), self.running.setting.surroundings():
            self.step(optimizers, scaler, number, inputs, labels)

    def record_clip(self, step: Step) -> None:
        """What the clip makes of gradients large enough for it to act; a case's need not be."""
        module = self.running.module
        names = {id(p): name for name, p in module.named_parameters()}
        clipped: dict[str, TensorSummary] = {}
        idle = {name: IdleOptimizer(each) for name, each in self.optimizers.items()}
        keys = [each.key for each in step.stepped]

        def looking(mine: torch.optim.Optimizer) -> Callable[[], None]:
            return lambda: clipped.update(gradients_of(mine, names, self.seen.looked))

        for key in keys:
            idle[key] = IdleOptimizer(self.optimizers[key], looking(self.optimizers[key]))
        with ExitStack() as stack, self.running.stage("clip"):
            for parameter in module.parameters():
                if parameter.requires_grad:
                    with PROCESS_WIDE:
                        handle = parameter.register_hook(lambda gradient: gradient * AMPLIFIED)
                    stack.callback(handle.remove)
            self.idle_step(idle)
        kind = _kind("clipped_grad", step.name)
        self.seen.gradients(f"end/{kind}", module, clipped, self.parameters_of(*keys))

    def record_constraints(self, step: Step) -> None:
        """What a step's constraints make of weights large enough for them to act, which a few
        steps are not. The step itself moves nothing, so that only the constraints are seen, and
        that the step calls them.
        """
        parameters = dict(self.running.module.named_parameters())
        names = dict.fromkeys(n for c in step.constraints for n in c.on.names)
        kept = {name: parameters[name].detach().clone() for name in names}
        with self.running.stage("constrain"):
            with torch.no_grad():
                for name in names:
                    parameters[name].mul_(ENLARGED)
            self.idle_step({name: IdleOptimizer(each) for name, each in self.optimizers.items()})
        for name in names:
            self.seen.tensor(f"end/{_kind('constrained', step.name)}/{name}", parameters[name])
        with torch.no_grad():
            for name, value in kept.items():
                parameters[name].copy_(value)

    def record_when(self, step: str) -> None:
        """When the schedule is to be stepped and what it watches, which is told to whoever trains:
        each in a name, so that another is a value that is missing and one too many."""
        for key, told in self.schedules[step].items():
            if isinstance(told, (str, int)):
                self.seen.exact(f"end/{_kind('scheduler', step)}/{key}/{told}", 1.0)

    def record_schedule(self, step: str) -> None:
        """The learning rates of the next AHEAD steps, which a few steps are too short to show.

        A watched loss stands still, so that patience runs out.
        """
        schedule, optimizer = self.schedules[step], self.optimizers[step]
        rates: list[list[float]] = []
        with PROCESS_WIDE, self.running.stage("schedule"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the optimizer is not stepped in between is meant
            for _ in range(AHEAD):
                schedule["scheduler"].step(*((1.0,) if "monitor" in schedule else ()))
                rates.append([float(group["lr"]) for group in optimizer.param_groups])
        for number, column in enumerate(zip(*rates, strict=True)):
            self.seen.exact(f"end/{_kind('schedule', step)}/group{number}", *column)


def _kind(kind: str, step: str) -> str:
    return f"{kind}/{step}" if step else kind
