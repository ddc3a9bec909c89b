"""Autocast and coarse precisions: honest runs pass, faults do not, each has floors of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness_programs import HALF, cnn_half, half_source, mlp_half
from harness_support import CNN_SOURCE, MLP_SOURCE

from specc.errors import TargetError
from specc.harness.blessing.bless import bless, make
from specc.harness.cases.matrix import cases, cells
from specc.harness.floors.floor_statistics import observable
from specc.harness.goldens.golden import read
from specc.harness.judging.judge import judge
from specc.policy import K


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("halves")
    for name, (make_program, source) in HALF.items():
        for precision in ("bfloat16", "float16"):
            program = make_program(precision, folder / precision / name)
            bless(program, folder, half_source(source, precision))
    return folder


@pytest.mark.parametrize("name", HALF)
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("target", ["eager", "torchscript", "export"])
def test_autocast_passes(name: str, precision: str, target: str, halves: Path) -> None:
    make_program, source = HALF[name]
    program = make_program(precision, halves / precision / name)
    for cell in cells(program, [target], ["cpu"]):
        result = judge(program, cell, halves, half_source(source, precision))
        assert result.passed, result.report()
        assert result.worst is not None and result.worst < K / 2


def test_autocast_passes_compiled(halves: Path) -> None:
    program = mlp_half("bfloat16", halves / "bfloat16" / "mlp")
    cell = cells(program, ["compile"], ["cpu"])[0]
    result = judge(program, cell, halves, half_source(MLP_SOURCE, "bfloat16"))
    assert result.passed, result.report()


def test_a_leaf_has_the_precision_that_autocast_gives_it(halves: Path) -> None:
    program = mlp_half("bfloat16", halves / "bfloat16" / "mlp")
    golden = read(program, cases(program)[0], halves)
    floors = {leaf.reference.name: leaf.floors for leaf in golden.leaves if leaf.floors}
    logits, gradient = floors["step0/output/logits"], floors["step0/grad/fc2.weight"]
    assert logits["float32"].dtype == "bfloat16" and gradient["float32"].dtype == ""
    assert 2**-11 < logits["float32"].rms < 2**-4
    # Without autocast the same numbers come out in float32, and that is told.
    (cell, *_) = cells(program, ["eager"], ["cpu"])
    without = half_source(MLP_SOURCE, "bfloat16").replace(
        "dtype=torch.bfloat16)", "dtype=torch.bfloat16, enabled=False)"
    )
    kinds = {finding.what for finding in judge(program, cell, halves, without).findings}
    assert "dtype" in kinds


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("F.relu(self.fc1(x))", "F.relu(-self.fc1(x))"),
        ("self.parameters(), 0.5", "self.parameters(), 0.55"),
        ("lr=0.05", "lr=0.0501"),
    ],
)
def test_a_fault_under_autocast_is_found(precision: str, old: str, new: str, halves: Path) -> None:
    program = mlp_half(precision, halves / precision / "mlp")
    (cell, *_) = cells(program, ["eager"], ["cpu"])
    broken = half_source(MLP_SOURCE, precision)
    assert old in broken
    assert judge(program, cell, halves, broken.replace(old, new)).outcome == "regressed"


def test_gradients_that_are_clipped_before_they_are_scaled_back_are_found(tmp_path: Path) -> None:
    program = mlp_half("float16", tmp_path)
    # Small gradients are not clipped, and large only by the scale.
    source = half_source(MLP_SOURCE, "float16").replace(
        "self.parameters(), 0.5", "self.parameters(), 5.0"
    )
    bless(program, tmp_path, source)
    (cell, *_) = cells(program, ["eager"], ["cpu"])
    assert judge(program, cell, tmp_path, source).passed
    forgotten = source.replace("        scaler.unscale_(optimizer)\n", "")
    names = {item.name for item in judge(program, cell, tmp_path, forgotten).findings}
    assert "step0/clipped_grad/fc2.bias" in names and "step0/grad/fc2.bias" not in names


def test_a_coarse_precision_does_not_widen_the_floors_of_a_finer() -> None:
    program = cnn_half("")
    source = CNN_SOURCE.replace(
        "        optimizer.step()",
        "        nn.utils.clip_grad_norm_(self.parameters(), 0.5)\n        optimizer.step()",
    )
    golden = make(program, cases(program)[0], source, ("float32", "bfloat16"))
    hidden = {
        name: sum(not observable(leaf.floors[name]) for leaf in golden.leaves if leaf.floors)
        for name in ("float32", "bfloat16")
    }
    # A bias before a BatchNorm is noise: its gradients, changes and states.
    assert hidden["float32"] <= 20 < hidden["bfloat16"]


def test_a_precision_in_which_honest_runs_overflow_cannot_be_blessed() -> None:
    # Adam's eps is zero in float16: a gradient of zero moves its parameter by 0 / 0.
    program = cnn_half("")
    source = CNN_SOURCE.replace("F.max_pool2d(x, 2)\n", "F.max_pool2d(x, 2) * 1e5\n")
    with pytest.raises(TargetError, match="in float16, where float64 has a number"):
        make(program, cases(program)[1], source, ("float16",))
