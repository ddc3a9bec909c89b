"""Conditions of divisibility that are joined hold for the same sizes; what a `where` says a size is
a multiple of settles what follows from it."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from specc import front
from specc.emit import emit
from specc.errors import Span
from specc.ir import Condition
from specc.ir.divisibility import joined
from specc.sizes import Size, evaluate, floor_divide, symbol

H = symbol("H")
HERE = Span("net.spec", 0, 1, 1, 1)


def said(left: Size, right: Size) -> Condition:
    return Condition(left, "==", right, "because", HERE)


@st.composite
def sizes(draw: st.DrawFn) -> Size:
    """What strides make of a height: ``(H + 1) // 2`` and quotients of it."""
    size: Size = H
    for _ in range(draw(st.integers(0, 3))):
        by = draw(st.sampled_from([2, 3, 4]))
        size = floor_divide(size + draw(st.integers(0, by - 1)), by)
    return size


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    size, by = draw(sizes()), draw(st.sampled_from([2, 3, 4, 8]))
    kind = draw(st.sampled_from(["rest", "whole", "rounded"]))
    if kind == "rest":
        return said(size % by, 0)
    if kind == "whole":
        return said(size, by * floor_divide(size, by))
    return said(floor_divide(size + draw(st.integers(1, by - 1)), by), floor_divide(size, by))


@settings(max_examples=400, deadline=None)
@given(st.lists(conditions(), min_size=1, max_size=4))
@example([said(H % 4, 0), said(floor_divide(H + 4, 8), floor_divide(H, 8))])
@example([said(floor_divide(H, 4) % 2, 0), said(floor_divide(H + 4, 8) % 2, 0)])
def test_joined_conditions_hold_for_the_same_sizes(listed: list[Condition]) -> None:
    whole = joined(listed)
    for height in range(1, 200):
        values = {"H": height}
        one, other = (
            all(evaluate(each.left, values) == evaluate(each.right, values) for each in some)
            for some in (listed, whole)
        )
        assert one == other, (height, [str(each) for each in whole])


MERGE = """spec 1
block Merge {
  input x: float[N, H, W, C]
  x = cat([x[:, ::2, ::2], x[:, 1::2, ::2], x[:, ::2, 1::2], x[:, 1::2, 1::2]], dim=-1)
  output x -> norm: LayerNorm -> reduction: Linear(2 * C, bias=false)
}
model Net {
  input image: float[N, 3, H, W]WHERE
  x = image -> Conv2d(8, 4, stride=4) -> permute(0, 2, 3, 1)
  output x -> repeat(2) Merge
}
"""


def asked(text: str) -> list[str]:
    program, diagnostics, _ = front.check_text(text)
    assert program is not None and not diagnostics, diagnostics
    return [str(each) for each in program.model().conditions if each.relation == "=="]


def test_merged_patches_ask_for_one_multiple() -> None:
    assert asked(MERGE.replace("WHERE", "")) == ["(H // 4) % 4 == 0", "(W // 4) % 4 == 0"]


@pytest.mark.parametrize(
    ("where", "left"),
    [
        ("H % 16 == 0, W % 16 == 0", ["H % 16 == 0", "W % 16 == 0"]),
        ("H % 48 == 0, W % 32 == 0", ["H % 48 == 0", "W % 32 == 0"]),
        ("H % 8 == 0, H % 16 == 0, W % 16 == 0", ["H % 16 == 0", "W % 16 == 0"]),
        ("H % 8 == 0", ["H % 16 == 0", "(W // 4) % 4 == 0"]),
    ],
)
def test_what_follows_from_a_where_is_not_asked_again(where: str, left: list[str]) -> None:
    text = MERGE.replace("WHERE", f" where {where}")
    assert asked(text) == left
    program = front.check_text(text)[0]
    assert program is not None and emit(program).count("assert ") == len(left)


PYRAMID = """spec 1
model Net {
  input image: float[N, 3, H, W] where H % 8 == 0, W % 8 == 0
  fine = image -> Conv2d(2, 3, stride=4, padding=1) -> flatten(2)
  coarse = image -> Conv2d(2, 3, stride=8, padding=1) -> flatten(2)
  scores = cat([fine, coarse], dim=2)
  output scores
}
train {
  input wanted: unit[N, 2, A] where A == COUNT
  loss = BCEWithLogitsLoss(scores, wanted)
  optimizer SGD(lr=0.1)
}
"""


def test_a_tie_that_follows_from_what_is_stated_is_stated() -> None:
    """The anchors of a pyramid, counted as its author counts them."""
    for count in ("(H // 4) * (W // 4) + H // 8 * (W // 8)", "5 * (H // 8) * (W // 8)"):
        _, diagnostics, _ = front.check_text(PYRAMID.replace("COUNT", count))
        assert not diagnostics, diagnostics
    for count in ("(H // 4) * (W // 4)", "6 * (H // 8) * (W // 8)"):
        _, diagnostics, _ = front.check_text(PYRAMID.replace("COUNT", count))
        assert {each.code for each in diagnostics} <= {"E0302", "E0311"} and diagnostics
