"""Faults in blocks: each is reported once, however often its text is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from block_programs import DENSE, codes, faults, model_of
from conftest import ROOT

from specc.front import check_text

# ── faults ───────────────────────────────────────────────────────────────────────────────────────


def test_a_fault_in_a_block_is_reported_once_and_shows_how_it_was_used() -> None:
    block = "block B(w: int) {\n input x: float[N, D]\n output x -> Linear(w) -> Linaer(D)\n}"
    (fault,) = faults(block, "output x -> B(3) -> B(4)")
    assert fault.code == "E0201" and fault.span is not None and fault.span.line == 4
    assert fault.notes == ("B(w=3) is used at m.spec:8, where D is dim",)


def test_a_deep_trail_is_shortened_in_the_middle() -> None:
    chain = "".join(
        f"block B{k} {{\n input x: float[N, D]\n output x -> B{k + 1}\n}}\n" for k in range(9)
    )
    last = "block B9 {\n input x: float[N, D]\n output x -> Linaer(D)\n}"
    (fault,) = faults(chain + last, "output x -> B0")
    assert len(fault.notes) == 4
    assert fault.notes[2] == "and so on, 7 uses further out"


def test_every_fault_is_reported_in_one_run() -> None:
    body = (
        "y = x -> repeat(-1) Linear(dim)\n"
        "z = x -> Dense\n"
        "if N > 2 { z = x }\n"
        "for i in 3 { z = x }\n"
        "w = x -> { relu }\n"
        "output x"
    )
    assert codes(DENSE, body) == ["E0235", "E0210", "E0234", "E0235", "E0243"]


@pytest.mark.parametrize(
    ("block", "use", "code"),
    [
        ("block B {\n input x: float[N, D]\n output x -> B\n}", "B", "E0236"),
        (
            "block B(n: int) {\n input x: float[N, D]\n output x -> B(n + 1)\n}", "B(1)", "E0236",
        ),
        (
            "block B(n: int) {\n input x: float[N, D]\n if n > 0 { x = x -> B(n - 1) }\n"
            " output x\n}", "B(100000)", "E0237",
        ),
        (
            "block B {\n input x: float[N, D]\n output cat([x, x], dim=1) -> B\n}", "B", "E0250",
        ),
        ("block B {\n input x: float[N, D]\n x = x -> Linear(D)\n}", "B", "E0221"),
        ("block B {\n output 1\n}", "B", "E0222"),
        ("block B(w: int) {\n input x: float[N, D]\n output x\n}", "B(0.5)", "E0211"),
        ("block B(w: int) {\n input x: float[N, D]\n output x\n}", "B(N)", "E0308"),
        ("block B(w: int) {\n input x: float[N, D]\n output x\n}", "B(1, 2)", "E0208"),
        ("block B(w: int) {\n input x: float[N, D]\n output x\n}", "B(v=1)", "E0203"),
        ("block B(w: int) {\n input x: float[N, D]\n output x\n}", "B(1, w=1)", "E0209"),
    ],
)  # fmt: skip
def test_what_a_block_cannot_be(block: str, use: str, code: str) -> None:
    assert code in codes(block, f"output x -> {use}")


def test_counting_does_not_add_a_nested_block_twice() -> None:
    """A spec of 5,940 layers, a hundred blocks deep, is not more than it is."""
    block = (
        "block B(n: int) {\n input x: float[N, D]\n x = x -> repeat(60) Linear(D)\n"
        " if n > 0 { x = x -> B(n - 1) }\n output x\n}"
    )
    model = model_of(block, "output x -> B(98)")
    assert len(model.all_layers) == 99 * 60


def test_twice_as_much_in_each_of_many_blocks_is_refused_at_once() -> None:
    block = (
        "block B(n: int) {\n input x: float[N, D]\n x = x -> Linear(D)\n"
        " if n > 0 { x = x -> B(n - 1) -> B(n - 1) }\n output x\n}"
    )
    assert codes(block, "output x -> B(60)") == ["E0245"]


# ── faults in blocks, each once ──────────────────────────────────────────────────────────────────

FAULTY = """spec 1
block Faulty(k: int) {{
  input x: float[N, D]
  {body}
  output x
}}
model Net {{
  input x: float[N, 4]
  {uses}
  output x -> Linear(3)
}}
"""


def places(text: str) -> list[tuple[str, int]]:
    return [(item.code, item.span.line if item.span else 0) for item in check_text(text)[1]]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("x = x -> Lineer(k)", "E0201"),
        ("x = x -> Conv2d(k, kernal_size=3)", "E0203"),
        ("x = x -> Linear(3, bias=k)", "E0211"),
        ("x = x -> Dropout(k)", "E0307"),
        ("for i in range(2) { x = x -> Lineer(k) }", "E0201"),
        ("if k > 1 { x = x -> Lineer(k) }", "E0201"),
        ("x = mean(x -> Linear(k) -> Lineer(3))", "E0201"),
    ],
)
@pytest.mark.parametrize(
    "uses",
    [
        "x = x -> Faulty(3) -> Faulty(5) -> Faulty(7)",
        "x = x -> repeat(3, i) Faulty(3 + i)",
        "for i in range(3) { x = x -> Faulty(2 + i) }",
        "x = x + (x -> Linear(4) -> Faulty(3)) + (x -> Linear(5) -> Faulty(5))",
    ],
)
def test_a_fault_of_a_block_is_told_once_and_nothing_follows_from_it(
    body: str, code: str, uses: str
) -> None:
    assert places(FAULTY.format(body=body, uses=uses)) == [(code, 4)]


@pytest.mark.parametrize(
    ("use", "code"),
    [
        ("x = x -> Faulty(width=3)", "E0203"),
        ('x = x -> Faulty("wide")', "E0211"),
        ("x = x -> Faulty", "E0210"),
        ("x = x -> Faulty(3, 4)", "E0208"),
        ("x = unsqueeze(x, 0) -> Faulty(3)", "E0242"),
        ("x = x -> Nothing -> Faulty(3)", "E0201"),
    ],
)
def test_a_wrong_use_hides_nothing_that_can_be_told(use: str, code: str) -> None:
    told = "h = x -> Linear(D * k) -> Lineer(4)\n  y = x + wat"
    assert places(FAULTY.format(body=told, uses=use)) == [("E0201", 4), ("E0201", 5), (code, 10)]
    # Of what no use tells, nothing is said.
    silent = "layer f = Linear(D)\n  x = f(x) @ f.weight.T -> reshape(N, k // 2)"
    silent += "\n  init zeros_ on *.bias"
    assert places(FAULTY.format(body=silent, uses=use)) == [(code, 11)]


@pytest.mark.parametrize(
    ("body", "use", "code", "line"),
    [
        ("x = x -> Lineer(k)", "Faulty(3)", "E0201", 4),
        ("x = x + ones(3)", "Faulty(3)", "E0302", 4),
        ("x = x", "Faulty(width=3)", "E0203", 9),
    ],
)
def test_a_declared_block_that_is_fed_in_vain_is_not_called_unfed(
    body: str, use: str, code: str, line: int
) -> None:
    uses = f"layer faulty = {use}\n  x = x -> faulty -> faulty"
    assert places(FAULTY.format(body=body, uses=uses)) == [(code, line)]


def test_what_a_declared_block_asks_is_told_where_it_is_fed() -> None:
    text = (
        "spec 1\nblock Pair {\n input a: float[N, D]\n input b: float[N, D]\n output a + b\n}\n"
        "model Net {\n input x: float[N, T]\n input y: float[N, S]\n layer pair = Pair\n"
        " z = x + 1\n output pair(z, y)\n}\n"
    )
    assert places(text) == [("E0311", 12)]
    assert places(text.replace("float[N, S]", "float[N]")) == [("E0242", 12)]


@pytest.mark.parametrize(
    ("spec", "right", "wrong", "code"),
    [
        ("dqn", "fc1: Linear(hidden)", "fc1: Lineer(hidden)", "E0201"),
        ("distillation", "norm: BatchNorm2d", "norm: BatchNorm2e", "E0201"),
        ("wgan", "LeakyReLU(0.2)", 'LeakyReLU(0.2 + "a")', "E0225"),
        ("diffusion", "// 2) / (dim // 2", '// 2) / (dim // 2 + "a"', "E0225"),
    ],
)
def test_a_model_that_train_calls_is_told_once_and_nothing_follows_from_it(
    spec: str, right: str, wrong: str, code: str
) -> None:
    text = (ROOT / "specs" / f"{spec}.spec").read_text(encoding="utf-8")
    assert right in text
    assert [each for each, _ in places(text.replace(right, wrong, 1))] == [code]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "specs").glob("*.spec")), ids=lambda path: path.stem
)
def test_from_an_input_of_no_type_nothing_follows(path: Path) -> None:
    text, model = path.read_text(encoding="utf-8"), False
    lines = []
    for line in text.splitlines():
        if re.match(r"(model|block|train|test) ", line):
            model = line.startswith("model ")
        lines.append(
            re.sub(r"^( +input \w+: )\w+(\(\w+\))?", r"\1nothing", line) if model else line
        )
    assert {code for code, _ in places("\n".join(lines) + "\n")} == {"E0223"}
