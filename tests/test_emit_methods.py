"""Functions that are written as methods: torch has each, and it computes the same."""

from __future__ import annotations

import ast

import pytest
import torch
from emit_support import emitted

from specc.catalog import functions
from specc.emit.writing.methods import METHODS, as_method

_ROWS = {row.torch: row for row in functions.ROWS}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_catalogue_has_the_function_and_torch_the_method(name: str) -> None:
    row = _ROWS[f"torch.{name}"]
    assert row.arguments[0].types == ("tensor",)
    assert callable(getattr(torch.Tensor, name))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("reshape(x, N, 2, 3)", "x.reshape(N, 2, 3)"),
        ("flatten(reshape(x, N, 2, 3))", "x.reshape(N, 2, 3).flatten()"),
        ("flatten(reshape(x, N, 2, 3), 1)", "x.reshape(N, 2, 3).flatten(1)"),
        ("flatten(reshape(x, N, 2, 3), end_dim=1)", "x.reshape(N, 2, 3).flatten(end_dim=1)"),
        ("permute(x, (1, 0))", "x.permute(1, 0)"),
        ("transpose(x + 1, 0, 1)", "(x + 1).transpose(0, 1)"),
        ("mean(-x, dim=1)", "(-x).mean(dim=1)"),
        ("sum(x, dim=1, keepdim=true)", "x.sum(dim=1, keepdim=True)"),
        ("mean(x.mT, dim=0)", "x.mT.mean(dim=0)"),
        ("sum(exp(x))", "torch.exp(x).sum()"),
        ("clamp(x, min=0.0)", "x.clamp(min=0.0)"),
    ],
)
def test_it_reads_from_left_to_right(written: str, expected: str) -> None:
    text = f"spec 1\nmodel M {{\n  input x: float[N, 6]\n  output {written}\n}}\n"
    assert f"        return {expected}" in emitted(text)


def test_of_a_number_there_is_no_method() -> None:
    assert as_method("torch.clamp", [ast.Constant(1.0)], []) is None
    assert as_method("torch.exp", [ast.Name("x")], []) is None
    assert as_method("F.softmax", [ast.Name("x")], []) is None
