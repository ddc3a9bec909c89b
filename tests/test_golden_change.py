"""What moved between two goldens: told in floors, noise left out, taken or left leaf by leaf."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specc.harness.floors.floor_statistics import Floor
from specc.harness.floors.per_layer_floor import AloneFloor
from specc.harness.goldens.golden_change import changes, merged, merged_alone
from specc.harness.goldens.golden_reader import Leaf
from specc.harness.running.recorder import Observation

FLOOR = Floor(1e-7, 5e-7)


def leaf(name: str, *values: float, floor: Floor = FLOOR, exact: bool = False) -> Leaf:
    tensor = torch.tensor(values, dtype=torch.float64)
    rms = float(tensor.square().mean().sqrt())
    seen = Observation(name, 3, tensor, (len(values),), "float", "", exact, rms, max(values))
    return Leaf(seen, {} if exact else {"float32": floor})


def test_what_stays_is_not_listed() -> None:
    old = [leaf("a", 1.0, 2.0), leaf("b", 3.0)]
    found = changes(old, old)
    assert (found.listed, found.within, found.compared) == ((), 0, 2)


@pytest.mark.parametrize(("relative", "listed"), [(3e-7, 0), (5e-7, 1), (1e-3, 1)])
def test_a_value_moved_where_it_left_its_noise(relative: float, listed: int) -> None:
    found = changes([leaf("a", 1.0)], [leaf("a", 1.0 + relative)])
    assert len(found.listed) == listed
    moved = found.listed[0].floors if listed else found.furthest
    assert moved == pytest.approx(relative / FLOOR.rms, rel=1e-6)
    assert found.within == 1 - listed


@pytest.mark.parametrize(
    ("new", "what", "text"),
    [
        ([leaf("a", 1.0), leaf("b", 1.0)], "new", "was not observed"),
        ([], "gone", "no longer observed"),
        ([leaf("a", 1.0, 2.0)], "kind", r"had shape [1] and has [2]"),
        ([Leaf(Observation("a", 3), {})], "kind", "is None"),
        ([leaf("a", 1.0, floor=Floor(1e-6, 1e-6))], "floor", "its floor in float32"),
        ([leaf("a", 1.0, floor=Floor(0.3, 0.5))], "floor", "is not observable"),
        ([leaf("a", 1.0, exact=True)], "kind", "compared exactly"),
    ],
)
def test_every_kind_of_change(new: list[Leaf], what: str, text: str) -> None:
    (change,) = changes([leaf("a", 1.0)], new).listed
    assert change.what == what and text in change.message


def test_an_exact_value_moves_at_once() -> None:
    (change,) = changes([leaf("lr", 0.1, exact=True)], [leaf("lr", 0.1 + 1e-15, exact=True)]).listed
    assert change.what == "values" and change.floors == float("inf")


def test_noise_of_what_is_not_observable_is_no_change() -> None:
    lost = Floor(0.5, 0.9)
    found = changes([leaf("a", 1.0, floor=lost)], [leaf("a", 7.0, floor=lost)])
    assert found.listed == ()


def test_nan_in_other_places() -> None:
    old = leaf("a", 1.0)
    new = Leaf(replace(old.reference, nonfinite="0" * 16), old.floors)
    (change,) = changes([old], [new]).listed
    assert change.what == "nonfinite"


@given(
    st.lists(st.sampled_from("abcdef"), unique=True),
    st.lists(st.sampled_from("abcdef"), unique=True),
    st.sets(st.sampled_from("abcdef")),
)
def test_what_is_left_is_as_it_was(before: list[str], after: list[str], left: set[str]) -> None:
    old, new = [leaf(n, 1.0) for n in before], [leaf(n, 2.0) for n in after]
    kept = {each.reference.name: each for each in merged(old, new, left)}
    for name in "abcdef":
        wanted = (before, 1.0) if name in left else (after, 2.0)
        assert (name in kept) == (name in wanted[0])
        if name in kept:
            assert kept[name].reference.rms == wanted[1]
    assert {change.name for change in changes(old, list(kept.values())).listed}.isdisjoint(left)


def alone(**rms: float) -> dict[str, dict[str, AloneFloor]]:
    return {f"step0/alone/{k}": {"float32": AloneFloor(v, 2 * v, v)} for k, v in rms.items()}


def test_floors_of_layers_by_themselves_are_compared() -> None:
    found = changes((), (), alone(fc=1e-7, norm=1e-7, gone=1e-7), alone(fc=2e-7, norm=1e-6, more=1))
    assert [(item.name, item.what) for item in found.listed] == [
        ("step0/alone/norm", "floor"),
        ("step0/alone/gone", "gone"),
    ]
    assert "was 1.00e-07 and is 1.00e-06" in found.listed[0].message


def test_what_is_left_keeps_its_floor_by_itself() -> None:
    old, new = alone(fc=1e-7, gone=1e-7), alone(fc=1e-6, more=1e-7)
    assert merged_alone(old, new, set()) == new
    left = merged_alone(old, new, {"step0/alone/fc", "step0/alone/gone", "step0/alone/more"})
    assert left == old
