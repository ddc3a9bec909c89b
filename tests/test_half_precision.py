"""Numbers that float16 does not hold: told in check, at their line; torch refuses each."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from specc import front
from specc.errors import Diagnostic, SpecError
from specc.harness.cases import matrix
from specc.semantics.checks.half_precision import FILLS, LARGEST

X = torch.zeros(2, 3, dtype=torch.float16)
INDEX = torch.tensor([0])
CALLS: dict[str, Any] = {
    "masked_fill": lambda value: X.masked_fill(X == 0, value),
    "index_fill": lambda value: X.index_fill(0, INDEX, value),
    "full": lambda fill_value: torch.full((2,), fill_value, dtype=torch.float16),
    "full_like": lambda fill_value: torch.full_like(X, fill_value),
    "pad": lambda value: nn.functional.pad(X, (1, 1), value=value),
    "clamp": lambda **given: torch.clamp(X, **given),
    "clamp_min": lambda min: torch.clamp_min(X, min),
    "clamp_max": lambda max: torch.clamp_max(X, max),
    "threshold": lambda threshold=0.0, value=0.0: nn.functional.threshold(X, threshold, value),
    "hardtanh": lambda min_val=-1e9, max_val=1e9: nn.functional.hardtanh(X, min_val, max_val),
    "linspace": lambda start=0.0, end=1.0: torch.linspace(start, end, 3, dtype=torch.float16),
    "ConstantPad1d": lambda value: nn.ConstantPad1d(1, value)(X),
    "ConstantPad2d": lambda value: nn.ConstantPad2d(1, value)(X[None]),
    "ConstantPad3d": lambda value: nn.ConstantPad3d(1, value)(X[None, None]),
    "Threshold": lambda threshold=0.0, value=0.0: nn.Threshold(threshold, value)(X),
    "Hardtanh": lambda min_val=-1e9, max_val=1e9: nn.Hardtanh(min_val, max_val)(X),
}


@pytest.mark.parametrize(("name", "argument"), [(n, a) for n, each in FILLS.items() for a in each])
def test_torch_refuses_what_the_table_says(name: str, argument: str) -> None:
    sign = -1.0 if argument in ("min", "min_val") else 1.0
    with pytest.raises(RuntimeError, match="without overflow"):
        CALLS[name](**{argument: sign * 1e9})
    if name not in ("hardtanh", "Hardtanh"):
        CALLS[name](**{argument: sign * LARGEST})


SPEC = """spec 1

block Attend(hidden: float) {
  input x: float[N, T, D]
  scores = x @ x.mT / D ** 0.5
  kept = masked_fill(scores, tril(ones(T, T)) == 0.0, hidden)
  output softmax(kept, dim=-1) @ x
}

model Net {
  input x: float[N, 4, 8]
  y = x -> Linear(8) -> Attend(FILL)
  output y
}

train {
  input t: float[N, 4, 8]
  loss = MSELoss(y, t)
  optimizer SGD(lr=0.1)
  PRECISION
}

test {
  DTYPES
}
"""


def errors(
    fill: str = "-1e9", precision: str = "", dtypes: str = "seed 0", spec: str = SPEC
) -> list[Diagnostic]:
    text = spec.replace("FILL", fill).replace("PRECISION", precision).replace("DTYPES", dtypes)
    return [item for item in front.check_text(text)[1] if item.severity == "error"]


def test_a_fill_that_float16_does_not_hold_is_told_once_at_its_line() -> None:
    assert errors() == []
    for said in ({"dtypes": "dtypes float32, float16"}, {"precision": "precision float16"}):
        (found,) = errors(**said)
        assert found.code == "E0330" and found.span is not None and found.span.line == 6
        assert found.help == "write `-6e4`: before a softmax it masks as well"
        assert errors("-6e4", **said) == []
    assert errors(dtypes="dtypes float32, bfloat16, float64") == []
    assert errors(precision="precision bfloat16") == []


def test_autocast_computes_in_float32_what_no_product_gives() -> None:
    kept = SPEC.replace("scores = x @ x.mT", "scores = softmax(x @ x.mT, dim=-1)")
    assert errors(precision="precision float16", spec=kept) == []


def test_a_precision_of_the_call_is_held_as_well() -> None:
    text = SPEC.replace("FILL", "-1e9").replace("PRECISION", "").replace("DTYPES", "seed 0")
    program, _, _ = front.check_text(text)
    assert program is not None
    assert matrix.cells(program, dtypes=["bfloat16"])
    with pytest.raises(SpecError) as caught:
        matrix.cells(program, dtypes=["float16"])
    assert caught.value.code == "E0330"
