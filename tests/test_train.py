"""Training as it is read: losses, settings, what is right alone and wrong together."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from semantics_support import faults, model_of

from specc import ir
from specc.errors import SpecError
from specc.semantics import analyse
from specc.semantics.naming.selectors import matches

# ── train ────────────────────────────────────────────────────────────────────────────────────────

_NET = "input x: float[N, 4]\n output x -> a: Linear(8) -> n: LayerNorm -> b: Linear(3)"


def trained(block: str) -> ir.Train:
    program = analyse(f"spec 1\nmodel M {{\n{_NET}\n}}\ntrain {{\n{block}\n}}\n", "m.spec")
    assert program.train is not None
    return program.train


def test_groups_split_the_parameters() -> None:
    train = trained(
        "input y: index(3)[N]\n loss = CrossEntropyLoss(output, y)\n"
        " optimizer AdamW(lr=1e-3) {\n group(weight_decay=0.0) on *.bias, LayerNorm.*\n }"
    )
    assert train.optimizer is not None
    assert train.optimizer.rest.names == ("a.weight", "b.weight")
    assert train.optimizer.groups[0].on.names == ("a.bias", "n.weight", "n.bias", "b.bias")


def test_the_terms_of_a_loss_are_the_named_numbers_and_end_with_it() -> None:
    train = trained(
        "input y: float[N, 3]\n fit = MSELoss(output, y)\n error = output - y\n"
        " size = mean(square(output))\n loss = fit + 0.1 * size"
    )
    assert [name for name, _ in train.terms] == ["fit", "size", "loss"]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="*?.abnweightLNorm", min_size=1, max_size=12))
def test_globs_match_as_fnmatch_does(pattern: str) -> None:
    import fnmatch

    model = model_of(_NET)
    names = [name for name, _, _ in model.parameters()]
    if pattern.partition(".")[0] not in ("M", "LayerNorm", "Linear"):
        wanted = {name for name in names if fnmatch.fnmatchcase(name, pattern)}
        assert matches(pattern, model) == wanted


# ── what is right alone and wrong together ───────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("layer", "loss", "label", "code"),
    [
        ("LogSoftmax(dim=-1)", "CrossEntropyLoss", "index(4)[N]", "E0410"),
        ("Softmax(dim=-1)", "CrossEntropyLoss", "index(4)[N]", "E0410"),
        ("Softmax(dim=-1)", "NLLLoss", "index(4)[N]", "E0410"),
        ("Sigmoid", "BCEWithLogitsLoss", "unit[N, 4]", "E0410"),
        ("Linear(4, bias=false)", "BCELoss", "unit[N, 4]", "E0410"),
        ("Identity", "MSELoss", "float[N]", "E0310"),
    ],
)
def test_pairs_that_are_wrong_together(layer: str, loss: str, label: str, code: str) -> None:
    body = f"input x: float[N, 4]\n y = x -> Linear(4) -> {layer}\n output y"
    train = f"train {{\n input t: {label}\n loss = {loss}(y, t)\n}}\n"
    if code == "E0310":
        body = body.replace("Linear(4)", "Linear(1)")
    assert [found for found, _ in faults(body, train)] == [code]


@pytest.mark.parametrize("loss", ["BCELoss(y, {})", "BCEWithLogitsLoss(x, {})"])
@pytest.mark.parametrize(
    ("target", "type_", "codes"),
    [
        ("t", "float[N, 4]", ["W0302"]),
        ("t", "normal[N, 4]", ["W0302"]),
        ("t", "unit[N, 4]", []),
        # Of what is computed nothing can be told.
        ("t / 2", "float[N, 4]", []),
        ("1 - t", "unit[N, 4]", []),
        ("where(t > 0, 1.0, 0.0)", "float[N, 4]", []),
    ],
)
def test_a_target_that_is_no_probability_is_a_warning(
    loss: str, target: str, type_: str, codes: list[str]
) -> None:
    program = analyse(
        "spec 1\nmodel M {\n input z: float[N, 4]\n x = z -> Linear(4)\n y = x -> Sigmoid\n"
        f" output x, y\n}}\ntrain {{\n input t: {type_}\n loss = {loss.format(target)}\n"
        " optimizer SGD(lr=0.1)\n}\n",
        "m.spec",
    )
    found = [getattr(item, "code", "") for item in program.warnings]
    assert found == codes


# ── what torch would refuse when it runs ─────────────────────────────────────────────────────────

_IMAGE = " input x: float[N, 4]\n y = x -> a: Linear(3)\n output y"


def train_of(statements: str) -> str:
    return f"train {{\n input t: float[N, 3]\n loss = MSELoss(y, t)\n {statements}\n}}\n"


@pytest.mark.parametrize(
    "statements",
    [
        "optimizer SGD(lr=-0.1)",
        "optimizer Adam(lr=1e53)",
        "optimizer Adam(betas=(0.9, 1.5))",
        "optimizer Adam(betas=(0.9, 0.99, 0.999))",
        "optimizer Rprop(etas=(1.2, 0.5))",
        "optimizer SGD(nesterov=true)",
        "optimizer Adam(foreach=true, fused=true)",
        "optimizer Adam(capturable=true)",
        "optimizer SGD(differentiable=true)",
        "optimizer SGD(lr=0.1) {\n group(lr=-1.0) on a.bias\n }",
        "optimizer SGD(lr=0.1)\n scheduler StepLR(step_size=0)",
        "optimizer SGD(lr=0.1)\n scheduler CosineAnnealingLR(T_max=0)",
        "optimizer SGD(lr=0.1)\n scheduler ReduceLROnPlateau(factor=1.5)",
        "optimizer SGD(lr=0.1)\n scheduler OneCycleLR(max_lr=0.1)",
        "optimizer Adagrad(lr=0.1)\n scheduler OneCycleLR(max_lr=0.1, total_steps=9)",
        "optimizer SGD(lr=0.1)\n scheduler CyclicLR((0.1, 0.2), (0.3, 0.4))",
        "optimizer SGD(lr=0.1)\n constrain MaxNorm(-2.0) on a.weight",
        "optimizer SGD(lr=0.1)\n clip GradNorm(0.0)",
    ],
)
def test_settings_that_torch_refuses_are_refused(statements: str) -> None:
    assert [code for code, _ in faults(_IMAGE, train_of(statements))] == ["E0307"]


@pytest.mark.parametrize(
    "statements",
    [
        "optimizer SGD(lr=0.1, momentum=0.9, nesterov=true)",
        "optimizer Rprop(etas=(0.5, 1.2))",
        "optimizer Adadelta(rho=1.0)",
        "optimizer Adagrad(lr=0.1)\n"
        " scheduler OneCycleLR(max_lr=0.1, total_steps=9, cycle_momentum=false)",
        "optimizer SGD(lr=0.1) {\n group(lr=0.0) on a.bias\n }\n"
        " scheduler CyclicLR((0.1, 0.2), (0.3, 0.4))",
    ],
)
def test_settings_that_torch_takes_are_taken(statements: str) -> None:
    analyse(f"spec 1\nmodel M {{\n{_IMAGE}\n}}\n{train_of(statements)}", "m.spec")


@pytest.mark.parametrize(
    ("loss", "code"),
    [
        ("loss = (y, t)", "E0404"),
        ('loss = "mean"', "E0404"),
        ("loss = mean(t)", "E0404"),
        ("loss = MSELoss(detach(y), t)", "E0404"),
        ("loss = MSELoss((y > 0) * 1.0, t)", "E0404"),
        ("loss = mean(zeros_like(y))", "E0404"),
    ],
)
def test_a_loss_that_no_step_can_lower_is_refused(loss: str, code: str) -> None:
    rest = f"train {{\n input t: float[N, 3]\n {loss}\n optimizer SGD(lr=0.1)\n}}\n"
    assert [found for found, _ in faults(_IMAGE, rest)] == [code]


def test_what_the_loss_asks_of_the_sizes_is_kept() -> None:
    text = (
        "spec 1\nmodel M {\n input x: float[N, 4]\n output tile(x, 2, 1)\n}\n"
        "train {\n input label: index(4)[M] where M == 2 * N\n"
        " loss = CrossEntropyLoss(output, label)\n}\n"
    )
    train = analyse(text, "m.spec").train
    assert train is not None
    assert [str(condition) for condition in train.conditions] == ["M == 2 * N"]


def test_two_steps_on_the_same_parameters_do_not_accumulate() -> None:
    step = " step {} {{\n  loss = mean(M(x))\n  optimizer SGD(lr=0.1) on M\n }}\n"
    train = "train {\n input x: float[N, 4]\n accumulate 2\n" + step.format("a") + step.format("b")
    assert faults("input x: float[N, 4]\n output x -> Linear(4)", train + "}\n") == [
        ("E0418", 9),
        ("E0418", 13),
    ]


def test_a_model_called_in_train_gives_what_its_type_says() -> None:
    text = """
spec 1
model Choose(count: int = 7) {
  input x: float[N, 3]
  output argmax(x -> Linear(count), dim=-1)
}
model Embed {
  input t: index(7)[N]
  output t -> Embedding(3)
}
train {
  input x: float[N, 3]
  loss = mean(Embed(Choose(x)))
  optimizer SGD(lr=0.1) on Embed
}
"""
    assert analyse(text, "m.spec").train is not None
    with pytest.raises(SpecError) as caught:
        analyse(text, "m.spec", {"count": 8})
    assert caught.value.code == "E0242"
