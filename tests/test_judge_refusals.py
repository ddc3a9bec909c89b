"""Cells that are not run, and why; what is said of a verdict beside its findings."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_support import mlp
from torch import nn

from specc import front
from specc.emit import emit
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import Cell, cells
from specc.harness.cases.precisions import TF32
from specc.harness.cases.verdict import Verdict
from specc.harness.judging.judge import implementation, judge, missing_device, unavailable
from specc.harness.running.observe import Setting
from specc.ir import Program

judge_module: Any = sys.modules["specc.harness.judging.judge"]


def a_cell(mode: str = "eval", **fields: object) -> Cell:
    found = next(each for each in cells(mlp(), ["eager"], ["cpu"]) if each.mode == mode)
    return replace(found, **fields)  # type: ignore[arg-type]  # fields of a cell


def test_the_cpu_is_never_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for there in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert missing_device("cpu") is None


def test_a_missing_gpu_is_told_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert missing_device("cuda") is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    assert missing_device("cuda") == "no CUDA device: this torch is built without CUDA"
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    assert missing_device("cuda") == "no CUDA device: no GPU is visible"


def test_a_cell_without_its_device_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    verdict = judge(mlp(), a_cell(device="cuda"), tmp_path)
    assert verdict.outcome == "skipped" and verdict.device_missing
    verdict = judge(mlp(), a_cell(dtype=TF32, target="export"), tmp_path)
    assert verdict.outcome == "skipped" and not verdict.device_missing
    assert verdict.headline.startswith("TF32 is a GPU's: on the CPU it is emulated, in eager alone")


@pytest.mark.parametrize(
    ("target", "there"), [("eager", True), ("torchscript", False), ("compile", False)]
)
def test_the_cpu_emulates_tf32_in_eager_alone(target: str, there: bool) -> None:
    assert (unavailable(mlp(), a_cell(target=target, dtype=TF32)) is None) == there
    assert unavailable(mlp(), a_cell(target=target)) is None


@pytest.mark.parametrize(
    ("orders", "mode", "there"),
    [(0, "train", True), (1, "train", False), (1, "eval", True), (2, "eval", False)],
)
def test_compiled_code_has_one_derivative(
    monkeypatch: pytest.MonkeyPatch, orders: int, mode: str, there: bool
) -> None:
    monkeypatch.setattr("specc.harness.judging.judge.derivatives", lambda program: orders)
    found = unavailable(mlp(), a_cell(mode, target="compile"))
    assert (found is None) == there
    assert found is None or "no second derivatives" in found
    assert unavailable(mlp(), a_cell(mode, target="export")) is None


OPTIMIZED = """spec 1

model Net {
  input x: float[N, 6]
  output x -> hidden: Linear(4) -> Linear(2)
}

train {
  input y: float[N, 2]
  loss = MSELoss(output, y)
  optimizer SGD(lr=0.1GIVEN)
}

test {
  sizes N=3
  targets eager, torchscript
  devices cpu
}
"""


def optimized(root: Path, given: str = "") -> Program:
    (root / "net.spec").write_text(OPTIMIZED.replace("GIVEN", given))
    return front.read(root / "net.spec")


@pytest.mark.parametrize(
    ("given", "device", "asked", "expected"),
    [
        ("", "cpu", "", ""),
        ("", "cuda", "", "foreach"),
        ("", "cuda", "fused", "fused"),
        ("", "cpu", "for_loop", "for_loop"),
        (", fused=true", "cuda", "", ""),
        (", foreach=false", "cuda", "", ""),
        (", momentum=0.9", "cuda", "", "foreach"),
    ],
)
def test_float64_steps_as_the_cell_does(
    tmp_path: Path, given: str, device: str, asked: str, expected: str
) -> None:
    setting = Setting("eager", device, "float32", optimizer=asked)
    assert implementation(optimized(tmp_path, given), setting) == expected


@pytest.fixture(scope="module")
def blessed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, Path]:
    root = tmp_path_factory.mktemp("project")
    program = optimized(root)
    bless(program, root)
    return program, root


def in_eager(blessed: tuple[Program, Path], mode: str = "train", target: str = "eager") -> Verdict:
    program, root = blessed
    cell = next(each for each in cells(program, [target], ["cpu"]) if each.mode == mode)
    return judge(program, cell, root)


def test_a_target_without_layers_is_judged_by_fewer_values(blessed: tuple[Program, Path]) -> None:
    for mode in ("train", "eval"):
        verdict = in_eager(blessed, mode, "torchscript")
        assert verdict.passed and 0 < verdict.compared < in_eager(blessed, mode).compared


def test_the_first_bad_value_has_a_right_one_before_it(
    blessed: tuple[Program, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = nn.Linear.forward

    def spoiled(self: nn.Linear, value: torch.Tensor) -> torch.Tensor:
        made = honest(self, value)
        return made * (1 + 1e-3) if self.out_features == 2 else made

    assert in_eager(blessed).located == ()
    monkeypatch.setattr(nn.Linear, "forward", spoiled)
    verdict = in_eager(blessed)
    first = verdict.findings[0].name
    assert first.startswith("step0/layer/")
    assert verdict.located[0] == (
        f"the last value before it is right: step0/layer/hidden, {blessed[0].file}:5"
    )
    assert any(line.startswith("in float64") for line in verdict.located[1:])


def test_a_bad_first_value_or_gradient_has_none_before_it(
    blessed: tuple[Program, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = nn.Linear.forward

    def spoiled(self: nn.Linear, value: torch.Tensor) -> torch.Tensor:
        made = honest(self, value)
        return made * (1 + 1e-3) if self.out_features == 4 else made

    monkeypatch.setattr(nn.Linear, "forward", spoiled)
    verdict = in_eager(blessed)
    assert verdict.findings[0].name == "step0/layer/hidden"
    assert not any(line.startswith("the last value") for line in verdict.located)


def test_a_verdict_counts_what_it_compared_and_the_time_it_took(
    blessed: tuple[Program, Path],
) -> None:
    verdict = in_eager(blessed)
    assert verdict.passed and verdict.compared > 10 and verdict.worst is not None
    assert 0.0 < verdict.seconds_torch <= verdict.seconds_total


def test_a_loss_that_is_wrong_alone_has_the_output_before_it(
    blessed: tuple[Program, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = nn.functional.mse_loss
    monkeypatch.setattr(
        nn.functional, "mse_loss", lambda *given, **named: 1.001 * honest(*given, **named)
    )
    verdict = in_eager(blessed)
    assert verdict.findings[0].name == "step0/loss/loss"
    assert verdict.located[0].startswith("the last value before it is right: step0/output/output")


def test_cells_of_a_case_share_one_run_in_float64(
    blessed: tuple[Program, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, root = blessed
    ran: list[str] = []
    honest = judge_module.exactly

    def counted(*given: Any, **named: Any) -> Any:
        ran.append(named["optimizer"])
        return honest(*given, **named)

    monkeypatch.setattr(judge_module, "exactly", counted)
    # Another spelling, so that no earlier test has run it.
    source = emit(program) + "\n# counted\n"
    (cell,) = (each for each in cells(program, ["eager"], ["cpu"]) if each.mode == "train")
    for optimizer in ("default", "default", "foreach", "for_loop", "foreach"):
        assert judge(program, replace(cell, optimizer=optimizer), root, source).passed
    assert ran == [""]
