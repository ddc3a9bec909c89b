"""Floors of a case: near the unit, the same again, and raised where a kink is near."""

from __future__ import annotations

import torch
from harness_support import CNN_SOURCE, HEADER, cnn, plain

from specc.harness.case import close
from specc.harness.floor import floors, honest_runs, reference, threads
from specc.harness.kernels import plain_kernels
from specc.harness.matrix import cases
from specc.harness.spread import Floor

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
    assert found.kinks["float32"] > 0
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


def test_settings_are_put_back() -> None:
    count, onednn = torch.get_num_threads(), bool(torch.backends.mkldnn.enabled)
    with threads(1), plain_kernels(True):
        assert torch.get_num_threads() == 1
        assert not torch.backends.mkldnn.enabled
    assert torch.get_num_threads() == count
    assert bool(torch.backends.mkldnn.enabled) == onednn
