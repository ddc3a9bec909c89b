"""Where a layer has its batch, and where the spec has it."""

from __future__ import annotations

import pytest

from specc import front
from specc.errors import Diagnostic

_LABELS = (
    "train {\ninput label: index(3)[N]\nloss = CrossEntropyLoss(y, label)\noptimizer SGD(lr=0.1)\n}"
)


def found(body: str, train: str = "", more: str = "", inputs: str = "x: float[N, T, 8]") -> list[
    Diagnostic
]:  # fmt: skip
    text = f"spec 1\n{more}\nmodel Net {{\ninput {inputs}\n{body}\noutput y\n}}\n{train}\n"
    return [item for item in front.check_text(text)[1] if item.code[:3] != "W02"]


def codes(*args: str, **more: str) -> list[str]:
    return [item.code for item in found(*args, **more)]


_LAYERS = [
    "y, _ = x -> LSTM(16{})",
    "y, _ = x -> GRU(16{})",
    "y, _ = x -> RNN(16{})",
    "y = x -> TransformerEncoderLayer(nhead=2{})",
    "y = x -> TransformerEncoder(nhead=2, num_layers=2{})",
    "y = TransformerDecoderLayer(nhead=2{})(x, x)",
    "y = Transformer(nhead=2, num_encoder_layers=1, num_decoder_layers=1{})(x, x)",
    "y, _ = MultiheadAttention(num_heads=2{})(x, x, x)",
    "y = x -> Linear(8) -> Dropout(0.1) -> TransformerEncoderLayer(nhead=2{})",
    "y = x\nfor k in range(2) {{ y = y -> TransformerEncoderLayer(nhead=2{}) }}",
    "layer rnn = LSTM(16{})\ny, _ = rnn(x)",
    "y = x -> Inside",
]
_INSIDE = "block Inside {{\ninput s: float[A, B, D]\nt, _ = s -> LSTM(4{})\noutput t\n}}\n"


@pytest.mark.parametrize("layer", _LAYERS)
@pytest.mark.parametrize("train", [False, True])
def test_a_batch_where_the_layer_has_its_steps(layer: str, train: bool) -> None:
    steps = _LABELS.replace("(y,", "(mean(y, dim=1)[:, :3],") if train else ""
    forgotten, said = "", ", batch_first=true"
    (warning,) = found(layer.format(forgotten), steps, _INSIDE.format(forgotten))
    assert (warning.code, warning.help) == ("W0303", "say `batch_first=true`")
    assert codes(layer.format(said), steps, _INSIDE.format(said)) == []


@pytest.mark.parametrize("layer", _LAYERS)
def test_steps_first_are_right_without_and_wrong_with_it(layer: str) -> None:
    first = {"inputs": "x: float[T, N, 8]"}
    assert codes(layer.format(""), "", _INSIDE.format(""), **first) == []
    said = ", batch_first=true"
    (warning,) = found(layer.format(said), "", _INSIDE.format(said), **first)
    assert (warning.code, warning.help) == ("W0303", "take `batch_first=true` away")


@pytest.mark.parametrize(
    ("inputs", "warned"),
    [
        ("x: float[B, T, 8]", True),
        ("x: float[batch, T, 8]", True),
        ("x: float[B, N, 8]", True),
        ("x: float[T, B, 8]", False),
        # Nothing says which of the two counts samples.
        ("x: float[S, T, 8]", False),
        ("x: float[N, N, 8]", False),
        ("x: float[4, N, 8]", False),
    ],
)
def test_the_names_that_a_batch_has(inputs: str, warned: bool) -> None:
    assert codes("y, _ = x -> LSTM(16)", inputs=inputs) == ["W0303"] * warned


@pytest.mark.parametrize(
    ("inputs", "label", "warned"),
    [("S, T", "S", True), ("T, S", "S", False), ("N, T", "N", True), ("T, N", "N", False)],
)
def test_labels_tell_which_size_counts_samples(inputs: str, label: str, warned: bool) -> None:
    place = "0" if warned else "1"
    train = (
        f"train {{\ninput wanted: float[{label}]\n"
        f"loss = mean((sum(y, dim=(2, {1 - int(place)})) - wanted) ** 2)\noptimizer SGD(lr=0.1)\n}}"
    )
    got = codes("y, _ = x -> LSTM(16)", train, inputs=f"x: float[{inputs}, 8]")
    assert got == ["W0303"] * warned


def test_a_batch_of_one_is_meant() -> None:
    body = "y = x -> unsqueeze(0) -> TransformerEncoderLayer(nhead=2, batch_first=true)"
    assert codes(body, inputs="x: float[N, 8]") == []


def test_members_are_fed_with_the_batch_of_the_training() -> None:
    model = "model Inner {\ninput s: float[A, C, 8]\nh, _ = s -> LSTM(3)\noutput h[:, -1]\n}\n"
    train = (
        "train {\ninput s: float[N, T, 8]\ninput label: index(3)[N]\n"
        "loss = CrossEntropyLoss(Inner(s), label)\noptimizer SGD(lr=0.1)\n}"
    )
    assert "W0303" in codes("y = x", train, model)


# ── one sample where one step was meant ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("taken", "inputs", "advice"),
    [
        ("x[:, -1]", "x: float[T, N, 8]", "write `x[-1]` for one step of each sample"),
        ("x[-1]", "x: float[N, T, 8]", "write `x[:, -1]` for one step of each sample"),
        ("x[0]", "x: float[N, T, 8]", "write `x[:, 0]` for one step of each sample"),
        ("x[..., -1, :]", "x: float[T, N, 8]", "index the dimension of the steps"),
        ("select(x, 1, -1)", "x: float[T, N, 8]", "select along the dimension of the steps"),
        ("select(x, -2, 0)", "x: float[T, N, 8]", "select along the dimension of the steps"),
    ],
)
def test_one_sample_is_taken(taken: str, inputs: str, advice: str) -> None:
    (warning,) = found(f"y = {taken}", inputs=inputs)
    assert (warning.code, warning.help) == ("W0303", advice)


@pytest.mark.parametrize(
    ("taken", "inputs"),
    [
        ("x[:, -1]", "x: float[N, T, 8]"),
        ("x[-1]", "x: float[T, N, 8]"),
        ("x[:, 0:1]", "x: float[T, N, 8]"),
        ("x[..., 0]", "x: float[N, T, 8]"),
        ("x[1:]", "x: float[N, T, 8]"),
        ("select(x, 1, -1)", "x: float[N, T, 8]"),
    ],
)
def test_a_step_of_each_sample_is_not_spoken_of(taken: str, inputs: str) -> None:
    assert codes(f"y = {taken}", inputs=inputs) == []


def test_the_last_state_of_a_layer_that_has_its_batch_second() -> None:
    body = "states, (hidden, cell) = x -> LSTM(16)\ny = {}"
    steps_first = {"inputs": "x: float[T, N, 8]"}
    assert codes(body.format("hidden[-1]"), **steps_first) == []
    assert codes(body.format("states[-1]"), **steps_first) == []
    (warning,) = found(body.format("states[:, -1]"), **steps_first)
    assert warning.help == "write `states[-1]` for one step of each sample"
