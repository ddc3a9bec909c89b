"""Every initialiser's distribution and ranks against what torch draws into a large tensor."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from catalog_oracle import torch_callable

from specc.catalog import INITS
from specc.catalog.rows import InitRow, RuleError

WIDE, KERNELS = (300, 200), (48, 32, 5, 5)

CASES: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("uniform_", {}, WIDE),
    ("uniform_", {"a": -2.0, "b": 0.5}, (60_000,)),
    ("normal_", {"mean": 1.0, "std": 0.02}, WIDE),
    ("trunc_normal_", {}, WIDE),
    ("trunc_normal_", {"std": 0.02}, WIDE),
    ("trunc_normal_", {"mean": 0.5, "std": 1.5, "a": 0.0, "b": 3.0}, WIDE),
    ("trunc_normal_", {"mean": 1.0, "std": 0.5, "a": -1.0, "b": 0.8}, WIDE),
    ("constant_", {"val": 0.3}, (7,)),
    ("ones_", {}, (7, 3)),
    ("zeros_", {}, ()),
    ("eye_", {}, WIDE),
    ("eye_", {}, (1, 1)),
    ("dirac_", {}, KERNELS),
    ("dirac_", {"groups": 4}, (48, 8, 3, 3)),
    ("dirac_", {}, (8, 30, 3)),
    ("dirac_", {}, (1, 1, 1)),
    ("xavier_uniform_", {"gain": 1.7}, WIDE),
    ("xavier_uniform_", {}, KERNELS),
    ("xavier_normal_", {"gain": 0.3}, KERNELS),
    ("kaiming_uniform_", {"a": 5**0.5}, WIDE),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}, KERNELS),
    *(
        ("kaiming_normal_", {"nonlinearity": name, "a": 0.2}, WIDE)
        for name in INITS["kaiming_normal_"].choices["nonlinearity"]
    ),
    ("kaiming_normal_", {"mode": "fan_out"}, KERNELS),
    ("orthogonal_", {"gain": 1.5}, WIDE),
    ("orthogonal_", {}, (200, 300)),
    ("orthogonal_", {}, KERNELS),
    ("sparse_", {"sparsity": 0.3}, WIDE),
    ("sparse_", {"sparsity": 0.905, "std": 2.0}, WIDE),
]


def test_every_initialiser_has_a_case() -> None:
    assert {name for name, _, _ in CASES} == set(INITS)


@pytest.mark.parametrize(("name", "given", "shape"), CASES)
def test_values_are_distributed_as_the_row_says(
    name: str, given: dict[str, Any], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(5)
    drawn = torch.full(shape, torch.nan, dtype=torch.float64)
    torch_callable(INITS[name])(drawn, **given)
    said = INITS[name].distribution(given, shape)
    count = drawn.numel()
    if said.kind == "constant":
        assert drawn.unique().tolist() == [said.low]
        return
    mean, std = drawn.mean().item(), drawn.std(correction=0).item()
    if said.kind == "uniform":
        width = said.high - said.low
        reach = width * 12 / count  # the chance to miss it is e^-12
        assert said.low <= drawn.min().item() <= said.low + reach
        assert said.high - reach <= drawn.max().item() <= said.high
        wanted_mean, wanted_std = (said.low + said.high) / 2, width / 12**0.5
    else:
        wanted_mean, wanted_std = said.low, said.high
    assert abs(mean - wanted_mean) < 5 * wanted_std / count**0.5
    # The sample's standard deviation is as certain as the fourth moment lets it be.
    fourth = (drawn - mean).pow(4).mean().item() / std**4
    assert std == pytest.approx(wanted_std, rel=4 * max(fourth - 1, 0.1) ** 0.5 / 2 / count**0.5)


@pytest.mark.parametrize("row", INITS.values(), ids=lambda row: row.name)
def test_an_initialiser_takes_the_ranks_that_its_row_says(row: InitRow) -> None:
    given: dict[str, Any] = {a.name: 0.5 for a in row.arguments if a.required}
    for rank in range(7):
        shape = (2,) * rank
        try:
            torch_callable(row)(torch.zeros(shape), **given)
        except ValueError:
            with pytest.raises(RuleError) as caught:
                row.distribution(given, shape)
            assert caught.value.code == "E0301"
        else:
            assert row.distribution(given, shape)


@pytest.mark.parametrize(
    ("name", "given", "shape", "code", "words"),
    [
        ("kaiming_normal_", {}, (8,), "E0301", "at least 2 dimensions"),
        ("eye_", {}, (2, 2, 2), "E0301", "parameters of 2 dimensions"),
        ("dirac_", {}, (2, 2), "E0301", "3 to 5 dimensions"),
        ("dirac_", {"groups": 3}, (4, 4, 3), "E0303", "not divisible by groups 3"),
        ("normal_", {"std": -1.0}, (4,), "E0307", "std must be at least 0"),
        ("trunc_normal_", {"std": 0.0}, (4,), "E0307", "std must be above 0"),
        ("uniform_", {"a": 2.0}, (4,), "E0307", "a must be at most b"),
    ],
)
def test_what_torch_refuses_is_refused(
    name: str, given: dict[str, Any], shape: tuple[int, ...], code: str, words: str
) -> None:
    with pytest.raises((ValueError, RuntimeError, ZeroDivisionError)):
        torch_callable(INITS[name])(torch.zeros(shape), **given)
    with pytest.raises(RuleError, match=words) as caught:
        INITS[name].distribution(given, shape)
    assert caught.value.code == code
    assert caught.value.argument is None or caught.value.argument in INITS[name].by_name


def test_a_share_is_from_0_to_1() -> None:
    # torch slices with it, and so takes any number.
    with pytest.raises(RuleError, match="from 0 to 1"):
        INITS["sparse_"].distribution({"sparsity": 1.5}, (4, 4))


def test_a_cut_far_out_leaves_one_end() -> None:
    said = INITS["trunc_normal_"].distribution({"mean": 90.0, "std": 1.0}, (4,))
    assert (said.kind, said.low) == ("constant", 2.0)
