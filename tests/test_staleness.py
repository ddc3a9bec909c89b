"""Why a golden is of another spec: layers, shapes and settings by name, and nothing else."""

from __future__ import annotations

import pytest
from conftest import ROOT

from specc import front
from specc.harness.cases import matrix
from specc.harness.cases.golden_folder import golden_folder
from specc.harness.goldens import golden, golden_reader, staleness
from specc.harness.goldens import spec_summary as in_words
from specc.harness.goldens.golden_schema import TensorRow

SPEC = """spec 1

model Net {
  input x: float[N, 8]
  logits = x -> body: Linear(16) -> Tanh -> fc: Linear(3)
  output logits
}

train {
  input label: index(3)[N]
  loss = CrossEntropyLoss(logits, label)
  optimizer SGD(lr=0.1)
}
"""


def rows() -> list[TensorRow]:
    """What a golden of SPEC lists, as far as staleness reads it."""
    shapes = {"body.weight": [16, 8], "body.bias": [16], "fc.weight": [3, 16], "fc.bias": [3]}
    found = [
        TensorRow(name=f"step0/layer/{name}", line=5, kind="whole")
        for name in ("body", "tanh_1", "fc")
    ]
    found += [
        TensorRow(name=f"step0/delta/{name}", line=5, kind="whole", shape=shape)
        for name, shape in shapes.items()
    ]
    options = {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0}
    return found + [
        TensorRow(name=f"option/group0/{name}", line=12, kind="whole", rms=value)
        for name, value in options.items()
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("fc: Linear", "head: Linear", ["layers: `fc` is now `head`"]),
        ("Tanh", "ReLU", ["layers: `tanh_1` is now `relu_1`"]),
        ("-> Tanh ", "", ["gone: `tanh_1`"]),
        ("Tanh ->", "Tanh -> Dropout(0.1) ->", ["new: `dropout_1`"]),
        ("lr=0.1", "lr=0.2", ["lr of SGD was 0.1 and is 0.2"]),
        ("SGD(lr=0.1)", "Adam(lr=0.1)", ["the optimizer was another one than Adam"]),
        ("Linear(3)", "Linear(4)",
         ["`fc.weight` was [3, 16] and is [4, 16], `fc.bias` was [3] and is [4]"]),
        ("loss = C", "loss = 2.0 * C", ["what the spec computes has changed"]),
    ],
)  # fmt: skip
def test_what_is_another_is_named(old: str, new: str, told: list[str]) -> None:
    text = SPEC.replace(old, new)
    program, _, _ = front.check_text(text.replace("index(3)", "index(4)") if "4" in new else text)
    assert program is not None
    assert staleness.changed(program, {}, {}, rows()) == told


def more_rows() -> list[TensorRow]:
    """What a golden of SPEC lists beside that: its settings, values and gradients."""
    names = ["step0/output/logits", "step0/loss/loss", "step0/input_grad/x"]
    found = [TensorRow(name=name, line=5, kind="whole") for name in names]
    found += [
        TensorRow(name=row.name.replace("delta", "grad"), line=5, kind="whole", shape=row.shape)
        for row in rows()
        if "/delta/" in row.name
    ]
    return rows() + found + [TensorRow(name="setting/tanh_1.p", line=5, kind="whole", rms=0.1)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Tanh ->", "tanh_1: Dropout(0.2) ->", ["p of `tanh_1` was 0.1 and is 0.2"]),
        ("Linear(16)", "Linear(16, bias=false)", ["parameters gone: `body.bias`"]),
        ("Linear(16)", "Linear(16) with spectral_norm",
         ["parameters: `body.weight` is now `body.parametrizations.weight.original`"]),
        ("  output logits", "  output logits, h", ["outputs new: `h`"]),
        ("logits = x", "scores = x", None),
        ("x: float", "z: float", ["inputs: `x` is now `z`"]),
        ("loss = Cross", "extra = mean(logits)\n  loss = extra + Cross", ["terms new: `extra`"]),
        ("  optimizer SGD(lr=0.1)", "  optimizer SGD(lr=0.1)\n  freeze on body.*",
         ["frozen: `body.weight`, `body.bias`"]),
        ("  optimizer SGD(lr=0.1)", "  optimizer SGD(lr=0.1)\n  clip GradNorm(1.0)",
         ["the clip came"]),
        ("  optimizer SGD(lr=0.1)", "  optimizer SGD(lr=0.1)\n  regularize L2(0.1) on fc.weight",
         ["penalties came"]),
        ("  optimizer SGD(lr=0.1)", "  optimizer SGD(lr=0.1)\n  scheduler StepLR(step_size=3)",
         ["the scheduler came"]),
        ("SGD(lr=0.1)", "SGD(lr=0.1) {\n    group(lr=0.2) on fc.*\n  }",
         ["groups of the optimizer: 1, and now 2"]),
    ],
)  # fmt: skip
def test_what_a_golden_observes_by_name_is_named(
    old: str, new: str, told: list[str] | None
) -> None:
    text = SPEC.replace(old, new)
    if "h" in new and "output" in new:
        text = text.replace("logits = x -> body: Linear(16) -> Tanh ->",
                            "h = x -> body: Linear(16) -> Tanh\n  logits = h ->")  # fmt: skip
    if told is None:
        text = SPEC.replace("logits", "scores")
        told = ["outputs: `logits` is now `scores`"]
    if "z:" in new:
        text = text.replace("= x ->", "= z ->")
    program, found, _ = front.check_text(text)
    assert program is not None, found
    kept = [row for row in more_rows() if "tanh" not in row.name or "tanh_1: D" in text
            or not row.name.startswith("setting")]  # fmt: skip
    assert staleness.changed(program, {}, {}, kept) == told


def test_a_param_comes_first_and_a_shape_follows() -> None:
    program, _, _ = front.check_text(SPEC.replace("fc: Linear", "head: Linear"))
    assert program is not None
    found = staleness.changed(program, {"width": "8"}, {"width": "4", "depth": "2"}, rows())
    assert found[:2] == ["param width was 4 and is 8", "param depth was 2 and is gone"]


def test_the_zoos_own_goldens_differ_in_nothing_that_has_a_name() -> None:
    compared = 0
    for path in sorted((ROOT / "specs").rglob("*.spec")):
        program = front.read(path, tested=True)
        for case in matrix.cases(program):
            folder = golden_folder(program, case, ROOT)
            if not folder.is_dir():
                continue
            header = golden_reader.header(folder, "")
            if header.spec != golden.fingerprint(program):
                continue  # stale, to be blessed
            params = golden._params(program)
            found = staleness.changed(program, params, params, header.tensors)
            assert found == ["what the spec computes has changed"], (path, found)
            compared += 1
    assert compared


# ── what the spec says in words ──────────────────────────────────────────────────────────────────

WORDS = """spec 1

block Unit {
  input x: float[N, D]
  init zeros_ on *.bias
  output x -> inner: Linear(D)
}

model Net {
  input x: float[N, 8]
  h = x -> fc: Linear(16) -> relu -> unit: Unit
  y = h -> head: Linear(3)
  init normal_(std=0.02) on head.weight
  output y
}

train {
  input label: index(3)[N]
  fit = CrossEntropyLoss(y, label)
  small = y ** 2
  loss = fit + 0.01 * mean(small)
  regularize L2(1e-4) on *.weight
  clip GradNorm(1.0)
  optimizer SGD(lr=0.1)
  metric Accuracy(y, label)
}
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("0.01 *", "0.02 *",
         ["`loss` was `fit + 0.01 * mean(small)` and is `fit + 0.02 * mean(small)`"]),
        ("label)\n  small", "label, label_smoothing=0.1)\n  small",
         ["`fit` was `CrossEntropyLoss(y, label)` and is"
          " `CrossEntropyLoss(y, label, label_smoothing=0.1)`"]),
        ("y ** 2", "abs(y)", ["`small` was `y ** 2` and is `abs(y)`"]),
        ("std=0.02", "std=0.03", ["`init` was `normal_(std=0.02) on head.weight` and is"
                                  " `normal_(std=0.03) on head.weight`"]),
        ("normal_(std=0.02) on head", "normal_(std=0.02) on fc",
         ["`init` was `normal_(std=0.02) on head.weight` and is `normal_(std=0.02) on fc.weight`"]),
        ("  init normal_(std=0.02) on head.weight\n", "",
         ["`init normal_(std=0.02) on head.weight` is gone"]),
        ("  init zeros_", "  init ones_",
         ["`init` was `zeros_ on *.bias` and is `ones_ on *.bias`"]),
        ("L2(1e-4)", "L2(1e-3)",
         ["`regularize` was `L2(0.0001) on *.weight` and is `L2(0.001) on *.weight`"]),
        ("GradNorm(1.0)", "GradValue(1.0)", ["`clip` was `GradNorm(1)` and is `GradValue(1)`"]),
        ("-> relu", "-> gelu", ["`h` was `unit(relu(fc(x)))` and is `unit(gelu(fc(x)))`"]),
        ("output x -> inner", "output 2.0 * x -> inner",
         ["`output` was `inner(x)` and is `inner(2 * x)`"]),
    ],
)  # fmt: skip
def test_what_no_number_shows_is_named_in_words(old: str, new: str, told: list[str]) -> None:
    before, _, _ = front.check_text(WORDS)
    assert old in WORDS
    now, found, _ = front.check_text(WORDS.replace(old, new))
    assert before is not None and now is not None, found
    said = in_words.said(before)
    assert staleness.changed(now, {}, {}, [], said) == told
    assert staleness.changed(before, {}, {}, [], said) == ["what the spec computes has changed"]
    # A golden of an older format says nothing.
    assert staleness.changed(now, {}, {}, [], {}) == ["what the spec computes has changed"]


def test_what_is_said_is_bounded() -> None:
    lines = "\n".join(f"  v{k} = x + {k}.0" for k in range(2000))
    deep = " + ".join(["exp(x)"] * 500)
    text = f"spec 1\n\nmodel Net {{\n  input x: float[N, 8]\n{lines}\n  y = {deep}\n"
    total = " + ".join(f"v{k}" for k in range(0, 2000, 40))
    program, found, _ = front.check_text(f"{text}  output y + {total}\n}}\n")
    assert program is not None, found
    said = in_words.said(program)
    assert 0 < len(said) <= 300
    assert max(map(len, (*said, *said.values()))) <= 400
