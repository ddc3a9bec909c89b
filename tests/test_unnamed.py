"""Values without a name: which a row takes so, and that what is proposed for the others is right.

``LINES`` are calls as people write them, with the proposal, which is put in the place of the fault
and must check. Then every row: its example with all arguments by place, in torch's order, as in
torch's own documentation, gives the call that makes the very same thing.
"""

from __future__ import annotations

import inspect
import re

import pytest
from conftest import ROOT

from specc import front
from specc.catalog import FUNCTIONS, LAYERS, OPTIMIZERS, SCHEDULERS, examples
from specc.catalog.rows import FunctionRow, Row
from specc.drift.coverage import is_later
from specc.drift.signature_drift import callable_of, python_signature
from specc.errors import Diagnostic

MODEL = """spec 1

block Dense(width: int, rate: float = 0.1) {{
  input x: float[N, D]
  output x -> Linear(width) -> Dropout(rate)
}}

model Net(wide: int = 16) {{
  input x: float[N, 8]
  input series: float[N, T, 8]
  input image: float[N, 3, 32, 32]
  input maps: float[N, 16, 32, 32]
  input token: index(1000)[N, T]
  input number: int[N, T]
  input hidden: bool[N, T]
  output {}
}}
"""
TRAINED = """spec 1

model Net {{
  input x: float[N, 8]
  y = x -> Linear(3)
  {}
  output y
}}

train {{
  input label: index(3)[N]
  input weights: float[3]
  loss = {}
  optimizer {}
  {}
}}
"""
LINES = [
    # torch's own order: what the shapes tell is left out.
    ("image -> Conv2d(16, 3) -> «BatchNorm2d(16)»", "BatchNorm2d"),
    ("image -> «BatchNorm2d(16)»", "BatchNorm2d"),
    ("image -> «BatchNorm2d(3, 1e-3, 0.01)»", "BatchNorm2d(eps=0.001, momentum=0.01)"),
    ("image -> «BatchNorm2d(3, momentum=0.01)»", "BatchNorm2d(momentum=0.01)"),
    ("image -> «InstanceNorm2d(3)»", "InstanceNorm2d"),
    ("maps -> «InstanceNorm2d(16, affine=true)»", "InstanceNorm2d(affine=true)"),
    ("maps -> «GroupNorm(4, 16)»", "GroupNorm(4)"),
    ("maps -> «GroupNorm(4, wide)»", "GroupNorm(4)"),
    ("x -> «Linear(8, 3)»", "Linear(3)"),
    ("x -> «Linear(8, 3, false)»", "Linear(3, bias=false)"),
    ("x -> «Linear(6, 3)»", "Linear(3)"),
    ("mean(x, dim=1, keepdim=true) -> «Linear(1, 3)»", "Linear(3)"),
    ("«Linear(8, 3)»(x)", "Linear(3)"),
    ("«Bilinear(8, 8, 3)»(x, x)", "Bilinear(3)"),
    ("(series -> «LSTM(8, 16)»)[0]", "LSTM(16)"),
    ("(series -> «GRU(8, 16, 2)»)[0]", "GRU(16, num_layers=2)"),
    ("x -> «GRUCell(8, 16)»", "GRUCell(16)"),
    ("series -> «TransformerEncoderLayer(8, 2, 16)»",
     "TransformerEncoderLayer(2, dim_feedforward=16)"),
    ("series -> «TransformerEncoder(8, 2, 3)»", "TransformerEncoder(nhead=2, num_layers=3)"),
    ("«MultiheadAttention(8, 2, 0.1)»(series, series, series)[0]",
     "MultiheadAttention(2, dropout=0.1)"),
    ("token -> «Embedding(1000, 4, 0)»", "Embedding(4, padding_idx=0)"),
    ("number -> «Embedding(1000, 4, 0)»", "Embedding(1000, 4, padding_idx=0)"),
    ("x -> «LayerNorm(8, 1e-6)»", "LayerNorm(eps=1e-06)"),
    ("image -> «LayerNorm((32, 32), 1e-6)»", "LayerNorm((32, 32), eps=1e-06)"),
    # torch's order of what is left.
    ("image -> «Conv2d(16, 3, 2)»", "Conv2d(16, 3, stride=2)"),
    ("(series -> «LSTM(16, 2)»)[0]", "LSTM(16, num_layers=2)"),
    ("x -> «Linear(3, false)»", "Linear(3, bias=false)"),
    ("image -> «MaxPool2d(3, 2, 1)»", "MaxPool2d(3, stride=2, padding=1)"),
    ("image -> «AvgPool2d(2, 2)»", "AvgPool2d(2, stride=2)"),
    ("image -> «BatchNorm2d(1e-3, 0.01)»", "BatchNorm2d(eps=0.001, momentum=0.01)"),
    ("maps -> «GroupNorm(4, 1e-3)»", "GroupNorm(4, eps=0.001)"),
    ("x -> «PReLU(8, 0.1)»", "PReLU(8, init=0.1)"),
    ("x -> «ReLU(true)»", "ReLU"),
    ('x -> «GELU("tanh")»', 'GELU(approximate="tanh")'),
    ('x -> Linear(8) with «spectral_norm("weight", 2)»',
     'spectral_norm(name="weight", n_power_iterations=2)'),
    ("«CosineSimilarity(1, 1e-6)»(x, x)", "CosineSimilarity(1, eps=1e-06)"),
    # The one argument that takes such a value.
    ('image -> «Conv2d(16, 3, "same")»', 'Conv2d(16, 3, padding="same")'),
    ("image -> «Conv2d(16, 3, false)»", "Conv2d(16, 3, bias=false)"),
    # Behind a named one.
    ("image -> «Conv2d(out_channels=16, 3)»", "Conv2d(out_channels=16, kernel_size=3)"),
    ("image -> «Conv2d(16, padding=1, 3)»", "Conv2d(16, 3, padding=1)"),
    ("image -> «Conv2d(in_channels=3, 16, 3)»", "Conv2d(16, 3)"),
    ("image -> «MaxPool2d(kernel_size=3, 2)»", "MaxPool2d(kernel_size=3, stride=2)"),
    ("«softmax(dim=-1, x)»", "softmax(x, dim=-1)"),
    ("x -> «mean(dim=1, true)»", "mean(dim=1, keepdim=true)"),
    ("«cat(dim=1, [x, x])»", "cat([x, x], dim=1)"),
]  # fmt: skip
TRAINING = [
    ("", "CrossEntropyLoss(y, label)", "«SGD(0.1, 0.9)»", "", "SGD(0.1, momentum=0.9)"),
    ("", "CrossEntropyLoss(y, label)", "«SGD(lr=0.1, 0.9)»", "", "SGD(lr=0.1, momentum=0.9)"),
    ("", "CrossEntropyLoss(y, label)", "«SGD(momentum=0.9, 0.1)»", "", "SGD(0.1, momentum=0.9)"),
    ("", "CrossEntropyLoss(y, label)", "«Adam(0.1, (0.9, 0.99), 1e-6)»", "",
     "Adam(0.1, betas=(0.9, 0.99), eps=1e-06)"),
    ("", "«CrossEntropyLoss(y, label, weights)»", "SGD(0.1)", "",
     "CrossEntropyLoss(y, label, weight=weights)"),
    ("", '«CrossEntropyLoss(y, label, "sum")»', "SGD(0.1)", "",
     'CrossEntropyLoss(y, label, reduction="sum")'),
    ("", "y -> «CrossEntropyLoss(label, 0.1)»", "SGD(0.1)", "",
     "CrossEntropyLoss(label, label_smoothing=0.1)"),
    ("", "«HuberLoss(y, detach(y) * 2, 0.5)»", "SGD(0.1)", "",
     "HuberLoss(y, detach(y) * 2, delta=0.5)"),
    ("", "CrossEntropyLoss(y, label)", "SGD(0.1)", "scheduler «StepLR(5, 0.5)»",
     "StepLR(5, gamma=0.5)"),
    ("", "CrossEntropyLoss(y, label)", "SGD(0.1)", "scheduler «OneCycleLR(0.1, 100)»",
     "OneCycleLR(0.1, total_steps=100)"),
    ("", "CrossEntropyLoss(y, label)", "SGD(0.1)",
     "scheduler «SequentialLR(milestones=(5,), [LinearLR(), ExponentialLR(0.9)])»",
     "SequentialLR([LinearLR(), ExponentialLR(0.9)], milestones=(5,))"),
    ("", "CrossEntropyLoss(y, label)", "SGD(0.1)", "clip «GradNorm(1.0, 1)»",
     "GradNorm(1.0, norm_type=1)"),
    ("init «kaiming_normal_(\"fan_out\", \"relu\")» on *.weight", "CrossEntropyLoss(y, label)",
     "SGD(0.1)", "", 'kaiming_normal_(mode="fan_out", nonlinearity="relu")'),
    ("init «trunc_normal_(0.0, 0.02, -1, 1)» on *.weight", "CrossEntropyLoss(y, label)", "SGD(0.1)",
     "", "trunc_normal_(0.0, 0.02, a=-1, b=1)"),
]  # fmt: skip
# Two readings fit: each is given with what it would mean, torch's first.
EITHER = [
    ("image -> «Conv2d(3, 16, 3)»", ["Conv2d(16, 3)", "Conv2d(3, 16, stride=3)"]),
    ("image -> «Conv2d(3, 16, 3, 1, 1)»",
     ["Conv2d(16, 3, stride=1, padding=1)", "Conv2d(3, 16, stride=3, padding=1, dilation=1)"]),
    ("image -> «Conv2d(3, wide, (3, 1), bias=false)»",
     ["Conv2d(wide, (3, 1), bias=false)", "Conv2d(3, wide, stride=(3, 1), bias=false)"]),
    ("image -> «ConvTranspose2d(3, 16, 2, 2)»",
     ["ConvTranspose2d(16, 2, stride=2)", "ConvTranspose2d(3, 16, stride=2, padding=2)"]),
    ("(series -> «LSTM(8, 2)»)[0]", ["LSTM(2)", "LSTM(8, num_layers=2)"]),
    ("maps -> «Conv2d(16, 3, 1, 1)»",
     ["Conv2d(3, 1, stride=1)", "Conv2d(16, 3, stride=1, padding=1)"]),
    ("image -> «Upsample(2)»", ["Upsample(size=2)", "Upsample(scale_factor=2)"]),
    ("x -> «Hardtanh(0.5)»", ["Hardtanh(min_val=0.5)", "Hardtanh(max_val=0.5)"]),
    ("image -> «BatchNorm2d(1e-3)»", ["BatchNorm2d(eps=0.001)", "BatchNorm2d(momentum=0.001)"]),
]  # fmt: skip
# One value of two that stand together is either.
OF_TWO = ["normal_", "trunc_normal_"]
# Nothing is certain enough to propose.
NEITHER = [
    "maps -> «GroupNorm(16, 4)»",
    "nothing -> «LSTM(8, 2)»",
    "x -> «Dropout(0.1, 7)»",
    "image -> «LayerNorm((32, 16), 1e-6)»",
    "«relu(x, 3, 4)»",
]
RIGHT = [
    "image -> Conv2d(16, 3)", "image -> MaxPool2d(2)", "x -> Dropout(0.1)", "x -> Linear(10)",
    "x -> LayerNorm(8)", "maps -> GroupNorm(4)", "token -> Embedding(1000, 4)", "x -> Softmax(1)",
    "token -> Embedding(4)", "x -> LeakyReLU(0.2)", "x -> Hardtanh(-2, 2)",
    "image -> Flatten(1, 2)",
    "image -> AdaptiveAvgPool2d(1)", "x -> PReLU(8)", "image -> ConstantPad2d(1, 0.5)",
    "x -> Dense(4, 0.2)", "mean(series, 1, true)", "softmax(x, -1)", "x -> reshape(N, 2, 4)",
    "MultiheadAttention(2, batch_first=true)(series, series, series, none)[0]",
    "TransformerEncoderLayer(2, batch_first=true)(series, none, hidden)",
    "TransformerEncoderLayer(2, batch_first=true)(series, none)",
    "GRU(4, batch_first=true)(series, none)[0]",
]  # fmt: skip


def errors(text: str) -> list[Diagnostic]:
    _, found, _ = front.check_text(text)
    return [item for item in found if item.severity == "error"]


def marked(text: str) -> tuple[str, int, int]:
    """``text`` without the marks, and the place that was between them."""
    start, end = text.index("«"), text.index("»") - 1
    return text.replace("«", "").replace("»", ""), start, end


def proposals(help: str | None) -> list[str]:
    assert help is not None
    return re.findall(r"(?:write|or) `([^`]+)`", help)


def hold(written: str, wanted: list[str]) -> Diagnostic:
    """One E0208 at the marked place, which proposes ``wanted``; each of them checks."""
    text, start, end = marked(written)
    (error,) = errors(text)
    assert error.code == "E0208"
    assert error.span is not None and text[error.span.start : error.span.end] == text[start:end]
    assert proposals(error.help) == wanted
    for each in wanted:
        assert errors(text[:start] + each + text[end:]) == []
    return error


@pytest.mark.parametrize(("line", "right"), LINES)
def test_the_call_is_given_as_it_should_be(line: str, right: str) -> None:
    hold(MODEL.format(line), [right])


@pytest.mark.parametrize("name", OF_TWO)
def test_one_moment_is_the_mean_or_the_deviation(name: str) -> None:
    text = f"spec 1\nmodel M {{\ninput x: float[N, 8]\ninit {name}(0.02) on *.weight\n"
    (error,) = errors(text + "output x -> Linear(4)\n}\n")
    assert error.code == "E0208"
    assert proposals(error.help) == [f"{name}(mean=0.02)", f"{name}(std=0.02)"]


@pytest.mark.parametrize(("init", "loss", "optimizer", "more", "right"), TRAINING)
def test_so_is_one_of_training(init: str, loss: str, optimizer: str, more: str, right: str) -> None:
    hold(TRAINED.format(init, loss, optimizer, more), [right])


@pytest.mark.parametrize(("line", "either"), EITHER)
def test_of_two_readings_each_is_given_with_its_meaning(line: str, either: list[str]) -> None:
    error = hold(MODEL.format(line), either)
    assert error.help is not None and error.help.count(" if ") == 2


@pytest.mark.parametrize("line", NEITHER)
def test_what_is_not_certain_is_not_proposed(line: str) -> None:
    text, _, _ = marked(MODEL.format(line))
    found = errors(text)
    assert found
    assert all("write" not in (item.help or "") for item in found)


@pytest.mark.parametrize("line", RIGHT)
def test_what_a_reader_knows_stands_without_a_name(line: str) -> None:
    assert errors(MODEL.format(line)) == []


def test_a_row_of_faults_is_told_in_one_run() -> None:
    text = MODEL.format("image -> Conv2d(3, 16, 3) -> BatchNorm2d(16) -> Conv2d(8, 3, 2)")
    found = errors(text)
    assert [item.code for item in found] == ["E0208"] * 3
    for item in reversed(found):
        assert item.span is not None
        text = text[: item.span.start] + proposals(item.help)[0] + text[item.span.end :]
    assert errors(text) == []


def test_an_argument_that_there_is_not_is_told_beside_it() -> None:
    found = errors(MODEL.format("image -> Conv2d(3, 16, 3, pading=1)"))
    assert sorted(item.code for item in found) == ["E0203", "E0208"]


@pytest.mark.parametrize(
    ("use", "right"),
    [
        ("Dense(rate=0.2, 4)", "Dense(4, rate=0.2)"),
        ("Dense(width=4, 0.2)", "Dense(width=4, rate=0.2)"),
    ],
)
def test_a_block_takes_no_value_without_a_name_behind_a_named_one(use: str, right: str) -> None:
    (error,) = errors(MODEL.format(f"x -> {use}"))
    assert error.code == "E0208" and proposals(error.help) == [right]
    assert errors(MODEL.format(f"x -> {right}")) == []


def test_nor_does_a_layer_that_is_fed() -> None:
    made = "TransformerEncoderLayer(2, batch_first=true)"
    (error,) = errors(MODEL.format(f"{made}(src_key_padding_mask=hidden, series)"))
    assert error.code == "E0208"


CHOICE = """spec 1

block Unit(conv: layer = Conv2d(bias=false), norm: layer = BatchNorm2d) {{
  input x: float[N, C, H, W]
  output x -> conv({}) -> norm
}}

model Net {{
  input x: float[N, 3, 8, 8]
  output x -> Unit{}
}}
"""


@pytest.mark.parametrize("use", ["", "(norm=GroupNorm(4))", "(norm=InstanceNorm2d(affine=true))"])
def test_what_a_param_brings_with_its_layer_has_no_place_in_the_call(use: str) -> None:
    assert errors(CHOICE.format("16, 3", use)) == []


@pytest.mark.parametrize(
    ("call", "use"),
    [
        ("kernel_size=3, 16", ""),
        ("16, 3", "(norm=BatchNorm2d(16))"),
        ("16, 3", "(norm=GroupNorm(4, 16))"),
        ("16, 3", "(norm=GroupNorm(eps=0.1, 4))"),
    ],
)
def test_its_values_are_named_as_others_are(call: str, use: str) -> None:
    """What would be written is in two places, and is not proposed."""
    (error,) = errors(CHOICE.format(call, use))
    assert error.code == "E0208"
    assert use == "" or proposals(error.help) == []


def test_one_is_one() -> None:
    """Numbers agree with their nouns."""
    (error,) = errors(MODEL.format("relu(x, 3)"))
    assert error.message == "relu takes 1 argument, and 2 are given"
    (error,) = errors(MODEL.format("x -> Dense(4, 0.1, 3)"))
    assert "2 arguments" in error.message


# ── every row ────────────────────────────────────────────────────────────────────────────────────


def layers_of(text: str, name: str) -> list[tuple[tuple[str, object], ...]]:
    program, found, _ = front.check_text(text)
    assert program is not None, found
    row = LAYERS[name]
    return [
        tuple(sorted({**defaults(row), **dict(layer.arguments)}.items()))
        for module in program.models
        for layer in module.layers
        if layer.type == name
    ]


def defaults(row: Row) -> dict[str, object]:
    return {each.name: each.default for each in row.arguments if not each.required}


def literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    return f'"{value}"' if isinstance(value, str) else str(value)


def in_torchs_order(name: str) -> tuple[str, str, list[tuple[tuple[str, object], ...]]] | None:
    """The example of a layer, and the same with all of its arguments by place, as torch takes
    them; what it makes. None where that is one and the same call."""
    row = LAYERS[name]
    text = examples.program_of("layer", row)
    program, _, _ = front.check_text(text)
    assert program is not None
    layer = next(each for each in program.model().layers if each.type == name)
    given = {**defaults(row), **dict(layer.arguments)}
    order = [each for each in row.arguments if not each.keyword_only]
    last = max((place for place, each in enumerate(order) if each.name in dict(layer.arguments)),
               default=-1)  # fmt: skip
    written = [literal(given[each.name]) for each in order[: last + 1]]
    if any(len(names) == len(written) for names in row.unnamed) or row.made:
        return None
    written += [f"{key}={literal(value)}" for key, value in layer.arguments
                if row.by_name[key].keyword_only]  # fmt: skip
    call = f"{name}({', '.join(written)})"
    mended = text[: layer.span.start] + call + text[layer.span.end :]
    return mended, call, layers_of(text, name)


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_a_layer_by_place_as_in_torch_is_told_what_makes_the_same_layer(name: str) -> None:
    found = in_torchs_order(name)
    if found is None:
        pytest.skip("all that its example says may stand so, or torch makes it of another layer")
    text, call, made = found
    (error,) = errors(text)
    assert error.code == "E0208" and error.span is not None
    assert text[error.span.start : error.span.end] == call
    right = proposals(error.help)[0]
    assert layers_of(text.replace(call, right), name) == made


@pytest.mark.parametrize("table", [OPTIMIZERS, SCHEDULERS], ids=["optimizer", "scheduler"])
def test_one_value_too_many_is_never_taken_in_silence(table: dict[str, Row]) -> None:
    for name, row in table.items():
        for count in range(1, len(row.arguments) + 1):
            legal = any(len(names) == count for names in row.unnamed)
            call = f"{name}({', '.join(['1'] * count)})"
            optimizer, more = (call, "") if row.name in OPTIMIZERS else ("SGD(0.1)", call)
            text = TRAINED.format(
                "", "CrossEntropyLoss(y, label)", optimizer, f"scheduler {more}" if more else ""
            )
            assert legal or "E0208" in [item.code for item in errors(text)], call


def test_what_may_stand_without_a_name_is_in_torchs_order() -> None:
    """Of a layer, less what the shapes tell; a value that only torch's reader would name stays
    named, so that no place of the row's is another place of torch's."""
    for row in LAYERS.values():
        order = [each.name for each in row.arguments if not each.keyword_only]
        for names in row.unnamed:
            assert [*names] == [name for name in order if name in names], row.name


def test_a_functions_places_are_torchs() -> None:
    """A function takes its arguments by place as torch does: what a row leaves out in between would
    shift the rest."""
    compared = 0
    for row in FUNCTIONS.values():
        if is_later(row) or any(each.variadic for each in row.arguments) or row.positional:
            continue
        assert isinstance(row, FunctionRow)
        target = callable_of(row)
        found = python_signature(target) if target is not None else None
        if not found:
            continue
        torchs = [name for name, each in found.items()
                  if each.kind is not inspect.Parameter.KEYWORD_ONLY]  # fmt: skip
        ours = list(row.open_arguments)
        both = min(len(ours), len(torchs))
        own = {"output_ratio", "return_indices"}  # of another of torch's overloads
        if not own & {*ours}:
            assert ours[:both] == torchs[:both], row.name
        compared += 1
    assert compared > 60


def test_the_page_has_the_rule() -> None:
    page = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    assert "One trap" not in page
