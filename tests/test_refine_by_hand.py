"""What is held of a run that no golden has, on goldens made by hand: runs without hooks, float64,
layers by themselves. Whole cells are in tests/test_refine.py."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from specc.harness.cases.matrix import Case
from specc.harness.floors.floor_statistics import ENDLESS, Floor
from specc.harness.floors.per_layer import LOST, Error
from specc.harness.floors.per_layer_floor import NOT_ALONE, AloneFloor
from specc.harness.goldens.golden import Golden, Leaf
from specc.harness.judging.compare import Comparison
from specc.harness.judging.refine import (
    allowed_in_float64,
    beside,
    held,
    not_alone,
    of_float64,
    refined,
)
from specc.harness.running.observed_lines import Spot
from specc.harness.running.recorder import Observation

EMPTY = Comparison((), (), 0.0, 0)


def item(name: str, value: float, **fields: object) -> Observation:
    values = torch.full((4,), value, dtype=torch.float64)
    made = Observation(name, 1, values, (4,), "float", rms=abs(value), largest=abs(value))
    return replace(made, **fields)  # type: ignore[arg-type]  # fields of an observation


def golden(*names: str, floor: float = 1e-6, **fields: object) -> Golden:
    leaves = tuple(Leaf(item(name, 1.0), {"float32": Floor(floor, floor)}) for name in names)
    made = Golden(Case((), 0, 1, "train"), 0, "float32", 0, ("float32",), {}, (), leaves)
    return replace(made, **fields)  # type: ignore[arg-type]  # fields of a golden


def spot(name: str) -> Spot:
    return Spot("m.spec", len(name))


def names(found: Comparison) -> list[str]:
    return [each.name for each in found.findings]


# ── without hooks ────────────────────────────────────────────────────────────────────────────────

OUTPUT, FREE, GRAD = "eval/output/y", "eval/no_hooks/output/y", "eval/no_hooks_grad/output/y"


def test_a_value_without_hooks_is_held_to_the_leaf_with_them() -> None:
    found = beside(EMPTY, golden(OUTPUT), [item(FREE, 1 + 2e-6)], "float32", spot)
    assert found.findings == () and found.compared == 1
    assert found.worst == pytest.approx(2.0, rel=1e-3)
    seen = [item(FREE, 1 + 9e-6), item(GRAD, 1 + 8e-6)]
    found = beside(EMPTY, golden(OUTPUT), seen, "float32", spot)
    assert names(found) == [FREE, GRAD] and found.compared == 2
    assert found.findings[0].message.startswith("without hooks, as users run it: off by 9 floors")
    assert found.findings[1].message.startswith("without hooks and with gradients, as users run")
    assert found.worst == pytest.approx(9.0, rel=1e-3)


def test_what_is_wrong_with_hooks_is_told_there() -> None:
    with_them = held(
        golden(OUTPUT), [item(OUTPUT, 2.0), item(FREE, 2.0)], "float32", spot, layers=True
    )
    assert names(with_them) == [OUTPUT]
    assert with_them.worst == pytest.approx(1e6)


def test_a_run_without_hooks_alone_shows_no_leaf() -> None:
    found = held(golden(OUTPUT), [item(FREE, 1.0)], "float32", spot, layers=True)
    assert [(each.name, each.what) for each in found.findings] == [(OUTPUT, "missing")]


def test_a_gradient_that_a_step_changed_comes_after_the_rate_of_its_step() -> None:
    changed = "step0/changed_grad/fc.weight"
    order = golden("step0/grad/fc.weight", "step0/lr/group0", "step0/delta/fc.weight")
    first = held(order, [], "float32", spot, layers=True)
    found = beside(first, order, [item(changed, 0.5)], "float32", spot)
    assert names(found) == [
        "step0/grad/fc.weight",
        "step0/lr/group0",
        changed,
        "step0/delta/fc.weight",
    ]
    assert "changed this one by 5.00e-01 of its root-mean-square" in found.findings[2].message
    assert found.findings[2].what == "values"
    none = replace(item(changed, 0.5), values=None)
    assert beside(EMPTY, order, [none], "float32", spot).findings == ()
    of_named = golden("step0/lr/critic/group0", "step0/lr/actor/group0")
    first = held(of_named, [], "float32", spot, layers=True)
    told = beside(first, of_named, [item("step0/changed_grad/critic/w", 1.0)], "float32", spot)
    assert names(told)[1] == "step0/changed_grad/critic/w"


def test_without_hooks_comes_right_after_its_own_leaf() -> None:
    order = golden("eval/output/x", OUTPUT, "eval/output/z")
    first = held(order, [item(OUTPUT, 1.0)], "float32", spot, layers=True)
    found = beside(first, order, [item(FREE, 2.0)], "float32", spot)
    assert names(found) == ["eval/output/x", FREE, "eval/output/z"]


# ── float64 ──────────────────────────────────────────────────────────────────────────────────────


def test_float64_may_be_off_by_what_its_unit_comes_to() -> None:
    leaf = Leaf(item(OUTPUT, 1.0), {"float32": Floor(1e-6, 1e-6)})
    # 4e-6 of float32 are 7e-15 of float64: nine digits are the least that is asked.
    assert allowed_in_float64(leaf) == 1e-9
    wide = replace(leaf, floors={"float32": Floor(0.1, 30.0), "bfloat16": Floor(0.1, 1.0)})
    assert allowed_in_float64(wide) == pytest.approx(4 * 30.0 * 2.0**-52 / 2.0**-23)
    lost = replace(leaf, floors={"float32": Floor(0.3, 30.0)})
    assert allowed_in_float64(lost) is None
    both = replace(leaf, floors={"float32": Floor(0.3, 30.0), "bfloat16": Floor(1e-2, 1.0)})
    assert allowed_in_float64(both) == 1e-9


def test_float64_that_is_another_computation_is_found() -> None:
    def found(value: float, name: str = OUTPUT, **fields: object) -> list[tuple[str, str, str]]:
        return of_float64(golden(OUTPUT), [item(name, value, **fields)])

    assert found(1 + 0.9e-9) == [] and found(1.0, "eval/output/other") == []
    ((name, kind, message),) = found(1 + 1.1e-9)
    assert (name, kind) == (OUTPUT, "values")
    assert message.startswith("in float64, off by 1.10e-09 at the largest element")
    assert message.endswith("where rounding comes to 1e-09 at most: another computation")
    ((_, kind, message),) = found(1.0, shape=(2, 2))
    assert kind == "shape" and message == "in float64, has shape [2, 2], expected [4]"
    ((_, kind, _),) = found(1.0, values=None)
    assert kind == "missing"
    ((name, _, message),) = found(2.0, FREE)
    assert name == FREE and message.startswith("without hooks, as users run it, in float64, off")


def test_float64_may_be_off_by_as_much_as_is_allowed() -> None:
    leaf = Leaf(item(OUTPUT, 1.0), {"float32": Floor(1e-3, 0.5)})
    wide = replace(golden(), leaves=(leaf,))
    assert allowed_in_float64(leaf) == 2.0**-28
    assert of_float64(wide, [item(OUTPUT, 1 + 2.0**-28)]) == []
    assert of_float64(wide, [item(OUTPUT, 1 + 2.0**-27)]) != []


def test_float64_without_hooks_is_told_where_it_is_right_with_them() -> None:
    def found(*items: Observation) -> list[str]:
        return [name for name, _, _ in of_float64(golden(OUTPUT, "eval/output/z"), items)]

    assert found(item(OUTPUT, 2.0), item(FREE, 2.0), item(GRAD, 2.0)) == [OUTPUT]
    assert found(item(OUTPUT, 1.0), item(FREE, 2.0), item(GRAD, 1.0)) == [FREE]
    assert found(item("eval/output/z", 2.0), item(FREE, 2.0)) == [FREE, "eval/output/z"]
    assert found(item("eval/output/z", 2.0), item(OUTPUT, 2.0)) == [OUTPUT, "eval/output/z"]


def test_exact_leaves_and_those_without_values_say_nothing_in_float64() -> None:
    exact = golden(OUTPUT)
    exact = replace(exact, leaves=(Leaf(item(OUTPUT, 1.0, exact=True), {}),))
    assert of_float64(exact, [item(OUTPUT, 2.0)]) == []
    absent = replace(exact, leaves=(Leaf(Observation(OUTPUT, 1), {"float32": Floor(1e-6, 1e-6)}),))
    assert of_float64(absent, [item(OUTPUT, 2.0)]) == []


# ── layers by themselves ─────────────────────────────────────────────────────────────────────────

ALONE = "eval/alone/fc"
SMALL = AloneFloor(1e-6, 2e-6, 4e-6)


def of_alone(
    error: Error | None, floor: AloneFloor = SMALL, exact: tuple[Observation, ...] = ()
) -> Comparison:
    made = golden(alone={ALONE: {"float32": floor}}) if not exact else golden(OUTPUT)
    made = replace(made, alone={ALONE: {"float32": floor}})
    errors = {} if error is None else {ALONE: error}
    return refined(EMPTY, made, exact, errors, "float32", spot)


@pytest.mark.parametrize(
    ("error", "floors"),
    [
        (Error(2e-6, 0.0, 0.0), 2.0),
        (Error(0.0, 6e-6, 0.0), 3.0),
        (Error(0.0, 0.0, 10e-6), 2.5),
        (Error(4e-6, 0.0, 0.0), 4.0),
        (Error(4.1e-6, 0.0, 0.0), 4.1),
        (Error(0.0, 8.2e-6, 0.0), 4.1),
        (Error(0.0, 0.0, 16.4e-6), 4.1),
    ],
)
def test_each_of_a_layer_s_three_errors_is_held(error: Error, floors: float) -> None:
    found = of_alone(error)
    assert found.worst == pytest.approx(floors) and found.compared == 1
    assert [each.floors for each in found.findings] == (
        [] if floors <= 4.0 else [pytest.approx(floors)]
    )


def test_a_layer_of_which_nothing_is_known_is_not_compared() -> None:
    assert of_alone(None).compared == 0
    other = golden(alone={ALONE: {"bfloat16": SMALL}})
    found = refined(EMPTY, other, (), {ALONE: LOST}, "float32", spot)
    assert found.compared == 0 and found.findings == ()


def test_a_layer_s_floor_hides_what_is_near_its_own_size() -> None:
    small = Error(1e-6, 1e-6, 1e-6)
    assert of_alone(small, AloneFloor(0.25, 1.0, 1.0)).not_observable == (ALONE,)
    assert of_alone(small, AloneFloor(0.249, 1.0, 1.0)).not_observable == ()
    # What is lost is found though the floor is wide, but where honest machines lose it.
    (lost,) = of_alone(LOST, AloneFloor(0.5, 1.0, 1.0)).findings
    assert lost.message.startswith("by itself, is missing, or has another shape, or NaN")
    assert of_alone(LOST, AloneFloor(ENDLESS, ENDLESS, ENDLESS)).findings == ()


def test_layers_say_nothing_where_float64_is_another_computation() -> None:
    wrong = of_alone(Error(1.0, 1.0, 1.0), exact=(item(OUTPUT, 2.0),))
    assert names(wrong) == [OUTPUT] and wrong.compared == 0
    right = of_alone(Error(1.0, 1.0, 1.0), exact=(item(OUTPUT, 1.0),))
    assert names(right) == [ALONE] and right.compared == 1


def test_what_the_run_has_told_float64_does_not_tell_again() -> None:
    made = golden(OUTPUT)
    seen = [item(OUTPUT, 2.0)]
    first = held(made, seen, "float32", spot, layers=True)
    again = held(made, seen, "float32", spot, layers=True, exact=seen)
    assert again.findings == first.findings and len(first.findings) == 1
    fine = held(made, [item(OUTPUT, 1.0)], "float32", spot, layers=True, exact=seen)
    assert len(fine.findings) == 1 and fine.findings[0].message.startswith("in float64, off")


def test_a_layer_without_a_floor_is_extra() -> None:
    errors = {"eval/alone/block.fc": Error(0.0, 0.0, 0.0)}

    def found(**fields: object) -> list[tuple[str, str]]:
        made = refined(EMPTY, golden(**fields), (), errors, "float32", spot)
        return [(each.what, each.message) for each in made.findings]

    assert found() == [("extra", "the golden has no floor for it")]
    assert found(partial=True) == [] and found(sealed=False) == []
    assert found(notes=(f"{NOT_ALONE}norm, block",)) == []
    assert found(notes=(f"{NOT_ALONE}norm, block.fc",)) == []
    assert found(notes=(f"{NOT_ALONE}norm, fc",)) != []
    assert found(notes=("another note: block",)) != []
    assert found(alone={"eval/alone/block.fc": {"float32": SMALL}}) == []


def test_layers_that_showed_nothing_are_named_once_and_in_order() -> None:
    floors = {"float32": SMALL}
    made = golden(
        alone={
            "step0/alone/b": floors,
            "step0/alone/a": floors,
            "step0/alone/a/1": floors,
            "step0/alone/c": floors,
            "step0/alone/d": {"bfloat16": SMALL},
            "step0/alone_grad/e.weight": floors,
        }
    )
    assert not_alone(made, {"step0/alone/c": LOST}, "float32") == ("b", "a")
    assert not_alone(made, {}, "bfloat16") == ("d",)
