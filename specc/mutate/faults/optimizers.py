"""Faults in optimizers and schedulers.

An optimizer steps as it does; a hook then computes the step anew, with the fault, from what was
before and from the state that is now. So a fault is a formula, whichever of torch's implementations
ran. Non-goals: settings that a recorded option would give away.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar
from unittest import mock

import torch
from torch import Tensor
from torch.optim import lr_scheduler
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from specc.catalog import OPTIMIZERS
from specc.harness.running.kernels import implementations
from specc.ir import Optimizer, Stepped, static_value
from specc.mutate.fault import Fault, Injection, Subject

AFTER = ("*/delta/*", "*/state/*")
# The state of one parameter before a step, and the parameter itself.
Before = dict[str, Any]


class OfSteps(Fault):
    """A fault in what one kind of optimizer does to a parameter."""

    types: ClassVar[tuple[str, ...]]
    # Whether a float64 run has it too, and the implementations that have it: each by itself, or
    # empty for whatever steps.
    everywhere: ClassVar[bool] = False
    ways: ClassVar[tuple[str, ...]] = ("",)

    def injections(self, subject: Subject) -> Iterable[Injection]:
        known: list[dict[str, Any]] = []
        for each in stepped(subject):
            settings = settings_of(each.optimizer)
            # The fault is in all that have the settings of one.
            if each.optimizer.type not in self.types or settings in known:
                continue
            if not any(self.fits(subject, of) for of in group_settings(each.optimizer)):
                continue
            known.append(settings)
            where = each.key or each.optimizer.type
            for way in self.ways:
                if not way or way in implementations(subject.program, "cpu"):
                    yield Injection(
                        f"{where}, {way}" if way else where,
                        AFTER,
                        around=partial(self.patched, way, settings),
                        optimizer=way,
                        everywhere=self.everywhere,
                    )

    def fits(self, subject: Subject, arguments: dict[str, Any]) -> bool:
        """Whether the optimizer's own settings reach the faulty code."""
        return True

    @abstractmethod
    def faulty(self, group: dict[str, Any], before: Before, now: Before) -> Tensor | None:
        """The parameter after the faulty step; None leaves it."""

    @contextmanager
    def patched(self, way: str = "", settings: dict[str, Any] | None = None) -> Iterator[None]:
        """While open, each step of such an optimizer, in such a ``way`` and of these
        ``settings``, ends with the fault."""
        kept: dict[int, Before] = {}

        def is_meant(optimizer: Any) -> bool:
            return type(optimizer).__name__ in self.types and _agree(optimizer, settings or {})

        def pre(optimizer: Any, arguments: Any, keywords: Any) -> None:
            if is_meant(optimizer):
                for group in optimizer.param_groups:
                    for parameter in group["params"]:
                        kept[id(parameter)] = _copied(parameter, optimizer.state)

        def post(optimizer: Any, arguments: Any, keywords: Any) -> None:
            if not is_meant(optimizer):
                return
            with torch.no_grad():
                for group in optimizer.param_groups:
                    for parameter in group["params"]:
                        if parameter.grad is None or (way and not group[way]):
                            continue
                        now = dict(
                            optimizer.state.get(parameter, {}),
                            gradient=parameter.grad,
                            parameter=parameter,
                        )
                        moved = self.faulty(group, kept[id(parameter)], now)
                        if moved is not None:
                            parameter.copy_(moved)

        handles = [register_optimizer_step_pre_hook(pre), register_optimizer_step_post_hook(post)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def settings_of(optimizer: Optimizer) -> dict[str, Any]:
    """The settings of ``optimizer``, torch's defaults among them."""
    said = {name: static_value(value, {}) for name, value in optimizer.arguments}  # type: ignore[arg-type]  # compile-time
    return OPTIMIZERS[optimizer.type].defaults | said


def stepped(subject: Subject) -> Sequence[Stepped]:
    """The optimizers that a case makes step; none where it does not train."""
    train = subject.program.train
    if subject.case.mode != "train" or train is None:
        return ()
    return [each for step in train.steps for each in step.stepped]


def group_settings(optimizer: Optimizer) -> Iterator[dict[str, Any]]:
    """The settings of ``optimizer`` and, of each of its groups, those with the group's own."""
    settings = settings_of(optimizer)
    yield settings
    for group in optimizer.groups:
        yield settings | {name: static_value(value, {}) for name, value in group.arguments}  # type: ignore[arg-type]  # compile-time


def _agree(optimizer: Any, settings: Mapping[str, Any]) -> bool:
    """Whether ``optimizer`` was made with ``settings``, but for what a run chooses."""
    return all(
        optimizer.defaults[name] == value
        for name, value in settings.items()
        if name in optimizer.defaults and name not in ("foreach", "fused")
    )


def updates(subject: Subject) -> int:
    """How many steps an optimizer makes."""
    train = subject.program.train
    return max(1, len(subject.closed.batches) // (train.accumulate if train else 1))


def _copied(parameter: Tensor, state: Any) -> Before:
    found = {
        name: value.clone() if isinstance(value, Tensor) else value
        for name, value in state.get(parameter, {}).items()
    }
    return found | {"parameter": parameter.detach().clone()}


class AdamDenominator(OfSteps):
    """Adam divides by (sqrt(v) + eps) / sqrt(bias) in place of sqrt(v) / sqrt(bias) + eps."""

    name = "adam-denominator"
    incident = "pytorch 22628"
    types = ("Adam", "AdamW")

    def fits(self, subject: Subject, arguments: dict[str, Any]) -> bool:
        return not arguments.get("amsgrad", False)

    def faulty(self, group: dict[str, Any], before: Before, now: Before) -> Tensor | None:
        first, second = group["betas"]
        step = float(now["step"])
        start = before["parameter"]
        decay = group["weight_decay"]
        if decay and group.get("decoupled_weight_decay", False):
            start = start * (1 - group["lr"] * decay)
        scale = (1 - second**step) ** 0.5
        below = (now["exp_avg_sq"].sqrt() + group["eps"]) / scale
        size: float = group["lr"] / (1 - first**step)
        moved: Tensor = start - size * now["exp_avg"] / below
        return moved


class RMSpropDenominator(OfSteps):
    """RMSprop divides by sqrt(v + eps) in place of sqrt(v) + eps."""

    name = "rmsprop-denominator"
    incident = "pytorch 23796"
    types = ("RMSprop",)

    def faulty(self, group: dict[str, Any], before: Before, now: Before) -> Tensor | None:
        mean_square = now["square_avg"]
        if group["centered"]:
            mean_square = mean_square - now["grad_avg"].square()
        gradient = now["gradient"]
        if group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * before["parameter"]
        move = gradient / (mean_square + group["eps"]).sqrt()
        if group["momentum"]:
            earlier = before.get("momentum_buffer")
            move = move if earlier is None else group["momentum"] * earlier + move
        moved: Tensor = before["parameter"] - group["lr"] * move
        return moved


class AMSGradMaximum(OfSteps):
    """AMSGrad never writes back its running maximum."""

    name = "amsgrad-maximum"
    incident = "pytorch 78807"
    types = ("Adam", "AdamW")

    def fits(self, subject: Subject, arguments: dict[str, Any]) -> bool:
        return bool(arguments.get("amsgrad", False))

    def faulty(self, group: dict[str, Any], before: Before, now: Before) -> Tensor | None:
        earlier = before.get("max_exp_avg_sq")
        largest = now["max_exp_avg_sq"]
        largest.copy_(torch.zeros_like(largest) if earlier is None else earlier)
        return None


class SGDMomentum(OfSteps):
    """SGD computes with a momentum that is 0.001 more than its setting."""

    name = "momentum"
    types = ("SGD",)
    everywhere = True

    def fits(self, subject: Subject, arguments: dict[str, Any]) -> bool:
        # The first step fills the buffer, and only the second uses the momentum.
        return bool(arguments.get("momentum", 0.0)) and updates(subject) > 1

    def faulty(self, group: dict[str, Any], before: Before, now: Before) -> Tensor | None:
        earlier = before.get("momentum_buffer")
        if earlier is None:
            return None
        extra = 0.001 * earlier
        now["momentum_buffer"].add_(extra)
        moved: Tensor = before["parameter"] - group["lr"] * now["momentum_buffer"]
        return None if group["nesterov"] else moved


class GradientChanged(Fault):
    """A step halves the gradients that it reads, and computes rightly."""

    name = "gradient-changed"
    incident = "pytorch 92706"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        for kind in dict.fromkeys(each.optimizer.type for each in stepped(subject)):
            # One that computes the loss itself leaves the gradients of where it looked last.
            if not OPTIMIZERS[kind].closure:
                around = partial(_changing, getattr(torch.optim, kind))
                yield Injection(kind, ("*/changed_grad/*",), around=around)


@contextmanager
def _changing(kind: Any) -> Iterator[None]:
    # Inside what calls the hooks around a step, which torch puts in place for the new one as well.
    honest = getattr(kind.step, "__wrapped__", kind.step)

    def step(self: Any, *given: Any, **named: Any) -> Any:
        result = honest(self, *given, **named)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.mul_(0.5)
        return result

    with mock.patch.object(kind, "step", step):
        yield


class RestartLate(Fault):
    """A cosine schedule restarts one step late."""

    name = "restart-late"
    incident = "pytorch 23480"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        schedulers = [each.scheduler for each in stepped(subject)]
        if any(each and each.type == "CosineAnnealingWarmRestarts" for each in schedulers):
            yield Injection("schedule", ("*/lr/*", "end/schedule/*"), around=_late)


@contextmanager
def _late() -> Iterator[None]:
    honest = lr_scheduler.CosineAnnealingWarmRestarts.step

    def step(self: Any, epoch: Any = None) -> None:
        if epoch is None and self.last_epoch >= 0 and self.T_cur + 1 == self.T_i:
            # Stays at the bottom of the cosine for a step that should have restarted.
            if not getattr(self, "_held", False):
                self._held = True
                self.last_epoch += 1
                self.T_cur -= 1
        else:
            self._held = False
        honest(self, epoch)

    with mock.patch.object(lr_scheduler.CosineAnnealingWarmRestarts, "step", step):
        yield


FAULTS = (
    AdamDenominator(),
    RMSpropDenominator(),
    AMSGradMaximum(),
    SGDMomentum(),
    GradientChanged(),
    RestartLate(),
)
