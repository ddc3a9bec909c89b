"""Parameters that nothing trains, and means that are none over several batches."""

from __future__ import annotations

import pytest

from specc import front
from specc.emit import emit
from specc.errors import Diagnostic
from specc.targets.live import module_class

_LABEL = "input t: index(3)[N]\n"


def found(model: str, train: str, more: str = "") -> list[Diagnostic]:
    text = (
        f"spec 1\n{more}\nmodel Net {{\ninput x: float[N, 8]\n{model}\n}}\ntrain {{\n{train}\n}}\n"
    )
    return [item for item in front.check_text(text)[1] if item.code[:3] != "W02"]


def codes(model: str, train: str, more: str = "") -> list[str]:
    return [item.code for item in found(model, train, more)]


_BODY = "h = x -> body: Linear(8)\ny = h -> head: Linear(3)\n"
_LOSS = f"{_LABEL}loss = CrossEntropyLoss(y, t)\n"
_BLOCK = """
block Two {
  input x: float[N, D]
  output x -> a: Linear(3), x -> b: Linear(2)
}
"""


@pytest.mark.parametrize(
    ("model", "train", "said"),
    [
        # An optimizer that leaves some out.
        (f"{_BODY}output y", f"{_LOSS}optimizer SGD(lr=0.1) on head.*", "`body.*`"),
        (f"{_BODY}output y", f"{_LOSS}optimizer SGD(lr=0.1) on *.weight",
         "`body.bias`, `head.bias`"),
        (f"{_BODY}output y", f"{_LOSS}optimizer SGD(lr=0.1) on Linear.weight, head.bias",
         "`body.bias`"),
        # A head that no loss reaches.
        (f"{_BODY}side = h -> side: Linear(2)\noutput y, side", f"{_LOSS}optimizer SGD(lr=0.1)",
         "`side.*`"),
        (f"{_BODY}side = h -> side: Linear(2)\noutput y, side",
         f"{_LOSS}optimizer SGD(lr=0.1)\nregularize L2(0.1) on *.weight", "`side.*`"),
        (f"{_BODY}side = h -> side: Linear(2)\noutput y, side",
         f"{_LOSS}optimizer SGD(lr=0.1)\nmetric MeanSquaredError(side, side)", "`side.*`"),
        # Behind what is flat everywhere.
        ("h = x -> body: Linear(8) -> round\ny = h -> head: Linear(3)\noutput y",
         f"{_LOSS}optimizer SGD(lr=0.1)", "reaches `body.*`"),
        ("h = sign(x -> body: Linear(8))\ny = h -> head: Linear(3)\noutput y",
         f"{_LOSS}optimizer SGD(lr=0.1)", "reaches `body.*`"),
        # Behind a detach.
        ("h = x -> body: Linear(8)\ny = detach(h) -> head: Linear(3)\noutput y",
         f"{_LOSS}optimizer SGD(lr=0.1)", "`body.*`"),
        # Half of a block, one branch of a list, the head of a loop.
        ("layer two = Two\ny, side = two(x)\noutput y, side", f"{_LOSS}optimizer SGD(lr=0.1)",
         "`two.b.*`"),
        ("parts = [x -> part: Linear(3) for k in range(3)]\ny = parts[0] + parts[2]\noutput y",
         f"{_LOSS}optimizer SGD(lr=0.1)", "`part.1.*`"),
    ],
)  # fmt: skip
def test_what_nothing_trains_is_named(model: str, train: str, said: str) -> None:
    (warning,) = found(model, train, _BLOCK)
    assert (warning.code, warning.severity) == ("W0403", "warning")
    assert f" {said}" in warning.message
    # What is proposed silences it, and leaves the rest as it was.
    selector = (warning.help or "").partition("`freeze on ")[2].partition("`")[0]
    assert codes(model, f"freeze on {selector}\n{train}", _BLOCK) == []
    assert codes(f"freeze on {selector}\n{model}", train, _BLOCK) == []


@pytest.mark.parametrize(
    ("model", "train"),
    [
        (f"{_BODY}output y", f"{_LOSS}optimizer SGD(lr=0.1)"),
        (f"{_BODY}output y", _LOSS),
        # Rounded forwards alone: straight through.
        ("h = x -> body: Linear(8)\ny = h + detach(round(h) - h) -> head: Linear(3)\noutput y",
         f"{_LOSS}optimizer SGD(lr=0.1)"),
        (f"{_BODY}side = h -> side: Linear(2)\noutput y, side",
         f"{_LOSS.replace('(y, t)', '(y, t) + mean(side ** 2)')}optimizer SGD(lr=0.1)"),
        ("layer two = Two\ny, side = two(x)\noutput y, side",
         f"{_LOSS.replace('(y, t)', '(y, t) + mean(side ** 2)')}optimizer SGD(lr=0.1)"),
        ("y = x\nfor k in range(3) { y = y -> Linear(3) }\noutput y",
         f"{_LOSS}optimizer SGD(lr=0.1)"),
        ("y = x -> repeat(3) { Linear(3) -> Tanh }\noutput y", f"{_LOSS}optimizer SGD(lr=0.1)"),
        ("y = x -> Linear(3)\nif 1 < 2 { y = y -> Linear(3) }\noutput y",
         f"{_LOSS}optimizer SGD(lr=0.1)"),
        ("layer e = Linear(8)\nh = e(x)\ny = (h @ e.weight.T)[:, :3]\noutput y",
         f"{_LOSS}optimizer SGD(lr=0.1)"),
        (f"{_BODY}output y", f"{_LOSS}optimizer SGD(lr=0.1) {{ group(lr=0.2) on head.* }}"),
    ],
)  # fmt: skip
def test_what_is_trained_is_not_spoken_of(model: str, train: str) -> None:
    assert codes(model, train, _BLOCK) == []


_MEMBERS = """
model Teacher {
  input x: float[N, 8]
  output x -> Linear(3)
}
model Student {
  input x: float[N, 8]
  output x -> Linear(3)
}
"""
_DISTIL = "input x: float[N, 8]\nloss = MSELoss(Student(x), detach(Teacher(x)))\n"


def test_members_that_no_step_trains() -> None:
    still = "freeze on *\noutput x -> Linear(3)"
    (warning,) = found(still, f"{_DISTIL}optimizer SGD(lr=0.1) on Student", _MEMBERS)
    assert warning.message == "no optimizer steps `Teacher.*`"
    frozen = f"freeze on Teacher.*\n{_DISTIL}optimizer SGD(lr=0.1) on Student"
    assert codes(still, frozen, _MEMBERS) == []
    alone = "input x: float[N, 8]\nloss = mean(Student(x))\noptimizer SGD(lr=0.1) on Student"
    (warning,) = found(still, alone, _MEMBERS)
    assert warning.message == "`train` does not call `Teacher`: nothing trains it"


def test_twins_and_each_steps_own_are_trained_or_meant() -> None:
    train = (
        "input x: float[N, 8]\nema smooth of Student decay 0.9\n"
        "step first {\nloss = mean(Student(x) ** 2)\noptimizer SGD(lr=0.1) on Student\n}\n"
        "step second {\nfreeze on Student.*\nloss = mean((Teacher(x) - Student(x)) ** 2)\n"
        "optimizer SGD(lr=0.1) on Teacher\n}"
    )
    assert codes("freeze on *\noutput x -> Linear(3)", train, _MEMBERS) == []


def test_what_is_said_to_be_untrained_has_no_gradient() -> None:
    """torch's own backward pass is the oracle."""
    import torch

    text = (
        f"spec 1\n{_BLOCK}\nmodel Net {{\ninput x: float[N, 8]\nlayer two = Two\n"
        "h = x -> body: Linear(8)\na, b = two(h)\nside = detach(h) -> side: Linear(3)\n"
        "y = a + side\noutput y, b\n}\n"
        f"train {{\n{_LOSS}optimizer SGD(lr=0.1)\n}}\n"
    )
    program, diagnostics, _ = front.check_text(text)
    assert program is not None
    module = module_class(emit(program), "Net", "net")()
    optimizer = module.configure_optimizers()["optimizer"]  # type: ignore[operator]  # emitted
    module.training_step(optimizer, torch.randn(4, 8), torch.tensor([0, 1, 2, 0]))  # type: ignore[operator]  # emitted
    without = {name for name, each in module.named_parameters() if each.grad is None}
    assert without == {"two.b.weight", "two.b.bias"}
    assert [item.message for item in diagnostics] == [
        "no loss reaches `two.b.*`, which an optimizer steps: nothing trains that"
    ]


# ── a mean of means ──────────────────────────────────────────────────────────────────────────────

_Y = "y = x -> Linear(3)\noutput y"
_END = "\noptimizer SGD(lr=0.1)"
_MASK = "input m: bool[N]\nk = where(m, 1.0, 0.0)\n"


@pytest.mark.parametrize(
    "train",
    [
        f"{_LABEL}loss = CrossEntropyLoss(y, t, ignore_index=0)",
        f"{_LABEL}loss = 0.5 * nll_loss(log_softmax(y, dim=-1), t, ignore_index=0)",
        f"{_LABEL}loss = CrossEntropyLoss(y, t, weight=arange(3) + 1.0)",
        "input t: int[N]\nloss = CrossEntropyLoss(y, t)",
        f"{_MASK}loss = sum(mean(y ** 2, dim=1) * k) / sum(k)",
        f"{_MASK}loss = sum(mean(y ** 2, dim=1) * k) / clamp(sum(k), min=1.0)",
        f"{_MASK}loss = div(sum(mean(y ** 2, dim=1) * k), count_nonzero(m))",
        f"{_MASK}loss = sum(mean(y ** 2, dim=1) * k) * reciprocal(sum(k))",
        f"{_MASK}loss = sum(mean(y ** 2, dim=1) * k) * sum(k) ** -1.0",
        f"{_MASK}loss = sum(mean(y ** 2, dim=1) * k) * pow(sum(k), -1)",
        "input t: float[N, 3]\nloss = nanmean((y - t) ** 2)",
    ],
)
def test_a_count_of_the_batch_is_told(train: str) -> None:
    (warning,) = found(_Y, f"accumulate 4\n{train}{_END}")
    assert (warning.code, warning.severity) == ("W0404", "warning")
    assert codes(_Y, f"{train}{_END}") == []


@pytest.mark.parametrize(
    "train",
    [
        f"{_LABEL}loss = CrossEntropyLoss(y, t)",
        f'{_LABEL}loss = CrossEntropyLoss(y, t, ignore_index=0, reduction="sum") / N',
        "input t: unit[N, 3]\nloss = CrossEntropyLoss(y, t, weight=arange(3) + 1.0)",
        "input t: unit[N, 3]\nloss = BCEWithLogitsLoss(y, t, pos_weight=arange(3) + 1.0)",
        f"{_MASK}loss = sum(mean(y ** 2, dim=1) * k) / N",
        "input m: bool[N, 3]\nk = where(m, 1.0, 0.0)\n"
        "loss = mean(sum(y * k, dim=1) / sum(k, dim=1))",
        "loss = mean(y ** 2) / 2",
        "loss = mean(y ** 2) / detach(mean(abs(y)))",
        f"{_MASK}share = sum(k) / sum(k + 1)\nloss = mean(y ** 2)",
    ],
)
def test_a_mean_that_is_one_is_not_spoken_of(train: str) -> None:
    assert codes(_Y, f"accumulate 4\n{train}{_END}") == []


_TOKENS = "input m: unit[N]\ntokens = sum(m)\n"


@pytest.mark.parametrize(
    "train",
    [
        f"{_TOKENS}loss = sum(mean(y ** 2, dim=1) * m) / tokens",
        f"{_TOKENS}loss = sum(mean(y ** 2, dim=1) * m) / clamp(tokens, min=1.0)",
        f"{_LABEL}tokens = sum(float(t != 0))\nloss = CrossEntropyLoss(y, t, ignore_index=0)",
    ],
)
def test_a_batch_that_is_weighed_by_its_count_is_not_spoken_of(train: str) -> None:
    assert codes(_Y, f"accumulate 4 by tokens\n{train}{_END}") == []
    # What is proposed where it is not weighed is just this.
    (warning,) = found(_Y, f"accumulate 4\n{train}{_END}")
    assert warning.code == "W0404"
    if "/ tokens" in train:
        assert warning.help == "weigh by it: `accumulate 4 by tokens`"


_MASKED = (
    "block Masked {\ninput v: float[A]\ninput m: unit[A]\nn = sum(m)\noutput sum(v * m) / n\n}\n"
)


@pytest.mark.parametrize(
    "train",
    [
        "tokens = sum(m)\nloss = sum(mean(y ** 2, dim=1) * m) / sum(m)",
        "tokens = sum(m)\nloss = sum(mean(y ** 2, dim=1) * m) / clamp(sum(m), min=1.0)",
        "tokens = sum(m) + 1\nloss = sum(mean(y ** 2, dim=1) * m) / (sum(m) + 1)",
        "tokens = sum(m[1:])\nloss = sum(mean(y ** 2, dim=1)[1:] * m[1:]) / sum(m[1:])",
        "tokens = sum(m)\nloss = Masked(mean(y ** 2, dim=1), m)",
    ],
)
def test_a_count_is_the_same_wherever_it_is_computed_alike(train: str) -> None:
    text = (
        f"spec 1\n{_MASKED}model Net {{\ninput x: float[N, 8]\n{_Y}\n}}\n"
        f"train {{\ninput m: unit[N]\naccumulate 4 by tokens\n{train}{_END}\n}}\n"
    )
    assert [item.code for item in front.check_text(text)[1] if item.code != "W0202"] == []
    other = text.replace("tokens = sum(m", "tokens = 2.0 * sum(2.0 ** m", 1)
    assert [item.code for item in front.check_text(other)[1] if item.code != "W0202"] == ["W0404"]


@pytest.mark.parametrize(
    ("given", "loss", "count"),
    [
        ("t: index(3)[N]", "CrossEntropyLoss(y, t, ignore_index=0)", "sum(float(t != 0))"),
        ("t: int[N]", "CrossEntropyLoss(y, t)", "sum(float(t != -100))"),
        ("t: index(3)[N]", "CrossEntropyLoss(y, t, weight=w)", "sum(w[t])"),
        ("t: index(3)[N]", "cross_entropy(y, t, weight=w, ignore_index=1)",
         "sum(w[t] * float(t != 1))"),
    ],
)  # fmt: skip
def test_the_count_that_is_proposed_weighs_as_the_loss_does(
    given: str, loss: str, count: str
) -> None:
    """The step over four batches is the one over all their labels."""
    import torch

    head = f"input {given}\nw = arange(3) + 1.0\n"
    (warning,) = found(_Y, f"{head}accumulate 4\nloss = {loss}{_END}")
    assert warning.help is not None
    assert f"`count = {count}`, `accumulate 4 by count`" in warning.help
    weighed = f"{head}count = {count}\naccumulate 4 by count\nloss = {loss}{_END}"
    text = f"spec 1\nmodel Net {{\ninput x: float[N, 8]\n{_Y}\n}}\ntrain {{\n{weighed}\n}}\n"
    program, diagnostics, _ = front.check_text(text)
    assert program is not None and not [each for each in diagnostics if each.code == "W0404"]
    module = module_class(emit(program), "Training", "net")()
    x, t = torch.randn(8, 8), torch.tensor([0, 0, 1, 2, 2, 2, 1, 0])
    layer = module.net.linear_1  # type: ignore[union-attr]  # emitted
    optimizers = module.configure_optimizers()  # type: ignore[operator]  # emitted
    before = layer.weight.detach().clone()
    whole = module.loss(x, t)["loss"]  # type: ignore[operator]  # emitted
    (wanted,) = torch.autograd.grad(whole, layer.weight)
    for number in range(4):
        part = slice(2 * number, 2 * number + 2)
        module.training_step(optimizers["optimizer"], number, x[part], t[part])  # type: ignore[operator]  # emitted
    torch.testing.assert_close((before - layer.weight) / 0.1, wanted)


def test_steps_that_nothing_weighs_are_not_told_to_be_weighed() -> None:
    text = (
        "spec 1\nmodel Net {\ninput x: float[N, 8]\noutput x -> Linear(3)\n}\n"
        "train {\ninput x: float[N, 8]\ninput m: unit[N]\naccumulate 2\nstep one {\n"
        "n = sum(m)\nloss = sum(mean(Net(x), dim=1) * m) / n\noptimizer SGD(lr=0.1) on Net\n}\n}\n"
    )
    (warning,) = front.check_text(text)[1]
    assert warning.code == "W0404"
    assert warning.help == "divide by a size, such as N, which is the same in each"


def test_another_count_than_the_batch_is_weighed_by_is_told() -> None:
    train = f"{_TOKENS}other = sum(m ** 2)\nloss = sum(mean(y ** 2, dim=1) * m) / other"
    assert codes(_Y, f"accumulate 4 by tokens\n{train}{_END}") == ["W0404"]
