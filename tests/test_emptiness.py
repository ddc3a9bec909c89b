"""Values that nothing is left of on any sizes: told once, where they came to be."""

from __future__ import annotations

import pytest

from specc import front
from specc.errors import Diagnostic

TEXT = """spec 1

block Cut() {
  input x: float[N, A]
  y = x[:, 4:4]
  output y * 2
}

block Window(k: int) {
  input x: float[N, A]
  for i in range(2) { x = x * 2 }
  output x[:, A - k:A - k]
}

model Net {
  input x: float[N, 6]
  input z: float[N, K]
LINES
  output y
}
"""
EMPTY = [
    "x[:, 3:3]", "x[:, 6:]", "x[:, :0]", "x[:, 7:9]", "z[:, K:]", "z[:, K - K:K - K]", "Cut()(x)",
    "Window(2)(x)", "narrow(x, 1, 0, 0)", "zeros(N, 0)", "arange(0)", "eye(0) + mean(x)", "x[0:0]",
    "cat([x, x[:, 6:]], dim=1)", "split(x, (6, 0), dim=1)[0]", "tensor_split(x, (0,), dim=1)[1]",
    "repeat_interleave(x, 0, dim=1)", "linspace(0, 1, 0)", "x[:, 5:5] -> Linear(3) -> ReLU",
    "sum(x[:, 2:2])",
]  # fmt: skip
LEFT = [
    "x[:, 3:4]", "x[:, 5:]", "z[:, K - 1:]", "narrow(x, 1, 0, 1)", "zeros(N, 1)",
    "split(x, (5, 1), dim=1)[0]", "repeat_interleave(x, 1, dim=1)", "z[:, 1:]", "z[:, K // 2:]",
]  # fmt: skip


def faults(lines: str) -> list[Diagnostic]:
    _, found, _ = front.check_text(TEXT.replace("LINES", lines), "m.spec")
    return [item for item in found if item.severity == "error"]


@pytest.mark.parametrize("expression", EMPTY)
def test_what_is_always_empty_is_told_once(expression: str) -> None:
    found = faults(f"  y = {expression}")
    assert len(found) == 1 and found[0].span is not None
    sliced = ":" in expression or expression in ("Cut()(x)", "Window(2)(x)")
    assert found[0].code == ("E0304" if sliced else "E0305")
    inside = {"Cut()(x)": 5, "Window(2)(x)": 12}
    assert found[0].span.line == inside.get(expression, 18)


@pytest.mark.parametrize("expression", LEFT)
def test_what_has_entries_on_some_sizes_is_none(expression: str) -> None:
    assert faults(f"  y = {expression}") == []


def test_a_loss_and_a_buffer_are_looked_through() -> None:
    text = TEXT.replace(
        "LINES", "  buffer empty = ones(0)\n  y = x -> Linear(3)\n  y = y + mean(empty)"
    )
    _, found, _ = front.check_text(text, "m.spec")
    errors = [item for item in found if item.severity == "error"]
    assert [(item.code, item.span.line) for item in errors if item.span] == [("E0305", 18)]
    text = TEXT.replace("LINES", "  y = x -> Linear(3)") + (
        "train {\n  loss = mean(y) + sum(zeros(2, 0))\n  optimizer SGD(lr=0.1)\n}\n"
    )
    _, found, _ = front.check_text(text, "m.spec")
    assert [item.code for item in found if item.severity == "error"] == ["E0305"]
