"""PyTorch habits in a spec: each is reported at its place, and what the message proposes works.

A row has the faulty lines, the place between « and », the code, and how the proposal is used:
``at`` its place, as the whole ``line``, or ``by_hand`` where a line is to go or to be written anew.
The proposal is applied to the text, and what comes of it must check. Then specs of the zoo with
tokens dropped, doubled and swapped: whatever is wrong with a text, it is reported, and never a
traceback.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from specc import front
from specc.errors import Diagnostic
from specc.report.terminal.diagnostics import render


class Habit(NamedTuple):
    """``right`` is what stands in place of the marked text, or of the line, once it is mended."""

    wrong: str
    code: str
    right: str
    use: Literal["at", "line", "by_hand"] = "at"
    help: str = ""

    def __str__(self) -> str:
        return re.sub(r"\s+", "_", self.wrong.replace("«", "").replace("»", ""))[:50]


MODEL = """spec 1

model Net {{
  input x: float[N, 8]
  input image: float[N, 3, 32, 32]
  input sequence: float[N, T, 8]
  layer fc = Linear(8)
  h = fc(x)
{}
}}
"""
TRAIN = """spec 1

model Net {{
  input x: float[N, 8]
  logits = x -> Linear(3)
  output logits
}}

train {{
  input label: index(3)[N]
{}
}}
"""
OPTIMIZED = "loss = CrossEntropyLoss(logits, label)\n  "

PREFIXES = [
    Habit("output x -> «nn.Linear(8)»", "E0226", "Linear(8)"),
    Habit("output x -> «nn.Linear(8, 3)»", "E0226", "Linear(3)"),
    Habit("output x -> «nn.Linear(8, out_features=3)»", "E0226", "Linear(out_features=3)"),
    Habit("output image -> «torch.nn.Conv2d(3, 16, 3, padding=1)»", "E0226",
          "Conv2d(16, 3, padding=1)"),
    Habit("output image -> «torch.nn.Conv2d(16, 3)»", "E0226", "Conv2d(16, 3)"),
    Habit("output image -> «nn.BatchNorm2d(3)»", "E0226", "BatchNorm2d"),
    Habit("output image -> «nn.Conv2d(3, 16, 3, 2, 1)»", "E0226",
          "Conv2d(16, 3, stride=2, padding=1)"),
    Habit("output image -> «nn.MaxPool2d(2, 2)»", "E0226", "MaxPool2d(2, stride=2)"),
    Habit("output image -> «nn.ReLU(inplace=True)»", "E0226", "ReLU"),
    Habit("output x -> «F.relu»", "E0226", "relu"),
    Habit("output «torch.relu(x)»", "E0226", "relu(x)"),
    Habit("output «F.relu(x)»", "E0226", "relu(x)"),
    Habit("output «torch.nn.functional.gelu(x)»", "E0226", "gelu(x)"),
    Habit("output «F.softmax(x, dim=1)»", "E0226", "softmax(x, dim=1)"),
    Habit("output «F.dropout(x, 0.5, training=self.training)»", "E0226", "dropout(x, 0.5)"),
    Habit("output «torch.cat((x, F.relu(x)), 1)»", "E0226", "cat((x, relu(x)), 1)"),
    Habit("output «torch.add(x, x)»", "E0226", "x + x"),
    Habit("output «nn.Linear(8, 4)(x)»", "E0226", "Linear(4)(x)"),
    Habit("y = «nn.Linear(8)(x)»\n  output y", "E0226", "Linear(8)(x)"),
    Habit("output «np.exp(x)»", "E0226", "exp(x)"),
    Habit("output «tf.nn.relu(x)»", "E0226", "relu(x)"),
    Habit("output «tf.concat([x, x], axis=1)»", "E0226", "cat([x, x], dim=1)"),
    Habit("output «self.fc(x)»", "E0226", "fc(x)"),
    Habit("output «torch.sigmoid(self.fc(F.relu(self.fc(x))))»", "E0226",
          "sigmoid(fc(relu(fc(x))))"),
]  # fmt: skip
METHODS = [
    Habit("output «relu(x).mean()»", "E0226", "mean(relu(x))"),
    Habit("output «x.view(N, 4, 2)»", "E0226", "reshape(x, N, 4, 2)"),
    Habit("output «x.view(x.size(0), -1)»", "E0226", "reshape(x, N, -1)"),
    Habit("output «image.reshape(image.shape[0], -1)»", "E0226", "reshape(image, N, -1)"),
    Habit("output «x.view(-1, 4, 2).mean(1)»", "E0226", "mean(reshape(x, -1, 4, 2), 1)"),
    Habit("output «x.mean(1)»", "E0226", "mean(x, 1)"),
    Habit("output «x.mean(axis=1, keepdims=true)»", "E0226", "mean(x, dim=1, keepdim=true)"),
    Habit("output «(x + h).sum(dim=1)»", "E0226", "sum(x + h, dim=1)"),
    Habit("output «(x -> Linear(8)).view(N, 2, 4)»", "E0226",
          "reshape(x -> Linear(8), N, 2, 4)"),
    Habit("output «image.permute(0, 2, 3, 1)»", "E0226", "permute(image, 0, 2, 3, 1)"),
    Habit("output «x.t()»", "E0226", "x.T"),
    Habit("output «x.add(h).mul(2)»", "E0226", "(x + h) * 2"),
    Habit("output «x.unsqueeze(1)»", "E0226", "unsqueeze(x, 1)"),
    Habit("output «x.flatten(1)»", "E0226", "flatten(x, 1)"),
    Habit("output «x.detach().cpu()»", "E0226", "detach(x)"),
    Habit("output «x.sqrt_()»", "E0226", "sqrt(x)"),
    Habit("output «x.masked_fill(x > 0, 0.0)»", "E0226", "masked_fill(x, x > 0, 0.0)"),
    Habit("output «x.relu»", "E0226", "relu(x)"),
    Habit("output x * «x.size(1)»", "E0226", "8"),
    Habit("output x * «x.shape[0]»", "E0226", "N"),
    Habit("output x * «sequence.shape[-2]»", "E0226", "T"),
    Habit("output x * «len(x)»", "E0226", "N"),
    Habit("output zeros(«x.shape»)", "E0226", "(N, 8)"),
    Habit("output x -> «view(N, 4, 2)»", "E0201", "reshape(N, 4, 2)"),
    Habit("output «x.float()»", "E0226", "float(x)"),
    Habit("«feats.append(x)»\n  output x", "E0102", "", "by_hand", "a list is bound"),
    Habit("feats = [x]\n  «feats.append(x + 1)»\n  output cat(feats, dim=1)", "E0102",
          "feats = feats + [x + 1]"),
    Habit("«x.clamp_(0, 1)»\n  output x", "E0102", "x = clamp(x, 0, 1)"),
    Habit("«x.fill_(0)»\n  output x", "E0102", "", "by_hand", "or take it away"),
    Habit("y = «round(x).long()»\n  output y", "E0226", "long(round(x))"),
    Habit("g = «nn.Parameter(x)»\n  output x", "E0226", "x", "by_hand", "`parameter gamma: "),
    Habit("y = -«infinity» * x\n  output y", "E0201", "inf", "by_hand", "write `inf`"),
    Habit("output x -> «DropPath(0.1)»", "E0201", "x", "by_hand", "`use \"std/drop_path.spec\"`"),
    Habit("«dropout 0.1»\n  output x", "E0102", "", "by_hand", "`x -> Dropout(0.1)`"),
    Habit("«sizes N=4»\n  output x", "E0102", "", "by_hand", "`test { sizes ... }`"),
    Habit("y = «x.zzyzx()»\n  output x", "E0226", "x", "by_hand", "no function `zzyzx`"),
    Habit("output x * «relu(x).size(1)»", "E0226", "8"),
]  # fmt: skip
ROWS = [
    Habit("output x -> «Sequential(Linear(8), ReLU())»", "E0226", "{ Linear(8) -> ReLU }"),
    Habit("output «nn.Sequential(nn.Linear(8, 4), nn.ReLU())(x)»", "E0226",
          "x -> { Linear(4) -> ReLU }"),
    Habit("output x -> «repeat(3, Linear(8))»", "E0102", "repeat(3) Linear(8)"),
    Habit("output x -> «repeat(3, { Linear(8) -> ReLU })»", "E0102",
          "repeat(3) { Linear(8) -> ReLU }"),
    Habit("«self».body = nn.Sequential(\n    nn.Linear(8, 4),\n    nn.ReLU(),\n  )\n  output x",
          "E0102", "output x", "by_hand", "x -> body: { Linear(8) -> ReLU }"),
    Habit("output x -> «ModuleList([Linear(8)])»", "E0201", "relu", "by_hand",
          "`for i in range(3) { ... }`"),
]  # fmt: skip
LINES = [
    Habit("«return relu(x)»", "E0102", "output relu(x)"),
    Habit("«self».gc = Linear(8)\n  output gc(x)", "E0102", "layer gc = Linear(8)", "line"),
    Habit("«self».y = relu(x)\n  output y", "E0102", "y = relu(x)", "line"),
    Habit("y = x\n  «y += x»\n  output y", "E0102", "y = y + x"),
    Habit("y = x\n  «y *= x - 1»\n  output y", "E0102", "y = y * (x - 1)"),
    Habit("for i in range(3) { «h += x» }\n  output h", "E0102", "h = h + x"),
    Habit("y «:=» relu(x)\n  output y", "E0102", "y = relu(x)", "line"),
    Habit("y«:» float = relu(x)\n  output y", "E0102", "y = relu(x)", "line"),
    Habit("«let» y = relu(x)\n  output y", "E0102", "y = relu(x)", "line"),
    Habit("«z: float[N, 8]»\n  output z", "E0102", "input z: float[N, 8]"),
    Habit("input z: «float(N, 8)»\n  output z", "E0102", "float[N, 8]"),
    Habit("«inputs» z: float[N, 8]\n  output z", "E0102", "input"),
    Habit("«outptu» x", "E0102", "output"),
    Habit("«output» = relu(x)", "E0107", "output relu(x)", "line"),
    Habit("«import torch.nn as nn»\n  output x", "E0102", "", "by_hand", "take the line away"),
    Habit("«def» forward(self, x):\n    output x", "E0102", "output x", "by_hand",
          "`input x: float[N, 8]`"),
    Habit("«print(x)»\n  output x", "E0102", "", "by_hand", "`specc show`"),
    Habit("y = x\n  «y.relu_()»\n  output y", "E0102", "y = relu(y)"),
    Habit("output x -> relu«;»", "E0101", "", "by_hand", "take it away"),
    Habit("y = x -> relu«;» output y", "E0101", "\n", "by_hand", "a line of its own"),
    Habit("«'''»A net.\n\n  For images.'''\n  output x", "E0101", "", "by_hand", "`# ...`"),
    Habit('«"""»A net.\n\n  It\'s for images."""\n  output x', "E0102", "", "by_hand", "`# ...`"),
    Habit("«//» a comment\n  output x", "E0102", "#", "by_hand", "`# ...`"),
    Habit("output x -> gelu(approximate=«'tanh'»)", "E0101", '"tanh"'),
    Habit("output x «=>» relu", "E0102", "->"),
    Habit("output x «|>» relu", "E0101", "->"),
    Habit("output x «^» 2", "E0101", "**"),
    Habit("f = «lambda» a: a\n  output x", "E0102", "", "by_hand", "make it a `block`"),
    Habit("output x «if» true else h", "E0102", "", "by_hand", "`where(condition, a, b)`"),
    Habit("output x -> Linear(8, bias=«False»)", "E0201", "false"),
    Habit("output x -> LayerNorm(bias=«True»)", "E0201", "true"),
    Habit("output mean(x, dim=«None»)", "E0201", "none"),
    Habit("y = x -> Linear(8)«,»\n  output y", "E0102", "", "by_hand", "take the comma away"),
    Habit("«pass»\n  output x", "E0102", "", "by_hand", "take the line away"),
    Habit("«@torch.compile»\n  output x", "E0102", "", "by_hand", "take the line away"),
    Habit("if «x» { h = x }\n  output h", "E0234", "", "by_hand", "`where(condition, a, b)`"),
]  # fmt: skip
# They are the language's own too.
RIGHT = [
    "output x ** 2", "output where(x != h, x, h)", "output x @ h.T", "output x.T",
    "\toutput x -> relu", "output sequence.mT",
]  # fmt: skip
NAMES = [
    Habit("output x -> «Dense(8)»", "E0201", "Linear(8)"),
    Habit("output x -> «Dense(units=8, activation=\"relu\")»", "E0201",
          "Linear(out_features=8) -> ReLU"),
    Habit("output image -> «Conv2D(8, 3)»", "E0201", "Conv2d(8, 3)"),
    Habit("output image -> «Conv2D(filters=8, kernel_size=3)»", "E0201",
          "Conv2d(out_channels=8, kernel_size=3)"),
    Habit("output image -> «BatchNormalization»", "E0201", "BatchNorm2d"),
    Habit("output x -> «BatchNormalization()»", "E0201", "BatchNorm1d"),
    Habit("output image -> «MaxPool2D(2)»", "E0201", "MaxPool2d(2)"),
    Habit("output image -> «MaxPooling2D(pool_size=2)»", "E0201", "MaxPool2d(kernel_size=2)"),
    Habit("output image -> «GlobalAveragePooling2D»", "E0201", "mean(dim=(2, 3))"),
    Habit("output x -> «ReLu»", "E0201", "ReLU"),
    Habit("output x -> «Relu»", "E0201", "ReLU"),
    Habit("output x -> «leaky_Relu»", "E0201", "leaky_relu"),
    Habit("output «rlu»(x)", "E0201", "relu"),
    Habit("output x -> «Linaer(8)»", "E0201", "Linear(8)"),
    Habit("layer g = «nn.Linear(8, 4)»\n  output g(x)", "E0226", "Linear(4)"),
    Habit("layer g = «Dense(4)»\n  output g(x)", "E0201", "Linear(4)"),
    Habit("output relu(x) + «ReLU(x)»", "E0202", "ReLU()(x)"),
    Habit("output «Linear(x, 4)»", "E0202", "Linear(4)(x)"),
    Habit("y = «Linear(4)»\n  output x", "E0202", "", "by_hand", "`x -> Linear(...)`"),
    Habit("input z: «Tensor[N, 8]»\n  output z", "E0223", "float[N, 8]"),
    Habit("y = «parameters(x)»\n  output x", "E0201", "x", "by_hand", "`on` selects parameters"),
]  # fmt: skip
ARGUMENTS = [
    Habit("output x -> Dropout(«rate=0.5»)", "E0203", "p=0.5"),
    Habit("output x -> Dropout(«dropout_rate=0.5»)", "E0203", "p=0.5"),
    Habit("output x -> Linear(«units=4»)", "E0203", "out_features=4"),
    Habit("output image -> Conv2d(«filters=4», kernel_size=3)", "E0203", "out_channels=4"),
    Habit("output mean(x, «axis=1»)", "E0203", "dim=1"),
    Habit("output mean(x, dim=1, «keepdims=true»)", "E0203", "keepdim=true"),
    Habit("output x -> LayerNorm(«epsilon=0.001»)", "E0203", "eps=0.001"),
    Habit("y, _ = MultiheadAttention(«n_heads=2»)(sequence, sequence, sequence)\n  output y",
          "E0203", "num_heads=2"),
    Habit("y = sequence -> TransformerEncoderLayer(«heads=2»)\n  output y", "E0203", "nhead=2"),
    Habit("output x -> Linear(4, «activation=\"relu\"»)", "E0203", "", "by_hand",
          "`x -> Linear(...) -> ReLU`"),
    Habit("output x -> Linear(4, «input_shape=(8,)»)", "E0203", "", "by_hand", "leave it out"),
    Habit("output x -> Linear(4, «name=\"fc\"»)", "E0203", "", "by_hand", "`x -> name: "),
]  # fmt: skip
TRAINING = [
    Habit("loss = «F.cross_entropy(logits, label)»", "E0226", "cross_entropy(logits, label)"),
    Habit("loss = «nn.CrossEntropyLoss()(logits, label)»", "E0226",
          "CrossEntropyLoss()(logits, label)"),
    Habit("loss = «CrossEntropy»(logits, label)", "E0201", "CrossEntropyLoss"),
    Habit("loss = «MSE»(logits, logits)", "E0201", "MSELoss"),
    Habit("«loss: CrossEntropyLoss(logits, label)»", "E0102",
          "loss = CrossEntropyLoss(logits, label)"),
    Habit("loss = CrossEntropyLoss(«logits.view(N, 3)», label)", "E0226", "reshape(logits, N, 3)"),
    Habit(f"{OPTIMIZED}optimizer Adam(«learning_rate=0.1»)", "E0203", "lr=0.1"),
    Habit(f"{OPTIMIZED}optimizer Adam(«epsilon=0.1»)", "E0203", "eps=0.1"),
    Habit(f"{OPTIMIZED}optimizer Adam(«beta1=0.9»)", "E0203", "betas=(0.9, 0.999)"),
    Habit(f"{OPTIMIZED}optimizer «torch.optim.Adam(lr=0.1)»", "E0405", "Adam(lr=0.1)"),
    Habit(f"{OPTIMIZED}optimizer «optim.SGD(net.parameters(), lr=0.1)»", "E0405", "SGD(lr=0.1)"),
    Habit(f"{OPTIMIZED}«optimizer» = Adam(lr=0.1)", "E0107", "optimizer Adam(lr=0.1)", "line"),
    Habit(f"{OPTIMIZED}optimizer «adam(lr=0.1)»", "E0405", "Adam(lr=0.1)"),
    Habit(f"{OPTIMIZED}optimizer Adam(lr=0.1) on «Nett»", "E0401", "Net"),
    Habit(f"{OPTIMIZED}optimizer Adam(lr=0.1)\n  «loss.backward()»", "E0102", "", "by_hand",
          "take the line away"),
    Habit(f"{OPTIMIZED}«scheduler StepLR(step_size=3)»", "E0408", "", "by_hand",
          "`optimizer SGD(lr=0.1)`"),
    Habit(f"{OPTIMIZED}«epochs 10»", "E0102", "", "by_hand", "`steps 3` in `test`"),
    Habit(f"{OPTIMIZED}«epochs: 10»", "E0102", "", "by_hand", "`steps 3` in `test`"),
    Habit(f"{OPTIMIZED}«steps 5»", "E0102", "", "by_hand", "`test { steps ... }`"),
    Habit(f"{OPTIMIZED}«dropout 0.1»", "E0102", "", "by_hand", "`x -> Dropout(0.1)`"),
    Habit(f"{OPTIMIZED}«batch_size 32»", "E0102", "", "by_hand", "`sizes N=8`"),
    Habit(f"{OPTIMIZED}«momentum 0.9»", "E0102", "", "by_hand", "SGD(lr=0.1, momentum=0.01)"),
    Habit(f"{OPTIMIZED}«accumulate» = 4", "E0107", "accumulate 4", "line"),
    Habit("loss = «CrossEntropyLoss(label, logits)»", "E0306", "", "by_hand",
          "`CrossEntropyLoss(logits, label)`"),
]  # fmt: skip

IN_MODEL = [*PREFIXES, *METHODS, *ROWS, *LINES, *NAMES, *ARGUMENTS]


def checked(text: str) -> list[Diagnostic]:
    """The errors of ``text``."""
    _, found, sources = front.check_text(text)
    assert render(found, sources) or not found
    return [item for item in found if item.severity == "error"]


def proposal(help: str) -> str:
    """The first piece of code in a message's help."""
    found = re.search(r"`((?:[^`])+)`", help)
    assert found is not None, help
    return found[1]


def applied(marked: str, help: str) -> str:
    """What stands at the place once the help is followed."""
    said = proposal(help)
    if help.startswith("did you mean"):
        return re.sub(r"^\w+", said, marked)
    return said


def hold(habit: Habit, frame: str) -> None:
    before, rest = habit.wrong.split("«")
    marked, after = rest.split("»")
    text = frame.format("  " + before + marked + after)
    start = frame.format("  " + before + "\0").index("\0")
    line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
    errors = checked(text)
    assert [item.code for item in errors] == [habit.code], errors
    (error,) = errors
    assert error.span is not None and error.help is not None
    assert (error.span.line, error.span.column) == (line, column)
    assert text[error.span.start :].startswith(marked[:3])
    if habit.use == "by_hand":
        assert habit.help in error.help
    elif habit.use == "line":
        assert proposal(error.help) == habit.right
    else:
        assert text[error.span.start : error.span.end] == marked
        assert applied(marked, error.help) == habit.right
    if habit.use == "line":
        first, last = text.rfind("\n", 0, start) + 1, text.find("\n", start)
        mended = f"{text[:first]}  {habit.right}{text[last:]}"
        assert checked(mended) == []
    elif habit.use == "at":
        mended = text[:start] + habit.right + text[start + len(marked) :]
        assert checked(mended) == []


@pytest.mark.parametrize("habit", IN_MODEL, ids=str)
def test_a_habit_in_a_model_is_told_once_at_its_place_and_the_proposal_works(habit: Habit) -> None:
    hold(habit, MODEL)


@pytest.mark.parametrize("habit", TRAINING, ids=str)
def test_a_habit_in_training_is_told_once_at_its_place_and_the_proposal_works(
    habit: Habit,
) -> None:
    hold(habit, TRAIN)


@pytest.mark.parametrize("line", RIGHT)
def test_what_is_the_languages_own_too_is_no_habit(line: str) -> None:
    assert checked(MODEL.format("  " + line)) == []


# ── whole files ──────────────────────────────────────────────────────────────────────────────────

PYTHON = """spec 1

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 3)  # the only one

    def forward(self, x):
        x = self.fc(x)
        return F.relu(x)

train {
  loss = oops
}
"""


def places(text: str) -> list[tuple[str, int, int]]:
    return [(item.code, item.span.line, item.span.column) for item in checked(text) if item.span]


def test_a_class_of_pytorchs_is_told_line_by_line() -> None:
    assert places(PYTHON) == [
        ("E0102", 3, 1),
        ("E0102", 4, 5),
        ("E0102", 5, 9),
        ("E0102", 6, 9),
        ("E0226", 6, 19),
        ("E0102", 8, 5),
        ("E0226", 9, 13),
        ("E0102", 10, 9),
        ("E0226", 10, 16),
        ("E0201", 13, 10),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "spec 1\nmodel Net:\n  input x: float[N, 8]  # in\n  output rlu(x)  # out\n",
            [("E0102", 2, 10), ("E0201", 4, 10)],
        ),
        (
            "spec 1\nmodel Net\n{\n  input x: float[N, 8]\n  output rlu(x)\n}\n",
            [("E0102", 3, 1), ("E0201", 5, 10)],
        ),
        (
            "spec 1\nmodel Net(nn.Module) {\n  input x: float[N, 8]\n  output rlu(x)\n}\n",
            [("E0102", 2, 10), ("E0201", 4, 10)],
        ),
        (
            "spec 1\nmodle Net {\n  input x: float[N, 8]\n  output rlu(x)\n}\n",
            [("E0102", 2, 1), ("E0201", 4, 10)],
        ),
        (
            "spec 1\nmodel Net(k int) {\n  input x: float[N, 8]\n  output rlu(x)\n}\n",
            [("E0102", 2, 13), ("E0201", 4, 10)],
        ),
        (
            "spec 1\nmodel Net {\n  input x: float[N, 8]\n  for i in range(3):\n"
            "    x = x -> Linaer(8)\n  if true do {\n    x = rlu(x)\n  }\n  output tnh(x)\n}\n",
            [("E0102", 4, 20), ("E0201", 5, 14), ("E0102", 6, 11), ("E0201", 7, 9),
             ("E0201", 9, 10)],
        ),
        (
            "spec 1\nmodel Net {\n  input x: float[N, 8]\n  if true {\n    y = x\n  }\n  else {\n"
            "    y = rlu(x)\n  }\n  output y\n}\n",
            [("E0102", 7, 3), ("E0201", 8, 9)],
        ),
        (
            "spec 1\nmodel Net {\n  input x: float[N, 8]\n  output x -> Linear(3)\n}\n\n"
            "train:\n  optimzer Adam(lr=0.1)\n  regularize L1(0.1) on *.wieght\n",
            [("E0403", 7, 1), ("E0102", 7, 6), ("E0102", 8, 3), ("E0401", 9, 25)],
        ),
        (
            "spec 1\nmodel Net(x: float[N, 8]) {\n  output rlu(x)\n}\n",
            [("E0603", 2, 14), ("E0201", 3, 10)],
        ),
        (
            "spec 1\nmodel Net {\n  input x: float[N, 8]\n  x += x\n}\n",
            [("E0221", 2, 7), ("E0102", 4, 3)],
        ),
        (
            "spec 1\nmodel Net {\n  input x: float[N, 8]\n  input y: float[N, 3, 8, 8]\n"
            "  z = y -> Conv2d(8, bais=false)\n  output x\n}\n",
            [("E0210", 5, 12), ("E0203", 5, 22)],
        ),
    ],
    ids=lambda value: "",
)  # fmt: skip
def test_one_fault_hides_no_other(text: str, found: list[tuple[str, int, int]]) -> None:
    assert places(text) == found


UNTYPED = """spec 1

block Body(width: int, PARAM) {
  input x: float[N, width]
  output x -> Linear(width) -> Dropout(rate)
}

model Net {
  input x: float[N, 8]
  output x -> Body(8) -> Linear(2)
}
"""


@pytest.mark.parametrize(
    ("param", "typed"),
    [
        ("rate=0.1", "rate: float = 0.1"),
        ("rate = 1e-1", "rate: float = 1e-1"),
        ("rate", "rate: int"),
        ("rate=1", "rate: int = 1"),
        ("rate=true", "rate: bool = true"),
    ],
)
def test_a_param_without_a_type_is_told_alone(param: str, typed: str) -> None:
    (error,) = checked(UNTYPED.replace("PARAM", param))
    assert error.message == "the param `rate` has no type" and error.span is not None
    assert (error.span.line, error.span.column) == (3, 24)
    assert proposal(error.help or "") == typed
    if "float" in typed:
        assert checked(UNTYPED.replace("PARAM", typed)) == []


def test_a_model_in_a_selector_is_suggested_by_its_name() -> None:
    text = """spec 1
model Encoder {
  input x: float[N, 8]
  output x -> Linear(8)
}
model Decoder {
  input x: float[N, 8]
  output x -> Linear(8)
}
train {
  input x: float[N, 8]
  y = Decoder(Encoder(x))
  loss = mean(y)
  optimizer Adam on Encodr
}
"""
    (error,) = checked(text)
    assert error.help == "did you mean `Encoder`?"
    assert checked(text.replace("Encodr", "Encoder")) == []


# ── faults at random ─────────────────────────────────────────────────────────────────────────────

TOKEN = re.compile(r"[A-Za-z_]\w*|\d+(?:\.\d+)?|->|\*\*|//|\"[^\"\n]*\"|[^\w\s]|\s+")
ZOO = sorted((ROOT / "specs").rglob("*.spec"))
SMALL = [file for file in ZOO if file.stat().st_size < 2_000]
STRANGE = ["self", ".", "(", ")", "{", "}", ":", ";", "'", '"""', "return", "def", "class", "nn.",
           "+=", "import", "lambda", "#", "\n", "\t", "for", "else", ",", "True", "->"]  # fmt: skip


def mutated(text: str, seed: int, edits: int) -> str:
    """``text`` with tokens dropped, doubled, swapped or put in."""
    draw = random.Random(seed)
    tokens = TOKEN.findall(text)
    for _ in range(edits):
        place, other = draw.randrange(len(tokens)), draw.randrange(len(tokens))
        match draw.randrange(4):
            case 0:
                del tokens[place]
            case 1:
                tokens.insert(place, tokens[place])
            case 2:
                tokens[place], tokens[other] = tokens[other], tokens[place]
            case _:
                tokens.insert(place, draw.choice(STRANGE))
    return "".join(tokens)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SMALL), st.integers(min_value=0, max_value=2**32), st.integers(1, 4))
def test_a_text_at_random_is_reported_inside_itself(file: Path, seed: int, edits: int) -> None:
    text = mutated(file.read_text("utf-8"), seed, edits)
    program, found, sources = front.check_text(text)
    assert program is not None or any(item.severity == "error" for item in found)
    for item in found:
        assert item.message and item.message == item.message.strip()
        if item.span is not None and item.span.file in sources:
            assert 0 <= item.span.start <= item.span.end <= len(text)
            assert item.span.line == text.count("\n", 0, item.span.start) + 1
            assert item.span.column == item.span.start - text.rfind("\n", 0, item.span.start)
    assert render(found, sources) or not found
