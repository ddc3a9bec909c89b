"""Stage tables: rows in loops and lists, and tuples as settings give them."""

from __future__ import annotations

import pytest
import torch
from emit_support import class_of, emitted
from hypothesis import given, settings
from hypothesis import strategies as st
from semantics_support import faults, model_of

from specc.errors import SpecError
from specc.semantics import analyse
from specc.semantics.compile_time.setting_tuples import as_tuple, is_table, read_tuple

STAGES = """spec 1
param stages: tuple = ((16, 2, "relu"), (24, 1, "gelu"))
model M {
  input x: float[N, 3, H, W]
  for c, n, kind in stages {
    x = x -> widen: Conv2d(c, 3, padding=1)
    for k in range(n) { x = x -> deep: Conv2d(c, 1) }
    if kind == "relu" { x = x -> relu } else { x = x -> gelu }
  }
  output x
}
"""


def test_a_stage_table() -> None:
    program = analyse(STAGES, "m.spec")
    names = [name for name, _, _ in program.model().parameters() if name.endswith("weight")]
    assert names == ["widen.0.weight", "widen.1.weight", "deep.0.0.weight", "deep.0.1.weight",
                     "deep.1.0.weight"]  # fmt: skip
    made = class_of(emitted(STAGES))()
    assert [name for name, _ in made.named_parameters() if name.endswith("weight")] == names
    assert made(torch.ones(1, 3, 4, 4)).shape == (1, 24, 4, 4)


def test_a_table_is_set() -> None:
    text = '((8, 1, "relu"), (12, 2, gelu))'
    program = analyse(STAGES, "m.spec", {"stages": text})
    assert program.params[0].value == ((8, 1, "relu"), (12, 2, "gelu"))
    program = analyse(STAGES, "m.spec", {"stages": [[8, 1, "relu"]]})
    assert str(program.model().outputs[0].value.type) == "float[N, 8, H, W]"


def test_rows_that_are_alike_are_one_loop() -> None:
    source = emitted(
        "spec 1\nmodel M {\n  input x: float[N, 8]\n"
        "  for c, k in ((2, 3), (4, 5), (3, 1)) { x = x * c -> Linear(8) -> Dropout(k / 10) }\n"
        "  output cat([x -> Linear(c) for c, _ in ((2, 3), (4, 5))], dim=1)\n}\n"
    )
    assert "for (c, k), linear in zip(" not in source  # k is of the constructor alone
    assert "for (c, _), (" in source or "for (c, _), linear" in source
    assert "nn.Linear(8, c) for c, _ in ((2, 3), (4, 5))" in source
    scripted = torch.jit.script(class_of(source)().eval())
    assert scripted(torch.ones(2, 8)).shape == (2, 6)


def test_a_row_as_one_value() -> None:
    model = model_of(
        "  input x: float[N, 8]\n  for row in ((2, (3, 4)), (4, (5, 6))) {\n"
        "    x = x -> Linear(row[0] * row[1][1])\n  }\n  output x"
    )
    assert str(model.outputs[0].value.type) == "float[N, 24]"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("c, n in ((1, 2), (3, 4, 5))", "E0235"),
        ("c, n in (1, 2)", "E0235"),
        ("c, n in range(4)", "E0235"),
        ("c, c in ((1, 2), (3, 4))", "E0230"),
        ("c, x in ((1, 2), (3, 4))", "E0230"),
        ("c, n in x", "E0235"),
        ("_ in (1, 2)", "E0205"),
    ],
)
def test_rows_that_do_not_fit_are_said(header: str, code: str) -> None:
    body = f"  input x: float[N]\n  for {header} {{ x = x + 1 }}\n  output x"
    assert faults(body) == [(code, 4)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3,5,7", (3, 5, 7)),
        ("(3, 5)", (3, 5)),
        ("3,", (3,)),
        ("", ()),
        ("1, 2.5", (1.0, 2.5)),
        ("(16,1),(24,2)", ((16, 1), (24, 2))),
        ("((16,1),)", ((16, 1),)),
        ('[[1, 0.5, "a b"], [none, true]]', ((1, 0.5, "a b"), (None, True))),
        ("relu, 'gelu'", ("relu", "gelu")),
    ],
)
def test_text_is_read_as_a_tuple(text: str, value: object) -> None:
    assert read_tuple(text) == value


@pytest.mark.parametrize(
    "text", ["(1", "1)", "(1]", "1,,2", "1 2", "(1)(2)", "1e999", "a-b", "(" * 50, '"x', "1_,"]
)
def test_text_that_is_no_tuple(text: str) -> None:
    assert read_tuple(text) is None
    with pytest.raises(SpecError):
        analyse(STAGES, "m.spec", {"stages": text})


_ITEMS = st.integers(-9, 9) | st.sampled_from(["a", "b c"])
_TUPLES = st.recursive(
    _ITEMS, lambda inner: st.lists(inner, min_size=1, max_size=3).map(tuple), max_leaves=8
).filter(lambda value: isinstance(value, tuple))


@settings(max_examples=100, deadline=None)
@given(_TUPLES)
def test_a_tuple_as_python_shows_it_is_read_back(value: tuple[object, ...]) -> None:
    assert read_tuple(str(value)) == value and is_table(value)


def test_a_list_inside_itself_is_refused() -> None:
    endless: list[object] = [1]
    endless.append(endless)
    assert not is_table(as_tuple(endless))
    with pytest.raises(SpecError):
        analyse(STAGES, "m.spec", {"stages": endless})
