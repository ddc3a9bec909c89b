"""What the answer to a condition is called: after the condition, wherever that makes a name."""

from __future__ import annotations

import pytest
from emit_support import emitted
from hypothesis import given
from hypothesis import strategies as st

from specc.emit.constructor.condition_names import condition_name
from specc.semantics.compile_time.param_values import in_scope
from specc.semantics.compile_time.static import binary, unary

BLOCK = """spec 1
block B(shift: int, stride: int, kind: str, last: bool) {{
  input x: float[N, D]
  h = x
  if {condition} {{ h = h + x }}
  output h
}}
model M {{
  input x: float[N, 4]
  output x -> a: B(1, 1, "wide", true) -> b: B(0, 2, "flat", false)
}}
"""


@pytest.mark.parametrize(
    ("condition", "name"),
    [
        ("shift > 0", "has_shift"),
        ("shift != 0", "has_shift"),
        ("stride == 1", "stride_is_1"),
        ("stride < 2", "stride_is_below_2"),
        ("stride == 1 and shift > 0", "stride_is_1_and_has_shift"),
        ("shift == stride", "shift_equals_stride"),
        ("D == stride * 4", "case"),
        ('kind == "wide"', "kind_equals_wide"),
        ("last", "last"),
        ("not last", "not_last"),
        ("shift * 3 > stride", "case"),
    ],
)
def test_a_flag_is_named_after_its_condition(condition: str, name: str) -> None:
    source = emitted(BLOCK.format(condition=condition))
    assert f"self.{name}:" in source
    assert f"self.{name} =" in source


@given(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.integers(-3, 300), st.booleans())
def test_a_name_is_one(sign: str, number: int, denied: bool) -> None:
    said = binary(sign, in_scope("depth", 2), number, {"depth": 2})
    said = unary("not", said, {"depth": 2}) if denied else said  # type: ignore[arg-type]  # static
    assert condition_name(said).isidentifier()
