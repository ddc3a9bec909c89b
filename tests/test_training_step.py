"""The emitted training step: what is done, in which order, seen by a scaler and an optimizer that
write it down."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from specc.emit import emit
from specc.front import check_text
from specc.targets.live import module_class

NET = """spec 1
model Net {
  input x: float[N, 4]
  output x -> fc: Linear(2)
}
train {
  input y: float[N, 2]
  STATEMENTS
  loss = MSELoss(output, y)
  optimizer SGD(lr=0.1)
}
"""


def net(*statements: str) -> nn.Module:
    found, diagnostics, _ = check_text(NET.replace("STATEMENTS", "\n  ".join(statements)))
    assert found is not None, diagnostics
    torch.manual_seed(0)
    made: nn.Module = module_class(emit(found), "Net", "net")()
    return made


class Noted:
    """An optimizer and a gradient scaler in one, which note what is asked of them, and the largest
    gradient at that time."""

    def __init__(self, module: nn.Module) -> None:
        self.module, self.calls = module, list[str]()
        self.norms: list[float] = []

    def _note(self, name: str) -> None:
        self.calls.append(name)
        gradients = [p.grad for p in self.module.parameters() if p.grad is not None]
        self.norms.append(max((float(each.norm()) for each in gradients), default=0.0))

    def zero_grad(self) -> None:
        self._note("zero_grad")
        self.module.zero_grad()

    def scale(self, loss: Tensor) -> Tensor:
        self._note("scale")
        return 1024.0 * loss

    def unscale_(self, optimizer: object) -> None:
        assert optimizer is self
        self._note("unscale")
        for parameter in self.module.parameters():
            assert parameter.grad is not None
            parameter.grad /= 1024.0

    def step(self, optimizer: object = None) -> None:
        assert optimizer in (None, self)
        self._note("step" if optimizer is None else "scaler.step")

    def update(self) -> None:
        self._note("update")


def stepped(module: Any, scaled: bool, *batch: int) -> Noted:
    seen = Noted(module)
    x, y = torch.randn(8, 4), 100.0 * torch.randn(8, 2)
    given = (seen, seen) if scaled else (seen,)
    terms = module.training_step(*given, *batch, x, y)
    assert list(terms) == ["loss"] and not terms["loss"].requires_grad
    return seen


def test_a_plain_step_is_three_calls() -> None:
    assert stepped(net(), False).calls == ["zero_grad", "step"]


def test_bfloat16_needs_no_scaler() -> None:
    assert stepped(net("precision bfloat16"), False).calls == ["zero_grad", "step"]


def test_float16_is_scaled_and_the_scaler_steps() -> None:
    seen = stepped(net("precision float16"), True)
    assert seen.calls == ["zero_grad", "scale", "scaler.step", "update"]
    # What the scaler has not divided is still multiplied.
    assert seen.norms[2] > 1000.0


def test_gradients_are_clipped_when_they_are_themselves_again() -> None:
    seen = stepped(net("precision float16", "clip GradNorm(1.0)"), True)
    assert seen.calls == ["zero_grad", "scale", "unscale", "scaler.step", "update"]
    assert seen.norms[2] > 1000.0 and seen.norms[3] <= 1.0
    plain = stepped(net("clip GradNorm(1.0)"), False)
    assert plain.calls == ["zero_grad", "step"] and 0.0 < plain.norms[1] <= 1.0


@pytest.mark.parametrize("scaled", [False, True])
def test_of_two_batches_the_second_steps(scaled: bool) -> None:
    module = net("accumulate 2", *(["precision float16"] if scaled else []))
    first = stepped(module, scaled, 0)
    assert first.calls == (["scale"] if scaled else [])
    second = stepped(module, scaled, 1)
    ending = ["scaler.step", "zero_grad", "update"] if scaled else ["step", "zero_grad"]
    assert second.calls == [*first.calls, *ending]


def test_each_batch_counts_by_half_where_two_are_one_step() -> None:
    whole, halves = net(), net("accumulate 2")
    x, y = torch.randn(8, 4), torch.randn(8, 2)
    plain, parts = Noted(whole), Noted(halves)
    whole.training_step(plain, x, y)
    halves.training_step(parts, 0, x, y)
    for one, other in zip(whole.parameters(), halves.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None
        assert torch.allclose(one.grad, 2.0 * other.grad)
