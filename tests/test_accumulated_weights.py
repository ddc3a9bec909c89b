"""``accumulate 4 by tokens``: the gradient of unequal batches is that of all of them at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from specc.emit import emit
from specc.errors import SpecError
from specc.front import read
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import cells
from specc.harness.judging.judge import judge
from specc.semantics import analyse
from specc.targets.live import module_class

TEXT = """spec 1

model Net {
  input x: float[N, T, 6]
  scores = x -> body: Linear(8) -> Tanh -> head: Linear(3)
  output scores
}

train {
  input wanted: float[N, T, 3]
  input shares: unit[N, T]
  tokens = sum(shares)
  loss = sum(shares * mean((scores - wanted) ** 2, dim=-1)) / tokens
  regularize L2(1e-2) on *.weight
  accumulate 2 by tokens
  optimizer SGD(lr=0.1)
}

test {
  sizes N=2, T=3
  targets eager
  devices cpu
}
"""


def test_unequal_batches_step_as_one() -> None:
    torch.manual_seed(0)
    made: Any = module_class(emit(analyse(TEXT, "m.spec")), "Training", "m")().double()
    one: Any = module_class(
        emit(analyse(TEXT.replace("accumulate 2 by tokens", "accumulate 1 by tokens"), "m.spec")),
        "Training", "m",
    )().double()  # fmt: skip
    one.load_state_dict(made.state_dict())
    steps = [each.configure_optimizers()["optimizer"] for each in (made, one)]
    for _ in range(2):
        x, wanted = torch.randn(4, 3, 6).double(), torch.randn(4, 3, 3).double()
        shares = torch.rand(4, 3).double()
        shares[:2] *= 0.1  # so that a mean of means is far from the mean
        for number, rows in enumerate((slice(0, 2), slice(2, 4))):
            made.training_step(steps[0], number, x[rows], wanted[rows], shares[rows])
        one.training_step(steps[1], x, wanted, shares)
        for mine, other in zip(made.parameters(), one.parameters(), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


def test_a_golden_holds_the_weights(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    path = tmp_path / "net.spec"
    path.write_text(TEXT, encoding="utf-8")
    program = read(path)
    bless(program, tmp_path)
    (cell,) = [each for each in cells(program) if each.case.mode == "train"]
    assert judge(program, cell, tmp_path).outcome == "passed"
    source = emit(program)
    assert "weight * (terms" in source
    faulty = source.replace("weight * (terms", "2 * (terms")
    assert judge(program, cell, tmp_path, faulty).outcome == "regressed"


@pytest.mark.parametrize("by", ["wanted", "loss", "nothing", "T"])
def test_what_counts_nothing_is_refused(by: str) -> None:
    with pytest.raises(SpecError) as caught:
        analyse(TEXT.replace("by tokens", f"by {by}"), "m.spec")
    assert [each.code for each in caught.value.diagnostics()] == ["E0434"]
