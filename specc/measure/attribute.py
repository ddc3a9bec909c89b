"""From a profiler's events to spec lines: each event's own time and memory goes to one line.

What runs inside a line's range is that line's; of nested ranges (a block's lines, called from a
line) it is the innermost's, and every line around has it in its total. What autograd runs backward
belongs to the line whose operation it undoes: both carry the same sequence number on the thread of
the forward pass. A gradient is added up right after the operation that gave it. Imports no torch.
Non-goal: running the profiler.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

# The ranges of a whole step and of the model in it; what is in no line's range stays with them.
STEP = "specc: step"
MODEL = "specc: the model's forward"
REST = ""

_BACKWARD = "autograd::engine::evaluate_function: "
# Backward of a whole TorchScript graph at once: no operation of one line.
_WHOLE_GRAPH = "DifferentiableGraphBackward"

Phase = Literal["forward", "backward", "update"]


class Event(NamedTuple):
    """One profiled event on the CPU, or what it started on a device.

    ``sequence`` is autograd's number, negative where there is none; ``own`` is in microseconds and
    ``memory`` in bytes (negative where more was freed), without what is inside it.
    """

    id: int
    parent: int | None
    name: str
    thread: int
    forward_thread: int
    sequence: int
    own: float
    memory: int


@dataclass(slots=True)
class Tally:
    """Sums over events: microseconds by phase, bytes allocated and bytes that stayed so."""

    calls: int = 0
    own: dict[Phase, float] = field(default_factory=lambda: defaultdict(float))
    total: float = 0.0
    allocated: dict[Phase, int] = field(default_factory=lambda: defaultdict(int))
    kept: dict[Phase, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(frozen=True, slots=True)
class Attribution:
    """Tallies by mark, ``MODEL`` and ``REST`` among them; ``unplaced`` are the model's events that
    belong to no line, by phase and name."""

    lines: dict[str, Tally]
    unplaced: dict[tuple[Phase, str], Tally]


class _Place(NamedTuple):
    """The ranges around an event, outermost first, and the phase that it belongs to."""

    ranges: tuple[str, ...]
    phase: Phase


_NOWHERE = _Place((), "forward")


def attribute(events: Iterable[Event], marks: Set[str], updates: Set[str]) -> Attribution:
    """Give each of ``events`` (in the order of their start) to one of ``marks``.

    ``updates`` are the marks whose work is neither forward nor backward.
    """
    lines: dict[str, Tally] = defaultdict(Tally)
    unplaced: dict[tuple[Phase, str], Tally] = defaultdict(Tally)
    places: dict[int, _Place] = {}
    created: dict[tuple[int, int], _Place] = {}
    last_backward: dict[int, _Place] = {}
    for event in events:
        outer = places.get(event.parent, _NOWHERE) if event.parent is not None else _NOWHERE
        if event.name.startswith(_BACKWARD):
            place = last_backward[event.thread] = _undone(event, created, last_backward)
        elif event.name in marks or event.name == MODEL:
            phase = "update" if event.name in updates else outer.phase
            place = _Place((*outer.ranges, event.name), phase)
            # A stage of a row of layers may be on the line that calls the row.
            if outer.ranges[-1:] != (event.name,):
                lines[event.name].calls += 1
        else:
            place = outer
            if event.sequence >= 0 and event.forward_thread == 0:
                # The last to start with a number is the one that autograd recorded under it.
                created[event.thread, event.sequence] = place
        places[event.id] = place
        innermost = place.ranges[-1] if place.ranges else REST
        _add(lines[innermost], event, place.phase)
        for name in set(place.ranges) or {REST}:
            lines[name].total += event.own
        if innermost == MODEL:
            tally = unplaced[place.phase, event.name]
            tally.calls += 1
            _add(tally, event, place.phase)
    return Attribution(dict(lines), dict(unplaced))


def _undone(
    event: Event,
    created: dict[tuple[int, int], _Place],
    last: dict[int, _Place],
) -> _Place:
    if _WHOLE_GRAPH in event.name:
        ranges: tuple[str, ...] = (MODEL,)
    elif event.sequence < 0:
        ranges = last.get(event.thread, _NOWHERE).ranges
    else:
        ranges = created.get((event.forward_thread, event.sequence), _NOWHERE).ranges
    return _Place(ranges, "backward")


def _add(tally: Tally, event: Event, phase: Phase) -> None:
    tally.own[phase] += event.own
    tally.allocated[phase] += max(0, event.memory)
    tally.kept[phase] += event.memory
