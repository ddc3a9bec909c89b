"""What somebody writes who knows torch and not specc, and what the message says to write."""

from __future__ import annotations

from pathlib import Path

import pytest

import specc
from specc import front
from specc.errors import Diagnostic
from specc.inspect import shown_sizes

BLOCK = """
block Unit(rate: float = 0.1, heads: int = 2) {
  input x: float[N, C, H, W]
  output x -> Dropout(rate)
}
"""
HEAD = "input x: float[N, width, 8, 8]\n  input t: float[N, 5, 16]\n  input m: bool[N, 5]\n  "


def of(line: str, rest: str = "") -> str:
    body = line if "output" in line else f"{line}\n  output x"
    return f"spec 1\n\nparam width: int = 16\n{BLOCK}\nmodel Net {{\n  {HEAD}{body}\n}}\n{rest}"


def told(text: str) -> list[Diagnostic]:
    return [item for item in front.check_text(text)[1] if item.severity == "error"]


@pytest.mark.parametrize(
    ("stage", "right"),
    [
        ("t -> LayerNorm(1e-12)", "eps=1e-12"),
        ("t -> RMSNorm(1e-6)", "eps=1e-06"),
        ("t -> LayerNorm(normalized_shape=1e-5)", "eps=1e-05"),
        ('t -> Dropout("0.5")', "0.5"),
        ('t -> LeakyReLU("0.1")', "0.1"),
        ("x -> Unit(drop_rate=0.2)", "rate"),
        ("x -> Unit(num_heads=4)", "heads"),
        ("x -> Unit(raet=0.2)", "rate"),
        ("x -> Unit(p=0.2)", "rate"),
        ("x -> Unit(n_heads=4)", "heads"),
    ],
)
def test_what_is_proposed_is_put_in_its_place_and_checks(stage: str, right: str) -> None:
    text = of(f"output {stage}")
    (fault,) = told(text)
    assert fault.fix is not None and fault.fix.text == right
    assert f"`{right}`" in (fault.help or "")
    assert told(text[: fault.fix.start] + right + text[fault.fix.end :]) == []


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        # Which reading of torch's order comes first.
        ("x -> Conv2d(width, 3, 2, 1)",
         "write `Conv2d(width, 3, stride=2, padding=1)` if width is `out_channels` or"),
        ("x -> Conv2d(width, 4, 2, 1)", "write `Conv2d(width, 4, stride=2, padding=1)` if"),
        ("x -> Conv2d(width, 3, 3)", "write `Conv2d(3, 3)` if width is `in_channels` or"),
        ("x -> Conv2d(width, 8, 4, 2, 1)", "write `Conv2d(8, 4, stride=2, padding=1)` if"),
        ("x -> Conv2d(width, 32, 3)", "write `Conv2d(32, 3)`; in_channels is told"),
        ("x -> BatchNorm2d(0.99)", "write `BatchNorm2d(momentum=0.99)` if"),
        ("x -> BatchNorm2d(1e-3)", "write `BatchNorm2d(eps=0.001)` if"),
        ("x -> BatchNorm2d(1e-4)", "write `BatchNorm2d(eps=0.0001)` if"),
        # A size that is not what comes in.
        ("t -> Linear(32, 4)",
         "write `Linear(4)`; in_features is told by the incoming value, which has 16 and not 32"),
        ("t -> nn.Linear(32, 4)",
         "write `Linear(4)`; in_features is told by the incoming value, which has 16 and not 32"),
        ("x -> nn.Conv2d(3, 8, 1)",
         "write `Conv2d(8, 1)`; in_channels is told by the incoming value, which has width (16)"
         " and not 3"),
        ("t -> nn.GRU(32, 4)", "; input_size is told by the incoming value, which has 16 and not"),
        ("x -> nn.BatchNorm2d(32)", "write `BatchNorm2d`; num_features is told by the incoming"),
        ("t -> nn.Linear(16, 4)", "write `Linear(4)`"),
        ("x -> nn.Conv2d(width, 8, 1)", "write `Conv2d(8, 1)`"),
    ],
)  # fmt: skip
def test_torchs_order_is_told_with_what_disagrees(stage: str, said: str) -> None:
    found = told(of(f"y = {stage}"))
    assert len(found) == 1
    help_ = found[0].help or ""
    assert help_.startswith(said) or said in help_
    if "told" not in said:
        assert "and not" not in help_


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("y, _ = MultiheadAttention(2, batch_first=true, need_weights=false)(t, t, t)",
         "leave it out: the weights are the second result"),
        ("layer a = MultiheadAttention(2, batch_first=true)\n"
         "  y, _ = a(t, t, t, need_weights=false)", "leave it out: the weights are the second"),
        ("layer a = MultiheadAttention(2, batch_first=true, key_padding_mask=m)\n"
         "  y, _ = a(t, t, t)",
         "`layer made = MultiheadAttention(...)`, then `made(query, key, value, key_padding"),
        ("y = t -> TransformerEncoderLayer(2, batch_first=true, src_key_padding_mask=m)",
         "then `made(src, src_key_padding_mask=...)`"),
        ("y = t -> GRU(4, batch_first=true, batch_size=3)", "leave it out: the batch is a size"),
    ],
)  # fmt: skip
def test_an_argument_of_another_place_is_told_with_its_own(line: str, said: str) -> None:
    found = told(of(line))
    assert [item.code for item in found] == ["E0203"]
    assert said in (found[0].help or "")


TRAIN = """
train {{
  input label: index(4)[N]
  loss = CrossEntropyLoss(y, label{0})
  optimizer SGD(lr=0.1)
  metric Accuracy(y, label{1})
}}
"""


@pytest.mark.parametrize(
    ("loss", "metric", "said"),
    [
        (", num_classes=4", "", "the type of the labels says it"),
        ("", ", num_classes=4", "the type of the labels says it"),
        ("", ', task="multiclass"', "the task is in the name"),
        (", size_average=true", "", 'reduction="mean"'),
        (", reduce=false", "", 'reduction="none"'),
    ],
)
def test_what_torchmetrics_and_older_torch_ask_for(loss: str, metric: str, said: str) -> None:
    text = of("y = mean(t, dim=1) -> Linear(4)\n  output y, x, m", TRAIN.format(loss, metric))
    found = told(text)
    assert [item.code for item in found] == ["E0203"]
    assert said in (found[0].help or "")


@pytest.mark.parametrize(
    ("statement", "meant"),
    [
        ("freeze on plcae", "place.*"),
        ("freeze on place", "place.*"),
        ("freeze on plcae.weight", "place.weight"),
        ("freeze on bdoy", "body.*"),
        ("freeze plcae", "place"),
        ("init zeros_ on bdoy", "body.*"),
        ('weights "w.safetensors" {\n    "a.*" -> "plcae.*"\n  }', "place.*"),
        ('weights "w.safetensors" {\n    "a.*.w" -> "bdoy.*.weight"\n  }', "body.*.weight"),
        ('weights "w.safetensors" {\n    "a" -> "plcae"\n  }', "place"),
        ('weights "w.safetensors" {\n    fresh "bdoy.*.weight"\n  }', "body.*.weight"),
        ('weights "w.safetensors" {\n    cat "a.*", "b.*" -> "bdoy.*"\n  }', "body.*"),
    ],
)
def test_a_path_typed_wrong_is_asked_about(statement: str, meant: str) -> None:
    layers = "y = t -> place: Linear(16) -> body: { Linear(4) -> ReLU }"
    (fault,) = told(of(f"{layers}\n  {statement}\n  output y, x, m"))
    assert fault.code in ("E0401", "E0261")
    assert fault.help == f"did you mean `{meant}`?"


def test_a_name_between_two_lines_of_a_map_is_no_tensors() -> None:
    lines = '"h.*.mlp" -> "blocks.*"\n    "blocks.*.c_fc" -> "body.*"'
    layers = "y = t -> place: Linear(16) -> body: { Linear(4) -> ReLU }"
    text = of(f'{layers}\n  weights "w.safetensors" {{\n    {lines}\n  }}\n  output y, x, m')
    assert told(text) == []


STACK = "tokens -> emb: Embedding(16) -> norm: LayerNorm -> a: Linear(16) -> b: Linear(4)"
VISION = "image -> conv: Conv2d(8, 3, bias=false) -> BatchNorm2d -> relu -> flatten(1) -> Linear(4)"


@pytest.mark.parametrize(
    ("body", "on", "picked"),
    [
        (STACK, "", "Embedding.weight, Linear.weight"),
        (STACK, " on *.weight", "Embedding.weight, Linear.weight"),
        (STACK, " on a.*", "a.weight"),
        (STACK, " on * except emb.*", "Linear.weight"),
        (VISION, "", "Linear.weight"),
        (f"{STACK} -> last: LayerNorm", " on norm.*, last.*", None),
    ],
)
def test_an_optimizer_of_matrices_is_told_which_those_are(
    body: str, on: str, picked: str | None
) -> None:
    text = (
        "spec 1\n\nmodel Net {\n  input tokens: index(50)[N, 5]\n  input image: float[N, 3, 8, 8]\n"
        f"  y = {body}\n  y = {'mean(y, dim=1)' if 'tokens' in body else 'y'}\n"
        "  output y, tokens, image\n}\n\ntrain {\n  input label: index(4)[N]\n"
        f"  loss = CrossEntropyLoss(y, label)\n  OPTIMIZER{on}\n}}\n"
    )
    (fault,) = told(text.replace("OPTIMIZER", "optimizer Muon(lr=0.02)"))
    assert fault.code == "E0406"
    if picked is None:
        assert "take AdamW" in (fault.help or "")
        return
    other = f"optimizer AdamW(lr=1e-3) on * except {picked}"
    assert f"on {picked}`" in (fault.help or "") and f"`{other}`" in (fault.help or "")
    mended = text.replace(f"OPTIMIZER{on}", f"optimizer Muon(lr=0.02) on {picked}\n  {other}")
    assert front.check_text(mended)[1] == []


@pytest.mark.parametrize(
    ("on", "picked"),
    [("*", "Embedding.weight, Linear.weight"), ("a.*, norm.*", "a.weight"), ("norm.*", None)],
)
def test_a_penalty_of_matrices_is_told_which_those_are(on: str, picked: str | None) -> None:
    text = (
        f"spec 1\n\nmodel Net {{\n  input tokens: index(50)[N, 5]\n  y = {STACK}\n"
        "  y = mean(y, dim=1)\n  output y\n}\n\ntrain {\n  input label: index(4)[N]\n"
        "  loss = CrossEntropyLoss(y, label)\n  optimizer SGD(lr=0.1)\n"
        "  regularize Orthogonal(1e-3) on ON\n}\n"
    )
    (fault,) = told(text.replace("ON\n", f"{on}\n"))
    assert fault.code == "E0406"
    assert fault.help == (
        f"select those that have: `on {picked}`" if picked else "none of these has"
    )
    if picked:
        assert told(text.replace("ON\n", f"{picked}\n")) == []


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("x[:, T]", "E0304"),
        ("x[:, T + 1]", "E0304"),
        ("x[:, 2 * T]", "E0304"),
        ("x[:, -T - 1]", "E0304"),
        ("x[:, T + 1:]", "E0304"),
        ("x[:, T - 1]", None),
        ("x[:, -T]", None),
        ("x[:, T // 2]", None),
        ("x[:, T - 2]", None),  # where T is at least 2
    ],
)
def test_an_index_that_no_size_allows_is_told_at_its_line(value: str, code: str | None) -> None:
    text = f"spec 1\n\nmodel Net {{\n  input x: float[N, T, 8]\n  output {value}\n}}\n"
    text += "\ntest {\n  sizes N=2, T=5\n}\n"
    assert [item.code for item in told(text)] == ([code] if code else [])


ROWS = """spec 1

model Net {{
  input x: float[N, T, 24]
  {line}
}}

test {{
  sizes N=2, T=5
  sizes N=3, T=6
  sizes N=3, T=7
  sizes N=1, T=8
}}
"""


@pytest.mark.parametrize(
    ("line", "said", "others"),
    [
        ("q, k, v = chunk(x, 3, dim=1)\n  output q", "its last, of 24, is: `dim=-1`", "12, 13"),
        ("output x -> reshape(N, T // 2, 48)", "", "11"),
        ("output x[:, 6]", "6 is an index of a dimension of size T", "10"),
    ],
)
def test_rows_of_sizes_that_break_the_same_are_one_fault(
    line: str, said: str, others: str, tmp_path: Path
) -> None:
    file = tmp_path / "m.spec"
    file.write_text(ROWS.format(line=line), encoding="utf-8")
    (fault,) = (item for item in specc.check(file) if item.code == "E0501")
    assert said in (fault.help or "")
    assert fault.notes and fault.notes[-1].endswith(others)


def test_a_metric_of_what_a_loss_refused_is_not_told_again() -> None:
    text = of("y = mean(t, dim=1) -> Linear(5)\n  output y, x, m", TRAIN.format("", ""))
    more = text.replace("metric Accuracy", "metric F1Score(y, label)\n  metric Accuracy")
    for each in (text, more):
        (fault,) = told(each)
        assert fault.code == "E0309" and "Loss" in fault.message
    alone = more.replace("CrossEntropyLoss(y, label)", "mean(y)")
    assert len(told(alone)) == 1


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("width = 32", "width: int = 32"),
        ("rate = 0.1", "rate: float = 0.1"),
        ("rate = 1e-3", "rate: float = 1e-3"),
        ("deep = True", "deep: bool = true"),
        ('mode = "same"', 'mode: str = "same"'),
        ("sizes = (3, 5)", "sizes: tuple = (3, 5)"),
        ("act = ReLU", "act: layer = ReLU"),
        ("twice = 2 * 3", "k: int = 3"),
    ],
)
def test_a_param_without_a_type_is_told_with_its_own(written: str, typed: str) -> None:
    body = "{\n  input x: float[N, 8]\n  output tanh(x)\n}\n"
    for text in (
        f"spec 1\n\nparam {written}\n\nmodel Net {body}",
        f"spec 1\n\nmodel Net({written}) {body}",
    ):
        found = told(text)
        assert [item.code for item in found] == ["E0102"]
        assert found[0].help == f"a param has a type: `{typed}`"


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("std/dice_loss", "std/dice_loss.spec"),
        ("dice_loss", "std/dice_loss.spec"),
        ("mine", "mine.spec"),
        ("blocks/unit", "blocks/unit.spec"),
        ("nothing", None),
        ("../mine", None),
    ],
)
def test_a_used_file_without_its_suffix(path: str, right: str | None, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "blocks").mkdir()
    block = "spec 1\n\nblock Unit {\n  input x: float[N, D]\n  output x -> Linear(D)\n}\n"
    for name in ("mine.spec", "blocks/unit.spec"):
        (tmp_path / name).write_text(block, encoding="utf-8")
    file = tmp_path / "m.spec"
    body = "model Net {\n  input x: float[N, 8]\n  output tanh(x)\n}\n"
    file.write_text(f'spec 1\n\nuse "{path}"\n\n{body}', encoding="utf-8")
    (fault,) = (item for item in specc.check(file) if item.severity == "error")
    assert fault.code == "E0240"
    assert (fault.help == f'write `use "{right}"`') == (right is not None)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("cat([x, x -> Conv2d(4, 1)])", "write `dim=1`, along which they may differ"),
        ("cat([x, x -> MaxPool2d(2)], dim=1)", None),
        ("cat([t, t -> Linear(3)], dim=1)", "write `dim=2`, along which they may differ"),
        ("cat([t, t[:, :2]])", "write `dim=1`, along which they may differ"),
    ],
)
def test_values_that_fit_along_another_dimension(call: str, said: str | None) -> None:
    (fault,) = told(of(f"y = {call}\n  output y, x, t, m"))
    assert fault.code == "E0302" and fault.help == said
    if said is not None:
        right = said.partition("`")[2].partition("`")[0]
        plain = call.replace(", dim=1)", ")")
        assert told(of(f"y = {plain[:-1]}, {right})\n  output y, x, t, m")) == []


def test_what_a_model_asks_is_told_in_the_model(tmp_path: Path) -> None:
    file = tmp_path / "m.spec"
    file.write_text(
        'spec 1\n\nuse "std/dice_loss.spec"\n\nmodel Net {\n  input x: float[N, 3, H, W]\n'
        "  y = x -> MaxPool2d(2) -> Upsample(scale_factor=2)\n  y = cat([x, y], dim=1)\n"
        "  output y -> Conv2d(5, 1)\n}\n\ntrain {\n  input mask: index(5)[N, H, W]\n"
        "  loss = DiceLoss(output, mask)\n  optimizer SGD(lr=0.1)\n}\n",
        encoding="utf-8",
    )
    asked = shown_sizes.asked(front.read(file))["Net"]
    assert [(str(item), item.span.line) for item in asked] == [("H % 2 == 0", 8), ("W % 2 == 0", 8)]


SEVERAL = """spec 1

model Generator(latent: int = 16) {
  input z: float[N, latent]
  output z -> Linear(2)
}

model Critic {
  input x: float[N, 2]
  output x -> body: Linear(4) -> head: Linear(1)
}

train {
  input real: float[N, 2]
  input z: normal[N, 16]
  loss = mean(Critic(Generator(z))) - mean(Critic(real))
  optimizer Adam(lr=2e-4) on Critic, Generator
}
"""


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("Critic.parameters()", "on Critic"),
        ("model.Critic.parameters()", "on Critic"),
        ("critic.head.parameters()", "on critic.head.*"),
        ("self.critic.parameters()", "on critic.*"),
    ],
)
def test_parameters_of_a_model_are_selected_by_its_name(said: str, right: str) -> None:
    text = SEVERAL.replace("on Critic, Generator", f"on {said}")
    (fault,) = told(text)
    assert fault.code == "E0102" and fault.help == f"write `{right}`"
    assert told(text.replace(f"on {said}", right)) == []


def test_a_param_of_a_model_is_not_seen_by_train() -> None:
    (fault,) = told(SEVERAL.replace("normal[N, 16]", "normal[N, latent]"))
    assert fault.code == "E0311"
    param = "param latent: int = 16"
    assert f"move it above the models, `{param}`" in (fault.help or "")
    moved = SEVERAL.replace("spec 1\n", f"spec 1\n\n{param}\n").replace("(latent: int = 16)", "")
    assert told(moved.replace("normal[N, 16]", "normal[N, latent]")) == []


def test_a_metric_that_is_the_root_of_another() -> None:
    text = of("y = mean(t, dim=1) -> Linear(4)\n  output y, x, m", TRAIN.format("", ""))
    for name in ("RMSE", "RootMeanSquaredError"):
        (fault,) = told(text.replace("Accuracy", name))
        assert fault.code == "E0405" and "`MeanSquaredError(y, wanted, squared=false)`" in str(
            fault.help
        )


def test_a_block_may_leave_out_what_the_file_says() -> None:
    text = of("output x -> Unit").replace("heads: int = 2", "width: int")
    (fault,) = (item for item in told(text) if item.code == "E0220")
    assert "a block sees the file's params" in (fault.help or "")


UNDER_WHERE = """spec 1

model Net {
  input x: float[N, 3, H, W]WHERE
  a = x -> Conv2d(4, 3, stride=2, padding=1) -> Conv2d(8, 3, stride=2, padding=1)
  b = a -> Conv2d(8, 3, stride=2, padding=1) -> Upsample(scale_factor=8)
  y = LINE
  output y, a, b
}
"""


@pytest.mark.parametrize(
    ("line", "short", "long"),
    [
        ("b + x", "[N, 8, H, W] and [N, 3, H, W]", "8 * ((H + 7) // 8)"),
        ("a -> Linear(3)", "W // 4 of float[N, 8, H // 4, W // 4]", "(W + 3) // 4"),
        ("cat([a, b], dim=1)", "H // 4 == H", "(H + 3) // 4"),
        ("a -> Conv1d(3, 1)", "float[N, 8, H // 4, W // 4]", "(W + 3) // 4"),
    ],
)
def test_messages_tell_sizes_under_where(line: str, short: str, long: str) -> None:
    text = UNDER_WHERE.replace("LINE", line)
    where = " where H % 8 == 0, W % 8 == 0"
    (plain, *_), (under, *_) = (told(text.replace("WHERE", each)) for each in ("", where))
    assert long in " ".join([plain.message, *plain.notes, plain.help or ""])
    said = " ".join([under.message, *under.notes, under.help or ""])
    assert short in said and "+ 7)" not in said and "+ 3)" not in said
