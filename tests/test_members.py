"""The class ``Training``: several models and steps, copies, averages, accumulation, as emitted and
run, against the same written by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from specc.emit import emit
from specc.front import check_text
from specc.targets.live import module_class

GAN = """
spec 1
model Generator { input z: float[N, 3]
  output z -> Linear(4) }
model Discriminator { input x: float[N, 4]
  output x -> Linear(1) }
train {
  input real: float[N, 4]
  input z: normal[N, 3]
  ACCUMULATE
  fake = Generator(z)
  step discriminator {
    loss = mean(Discriminator(detach(fake))) - mean(Discriminator(real))
    optimizer SGD(lr=0.1) on Discriminator
  }
  step generator {
    loss = -mean(Discriminator(fake))
    optimizer SGD(lr=0.1) on Generator
  }
}
"""

NET = """
spec 1
model Net { input x: float[N, 4]
  output x -> body: Linear(5) -> BatchNorm1d -> head: Linear(2) }
train {
  input x: float[N, 4]
  input y: float[N, 2]
  STATEMENTS
  loss = MSELoss(Net(x), y)
  optimizer SGD(lr=0.1)
}
"""


def training(text: str) -> Any:
    program, diagnostics, _ = check_text(text)
    assert program is not None, diagnostics
    assert program.train is not None and program.train.module is not None
    torch.manual_seed(3)
    return module_class(emit(program), program.train.module.name, "members")()


def batches(count: int, *sizes: int) -> list[list[Tensor]]:
    torch.manual_seed(4)
    return [[torch.randn(6, size) for size in sizes] for _ in range(count)]


def optimizers(made: Any) -> dict[str, torch.optim.Optimizer]:
    return {name: each["optimizer"] for name, each in made.configure_optimizers().items()}


def equal(left: nn.Module, right: nn.Module) -> bool:
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def test_two_steps_do_what_the_loop_by_hand_does() -> None:
    made = training(GAN.replace("ACCUMULATE", ""))
    generator, discriminator = copy.deepcopy(made.generator), copy.deepcopy(made.discriminator)
    steps = optimizers(made)
    of_d = torch.optim.SGD(discriminator.parameters(), lr=0.1)
    of_g = torch.optim.SGD(generator.parameters(), lr=0.1)
    for real, z in batches(3, 4, 3):
        terms = made.training_step(steps, real, z)
        fake = generator(z)
        of_d.zero_grad()
        loss = discriminator(fake.detach()).mean() - discriminator(real).mean()
        loss.backward()
        of_d.step()
        of_g.zero_grad()
        other = -discriminator(fake).mean()
        other.backward()
        of_g.step()
        assert torch.equal(terms["discriminator/loss"], loss.detach())
        assert torch.equal(terms["generator/loss"], other.detach())
    assert equal(made.generator, generator) and equal(made.discriminator, discriminator)


def test_one_steps_gradients_do_not_end_in_the_sums_of_another() -> None:
    made = training(GAN.replace("ACCUMULATE", "accumulate 2"))
    alone = copy.deepcopy(made.discriminator)
    steps = optimizers(made)
    of_d = torch.optim.SGD(alone.parameters(), lr=0.1)
    fakes = []
    for number, (real, z) in enumerate(batches(2, 4, 3)):
        fakes.append(made.generator(z).detach())
        made.training_step(steps, number, real, z)
        ((alone(fakes[-1]).mean() - alone(real).mean()) / 2).backward()
    of_d.step()
    assert equal(made.discriminator, alone)
    assert all(parameter.requires_grad for parameter in made.parameters())


def test_a_copy_is_loaded_every_so_many_batches_and_an_average_follows() -> None:
    text = NET.replace("STATEMENTS", "copy target of Net every 2\n  ema mean_net of Net decay 0.75")
    made = training(text)
    optimizer = made.configure_optimizers()["optimizer"]
    first = copy.deepcopy(made.net)
    assert equal(made.target, first) and equal(made.mean_net, first)
    average = [parameter.clone() for parameter in made.mean_net.parameters()]
    for number, (x, y) in enumerate(batches(2, 4, 2)):
        made.training_step(optimizer, number, x, y)
        with torch.no_grad():
            for mean, parameter in zip(average, made.net.parameters(), strict=True):
                mean.lerp_(parameter, 0.25)
        assert equal(made.target, made.net) == (number == 1)
    assert all(map(torch.equal, average, made.mean_net.parameters()))
    running = (made.mean_net.batchnorm1d_1.running_mean, made.net.batchnorm1d_1.running_mean)
    assert torch.equal(*running)
    assert not any(
        p.requires_grad for p in (*made.target.parameters(), *made.mean_net.parameters())
    )


def test_accumulated_batches_make_the_step_of_their_mean() -> None:
    text = NET.replace("STATEMENTS", "accumulate 2").replace(" -> BatchNorm1d", "")
    program, diagnostics, _ = check_text(text)
    assert program is not None, diagnostics
    made = training(text)
    whole = copy.deepcopy(made.net)
    optimizer = made.configure_optimizers()["optimizer"]
    by_hand = torch.optim.SGD(whole.parameters(), lr=0.1)
    both = batches(2, 4, 2)
    for number, (x, y) in enumerate(both):
        made.training_step(optimizer, number, x, y)
    x, y = (torch.cat(parts) for parts in zip(*both, strict=True))
    nn.functional.mse_loss(whole(x), y).backward()
    by_hand.step()
    for one, other in zip(made.net.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_frozen_part_learns_nothing_and_what_never_learns_stays_so() -> None:
    text = """
spec 1
model Net { input x: float[N, 4]
  freeze on stem.*
  output x -> stem: Linear(4) -> body: Linear(4) -> head: Linear(2) }
train {
  input x: float[N, 4]
  step first {
    freeze on Net.body.*
    loss = mean(Net(x) ** 2)
    optimizer SGD(lr=0.1) on Net
  }
}
"""
    made = training(text)
    before = copy.deepcopy(made.net)
    (x,) = batches(1, 4)[0]
    made.training_step(optimizers(made), x)
    assert equal(made.net.body, before.body) and equal(made.net.stem, before.stem)
    assert not equal(made.net.head, before.head)
    assert made.net.body.weight.requires_grad and not made.net.stem.weight.requires_grad


TWO = """
spec 1
model Net {{ input x: float[N, 4]
  {frozen}
  output x -> stem: Linear(4) -> head: Linear(2) }}
model Pre {{ input x: float[N, 4]
  output x -> Linear(4) }}
train {{
  input x: float[N, 4]
  accumulate 2
  step first {{
    loss = mean(Net(x) ** 2)
    optimizer SGD(lr=0.1) on {trained}
  }}
  step second {{
    freeze on Net.*
    loss = mean(Net(Pre(x)) ** 2)
    optimizer SGD(lr=0.1) on Pre
  }}
}}
"""


@pytest.mark.parametrize(
    ("frozen", "switch"),
    [
        ("", "self.net.requires_grad_({})"),
        ("freeze on stem.*", "self.net.head.requires_grad_({})"),
        ("freeze on stem.weight, head.*", "self.net.stem.bias]"),
    ],
)
def test_what_two_selections_freeze_is_switched_once(frozen: str, switch: str) -> None:
    text = TWO.format(frozen=frozen, trained="Net")
    program, diagnostics, _ = check_text(text)
    assert program is not None, diagnostics
    source = emit(program)
    _, _, step = source.partition("self.second_loss(x)")
    before = source.partition("self.second_loss(x)")[0].rpartition("self.first_loss(x)")[2]
    assert before.count(switch.format(False)) == 1
    assert step.count(switch.format(True)) == 1
    made = training(text)
    was = copy.deepcopy(made)
    for number, (x,) in enumerate(batches(2, 4)):
        made.training_step(optimizers(made), number, x)
    for name, parameter in made.named_parameters():
        assert parameter.requires_grad == was.get_parameter(name).requires_grad
        assert equal(made.pre, was.pre) is False


def test_a_step_may_freeze_what_the_model_holds_all_of_itself() -> None:
    text = """
spec 1
model Net { input x: float[N, 4]
  freeze on *
  output x -> Linear(2) }
model Pre { input x: float[N, 4]
  output x -> Linear(4) }
train {
  input x: float[N, 4]
  step only {
    freeze on Net.*
    loss = mean(Net(Pre(x)) ** 2)
    optimizer SGD(lr=0.1) on Pre
  }
}
"""
    made = training(text)
    before = copy.deepcopy(made)
    made.training_step(optimizers(made), *batches(1, 4)[0])
    assert equal(made.net, before.net) and not equal(made.pre, before.pre)
    assert not any(parameter.requires_grad for parameter in made.net.parameters())


# ── names ────────────────────────────────────────────────────────────────────────────────────────

STEPS = """
spec 1
model {model} {{ input x: float[N, 4]
  output x -> Linear(2) }}
train {{
  input x: float[N, 4]
  input y: float[N, 2]
  {twin}
  step {step} {{
    loss = MSELoss({model}(x), y)
    regularize L2(0.1) on {model}
    constrain NonNegative on {model}
    optimizer SGD(lr=0.1) on {model}
  }}
  step second {{
    loss = mean({model}(x))
    optimizer SGD(lr=0.1) on {model}
  }}
}}
"""


def steps(step: str = "q", model: str = "Net", twin: str = "") -> str:
    return STEPS.format(step=step, model=model, twin=twin)


@pytest.mark.parametrize(
    "name",
    ["q_loss", "q_penalty", "q_constrain", "second_loss", "configure_q", "training_step", "forward",
     "parameters", "register_buffer", "half", "T_destination", "_kept", "graph",
     "configure_optimizers"],
)  # fmt: skip
@pytest.mark.parametrize("form", ["copy {} of Net every 2", "ema {} of Net decay 0.9"])
def test_a_twin_cannot_hide_what_training_has(form: str, name: str) -> None:
    _, diagnostics, _ = check_text(steps(twin=form.format(name)))
    (found,) = diagnostics
    assert (found.code, found.span.line if found.span else 0) == ("E0207", 8)
    assert f"`{name}`" in found.message and found.help == f"call it `{name.strip('_')}_model`"


@pytest.mark.parametrize(
    ("text", "method"),
    [
        (steps("optimizers"), "configure_optimizers"),
        (steps("configure_z").replace("second", "z_loss"), "configure_z_loss"),
        (steps("update_a", twin="ema a_loss of Net decay 0.9"), "update_a_loss"),
    ],
)
def test_methods_of_training_have_names_of_their_own(text: str, method: str) -> None:
    _, diagnostics, _ = check_text(text)
    (found,) = diagnostics
    assert found.code == "E0205" and f"`{method}`" in found.message and found.help


@pytest.mark.parametrize(
    "model",
    ["Q_loss", "Q_penalty", "Configure_q", "Update_average", "Train", "Parameters", "Training_step",
     "T_destination", "Half", "Training", "Class", "Graph", "_Net"],
)  # fmt: skip
def test_a_model_is_kept_where_nothing_else_is(model: str) -> None:
    made = training(steps(model=model, twin=f"ema average of {model} decay 0.9"))
    x, y = batches(1, 4, 2)[0]
    terms = made.training_step(optimizers(made), x, y)
    assert set(terms) == {"q/loss", "q/penalty", "second/loss"}
    assert len(list(made.train().parameters())) == 4


@pytest.mark.parametrize("name", ["copy", "zip", "self", "isinstance", "OrderedDict", "accuracy"])
@pytest.mark.parametrize("kind", ["model", "block"])
def test_a_class_cannot_hide_what_the_source_calls(kind: str, name: str) -> None:
    block = f"block {name} {{\n input x: float[N, D]\n output x -> Linear(D)\n}}\n"
    text = steps(model=name) if kind == "model" else f"{steps()}\n{block}"
    _, diagnostics, _ = check_text(text)
    assert "E0205" in [item.code for item in diagnostics]
    assert any(f"`{name}`" in item.message and item.help for item in diagnostics)


# ── terms ────────────────────────────────────────────────────────────────────────────────────────

L2 = "regularize L2(0.1) on *.weight"
SCORED = """
spec 1
model Net {{ input x: float[N, 4]
  y = x -> Linear(2)
  {said}
  output y{more} }}
train {{
  {statements}
  optimizer SGD(lr=0.1)
}}
"""


def codes(text: str) -> list[str]:
    return [item.code for item in check_text(text)[1]]


@pytest.mark.parametrize(
    ("said", "more", "statements", "found"),
    [
        ("", "", f"penalty = mean(y)\n  loss = penalty\n  {L2}", ["E0409"]),
        ("", "", f"{L2}\n  penalty = mean(y)\n  loss = penalty", ["E0409"]),
        ("", "", "penalty = mean(y)\n  loss = 2 * penalty", []),
        # What is called `loss` from outside is not yet what is minimised.
        ("loss = mean(y)", ", loss", "", ["E0403"]),
        ("loss = mean(y)", ", loss", "loss = loss", []),
        ("", "", "input loss: float[]\n  fit = loss * mean(y)", ["E0403"]),
        ("", "", "input loss: float[N, 2]\n  loss = MSELoss(y, loss)", []),
        # The last binding counts.
        ("", "", "loss = y\n  loss = mean(loss)", []),
        ("", "", "loss = mean(y)\n  best, loss = max(y, dim=1)", ["E0404"]),
        ("", "", "loss, other = (mean(y), mean(y))", []),
    ],
)  # fmt: skip
def test_what_is_called_loss_or_penalty(
    said: str, more: str, statements: str, found: list[str]
) -> None:
    text = SCORED.format(said=said, more=more, statements=statements)
    assert [code for code in codes(text) if code[0] == "E"] == found
    program, _, _ = check_text(text)
    if program is not None and program.train is not None:
        made: Any = module_class(emit(program), "Net", "terms")()
        given = {"x": torch.randn(6, 4), "loss": torch.randn(6, 2)}
        batch = [given[v.name] for v in (*program.model().inputs, *program.train.inputs)]
        optimizer = made.configure_optimizers()["optimizer"]
        terms = made.training_step(optimizer, *batch)
        assert [name for name, _ in program.train.terms] == list(terms)
        assert list(terms)[-1] == "loss"


def test_a_step_may_build_on_a_shared_loss_and_must_have_one() -> None:
    text = steps().replace("step q", "loss = MSELoss(Net(x), y)\n  step q")
    assert codes(text) == []
    own = text.replace("loss = MSELoss(Net(x), y)\n    reg", "loss = 2 * loss\n    reg")
    made = training(own)
    x, y = batches(1, 4, 2)[0]
    assert set(made.training_step(optimizers(made), x, y)) >= {"q/loss", "second/loss"}
    assert codes(text.replace("loss = MSELoss(Net(x), y)\n    reg", "reg")) == ["E0403"]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_autocast_wants_a_batch(precision: str) -> None:
    text = f"""
spec 1
model Net {{ input x: float[N, 4]
  output x -> Linear(2) }}
train {{
  loss = mean(Net(ones([2, 4])))
  precision {precision}
  optimizer SGD(lr=0.1)
}}
"""
    assert codes(text) == ["E0222"]
    assert codes(text.replace(precision, "float32")) == []


# ── groups ───────────────────────────────────────────────────────────────────────────────────────

GROUPED = """
spec 1
model Encoder {{ input x: float[N, 4]
  output x -> body: Linear(3) }}
model Decoder {{ input x: float[N, 3]
  output x -> body: Linear(4) }}
model Judge {{ input x: float[N, 4]
  output x -> body: Linear(1) }}
train {{
  input x: float[N, 4]
  copy old of Judge every 2
  step whole {{
    loss = MSELoss(Decoder(Encoder(x)), x) - mean(Judge(x))
    optimizer SGD(lr=0.1) on {on} {{ {group} }}
  }}
}}
"""


@pytest.mark.parametrize(
    ("on", "selector", "grouped"),
    [
        ("Encoder, Decoder", "*.bias", ["encoder.body.bias", "decoder.body.bias"]),
        ("Encoder, Judge", "Linear.bias", ["encoder.body.bias", "judge.body.bias"]),
        ("Encoder, Decoder", "Decoder.*", ["decoder.body.weight", "decoder.body.bias"]),
        ("Encoder, Decoder", "* except *.weight", ["encoder.body.bias", "decoder.body.bias"]),
        ("Judge", "*.bias", ["judge.body.bias"]),
    ],
)
def test_a_group_selects_among_what_its_optimizer_steps(
    on: str, selector: str, grouped: list[str]
) -> None:
    made = training(GROUPED.format(on=on, group=f"group(lr=0.5) on {selector}"))
    names = {id(parameter): name for name, parameter in made.named_parameters()}
    (optimizer,) = optimizers(made).values()
    rates = {names[id(p)]: g["lr"] for g in optimizer.param_groups for p in g["params"]}
    assert [name for name, rate in rates.items() if rate == 0.5] == grouped
    models = {model.strip().lower() for model in on.split(",")}
    assert {name.partition(".")[0] for name in rates} == models


@pytest.mark.parametrize("selector", ["Judge.*", "*.bias, Judge.body.weight"])
def test_a_group_of_what_its_optimizer_does_not_step_is_refused(selector: str) -> None:
    text = GROUPED.format(on="Encoder, Decoder", group=f"group(lr=0.5) on {selector}")
    assert codes(text) == ["E0402"]


# ── params of the model ──────────────────────────────────────────────────────────────────────────

OWN = """
spec 1
param base: int = 2
model Net(classes: int = 3, rate: float = 0.25, forward: int = 2) {{
  input x: float[N, 8]
  y = x -> fc: Linear(base * classes)
  output y
}}
train {{
  input wanted: float[N, K] where K == base * classes
  input label: index(base * classes)[N]
  {more}
  fit = MSELoss(y, wanted) / classes + forward * mean(y)
  loss = fit + CrossEntropyLoss(y, label, label_smoothing=rate / 2)
  regularize L2(rate) on *.weight
  optimizer SGD(lr=rate) {{ group(lr=rate / 5) on *.bias }}
  scheduler ChainedScheduler([StepLR(step_size=classes), StepLR(step_size=9, gamma=rate)])
  metric MeanSquaredError(y * classes, wanted)
}}
"""


@pytest.mark.parametrize("more", ["", "ema average of Net decay rate"])
def test_train_sees_the_params_of_the_one_model(more: str) -> None:
    program, diagnostics, _ = check_text(OWN.format(more=more))
    assert program is not None, diagnostics
    made: Any = module_class(emit(program), program.subject().name, "own")()
    net = made.net if more else made
    x, wanted, label = torch.randn(4, 8), torch.randn(4, 6), torch.tensor([0, 5, 2, 3])
    y = net(x)
    fit = nn.functional.mse_loss(y, wanted) / 3 + 2 * y.mean()
    smooth = nn.functional.cross_entropy(y, label, label_smoothing=0.125)
    given = (y, wanted, label) if not more else (x, wanted, label)
    torch.testing.assert_close(made.loss(*given)["loss"], fit + smooth)
    torch.testing.assert_close(made.penalty(), 0.125 * net.fc.weight.square().sum())
    optimizer = made.configure_optimizers()["optimizer"]
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.05]


def test_they_are_those_of_the_module_that_trains() -> None:
    program, _, _ = check_text(OWN.format(more=""))
    assert program is not None
    made: Any = module_class(emit(program), "Net", "own")(classes=4, rate=0.5)
    assert [g["lr"] for g in made.configure_optimizers()["optimizer"].param_groups] == [0.5, 0.1]
    x, wanted, label = torch.randn(4, 8), torch.randn(4, 8), torch.tensor([0, 5, 2, 7])
    made.training_step(made.configure_optimizers()["optimizer"], x, wanted, label)
    with pytest.raises(AssertionError, match="K == base \\* classes"):
        made.loss(made(x), torch.randn(4, 6), label)


def test_what_train_brings_cannot_take_a_params_name_and_models_called_by_name_keep_theirs() -> (
    None
):
    text = OWN.format(more="").replace("input label:", "input rate:")
    assert "E0230" in codes(text)
    called = text.replace("input rate:", "input x: float[N, 8]\n  input label:")
    called = called.replace("  fit =", "  y = Net(x)\n  fit =")
    assert "E0201" in codes(called)


def test_the_class_says_who_learns() -> None:
    assert training(GAN.replace("ACCUMULATE", "")).__doc__.startswith(
        "How Generator and Discriminator learn, "
    )
    assert training(NET.replace("STATEMENTS", "")).__doc__.startswith("How Net learns, ")
