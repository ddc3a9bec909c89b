"""The honest machines whose runs make a floor, each imitated by random rounding.

They differ in seed, threads, kernels, layout and the optimizer's implementation: in what a spec's
own cells may differ in. Non-goals: the rounding itself (``rounding``), running (``floor``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch

from specc.harness.kernels import plain_kernels
from specc.harness.rounding import RandomRounding
from specc.harness.tf32 import NAME as TF32
from specc.harness.tf32 import dtype_of, epsilon_of
from specc.ir import Program

AMPLIFICATION = 16.0
# In bfloat16 sixteen units are an eighth of the value: more than any rounding comes to, and enough
# to turn everything. So many decisions turn there anyway that the plain runs show it.
AMPLIFICATION_OF_HALF = 4.0
# From this epsilon on a precision is such a one: bfloat16, float16, TF32.
COARSE = 2.0**-16


@dataclass(frozen=True, slots=True)
class Machine:
    """One of them: ``regroup`` takes fused operations apart and leaves fused kernels off,
    ``channels_last`` has images so, ``foreach`` steps all parameters at once."""

    number: int
    regroup: bool
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

    @contextmanager
    def rounding(
        self, program: Program, dtype: str, seed: int, *, accumulate: bool = False
    ) -> Iterator[RandomRounding]:
        """Its rounding, on its threads and kernels; ``accumulate`` is for a regrouping one."""
        mode = random_rounding(
            program,
            dtype,
            seed + self.number,
            regroup=self.regroup,
            accumulate=accumulate and self.regroup,
        )
        with threads(self.threads), plain_kernels(self.regroup or dtype == TF32):
            yield mode


# Every second one regroups. One of each kind computes on two threads, one of each has images
# channels-last, and half of each step by foreach.
MACHINES: Final = tuple(
    Machine(
        number,
        regroup=number % 2 == 1,
        threads=2 if number in (2, 3) else 1,
        channels_last=number in (4, 5),
        foreach=number >= 6,
    )
    for number in range(12)
)


def random_rounding(
    program: Program,
    dtype: str,
    seed: int,
    *,
    scale: float = 1.0,
    regroup: bool = False,
    accumulate: bool = False,
) -> RandomRounding:
    """Random rounding in the run's precision, and in that of autocast where the spec asks for
    one."""
    precision = program.train.precision if program.train else ""
    lower = getattr(torch, precision) if precision else None
    return RandomRounding(
        seed,
        dtype_of(dtype),
        scale=scale,
        regroup=regroup,
        lower=lower,
        tf32=dtype == TF32,
        accumulate=accumulate,
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
