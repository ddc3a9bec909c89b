"""Composed schedulers, optimizers with demands, and a step that computes the loss itself.

What they emit is run against torch written by hand; what does not go together is refused with its
code. Non-goals: single settings (``test_catalog_settings``), floors (goldens).
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

import specc
from specc.emit import emit
from specc.errors import Diagnostic, SpecError
from specc.semantics import analyse
from specc.targets.live import module_class

MODEL = """spec 1
model Net {
  input x: float[N, 6]
  y = x -> fc: Linear(5) -> Tanh -> head: Linear(2)
  output y
}
train {
  input t: float[N, 2]
  loss = MSELoss(y, t)
"""
TABLE = """spec 1
model Net {{
  input x: index(9)[N]
  y = x -> e: Embedding(4{sparse}) -> head: Linear(2)
  output y
}}
train {{
  input t: float[N, 2]
  loss = MSELoss(y, t)
"""


def _faults(text: str) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        analyse(text + "}\n", "m.spec", {})
    return [item for item in caught.value.diagnostics() if item.severity == "error"]


def _rates(optimizer: torch.optim.Optimizer, scheduler: Any, count: int = 12) -> list[float]:
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(count):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return rates


# ── schedulers of schedulers ─────────────────────────────────────────────────────────────────────


def _sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD([nn.Parameter(torch.zeros(2))], lr=0.1)


def test_schedulers_one_after_the_other_go_as_torchs() -> None:
    schedule = (
        "SequentialLR([LinearLR(total_iters=3), CosineAnnealingLR(T_max=4), "
        "ExponentialLR(gamma=0.5)], milestones=(3, 7))"
    )
    module: Any = specc.loads(
        f"{MODEL}  optimizer SGD(lr=0.1)\n  scheduler {schedule} per step\n}}"
    )
    made = module.configure_optimizers()
    assert made["lr_scheduler"]["interval"] == "step"
    optimizer = _sgd()
    torchs = torch.optim.lr_scheduler
    parts = [
        torchs.LinearLR(optimizer, total_iters=3),
        torchs.CosineAnnealingLR(optimizer, T_max=4),
        torchs.ExponentialLR(optimizer, gamma=0.5),
    ]
    wanted = _rates(optimizer, torchs.SequentialLR(optimizer, parts, milestones=[3, 7]))
    assert _rates(made["optimizer"], made["lr_scheduler"]["scheduler"]) == wanted
    assert len(set(wanted)) > 6


def test_schedulers_at_once_go_as_torchs() -> None:
    schedule = "ChainedScheduler([LinearLR(total_iters=3), StepLR(step_size=2, gamma=0.5)])"
    module: Any = specc.loads(f"{MODEL}  optimizer SGD(lr=0.1)\n  scheduler {schedule}\n}}")
    made = module.configure_optimizers()
    optimizer = _sgd()
    torchs = torch.optim.lr_scheduler
    parts = [
        torchs.LinearLR(optimizer, total_iters=3),
        torchs.StepLR(optimizer, step_size=2, gamma=0.5),
    ]
    wanted = _rates(optimizer, torchs.ChainedScheduler(parts, optimizer=optimizer))
    assert _rates(made["optimizer"], made["lr_scheduler"]["scheduler"]) == wanted


def test_a_param_reaches_a_part_of_a_schedule() -> None:
    text = MODEL.replace("model", "param warm: int = 2\nmodel", 1) + (
        "  optimizer SGD(lr=0.1)\n"
        "  scheduler SequentialLR([LinearLR(total_iters=warm), StepLR(step_size=9)], (warm,))\n}"
    )
    found = [
        specc.loads(text, params={"warm": warm}).configure_optimizers()["lr_scheduler"]["scheduler"]
        for warm in (2, 4)
    ]
    assert [list(each._milestones) for each in found] == [[2], [4]]


@pytest.mark.parametrize(
    ("schedule", "code", "words"),
    [
        ("SequentialLR([LinearLR(), StepLR(step_size=2)], milestones=(2, 4))", "E0307",
         "2 schedulers change over 1 times"),
        ("SequentialLR([LinearLR(), StepLR(step_size=2), LinearLR()], milestones=(4, 2))", "E0307",
         "comes after the one before"),
        ("SequentialLR([LinearLR(), ReduceLROnPlateau()], milestones=(2,))", "E0307",
         "waits for a value"),
        ("ChainedScheduler([LinearLR(), ChainedScheduler([LinearLR()])])", "E0307",
         "made of others itself"),
        ("ChainedScheduler([])", "E0211", "a list of schedulers"),
        ("ChainedScheduler()", "E0210", "missing `schedulers`"),
        ("ChainedScheduler(3)", "E0211", "a list of schedulers"),
        ("ChainedScheduler([LinearLR(), Linear(3)])", "E0405", "no scheduler called `Linear`"),
        ("ChainedScheduler([LinearLR(), StepLR(step=3)])", "E0203", "no argument `step`"),
        ("ChainedScheduler([LinearLR(), StepLR(step_size=0)])", "E0307", "at least 1"),
        ("ChainedScheduler([OneCycleLR(max_lr=0.1)])", "E0307", "total_steps"),
        ("SequentialLR([LinearLR(), StepLR(step_size=2)], milestones=(0,))", "E0307", "at least 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_composed_is_refused(schedule: str, code: str, words: str) -> None:
    faults = _faults(f"{MODEL}  optimizer SGD(lr=0.1)\n  scheduler {schedule}\n")
    assert [fault.code for fault in faults] == [code]
    assert words in faults[0].message


# ── what an optimizer asks of its parameters ─────────────────────────────────────────────────────


def test_muon_names_the_parameter_that_is_no_matrix() -> None:
    (fault,) = _faults(f"{MODEL}  optimizer Muon(lr=0.01)\n")
    assert fault.code == "E0406"
    assert "`fc.bias` has 1" in fault.message
    assert fault.help is not None and "on Linear.weight" in fault.help
    analyse(f"{MODEL}  optimizer Muon(lr=0.01) on *.weight\n}}", "m.spec", {})


def test_a_frozen_bias_is_no_matrix_either() -> None:
    text = MODEL.replace("  output y", "  freeze on *.bias\n  output y")
    (fault,) = _faults(f"{text}  optimizer Muon(lr=0.01)\n")
    assert fault.code == "E0406"
    module: Any = specc.loads(f"{text}  optimizer SGD(lr=0.1)\n}}")
    with pytest.raises(ValueError, match="2D"):
        torch.optim.Muon(module.parameters())


@pytest.mark.parametrize(
    ("sparse", "optimizer", "words"),
    [
        (", sparse=true", "Adam(lr=0.1)", "`e.weight` is sparse"),
        (", sparse=true", "SGD(lr=0.1, weight_decay=0.1)", "with weight_decay"),
        (", sparse=true", "SparseAdam(lr=0.1)", "`head.weight` is dense"),
        ("", "SparseAdam(lr=0.1) on e.weight", "`e.weight` is dense"),
    ],
)
def test_sparse_gradients_go_where_they_are_taken(sparse: str, optimizer: str, words: str) -> None:
    (fault,) = _faults(f"{TABLE.format(sparse=sparse)}  optimizer {optimizer}\n")
    assert fault.code == "E0406"
    assert words in fault.message


@pytest.mark.parametrize("optimizer", ["SparseAdam(lr=0.1) on e.weight", "SGD(lr=0.1)",
                                       "Adagrad(lr=0.1)"])  # fmt: skip
def test_sparse_gradients_step_the_rows_that_were_looked_up(optimizer: str) -> None:
    module: Any = specc.loads(f"{TABLE.format(sparse=', sparse=true')}  optimizer {optimizer}\n}}")
    before = module.e.weight.detach().clone()
    module.training_step(
        module.configure_optimizers()["optimizer"], torch.tensor([1, 4]), torch.ones(2, 2)
    )
    assert module.e.weight.grad.is_sparse
    moved = (module.e.weight != before).any(dim=1)
    assert moved.nonzero().flatten().tolist() == [1, 4]


# ── a step that computes the loss itself ─────────────────────────────────────────────────────────

X = torch.linspace(-1, 1, 24).view(4, 6)
T = torch.tensor([[1.0, 0.0], [0.5, -1.0], [0.0, 0.0], [-1.0, 2.0]])


@pytest.mark.parametrize("search", ["", ', line_search_fn="strong_wolfe"'])
def test_lbfgs_steps_as_a_loop_written_by_hand(search: str) -> None:
    text = (
        f"{MODEL}  regularize L2(0.1) on *.weight\n  constrain Clamp(-0.5, 0.5) on fc.weight\n"
        f"  optimizer LBFGS(lr=0.5, max_iter=5{search})\n}}"
    )
    torch.manual_seed(2)
    module: Any = specc.loads(text)
    twin = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))
    twin.load_state_dict(
        dict(zip(twin.state_dict(), module.state_dict().values(), strict=True)), strict=True
    )
    options = {"line_search_fn": "strong_wolfe"} if search else {}
    by_hand = torch.optim.LBFGS(twin.parameters(), lr=0.5, max_iter=5, **options)
    optimizer = module.configure_optimizers()["optimizer"]

    def penalty() -> torch.Tensor:
        return torch.stack([0.05 * twin[place].weight.square().sum() for place in (0, 2)]).sum()

    def closure() -> torch.Tensor:
        by_hand.zero_grad()
        loss = F.mse_loss(twin(X), T) + penalty()
        loss.backward()
        return loss

    for _ in range(3):
        with torch.no_grad():
            wanted = (F.mse_loss(twin(X), T), penalty())
        by_hand.step(closure)
        with torch.no_grad():
            twin[0].weight.clamp_(-0.5, 0.5)
        terms = module.training_step(optimizer, X, T)
        assert not terms["loss"].requires_grad
        # The terms are those before the step.
        torch.testing.assert_close((terms["loss"], terms["penalty"]), wanted)
        for ours, theirs in zip(module.parameters(), twin.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs)
    with torch.no_grad():
        assert F.mse_loss(twin(X), T) < wanted[0]


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ("  optimizer LBFGS()\n  clip GradNorm(1.0)\n", "`clip`"),
        ("  optimizer LBFGS() { group(lr=0.1) on *.bias }\n", "groups of parameters"),
        ("  accumulate 2\n  optimizer LBFGS()\n", "`accumulate`"),
        ("  precision float16\n  optimizer LBFGS()\n", "`precision float16`"),
    ],
)
def test_what_lbfgs_does_not_go_with_is_refused(parts: str, what: str) -> None:
    (fault,) = _faults(MODEL + parts)
    assert fault.code == "E0419"
    assert what in fault.message


def test_lbfgs_is_no_step_among_others() -> None:
    text = MODEL.partition("train")[0] + (
        "train {\n  input x: float[N, 6]\n  input t: float[N, 2]\n"
        "  step only {\n    loss = MSELoss(Net(x), t)\n    optimizer LBFGS() on Net\n  }\n"
    )
    (fault,) = _faults(text)
    assert (fault.code, "a step among others" in fault.message) == ("E0419", True)


def test_lbfgs_steps_a_model_with_an_average() -> None:
    text = f"{MODEL}  ema average of Net decay 0.5\n  optimizer LBFGS(lr=0.1, max_iter=2)\n}}"
    module: Any = module_class(emit(analyse(text, "m.spec", {})), "Training", "m")()
    optimizer = module.configure_optimizers()["optimizer"]
    before = [each.detach().clone() for each in module.average.parameters()]
    terms = module.training_step(optimizer, X, T)
    assert set(terms) == {"loss"}
    assert any(
        not torch.equal(old, new)
        for old, new in zip(before, module.average.parameters(), strict=True)
    )


@pytest.mark.parametrize("name", ["cross_entropy", "CrossEntropyLoss"])
def test_a_softmax_before_it_is_found_by_either_name(name: str) -> None:
    text = MODEL.replace("head: Linear(2)", "head: Linear(2) -> Softmax(-1)")
    text = text.replace("float[N, 2]", "index(2)[N]").replace("MSELoss", name)
    (fault,) = _faults(f"{text}  optimizer SGD(lr=0.1)\n")
    assert fault.code == "E0410"


def test_a_model_computes_a_loss_by_its_functions_name() -> None:
    text = (
        "spec 1\nmodel Net {\n  input x: float[N, 6]\n  input y: index(3)[N]\n"
        "  output cross_entropy(x -> Linear(3), y, label_smoothing=0.1)\n}\n"
    )
    module: Any = specc.loads(text)
    labels = torch.tensor([0, 2, 1, 1])
    wanted = F.cross_entropy(module.linear_1(X), labels, label_smoothing=0.1)
    assert torch.equal(module(X, labels), wanted)
