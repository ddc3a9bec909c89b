"""The form of each statement checks where the statement stands, and messages say what reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

from specc import front
from specc.codes import CODES
from specc.errors import Collector
from specc.syntax.parsing.parse import parse
from specc.syntax.recovery.statement_forms import FORMS, SAMPLE, form_of

FRAME = """spec 1
%s
param width: int = 8
%s
model Net {
  input x: float[N, T, 8]
  h = x -> fc: Linear(8) -> Tanh
  y = h -> gate: Linear(8)
%s
  logits = mean(y, dim=1) -> head: Linear(3)
  output logits
}

train {
  input label: index(3)[N]
  loss = CrossEntropyLoss(logits, label)
%s
}

test {
%s
}
"""
# Where each stands beside the frame's own; what has a body or a file of its own is read alone.
IN_MODEL = "input output parameter buffer layer init weights freeze if for".split()
IN_TRAIN = "regularize constrain clip scheduler copy ema accumulate precision metric".split()
IN_TEST = "params sizes seed steps targets devices dtypes modes layouts optimizers nonfinite"


def errors(text: str) -> list[str]:
    _, found, _ = front.check_text(text)
    return [f"{item.code}: {item.message}" for item in found if item.severity == "error"]


def framed(word: str) -> str:
    form = FORMS[word]
    parts = ["", "", "", "  optimizer SGD(lr=0.1)", ""]
    if word == "param":
        parts[0] = form.replace("width", "wide")
    elif word == "parameter":
        parts[2] = f"  {form}\n  y = y * gamma"
    elif word == "layer":
        parts[2] = "  layer again = Linear(8)\n  y = again(y)"
    elif word == "input":
        parts[2] = f"  {form.replace('x:', 'z:')}"
    elif word in IN_MODEL:
        parts[2] = f"  {form}"
    elif word == "optimizer":
        parts[3] = f"  {form}"
    elif word == "group":
        parts[3] = f"  optimizer SGD(lr=0.1) {{ {form} }}"
    elif word in IN_TRAIN:
        lines = form.replace("*.weight", "head.weight") if word == "constrain" else form
        parts[3] += f"\n  {lines}"
    elif word in IN_TEST.split():
        parts[4] = f"  {form}"
    return FRAME % tuple(parts)


@pytest.mark.parametrize("word", sorted(FORMS.keys() - {"use", "model", "block", "train", "test",
                                                        "step", "copy", "ema"}))  # fmt: skip
def test_the_form_of_a_statement_checks_where_it_stands(word: str) -> None:
    assert errors(framed(word)) == []


@pytest.mark.parametrize("word", ["model", "block", "train", "test", "step", "copy", "ema"])
def test_the_form_of_what_has_a_body_or_a_model_reads(word: str) -> None:
    form = FORMS[word].replace("{ ... }", "{ }")
    text = f"{form}\n}}" if form.endswith("{") else form
    if word in ("step", "copy", "ema"):
        text = f"train {{\n  {text}\n}}"
    collector = Collector()
    parse(f"spec 1\n{text}\n", "net.spec", collector)
    assert collector.items == []


def test_a_samples_form_is_of_a_test() -> None:
    assert form_of("input", "test") == f"its form is `{SAMPLE}`"
    assert errors(FRAME % ("", "", "", "  optimizer SGD(lr=0.1)", f"  {SAMPLE}")) == []
    assert form_of("y", "model") is None


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("  optimizer AdamW lr", "optimizer"), ("  ema decay 0.999", "ema"),
        ("  precision 16", "precision"), ("  accumulate 4 steps", "accumulate"),
        ("  copy Net every", "copy"), ("  metric Accuracy logits", "metric"),
    ],
)  # fmt: skip
def test_a_statement_that_cannot_be_read_is_told_its_form(line: str, word: str) -> None:
    _, (found, *_), _ = front.check_text(FRAME % ("", "", "", line, ""))
    assert found.code == "E0102" and found.help == f"its form is `{FORMS[word]}`"


# ── what messages say in code ────────────────────────────────────────────────────────────────────

PLACES = [
    "spec 1\n{}\n", "spec 1\nmodel Net {{\n  {}\n}}\n", "spec 1\nmodel Net {{\n  y = {}\n}}\n",
    "spec 1\nmodel Net {{\n  y = x -> {}\n}}\n", "spec 1\nmodel Net {{\n  {} {{ x = y }}\n}}\n",
    "spec 1\ntrain {{\n  {}\n}}\n", "spec 1\ntest {{\n  {}\n}}\n",
    "spec 1\ntrain {{\n  optimizer SGD {{ {} }}\n}}\n", "spec 1\nmodel Net {{\n  input x: {}\n}}\n",
    "spec 1\ntrain {{\n  optimizer SGD {}\n}}\n", "spec 1\nmodel Net {{\n  y = f(x, {})\n}}\n",
    "spec 1\ntrain {{\n  optimizer SGD on * {}\n}}\n", "spec 1\ntrain {{\n  ema a of Net {}\n}}\n",
    "spec 1\ntrain {{\n  clip GradNorm on {}\n}}\n", "spec 1\nmodel Net({}) {{\n}}\n",
    "spec 1\nmodel Net {{\n  y = x {} 1\n}}\n", "spec 1\nmodel Net {{\n  y = x[{}]\n}}\n",
    "spec 1\nmodel Net {{\n  input x: float[N] {}\n}}\n",
    "spec 1\ntrain {{\n  scheduler StepLR {}\n}}\n",
    "spec 1\nmodel Net {{\n  if a {{ x = y {} if b {{ }}\n}}\n",
    "spec 1\nmodel Net {{\n  if a {{ x = y }} {} b {{ }}\n}}\n",
    'spec 1\nmodel Net {{\n  weights "a" {{ {} }}\n}}\n',
]  # fmt: skip
PROPOSED = re.compile(r"(?:write|as in|say|call it|form is|:) `([^`]+)`")


def reads(code: str) -> bool:
    for place in PLACES:
        collector = Collector()
        short = code.replace("{ ... }", "{ x = a }").replace("...", "a")
        parse(place.format(short), "net.spec", collector)
        if not collector.items:
            return True
    return False


def said() -> Iterator[tuple[str, str]]:
    """Each piece of code that a help proposes in words, and where: what is put together at the
    place of a fault is a `Fix`, and tried there."""
    for room in ("semantics", "syntax", "catalog", "codes"):
        for path in sorted((ROOT / "specc" / room).rglob("*.py")):
            yield from _of_file(path)


def _of_file(path: Path) -> Iterator[tuple[str, str]]:
    tree = ast.parse(path.read_text("utf-8"))
    parts = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
             for value in node.values}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts.add(id(node.value))  # a docstring
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            for code in PROPOSED.findall(node.value):
                # A header of several lines, and what is put together, is no line.
                pieces = "{}" in code or "{0}" in code or "{ input" in code
                if not pieces and not code.startswith(("specc ", "}")):
                    yield code, f"{path.name}:{node.lineno}"


def test_what_messages_propose_in_words_can_be_read() -> None:
    found = dict(said())
    assert len(found) > 120 and CODES
    assert {code: place for code, place in found.items() if not reads(code)} == {}
