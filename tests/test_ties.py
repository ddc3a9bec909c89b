"""Free sizes that a line ties down: refused where no input states it, and what is proposed, put in
its place, checks."""

from __future__ import annotations

import re

import pytest

from specc import front
from specc.errors import Diagnostic, SpecError
from specc.semantics import analyse

QKV = "input q: float[N, T, dim]\n  input k: float[N, T, dim]\n  input v: float[N, T, dim]"


def of(body: str, params: str = "(dim: int = 8)", rest: str = "", before: str = "") -> str:
    return f"spec 1\n{before}\nmodel M{params} {{\n  {body}\n}}\n{rest}\n"


def found(text: str) -> list[Diagnostic]:
    """The errors of ``text``, in order."""
    try:
        analyse(text, "m.spec")
    except SpecError as error:
        return [item for item in error.diagnostics() if item.severity == "error"]
    return []


def tie(text: str) -> Diagnostic:
    (fault,) = found(text)
    assert fault.code == "E0311", fault
    return fault


def equality(fault: Diagnostic) -> str:
    match = re.match(r"this holds only where (.+?)(, which is \d+)?, and ", fault.message)
    assert match is not None, fault.message
    return match[1]


def with_where(text: str, fault: Diagnostic) -> str:
    """``text`` with the input's line as the message states it."""
    line = re.search(r"state it: `(input (\w+): .+)`$", fault.help or "")
    assert line is not None, fault.help
    changed, count = re.subn(rf"(?m)input {line[2]}:.*$", line[1], text, count=1)
    assert count == 1
    return changed


def with_fix(text: str, fault: Diagnostic) -> list[str]:
    """``text`` with each form of the expression that the message proposes."""
    assert fault.span is not None
    head = (fault.help or "").partition("; if that")[0]
    forms = re.findall(r"`([^`]+)`", head) if head.startswith("write ") else []
    return [text[: fault.span.start] + form + text[fault.span.end :] for form in forms]


TIED = (
    (f"{QKV}\n  output softmax(q @ k, dim=-1) @ v", "T == dim"),
    (f"{QKV}\n  output softmax(bmm(q, k), dim=-1) @ v", "T == dim"),
    (f"{QKV}\n  output (q -> matmul(k) -> softmax(dim=-1)) @ v", "T == dim"),
    (f"{QKV}\n  output q + k.mT + v", "T == dim"),
    ("input x: float[N, T]\n  input y: float[N, 5]\n  output x + y", "T == 5"),
    ("input x: float[N, 8]\n  input y: float[M, 8]\n  output x + y", "M == N"),
    ("input x: float[N, T, 8]\n  output reshape(x, N, 64)", "T == 8"),
    ("input x: float[N, 1]\n  output squeeze(x, 0)", "N == 1"),
    ("input x: float[N, T]\n  input y: float[N, S]\n  output x[:, 1:] + y", "S == T - 1"),
    ("input x: float[N, T]\n  a, b = split(x, (3, 4), dim=1)\n  output a, b", "T == 7"),
    ("input x: float[N, T, 8]\n  layer fc = Linear(8)\n  y = fc(x)\n"
     "  output y @ fc.weight, y.mT @ x + x", "T == 8"),
    ("input x: float[N, 4]\n  input y: float[M, 4]\n  output cat([x, y], dim=1)", "M == N"),
    ("input x: float[N, 2, T]\n  output reshape(x, N, 4, 5)", "T == 10"),
    ("input q: float[N, T, 8]\n  input m: bool[N, S]\n"
     "  output masked_fill(q, unsqueeze(m, -1), 0.0)", "S == T"),
    ("input x: float[N, C, H, W]\n  output x + (x -> AdaptiveAvgPool2d(4))", "H == 4"),
)  # fmt: skip


@pytest.mark.parametrize(("body", "said"), TIED)
def test_an_unstated_tie_is_a_fault_and_stated_it_is_none(body: str, said: str) -> None:
    text = of(body)
    fault = found(text)[0]
    assert fault.code == "E0311" and equality(fault) == said
    for _ in range(3):  # a line may tie several sizes
        if not found(text):
            break
        text = with_where(text, found(text)[0])
    assert found(text) == []


@pytest.mark.parametrize(
    ("body", "forms"),
    [
        (f"{QKV}\n  output softmax(q @ k, dim=-1) @ v", ["q @ k.mT"]),
        (f"{QKV}\n  s = q @ k / dim ** 0.5\n  output softmax(s, dim=-1) @ v", ["q @ k.mT"]),
        (f"{QKV}\n  output softmax((q + 1) @ (k * 2), dim=-1) @ v", ["(q + 1) @ (k * 2).mT"]),
        (f"{QKV}\n  output softmax(bmm(q, k), dim=-1) @ v", ["bmm(q, k.mT)"]),
        (f"{QKV}\n  output q + k.mT + v", ["q + k"]),
        ("input x: float[N, T, 8]\n  output reshape(x, N, 64)", []),
        ("input x: float[N, T, 8]\n  output x - mean(x, dim=1)",
         ["x - mean(x, dim=1, keepdim=true)"]),
        ("input x: float[N, T, 8]\n  input m: unit[N, T]\n  output sum(m * x, dim=1)",
         ["unsqueeze(m, -1) * x"]),
        ("input x: float[N, T, 8]\n  output x / sum(x, -1)", ["x / sum(x, -1, keepdim=true)"]),
        ("input x: float[N, T, 8]\n  input m: unit[N, T]\n  output sum(x * m, dim=1)",
         ["x * unsqueeze(m, -1)"]),
        ("input x: float[N, 8]\n  input m: unit[N]\n  output x * m", ["x * unsqueeze(m, -1)"]),
        ("input x: float[N, T, 8]\n  input m: bool[N, T]\n  output masked_fill(x, m, 0.0)",
         ["masked_fill(x, unsqueeze(m, -1), 0.0)"]),
        ("input x: float[N, T, 8]\n  input m: bool[N, T]\n  output where(m, x, 0.0)",
         ["where(unsqueeze(m, -1), x, 0.0)"]),
        ("input x: float[N, T, 8]\n  input m: bool[N, T]\n  output masked_fill(x @ x.mT, m, -9.0)",
         ["masked_fill(x @ x.mT, unsqueeze(m, -1), -9.0)",
          "masked_fill(x @ x.mT, unsqueeze(m, 1), -9.0)"]),
        ("input x: float[N, T, 8]\n  input m: float[N, S, 8]\n"
         "  output TransformerDecoder(nhead=2, num_layers=1)(x, m)",
         ["TransformerDecoder(nhead=2, num_layers=1, batch_first=true)(x, m)"]),
        ("input x: float[N]\n  input y: float[M]\n  output x + y", []),
        ("input x: float[N, 1]\n  output squeeze(x, 0)", []),
        ("input x: float[N, 8]\n  input y: float[M, 8]\n  output x + y", []),
    ],
)  # fmt: skip
def test_what_is_proposed_checks_where_it_is_put(body: str, forms: list[str]) -> None:
    text = of(body)
    fault = found(text)[0]
    changed = with_fix(text, fault)
    assert changed == [
        text[: fault.span.start] + form + text[fault.span.end :] for form in forms if fault.span
    ]
    assert all(found(each) == [] for each in changed)


ATTEND = (
    "input x: float[N, T, 8]\n  input y: float[N, S, 8]\n  input pad: bool[N, {pad}]\n"
    "  layer a = {made}\n  output {call}"
)


@pytest.mark.parametrize(
    ("made", "call", "pad", "said"),
    [
        ("MultiheadAttention(2)", "a(x, x, x, key_padding_mask=pad)", "T",
         ["layer a = MultiheadAttention(2, batch_first=true)"]),
        ("MultiheadAttention(2)", "a(x, y, y, key_padding_mask=pad)", "S",
         ["layer a = MultiheadAttention(2, batch_first=true)"]),
        ("MultiheadAttention(2, batch_first=true)", "a(x, x, x, attn_mask=pad)", "T",
         ["a(x, x, x, key_padding_mask=pad)"]),
        ("MultiheadAttention(2)", "a(x, x, x, attn_mask=pad)", "T",
         ["layer a = MultiheadAttention(2, batch_first=true)", "a(x, x, x, key_padding_mask=pad)"]),
        ("TransformerEncoderLayer(2)", "a(x, src_key_padding_mask=pad)", "T",
         ["layer a = TransformerEncoderLayer(2, batch_first=true)"]),
        ("TransformerEncoderLayer(2, batch_first=true)", "a(x, src_mask=pad)", "T",
         ["a(x, src_key_padding_mask=pad)"]),
        ("TransformerEncoder(nhead=2, num_layers=1, batch_first=true)", "a(x, mask=pad)", "T",
         ["a(x, src_key_padding_mask=pad)"]),
        ("TransformerDecoderLayer(2, batch_first=true)", "a(x, y, memory_mask=pad)", "S",
         ["a(x, y, memory_key_padding_mask=pad)"]),
        ("TransformerDecoderLayer(2)", "a(x, y)", "S",
         ["layer a = TransformerDecoderLayer(2, batch_first=true)"]),
    ],
)  # fmt: skip
def test_a_mask_that_ties_the_batch_to_the_steps(
    made: str, call: str, pad: str, said: list[str]
) -> None:
    values = f"{call}[0]" if made.startswith("Multi") else call
    text = of(ATTEND.format(made=made, call=values, pad=pad))
    fault = tie(text)
    head = (fault.help or "").partition("; if that")[0]
    assert head == "write " + " and ".join(f"`{each}`" for each in said)
    mended = text
    for each in said:
        old = f"layer a = {made}" if each.startswith("layer") else call
        mended = mended.replace(old, each)
    assert found(mended) == []


@pytest.mark.parametrize(
    ("made", "call", "said"),
    [
        ("MultiheadAttention(2, batch_first=true)", "a(x, x, x, pad)", "key_padding_mask=pad"),
        ("MultiheadAttention(2, batch_first=true)", "a(x, y, y, late)", "attn_mask=late"),
        ("TransformerEncoderLayer(2, batch_first=true)", "a(x, pad)", "src_key_padding_mask=pad"),
        ("TransformerEncoderLayer(2, batch_first=true)", "a(x, steps)", "src_mask=steps"),
        ("TransformerDecoderLayer(2, batch_first=true)", "a(x, y, steps)", "tgt_mask=steps"),
    ],
)  # fmt: skip
def test_a_mask_has_its_name(made: str, call: str, said: str) -> None:
    values = f"{call}[0]" if made.startswith("Multi") else call
    text = of(ATTEND.format(made=made, call=values, pad="T")).replace(
        "  layer", "  input late: bool[T, S]\n  input steps: bool[T, T]\n  layer"
    )
    (fault,) = found(text)
    assert fault.code == "E0208" and fault.fix is not None
    assert fault.fix.text == said and f"write `{said}`" in (fault.help or "")


def test_a_mask_behind_a_none_has_torchs_place() -> None:
    made = "TransformerEncoderLayer(2, batch_first=true)"
    assert found(of(ATTEND.format(made=made, call="a(x, none, pad)", pad="T"))) == []


def test_other_places_of_a_tie_are_told_with_their_files() -> None:
    text = (
        'spec 1\nuse "std/nt_xent_loss.spec"\nmodel M {\n  input x: float[N, 8]\n'
        "  input y: float[M, 8]\n  layer f = Linear(4)\n  p = f(x)\n  q = f(y)\n  output p, q\n}\n"
        "train {\n  loss = NTXentLoss(p, q)\n  optimizer SGD(lr=0.1)\n}\n"
    )
    (fault,) = [item for item in front.check_text(text, "m.spec")[1] if item.severity == "error"]
    assert fault.code == "E0311" and fault.span is not None and fault.span.line == 12
    assert fault.notes[-1].startswith("so does what stands in <specc>/std/nt_xent_loss.spec:")


def test_scores_of_a_sequence_have_their_classes_second() -> None:
    train = "train {\n  input t: index(3)[N, T]\n  loss = CrossEntropyLoss(y, t)\n}"
    text = of("input x: float[N, T, 8]\n  y = x -> Linear(3)\n  output y", rest=train)
    fault = tie(text)
    assert (fault.help or "").startswith("write `CrossEntropyLoss(y.mT, t)`; if that is meant")
    assert [found(each) for each in with_fix(text, fault)] == [[]]


def test_remainders_and_bounds_stay_conditions() -> None:
    body = "input x: float[N, 4, T]\n  output x + (x -> MaxPool1d(2) -> Upsample(scale_factor=2))"
    model = analyse(of(body), "m.spec").model()
    assert [str(condition) for condition in model.conditions] == ["T % 2 == 0"]
    body = "input x: float[N, T]\n  output reshape(x, N, -1, 3), x[:, 4:]"
    model = analyse(of(body), "m.spec").model()
    assert [str(condition) for condition in model.conditions] == ["T % 3 == 0", "T >= 5"]


BLOCK = (
    "block Attend {\n  input q: float[N, T, D]\n  input k: float[N, T, D]\n"
    "  output softmax(q @ k, dim=-1) @ k\n}\n"
)


def test_a_blocks_sizes_are_held_where_the_model_binds_them() -> None:
    use = "layer attend = Attend\n  output attend(x, x)"
    known = of(f"input x: float[N, 8, 8]\n  {use}", before=BLOCK)
    assert found(known) == []
    fault = tie(of(f"input x: float[N, T, 8]\n  {use}", before=BLOCK))
    assert equality(fault) == "T == 8" and fault.span is not None and fault.span.line == 5
    assert any("used at m.spec:11" in note for note in fault.notes)
    stated = of(f"input x: float[N, T, 8] where T == 8\n  {use}", before=BLOCK)
    assert found(stated) == []


def test_what_a_block_states_is_for_its_model_to_state_too() -> None:
    block = "block B {\n  input x: float[N, T, D] where T == D\n  output x @ x\n}\n"
    fault = tie(of("input x: float[N, T, 8]\n  output x -> B", before=block))
    assert equality(fault) == "T == 8"


def test_a_shape_in_a_block_ties_as_well() -> None:
    block = "block B {\n  input x: float[N, 16]\n  output tanh(x)\n}\n"
    fault = tie(of("input x: float[N, T]\n  output x -> B", before=block))
    assert equality(fault) == "T == 16" and fault.span is not None and fault.span.line == 9


def test_train_is_held_too() -> None:
    body = "input x: float[N, 8]\n  y = x -> Linear(3)\n  output y"
    train = "train {{\n  input label: index(3)[{}]\n  loss = CrossEntropyLoss(y, label)\n}}"
    assert found(of(body, rest=train.format("N"))) == []
    fault = tie(of(body, rest=train.format("M")))
    assert equality(fault) == "M == N"
    assert found(with_where(of(body, rest=train.format("M")), fault)) == []


def test_several_models_and_steps_are_held_too() -> None:
    model = "model Net {\n  input x: float[N, T, 8]\n  output x -> Linear(8)\n}\n"
    train = (
        "train {{\n  input a: float[N, T, 8]\n  input b: float[N, S, 8]\n  step one {{\n"
        "    loss = MSELoss(Net(a), {})\n    optimizer SGD(lr=0.1) on Net\n  }}\n}}"
    )
    assert found("spec 1\n" + model + train.format("a")) == []
    text = "spec 1\n" + model + train.format("b")
    fault = tie(text)
    assert equality(fault) == "S == T"
    assert found(with_where(text, fault)) == []


def test_a_stated_equality_decides_what_follows_on_it() -> None:
    body = "input x: float[N, T] where N == 1\n  input y: float[M, T]\n  output x + y"
    model = analyse(of(body), "m.spec").model()
    assert str(model.outputs[0].value.type) == "float[M, T]"
    assert [str(condition) for condition in model.conditions] == ["N == 1"]
    body = "input x: float[N, T]\n  input y: float[N, S] where S == T\n  output x + y"
    assert len(analyse(of(body), "m.spec").model().conditions) == 1


def test_a_weight_is_not_sized_by_what_where_states() -> None:
    body = "input x: float[N, T] where T == 8\n  output x -> Linear(3)"
    assert found(of(body))[0].code == "E0308"


def test_what_where_excludes_is_a_fault() -> None:
    body = "input x: float[N, T] where T == 8\n  input y: float[N, 4]\n  output x + y"
    assert found(of(body))[0].code == "E0302"
    late = (
        "input x: float[N, T]\n  z = x + ones([N, 4])\n  input y: float[N] where T == 8\n  output z"
    )
    assert found(of(late))[0].code == "E0302"
    assert found(of("input x: float[N, T] where T == 8, T == 4\n  output x"))[0].code == "E0231"


def test_one_equality_is_reported_once_with_the_other_places() -> None:
    body = f"{QKV}\n  a = q @ k\n  b = k @ v\n  output a, b"
    fault = tie(of(body))
    assert "line 8" in fault.notes[-1]


@pytest.mark.parametrize(
    "value",
    ["reshape(x, N, 7, 7)", "reshape(x, N, -1, 7)", "reshape(x, 2 * N, 50)", "reshape(x, N, 51)"],
)
def test_a_reshape_that_never_fits_is_told_at_its_line(value: str) -> None:
    (fault,) = found(of(f"input x: float[N, 50]\n  y = {value}\n  output y"))
    assert fault.code in ("E0302", "E0303") and fault.span is not None and fault.span.line == 5
    assert "sizes N=" not in fault.message


def test_what_no_remainder_fits_is_told() -> None:
    body = "input x: float[N, 1, T]\n  y = x -> MaxPool1d(2) -> Upsample(scale_factor=2)"
    (fault,) = found(of(f"{body}\n  output pad(x, (1, 0)) + pad(y, (0, 3))"))
    assert fault.code == "E0302"
