"""The comparison: leaf by leaf, presence before type before shape before values."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from specc.harness.cases.matrix import Case
from specc.harness.floors.floor_statistics import Floor, observable
from specc.harness.goldens.golden import Golden, Leaf
from specc.harness.judging.compare import Comparison, compare
from specc.harness.running.observed_lines import Spot
from specc.harness.running.recorder import Observation
from specc.policy import K

CASE = Case((("N", 4),), 0, 3, "train")


def item(
    name: str,
    values: list[float] | None,
    *,
    dtype: str = "float",
    shape: tuple[int, ...] | None = None,
    nonfinite: str = "",
    exact: bool = False,
) -> Observation:
    if values is None:
        return Observation(name, 3)
    tensor = torch.tensor(values, dtype=torch.float64)
    rms = float(tensor.square().mean().sqrt())
    return Observation(
        name, 3, tensor, shape or tuple(tensor.shape), dtype, nonfinite, exact, rms, rms
    )


def golden(*references: Observation, floor: float = 1e-6) -> Golden:
    leaves = tuple(
        Leaf(r, {} if r.exact or r.values is None else {"float32": Floor(floor, 2 * floor)})
        for r in references
    )
    return Golden(CASE, 0, "float32", 0, ("float32",), {}, (), leaves)


def spot(name: str) -> Spot:
    return Spot("m.spec", 3)


def judged(reference: Observation, found: Observation | None) -> Comparison:
    seen = [] if found is None else [found]
    return compare(golden(reference), seen, "float32", spot, layers=True)


ONES = [1.0, 1.0, 1.0, 1.0]
NAME = "step0/grad/fc.weight"


def test_within_the_floors_it_passes() -> None:
    result = judged(item(NAME, ONES), item(NAME, [1 + 2e-6] * 4))
    assert result.findings == ()
    assert result.worst == pytest.approx(2, rel=1e-6) and result.compared == 1


def test_a_sketch_is_told_beside_the_sketch_of_the_reference() -> None:
    reference = replace(item(NAME, ONES), rms=1.04)
    (finding,) = judged(reference, item(NAME, [1 + 100e-6] * 4)).findings
    assert finding.message.endswith(": rms 1.0001, expected 1")


def test_beyond_them_it_does_not() -> None:
    result = judged(item(NAME, ONES), item(NAME, [1 + 10e-6] * 4))
    (finding,) = result.findings
    assert finding.floors == pytest.approx(10, rel=1e-4)
    assert (finding.file, finding.line, finding.name) == ("m.spec", 3, NAME)
    assert "10 floors" in finding.message


def test_the_floor_is_relative_to_the_tensor_s_own_size() -> None:
    small = item(NAME, [1e-9] * 4)
    assert judged(small, item(NAME, [1e-9 * (1 + 1e-6)] * 4)).findings == ()
    assert judged(small, item(NAME, [2e-9] * 4)).findings
    assert judged(small, item(NAME, [0.0] * 4)).findings


def test_one_wrong_element_is_found_by_the_largest() -> None:
    reference = item(NAME, [1.0] * 200)
    wrong = [1.0] * 200
    wrong[7] += K * 2.5e-6
    (finding,) = judged(reference, item(NAME, wrong)).findings
    assert finding.floors == pytest.approx(K * 1.25, rel=1e-6)


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (None, "missing"),
        (item(NAME, None), "missing"),
        (item(NAME, ONES, dtype="bfloat16"), "dtype"),
        (item(NAME, ONES, dtype="int64"), "dtype"),
        (item(NAME, ONES, shape=(1, 4)), "shape"),
        (item(NAME, ONES, nonfinite="0123456789abcdef"), "nonfinite"),
        (item(NAME, [math.nan] * 4), "values"),
    ],
)
def test_what_is_not_comparable_is_named(found: Observation | None, what: str) -> None:
    (finding,) = judged(item(NAME, ONES), found).findings
    assert finding.what == what


def test_none_is_not_zero_either_way() -> None:
    assert judged(item(NAME, None), None).findings == ()
    assert judged(item(NAME, None), item(NAME, None)).findings == ()
    (finding,) = judged(item(NAME, None), item(NAME, [0.0])).findings
    assert finding.what == "extra"
    (finding,) = judged(item(NAME, [0.0]), item(NAME, None)).findings
    assert finding.what == "missing"


def test_a_fixed_precision_may_be_the_run_s() -> None:
    fixed = item(NAME, ONES, dtype="float32")
    assert judged(fixed, item(NAME, ONES)).findings == ()


def test_a_value_that_the_golden_lacks_is_extra() -> None:
    result = compare(golden(), [item(NAME, ONES)], "float32", spot, layers=True)
    assert [finding.what for finding in result.findings] == ["extra"]


def test_another_torch_may_have_other_settings() -> None:
    name = "option/group0/decoupled"
    setting = item(name, [1.0], dtype="number", exact=True)
    assert judged(setting, None).findings == ()
    assert compare(golden(), [setting], "float32", spot, layers=True).findings == ()
    other = item(name, [1.0 + 1e-9], dtype="number", exact=True)
    assert judged(setting, other).findings[0].message == "is 1.000000001, expected 1"


def test_exact_things_must_be_equal() -> None:
    counts = item(NAME, [1.0, 2.0], dtype="int64", exact=True)
    assert judged(counts, counts).findings == ()
    (finding,) = judged(counts, item(NAME, [1.0, 3.0], dtype="int64", exact=True)).findings
    assert finding.message == "1 of 2 entries differ"


@pytest.mark.parametrize(
    ("name", "value", "passes"),
    [
        ("step0/state/eta/fc.weight", 0.01 * (1 + 4e-7), True),
        ("step0/state/eta/fc.weight", 0.01 * (1 + 6e-7), False),
        ("step3/state/mu_product/fc.weight", 0.01 * (1 + 1.6e-6), True),
        ("step3/state/mu_product/fc.weight", 0.01 * (1 + 3e-6), False),
        ("step0/lr/group0", 0.01 * (1 + 4e-7), False),
    ],
)
def test_a_number_that_an_optimizer_keeps_is_one_of_float32(
    name: str, value: float, passes: bool
) -> None:
    kept = item(name, [0.01], dtype="number", exact=True)
    found = judged(kept, item(name, [value], dtype="number", exact=True)).findings
    assert (not found) == passes


def test_in_float64_an_optimizer_keeps_numbers_of_float64() -> None:
    name = "step3/state/mu_product/fc.weight"
    kept = item(name, [0.01], dtype="number", exact=True)
    for value, passes in ((0.01 * (1 + 1e-13), True), (0.01 * (1 + 1e-9), False)):
        found = item(name, [value], dtype="number", exact=True)
        result = compare(golden(kept), [found], "float64", spot, layers=True)
        assert (not result.findings) == passes


def test_a_count_is_the_same_count() -> None:
    count = item("step0/state/step/fc.weight", [3.0], dtype="number", exact=True)
    other = item("step0/state/step/fc.weight", [3.000001], dtype="number", exact=True)
    assert judged(count, other).findings


def test_the_unobservable_is_named_and_not_passed() -> None:
    noise = golden(item(NAME, [1e-17] * 4), floor=1e9)
    result = compare(noise, [item(NAME, [5e-8] * 4)], "float32", spot, layers=True)
    assert result.not_observable == (NAME,) and result.compared == 0 and result.findings == ()
    assert compare(noise, [], "float32", spot, layers=True).findings[0].what == "missing"
    assert not observable(Floor(math.inf, math.inf))


def test_what_counts_as_observable_is_found_when_lost() -> None:
    reference = item(NAME, ONES)
    result = compare(
        golden(reference, floor=0.9 / K), [item(NAME, [0.0] * 4)], "float32", spot, layers=True
    )
    assert result.findings and not result.not_observable


def test_layers_are_left_out_where_a_target_has_none() -> None:
    layer = item("step0/layer/fc", ONES)
    assert compare(golden(layer), [], "float32", spot, layers=False).findings == ()
    assert compare(golden(layer), [], "float32", spot, layers=True).findings


def test_findings_are_in_the_order_of_the_data() -> None:
    names = ["step0/output/y", "step0/loss/loss", "step0/grad/b", "step0/grad/a"]
    references = [item(name, ONES) for name in names]
    wrong = [item(name, [2.0] * 4) for name in reversed(names)]
    result = compare(golden(*references), wrong, "float32", spot, layers=True)
    assert [finding.name for finding in result.findings] == names


@pytest.mark.parametrize(("floors", "passes"), [(3.9, True), (4.0, True), (4.1, False)])
def test_four_floors_are_the_most_that_pass(floors: float, passes: bool) -> None:
    floor = 2.0**-20
    reference = golden(item(NAME, ONES), floor=floor)
    found = item(NAME, [1 + floors * floor] * 4)
    result = compare(reference, [found], "float32", spot, layers=True)
    assert (not result.findings) == passes


def test_under_autocast_a_leaf_is_of_the_type_that_it_was_blessed_with() -> None:
    reference = item(NAME, ONES)
    leaf = Leaf(reference, {"float32": Floor(1e-2, 2e-2, "bfloat16")})
    cast = replace(golden(reference), leaves=(leaf,))

    def found(dtype: str) -> tuple[str, ...]:
        seen = [item(NAME, ONES, dtype=dtype)]
        result = compare(cast, seen, "float32", spot, layers=True)
        return tuple(each.message for each in result.findings)

    assert found("bfloat16") == ()
    assert found("float") == ("has dtype float32, expected bfloat16",)


@pytest.mark.parametrize(
    ("run", "dtype"),
    [("float16", "complex32"), ("float32", "complex64"), ("float64", "complex128")],
)
def test_a_complex_number_is_of_the_run_s_precision(run: str, dtype: str) -> None:
    reference = item(NAME, ONES, dtype="complex")
    part = replace(golden(), leaves=(Leaf(reference, {run: Floor(1e-3, 1e-3)}),))
    for name, passes in ((dtype, True), ("complex64", dtype == "complex64"), ("float", False)):
        seen = [item(NAME, ONES, dtype=name)]
        assert (not compare(part, seen, run, spot, layers=True).findings) == passes


def test_where_a_reference_is_not_finite_the_places_count() -> None:
    reference = item(NAME, ONES, nonfinite="1 NaN: 0123456789abcdef")
    assert judged(reference, reference).findings == ()
    for places in ("", "1 NaN: fedcba9876543210"):
        (finding,) = judged(reference, item(NAME, ONES, nonfinite=places)).findings
        assert finding.what == "nonfinite"
        assert finding.message == "holds NaN or infinity in other places than the reference"
    (finding,) = judged(item(NAME, ONES), reference).findings
    assert finding.message == "holds NaN or infinity, and the reference is finite"


def test_where_settings_alone_are_compared_nothing_is_judged() -> None:
    setting = item("option/group0/lr", [0.1], dtype="number", exact=True)
    counts = item("eval/output/y", [1.0, 2.0], dtype="int64", exact=True)
    value = item("eval/output/z", ONES)

    def result(*items: Observation) -> Comparison:
        return compare(golden(*items), items, "float32", spot, layers=True)

    assert result().nothing and result(setting).nothing
    assert (result(setting).compared, result(setting).settings) == (1, 1)
    assert not result(setting, counts).nothing and not result(value).nothing
    assert (result(setting, counts, value).compared, result(setting, counts).settings) == (3, 1)


def test_a_wrong_setting_was_compared() -> None:
    setting = item("option/group0/lr", [0.1], dtype="number", exact=True)
    result = judged(setting, replace(setting, values=torch.tensor([0.2], dtype=torch.float64)))
    assert result.findings and result.compared == 1


def test_what_is_extra_has_a_value_and_the_golden_knew_all() -> None:
    seen = [item(NAME, None), item("option/group0/lr", [0.1], dtype="number", exact=True)]
    assert compare(golden(), seen, "float32", spot, layers=True).findings == ()
    seen = [item(NAME, ONES)]
    assert compare(golden(), seen, "float32", spot, layers=True).findings
    older = replace(golden(), partial=True)
    assert compare(older, seen, "float32", spot, layers=True).findings == ()


def test_numbers_within_their_tolerance_are_the_same_numbers() -> None:
    kept = item("step0/state/eta/fc.weight", [0.0, 0.1], dtype="number", exact=True)
    near = replace(kept, values=torch.tensor([0.0, 0.1 * (1 + 1e-8)], dtype=torch.float64))
    assert judged(kept, near).findings == ()
    off = replace(kept, values=torch.tensor([0.0, 0.1 * (1 + 1e-5)], dtype=torch.float64))
    assert judged(kept, off).findings[0].message == "1 of 2 entries differ"


def test_the_message_of_one_number_says_both() -> None:
    loss = item("step0/loss/loss", [2.0])
    (finding,) = judged(loss, item("step0/loss/loss", [2.5])).findings
    assert finding.message.endswith(": is 2.5, expected 2")
    (finding,) = judged(item(NAME, [2.0, 2.0]), item(NAME, [2.5, 2.5])).findings
    assert finding.message.endswith(": rms 2.5, expected 2")


def test_the_worst_error_is_told_of_what_passes_too() -> None:
    names = ["step0/output/y", "step0/loss/loss"]
    seen = [item(names[0], [1 + 3e-6] * 4), item(names[1], [1 + 1e-6] * 4)]
    result = compare(
        golden(*(item(name, ONES) for name in names)), seen, "float32", spot, layers=True
    )
    assert result.findings == () and result.worst == pytest.approx(3.0, rel=1e-6)


def test_what_no_golden_holds_is_not_extra() -> None:
    beside = [item(f"eval/{kind}/output/y", ONES) for kind in ("no_hooks", "no_hooks_grad")]
    beside.append(item("step0/changed_grad/fc.weight", ONES))
    assert compare(golden(), beside, "float32", spot, layers=True).findings == ()
