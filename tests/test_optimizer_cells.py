"""A training step in each of torch's implementations: cells of their own, judged by one golden."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Run

from specc import front
from specc.errors import SpecError
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import cells
from specc.harness.judging.judge import implementation, judge, unavailable
from specc.harness.running.kernels import implementations
from specc.harness.running.ongoing_run import Setting

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


WRONG = 1 + 1e-8
NAMES = {"foreach": "_multi_tensor_sgd", "for_loop": "_single_tensor_sgd", "fused": "_fused_sgd_"}


def wrong(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """A rate that no float32 can tell from the right one, in one implementation of SGD."""
    owner: Any = torch if way == "fused" else sys.modules["torch.optim.sgd"]
    honest = getattr(owner, NAMES[way])

    def step(*given: Any, lr: float, **settings: Any) -> Any:
        return honest(*given, lr=lr * WRONG, **settings)

    monkeypatch.setattr(owner, NAMES[way], step)


@pytest.mark.parametrize(
    ("way", "failing"),
    [("foreach", {"foreach"}), ("fused", {"fused"}), ("for_loop", {"default", "for_loop"})],
)
def test_what_float64_alone_shows_is_told_of_the_implementation_that_has_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, way: str, failing: set[str]
) -> None:
    wrong(monkeypatch, way)
    program = front.read(project)  # whose float64 runs are its own
    verdicts = {cell.optimizer: judge(program, cell, project.parent) for cell in cells(program)[:4]}
    assert {name for name, verdict in verdicts.items() if not verdict.passed} == failing
    for name in failing:
        first = verdicts[name].findings[0]
        assert first.name.startswith("step0/delta/") and first.message.startswith("in float64, ")
        assert "in float64 it is off as well" in verdicts[name].report()


def test_one_that_stops_in_float64_stops_no_other(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: Any, **settings: Any) -> None:
        raise ValueError("no")

    monkeypatch.setattr(sys.modules["torch.optim.sgd"], "_single_tensor_sgd", stop)
    program = front.read(project)
    verdicts = {cell.optimizer: judge(program, cell, project.parent) for cell in cells(program)[:4]}
    assert {name for name, v in verdicts.items() if not v.passed} == {"default", "for_loop"}
    assert verdicts["fused"].compared > 0


@pytest.mark.parametrize(
    "optimizer",
    ["ASGD(lr=0.1, lambd=0.1, t0=2.0)", "AdamW(lr=0.01, amsgrad=true)", "Adagrad(lr=0.1)"],
)
def test_honest_implementations_pass(tmp_path: Path, optimizer: str) -> None:
    path = tmp_path / "net.spec"
    path.write_text(SPEC.replace("SGD(lr=0.1, momentum=0.9)", optimizer))
    program = front.read(path)
    bless(program, tmp_path)
    verdicts = [judge(program, cell, tmp_path) for cell in cells(program)]
    assert all(verdict.passed or verdict.outcome == "skipped" for verdict in verdicts)


def test_float64_steps_as_torch_does_on_the_device(tmp_path: Path) -> None:
    path = tmp_path / "net.spec"
    path.write_text(SPEC)
    program = front.read(path)
    path.write_text(SPEC.replace("momentum=0.9", "momentum=0.9, fused=true"))
    fused = front.read(path)
    cpu, cuda = (Setting("eager", device, "float32") for device in ("cpu", "cuda"))
    asked = replace(cuda, optimizer="for_loop")
    assert [implementation(program, each) for each in (cpu, cuda, asked)] == [
        "", "foreach", "for_loop",
    ]  # fmt: skip
    assert implementation(fused, cuda) == ""


def test_adagrad_is_fused_on_the_cpu_alone(tmp_path: Path) -> None:
    path = tmp_path / "net.spec"
    path.write_text(SPEC.replace("SGD(lr=0.1, momentum=0.9)", "Adagrad(lr=0.1)"))
    program = front.read(path)
    why = {
        device: unavailable(program, next(c for c in cells(program, devices=[device])[3:4]))
        for device in ("cpu", "cuda")
    }
    assert why == {"cpu": None, "cuda": "torch has no fused implementation of Adagrad on cuda"}
    found = [implementations(program, device) for device in ("cpu", "cuda")]
    assert found == [("foreach", "for_loop", "fused"), ("foreach", "for_loop")]


def test_a_sparse_gradient_has_no_fused_step(tmp_path: Path) -> None:
    path = tmp_path / "net.spec"
    text = SPEC.replace("float[N, 6]", "index(6)[N]").replace(
        "x -> Linear(8)", "x -> table: Embedding(8, sparse=true)"
    )
    path.write_text(text.replace("momentum=0.9", "momentum=0.0"))
    program = front.read(path)
    bless(program, tmp_path)
    verdicts = {cell.optimizer: judge(program, cell, tmp_path) for cell in cells(program)[:4]}
    assert all(verdicts[way].passed for way in ("default", "foreach", "for_loop"))
    assert verdicts["fused"].notes == (
        "torch has no fused implementation of SGD for sparse gradients, and that of table.weight"
        " is one",
    )
    assert implementations(program, "cpu") == ("foreach", "for_loop")


@pytest.mark.parametrize("asked", ["", ", fused=true"])
def test_float16_is_unscaled_in_the_fused_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    path = tmp_path / "net.spec"
    text = SPEC.replace("SGD(lr=0.1, momentum=0.9)", f"Adam(lr=0.01{asked})\n  precision float16")
    path.write_text(text.replace("modes", "modes train").replace("eval", ""))
    program = front.read(path)
    bless(program, tmp_path)
    assert all(judge(program, cell, tmp_path).passed for cell in cells(program))
    honest, scales = torch._fused_adam_, []

    def step(*given: Any, grad_scale: Any, **settings: Any) -> None:
        scales.append(grad_scale)
        honest(*given, grad_scale=None, **settings)

    monkeypatch.setattr(torch, "_fused_adam_", step)
    program = front.read(path)
    failing = {c.optimizer for c in cells(program)[:4] if not judge(program, c, tmp_path).passed}
    assert failing == ({"fused", "default"} if asked else {"fused"})
    assert scales and all(float(scale) == 128.0 for scale in scales)


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
