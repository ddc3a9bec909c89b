"""Floors of a case: near the unit, the same again, and raised where a kink is near."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from harness_support import CNN_SOURCE, HEADER, cnn, plain

from specc import front
from specc.emit import emit
from specc.harness.cases.case import ClosedCase, close
from specc.harness.cases.matrix import cases
from specc.harness.floors.floor import floors, honest_runs, reference
from specc.harness.floors.floor_statistics import Floor
from specc.harness.floors.machine import MACHINES, threads
from specc.harness.running.kernels import plain_kernels
from specc.harness.running.observe import Run, Setting
from specc.ir import Program

UNIT = 2.0**-23

KINKED = (
    HEADER
    + """class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(x)
        return torch.relu(y - y.detach().to(torch.float32).to(y.dtype) + 1e-9)
"""
)


def test_a_kink_raises_the_floor_of_what_it_reaches() -> None:
    program = plain()
    closed = close(program, cases(program)[0])
    found = reference(program, closed, KINKED, ["float32"])
    # Of three rows two columns each, one decision at most each.
    assert 0 < found.kinks["float32"] <= found.decisions[0].numel()
    assert all(len(log) == len(found.decisions) for log in found.others["float32"])
    assert found.early["float32"] == found.kinks["float32"]  # there is one step and no other
    runs = honest_runs(program, found, KINKED, "float32")
    measured = floors(program, found, KINKED, "float32", runs)
    assert measured["step0/grad/fc.bias"].rms > 0.05
    assert measured["step0/layer/fc"].rms < 1e-6


def test_floors_are_near_the_unit_and_the_same_again() -> None:
    program = cnn()
    closed = close(program, cases(program)[0])
    found = reference(program, closed, CNN_SOURCE, ["float32"])

    def measured() -> dict[str, Floor]:
        runs = honest_runs(program, found, CNN_SOURCE, "float32")
        return floors(program, found, CNN_SOURCE, "float32", runs)

    first = measured()
    assert first == measured()
    assert UNIT / 4 <= first["step0/layer/conv1"].rms < 8 * UNIT
    # A bias before a BatchNorm has no gradient but noise.
    assert first["step0/grad/conv1.bias"].rms > 0.1
    assert isinstance(first["step0/loss/loss"], Floor)


IMAGES = (
    "spec 1\n\nmodel Net {\n  input x: float[N, 3, 8, 8]\n"
    "  output x -> Conv2d(4, 3) -> Flatten -> Linear(2)\n}\n\n"
    "train {\n  input y: float[N, 2]\n  loss = MSELoss(output, y)\n  optimizer Adam(lr=0.1)\n}\n\n"
    "test {\n  sizes N=2\n  steps 1\n  modes train\n  targets eager\n  LAYOUTS\n}\n"
)


@pytest.mark.parametrize("asked", [False, True])
def test_machines_differ_in_what_cells_may_differ_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    from specc.harness.floors import floor

    layouts = "layouts contiguous, channels_last" if asked else ""
    (tmp_path / "net.spec").write_text(IMAGES.replace("LAYOUTS", layouts))
    program = front.read(tmp_path / "net.spec")
    source = emit(program)
    found = reference(program, close(program, cases(program)[0]), source, ["float32"])
    seen: list[tuple[str, str, bool, int, bool]] = []
    run = floor.observe

    def observe(program: Program, closed: ClosedCase, source: str, how: Setting) -> Run:
        onednn = bool(torch.backends.mkldnn.enabled)
        seen.append((how.layout, how.optimizer, how.calls, torch.get_num_threads(), onednn))
        return run(program, closed, source, how)

    monkeypatch.setattr(floor, "observe", observe)
    assert len(honest_runs(program, found, source, "float32")) == 12 == len(seen)
    # Machines of one kind come one after the other, and what they give in the order of all.
    assert [each.number for each in MACHINES] == list(range(12))
    numbers = (0, 4, 6, 8, 10, 1, 5, 7, 9, 11, 2, 3)
    seen = [shown for _, shown in sorted(zip(numbers, seen, strict=True))]
    last = "channels_last" if asked else "contiguous"
    assert [each[0] for each in seen] == ["contiguous"] * 4 + [last] * 2 + ["contiguous"] * 6
    assert [each[1] for each in seen] == [""] * 6 + ["foreach"] * 6
    assert [each[2] for each in seen] == [True] + [False] * 11
    assert [each[3] for each in seen] == [1, 1, 2, 2] + [1] * 8
    assert [each[4] for each in seen] == [True, False] * 6


def test_settings_are_put_back() -> None:
    count, onednn = torch.get_num_threads(), bool(torch.backends.mkldnn.enabled)
    with threads(1), plain_kernels(True):
        assert torch.get_num_threads() == 1
        assert not torch.backends.mkldnn.enabled
    assert torch.get_num_threads() == count
    assert bool(torch.backends.mkldnn.enabled) == onednn
