"""What measuring came to: a profile by spec line, times of targets; plain data, torch-free.

Non-goals: measuring (``profile``, ``bench``), tables (``specc.report.results``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineCost:
    """What one spec line costs a step, in microseconds and bytes; ``source`` is its text.

    ``line`` is 0 where the work has no line, and ``source`` says then what it is. The times of
    forward, backward and update (optimizer, clip, constraints) are the line's own; ``total_us``
    includes the lines of the blocks that it calls. Memory is what the line allocates;
    ``forward_kept`` is what of it is still held when the line ends.
    """

    file: str
    line: int
    source: str
    calls: float
    forward_us: float
    backward_us: float
    update_us: float
    total_us: float
    forward_allocated: float
    forward_kept: float
    backward_allocated: float

    @property
    def own_us(self) -> float:
        """The line's own time: forward, backward and update."""
        return self.forward_us + self.backward_us + self.update_us


@dataclass(frozen=True, slots=True)
class KernelCost:
    """An operation or kernel that belongs to no line, by phase, a step."""

    name: str
    phase: str
    calls: float
    own_us: float


@dataclass(frozen=True, slots=True)
class Profile:
    """A profiled run: means over ``steps`` steps. Times of a GPU are those of its kernels."""

    spec: str
    model: str
    target: str
    device: str
    mode: str
    sizes: tuple[tuple[str, int], ...]
    steps: int
    what: str
    step_us: float
    lines: tuple[LineCost, ...]
    kernels: tuple[KernelCost, ...]
    notes: tuple[str, ...]
    trace: str


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some numbers, and their first and third quartile."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One target's time for one thing, in seconds, and its ratio to eager's, round by round.

    ``saved`` and ``saved_ratio`` are the medians of the run that it is compared with; ``fault``
    says why there is nothing, and is empty otherwise.
    """

    spec: str
    sizes: tuple[tuple[str, int], ...]
    device: str
    what: str
    target: str
    rounds: int = 0
    seconds: Spread | None = None
    ratio: Spread | None = None
    saved: float | None = None
    saved_ratio: float | None = None
    fault: str = ""
    notes: tuple[str, ...] = ()
