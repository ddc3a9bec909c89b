"""The one rule of nearness, and that whatever a message proposes works where it is put."""

from __future__ import annotations

import random
import re

import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from specc import front
from specc.catalog.examples import KINDS, program_of
from specc.errors import Diagnostic
from specc.suggestions import did_you_mean, listed, nearest

NAMES = ["Linear", "Bilinear", "Conv1d", "Conv2d", "relu", "elu", "log", "deg2rad", "isinf", "x1"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Linaer", "Linear"), ("Linaerr", "Linear"), ("linear", "Linear"), ("con_v2d", "Conv2d"),
        ("rlu", "relu"), ("reluu", "relu"), ("lgo", "log"), ("long", "log"), ("isnif", "isinf"),
        # Another computation, another kind, another number: no slips.
        ("grad", None), ("inf", None), ("Conv3d", None), ("Conv", None), ("lot", None),
        ("x2", None), ("x", None), ("DropPath", None), ("", None), ("_", None),
    ],
)  # fmt: skip
def test_a_slip_is_near_and_nothing_else(name: str, found: str | None) -> None:
    assert nearest(name, NAMES) == found


def test_the_nearest_is_first_and_a_name_is_no_slip_of_itself() -> None:
    assert nearest("relu_", ["elu", "relu", "prelu"]) == "relu"
    assert nearest("steps", ["steps", "step"]) == "step"
    assert nearest("a" * 10_000, ["a" * 10_001]) is None


def test_the_words() -> None:
    assert did_you_mean("rlu", NAMES, "none") == "did you mean `relu`?"
    assert did_you_mean("zzz", NAMES, "none") == "none"
    assert did_you_mean("rlu", NAMES, quote="{!r}") == "did you mean 'relu'?"
    assert listed(["a", "b"]) == "one of a, b"
    assert listed([], empty="nothing") == "nothing"
    assert listed(map(str, range(100))).endswith(", 14, 15, and 84 more")


@given(st.text("abcdefg_12", min_size=1, max_size=12), st.text("abcdefg_12", max_size=12))
def test_nearness_is_mutual(one: str, other: str) -> None:
    assert (nearest(one, [other]) is None) == (nearest(other, [one]) is None) or not other


def test_there_is_one_rule_and_one_text() -> None:
    own = {"specc/suggestions.py", "specc/bisect/operations.py"}
    for path in sorted((ROOT / "specc").rglob("*.py")):
        text = path.read_text("utf-8")
        if path.relative_to(ROOT).as_posix() not in own:
            assert "difflib" not in text, path
            assert "did you mean" not in re.sub(r"'bias'", "", text) or path.name in (
                "diagnostics.py", "suggestions.py"
            ), path  # fmt: skip


# ── proposals, tried ─────────────────────────────────────────────────────────────────────────────


def errors(text: str) -> list[Diagnostic]:
    _, found, _ = front.check_text(text)
    return [item for item in found if item.severity == "error"]


def mended(text: str, found: list[Diagnostic]) -> str:
    for item in sorted(found, key=lambda item: item.fix[0] if item.fix else 0, reverse=True):
        if item.fix is not None:
            text = text[: item.fix.start] + item.fix.text + text[item.fix.end :]
    return text


ROWS = [(kind, row) for kind in ("layer", "function", "loss") for row in KINDS[kind].values()]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ROWS), st.integers(0, 2**32))
def test_a_slip_in_a_name_of_the_catalogue_is_mended(case: tuple[str, object], seed: int) -> None:
    kind, row = case
    name = row.name  # type: ignore[attr-defined]  # a row
    text = program_of(kind, row)  # type: ignore[arg-type]  # a row
    draw = random.Random(seed)
    place = draw.randrange(1, max(len(name) - 1, 2))
    slip = (
        name[:place] + name[place + 1 :]
        if draw.random() < 0.5
        else name[:place] + name[place - 1 :]
    )
    wrong = re.sub(rf"(?m)^(?!#)(.*?)\b{name}\b", rf"\g<1>{slip}", text, count=1)
    for item in errors(wrong):
        if item.fix is not None:
            line = wrong.count("\n", 0, item.fix.start) + 1
            after = [e for e in errors(mended(wrong, [item])) if e.span and e.span.line == line]
            assert after == []


FRAME = """spec 1

model Net {{
  input x: float[N, 8]
  input image: float[N, 3, 8, 8]
  logits = x -> Linear(3)
{}
  output logits
}}

train {{
  input label: index(3)[N]
{}
}}
"""
LOSS = "  loss = CrossEntropyLoss(logits, label)"


@pytest.mark.parametrize(
    ("model", "train", "never"),
    [
        ("y = round(x).long()", LOSS, "log"),
        ("y = grad(x, x)", LOSS, "deg2rad"),
        ("y = x -> DropPath(0.1)", LOSS, "Dropout("),
        ("y = [x]\n  y.append(x)", LOSS, "append("),
        ("y = nn.Parameter(x)", LOSS, "write `Parameter"),
        ("y = masked_fill(x, x > 0.0, -Inff)", LOSS, "isinf"),
        ("y = x -> SwiGLU(3)", LOSS, "SiLU("),
        ("y = x.unfold(1, 2, 3)", LOSS, "write `unfold"),
        ("y = x.argwhere()", LOSS, "where("),
        ("y = x -> Linear(8, units=3)", LOSS, "did you mean"),
        ("y = image -> Conv3d(8, kernel_size=3)", LOSS, "did you mean"),
        ("y = x -> GeGLU", LOSS, "GELU"),
        ("y = x -> CReLU", LOSS, "did you mean"),
        ("y = relu", LOSS, "did you mean"),
        ("", f"{LOSS}\n  optimizer AdamP(lr=0.1)", "did you mean"),
        ("", f"{LOSS}\n  optimizer Lion(lr=0.1)", "did you mean"),
        ("", f"{LOSS}\n  optimizer SGD on units.5.weight", "did you mean"),
        ("", "  loss = MSELoss(logit, logits) + MSELoss(log, logits)", "did you mean `logit`"),
        ("z = relu(x) + lo", LOSS, "log"),
    ],
)
def test_no_message_advises_another_computation(model: str, train: str, never: str) -> None:
    text = FRAME.format(f"  {model}" if model else "", train)
    found = errors(text)
    assert found
    for item in found:
        assert never not in (item.help or "")
        assert item.help


@pytest.mark.parametrize(
    ("model", "train", "help"),
    [
        ("y = x -> Linaer(8, bais=false)", LOSS, "write `Linear(8, bias=false)`"),
        ("yy = x\n  y = yyy", LOSS, "did you mean `yy`?"),
        ("y = x -> Conv2(8, 3)", LOSS, "`Conv2d(8, 3)` in its place does not check: Conv2d takes"),
        ("y = x @ x.transpose()", LOSS, "does not check: transpose is missing `dim0` and `dim1`"),
        ("y = x.data", LOSS, "write `detach(x)`"),
        ('y = x.to("cuda")', LOSS, "write `x`"),
        ("y = x.to(torch.float16)", LOSS, "write `half(x)`"),
        ("y = x.to(dtype=torch.long)", LOSS, "write `long(x)`"),
        ("", f"{LOSS}\n  optimizer AdamW(learnin_rate=0.1)", "did you mean `lr`?"),
        ("", "  loss = SupConLoss(logits, label)", "written out here"),
        ("h = relu(x)", "  loss = mean(h)", "it is a value inside Net, and what that puts out is"),
        ("", "  loss1 = CrossEntropyLoss(logits, label)", "`loss = loss1`"),
        ("", f"{LOSS}\n  optimizer Adam(betas=(0.9))", "parentheses around one number are that"),
        ("", "  loss = CrossEntropyLoss(label, logits)", "`CrossEntropyLoss(logits, label)`"),
        ("", f"{LOSS}\n  metric MSELoss(logits, label)", "it is a loss: write `loss = MSELoss"),
        ("", f"{LOSS}\n  metric ROC(logits, label)", "it is left out here: gives a curve"),
        ("", f"{LOSS}\n  metric AUROC(logits[:, 0], label == 1)", "`BinaryAUROC` takes it"),
        ("", f"{LOSS}\n  metric BinaryAUROC(logits, label)", "`MulticlassAUROC` takes what is"),
        ("y = x -> FancyLayer(3)", LOSS, "docs/extensions.md"),
        ("y = x -> Lambda(3)", LOSS, "make it a `block`"),
        ("y = x.argwhere()", LOSS, "left out here: the shape of the result depends"),
    ],
)
def test_what_is_proposed(model: str, train: str, help: str) -> None:
    text = FRAME.format(f"  {model}" if model else "", train)
    found = errors(text)
    assert help in (found[0].help or ""), found
    fixed = [item for item in found if item.fix is not None]
    if fixed:
        assert errors(mended(text, fixed)) == []


LISTS = """spec 1

block Unit {
  input x: float[N, C]
  output x -> fc: Linear(C) -> norm: LayerNorm
}

model Net {
  input x: float[N, 8]
  units: for i in range(4) {
    x = x -> unit: Unit
  }
  y = x -> head: Linear(3)
  output y
}

train {
  loss = mean(y)
  optimizer SGD(lr=0.1) {
    group(weight_decay=0.1) on WHAT
  }
}
"""


@pytest.mark.parametrize(
    ("pattern", "help"),
    [
        ("units.5.unit.fc.weight", "`units` has 0 to 3"),
        ("units.5.fc.weight", None),
        ("units.2.unit.fc.wieght", "did you mean `units.2.unit.fc.weight`?"),
        ("*.wieght", "did you mean `*.weight`?"),
        ("unit.*", None),
        ("Unti.*", "did you mean `Unit.*`?"),
        ("LayerNrom.weight", "did you mean `LayerNorm.weight`?"),
        ("head", "did you mean `head.*`?"),
        ("fc.weight", "did you mean `*.fc.weight`?"),
        ("had.weight", "did you mean `head.weight`?"),
        ("decoder.weight", None),
    ],
)
def test_what_is_proposed_for_a_selector_selects(pattern: str, help: str | None) -> None:
    (found,) = errors(LISTS.replace("WHAT", pattern))
    assert found.code == "E0401" and (help is None or found.help == help)
    close = re.fullmatch(r"did you mean `(.*)`\?", found.help or "")
    if close is not None:
        assert errors(LISTS.replace("WHAT", close[1])) == []


def test_a_proposal_is_tried_with_the_others_and_none_hides_a_fault() -> None:
    text = FRAME.format("  y = x -> Linaer(8)\n  z = y -> Dropot(2)", LOSS)
    first, second = errors(text)
    assert first.help == "write `Linear(8)`"
    assert second.help is not None and "in its place does not check: p of Dropout" in second.help
