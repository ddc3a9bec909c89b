"""Several optimizers on disjoint parameters under one loss: what is emitted steps as a loop written
by hand does, the harness sees each, and two of one parameter are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from specc.emit import emit
from specc.errors import SpecError
from specc.front import read
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import cells
from specc.harness.goldens.fingerprint import fingerprint
from specc.harness.judging.judge import judge
from specc.harness.running.observed_lines import lines_of
from specc.semantics import analyse
from specc.targets.live import module_class

PARTS = """spec 1

model Net {
  input x: float[N, 6]
  scores = x -> body: Linear(8) -> Tanh -> head: Linear(3)
  output scores
}

train {
  input label: index(3)[N]
  loss = CrossEntropyLoss(scores, label)
  clip GradNorm(0.5)
  optimizer SGD(lr=0.02, momentum=0.9) on body.weight
  scheduler StepLR(step_size=1, gamma=0.5) per step
  optimizer AdamW(lr=1e-2) on * except body.weight {
    group(weight_decay=0.0) on *.bias
  }
}

test {
  sizes N=4
  targets eager
  devices cpu
  modes train
}
"""

STEPS = """spec 1

model A {
  input x: float[N, 3]
  output x -> a: Linear(4) -> Tanh -> b: Linear(2)
}

model B {
  input x: float[N, 2]
  output x -> Linear(1)
}

train {
  input x: float[N, 3]
  accumulate 2
  step one {
    loss = mean(A(x) ** 2)
    optimizer SGD(lr=0.1) on A.a.*
    optimizer SGD(lr=0.2) on A.b.*
    scheduler ReduceLROnPlateau(patience=1) per step
  }
  step two {
    loss = mean((B(detach(A(x))) - 1) ** 2)
    optimizer Adam(lr=0.2) on B
  }
}

test {
  sizes N=4
  targets eager
  devices cpu
  modes train
}
"""


def test_each_steps_its_own_parameters_under_one_loss() -> None:
    made: Any = module_class(emit(analyse(PARTS, "m.spec")), "Net", "m")()
    body, head = nn.Linear(6, 8), nn.Linear(8, 3)
    body.load_state_dict(made.body.state_dict())
    head.load_state_dict(made.head.state_dict())
    every = [body.weight, body.bias, head.weight, head.bias]
    sgd = torch.optim.SGD([body.weight], lr=0.02, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(sgd, 1, gamma=0.5)
    adamw = torch.optim.AdamW(
        [{"params": [head.weight]}, {"params": [body.bias, head.bias], "weight_decay": 0.0}],
        lr=1e-2,
    )
    configured = made.configure_optimizers()
    assert list(configured) == ["sgd", "adamw"] and "lr_scheduler" not in configured["adamw"]
    optimizers = {name: each["optimizer"] for name, each in configured.items()}
    for _ in range(3):
        x, label = torch.randn(5, 6), torch.randint(3, (5,))
        made.training_step(optimizers, x, label)
        configured["sgd"]["lr_scheduler"]["scheduler"].step()
        for optimizer in (sgd, adamw):
            optimizer.zero_grad()
        nn.functional.cross_entropy(head(torch.tanh(body(x))), label).backward()
        nn.utils.clip_grad_norm_(every, 0.5)
        sgd.step()
        adamw.step()
        schedule.step()
    own = [made.body.weight, made.body.bias, made.head.weight, made.head.bias]
    assert all(torch.equal(a, b) for a, b in zip(own, every, strict=True))


@pytest.mark.parametrize("text", [PARTS, STEPS])
def test_a_golden_holds_each_and_sees_a_fault_in_one(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    path = tmp_path / "net.spec"
    path.write_text(text, encoding="utf-8")
    program = read(path)
    bless(program, tmp_path)
    (cell,) = cells(program)
    assert judge(program, cell, tmp_path).outcome == "passed"
    second = ("lr=0.01", "lr=0.011") if text is PARTS else ("lr=0.2)  # net.spec:19", "lr=0.21)")
    source = emit(program)
    assert second[0] in source
    found = judge(program, cell, tmp_path, source.replace(*second, 1))
    assert found.outcome == "regressed"
    names = {finding.name for finding in found.findings}
    key = "adamw" if text is PARTS else "one/sgd_2"
    rate = next(name for name in names if name.startswith(f"step0/lr/{key}/"))
    line = next(k for k, each in enumerate(text.splitlines(), 1)
                if ("AdamW" if text is PARTS else "lr=0.2) on A") in each)  # fmt: skip
    assert lines_of(program).of(rate).line == line


def test_one_optimizer_keeps_its_meaning() -> None:
    one = PARTS.replace("  optimizer AdamW(lr=1e-2) on * except body.weight {\n", "")
    one = one.replace("    group(weight_decay=0.0) on *.bias\n  }\n", "").replace(
        " on body.weight", ""
    )
    program = analyse(one, "m.spec")
    assert program.train is not None and not program.train.keyed
    assert "training_step(\n        self, optimizer: torch.optim.Optimizer" in emit(program)
    assert fingerprint(program) != fingerprint(analyse(PARTS, "m.spec"))


FAULTS = [
    (("* except body.weight", "*"), "E0409", "one optimizer of `body.weight`, SGD"),
    ((" on * except body.weight", ""), "E0409", "one optimizer of `body.weight`, SGD"),
    (("optimizer AdamW", "scheduler ExponentialLR(gamma=0.9)\n  optimizer AdamW"), "E0409",
     "already one scheduler"),
    (("group(weight_decay=0.0) on *.bias", "group(weight_decay=0.0) on body.weight"), "E0402",
     "not among"),
    (("SGD(lr=0.02, momentum=0.9)", "LBFGS()"), "E0419", "another optimizer"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "said"), FAULTS)
def test_what_two_would_step_is_refused(change: tuple[str, str], code: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        analyse(PARTS.replace(*change), "m.spec")
    found = [each.message for each in caught.value.diagnostics() if each.code == code]
    assert any(said in message for message in found), caught.value
