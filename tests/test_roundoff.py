"""How far an artefact may be from eager: by eager's own error, its units and its long sums."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from specc.errors import TargetError
from specc.targets.proof_runs import SideRun
from specc.targets.roundoff import Float64Reference, compare

UNIT = float(torch.finfo(torch.float32).eps)
KEY = ("output", "0")


def seen(value: Tensor) -> SideRun:
    return SideRun({"0": value}, {}, {}, {})


def reference(exact: Tensor, eager: Tensor) -> Float64Reference:
    """``exact`` in float64; what float32 makes of it where that is eager's own."""
    runs = {torch.float64: exact, torch.float32: exact.float()}
    return Float64Reference(lambda dtype: seen(runs[dtype]), seen(eager), {})


def off_by(units: float, *, terms: int = 1, own: float = 0.0) -> tuple[float, float]:
    """An element that is off by so many units of ones, where eager is off by ``own``."""
    exact = torch.ones(16, dtype=torch.float64)
    eager, found = exact.float(), exact.float()
    eager[1] += own * UNIT
    found[0] += units * UNIT
    return compare("it", KEY, eager, found, reference(exact, eager), terms)


@pytest.mark.parametrize(
    ("most", "terms", "own"),
    [(16, 1, 0.0), (8 * 4 + 16, 1, 4.0), (50, 100, 0.0), (2048, 4096, 0.0), (2048, 10**6, 0.0)],
)
def test_the_bound_is_of_units_of_eagers_own_error_and_of_terms(
    most: int, terms: int, own: float
) -> None:
    error, bound = off_by(most, terms=terms, own=own)
    assert error == most * UNIT <= bound
    with pytest.raises(TargetError, match="honest rounding stays within") as caught:
        off_by(most + 2, terms=terms, own=own)
    assert caught.value.code == "E0904"


def test_terms_that_cancel_are_told_apart_from_their_sum() -> None:
    exact = torch.full((4,), 0.01, dtype=torch.float64)
    eager, found = exact.float(), exact.float()
    found[0] += 40 * UNIT
    held = reference(exact, eager)
    assert compare("it", KEY, eager, found, held, 100, 1.0)[1] >= 50 * UNIT
    with pytest.raises(TargetError):
        compare("it", KEY, eager, found, held, 100)


def test_eagers_error_on_other_inputs_counts() -> None:
    exact = torch.ones(4, dtype=torch.float64)
    eager, found = exact.float(), exact.float()
    found[0] += 40 * UNIT
    before = {KEY: 4 * UNIT}
    held = Float64Reference(lambda dtype: seen(exact), seen(eager), before)
    assert compare("it", KEY, eager, found, held, 1)[0] == 40 * UNIT
    with pytest.raises(TargetError):
        compare("it", KEY, eager, found, reference(exact, eager), 1)


def test_float64_is_held_to_what_float32_errs_by() -> None:
    exact = torch.full((4,), 1 / 3, dtype=torch.float64)
    wide = float(torch.finfo(torch.float64).eps)
    for units, honest in ((4, True), (40, False)):
        found = exact.clone()
        found[0] += units * wide / 3
        held = reference(exact, exact)
        if honest:
            assert compare("it", KEY, exact, found, held, 1)[0] > 0.0
        else:
            with pytest.raises(TargetError):
                compare("it", KEY, exact, found, held, 1)


def test_without_a_reference_every_bit_is_the_same() -> None:
    one = torch.ones(3)
    assert compare("it", KEY, one, one.clone(), None, 4096) == (0.0, 0.0)
    for found, said in (
        (one + UNIT, "differs from eager in 3 of 3 elements, by up to 1.19e-07"),
        (one.double(), "not torch.float32"),
        (one[:2], r"\[2\], not"),
    ):
        with pytest.raises(TargetError, match=said):
            compare("it", KEY, one, found, None, 1)


def test_an_index_may_turn_over_where_eagers_does() -> None:
    eager, found = torch.tensor([3, 5]), torch.tensor([4, 5])
    turned = Float64Reference(lambda dtype: seen(torch.tensor([4, 5])), seen(eager), {})
    assert compare("it", KEY, eager, found, turned, 1) == (1.0, 8.0)
    with pytest.raises(TargetError, match="in 1 of 2 elements"):
        compare(
            "it", KEY, eager, found, Float64Reference(lambda dtype: seen(eager), seen(eager), {}), 1
        )


def test_infinity_and_nan_are_where_eager_has_them() -> None:
    eager = torch.tensor([1.0, float("inf"), float("nan")])
    found = torch.tensor([1.0 + UNIT, float("inf"), float("nan")])
    assert compare("it", KEY, eager, found, reference(eager.double(), eager), 1)[0] > 0.0
    found[0] = float("inf")
    with pytest.raises(TargetError, match="infinite or not a number"):
        compare("it", KEY, eager, found, reference(eager.double(), eager), 1)
