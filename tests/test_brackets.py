"""A bracket without its partner: told at its place, and the rest of the file is read."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc import front
from specc.syntax.recovery.brackets import mend, with_brackets

RIGHT = """spec 1

block Unit(width: int) {
  input x: float[N, C]  # what comes (in
  output x -> fc: Linear(width) -> { ReLU -> Linear(C) }
}

model Net {
  input x: float[N, 8]
  for i in range(2) {
    x = x -> Unit((4 + 4))
  }
  if true {
    x = cat([
      x,
      x[:, :4],
    ], dim=1)
  }
  y = x -> Linear(3)
  output y
}

train {
  input label: index(3)[N]
  loss = CrossEntropyLoss(y, label)
  optimizer Adam(lr=0.1) {
    group(weight_decay=0.0) on *.bias
  }
}

test {
  sizes N=4
}
"""
FAULTS = (
    RIGHT.replace("index(3)", "index(4)").replace("Adam(", "Adamm(").replace("*.bias", "*.bais")
)


def found(text: str) -> list[tuple[str, int, int]]:
    return [(d.code, d.span.line, d.span.column) for d in front.check_text(text)[1] if d.span]


OTHERS = [("E0309", 25, 27), ("E0405", 26, 13), ("E0401", 27, 32)]


def test_a_right_text_has_none() -> None:
    assert found(RIGHT) == []
    assert mend(RIGHT, "") is None
    assert [each[0] for each in found(FAULTS)] == ["E0309", "E0405", "E0401"]


@pytest.mark.parametrize(
    ("right", "wrong", "place"),
    [
        ("Linear(3)", "Linear(3", (19, 18)),
        ("Linear(3)", "Linear(3))", (19, 21)),
        ("Linear(3)", "Linear(3]", (19, 18)),
        ("Linear(C) }", "Linear(C }", (5, 52)),
        ("Unit((4 + 4))", "Unit((4 + 4)", (11, 18)),
        ("range(2) {", "range(2 {", (10, 17)),
        ("    ], dim=1)", "    ], dim=1", (14, 12)),
        ("float[N, 8]", "float[N, 8", (9, 17)),
        ("CrossEntropyLoss(y, label)", "CrossEntropyLoss(y, label", (25, 26)),
        ("  output y\n}\n", "  output y\n", (8, 11)),
        ("Unit((4 + 4))\n  }", "Unit((4 + 4))", (10, 21)),
        ("  sizes N=4\n}\n", "  sizes N=4\n", (31, 6)),
        ("  output y\n}\n", "  output y\n}\n}\n", (22, 1)),
    ],
)  # fmt: skip
def test_a_bracket_hides_no_other_fault(right: str, wrong: str, place: tuple[int, int]) -> None:
    text = FAULTS.replace(right, wrong, 1)
    places = found(text)
    brackets = [(line, column) for code, line, column in places if code == "E0103"]
    assert brackets == [place]
    assert sorted(code for code, _, _ in places) == ["E0103", "E0309", "E0401", "E0405"]


def test_where_a_bracket_ends_cannot_be_told_the_statement_is_not_read() -> None:
    text = FAULTS.replace("Linear(width)", "Linear(width")
    assert [(code, line) for code, line, _ in found(text)] == [("E0103", 5), ("E0405", 26)]


def test_several_brackets_are_told_in_one_run() -> None:
    text = FAULTS.replace("Linear(3)", "Linear(3").replace("(y, label)", "(y, label")
    codes = [code for code, _, _ in found(text.replace("Unit((4 + 4))", "Unit((4 + 4)"))]
    assert codes.count("E0103") == 3
    assert {"E0309", "E0405", "E0401"} <= set(codes)


def test_an_odd_layout_is_no_fault() -> None:
    text = "\n".join(line.strip() for line in RIGHT.splitlines()) + "\n"
    assert found(text) == []
    wrong = text.replace("x -> Linear(3)", "x => Linear(3)")
    assert {code for code, _, _ in found(wrong)} == {"E0102"}


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5))
def test_what_is_mended_has_no_bracket_without_a_partner(seed: int, edits: int) -> None:
    draw = random.Random(seed)
    text = RIGHT
    for _ in range(edits):
        at = draw.randrange(len(text))
        if draw.random() < 0.5:
            brackets = [place for place, letter in enumerate(text) if letter in "()[]{}"]
            at = draw.choice(brackets)
            text = text[:at] + text[at + 1 :]
        else:
            text = text[:at] + draw.choice("()[]{}") + text[at:]
    mended = mend(text, "")
    if mended is None:
        return
    whole, inserted = with_brackets(text, mended)
    if mended.unread:
        return
    assert mend(whole, "") is None
    assert inserted == sorted(inserted) and all(whole[place] in ")]}" for place in inserted)
    assert "".join(c for place, c in enumerate(whole) if place not in set(inserted)) == "".join(
        dict(mended.edits).get(place, letter) for place, letter in enumerate(text)
    )
    for item in mended.diagnostics:
        assert item.span is not None and text[item.span.start] in "()[]{}"


def test_a_long_text_takes_no_time() -> None:
    text = RIGHT + "x = (\n" * 20_000
    assert mend(text, "") is None
    assert found(text)
