"""``grad`` in ``train``: gradient penalties and losses of derivatives, held to a loop of torch's
written by hand; what it leaves alone; how models are called."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from specc.emit import emit
from specc.errors import SpecError
from specc.harness.cases import matrix
from specc.harness.judging.judge import unavailable
from specc.ir import Program
from specc.semantics import analyse
from specc.targets.live import module_class

WGAN_GP = """spec 1

param latent: int = 4
param weight: float = 10.0

model Generator {
  input z: float[N, latent]
  output z -> Linear(16) -> ReLU -> Linear(2)
}

model Critic {
  input x: float[N, 2]
  output x -> Linear(16) -> Tanh -> Linear(1)
}

train {
  input real: float[N, 2]
  input z: normal[N, latent]
  input share: unit[N, 1]
  fake = Generator(z)

  step critic {
    mixed = share * real + (1 - share) * detach(fake)
    slope = grad(sum(Critic(mixed)), mixed)
    penalty = mean((vector_norm(slope, dim=1) - 1) ** 2)
    loss = mean(Critic(detach(fake))) - mean(Critic(real)) + weight * penalty
    optimizer Adam(lr=1e-2, betas=(0.0, 0.9)) on Critic
  }
  step generator {
    freeze on Critic.*
    loss = -mean(Critic(fake))
    optimizer Adam(lr=1e-2, betas=(0.0, 0.9)) on Generator
  }
}
"""

R1 = """spec 1

model Net {
  input x: unit[N, 5]
  scores = x -> Linear(16) -> Tanh -> Linear(3)
  output scores
}

train {
  input label: index(3)[N]
  fit = CrossEntropyLoss(scores, label)
  slope = fit -> grad(x)
  loss = fit + 0.1 * sum(slope ** 2)
  optimizer SGD(lr=0.1)
}
"""

WAVE = """spec 1

model Net {
  input t: float[N, 1]
  output t -> Linear(16) -> Tanh -> Linear(1)
}

train {
  input t: float[N, 1]
  u = Net(t)
  speed = grad(sum(u), t)
  force = grad(sum(speed), t)
  loss = mean((force + u) ** 2)
  optimizer SGD(lr=0.1) on Net
}
"""


def training(text: str) -> tuple[Program, Any]:
    program = analyse(text, "m.spec")
    torch.manual_seed(0)
    return program, module_class(emit(program), "Training", "m")()


def test_wgan_gp_is_the_loop_that_one_writes() -> None:
    _, made = training(WGAN_GP)
    generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    critic = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
    for own, emitted in ((generator, made.generator), (critic, made.critic)):
        for mine, parameter in zip(own.parameters(), emitted.parameters(), strict=True):
            mine.data.copy_(parameter)
    steps = {
        "critic": torch.optim.Adam(critic.parameters(), lr=1e-2, betas=(0.0, 0.9)),
        "generator": torch.optim.Adam(generator.parameters(), lr=1e-2, betas=(0.0, 0.9)),
    }
    optimizers = {name: each["optimizer"] for name, each in made.configure_optimizers().items()}
    for _ in range(3):
        real, z, share = torch.randn(8, 2), torch.randn(8, 4), torch.rand(8, 1)
        terms = made.training_step(optimizers, real, z, share)
        fake = generator(z)
        steps["critic"].zero_grad()
        mixed = (share * real + (1 - share) * fake.detach()).requires_grad_()
        slope = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)[0]
        penalty = ((torch.linalg.vector_norm(slope, dim=1) - 1) ** 2).mean()
        loss = critic(fake.detach()).mean() - critic(real).mean() + 10.0 * penalty
        loss.backward()
        steps["critic"].step()
        steps["generator"].zero_grad()
        (-critic(fake).mean()).backward()
        steps["generator"].step()
        assert torch.equal(terms["critic/penalty"], penalty)
        assert torch.equal(terms["critic/loss"], loss)
        assert terms["critic/penalty"] > 0
    for own, emitted in ((generator, made.generator), (critic, made.critic)):
        for mine, parameter in zip(own.parameters(), emitted.parameters(), strict=True):
            assert torch.equal(mine, parameter)


def test_r1_differentiates_the_loss_of_one_model_by_its_input() -> None:
    _, made = training(R1)
    x, label = torch.rand(6, 5), torch.randint(3, (6,))
    found = made.loss(x, label)
    again = x.clone().requires_grad_()
    fit = nn.functional.cross_entropy(made.net(again), label)
    slope = torch.autograd.grad(fit, again, create_graph=True)[0]
    assert torch.equal(found["loss"], fit + 0.1 * torch.sum(slope**2))
    # The batch is the caller's, and stays as it was.
    made.training_step(made.configure_optimizers()["optimizer"], x, label)
    assert not x.requires_grad and x.grad is None


def test_a_derivative_is_differentiated_again() -> None:
    _, made = training(WAVE)
    first, last = made.net.linear_1, made.net.linear_2
    t = torch.linspace(-1, 1, 7).unsqueeze(1).double()
    made.double()
    y = torch.tanh(first(t))
    # d2/dt2 of w2 · tanh(w1 t + b): -2 tanh (1 - tanh²) w1².
    force = last(-2 * y * (1 - y**2) * first.weight.T**2) - last.bias
    wanted = ((force + last(y)) ** 2).mean()
    torch.testing.assert_close(made.loss(t)["loss"], wanted)
    made.loss(t)["loss"].backward()
    grads = [parameter.grad.clone() for parameter in made.parameters()]
    made.zero_grad()
    wanted.backward()
    for got, parameter in zip(grads, made.parameters(), strict=True):
        torch.testing.assert_close(got, parameter.grad)


@pytest.mark.parametrize("text", [R1, WAVE])
def test_evaluation_without_gradients_has_the_same_loss(text: str) -> None:
    program, made = training(text)
    assert program.train is not None
    batch: list[Tensor] = [
        torch.randint(3, (4,)) if value.type.meaning == "index" else torch.rand(4, *shape)
        for value in program.train.inputs
        for shape in [[size for size in value.type.shape[1:] if isinstance(size, int)]]
    ]
    wanted = made.loss(*batch)
    with torch.no_grad():
        found = made.eval().loss(*batch)
    assert all(torch.equal(found[name], term) for name, term in wanted.items())


def test_derivatives_go_through_loops_results_in_tuples_and_shared_values() -> None:
    text = WGAN_GP.replace("fake = Generator(z)", "fake, other = (Generator(z), real)").replace(
        "mixed = share * real + (1 - share) * detach(fake)\n"
        "    slope = grad(sum(Critic(mixed)), mixed)",
        "mixed, _ = sort(share * other, dim=0)\n"
        "    for k in range(2) { mixed = mixed * 2 ** k }\n"
        "    slope = grad(sum(Critic(mixed)), mixed) + grad(sum(Critic(real)), real)",
    )  # fmt: skip
    _, made = training(text)
    optimizers = {name: each["optimizer"] for name, each in made.configure_optimizers().items()}
    real, z, share = torch.randn(8, 2), torch.randn(8, 4), torch.rand(8, 1)
    terms = made.training_step(optimizers, real, z, share)
    assert terms["critic/penalty"] > 0 and not real.requires_grad


def test_torch_compile_has_no_second_derivatives() -> None:
    for text, there in ((R1, {"eval"}), (WAVE, set())):
        program = analyse(text, "m.spec")
        cells = [cell for cell in matrix.cells(program) if cell.target == "compile"]
        cells = [cell for cell in cells if cell.device == "cpu"]
        assert {c.case.mode for c in cells if unavailable(program, c) is None} == there
        eager = [dataclasses.replace(cell, target="eager") for cell in cells]
        assert all(unavailable(program, cell) is None for cell in eager)


HELD = """spec 1

model Net {
  input x: float[N, 5]
  buffer fixed = arange(5) / 5
  parameter still: float[5] = ones_
  freeze on still
  output x -> Linear(5) -> Tanh, fixed, still, x
}

train {
  input t: float[N, 5]
  y, fixed, still, same = Net(t)
  s = SOURCE
  for k in range(2) {
    slope = grad(sum((s * t) ** 2), s)
    y = y * sum(slope ** 2)
    s = positive(s)
  }
  slope = grad(sum((s * t) ** 2), s)
  loss = mean(y) + sum(slope ** 2)
  optimizer SGD(lr=0.1) on Net
}
"""


@pytest.mark.parametrize(
    "source",
    ["fixed", "still", "same", "float(t)", "positive(t)", "flatten(t, 1)", "dropout(t, 0.0)",
     "real(t)", "[t, fixed][1]", "detach(fixed)", "swapdims(still, 0, 0)", "t"],
)  # fmt: skip
def test_what_a_derivative_is_by_stays_as_it_is_elsewhere(source: str) -> None:
    _, made = training(HELD.replace("SOURCE", source))
    t = torch.rand(3, 5)
    optimizer = made.configure_optimizers()["optimizer"]
    for _ in range(2):
        made.training_step(optimizer, t)
    for each in (t, made.net.fixed, made.net.still):
        assert not each.requires_grad and each.grad is None


SEVERAL = """spec 1

block Pair() {
  input x: float[N, D]
  input z: float[N, D]
  output x -> Linear(D) -> Tanh, detach(x) * z
}

model Net {
  input x: float[N, 5]
  input k: index(4)[N]
  h = x -> Linear(5) -> Tanh
  p, q = Pair()(x, h)
  token = k -> Embedding(5)
  for i in range(2) { q = detach(q) -> Linear(5) -> Tanh }
  cut = reshape(float(argmax(x, dim=1)), N, 1) -> Linear(5) -> Tanh
  _, size = slogdet(h @ h.mT)
  sign, _ = slogdet(h @ h.mT)
  output h, p, q, token, cut, sign, size
}

train {
  fit = mean(h ** 2) + mean(p) + mean(q) + mean(token) + mean(cut) + size
  slope = grad(sum(h), x)
  loss = fit + mean(slope ** 2)
  optimizer SGD(lr=0.1)
}
"""
ADDED = """spec 1

model Net {
  input x: float[N, 5]
  parameter shift: float[5] = zeros_
  output tanh(x) * 3 + shift
}

train {
  input t: float[N, 5]
  slope = grad(sum(Net(t)), t)
  loss = mean(slope ** 2)
  optimizer SGD(lr=0.1) on Net
}
"""

FAULTS = [
    *((SEVERAL.replace("sum(h)", f"sum({name})"), "E0431", "not computed from `x`")
      for name in ("q", "token", "cut", "sign")),
    (ADDED, "E0404", "depends on no parameter"),
    (ADDED.replace("tanh(x) * 3", "tanh(detach(shift) * x)"), "E0404", "depends on no parameter"),
    (R1.replace("fit -> grad(x)", "scores -> grad(x)"), "E0430", "of one number"),
    (R1.replace("fit -> grad(x)", "grad(fit)"), "E0430", "two values"),
    (R1.replace("fit -> grad(x)", "grad(fit, 3)"), "E0430", "by a tensor of floats"),
    (R1.replace("fit -> grad(x)", "grad(fit, label)"), "E0430", "by a tensor of floats"),
    (R1.replace("fit -> grad(x)", "grad(detach(fit), x)"), "E0431", "not computed from `x`"),
    (R1.replace("fit -> grad(x)", "grad(fit, x * 1)"), "E0431", "not computed from"),
    (R1.replace("fit -> grad(x)", "grad(fit, Net.linear_1.weight)"), "E0433", "no values"),
    (WAVE.replace("Net(t)", "Net(t, params=t)"), "E0433", "no values"),
    (R1.replace("output scores", "output grad(sum(scores), x)"), "E0204", "stands in `train`"),
    (WGAN_GP.replace("  step critic {", "  score = Critic(real)\n  step critic {").replace(
        "sum(Critic(mixed)), mixed", "sum(score), real"), "E0431", "`score`|this number"),
    (WAVE.replace("on Net", "on Net\n  precision float16"), "E0432", "not scaled"),
    (WAVE.replace("Net(t)", "Net(x=t)"), "E0208", "takes tensors"),
]  # fmt: skip


@pytest.mark.parametrize("of", ["h", "p", "size", "h * token", "q + h", "p * sign"])
def test_a_derivative_of_one_of_several_outputs_is_one(of: str) -> None:
    _, made = training(SEVERAL.replace("sum(h)", f"sum({of})"))
    terms = made.training_step(
        made.configure_optimizers()["optimizer"], torch.rand(4, 5), torch.randint(4, (4,))
    )
    assert bool(torch.isfinite(terms["loss"]))


@pytest.mark.parametrize(("text", "code", "said"), FAULTS)
def test_what_has_no_derivative_is_said(text: str, code: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        analyse(text, "m.spec")
    messages = [each for each in caught.value.diagnostics() if each.code == code]
    assert messages, caught.value
    assert any(part in messages[0].message for part in said.split("|"))
