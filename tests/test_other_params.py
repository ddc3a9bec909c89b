"""A class is right for whatever its constructor takes, or refuses: made with other params than its
spec was read with it is held against the spec read with those, over the zoo and over every use of
selectors in models whose params decide how many parameters there are."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from other_params import Differs, compared, variable
from torch import nn

from specc import front, ir
from specc.emit import emit
from specc.errors import SpecError
from specc.semantics import analyse

SPECS = sorted((Path(__file__).parent.parent / "specs").rglob("*.spec"))


def others(value: ir.Static) -> list[object]:
    """Values near ``value``: greater and smaller, longer and shorter, the other."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, tuple) and value and all(isinstance(each, int) for each in value):
        return [value[:-1], (*value, value[-1]), (*value[:-1], value[-1] + 1)]
    return []


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_a_class_of_the_zoo_is_what_its_spec_says_with_other_params(spec: Path) -> None:
    program = front.read(spec)
    tested = dict(program.test.params)
    program = front.read(spec, tested) if tested else program
    source = emit(program)
    refused: set[str] = set()
    for param in variable(program):
        for value in others(param.value):
            try:
                other = front.read(spec, {**tested, param.name: value})
                said = compared(program, source, {param.name: value}, other)
            except SpecError:
                continue  # the spec takes no such value, or its sizes do not
            if said is not None:
                refused.add(param.name)
    assert not refused


UNIT = """block Unit {
  input x: float[N, D]
  output x + (x -> norm: LayerNorm -> fc: Linear(D) -> ReLU -> out: Linear(D))
}
"""
HEADED = "  y = x -> stem: Linear(8) -> {} -> head: Linear(3)"
# Blocks, params, statements; what other values to take of each param.
MODELS: dict[str, tuple[str, str, str, dict[str, list[object]]]] = {
    "repeat": (UNIT, "depth: int = 2", HEADED.format("body: repeat(depth) Unit"),
               {"depth": [1, 3]}),
    "a repeat of one": (UNIT, "depth: int = 1", HEADED.format("body: repeat(depth) Unit"),
                        {"depth": [2, 3]}),
    "repeats inside": (
        UNIT + "block Tower(n: int) {\n  input x: float[N, D]\n"
        "  output x -> inner: repeat(n) Unit -> out: Linear(D)\n}\n",
        "depth: int = 1, wide: int = 2", HEADED.format("body: repeat(wide) Tower(depth)"),
        {"depth": [2], "wide": [1, 3]}),
    "for with an if": (
        "", "depth: int = 3, skip: int = 1",
        "  x = x -> stem: Linear(8)\n  body: for i in range(depth) {\n"
        "    x = x -> fc: Linear(8) -> norm: LayerNorm -> relu\n"
        "    if i == skip {\n      x = x -> out: Linear(8)\n    }\n  }\n"
        "  y = x -> head: Linear(3)", {"depth": [2, 4], "skip": [0, 2]}),
    "an if": (
        UNIT, "kind: int = 1, depth: int = 2",
        "  x = x -> stem: Linear(8)\n  if kind == 1 {\n    x = x -> body: repeat(depth) Unit\n"
        "  } else {\n    x = x -> norm: LayerNorm -> fc: Linear(8)\n  }\n"
        "  y = x -> out: Linear(8) -> head: Linear(3)", {"depth": [1, 3], "kind": [2]}),
    "widths": (
        "", "widths: tuple = (8, 6)",
        "  x = x -> stem: Linear(8)\n  body: for w in widths {\n"
        "    x = x -> fc: Linear(w) -> norm: LayerNorm -> relu -> out: Linear(w)\n  }\n"
        "  y = x -> head: Linear(3)", {"widths": [(8,), (8, 6, 4), (6, 8)]}),
    "repeat with its position": (
        "block Dense(width: int) {\n  input x: float[N, D]\n"
        "  output x -> fc: Linear(width) -> norm: LayerNorm -> ReLU -> out: Linear(width)\n}\n",
        "depth: int = 2", HEADED.format("body: repeat(depth, k) Dense(4 * (k + 1))"),
        {"depth": [1, 3]}),
    "a list": (
        "", "depth: int = 2",
        "  x = x -> stem: Linear(8)\n  parts = [x -> fc: Linear(8) -> norm: LayerNorm -> relu"
        " -> out: Linear(8) for e in range(depth)]\n"
        "  y = sum(stack(parts, dim=1), dim=1) -> head: Linear(3)", {"depth": [1, 3]}),
    "recursion": (
        "block Level(channels: int, depth: int) {\n  input x: float[N, C]\n"
        "  x = x -> fc: Linear(channels) -> norm: LayerNorm -> relu\n  if depth > 0 {\n"
        "    x = x -> inner: Level(channels, depth - 1) -> out: Linear(channels)\n  }\n"
        "  output x\n}\n", "depth: int = 2", HEADED.format("body: Level(8, depth)"),
        {"depth": [0, 1, 3]}),
    "an encoder": (
        "", "depth: int = 2",
        "  h = unsqueeze(x, 1) -> stem: Linear(8) -> body: TransformerEncoder(nhead=2,"
        " num_layers=depth, dim_feedforward=4, dropout=0.0, batch_first=true) -> norm: LayerNorm\n"
        "  y = mean(h, dim=1) -> out: Linear(8) -> fc: Linear(8) -> head: Linear(3)",
        {"depth": [1, 3]}),
    "a recurrent layer": (
        "", "depth: int = 2, both: bool = false",
        "  h, _ = unsqueeze(x, 1) -> stem: Linear(8) -> body: LSTM(4, num_layers=depth,"
        " batch_first=true, bidirectional=both)\n"
        "  y = mean(h, dim=1) -> norm: LayerNorm -> out: Linear(8) -> fc: Linear(8)"
        " -> head: Linear(3)", {"depth": [1, 3], "both": [True]}),
    "a layer that a param chooses": (
        "block Chosen(act: layer, norm: layer) {\n  input x: float[N, D]\n"
        "  output x -> fc: Linear(D) -> norm: norm -> act -> out: Linear(D)\n}\n",
        "act: layer = ReLU, normal: layer = LayerNorm, depth: int = 2",
        HEADED.format("body: repeat(depth) Chosen(act, normal)"),
        {"act": ["GELU"], "normal": ["BatchNorm1d"], "depth": [1, 3]}),
    "parametrizations": (
        "block Bound {\n  input x: float[N, D]\n  output x -> norm: LayerNorm"
        " -> fc: Linear(D) with weight_norm -> ReLU -> out: Linear(D) with orthogonal\n}\n",
        "depth: int = 1", HEADED.format("body: repeat(depth) Bound"), {"depth": [2, 3]}),
    "biases": (
        "", "bias: bool = true, depth: int = 2",
        "  x = x -> stem: Linear(8, bias=bias)\n  body: for i in range(depth) {\n"
        "    x = x -> fc: Linear(8, bias=bias) -> norm: LayerNorm -> relu -> out: Linear(8)\n"
        "  }\n  y = x -> head: Linear(3)", {"bias": [False], "depth": [1, 3]}),
    "two repeats": (
        UNIT, "depth: int = 2, more: int = 1",
        HEADED.format("body: repeat(depth) Unit -> tail: repeat(more) Unit"),
        {"depth": [1, 3], "more": [2]}),
}  # fmt: skip
SELECTORS = (
    "*.out.weight", "*.out.*", "body.*", "Linear.weight", "LayerNorm.*", "*.bias", "*norm*",
    "*.weight except *.norm.*", "* except head.*", "body.0.*", "body.1.*", "body.*.fc.weight",
    "head.*, body.*.out.*", "stem.*", "* except body.0.*", "body.*.weight except body.0.*",
    "body.?.*", "Linear.* except head.*", "body.0.*, head.*", "body.1.*, *.bias", "Unit.*",
    "Unit.fc.weight", "stem.*, body.fc.*, body.norm.*, body.inner.*, body.out.*, head.*",
)  # fmt: skip
PLAIN = "optimizer SGD(lr=0.1)"
# What stands in the model, and in train; the selector at each `{}`.
USES = {
    "freeze": ("freeze on {0}", PLAIN),
    "init": ("init normal_(std=0.5) on {0}", PLAIN),
    "freeze and init": ("freeze on {0}\n  init ones_ on {0}",
                        "optimizer SGD(lr=0.1) on * except stem.*\n  clip GradValue(1e-3)"),
    "a group": ("", "optimizer AdamW(lr=0.1) {{\n    group(lr=0.5) on {0}\n  }}"),
    "two groups": ("", "optimizer SGD(lr=0.1) {{\n    group(lr=0.5) on {0}\n"
                       "    group(lr=0.2) on head.bias\n  }}"),
    "what is stepped": ("", "optimizer SGD(lr=0.1) on {0}"),
    "what is stepped and clipped": ("freeze on *norm*",
                                    "optimizer SGD(lr=0.1) on {0}\n  clip GradNorm(1e-3)"),
    "two optimizers": ("", "optimizer SGD(lr=0.1) on {0}\n"
                           "  optimizer AdamW(lr=0.01) on * except {0}"),
    "constrain": ("", "constrain Clamp(0.0, 0.1) on {0}\n  optimizer SGD(lr=0.1)"),
    "penalty": ("", "regularize L2(0.1) on {0}\n  optimizer SGD(lr=0.1)"),
    "clip": ("", "clip GradNorm(1e-3) on {0}\n  optimizer SGD(lr=0.1)"),
    "freeze in train": ("freeze on *norm*", "freeze on {0}\n  optimizer SGD(lr=0.1)"),
}  # fmt: skip


def text_of(model: str, use: str, selector: str) -> str:
    blocks, params, statements, _ = MODELS[model]
    there, training = USES[use]
    return (
        f"spec 1\n{blocks}model Net({params}) {{\n  input x: float[N, 8]\n{statements}\n"
        f"  {there.format(selector)}\n  output y\n}}\n"
        "train {\n  input label: index(3)[N]\n  loss = CrossEntropyLoss(y, label)\n"
        f"  {training.format(selector)}\n}}\ntest {{\n  sizes N=4\n}}\n"
    )


def read(text: str, params: dict[str, object] | None = None) -> ir.Program | None:
    try:
        return analyse(text, "m.spec", params or {})
    except SpecError:
        return None  # a selector that picks nothing there, or is `except` twice


def holds(model: str, use: str, selector: str) -> None:
    text = text_of(model, use, selector)
    program = read(text)
    if program is None:
        return
    source = emit(program)
    assert compared(program, source, {}, program) is None
    for name, values in MODELS[model][3].items():
        for value in values:
            other = read(text, {name: value})
            if other is None:
                continue
            given = getattr(nn, value) if isinstance(value, str) else value
            try:
                compared(program, source, {name: given}, other)
            except Exception as fault:
                fault.add_note(f"{name}={value}\n{text}\n{source}")
                raise


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(MODELS)), st.sampled_from(sorted(USES)), st.sampled_from(SELECTORS))
def test_any_selection_is_that_of_the_params_or_they_are_refused(
    model: str, use: str, selector: str
) -> None:
    holds(model, use, selector)


@pytest.mark.exhaustive
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("model", MODELS)
def test_every_selection_is_that_of_the_params_or_they_are_refused(model: str, use: str) -> None:
    for selector in SELECTORS:
        holds(model, use, selector)


# Each was wrong without a word, or no AssertionError.
FOUND = [
    ("two repeats", "freeze and init", "body.0.*"),
    ("a repeat of one", "freeze in train", "* except body.0.*"),
    ("a repeat of one", "two optimizers", "body.0.*, head.*"),
    ("a repeat of one", "penalty", "* except body.0.*"),
    ("parametrizations", "what is stepped and clipped", "* except body.0.*"),
    ("for with an if", "clip", "Linear.* except head.*"),
    ("for with an if", "clip", "body.0.*, head.*"),
    ("recursion", "freeze", "*.out.*"),
    ("recursion", "two groups", "*.out.weight"),
    ("recursion", "freeze and init", "LayerNorm.*"),
    ("an encoder", "clip", "Linear.* except head.*"),
    ("an encoder", "two optimizers", "LayerNorm.*"),
    ("a recurrent layer", "freeze in train", "*.weight"),
    ("a recurrent layer", "two groups", "body.*"),
    ("a recurrent layer", "clip", "*.bias"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "use", "selector"), FOUND)
def test_what_was_left_out_once(model: str, use: str, selector: str) -> None:
    assert read(text_of(model, use, selector)) is not None
    holds(model, use, selector)


FAULTS = {
    "an init": ("init", "*.out.weight", "std=0.5", "std=0.4", "state, "),
    "what is frozen": ("freeze", "*.out.weight", 'endswith(".out.weight")',
                       'endswith(".fc.weight")', "frozen"),
    "a group": ("a group", "*.out.weight", 'endswith(".out.weight")', 'endswith(".fc.weight")',
                "groups"),
    "a penalty": ("penalty", "*.out.weight", "0.05 *", "0.06 *", "terms of steps"),
    "a constraint": ("constrain", "*.out.weight", "clamp_(0.0, 0.1)", "clamp_(0.0, 0.2)",
                     "terms of steps"),
    "forward": ("freeze", "*.out.weight", "x + self.out", "x - self.out", "results"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_the_comparison_sees(fault: tuple[str, str, str, str, str]) -> None:
    use, selector, before, after, seen = fault
    text = text_of("repeat", use, selector)
    program, other = read(text), read(text, {"depth": 3})
    assert program is not None and other is not None
    source = emit(program)
    assert before in source, source
    with pytest.raises(Differs, match=seen):
        compared(program, source.replace(before, after), {"depth": 3}, other)


def test_every_model_has_selections_that_are_read() -> None:
    for model, use in itertools.product(MODELS, USES):
        assert read(text_of(model, use, "stem.*")) is not None, (model, use)
