"""Losses that are fed with what they do not take, and those that are fed rightly."""

from __future__ import annotations

import pytest
import torch

from specc import catalog, front
from specc.catalog.advice import kinds, pairs
from specc.errors import Diagnostic


def found(train: str, model: str = "", more: str = "") -> list[Diagnostic]:
    model = model or "y = x -> Linear(3)\noutput y"
    train = f"train {{\n{train}\noptimizer SGD(lr=0.1)\n}}\n" if train else ""
    text = f"spec 1\n{more}\nmodel Net {{\ninput x: float[N, 8]\n{model}\n}}\n{train}"
    # Not every model uses every block.
    return [item for item in front.check_text(text)[1] if item.code != "W0202"]


def codes(train: str, model: str = "", more: str = "") -> list[str]:
    return [item.code for item in found(train, model, more)]


_LABEL = "input t: index(3)[N]\n"
_UNIT = "input t: unit[N, 3]\n"
_FLOAT = "input t: float[N, 3]\n"
_WRONG = {
    "scores to NLLLoss": (_LABEL, "NLLLoss(y, t)"),
    "relu to NLLLoss": (_LABEL, "NLLLoss(relu(y), t)"),
    "scaled scores": (_LABEL, "NLLLoss(y / 2.0, t)"),
    "a sum of scores": (_LABEL, "NLLLoss(y + 2 * y, t)"),
    "sigmoid to NLLLoss": (_LABEL, "NLLLoss(sigmoid(y), t)"),
    "log of log_softmax": (_LABEL, "NLLLoss(log(log_softmax(y, dim=-1)), t)"),
    "log2 of logsigmoid": ("", "mean(log2(logsigmoid(y)))"),
    "softmax to KLDivLoss": (_UNIT, "KLDivLoss(softmax(y, dim=-1), t)"),
    "scores to KLDivLoss": (_UNIT, 'KLDivLoss(y, t, reduction="batchmean")'),
    "logarithms as KLDivLoss's target": (
        "", "KLDivLoss(log_softmax(y, dim=-1), log_softmax(2 * y, dim=-1))",
    ),
    "probabilities where log_target": (
        "", "KLDivLoss(log_softmax(y, dim=-1), softmax(2 * y, dim=-1), log_target=true)",
    ),
    "KLDivLoss the other way round": (
        "", "KLDivLoss(softmax(y, dim=-1), log_softmax(2 * y, dim=-1))",
    ),
    "softmax behind a transpose": (_LABEL, "CrossEntropyLoss(softmax(y.T, dim=0).T, t)"),
    "softmax to BCEWithLogitsLoss": (_UNIT, "BCEWithLogitsLoss(softmax(y, dim=-1), t)"),
    "sigmoid to MultiLabelSoftMarginLoss": (_UNIT, "MultiLabelSoftMarginLoss(sigmoid(y), t)"),
    "tanh to BCELoss": (_UNIT, "BCELoss(tanh(y), t)"),
    "log_softmax to BCELoss": (_UNIT, "BCELoss(log_softmax(y, dim=-1), t)"),
    "scores as targets": ("", "CrossEntropyLoss(y, detach(2 * y))"),
    "scores as BCE's targets": ("", "BCEWithLogitsLoss(y, detach(2 * y))"),
    "BCELoss the other way round": (_UNIT, "BCELoss(t, sigmoid(y))"),
    "soft labels the other way round": (_UNIT, "CrossEntropyLoss(t, y)"),
    "PoissonNLLLoss of scores as rates": (_FLOAT, "PoissonNLLLoss(y, t, log_input=false)"),
    "a variance below 0": (_FLOAT, "GaussianNLLLoss(y, t, 2 * y)"),
    "the functions too": (_LABEL, "nll_loss(y, t)"),
}  # fmt: skip


@pytest.mark.parametrize(("inputs", "loss"), _WRONG.values(), ids=_WRONG)
def test_what_is_always_wrong_is_an_error(inputs: str, loss: str) -> None:
    assert codes(f"{inputs}loss = {loss}") == ["E0410"]


_RIGHT = {
    "log_softmax": (_LABEL, "NLLLoss(log_softmax(y, dim=-1), t)"),
    "scores less their logsumexp": (
        _LABEL, "NLLLoss(y - logsumexp(y, dim=-1, keepdim=true), t)",
    ),
    "sub too": (_LABEL, "NLLLoss(sub(y, logsumexp(y, dim=-1, keepdim=true)), t)"),
    "a log of a mixture": (
        _LABEL, "NLLLoss(log(0.9 * softmax(y, dim=-1) + 0.1 / 3), t)",
    ),
    "exp of log_softmax": (_UNIT, "BCELoss(exp(log_softmax(y, dim=-1)), t)"),
    "1 - sigmoid": (_UNIT, "BCELoss(1 - sigmoid(y), t)"),
    "clamped": (_UNIT, "BCELoss(clamp(y, min=0.0, max=1.0), t)"),
    "a teacher": ("", "KLDivLoss(log_softmax(y, dim=-1), softmax(detach(2 * y), dim=-1))"),
    "a teacher's logarithms": (
        "",
        "KLDivLoss(log_softmax(y, dim=-1), log_softmax(detach(2 * y), dim=-1), log_target=true)",
    ),
    "soft labels": ("", "CrossEntropyLoss(y, softmax(detach(2 * y), dim=-1))"),
    "rates": (_FLOAT, "PoissonNLLLoss(exp(y), t, log_input=false)"),
    "a variance": (_FLOAT, "GaussianNLLLoss(y, t, softplus(y))"),
    "a variance of a logarithm": (_FLOAT, "GaussianNLLLoss(y, t, exp(y))"),
    "both ways of MSELoss": (_FLOAT, "MSELoss(t, y)"),
    "targets made in the spec": ("", "BCEWithLogitsLoss(y, ones_like(y))"),
    "a target that is known": ("", "BCEWithLogitsLoss(y[:, 0], ones([N]))"),
}  # fmt: skip


@pytest.mark.parametrize(("inputs", "loss"), _RIGHT.values(), ids=_RIGHT)
def test_what_is_fed_rightly_is_not_spoken_of(inputs: str, loss: str) -> None:
    assert codes(f"{inputs}loss = {loss}") == []


@pytest.mark.parametrize(
    ("inputs", "loss"),
    [
        (_LABEL, "NLLLoss(log(softmax(y, dim=-1)), t)"),
        (_LABEL, "CrossEntropyLoss(sigmoid(y), t)"),
        (_FLOAT, "PoissonNLLLoss(softplus(y), abs(t))"),
    ],
)
def test_what_may_be_meant_is_a_warning(inputs: str, loss: str) -> None:
    assert codes(f"{inputs}loss = {loss}") == ["W0304"]


_BLOCKS = """
block Head(classes: int) {
  input x: float[N, D]
  output x -> Linear(classes) -> Squash
}
block Squash {
  input x: float[N, D]
  output x -> softmax(dim=-1)
}
block Scale {
  input x: float[N, D]
  output 2 * x
}
block Score {
  input x: float[N, D]
  input t: index(3)[N]
  output nll_loss(x, t)
}
"""


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("y = x -> Head(3)\noutput y", ["E0410"]),
        ("y = x -> Linear(3) -> Scale\noutput y", ["E0410"]),
        ("y = x -> repeat(2) { Linear(3) }\noutput y", ["E0410"]),
        ("y = x -> Linear(3)\nfor k in range(2) { y = y -> Linear(3) }\noutput y", ["E0410"]),
        ("y = x -> Linear(3)\nif 1 < 2 { y = y -> relu }\noutput y", ["E0410"]),
        ("y = cat([x -> Linear(1) for k in range(3)], dim=-1)\noutput y", ["E0410"]),
        ("y = x -> Linear(3) -> LogSoftmax(dim=-1) -> Identity\noutput y", []),
        ("y = x -> Linear(3)\nfor k in range(2) { y = y -> log_softmax(dim=-1) }\noutput y", []),
    ],
)
def test_blocks_loops_and_branches_are_gone_through(model: str, expected: list[str]) -> None:
    assert codes(f"{_LABEL}loss = NLLLoss(y, t)", model, _BLOCKS) == expected


def test_a_block_is_told_once_what_it_is_fed_with() -> None:
    model = (
        "input t: index(3)[N]\nlayer score = Score\nlayer again = Score\n"
        "output score(x -> Linear(3), t), again(x -> Linear(3), t)"
    )
    (fault,) = found("", model, _BLOCKS)
    assert fault.code == "E0410" and fault.span is not None
    fine = model.replace("Linear(3)", "Linear(3) -> log_softmax(dim=-1)")
    assert codes("", fine, _BLOCKS) == []


def test_members_of_a_training_are_gone_through() -> None:
    more = "model Inner {\ninput x: float[N, 8]\noutput x -> Linear(3) -> Sigmoid\n}\n"
    train = "input x: float[N, 8]\ninput t: unit[N, 3]\nloss = BCEWithLogitsLoss(Inner(x), t)"
    assert "E0410" in codes(train, "output x -> Linear(2)", more)


# ── input and target in each other's place ───────────────────────────────────────────────────────


@pytest.mark.parametrize("loss", ["CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"])
def test_labels_where_scores_belong_get_the_line_as_it_should_be(loss: str) -> None:
    (fault,) = found(f"{_LABEL}loss = {loss}(t, y)")
    assert fault.code == "E0306"
    assert fault.message.endswith("the prediction comes first, then its target")
    if loss == "NLLLoss":  # exchanged it would be of scores, which it does not take either
        assert "does not check: NLLLoss wants log-probabilities" in (fault.help or "")
    else:
        assert fault.help == f"write `{loss}(y, t)`"
    assert "exchange" in (found(f"{_LABEL}loss = {loss}(t, 2 * y)")[0].help or "")


def test_the_line_that_is_proposed_checks() -> None:
    (fault,) = found(f"{_UNIT}p = sigmoid(y)\nloss = BCELoss(t, p)")
    assert fault.help == "write `BCELoss(p, t)`"
    assert codes(f"{_UNIT}p = sigmoid(y)\nloss = BCELoss(p, t)") == []


def test_another_refusal_stays_as_it_was() -> None:
    (fault,) = found("input t: index(3)[N, 2]\nloss = CrossEntropyLoss(y, t)")
    assert "prediction" not in fault.message


# ── [N, 1] against [N] ───────────────────────────────────────────────────────────────────────────

_ONE = "y = x -> Linear(1)\noutput y"


@pytest.mark.parametrize(
    "loss",
    ["mean((y - t) ** 2)", "mean(abs(t - y))", "mean(sub(y, t) ** 2)", "mean(y * t)",
     "mean(maximum(y, t))", "mean((2 * y - t) ** 2)"],
)  # fmt: skip
def test_a_column_with_a_row_is_every_pair(loss: str) -> None:
    (warning,) = found(f"input t: float[N]\nloss = {loss}", _ONE)
    assert (warning.code, warning.severity) == ("W0305", "warning")
    assert "float[N, N]" in warning.message


@pytest.mark.parametrize(
    "loss",
    ["mean((squeeze(y, -1) - t) ** 2)", "mean((y - unsqueeze(t, -1)) ** 2)",
     "mean((unsqueeze(t, -1) - t) ** 2)", "mean((reshape(t, N, 1) - t) ** 2)",
     "mean((y - mean(t)) ** 2)", "mean(y * ones([1]) - mean(t))"],
)  # fmt: skip
def test_pairs_that_are_meant_are_not_spoken_of(loss: str) -> None:
    assert codes(f"input t: float[N]\nloss = {loss} + mean(y)", _ONE) == []


@pytest.mark.parametrize(
    "body",
    [
        "q = x -> Linear(3)\noutput q, gather(q, 1, unsqueeze(argmax(q, dim=1), 1))",
        "q = unsqueeze(mean(x, dim=1), 1) -> Linear(4) -> Tanh\noutput q, q -> Linear(1)",
        "q = x -> Linear(8)\noutput q, squeeze(bmm(unsqueeze(x, 1), unsqueeze(q, 2)), 2)",
        "q = x -> Linear(8)\noutput q, q @ unsqueeze(mean(q, dim=0), 1)",
    ],
)
def test_a_1_that_something_was_fed_with_is_not_one_that_comes_out_of_it(body: str) -> None:
    train = "input t: float[N]\nloss = mean((output_2 - t) ** 2)"
    assert [item.code for item in found(train, body) if item.code != "W0403"] == ["W0305"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("y = x -> Linear(3) -> log_softmax(dim=0)", "E0410"),
        ("y = x -> Linear(3) -> LogSoftmax(dim=0) -> Dropout(0.1)", "E0410"),
        ("y = x -> Linear(3) -> log_softmax(dim=-1)", ""),
        ("y = x -> Linear(3) -> log_softmax(dim=1)", ""),
        ("y = (x.T -> log_softmax(dim=0)).T[:, :3] + (x -> Linear(3))", ""),
        ("y = transpose(transpose(x -> Linear(3), 0, 1) -> log_softmax(dim=0), 0, 1)", ""),
    ],
)
def test_log_probabilities_are_over_the_classes(body: str, code: str) -> None:
    train = "input t: index(3)[N]\nloss = NLLLoss(y, t)"
    assert [item.code for item in found(train, f"{body}\noutput y")] == ([code] if code else [])


_LOSS = """block L(scale: float = 1.0) {
input s: float[N, C]
input t: index(C)[N]
output scale * NLLLoss(s, t)
}
block H {
input s: float[N, C]
input w: float[N]
output mean((s -> Linear(1)) - w)
}"""


def test_what_stands_in_a_block_says_where_it_is_used() -> None:
    (fault,) = found(f"{_LABEL}loss = L(y, t, scale=2.0)", more=_LOSS)
    assert fault.span is not None and fault.span.line == 5
    assert fault.notes == ("L(scale=2) is used at <spec>:19, where C is 3",)
    body = "layer h = H\nw = mean(x, dim=1)\noutput h(x, w)"
    (warning,) = found("", body, more=_LOSS)
    assert warning.code == "W0305" and warning.notes == ("H is used at <spec>:16",)


def test_the_params_of_a_loss_that_is_a_block_have_names() -> None:
    (fault,) = found(f"{_LABEL}loss = L(y, t, 2.0)", more=_LOSS)
    assert fault.code == "E0208" and fault.help == "write `scale=2.0`"


@pytest.mark.parametrize(
    ("line", "codes_"),
    [
        ("softmax(softmax(y, dim=1), dim=-1)", ["W0304"]),
        ("y -> Softmax(dim=-1) -> Softmax(1)", ["W0304"]),
        ("log_softmax(y -> Softmax(dim=1) -> Dropout(0.1), dim=1)", ["W0304"]),
        ("sigmoid(1 - sigmoid(y))", ["W0304"]),
        ("y -> Sigmoid -> Sigmoid", ["W0304"]),
        ("softmax(softmax(y, dim=1), dim=0)", []),
        ("softmax(softmax(y, dim=1) / 0.1, dim=1)", []),
        ("log_softmax(log_softmax(y, dim=1), dim=0)", []),
        ("softmax(topk(softmax(y, dim=1), 2, dim=1)[0], dim=1)", []),
        ("sigmoid(y) * sigmoid(2 * y)", []),
    ],
)
def test_probabilities_are_not_made_of_probabilities(line: str, codes_: list[str]) -> None:
    body = f"y = x -> Linear(3)\noutput {line}"
    assert [item.code for item in found("", body)] == codes_


def test_the_advice_puts_right_what_it_is_about() -> None:
    (warning,) = found("input t: float[N]\nloss = mean((y - t) ** 2)", _ONE)
    assert (warning.help or "").startswith("write `squeeze(y, -1)` for `y`")


# ── the tables ───────────────────────────────────────────────────────────────────────────────────


def test_the_tables_name_what_there_is() -> None:
    known = catalog.LAYERS.keys() | catalog.FUNCTIONS.keys() | catalog.LOSSES.keys()
    named = {*kinds.GIVES, *kinds.KEEPS, *kinds.SCORES_OF_SCORES, *kinds.OPENS, *pairs.ONE_SIDED}
    assert named - known == set()
    for row in pairs.FEEDINGS:
        for name in row.consumers:
            arguments = (catalog.LOSSES.get(name) or catalog.FUNCTIONS[name]).by_name
            assert {row.argument, *(setting for setting, _ in row.when)} <= arguments.keys()


_BOUNDS = {
    "positive": (0.0, float("inf")),
    "between": (-1.0, 1.0),
    "softmax": (0.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "log_softmax": (-float("inf"), 0.0),
    "log_sigmoid": (-float("inf"), 0.0),
}


@pytest.mark.parametrize("name", [n for n, kind in kinds.GIVES.items() if kind in _BOUNDS])
def test_what_torch_gives_is_of_the_kind_that_the_table_says(name: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 5, 6, 6) * 3
    row = catalog.LAYERS.get(name) or catalog.FUNCTIONS[name]
    arguments = {"dim": 1} if "dim" in row.by_name else {}
    if name in ("RNN", "GRU"):
        result = getattr(torch.nn, name)(6, 5)(x[0])[0]
    elif name in catalog.LAYERS:
        result = getattr(torch.nn, name)(**arguments)(x)
    else:
        where = torch.nn.functional if hasattr(torch.nn.functional, name) else torch
        result = getattr(where, name)(x, **arguments)
    low, high = _BOUNDS[kinds.GIVES[name]]
    assert low <= result.min() and result.max() <= high
    if kinds.GIVES[name] in ("softmax", "log_softmax"):
        sums = result if kinds.GIVES[name] == "softmax" else result.exp()
        torch.testing.assert_close(sums.sum(1), torch.ones(4, 6, 6))
