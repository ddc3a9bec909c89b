"""What honest arithmetic does to each operation's tensors: floors for the trace of a run.

As ``harness.floors.floor`` does for what is observed, against the plain run in place of float64:
what differs is a second run of the same precision. Non-goal: the rounding itself
(``harness.floors.rounding``).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch

from specc.bisect.results import OperationTrace
from specc.bisect.trace import TensorSnapshot, Traced, Tracer, written
from specc.harness.floors.floor_statistics import floor_of
from specc.harness.running.recorder import Observation

# What stands for no bound: JSON has no infinity.
UNBOUNDED = 1e300


def with_floors(plain: Tracer, noisy: Sequence[Tracer], dtype: str) -> OperationTrace:
    """The operations of ``plain`` with the floors that ``noisy`` runs show. A run that goes another
    way counts up to there."""
    runs = [_common(plain.operations, each.operations) for each in noisy]
    floors: list[list[float]] = []
    for number, operation in enumerate(plain.operations):
        beside = [run[number] for run in runs if number < len(run)]
        for position, each in enumerate((*operation.inputs, *operation.outputs)):
            others = [(*one.inputs, *one.outputs)[position] for one in beside]
            floors.append(_floor(each, others, dtype))
    return OperationTrace(operations=written(plain.operations, floors), cut=plain.cut)


def _common(one: Sequence[Traced], other: Sequence[Traced]) -> list[Traced]:
    """The beginning of ``other`` that runs the operations of ``one``."""

    def form(operation: Traced) -> tuple[object, ...]:
        looked = (*operation.inputs, *operation.outputs)
        return (operation.name, [(each.shape, each.dtype) for each in looked])

    pairs = zip(one, other, strict=False)
    return [b for a, b in itertools.takewhile(lambda pair: form(pair[0]) == form(pair[1]), pairs)]


def _floor(plain: TensorSnapshot, noisy: Sequence[TensorSnapshot], dtype: str) -> list[float]:
    kind: torch.dtype = getattr(torch, plain.dtype)
    if not kind.is_floating_point and not kind.is_complex:
        return []
    if len(noisy) < 2:
        return [UNBOUNDED, UNBOUNDED]
    unit = float(torch.finfo(kind).eps)
    if kind == torch.float64 and dtype != "float64":
        # A counter or a scalar beside the tensors: computed by Python, to its last digits.
        unit = float(torch.finfo(torch.float32).eps)
    found = floor_of(observation(plain), [observation(each) for each in noisy], unit)
    return [min(found.rms, UNBOUNDED), min(found.largest, UNBOUNDED)]


def observation(looked: TensorSnapshot) -> Observation:
    """``looked`` as what ``harness.floors.floor`` measures; of a sketch the mean square is the
    tensor's own, but for 4 %."""
    numbers = looked.numbers
    rms = float(numbers.square().mean().sqrt()) if numbers.numel() else 0.0
    return Observation("", 1, numbers, looked.shape, looked.dtype, looked.nonfinite, rms=rms)
