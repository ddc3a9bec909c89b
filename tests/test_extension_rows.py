"""What rows of extensions may be: metrics too, under names that a spec also gives, with noise.

Non-goal: rows that are none (``test_extension_faults``)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from extension_projects import listed, project, refusal

import specc
from specc import front
from specc.emit import emit
from specc.harness.cases.case import close
from specc.harness.cases.matrix import cases
from specc.harness.running.observe import Setting, observe


def test_a_metric_goes_the_same_way(tmp_path: Path) -> None:
    helper = "def farthest(preds: Tensor, target: Tensor) -> Tensor:\n    " \
        "return (preds - target).abs().max()\n"  # fmt: skip
    row = (
        f'FunctionRow("Farthest", "farthest", "preds: tensor, target: tensor", "the largest error",'
        f' helper={helper!r}, family="metric", shape=lambda call: TensorType("float", ()))'
    )
    spec = project(tmp_path, listed(row), "head: Linear(1)")
    text = spec.read_text(encoding="utf-8") + (
        "train {\n  input label: float[N, 1]\n  loss = MSELoss(y, label)\n"
        "  metric Farthest(y, label)\n  optimizer SGD(lr=0.1)\n}\n"
    )
    spec.write_text(text, encoding="utf-8")
    model = specc.load(spec)
    found = model.metrics(torch.tensor([[1.0], [4.0]]), torch.tensor([[1.5], [1.0]]))
    assert {name: value.item() for name, value in found.items()} == {"Farthest": 3.0}


NAMED = """
ROWS = (
    FunctionRow("doubled", "doubled", "input: tensor", "twice x", shape=same,
                helper="def doubled(input: Tensor) -> Tensor:\\n    return 2 * input\\n"),
)
"""


def test_a_value_called_as_the_helper_hides_nothing(tmp_path: Path) -> None:
    """``doubled`` in ``forward`` would otherwise be the value."""
    spec = project(tmp_path, NAMED, "doubled\n  doubled = y -> doubled\n  z = doubled -> doubled")
    spec.write_text(spec.read_text("utf-8").replace("output y", "output z"), encoding="utf-8")
    model = specc.load(spec)
    assert torch.equal(model(torch.ones(1, 4)), torch.full((1, 4), 8.0))


@pytest.mark.parametrize("change", [("N, 4", "doubled, 4"), ("Net", "doubled"),
                                    ("model Net", "param doubled: int = 3\n\nmodel Net"),
                                    ("x -> doubled", "x -> repeat(1) doubled_")])  # fmt: skip
def test_a_param_a_size_and_a_class_cannot_hide_it(tmp_path: Path, change: tuple[str, str]) -> None:
    spec = project(tmp_path, NAMED, "doubled")
    text = spec.read_text(encoding="utf-8")
    if "doubled_" in change[1]:
        change = ("  y = x -> doubled", "  y = x\n  for doubled in range(2) { y = y -> doubled }")
    spec.write_text(text.replace(*change), encoding="utf-8")
    assert refusal(spec).code == "E0205"


NOISY = """\
def noisy(input: Tensor) -> Tensor:
    return input + torch.rand_like(input)
"""


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ('"noisy", helper=' + repr(NOISY), "a function: torch.rand_like"),
        ('"noisy_module.noisy", module="noisy_module"', "noisy_module.noisy, of an extension"),
    ],
    ids=["helper", "module"],
)
def test_noise_that_is_not_under_control_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, told: str
) -> None:
    (tmp_path / "noisy_module.py").write_text(
        f"import torch\nfrom torch import Tensor\n{NOISY}", encoding="utf-8"
    )
    monkeypatch.delitem(sys.modules, "noisy_module", raising=False)
    torch_name, _, given = how.partition(", ")
    row = (
        f'FunctionRow("noisy", {torch_name}, "input: tensor", "x and noise", shape=same,'
        f" stochastic=True, {given})"
    )
    spec = project(tmp_path, listed(row), "noisy")
    program = front.read(spec)
    run = observe(program, close(program, cases(program)[0]), emit(program),
                  Setting("eager", "cpu", "float32"))  # fmt: skip
    assert f"noise not under control: {told}" in run.notes


def test_dropout_inside_an_imported_layer_is_under_control(tmp_path: Path) -> None:
    (tmp_path / "dropping_module.py").write_text(
        "from torch import Tensor, nn\n\n\nclass Dropping(nn.Module):\n"
        "    def __init__(self) -> None:\n        super().__init__()\n"
        "        self.inner = nn.Dropout(0.5)\n\n"
        "    def forward(self, input: Tensor) -> Tensor:\n        return self.inner(input)\n",
        encoding="utf-8",
    )
    row = (
        'LayerRow("Dropping", "dropping_module.Dropping", "", "as Dropout", shape=same,'
        ' module="dropping_module")'
    )
    program = front.read(project(tmp_path, listed(row), "Dropping -> fc: Linear(2)"))
    case = next(case for case in cases(program) if case.mode == "train")
    runs = [
        observe(program, close(program, case), emit(program), Setting(target, "cpu", "float32"))
        for target in ("eager", "torchscript")
    ]
    assert all(run.notes == () for run in runs)
    outputs = [
        next(seen.values for seen in run.observations if "output" in seen.name) for run in runs
    ]
    assert torch.equal(*outputs)
