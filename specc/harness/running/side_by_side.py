"""Two threads of one process, for what is independent: two cores give to the bit what one gives.

Torch keeps for each thread dispatch modes, guards, whether gradients are on, and the number of
threads that its kernels use; backward runs in the thread that asks for it. For the whole process it
keeps which kernels it chooses, its default dtype, autocast's cache and its random generator; Python
keeps imported modules, patched constructors and filters of warnings. So what runs side by side has
the same kernels, and no autocast, float64 or noise of torch's own (``may_run``); the rest is
done under ``PROCESS_WIDE``. Non-goal: cells side by side, which are processes (``isolated``).
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Final, TypeVar

import torch

from specc.catalog.used import rows_of
from specc.harness.running.process import cores
from specc.ir import Program
from specc.targets.operation_mode import OperationMode

T = TypeVar("T")

# Held while a module is built, an optimizer is made, a hook is put on (torch numbers hooks by a
# counter that two threads may read at once) or a warning is silenced.
PROCESS_WIDE: Final = threading.RLock()
# Seconds of a float64 run, four to five plain runs, from which on a second thread pays. Below,
# Python is what takes the time, and there is one of it.
WORTH = 0.25
# How the note of a run begins that draws from torch's generator.
_UNCONTROLLED = "noise not under control"


def may_run(program: Program, dtype: str, seconds: float, notes: Sequence[str]) -> bool:
    """Whether runs of ``program`` in ``dtype`` may run side by side, and gain by it: ``seconds``
    and ``notes`` are those of its float64 run.

    What extensions keep for the process is unknown, so that theirs run one after the other."""
    if cores() < 2 or seconds < WORTH or dtype == "float64":
        return False
    if program.train is not None and program.train.precision:
        return False
    if any(note.startswith(_UNCONTROLLED) for note in notes):
        return False
    return not any(row.module for row in rows_of(program))


def side_by_side(jobs: Sequence[Callable[[], T]], active: bool = True) -> list[T]:
    """What each of ``jobs`` gives, in their order: two at a time where ``active``, else one after
    the other.

    Raises what the first of them raises that fails: after it none is begun, and whatever runs is
    waited for. So it is where the thread that called is interrupted."""
    if not active or len(jobs) < 2:
        return [job() for job in jobs]
    found: dict[int, T] = {}
    faults: dict[int, BaseException] = {}
    waiting: Iterator[tuple[int, Callable[[], T]]] = iter(tuple(enumerate(jobs)))
    taking = threading.Lock()
    stopped = threading.Event()
    _one_heap()
    count, grad = torch.get_num_threads(), torch.is_grad_enabled()

    def work() -> None:
        torch.set_num_threads(count)
        with torch.set_grad_enabled(grad):
            while not stopped.is_set():
                with taking:
                    number, job = next(waiting, (-1, None))
                if job is None:
                    return
                try:
                    found[number] = job()
                except BaseException as fault:  # told by the thread that asked
                    faults[number] = fault
                    stopped.set()

    threads = [threading.Thread(target=work, name=f"specc-{k}") for k in range(2)]
    with _Held():
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            stopped.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
    if faults:
        raise faults[min(faults)]
    return [found[number] for number in range(len(jobs))]


@cache
def _one_heap() -> None:
    """Let new threads take their memory from the process's own heap, where glibc is the allocator.

    Each would have one of its own, which keeps what is freed in it: more than a whole run holds."""
    arena_max = -8  # M_ARENA_MAX in glibc's malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(arena_max, 1)


class _Held(OperationMode):
    """Open in the thread that waits. Torch notes for the whole process whether any mode is open,
    each mode giving back what it found: while one is open all find the same, whoever ends first."""
