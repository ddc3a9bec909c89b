"""A reshape in the place of a transpose, and a softmax over what no product sums over: told, with
what is meant, and nothing said of what is right."""

from __future__ import annotations

import re

import pytest

from specc import front
from specc.errors import Diagnostic

HEAD = """spec 1

model Net(dim: int = 12, heads: int = 3) {
  input x: float[N, T, dim]
  input image: float[N, 4, H, W] where H % 4 == 0, W % 4 == 0
  input q: float[N, heads, T, dim]
  input k: float[N, heads, S, dim]
  input v: float[N, heads, S, dim]
  input mask: bool[T, S]
  LINES
  output y, x, image, q, k, v, mask
}
"""


def told(lines: str) -> list[Diagnostic]:
    text = HEAD.replace("LINES", lines)
    program, found, _ = front.check_text(text)
    assert program is not None, found
    return [item for item in found if item.code in ("W0306", "W0307")]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        # Heads and steps, and back.
        ("x -> reshape(N, heads, T, dim // heads)",
         "x -> reshape(N, T, heads, dim // heads) -> transpose(1, 2)"),
        ("x -> reshape(N, 4, T, 3)", "x -> reshape(N, T, 4, 3) -> transpose(1, 2)"),
        ("x -> Linear(3 * dim) -> reshape(N, heads, T, dim)",
         "x -> Linear(3 * dim) -> reshape(N, T, heads, dim) -> transpose(1, 2)"),
        ("q -> reshape(N, T, heads * dim)", "q -> transpose(1, 2) -> reshape(N, T, dim * heads)"),
        ("q -> reshape(N, T, -1)", "q -> transpose(1, 2) -> reshape(N, T, dim * heads)"),
        # An exchange of whole axes.
        ("x -> reshape(N, dim, T)", "x -> permute(0, 2, 1)"),
        ("x -> reshape(T, N, dim)", "x -> permute(1, 0, 2)"),
        ("image -> reshape(N, H, W, 4)", "image -> permute(0, 2, 3, 1)"),
        ("image[0, :, :4, 0] -> reshape(H // H * 4, 4)", None),
        ("image -> flatten(2) -> reshape(N, H * W, 4)", "image -> flatten(2) -> permute(0, 2, 1)"),
        # To patches without one: no form of it is proposed.
        ("image -> reshape(N, H // 4, W // 4, 64)", None),
    ],
)  # fmt: skip
def test_a_reshape_that_moves_an_axis(wrong: str, right: str | None) -> None:
    found = told(f"y = {wrong}")
    if right is None:
        assert [item.code for item in found] in ([], ["W0306"])
        return
    (item,) = found
    assert item.code == "W0306"
    proposed = re.search(r"`-> (.+)`$", item.help or "")
    assert proposed is not None, item.help
    assert right.endswith(f"-> {proposed[1]}")
    assert told(f"y = {right}") == []


@pytest.mark.parametrize(
    "value",
    [
        "x -> reshape(N, T, heads, dim // heads)",
        "x -> reshape(N * T, dim)",
        "x -> reshape(N, T * dim)",
        "x -> reshape(N, 1, T, dim)",
        "x -> reshape(1, N, T, dim)",
        "x -> mean(dim=1) -> reshape(N, heads, -1)",
        "image -> reshape(N, 4, H * W)",
        "image -> reshape(N, 2, 2, H, W)",
        "image -> reshape(N, 4, H // 4, 4, W // 4, 4) -> permute(0, 2, 4, 1, 3, 5)"
        " -> reshape(N, H // 4 * (W // 4), 64)",
        "image -> reshape(N * 4, H, W)",
        "q -> transpose(1, 2) -> reshape(N, T, heads * dim)",
        "q -> reshape(N * heads, T, dim)",
        "reshape(q @ q.mT, N, heads * T, T)",
    ],
)
def test_a_reshape_that_cuts_and_joins_is_right(value: str) -> None:
    assert told(f"y = {value}") == []


ATTENDED = [
    "softmax(q @ k.mT, {}) @ v",
    "(q @ k.mT / dim ** 0.5 -> masked_fill(mask, -1e4) -> softmax({}) -> Dropout(0.1)) @ v",
    "matmul(softmax(matmul(q, k.mT), {}), v)",
    "(where(mask, q @ k.mT, 0.0) + 1.0 -> Softmax({})) @ v",
    "v.mT @ softmax(q @ k.mT, {}).mT",
    "transpose(v, 2, 3) @ transpose(softmax(q @ k.mT, {}), 2, 3)",
]


@pytest.mark.parametrize("form", ATTENDED)
def test_a_softmax_is_over_what_the_product_sums(form: str) -> None:
    for dim in ("dim=1", "dim=2", "dim=-2", "dim=0"):
        (item,) = told(f"y = {form.format(dim)}")
        assert item.code == "W0307" and "sums over dimension 3" in item.message
    for dim in ("dim=-1", "dim=3"):
        assert told(f"y = {form.format(dim)}") == []


@pytest.mark.parametrize(
    "value",
    [
        # Linear attention: of keys over the steps, which the first product sums over.
        "softmax(q, dim=-1) @ (softmax(k, dim=2).mT @ v)",
        # Slots: what is weighed is divided by its sum.
        "(softmax(q @ k.mT, dim=2) / sum(softmax(q @ k.mT, dim=2), dim=-1, keepdim=true)) @ v",
        "softmax(x, dim=1) @ x.mT",
        "softmax(q @ k.mT, dim=1)",
    ],
)
def test_other_uses_of_a_softmax_are_let_be(value: str) -> None:
    assert told(f"y = {value}") == []


LOSSES = """spec 1

use "std/dice_loss.spec"
use "std/focal_loss.spec"

model Net {{
  input x: float[N, 3, 8, 8]
  y = x -> Conv2d(4, 1)
  z = x -> Conv2d(1, 1)
  c = x -> flatten(1) -> Linear(4)
  output y, z, c
}}

train {{
  input label: index(4)[N, 8, 8]
  input mask: unit[N, 1, 8, 8]
  input kind: index(4)[N]
  input on: unit[N, 4]
  other = mean(y) + mean(z) + mean(c)
  loss = {call} + other
  optimizer SGD(lr=0.1)
}}
"""


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("DiceLoss({}(y), label)", "W0304"),
        ("BinaryDiceLoss({}(z), mask)", "W0304"),
        ("FocalLoss({}(c), kind)", "W0304"),
        ("BinaryFocalLoss({}(c), on)", "E0410"),
    ],
)
def test_the_librarys_losses_take_scores(call: str, code: str) -> None:
    line = LOSSES.split("loss =", maxsplit=1)[0].count("\n") + 1
    found = front.check_text(LOSSES.format(call=call.format("sigmoid")))[1]
    assert code in [item.code for item in found]
    # Told where the loss is called, not where the library computes.
    assert {(item.span.file, item.span.line) for item in found if item.span} == {("<spec>", line)}
    assert front.check_text(LOSSES.format(call=call.replace("{}(y)", "y").replace("{}(z)", "z")
                                          .replace("{}(c)", "c")))[1] == []  # fmt: skip


def test_each_call_of_a_loss_of_the_library_is_told() -> None:
    call = "DiceLoss(sigmoid(y), label) + DiceLoss(softmax(y, dim=1), label)"
    found = front.check_text(LOSSES.format(call=call))[1]
    assert [item.code for item in found] == ["W0304", "W0304"]
