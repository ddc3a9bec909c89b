"""``freeze teacher`` keeps parameters, running statistics and dropout; ``freeze on`` parameters."""

from __future__ import annotations

import pytest
import torch
from emit_support import emitted
from semantics_support import faults
from torch import nn

from specc.semantics import analyse
from specc.targets import TARGETS
from specc.targets.live import module_class

TEXT = """
spec 1

block Unit {
  input x: float[N, D]
  h = x -> fc: Linear(D, bias=false) -> bn: BatchNorm1d -> drop: Dropout(0.5)
  output relu(h)
}

model Teacher {
  input x: float[N, 8]
  output dropout(x -> unit: Unit -> head: Linear(3), p=0.5)
}

model Student {
  input x: float[N, 8]
  output x -> a: Unit -> blocks: repeat(2) Unit -> head: Linear(3)
  freeze a, blocks.0
}

train {
  input x: float[N, 8]
  freeze Teacher
  soft = softmax(Teacher(x) / 2.0, dim=-1)
  loss = KLDivLoss(log_softmax(Student(x) / 2.0, dim=-1), soft, reduction="batchmean")
  optimizer SGD(lr=0.1) on Student
}
"""


def training() -> nn.Module:
    return module_class(emitted(TEXT), "Training", "m")()


def test_no_mode_moves_what_is_frozen() -> None:
    module = training()
    for _ in range(2):
        modes = {name: each.training for name, each in module.named_modules()}
        for name in ("teacher", "teacher.unit.bn", "student.a.drop", "student.blocks.0"):
            assert modes[name] is False
        assert modes["student"] and modes["student.blocks.1.bn"]
        module.eval()
        assert not any(each.training for each in module.modules())
        assert module.train() is module


def test_a_step_leaves_it_as_it_was_and_moves_the_rest() -> None:
    module = training().train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    optimizer = module.configure_optimizers()["optimizer"]
    module.training_step(optimizer, torch.randn(4, 8))
    moved = {n for n, value in module.state_dict().items() if not torch.equal(value, before[n])}
    assert not any(
        name.startswith(("teacher.", "student.a.", "student.blocks.0")) for name in moved
    )
    assert {"student.blocks.1.fc.weight", "student.blocks.1.bn.running_mean"} <= moved
    x = torch.randn(4, 8)
    assert torch.equal(module.teacher(x), module.teacher(x))
    assert not module.teacher(x).requires_grad


@pytest.mark.parametrize("target", ["torchscript", "export"])
def test_targets_keep_it_in_training(target: str) -> None:
    module = module_class(emitted(TEXT.replace("drop: Dropout(0.5)", "Tanh")), "Student", "m")()
    x = torch.randn(4, 8)
    made = TARGETS[target].runnable(module.train(), (x,))
    mean = module.a.bn.running_mean.clone()
    made(x)
    assert torch.equal(module.a.bn.running_mean, mean)


def test_parameters_alone_are_a_warning_where_statistics_move() -> None:
    body = "input x: float[N, 8]\nh = x -> fc: Linear(8, bias=false) -> bn: BatchNorm1d\n"

    def warned(line: str) -> list[str]:
        program = analyse(f"spec 1\nmodel M {{\n{body}{line}\noutput h\n}}\n", "m.spec")
        return [item.code for item in program.warnings]  # type: ignore[attr-defined]

    assert warned("freeze on bn.*") == ["W0321"]
    assert warned("freeze on *") == ["W0321"]
    assert warned("freeze on bn.bias") == []
    assert warned("freeze on fc.*") == []
    assert warned("freeze bn") == []
    assert warned("freeze BatchNorm1d") == []
    assert warned("freeze on bn.*\nfreeze bn") == []


@pytest.mark.parametrize("line", ["freeze bm", "freeze fc.weight", "freeze M", "freeze bn.0"])
def test_what_is_no_layer(line: str) -> None:
    body = "input x: float[N, 8]\nh = x -> fc: Linear(8, bias=false) -> bn: BatchNorm1d\n"
    assert faults(f"{body}{line}\noutput h")[0][0] == "E0401"


def test_train_freezes_models_and_steps_nothing_whole() -> None:
    body = "input x: float[N, 8]\nh = x -> fc: Linear(8)\noutput h"
    lines = "freeze fc\nloss = mean(h)\noptimizer SGD(lr=0.1)"
    assert faults(body, f"train {{\n{lines}\n}}")[0][0] == "E0412"
