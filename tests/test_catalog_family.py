"""A family of functions fills in what its rows leave out, and nothing that they say."""

from __future__ import annotations

import pytest

from specc.catalog.functions.family import Family
from specc.catalog.shapes.of_functions import elementwise

_LEFT = Family("left", leads="input: tensor", signature="dim: int", example="x -> {}(dim=-1)")
_SHAPED = Family("shaped", shape=elementwise.same)


def test_a_row_is_filled_in_by_its_family() -> None:
    row = _LEFT("torch.linalg.det", "of a matrix", elementwise.floating)
    assert (row.name, row.torch, row.family) == ("det", "torch.linalg.det", "left")
    assert row.signature == "input: tensor, dim: int"
    assert row.example == "x -> det(dim=-1)"
    assert row.shape is elementwise.floating


def test_what_a_row_says_counts() -> None:
    row = _LEFT(
        "torch.rand_like",
        "noise",
        elementwise.same,
        "",
        name="uniform_like",
        example="x -> {}",
    )
    assert row.name == "uniform_like"
    assert row.signature == "input: tensor"
    assert row.example == "x -> uniform_like"


def test_a_row_needs_a_rule_of_its_own_or_of_its_family() -> None:
    assert _SHAPED("F.relu", "max(x, 0)").shape is elementwise.same
    with pytest.raises(ValueError, match=r"F\.relu has no shape rule"):
        _LEFT("F.relu", "max(x, 0)")
