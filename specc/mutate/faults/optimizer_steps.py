"""Faults in one of torch's implementations of a step, and in what an optimizer does late.

They are in what is computed, so that float64 has them too: there they are far above any rounding
where a run's own precision hides them. Non-goals: faults of the one form that all implementations
share (``optimizers``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

import torch
from torch import Tensor

from specc.catalog.training.optimizers import average_length
from specc.harness.running.kernels import implementations
from specc.mutate.fault import Fault, Injection, Subject
from specc.mutate.faults.optimizers import AFTER, Before, OfSteps, updates

_KERNELS: Final = ("_fused_sgd_", "_fused_adam_", "_fused_adamw_", "_fused_adagrad_")


class DecayAfter(OfSteps):
    """The weights decay after the step in place of before it, in foreach or fused alone."""

    name = "decay-after"
    types = ("AdamW", "NAdam", "RAdam")
    everywhere = True
    ways = ("foreach", "fused")

    def fits(self, subject: Subject, arguments: dict[str, Any]) -> bool:
        apart = arguments.get("decoupled_weight_decay", True)
        return bool(apart and arguments["weight_decay"] and arguments["lr"])

    def faulty(self, group: dict[str, Any], before: Before, now: Before) -> Tensor | None:
        kept = 1 - group["lr"] * group["weight_decay"]
        move = now["parameter"] - before["parameter"] * kept
        moved: Tensor = (before["parameter"] + move) * kept
        return moved


class NoEps(OfSteps):
    """Nothing is added to the root that is divided by, in foreach or fused alone."""

    name = "no-eps"
    types = ("Adam", "AdamW", "RAdam")
    everywhere = True
    ways = ("foreach", "fused")

    def fits(self, subject: Subject, arguments: dict[str, Any]) -> bool:
        rectified = "amsgrad" in arguments or _rectified(arguments["betas"][1], updates(subject))
        return bool(rectified and arguments["eps"] and arguments["lr"])

    def faulty(self, group: dict[str, Any], before: Before, now: Before) -> Tensor | None:
        if "amsgrad" not in group:
            return _radam(group, before, now, eps=0.0)
        squares = now["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"]
        return _adam(group, before, now, squares, eps=0.0)


class NotRectified(OfSteps):
    """RAdam leaves the factor of its rectification out."""

    name = "not-rectified"
    types = ("RAdam",)
    everywhere = True

    def fits(self, subject: Subject, arguments: dict[str, Any]) -> bool:
        return bool(arguments["lr"]) and _rectified(arguments["betas"][1], updates(subject))

    def faulty(self, group: dict[str, Any], before: Before, now: Before) -> Tensor | None:
        return _radam(group, before, now, eps=group["eps"], rectified=False)


class PresentAverage(OfSteps):
    """AMSGrad divides by the present average of squares in place of the largest so far."""

    name = "amsgrad-present"
    types = ("Adam", "AdamW")
    everywhere = True

    def fits(self, subject: Subject, arguments: dict[str, Any]) -> bool:
        return bool(arguments["amsgrad"] and arguments["lr"]) and updates(subject) > 1

    def faulty(self, group: dict[str, Any], before: Before, now: Before) -> Tensor | None:
        return _adam(group, before, now, now["exp_avg_sq"], eps=group["eps"])


class SignRemembered(OfSteps):
    """Rprop remembers a gradient whose sign has changed, which the next step should not see."""

    name = "sign-remembered"
    types = ("Rprop",)
    everywhere = True

    def fits(self, subject: Subject, arguments: dict[str, Any]) -> bool:
        return updates(subject) > 1

    def faulty(self, group: dict[str, Any], before: Before, now: Before) -> Tensor | None:
        now["prev"].copy_(-now["gradient"] if group["maximize"] else now["gradient"])
        return None


class NotAveraged(OfSteps):
    """ASGD's average stays the last parameters."""

    name = "not-averaged"
    types = ("ASGD",)
    everywhere = True

    def fits(self, subject: Subject, arguments: dict[str, Any]) -> bool:
        return bool(updates(subject) > max(1.0, arguments["t0"] + 2))

    def faulty(self, group: dict[str, Any], before: Before, now: Before) -> Tensor | None:
        now["ax"].copy_(now["parameter"])
        return None


class FusedScaled(Fault):
    """A fused step takes the scaled gradients as they are."""

    name = "fused-scaled"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        train = subject.program.train
        if train is None or subject.case.mode != "train" or train.precision != "float16":
            return
        # A clip has the gradients unscaled before.
        own = [step for step in train.steps if step.optimizer is not None and step.clip is None]
        if own and "fused" in implementations(subject.program, "cpu"):
            yield Injection("unscaling", AFTER, around=_scaled, optimizer="fused", everywhere=True)


@contextmanager
def _scaled() -> Iterator[None]:
    with ExitStack() as stack:
        for name in _KERNELS:
            if hasattr(torch, name):
                stack.enter_context(patch.object(torch, name, _without_scale(getattr(torch, name))))
        yield


def _without_scale(honest: Callable[..., Any]) -> Callable[..., Any]:
    def step(*given: Any, **named: Any) -> Any:
        return honest(*given, **named | {"grad_scale": None})

    return step


def _adam(
    group: dict[str, Any], before: Before, now: Before, squares: Tensor, *, eps: float
) -> Tensor:
    """Adam's step with ``squares`` and ``eps`` in the place of its own."""
    first, second = group["betas"]
    step = float(now["step"])
    start = before["parameter"]
    if group["weight_decay"] and group.get("decoupled_weight_decay", False):
        start = start * (1 - group["lr"] * group["weight_decay"])
    below = squares.sqrt() / (1 - second**step) ** 0.5 + eps
    moved: Tensor = start - group["lr"] / (1 - first**step) * now["exp_avg"] / below
    return moved


def _radam(
    group: dict[str, Any], before: Before, now: Before, *, eps: float, rectified: bool = True
) -> Tensor | None:
    """RAdam's rectified step with ``eps`` in the place of its own, and without the factor where it
    is not ``rectified``; None where the step is none."""
    first, second = group["betas"]
    step = float(now["step"])
    longest, length = 2 / (1 - second) - 1, average_length(second, step)
    if length <= 5:
        return None
    factor = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    start = before["parameter"]
    if group["weight_decay"] and group["decoupled_weight_decay"]:
        start = start * (1 - group["lr"] * group["weight_decay"])
    size = group["lr"] * (math.sqrt(factor) if rectified else 1.0) / (1 - first**step)
    below = (now["exp_avg_sq"].sqrt() + eps) / (1 - second**step) ** 0.5
    moved: Tensor = start - size * now["exp_avg"] / below
    return moved


def _rectified(decay: float, steps: int) -> bool:
    return any(average_length(decay, step) > 5 for step in range(1, steps + 1))


FAULTS = (
    DecayAfter(),
    NoEps(),
    NotRectified(),
    PresentAverage(),
    SignRemembered(),
    NotAveraged(),
    FusedScaled(),
)
