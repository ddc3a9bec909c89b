"""The script that holds a source against what its spec means: torch alone, and nothing hidden."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from specc import front
from specc.emit import emit
from specc.harness.cases.case import close
from specc.harness.cases.matrix import cases
from specc.harness.judging.repro_source import script
from specc.ir import Program

SPECS = Path(__file__).parent.parent / "specs"
SPEC = """spec 1

model Net {
  input x: float[N, 6]
  h = x -> fc1: Linear(8) -> Dropout(0.5) -> act: Tanh
  output h -> fc2: Linear(3)
}

train {
  input y: index(3)[N]
  loss = CrossEntropyLoss(output, y, label_smoothing=0.1)
  clip GradNorm(0.01)
  optimizer Adam(lr=0.1)
  scheduler StepLR(step_size=1, gamma=0.5) per step
}

test {
  sizes N=5
  steps 2
  MODES
  targets eager
}
"""


def ran(folder: Path, program: Program, judged: str) -> tuple[int, list[str]]:
    """The exit status of the script for the program's first case, and its lines."""
    closed = close(program, cases(program)[0])
    text, sources, numbers = script(program, closed, judged, emit(program))
    for name, content in {**sources, "repro.py": text}.items():
        (folder / name).write_text(content)
    torch.save(numbers, folder / "repro.pt")
    done = subprocess.run(
        [sys.executable, folder / "repro.py"], capture_output=True, text=True, timeout=120
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def program_in(folder: Path, modes: str = "modes train") -> Program:
    (folder / "net.spec").write_text(SPEC.replace("MODES", modes))
    return front.read(folder / "net.spec")


@pytest.mark.parametrize(
    ("old", "new", "first"),
    [
        ("self.act(", "-self.act(", "step 0: fc2: off by "),
        ("label_smoothing=0.1", "label_smoothing=0.11", "step 0: loss: off by "),
        ("self.parameters(), 0.01", "self.parameters(), 0.011", "step 0: gradient of fc2.bias: "),
        ("gamma=0.5", "gamma=0.51", "step 0:  group 0 next lr: off by 2.000e-02 of its root"),
        ('"step"', '"epoch"', "step 0:  scheduler interval step: only in meant.py"),
    ],
)
def test_the_first_value_that_differs_is_the_first(
    tmp_path: Path, old: str, new: str, first: str
) -> None:
    program = program_in(tmp_path)
    assert emit(program).count(old) == 1
    status, lines = ran(tmp_path, program, emit(program).replace(old, new))
    assert status == 1 and lines[1].strip().startswith(first), lines[:4]


def test_what_is_the_same_differs_in_nothing(tmp_path: Path) -> None:
    program = program_in(tmp_path)
    status, lines = ran(tmp_path, program, emit(program).replace("# net.spec", "# another"))
    assert status == 0 and len(lines) == 1 and ": 0 of " in lines[0]


def test_evaluation_is_run_forward(tmp_path: Path) -> None:
    program = program_in(tmp_path, "modes eval")
    status, lines = ran(tmp_path, program, emit(program).replace("self.act(", "-self.act("))
    assert status == 1 and lines[1].strip().startswith("step 0: fc2: off by")


def test_a_training_of_several_steps_is_run_as_a_trainer_would(tmp_path: Path) -> None:
    program = front.read(SPECS / "dqn.spec")
    assert cases(program)[0].mode == "train"
    old = "torch.where(done, 0.0, "
    assert emit(program).count(old) == 1
    edited = emit(program).replace(old, "torch.where(done, 0.1, ")
    status, lines = ran(tmp_path, program, edited)
    assert status == 1 and "loss: off by " in lines[1]
