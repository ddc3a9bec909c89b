"""Times several callables in turn, so that what else the machine does falls on all of them alike.

Non-goals: what is timed, keeping results.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from specc.measure.costs import Spread

WARM_SECONDS = 0.2
WARM_CALLS = 5
# A round of one callable is long enough that the clock's own cost and grain say nothing.
ROUND_SECONDS = 2e-3
LEAST_ROUNDS = 5
MOST_ROUNDS = 2000


def in_turn(
    calls: Mapping[str, Callable[[], Any]],
    seconds: float,
    synchronize: Callable[[], object] | None = None,
) -> dict[str, list[float]]:
    """The seconds a call of each of ``calls``, in rounds: for each name one number a round.

    In each round every callable runs in turn, first from one end and then from the other, for
    about ``seconds`` in all, after a warm-up that is not counted and with Python's garbage
    collection held off. ``synchronize`` waits for a device before each reading of the clock.
    """
    wait = synchronize or (lambda: None)
    repeats = {name: _warm(call, wait) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    end = time.perf_counter() + seconds
    rounds = 0
    with _no_collection():
        while rounds < LEAST_ROUNDS or (time.perf_counter() < end and rounds < MOST_ROUNDS):
            for name in order:
                call = calls[name]
                wait()
                start = time.perf_counter()
                for _ in range(repeats[name]):
                    call()
                wait()
                times[name].append((time.perf_counter() - start) / repeats[name])
            order.reverse()
            rounds += 1
    return times


def ratios(times: Sequence[float], base: Sequence[float]) -> list[float]:
    """Each round's time over the base's time in that round."""
    return [mine / theirs for mine, theirs in zip(times, base, strict=True)]


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles of at least two values."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high)


def _warm(call: Callable[[], Any], wait: Callable[[], object]) -> int:
    """Run ``call`` until it is warm; how often it goes into a round."""
    end = time.perf_counter() + WARM_SECONDS
    took: list[float] = []
    while len(took) < WARM_CALLS or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        wait()
        took.append(time.perf_counter() - start)
    return max(1, math.ceil(ROUND_SECONDS / max(min(took), 1e-9)))


@contextmanager
def _no_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
