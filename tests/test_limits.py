"""Sides of branches that no reading took together: where what comes after is the same in the words
of either side nothing is asserted, and where it is not the class refuses them."""

from __future__ import annotations

import ast

import pytest
from other_params import AGAIN, compared

from specc.emit import emit
from specc.emit.merging.limits import fixed_values
from specc.emit.writing.expressions import of_static, static_naming
from specc.emit.writing.layout import flat
from specc.semantics import analyse

TEXT = """spec 1
block B(e: int, s: int) {{
  input x: float[N, D]
  h = x
  {first}
  {second}
  output h
}}
model M(e: int = 1, s: int = 1) {{
  input x: float[N, 4]
  a = x -> one: B(2, 1)
  b = x -> two: B(2, 2)
  c = x -> three: B(e, s)
  y = cat([a, b, c], dim=-1) -> head: Linear(3)
  output y
}}
train {{
  input t: float[N, 3]
  loss = MSELoss(y, t)
  optimizer SGD(lr=0.1)
}}
test {{
  sizes N=2
}}
"""
# Two branches, and whether all four ways are known from three.
BRANCHES = [
    ("if e != 1 { h = h -> up: Linear(e * D) }", "if s == 1 { h = h -> out: Linear(4) }", True),
    ("if e != 1 { h = h -> up: Linear(e * D) -> down: Linear(D) }",
     "h = h -> mid: Linear(4)\n  if s == 1 { h = x + h }", True),
    ("if e != 1 { h = h -> up: Linear(D) }", "if s == 1 { h = h -> out: Linear(2 * D) }", True),
    ("if e != 1 { h = h -> up: Linear(7) }", "if s == 1 { h = h -> out: Linear(3) }", False),
    ("if e != 1 { h = h -> up: Linear(7) }",
     "if s == 1 { h = h -> out: Linear(3) } else { h = h -> other: Linear(5) }", False),
    ("if e != 1 { h = cat([h, x], dim=-1) }", "if s == 1 { h = h -> out: Linear(3) }", False),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second", "known"), BRANCHES)
def test_the_fourth_way_is_right_or_refused(first: str, second: str, known: bool) -> None:
    text = TEXT.format(first=first, second=second)
    program = analyse(text, "m.spec")
    source = emit(program)
    assert (AGAIN not in source.partition("class M(")[0]) is known
    for given in ({"s": 2}, {"e": 2}, {"e": 3, "s": 2}):
        said = compared(program, source, given, analyse(text, "m.spec", params=given))
        assert said is None or AGAIN in source


def test_a_value_that_went_into_numbers_is_asserted() -> None:
    naming = static_naming(lambda name: ast.Name(name))
    (one,) = fixed_values([("depth", (3,))], naming, "")
    (more,) = fixed_values([("depth", (3, 4))], naming, "")
    assert flat(one.condition) == "depth == 3"
    assert flat(more.condition) == "depth in (3, 4)"
    assert "depth=3 or 4" in more.message
    assert flat(of_static(3, naming)) == "3"
