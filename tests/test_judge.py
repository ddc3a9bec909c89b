"""Judging: nothing changed passes, in every target and with one and two threads; a fault is
named.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from harness_support import CNN_SOURCE, EVERY, LSTM_SOURCE, MLP_SOURCE, cnn, lstm, mlp
from safetensors.torch import save_file

from specc import front
from specc.emit import emit
from specc.errors import CallError, GoldenMissing, GoldenStale
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import Cell, cells
from specc.harness.cases.verdict import Verdict
from specc.harness.floors.machine import threads
from specc.harness.judging.judge import judge
from specc.harness.running.observed_lines import lines_of
from specc.ir import Program
from specc.policy import K


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for make, source in EVERY.values():
        bless(make(folder), folder, source)
    return folder


def cell_of(program: Program, target: str, mode: str) -> Cell:
    return next(c for c in cells(program, [target], ["cpu"]) if c.mode == mode)


def verdict(program: Program, root: Path, source: str, mode: str = "train") -> Verdict:
    return judge(program, cell_of(program, "eager", mode), root, source)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_nothing_changed_passes_ten_times_of_ten(name: str, mode: str, root: Path) -> None:
    make, source = EVERY[name]
    program = make(root)
    for _ in range(5):
        for count in (1, 2):
            with threads(count):
                result = verdict(program, root, source, mode)
            assert result.passed, result.report()
            assert result.worst is not None and result.worst < K / 2


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("target", ["torchscript", "export"])
def test_the_other_targets_pass(name: str, target: str, root: Path) -> None:
    make, source = EVERY[name]
    program = make(root)
    for mode in ("train", "eval"):
        result = judge(program, cell_of(program, target, mode), root, source)
        assert result.passed, result.report()
        assert result.compared > 2


def test_compiled_modules_pass(root: Path) -> None:
    result = judge(cnn(root), cell_of(cnn(root), "compile", "train"), root, CNN_SOURCE)
    assert result.passed, result.report()


HONEST = [
    ("mlp", "self.parameters(), lr=0.05", "self.parameters(), lr=0.05, foreach=False"),
    ("cnn", "lr=1e-3", "lr=1e-3, foreach=False"),
    ("cnn", "lr=1e-3", "lr=1e-3, fused=True"),
    (
        "cnn",
        "self.conv1(image)",
        "self.conv1(image.contiguous(memory_format=torch.channels_last))",
    ),
    ("mlp", "F.cross_entropy(logits, label)", "F.nll_loss(F.log_softmax(logits, 1), label)"),
]


@pytest.mark.parametrize(("name", "old", "new"), HONEST)
def test_honest_variants_pass(name: str, old: str, new: str, root: Path) -> None:
    make, source = EVERY[name]
    assert old in source
    result = verdict(make(root), root, source.replace(old, new))
    assert result.passed, result.report()


def test_without_onednn_it_passes(root: Path) -> None:
    torch._C._set_mkldnn_enabled(False)
    try:
        result = verdict(cnn(root), root, CNN_SOURCE)
    finally:
        torch._C._set_mkldnn_enabled(True)
    assert result.passed, result.report()


FAULTS = [
    ("mlp", "lr=0.05", "lr=0.05005", "option/group0/lr"),
    ("mlp", "momentum=0.9", "momentum=0.9009", "option/group0/momentum"),
    ("mlp", "gamma=0.5", "gamma=0.5005", "step1/lr/group0"),
    ("mlp", "nn.Dropout(0.25)", "nn.Dropout(0.2501)", "setting/drop.p"),
    ("mlp", "hidden = self.drop", "hidden = -self.drop", "step0/layer/fc2"),
    ("mlp", "self.fc2(hidden)", "self.fc2(hidden * (1 + 2e-6))", "step0/layer/fc2"),
    ("mlp", "self.fc2(hidden)", "self.fc2(hidden) * (1 + 2e-6)", "step0/output/logits"),
    ("mlp", "F.cross_entropy(logits, label)", "F.cross_entropy(logits, label) * (1 + 2e-6)", None),
    ("mlp", 'terms["loss"] + penalty', 'terms["loss"] - penalty', "step0/grad/fc1.weight"),
    ("mlp", "self.parameters(), 0.5", "self.parameters(), 0.5005", "step0/clipped_grad/fc2.bias"),
    ("mlp", "1e-3 / 2", "1.001e-3 / 2", "step0/penalty/penalty"),
    ("mlp", "        optimizer.zero_grad()\n", "", "step1/grad/fc2.bias"),
    ("mlp", "return self.fc2(hidden)", "return self.fc2(hidden).unsqueeze(0)[0].double()", None),
    ("cnn", "nn.BatchNorm2d(8)", "nn.BatchNorm2d(8, eps=1.1e-5)", "setting/norm.eps"),
    ("cnn", "nn.BatchNorm2d(8)", "nn.BatchNorm2d(8, momentum=0.101)", "setting/norm.momentum"),
    ("cnn", "lr=1e-3", "lr=1e-3, eps=1.1e-8", "option/group0/eps"),
    ("cnn", "lr=1e-3", "lr=1e-3, betas=(0.9, 0.99901)", "option/group0/betas.1"),
    ("cnn", "lr=1e-3", "lr=1e-3, amsgrad=True", "option/group0/amsgrad"),
    ("cnn", "x = F.relu(self.conv2(x))", "x = F.relu(-self.conv2(x))", "step0/layer/fc"),
    ("tagger", "nn.LayerNorm(24)", "nn.LayerNorm(24, eps=1.1e-5)", "setting/norm.eps"),
    ("tagger", "F.gelu(", "F.gelu(approximate='tanh', input=", "step0/layer/head"),
    ("tagger", "self.encoder(series)", "self.encoder(series * (1 + 1e-5))", "step0/layer/encoder"),
    ("tagger", "states[:, -1]", "states[:, -2]", "step0/layer/norm"),
    ("tagger", "AdamW(", "Adam(", None),
]


@pytest.mark.parametrize(("name", "old", "new", "first"), FAULTS)
def test_a_fault_is_found_and_named(
    name: str, old: str, new: str, first: str | None, root: Path
) -> None:
    make, source = EVERY[name]
    assert old in source
    result = verdict(make(root), root, source.replace(old, new))
    assert result.outcome == "regressed"
    assert result.findings
    if first is not None:
        names = [finding.name for finding in result.findings]
        assert first in (names[0], *names[:3]), result.report()


def test_a_report_names_the_line_and_the_floors(root: Path) -> None:
    broken = MLP_SOURCE.replace("self.fc2(hidden)", "-self.fc2(hidden)")
    result = verdict(mlp(root), root, broken)
    first = result.findings[0]
    assert first.name == "step0/output/logits" and first.line == 7
    assert first.floors is not None and first.floors > 1e6
    text = result.report()
    assert f"{root}/mlp.spec:7" in text and "floors" in text and "expected" in text
    assert text.splitlines()[0] == "first bad value: step0/output/logits"
    assert result.headline.startswith(f"{root}/mlp.spec:7: step0/output/logits: off by")


def test_a_run_that_stops_is_a_finding(root: Path) -> None:
    result = verdict(mlp(root), root, MLP_SOURCE.replace("self.fc2(hidden)", "self.fc2(x)"))
    assert result.outcome == "regressed" and result.findings[0].what == "run"
    assert "mat1 and mat2" in result.report()


def test_noise_is_named_and_not_judged(root: Path) -> None:
    result = verdict(cnn(root), root, CNN_SOURCE)
    assert "step0/grad/conv1.bias" in result.not_observable
    assert "step0/grad/conv1.weight" not in result.not_observable


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_a_cuda_cell_is_skipped_with_the_reason(root: Path) -> None:
    (cell, *_) = cells(mlp(root), ["eager"], ["cuda"])
    result = judge(mlp(root), cell, root, MLP_SOURCE)
    assert result.outcome == "skipped" and result.headline.startswith("no CUDA device")
    assert not result.passed


def test_a_precision_without_floors_is_missing(root: Path) -> None:
    (cell, *_) = cells(mlp(root), ["eager"], ["cpu"], ["bfloat16"])
    with pytest.raises(GoldenMissing, match="no floors for bfloat16"):
        judge(mlp(root), cell, root, MLP_SOURCE)


def test_bfloat16_is_judged_on_its_own_floors(tmp_path: Path) -> None:
    program = mlp(tmp_path, dtypes=("float32", "bfloat16"))
    bless(program, tmp_path, MLP_SOURCE)
    for cell in cells(program, ["eager"], ["cpu"]):
        result = judge(program, cell, tmp_path, MLP_SOURCE)
        assert result.passed, f"{cell.id}: {result.report()}"
    wrong = MLP_SOURCE.replace("F.relu(self.fc1(x))", "F.relu(-self.fc1(x))")
    cell = next(c for c in cells(program, ["eager"], ["cpu"]) if c.dtype == "bfloat16")
    assert judge(program, cell, tmp_path, wrong).outcome == "regressed"


def test_a_changed_spec_is_stale_and_not_regressed(root: Path) -> None:
    program = mlp(root)
    changed = replace(program, test=replace(program.test, seed=5))
    with pytest.raises(GoldenStale, match="seed was 0 and is 5"):
        judge(changed, cell_of(changed, "eager", "train"), root, MLP_SOURCE)


def test_both_times_are_measured(root: Path) -> None:
    program = lstm(root)
    start = time.perf_counter()
    result = judge(program, cell_of(program, "eager", "train"), root, LSTM_SOURCE)
    whole = time.perf_counter() - start
    assert 0 < result.seconds_torch < result.seconds_total <= whole


SAMPLED = """spec 1

model Net {
  input x: float[N, 3]
  output x -> fc: Linear(2)
}

test {
  sizes N=4
  modes eval
  targets eager
  SAMPLES
}
"""


def test_a_golden_is_read_again_where_it_is_another(tmp_path: Path) -> None:
    path = tmp_path / "net.spec"
    path.write_text(SAMPLED.replace("  SAMPLES\n", ""))
    program = front.read(path)
    (cell,) = cells(program, devices=["cpu"])
    bless(program, tmp_path)
    assert judge(program, cell, tmp_path).passed
    other = emit(program).replace("return ", "return 2.0 * ")
    assert not judge(program, cell, tmp_path, other).passed
    bless(program, tmp_path, other)
    assert judge(program, cell, tmp_path, other).passed
    assert not judge(program, cell, tmp_path).passed


def test_samples_that_change_are_stale_at_once(tmp_path: Path) -> None:
    path = tmp_path / "net.spec"
    path.write_text(SAMPLED.replace("SAMPLES", 'input x from "x.safetensors"'))
    save_file({"x": torch.randn(4, 3)}, tmp_path / "x.safetensors")
    program = front.read(path)
    (cell,) = cells(program, devices=["cpu"])
    bless(program, tmp_path)
    assert judge(program, cell, tmp_path).passed
    save_file({"x": torch.randn(4, 3)}, tmp_path / "x.safetensors")
    with pytest.raises(GoldenStale, match="samples of x have changed"):
        judge(program, cell, tmp_path)
    (tmp_path / "x.safetensors").unlink()
    with pytest.raises(CallError) as caught:
        judge(program, cell, tmp_path)
    assert caught.value.code == "E0806"


SCHEDULED = """spec 1

model Net {
  input x: float[N, 3]
  output x -> fc: Linear(2)
}

train {
  input y: float[N, 2]
  loss = MSELoss(output, y)
  optimizer SGD(lr=0.1)
  scheduler SCHEDULER
}

test {
  sizes N=4
  steps 2
  modes train
  targets eager
}
"""


@pytest.mark.parametrize(
    ("scheduler", "old", "new", "right", "wrong"),
    [
        ("StepLR(step_size=5) per step", '"step"', '"epoch"', "interval/step", "interval/epoch"),
        ("StepLR(step_size=5)", '"epoch"', "1", "interval/epoch", "interval/1"),
        (
            "ReduceLROnPlateau(patience=5)",
            '"monitor": "loss"',
            '"monitor": "loss", "frequency": 2',
            "",
            "frequency/2",
        ),
    ],
)  # fmt: skip
def test_when_a_schedule_is_stepped_is_judged(
    tmp_path: Path, scheduler: str, old: str, new: str, right: str, wrong: str
) -> None:
    path = tmp_path / "net.spec"
    path.write_text(SCHEDULED.replace("SCHEDULER", scheduler))
    program = front.read(path)
    (cell,) = cells(program, devices=["cpu"])
    bless(program, tmp_path)
    source = emit(program)
    assert source.count(old) == 1, source
    assert judge(program, cell, tmp_path, source).passed
    verdict = judge(program, cell, tmp_path, source.replace(old, new))
    expected = [f"end/scheduler/{name}" for name in (right, wrong) if name]
    assert [each.name for each in verdict.findings] == expected
    assert {each.line for each in verdict.findings} == {12}


def test_what_a_scheduler_keeps_in_groups_is_on_its_line(tmp_path: Path) -> None:
    path = tmp_path / "net.spec"
    path.write_text(SCHEDULED.replace("SCHEDULER", "OneCycleLR(max_lr=0.5, total_steps=9)"))
    lines = lines_of(front.read(path))
    assert lines.of("option/group0/max_lr").line == 12
    assert lines.of("option/group0/momentum").line == 11
