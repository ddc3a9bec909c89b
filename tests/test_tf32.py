"""TF32: what is cut, by how much, where it is skipped, and that its floors tell it from coarser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Run
from harness_support import EVERY
from torch import Tensor
from torch.nn import functional

from specc.harness.blessing.bless import bless
from specc.harness.cases.case import lowest_precision
from specc.harness.cases.matrix import Cell, cells
from specc.harness.cases.precisions import UNIT
from specc.harness.cases.verdict import Verdict
from specc.harness.floors.rounding import RandomRounding
from specc.harness.judging import judge as judging
from specc.harness.judging.judge import judge
from specc.harness.running import tf32
from specc.harness.running.tf32 import allowed, emulated, rounded, truncated

DTYPES = ("float32", "tf32")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for make, source in EVERY.values():
        bless(make(folder, dtypes=DTYPES, modes=("train",)), folder, source)
    return folder


def judged(name: str, root: Path, dtype: str = "tf32", target: str = "eager") -> Verdict:
    make, source = EVERY[name]
    program = make(root, dtypes=DTYPES, modes=("train",))
    (cell,) = cells(program, [target], ["cpu"], [dtype])
    return judge(program, cell, root, source)


def test_ten_bits_are_kept() -> None:
    values = torch.tensor([1 + 2**-10, 1 + 2**-11, 1 + 2**-12, -3.1415927, 0.0, float("inf")])
    cut = rounded(values)
    assert cut.tolist()[:3] == [1 + 2**-10, 1 + 2**-10, 1.0]
    assert truncated(values).tolist()[:3] == [1 + 2**-10, 1.0, 1.0]
    assert cut[3] == -3.140625 and truncated(values)[3] == -3.140625
    assert cut[4:].tolist() == [0.0, float("inf")]
    many = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    assert float(((rounded(many) - many) / many).abs().max()) <= UNIT
    assert torch.equal(rounded(rounded(many)), rounded(many))


def test_what_is_not_float32_stays() -> None:
    for dtype in (torch.float64, torch.bfloat16, torch.int32):
        value = torch.arange(5, dtype=dtype) / 7
        value = value.to(dtype)
        assert torch.equal(rounded(value), value)
    parts = torch.tensor([1 + 2**-12, 2.0])
    assert torch.equal(
        rounded(torch.complex(parts, parts)), torch.complex(rounded(parts), rounded(parts))
    )
    image = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    assert rounded(image).stride() == image.stride()


@pytest.mark.parametrize("bias", [True, False])
def test_forward_and_backward_multiply_rounded_factors(bias: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    x, weight = (torch.randn(*shape, generator=generator) for shape in ((4, 3, 6, 6), (5, 3, 3, 3)))
    shift = torch.randn(5, generator=generator) if bias else None
    gradient = torch.randn(4, 5, 4, 4, generator=generator)

    def run(x: Tensor, weight: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
        x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
        output = functional.conv2d(x, weight, shift)
        output.backward(gradient)
        assert x.grad is not None and weight.grad is not None
        return output.detach(), x.grad, weight.grad

    with emulated(True):
        found = run(x, weight, gradient)
    forward = run(rounded(x), rounded(weight), gradient)[0]
    backward = run(rounded(x), rounded(weight), rounded(gradient))[1:]
    for ours, wanted in zip(found, (forward, *backward), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-5, atol=1e-5)
    with emulated(False):
        assert torch.equal(run(x, weight, gradient)[0], functional.conv2d(x, weight, shift))


def test_random_rounding_cuts_factors_alone() -> None:
    left, right = (torch.rand(64, 64, generator=torch.Generator().manual_seed(k)) for k in (1, 2))
    exact = left.double() @ right.double()

    def error(mode: RandomRounding) -> float:
        with mode:
            return float(((left @ right).double() / exact - 1).abs().max())

    assert error(RandomRounding(0, torch.float32)) < 1e-5
    assert 1e-5 < error(RandomRounding(0, torch.float32, tf32=True)) < 2 * UNIT
    # Dropped bits always err towards zero, and do not cancel.
    assert UNIT < error(RandomRounding(0, torch.float32, tf32=True, lanes=1)) < 4 * UNIT
    with RandomRounding(0, torch.float32, tf32=True):
        assert float(((left + right) / (left.double() + right.double()) - 1).abs().max()) < 1e-6


def test_weights_are_not_made_such_that_cutting_them_costs_nothing() -> None:
    assert lowest_precision(("tf32",)) == "float32"
    assert lowest_precision(("tf32", "bfloat16")) == "bfloat16"


@pytest.mark.parametrize("name", EVERY)
def test_honest_ways_pass_and_coarser_ones_do_not(
    name: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judged(name, root, "float32").passed
    honest = judged(name, root)
    assert honest.passed and tf32.NOTE in honest.notes
    ways: list[tuple[Callable[[Tensor], Tensor], bool]] = [
        (truncated, True),
        (lambda value: value, True),
        (lambda value: value.bfloat16().float() if value.dtype == torch.float32 else value, False),
    ]
    for way, passes in ways:
        monkeypatch.setattr(tf32, "rounded", way)
        verdict = judged(name, root)
        assert verdict.passed == passes, verdict.report()


def test_float32_is_told_from_tf32(root: Path) -> None:
    make, source = EVERY["mlp"]
    program = make(root, dtypes=DTYPES, modes=("train",))
    (cell,) = cells(program, ["eager"], ["cpu"], ["float32"])
    bits = "hidden.view(torch.int32).bitwise_and(-8192).view(torch.float32)"
    cut = source.replace("self.fc2(hidden)", f"self.fc2({bits} + 0 * hidden)")
    assert cut != source
    verdict = judge(program, cell, root, cut)
    assert not verdict.passed and "step0/output/logits" in {f.name for f in verdict.findings}


def test_what_the_cpu_cannot_show_is_skipped_with_its_reason(root: Path) -> None:
    verdict = judged("mlp", root, target="compile")
    assert verdict.outcome == "skipped" and "emulated, in eager alone" in verdict.headline


def test_on_cuda_the_switches_are_what_the_precision_says() -> None:
    def switches() -> tuple[bool, bool]:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    before = switches()
    for device, precision, wanted in (
        ("cuda", "tf32", (True, True)),
        ("cuda", "float32", (False, False)),
        ("cuda", "bfloat16", (False, False)),
        ("cpu", "tf32", before),
    ):
        with allowed(device, precision):
            assert switches() == wanted
        assert switches() == before
    with pytest.raises(KeyError), allowed("cuda", "tf32"):
        raise KeyError
    assert switches() == before


def test_a_gpu_without_it_is_skipped(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    make, source = EVERY["mlp"]
    program = make(root, dtypes=DTYPES, modes=("train",))
    (cell,) = cells(program, ["eager"], ["cuda"], ["tf32"])
    monkeypatch.setattr(judging, "missing_device", lambda device: None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    verdict = judge(program, cell, root, source)
    assert (verdict.outcome, verdict.headline) == ("skipped", "this GPU has no TF32")
    assert isinstance(cell, Cell) and cell.id == "eager-cuda-tf32-train"


SPEC = """spec 1

model Net {
  input x: float[N, 6]
  output x -> Linear(4)
}

test {
  sizes N=4
  devices cpu
  targets eager, export
  dtypes tf32
  modes eval
}
"""


def test_the_command_line_takes_it(tmp_path: Path, specc: Run) -> None:
    (tmp_path / "net.spec").write_text(SPEC)
    assert specc("bless", "net.spec").returncode == 0
    ran = specc("test", "net.spec", "--dtype", "tf32", "-v")
    assert ran.returncode == 0, ran.stdout
    assert "eager-cpu-tf32-eval passed" in ran.stdout and "1 skipped" in ran.stdout
    missing = specc("test", "net.spec", "--dtype", "float32", "--target", "eager")
    assert missing.returncode == 3 and "add float32 to the spec's dtypes" in missing.stdout
