"""A closer look at a cell that regressed: float64, its look, the layer that shows it alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from specc import front
from specc.emit import emit
from specc.errors import TargetError
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import Cell, cells
from specc.harness.cases.verdict import Verdict
from specc.harness.judging.judge import judge
from specc.harness.judging.repro import NUMBERS
from specc.targets import eager

SPEC = """spec 1

model Net {
  input x: float[N, 6]
  h = x -> fc1: Linear(8) -> act: Tanh
  output h -> fc2: Linear(2)
}

train {
  input y: float[N, 2]
  loss = MSELoss(output, y)
  optimizer SGD(lr=0.1)
}

test {
  sizes N=4
  modes train
  targets eager, torchscript
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "golden").mkdir()
    (root / "net.spec").write_text(SPEC)
    bless(front.read(root / "net.spec"), root)
    return root


def judged(project: Path, target: str, source: str | None = None) -> Verdict:
    program = front.read(project / "net.spec")
    cell: Cell = next(iter(cells(program, [target], ["cpu"], ["float32"])))
    return judge(program, cell, project, source, repro=project / "repro")


def source_of(project: Path) -> str:
    return emit(front.read(project / "net.spec"))


def replayed(script: str) -> str:
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


def test_another_computation_is_told_from_worse_arithmetic(project: Path) -> None:
    edited = source_of(project).replace("self.act(self.fc1(x))", "-self.act(self.fc1(x))")
    assert edited != source_of(project)
    verdict = judged(project, "torchscript", edited)
    report = verdict.report()
    assert "in float64 it is off as well: another computation" in report
    assert "how it looks: " in report and "alone" not in report
    script = Path(verdict.located[-1].partition(": ")[2])
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "step 0: fc2: off by " in done.stdout, done.stderr
    assert (script.parent / "meant.py").read_text() == source_of(project)


def test_the_last_right_value_is_told_where_layers_are_seen(project: Path) -> None:
    edited = source_of(project).replace("self.act(self.fc1(x))", "-self.act(self.fc1(x))")
    verdict = judged(project, "eager", edited)
    assert verdict.findings[0].name == "step0/layer/fc2"
    assert verdict.located[0].startswith("the last value before it is right: step0/layer/act, "), (
        verdict.located
    )
    assert not any("/alone" in each.name for each in verdict.findings)
    compiled = judged(project, "torchscript", edited)
    assert not any(line.startswith("the last value") for line in compiled.located)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[nn.Module], None]], None]:
    """Makes a target whose runnables have a fault that eager has not."""

    def install(spoil: Callable[[nn.Module], None]) -> None:
        import copy

        def runnable(module: nn.Module, inputs: Any, **sizes: Any) -> nn.Module:
            made = eager.runnable(copy.copy(module), inputs, **sizes)
            made = copy.deepcopy(made, {id(p): p for p in module.parameters()})
            spoil(made)
            return made

        monkeypatch.setattr("specc.targets.torchscript.runnable", runnable)

    return install


def test_the_layer_that_shows_it_alone_is_named(
    project: Path, faulty: Callable[[Callable[[nn.Module], None]], None]
) -> None:
    def spoil(module: nn.Module) -> None:
        for layer in module.modules():
            if isinstance(layer, nn.Tanh):
                layer.register_forward_hook(lambda layer, arguments, output: 1.01 * output)

    faulty(spoil)
    verdict = judged(project, "torchscript")
    report = verdict.report()
    assert "in float64, eager, it is right; torchscript is off there as well" in report
    assert "another computation, not worse arithmetic" in report
    assert "computes it worse" not in report
    assert "act alone, Tanh(), shows it: its output: every element times 1.01" in report
    script = Path(verdict.located[-1].partition(": ")[2])
    assert "model = nn.Tanh()" in script.read_text()
    # The numbers are data: they load where nothing of them may run.
    assert torch.load(script.with_name(NUMBERS), weights_only=True)["inputs"]
    # torch's own TorchScript is sound, so the script shows that here.
    assert "output 0" in replayed(str(script))


def off_in(dtypes: tuple[torch.dtype, ...], factor: float) -> Callable[[nn.Module], None]:
    """A fault of Tanh where it computes in one of ``dtypes``."""

    def spoil(module: nn.Module) -> None:
        def scaled(layer: nn.Module, arguments: Any, output: torch.Tensor) -> torch.Tensor:
            return output * factor if output.dtype in dtypes else output

        for layer in module.modules():
            if isinstance(layer, nn.Tanh):
                layer.register_forward_hook(scaled)

    return spoil


@pytest.mark.parametrize(
    ("factor", "told"),
    [
        (1.0001, "in eager and in torchscript: torchscript in float32 computes it worse"),
        (-1.0, "which is more than worse arithmetic comes to"),
    ],
)
def test_what_float64_does_not_show_is_told_by_its_size(
    project: Path,
    faulty: Callable[[Callable[[nn.Module], None]], None],
    factor: float,
    told: str,
) -> None:
    faulty(off_in((torch.float32,), factor))
    report = judged(project, "torchscript").report()
    assert "in float64 it is right, in eager and in torchscript" in report and told in report
    assert ("another computation" in report) == (factor == -1.0)


def test_a_target_without_float64_says_so(
    project: Path, faulty: Callable[[Callable[[nn.Module], None]], None]
) -> None:
    def spoil(module: nn.Module) -> None:
        off_in((torch.float32,), -1.0)(module)
        if any(parameter.dtype == torch.float64 for parameter in module.parameters()):
            raise TargetError("E0903", "no doubles here", help="none")

    faulty(spoil)
    report = judged(project, "torchscript").report()
    assert "it is right, and torchscript does not run there" in report, report
    assert "no doubles here" in report and "another computation" in report


def test_a_fault_that_takes_several_layers_is_in_none(
    project: Path, faulty: Callable[[Callable[[nn.Module], None]], None]
) -> None:
    def spoil(module: nn.Module) -> None:
        if hasattr(module, "fc2"):
            module.fc2.register_forward_hook(lambda layer, arguments, output: output + 0.5)

    faulty(spoil)
    report = judged(project, "torchscript").report()
    assert "how it looks: every element off by 5.000e-01" in report
    assert "each of the 3 layers alone is right: it takes several" in report


def test_a_setting_is_not_looked_at(project: Path) -> None:
    verdict = judged(project, "eager", source_of(project).replace("lr=0.1", "lr=0.2"))
    assert verdict.findings[0].name == "option/group0/lr" and verdict.located == (
        "no script: a setting shows in the source itself",
    )


def test_a_folder_that_cannot_be_written_hides_no_regression(project: Path) -> None:
    program = front.read(project / "net.spec")
    cell: Cell = next(iter(cells(program, ["eager"], ["cpu"], ["float32"])))
    edited = source_of(project).replace("self.act(", "-self.act(")
    verdict = judge(program, cell, project, edited, repro=project / "net.spec")
    assert verdict.outcome == "regressed" and "no script: cannot write" in verdict.report()


def test_a_layer_that_cannot_be_run_alone_hides_no_other(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = torch.tanh

    def refuse(self: nn.Module, memo: object) -> nn.Module:
        raise TypeError("cannot be copied")

    def worse(*given: Any, **named: Any) -> torch.Tensor:
        made = honest(*given, **named)
        return made * (1 + 4e-7) if made.dtype == torch.float32 else made

    edited = source_of(project)
    assert edited.count("self.fc1 = nn.Linear(") == 1
    monkeypatch.setattr(nn.Linear, "__deepcopy__", refuse, raising=False)
    monkeypatch.setattr(torch, "tanh", worse)
    # Another spelling, so that the float64 run of an earlier test is not taken.
    verdict = judged(project, "eager", f"{edited}\n# again\n")
    assert verdict.findings[0].name == "step0/alone/act"
    assert any(line.startswith("how it looks: every element times") for line in verdict.located)


PLAIN = """spec 1

model Net {
  input x: float[N, 6]
  output BODY
}

test {
  sizes N=4
  modes eval
  targets eager, torchscript
}
"""


def blessed(root: Path, body: str) -> Path:
    (root / "golden").mkdir()
    (root / "net.spec").write_text(PLAIN.replace("BODY", body))
    bless(front.read(root / "net.spec"), root)
    return root


def test_where_there_is_no_layer_none_is_run_alone(
    tmp_path: Path, faulty: Callable[[Callable[[nn.Module], None]], None]
) -> None:
    def spoil(module: nn.Module) -> None:
        module.register_forward_hook(lambda module, arguments, output: 1.01 * output)

    faulty(spoil)
    report = judged(blessed(tmp_path, "tanh(x)"), "torchscript").report()
    assert "how it looks: every element times 1.01" in report
    assert "layers" not in report and "alone" not in report


def test_a_complex_value_is_right_in_float64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = blessed(tmp_path, "fft(x)")
    honest = torch.fft.fft

    def worse(*given: Any, **named: Any) -> torch.Tensor:
        made: torch.Tensor = honest(*given, **named)
        return made * (1 + 1e-4) if made.dtype == torch.complex64 else made

    monkeypatch.setattr(torch.fft, "fft", worse)
    report = judged(root, "eager").report()
    assert "in float64, eager, it is right: eager in float32 computes it worse" in report
    assert "how it looks: every element times" in report


def test_a_layer_that_rounds_in_eager_shows_its_fault_all_the_same(
    project: Path, faulty: Callable[[Callable[[nn.Module], None]], None]
) -> None:
    def spoil(module: nn.Module) -> None:
        for layer in module.modules():
            if isinstance(layer, nn.Linear) and layer.in_features == 6:
                layer.register_forward_hook(lambda layer, arguments, output: 1.01 * output)

    faulty(spoil)
    for left in project.rglob("meant.py"):  # of another test
        left.unlink()
    # Another spelling of the source is no other meaning.
    verdict = judged(project, "torchscript", source_of(project) + "\n# the same\n")
    report = verdict.report()
    assert (
        "fc1 alone, Linear(in_features=6, out_features=8, bias=True), shows it: its out" in report
    )
    script = Path(verdict.located[-1].partition(": ")[2])
    assert script.is_file() and not (script.parent / "meant.py").exists()
