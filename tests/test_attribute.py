"""Tests of attributing events to spec lines, on event trees made by hand and by hypothesis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.measure.attribute import MODEL, REST, STEP, Event, attribute

MARKS = {"a:1", "a:2", "a:3"}
_BACKWARD = "autograd::engine::evaluate_function: MmBackward0"


def _event(identity: int, parent: int | None, name: str, **changes: object) -> Event:
    plain = Event(identity, parent, name, 1, 0, -1, 1.0, 0)
    return plain._replace(**changes)  # type: ignore[arg-type]  # the fields' names, from the tests


@st.composite
def _trees(draw: st.DrawFn) -> list[Event]:
    names = st.sampled_from([STEP, MODEL, *sorted(MARKS), "aten::mm", "aten::relu", _BACKWARD])
    events: list[Event] = []
    for identity in range(draw(st.integers(1, 30))):
        parent = draw(st.none() | st.integers(0, identity - 1)) if identity else None
        own, memory = draw(st.integers(0, 1000)), draw(st.integers(-64, 64))
        sequence = draw(st.integers(-1, 3))
        events.append(
            _event(identity, parent, draw(names), own=float(own), memory=memory, sequence=sequence)
        )
    return events


@given(_trees())
def test_nothing_is_lost_and_nothing_counted_twice(events: list[Event]) -> None:
    lines = attribute(events, MARKS, {"a:3"}).lines
    own = sum(sum(tally.own.values()) for tally in lines.values())
    kept = sum(sum(tally.kept.values()) for tally in lines.values())
    assert own == sum(event.own for event in events)
    assert kept == sum(event.memory for event in events)
    assert all(tally.total <= own for tally in lines.values())


def test_backward_goes_to_the_line_it_undoes() -> None:
    events = [
        _event(0, None, STEP),
        _event(1, 0, MODEL),
        _event(2, 1, "a:1"),
        _event(3, 2, "aten::mm", sequence=7, own=10.0),
        _event(4, 0, _BACKWARD, sequence=7, forward_thread=1, own=20.0),
        _event(5, 0, _BACKWARD, own=5.0),
        _event(6, 0, "a:3", own=3.0),
    ]
    lines = attribute(events, MARKS, {"a:3"}).lines
    assert dict(lines["a:1"].own) == {"forward": 11.0, "backward": 25.0}
    assert dict(lines["a:3"].own) == {"update": 3.0}
    assert lines[REST].total == 1.0


@pytest.mark.parametrize(("inner", "calls"), [("a:1", 1), ("a:2", 2)])
def test_a_range_in_a_range_of_its_own_line_is_one_call(inner: str, calls: int) -> None:
    events = [_event(0, None, "a:1"), _event(1, 0, inner), _event(2, 1, "aten::mm", own=4.0)]
    lines = attribute(events, MARKS, set()).lines
    assert sum(tally.calls for tally in lines.values()) == calls
    assert lines["a:1"].total == 6.0
