"""Processes, order and time left: from what is asked, and from times that may be anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from specc.cli.shared import schedule
from specc.cli.shared.schedule import Clock, kept, last_times, longest_first, processes, spec_of
from specc.errors import CallError


def test_a_run_has_no_more_processes_than_cores_or_specs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "cores", lambda: 8)
    monkeypatch.setattr(schedule, "_memory", lambda: 64 << 30)
    assert [processes(None, specs) for specs in (0, 1, 5, 40)] == [1, 1, 5, 8]
    assert processes("auto", 40) == 8 and processes("3", 40) == 3 and processes("3", 2) == 2
    monkeypatch.setattr(schedule, "_memory", lambda: 7 << 30)
    assert processes(None, 40) == 3 and processes("6", 40) == 6
    monkeypatch.setattr(schedule, "_memory", lambda: 1 << 29)
    assert processes(None, 40) == 1


@pytest.mark.parametrize("asked", ["0", "-1", "two", "", "1.5", "²"])
def test_what_is_no_number_of_processes_is_refused(asked: str) -> None:
    with pytest.raises(CallError) as caught:
        processes(asked, 3)
    assert caught.value.code == "E0712"


@pytest.mark.parametrize(
    "text",
    ["", "null", "[1]", "{", "[" * 100_000, '{"a": }', "\x00",
     json.dumps(dict.fromkeys(range(30_000), 1))],
)  # fmt: skip
def test_times_that_are_no_times_are_none(tmp_path: Path, text: str) -> None:
    assert last_times(tmp_path) == {}
    file = tmp_path / ".pytest_cache" / "v" / "specc" / "times"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert last_times(tmp_path) == {}


def test_of_times_what_is_none_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / ".pytest_cache" / "v" / "specc" / "times"
    file.parent.mkdir(parents=True)
    file.write_text('{"a": 1, "b": 2.5, "c": "3", "d": -1, "e": NaN, "f": Infinity, "g": 1e300}')
    assert last_times(tmp_path) == {"a": 1.0, "b": 2.5}
    with file.open("ab") as opened:
        opened.truncate(5 << 20)
    assert last_times(tmp_path) == {}


def test_times_are_kept_of_what_was_not_run_until_there_are_too_many() -> None:
    assert kept({"a": 1.0, "b": 2.0}, {"b": 3.00049}) == {"a": 1.0, "b": 3.0}
    many = kept({f"old{k}": 1.0 for k in range(20_000)}, {"new": 1.0})
    assert len(many) == 20_000 and many["new"] == 1.0


def test_long_specs_come_first_and_unknown_ones_before_them() -> None:
    times = {"a.spec::x": 1.0, "a.spec::y": 4.0, "b.spec::x": 9.0, "c.spec::x": 3.0}
    items = ["a.spec", "new.spec", "b.spec", "./c.spec", "other.spec"]
    assert longest_first(items, times) == ["new.spec", "other.spec", "b.spec", "a.spec", "./c.spec"]
    assert longest_first(items, {}) == items
    assert spec_of("./specs/a.spec::eager-cpu") == "specs/a.spec"


def test_the_time_left_is_that_of_the_last_run_at_the_pace_of_this_one() -> None:
    times = {f"{spec}::{cell}": 10.0 for spec in "abc" for cell in "xy"}
    cells = tuple(times)
    assert Clock(times, 1).left(cells, {}, {}) == 60.0
    assert Clock(times, 2).left(cells, {}, {}) == 30.0
    # The cells of a spec stay together.
    assert Clock(times, 6).left(cells, {}, {}) == 20.0
    assert Clock(times, 1).left(cells, {}, {"a::x": 4.0, "b::x": 25.0}) == 46.0
    assert Clock(times, 1).left(cells, {"a::x": 5.0}, {}) == 25.0
    assert Clock(times, 1).left(cells, dict.fromkeys(cells, 5.0), {}) == 0.0


def test_without_times_of_most_cells_nothing_is_said_of_what_is_left() -> None:
    assert Clock({}, 1).left(("a", "b"), {}, {}) is None
    assert Clock({"a": 1.0}, 1).left(("a", "b", "c"), {}, {}) is None
    assert Clock({"a": 1.0}, 1).left(("a", "b"), {}, {}) == 2.0
    assert Clock({}, 1).left((), {}, {}) == 0.0
