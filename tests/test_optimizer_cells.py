"""A training step in each of torch's implementations: cells of their own, judged by one golden."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from specc import front
from specc.errors import SpecError
from specc.harness.bless import bless
from specc.harness.judge import judge
from specc.harness.matrix import cells

SPEC = """spec 1

model Net {
  input x: float[N, 6]
  output x -> Linear(8) -> Tanh -> Linear(2)
}

train {
  input y: float[N, 2]
  loss = MSELoss(output, y)
  optimizer SGD(lr=0.1, momentum=0.9)
}

test {
  sizes N=6
  targets eager
  devices cpu
  optimizers default, foreach, for_loop, fused
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("project") / "net.spec"
    path.write_text(SPEC)
    bless(front.read(path), path.parent)
    return path


def test_each_implementation_is_a_cell_where_something_is_trained(project: Path) -> None:
    found = cells(front.read(project))
    assert [cell.id for cell in found] == [
        "eager-cpu-float32-train",
        "eager-cpu-float32-foreach-train",
        "eager-cpu-float32-for_loop-train",
        "eager-cpu-float32-fused-train",
        "eager-cpu-float32-eval",
    ]
    assert len({cell.case for cell in found}) == 2


def test_all_pass_and_a_fault_in_one_fails_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, root = front.read(project), project.parent
    assert all(judge(program, cell, root).passed for cell in cells(program))
    owner: Any = sys.modules["torch.optim.sgd"]  # torch.optim deletes the name
    honest = owner._multi_tensor_sgd

    def wrong(*given: Any, lr: float, **settings: Any) -> None:
        honest(*given, lr=lr * 1.0001, **settings)

    monkeypatch.setattr(owner, "_multi_tensor_sgd", wrong)
    verdicts = {cell.optimizer: judge(program, cell, root) for cell in cells(program)[1:4]}
    assert verdicts["for_loop"].passed and verdicts["fused"].passed
    assert verdicts["foreach"].findings[0].name.startswith("step0/delta/")


def test_what_torch_has_not_is_skipped_with_its_reason(project: Path, specc: Run) -> None:
    path = project.with_name("rmsprop.spec")
    path.write_text(
        SPEC.replace("SGD(lr=0.1, momentum=0.9)", "RMSprop(lr=0.1)").replace("foreach, ", "")
    )
    program = front.read(path)
    bless(program, path.parent)
    last = cells(program)[2]
    verdict = judge(program, last, path.parent)
    assert (verdict.outcome, verdict.device_missing) == ("skipped", False)
    assert verdict.notes == ("torch has no fused implementation of RMSprop",)
    ran = specc("test", str(path), "--require-device", "cpu", "-v")
    assert ran.returncode == 0, ran.stdout
    assert "1 skipped" in ran.stdout and "no fused implementation" in ran.stdout


def test_another_word_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.spec"
    path.write_text(SPEC.replace("for_loop", "for_each"))
    with pytest.raises(SpecError, match="`for_each` is none of the optimizers"):
        front.read(path)
