"""The honest machines whose runs make a floor, each imitated by random rounding.

They differ in seed, threads, kernels, layout and the optimizer's implementation: in what a spec's
own cells may differ in. Non-goals: the rounding itself (``rounding``), running (``floor``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import torch

from specc.harness.cases.precisions import TF32, dtype_of, epsilon_of
from specc.harness.floors.rounding import RandomRounding
from specc.harness.running.kernels import plain_kernels
from specc.harness.running.side_by_side import side_by_side
from specc.ir import Program
from specc.policy import AMPLIFICATION, AMPLIFICATION_OF_HALF, COARSE

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Machine:
    """One of them: with ``lanes`` it takes fused operations apart, leaves fused kernels off, and
    adds up in so many partial sums; ``channels_last`` has images so, ``foreach`` steps all
    parameters at once."""

    number: int
    lanes: int = 0
    threads: int = 1
    channels_last: bool = False
    foreach: bool = False

    def layout(self, program: Program) -> str:
        """That of images; a spec that does not ask for channels-last need not run so."""
        asked = "channels_last" in program.test.layouts
        return "channels_last" if self.channels_last and asked else "contiguous"

    @property
    def optimizer(self) -> str:
        """The implementation of the optimizer's step, where torch has such a one."""
        return "foreach" if self.foreach else ""

    @property
    def kind(self) -> tuple[bool, int]:
        """What machines that may run side by side have in common: kernels and threads."""
        return self.lanes > 0, self.threads


# Partial sums of those that regroup: compiled code has one over channels-last images, which errs
# most where terms are alike, and a vector register's lanes elsewhere.
LANES: Final = (1, 1, 8, 1, 1, 1)

# Every second one regroups. One of each kind computes on two threads, one of each has images
# channels-last, and half of each step by foreach.
MACHINES: Final = tuple(
    Machine(
        number,
        LANES[number // 2] if number % 2 else 0,
        threads=2 if number in (2, 3) else 1,
        channels_last=number in (4, 5),
        foreach=number >= 6,
    )
    for number in range(12)
)


def on_machines(
    program: Program,
    dtype: str,
    seed: int,
    job: Callable[[Machine, RandomRounding], T],
    *,
    pairs: bool,
) -> list[T]:
    """What ``job`` makes on each of ``MACHINES``, in their order, on its threads and kernels and
    given its rounding.

    With ``pairs`` two of a kind run side by side, where one does not need both cores."""
    found: dict[int, T] = {}
    for kind in dict.fromkeys(machine.kind for machine in MACHINES):
        alike = [machine for machine in MACHINES if machine.kind == kind]

        def run(machine: Machine) -> T:
            mode = random_rounding(program, dtype, seed + machine.number, lanes=machine.lanes)
            return job(machine, mode)

        regroups, count = kind
        with threads(count), plain_kernels(regroups or dtype == TF32):
            made = side_by_side([partial(run, machine) for machine in alike], pairs and count == 1)
        found.update(zip((machine.number for machine in alike), made, strict=True))
    return [found[machine.number] for machine in MACHINES]


def random_rounding(
    program: Program,
    dtype: str,
    seed: int,
    *,
    scale: float = 1.0,
    lanes: int = 0,
    enlarged: float = 1.0,
) -> RandomRounding:
    """Random rounding in the run's precision, and in that of autocast where the spec asks for
    one."""
    precision = program.train.precision if program.train else ""
    lower = getattr(torch, precision) if precision else None
    return RandomRounding(
        seed,
        dtype_of(dtype),
        scale=scale,
        lanes=lanes,
        enlarged=enlarged,
        lower=lower,
        tf32=dtype == TF32,
        accumulate=lanes > 0 and scale != 0.0,
    )


def amplification_of(program: Program, dtype: str) -> float:
    """By how much the noise is enlarged to find kinks."""
    lowest = (program.train.precision if program.train else "") or dtype
    return AMPLIFICATION if epsilon_of(lowest) < COARSE else AMPLIFICATION_OF_HALF


@contextmanager
def threads(count: int) -> Iterator[None]:
    """While open, torch computes with ``count`` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
