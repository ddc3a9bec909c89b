"""Honest changes of machine, which must pass: threads, targets, layouts, optimizers' ways, kernels,
orders of summation.

Non-goals: other torch versions and devices, which are other runs of this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from specc.harness.floors.machine import random_rounding, threads
from specc.harness.running.kernels import implementations, plain_kernels
from specc.harness.running.ongoing_run import Setting
from specc.ir import Program


@dataclass(frozen=True)
class Variant:
    """One honest way to run a case."""

    name: str
    setting: Setting
    around: Callable[[], AbstractContextManager[Any]] = nullcontext


def variants(program: Program, dtype: str, targets: tuple[str, ...]) -> Iterator[Variant]:
    """Those that apply to ``program``; ``targets`` are the ones beside eager."""
    plain = Setting("eager", "cpu", dtype, layers=True, calls=True, whole=True, without_hooks=True)
    for count in (1, 2):
        yield Variant(f"{count} threads", plain, _threads(count))
    yield Variant("without oneDNN", plain, lambda: plain_kernels(True))
    for lanes, name in ((1, "sums one by one"), (8, "sums in strips")):
        yield Variant(name, replace(plain, around=_adding_up(program, dtype, lanes)))
    if any(len(value.type.shape) in (4, 5) for value in program.subject().inputs):
        yield Variant("channels_last", replace(plain, layout="channels_last"))
    train = program.train
    if train is not None and any(step.optimizer is not None for step in train.steps):
        for way in implementations(program, "cpu"):
            yield Variant(way, replace(plain, optimizer=way))
    for target in targets:
        yield Variant(target, Setting(target, "cpu", dtype, whole=True))


def _threads(count: int) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: threads(count)


def _adding_up(
    program: Program, dtype: str, lanes: int
) -> Callable[[], AbstractContextManager[Any]]:
    """Fused operations in single steps, sums in so many partial sums, and nothing moved beside."""
    return lambda: random_rounding(program, dtype, 0, scale=0.0, lanes=lanes)
