"""On how many processes ``specc test`` runs, in which order, and how long what is left will take.

What each cell took last time lies in pytest's cache folder. It is data from anywhere: read within
limits, and what is not a time is left out. Non-goals: running, showing.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from specc.errors import CallError
from specc.harness.running.process import cores

# Where pytest's cache keeps what was set under this key, in the folder that a run starts from.
KEY = "specc/times"
_FILE = Path(".pytest_cache", "v", KEY)
_MAX_BYTES = 4 << 20
_MAX_CELLS = 20_000
_MAX_SECONDS = 1e6
# Bytes of memory for each process: torch, its compiler, and a model of the size that specs have.
_MEMORY = 2 << 30
# How many times longer or shorter than the last run a run is taken to be: caches may be cold now.
_PACE = (0.1, 20.0)
# Seconds of the last run that must have been run again before this run's pace is known.
_ENOUGH = 3.0


def processes(asked: str | None, specs: int) -> int:
    """How many processes run so many spec files: ``asked``, or as many as there are cores and
    memory for; never more than specs, whose cells stay together.

    Raises CallError (E0712) where ``asked`` is neither a number nor ``auto``.
    """
    if asked is None or asked == "auto":
        count = min(cores(), _memory() // _MEMORY)
    elif asked.isdecimal() and int(asked) > 0:
        count = int(asked)
    else:
        raise CallError("E0712", f"-n takes a number of processes or 'auto', not {asked!r}")
    return max(1, min(count, specs))


def last_times(folder: Path) -> dict[str, float]:
    """What each cell took when it was last run from ``folder``, in seconds; {} where that is not
    known."""
    path = folder / _FILE
    try:
        if path.stat().st_size > _MAX_BYTES:
            return {}
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(told, dict) or len(told) > _MAX_CELLS:
        return {}
    return {
        cell: float(seconds)
        for cell, seconds in told.items()
        if isinstance(seconds, int | float) and 0 <= seconds <= _MAX_SECONDS
    }


def kept(old: Mapping[str, float], new: Mapping[str, float]) -> dict[str, float]:
    """The times to keep after a run: ``new``, and of ``old`` what was not run and still fits."""
    rest = {cell: seconds for cell, seconds in old.items() if cell not in new}
    found = {cell: round(seconds, 3) for cell, seconds in [*rest.items(), *new.items()]}
    return dict(list(found.items())[-_MAX_CELLS:])


def longest_first(items: Sequence[str], times: Mapping[str, float]) -> list[str]:
    """``items`` (spec files, or ``file::cell``) by what their specs took; unknown ones first, in
    their order, for they may be long."""
    took = _by_spec(times)
    return sorted(items, key=lambda item: -took.get(spec_of(item), math.inf))


def spec_of(item: str) -> str:
    """The spec of an item or a cell, as pytest writes it."""
    return item.partition("::")[0].replace(os.sep, "/").removeprefix("./")


class Clock:
    """How long the cells of a run will take: ``times`` is what they took last time, on
    ``processes`` processes now."""

    def __init__(self, times: Mapping[str, float], processes: int) -> None:
        self._times = times
        self._processes = processes

    def left(
        self, cells: Iterable[str], took: Mapping[str, float], running: Mapping[str, float]
    ) -> float | None:
        """Seconds until all ``cells`` have run, where those in ``took`` have and those in
        ``running`` have been at it for so long. None where too few were run last time to say."""
        todo = [cell for cell in cells if cell not in took]
        known = [self._times[cell] for cell in todo if cell in self._times]
        if 2 * len(known) < len(todo):
            return None
        usual = sum(known) / len(known) if known else 0.0
        pace = self._pace(took)
        each = {
            cell: max(0.0, self._times.get(cell, usual) * pace - running.get(cell, 0.0))
            for cell in todo
        }
        # However many processes there are, a spec is run by one.
        return max([sum(each.values()) / self._processes, *_by_spec(each).values()], default=0.0)

    def _pace(self, took: Mapping[str, float]) -> float:
        """How many times longer cells take than last time."""
        again = [cell for cell in took if cell in self._times]
        before = sum(self._times[cell] for cell in again)
        if before < _ENOUGH:
            return 1.0
        low, high = _PACE
        return min(high, max(low, sum(took[cell] for cell in again) / before))


def _by_spec(times: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for cell, seconds in times.items():
        spec = spec_of(cell)
        found[spec] = found.get(spec, 0.0) + seconds
    return found


def _memory() -> int:
    """The machine's memory in bytes; a lot where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 1 << 40
