"""Params that went into sizes as numbers: a class made with others refuses them, and takes those
that the sizes speak of."""

from __future__ import annotations

import pytest
from other_params import compared

from specc.emit import emit
from specc.errors import SpecError
from specc.semantics import analyse

HEAD = "  y = y -> Linear(3)"
BLOCK = """block Encoder(both: bool) {
  input x: float[N, T, D]
  output (x -> GRU(4, batch_first=true, bidirectional=both))[0]
}
"""
# The param, what computes y, other values. x is float[N, 5, 8].
FORGOTTEN: dict[str, tuple[str, str, list[object]]] = {
    "both directions": ("p: bool = false",
                        "y, _ = x -> LSTM(4, batch_first=true, bidirectional=p)", [True]),
    "both directions in a block": ("p: bool = false", "y = x -> Encoder(p)", [True]),
    "both directions in a loop": (
        "p: bool = false", "y = x\n  for i in range(2) { y = y -> Encoder(p) }", [True]),
    "projections": ("p: int = 0", "y, _ = x -> LSTM(4, batch_first=true, proj_size=p)", [2]),
    "a dimension that is kept": ("p: bool = true", "y = mean(x, dim=2, keepdim=p)", [False]),
    "a dimension of a mean": ("p: int = 1", "y = mean(x, dim=p)", [2]),
    "a dimension of cat": ("p: int = 1", "y = cat([x, x], dim=p)", [2]),
    "a dimension of a tuple": ("p: tuple = (1, 2)", "y = mean(x, dim=p[0])", [(2, 2)]),
    "the last of a tuple": ("p: tuple = (1, 2)", "y = mean(x, dim=p[-1])", [(2, 1)]),
    "how many dimensions": ("p: tuple = (1, 2)", "y = mean(x, dim=len(p))", [(1,)]),
    "two of a tuple": (
        "p: tuple = (1, 2)", "y = mean(x, dim=(p[0], p[1]), keepdim=true)", [(2, 1)]),
    "two dimensions": ("p: tuple = (1, 2)", "y = mean(x, dim=p, keepdim=true)", [(1,), (2,)]),
    "a transposed dimension": ("p: int = 1", "y = transpose(x, p, 2)", [2]),
    "where it is flat from": ("p: int = 1", "y = x -> Flatten(p)", [2]),
    "rounding up": ("p: bool = false", "y = x -> AvgPool1d(3, ceil_mode=p)", [True]),
}  # fmt: skip
SPOKEN_OF: dict[str, tuple[str, str, list[object]]] = {
    "how many are best": ("p: int = 3", "y, _ = topk(x, p, dim=-1)", [2, 4]),
    "a stride": ("p: int = 2", "y = x -> Conv1d(4, 3, stride=p, padding=1)", [1, 3]),
    "a padding": ("p: int = 1", "y = pad(x, (p, 1))", [2, 0]),
    "a slice": ("p: int = 3", "y = x[:, :, p:]", [2, 4]),
    "a shape": ("p: int = 2", "y = reshape(x, (N, 5 * p, 8 // p))", [4, 1]),
    "a stride of a tuple": ("p: tuple = (2, 3)", "y = x -> Conv1d(4, p[1], stride=p[0], padding=1)",
                            [(1, 3), (2, 1), (3, 3)]),
    "a row of a tuple": ("p: tuple = (3, 1)", "y = x[:, p[0]]", [(2, 1), (4, 4)]),
    "a row": ("p: int = 3", "y = x[:, p]", [2, 4]),
    "a spectrum": ("p: int = 8", "y = abs(rfft(x, n=p, dim=-1))", [6, 10]),
    "a diagonal": ("p: int = 0", "y = tril(x, p)", [1, -1]),
    "biases": ("p: bool = true", "y = x -> LayerNorm(bias=p) -> Linear(4, bias=p)", [False]),
    "heads": ("p: int = 2", "y = x -> TransformerEncoderLayer(p, batch_first=true, dropout=0.0)",
              [4, 1]),
    "a rate": ("p: float = 0.5", "y = x -> Dropout(p)", [0.25]),
}  # fmt: skip


def said(case: tuple[str, str, list[object]]) -> list[str | None]:
    """What the class says to each of the values; None where it is what the spec says with it."""
    param, computes, values = case
    text = (
        f"spec 1\n{BLOCK if 'Encoder(' in computes else ''}model Net({param}) {{\n"
        f"  input x: float[N, 5, 8]\n  {computes}\n{HEAD}\n  output y\n}}\n"
        "test {\n  sizes N=4\n}\n"
    )
    program = analyse(text, "m.spec")
    source = emit(program)
    assert compared(program, source, {}, program) is None
    return [
        compared(program, source, {"p": value}, analyse(text, "m.spec", {"p": value}))
        for value in values
    ]


@pytest.mark.parametrize("case", FORGOTTEN.values(), ids=FORGOTTEN.keys())
def test_what_a_size_has_forgotten_is_refused(case: tuple[str, str, list[object]]) -> None:
    for refusal in said(case):
        assert refusal is not None and "=" in refusal


@pytest.mark.parametrize("case", SPOKEN_OF.values(), ids=SPOKEN_OF.keys())
def test_what_sizes_speak_of_is_taken(case: tuple[str, str, list[object]]) -> None:
    assert said(case) == [None] * len(case[2])


def test_a_value_that_the_rule_cannot_take_is_no_fault() -> None:
    text = (
        "spec 1\nmodel Net(p: int = 1) {\n  input x: float[N, 5, 8]\n"
        "  output reshape(x, (N, 5 * p, 8 // p))\n}\n"
    )
    assert analyse(text, "m.spec").model().fixed == ()
    with pytest.raises(SpecError):
        analyse(text, "m.spec", {"p": 0})
