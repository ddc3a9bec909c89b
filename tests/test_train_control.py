"""``for`` and ``if`` in ``train``: what they compute, what of them is emitted, what is refused."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import nn

from specc.emit import emit
from specc.errors import SpecError
from specc.harness.goldens.fingerprint import fingerprint
from specc.semantics import analyse
from specc.targets.live import module_class

NET = """spec 1

param aux: bool = true
param levels: int = 3

model Net(depth: int = 2, mode: str = "sum") {
  input x: float[N, 5]
  h = x -> Linear(16) -> Tanh
  first = h -> Linear(3)
  scores = h -> Linear(3)
  output scores, first
}

train {
  input label: index(3)[N]
  loss = CrossEntropyLoss(scores, label)
BODY
  optimizer SGD(lr=0.1)
}
"""


def made(body: str, *arguments: object, **params: object) -> Any:
    program = analyse(NET.replace("BODY", body), "m.spec", params or None)
    return module_class(emit(program), "Net", "m")(*arguments)


def loss_of(module: Any) -> tuple[dict[str, torch.Tensor], tuple[torch.Tensor, ...]]:
    torch.manual_seed(1)
    scores, first, label = torch.randn(6, 3), torch.randn(6, 3), torch.randint(3, (6,))
    named = {"scores": scores, "first": first, "label": label}
    taken = inspect.signature(module.loss).parameters
    return module.loss(**{n: named[n] for n in taken}), (scores, first, label)


def test_a_for_adds_terms_round_by_round() -> None:
    body = """
  total = mean(first)
  for k in range(depth) {
    part = mean(scores[:, k] ** 2)
    total = total + 0.5 ** k * part
  }
  for weight in (0.1, 0.01) { loss = loss + weight * total }
"""
    terms, (scores, first, label) = loss_of(made(body))
    total = torch.mean(first)
    for k in range(2):
        total = total + 0.5**k * torch.mean(scores[:, k] ** 2)
    wanted = nn.functional.cross_entropy(scores, label)
    for weight in (0.1, 0.01):
        wanted = wanted + weight * total
    # What is new in a round is gone after it, and no term.
    assert list(terms) == ["total", "loss"]
    assert torch.equal(terms["loss"], wanted) and torch.equal(terms["total"], total)


def test_a_loop_with_one_form_is_a_loop_of_the_emitted_loss() -> None:
    program = analyse(NET.replace("BODY", """
  for k in range(depth) { loss = loss + 0.1 * k * mean(first ** 2) }
"""), "m.spec")  # fmt: skip
    assert "for k in range(self.depth):" in emit(program)
    more = module_class(emit(program), "Net", "m")(depth=4)
    terms, (scores, first, label) = loss_of(more)
    wanted = nn.functional.cross_entropy(scores, label)
    for k in range(4):
        wanted = wanted + 0.1 * k * torch.mean(first**2)
    assert torch.equal(terms["loss"], wanted)


CHOICE = """
  if aux and mode == "sum" {
    helper = CrossEntropyLoss(first, label)
    loss = loss + helper
    regularize L2(1e-4) on *.weight
    metric Accuracy(first, label)
    accumulate 2
  } else if levels > 1 {
    clip GradNorm(1.0)
    if depth > 1 { loss = loss * 2 }
  }
"""


def test_an_if_takes_one_side_with_all_that_stands_there() -> None:
    yes = made(CHOICE)
    terms, (scores, first, label) = loss_of(yes)
    cross = nn.functional.cross_entropy
    assert list(terms) == ["helper", "loss"]
    assert torch.equal(terms["loss"], cross(scores, label) + cross(first, label))
    assert hasattr(yes, "penalty") and hasattr(yes, "metrics")
    no = made(CHOICE, aux=False)
    terms, (scores, _, label) = loss_of(no)
    assert torch.equal(terms["loss"], cross(scores, label) * 2)
    assert not hasattr(no, "penalty") and not hasattr(no, "metrics")
    one, other = (analyse(NET.replace("BODY", CHOICE), "m.spec", p) for p in ({}, {"aux": False}))
    assert fingerprint(one) != fingerprint(other)


def test_what_was_decided_is_asserted() -> None:
    for body in (
        "  if depth > 1 { loss = loss * 2 }",
        "  for k in range(depth) {\nloss = loss * 2\nif k > 0 { loss = loss + 1 }\n}",
        "  for k in range(3) { if depth > k { loss = loss + mean(scores) } }",
    ):
        loss_of(made(body))
        with pytest.raises(AssertionError, match="build the spec again"):
            loss_of(made(body, 1))


def test_steps_take_them_too_and_a_step_may_be_left_out() -> None:
    text = """spec 1
param critics: int = 2
model A { input x: float[N, 3]
  output x -> Linear(3) }
model B { input x: float[N, 3]
  output x -> Linear(1) }
train {
  input x: float[N, 3]
  y = A(x)
  for k in range(2) { y = y + 0.1 * k }
  if critics > 1 { ema average of B decay 0.9 }
  if critics > 0 {
    step critic {
      loss = mean(B(detach(y)) ** 2)
      for k in range(critics) { loss = loss + mean(B(x * k)) }
      if critics > 1 { optimizer Adam(lr=1e-3) on B } else { optimizer SGD(lr=0.1) on B }
    }
  }
  step actor {
    loss = -mean(B(y))
    optimizer SGD(lr=0.1) on A
  }
}
"""
    text = text.replace("{ input", "{\n  input").replace("Linear(3) }", "Linear(3)\n}")
    text = text.replace("Linear(1) }", "Linear(1)\n}")
    source = emit(analyse(text, "m.spec"))
    assert "torch.optim.Adam(" in source and "assert CRITICS > 1" in source
    training: Any = module_class(source, "Training", "m")()
    optimizers = {k: each["optimizer"] for k, each in training.configure_optimizers().items()}
    x = torch.randn(4, 3)
    terms = training.training_step(optimizers, x)
    assert list(terms) == ["critic/loss", "actor/loss"]
    alone = analyse(text, "m.spec", {"critics": 0})
    assert alone.train is not None and [step.name for step in alone.train.steps] == ["actor"]


FAULTS = [
    ("  if N > 4 { loss = loss * 2 }", "E0234", "needs the size N"),
    ("  if scores { loss = loss * 2 }", "E0201", "scores"),
    ("  if levels { loss = loss * 2 }", "E0234", "wants true or false"),
    ("  for k in range(2) { optimizer SGD(lr=0.1) }", "E0204", "not in a `for`"),
    ("  for k in range(2) {\n regularize L2(0.1) on *.weight\n }", "E0204", "not in a `for`"),
    ("  for t in range(N) { loss = loss * 2 }", "E0235", "N"),
    ("  for k in range(2) { loss = loss + mean(part) }", "E0201", "part"),
    ("  for k in range(2) { loss = scores }", "E0404", "one number"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "said"), FAULTS)
def test_what_cannot_be_decided_or_repeated_is_said(body: str, code: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        made(body)
    found = [each.message for each in caught.value.diagnostics() if each.code == code]
    assert found and any(said in message for message in found), caught.value
