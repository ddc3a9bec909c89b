"""Faults of functions of ``torch.nn.functional``, which stand in their place meanwhile.

Non-goals: what is below autograd (``kernels``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from specc.mutate.fault import Fault, Injection, Subject, in_place_of

# What torch has there, whatever stands in its place.
_batch_norm, _cross_entropy, _gelu = F.batch_norm, F.cross_entropy, F.gelu


class RunningStatistics(Fault):
    """BatchNorm's update of its running statistics is lost."""

    name = "running-statistics"
    incident = "pytorch 33867"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        norms = subject.of_type(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
        if subject.case.mode == "train" and norms:
            around = in_place_of(F, "batch_norm", _losing_statistics)
            yield Injection("all", ("*/buffer/*",), around=around)


def _losing_statistics(input: Tensor, mean: Any, variance: Any, *rest: Any, **named: Any) -> Tensor:
    kept = [None if each is None else each.clone() for each in (mean, variance)]
    return _batch_norm(input, kept[0], kept[1], *rest, **named)


class LabelSmoothing(Fault):
    """Label smoothing counts the samples that are ignored."""

    name = "label-smoothing"
    incident = "pytorch 73205"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        if "label_smoothing=" in subject.source and "ignore_index=" in subject.source:
            around = in_place_of(F, "cross_entropy", _counting_ignored)
            yield Injection("loss", ("*/loss/*",), around=around)


def _counting_ignored(input: Tensor, target: Tensor, *rest: Any, **named: Any) -> Tensor:
    smoothing = named.get("label_smoothing", 0.0)
    ignored = target == named.get("ignore_index", -100)
    loss = _cross_entropy(input, target, *rest, **named)
    if not smoothing or not bool(ignored.any()):
        return loss
    # The uniform part's mean runs over every sample, those that are ignored among them.
    uniform = -F.log_softmax(input, dim=1).mean(dim=1)
    kept = uniform[~ignored]
    smoothed: Tensor = loss + smoothing * (uniform.mean() - kept.mean())
    return smoothed


class ApproximateGELU(Fault):
    """Two coefficients of the approximate GELU swapped."""

    name = "approximate-gelu"
    incident = "transformers 11514"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        if "approximate='tanh'" in subject.source or 'approximate="tanh"' in subject.source:
            right = ("*/layer/*", "*/output/*", "*/loss/*")
            yield Injection("all", right, around=in_place_of(F, "gelu", _swapped))


def _swapped(input: Tensor, approximate: str = "none") -> Tensor:
    if approximate != "tanh":
        return _gelu(input, approximate=approximate)
    inner = 0.044715 * (input + 0.7978845608028654 * input.pow(3))
    return 0.5 * input * (1.0 + inner.tanh())


FAULTS = (RunningStatistics(), LabelSmoothing(), ApproximateGELU())
