"""Functions of compile-time values, and what is emitted of them."""

from __future__ import annotations

import math

import pytest
import torch
from emit_support import class_of, emitted
from hypothesis import given, settings
from hypothesis import strategies as st
from semantics_support import faults, model_of

from specc.semantics.compile_time import static_functions
from specc.sizes import evaluate, extreme, symbol

VALUES = {
    "max(3, 5)": 5,
    "min((4, 2, 9))": 2,
    "max([7])": 7,
    "len((1, (2, 3), 4))": 3,
    "len([])": 0,
    "sum((1, 2, 3))": 6,
    "sum(())": 0,
    "abs(-4)": 4,
    "ceil(2.1)": 3,
    "ceil(7 / 2)": 4,
    "floor(-2.5)": -3,
    "round(2.5)": 2,
    "int(-2.7)": -2,
    "int(0.25 * 32)": 8,
    "len((1, 2, 3)[1:])": 2,
    "(1, 2, 3)[-1]": 3,
    "((1, 2), (3, 4))[1][0]": 3,
    "sum([2 * c for c in (1, 2)])": 6,
    "sum([c * n for c, n in ((2, 3), (4, 5))])": 26,
    'len([c for c, _, kind in ((1, 2, "a"), (3, 4, "b"))])': 2,
}
FLOATS = {
    "log(10000.0)": math.log(10000.0),
    "sqrt(64)": 8.0,
    "exp(0.5)": math.exp(0.5),
    "log2(8)": 3.0,
    "abs(-0.5)": 0.5,
    "max(0.5, 2)": 2,
    "round(2.345, 2)": round(2.345, 2),
    "float(3)": 3.0,
    "sum((0.5, 1))": 1.5,
}


@pytest.mark.parametrize("written", VALUES)
def test_a_whole_number(written: str) -> None:
    model = model_of(f"  input x: float[N, 9]\n  output reshape(x, N, 9, 1) * ({written})\n")
    value = next(iter(model.nodes[-1].operands[1:]))  # type: ignore[union-attr]  # an operation
    assert value == VALUES[written]


@pytest.mark.parametrize("written", FLOATS)
def test_a_float_computes_what_python_does(written: str) -> None:
    text = f"spec 1\nmodel M {{\n  input x: float64[N]\n  output x * ({written})\n}}\n"
    made = class_of(emitted(text))()(torch.ones(1, dtype=torch.float64))
    assert made.item() == FLOATS[written]


@pytest.mark.parametrize(
    "written",
    ["max(3, true)", "len(3)", "len(c)", "min(())", "log(0)", "sqrt(-1.0)", "int(inf)", "exp(1e6)",
     "abs(none)", "max(5)", "sqrt(1, 2)", "round(0.5, 99)", "sum((1, \"a\"))", "ceil(-inf)"],
)  # fmt: skip
def test_what_has_no_value_is_said(written: str) -> None:
    body = f"  input x: float[N]\n  output x * ({written})\n"
    assert [code for code, _ in faults(body)] in (["E0225"], ["E0201"])


def test_a_name_tells_tensors_from_numbers_by_what_is_passed() -> None:
    model = model_of(
        "  input x: float[N, 4]\n"
        "  output max(x), sqrt(abs(x)), sum(x, dim=1), min(x, dim=1)[0], round(x) * max(1, 2)"
    )
    assert len(model.outputs) == 5


def test_len_of_a_list_of_tensors_is_a_number() -> None:
    model = model_of(
        "  input x: float[N, 4]\n  parts = [x -> Linear(3) for _k in range(3)]\n"
        "  output cat(parts, dim=1) / len(parts)"
    )
    assert str(model.outputs[0].value.type) == "float[N, 9]"


def test_len_of_a_tensor_has_a_name() -> None:
    assert faults("  input x: float[N, 4]\n  output x * len(x)") == [("E0226", 4)]


def test_the_larger_of_sizes_stays_symbolic() -> None:
    source = emitted(
        "spec 1\nblock Squeeze(ratio: int = 4) {\n  input x: float[N, C]\n"
        "  output x / sqrt(C) -> Linear(max(C // ratio, 8)) -> Linear(min(C, 3))\n}\n"
        "model M {\n  input x: float[N, 16]\n"
        "  output x -> Squeeze -> Linear(64) -> Squeeze(2) -> Linear(abs(2 - 4))\n}\n"
    )
    assert source.count("class Squeeze") == 1
    assert "nn.Linear(C, max(C // ratio, 8))" in source and "math.sqrt(C)" in source
    assert "import math" in source
    shapes = [tuple(p.shape) for p in class_of(source)().parameters()]
    assert shapes[:4] == [(8, 16), (8,), (3, 8), (3,)]


def test_what_was_rounded_is_right_for_its_param_alone() -> None:
    source = emitted(
        "spec 1\nmodel M(scale: float = 1.5, depth: int = 3) {\n  input x: float[N, 8]\n"
        "  output x -> Linear(int(8 * scale)) -> Linear((4, 5, 6, 7)[depth])\n}\n"
    )
    made = class_of(source)
    made()
    with pytest.raises(AssertionError, match="scale"):
        made(scale=2.0)
    with pytest.raises(AssertionError, match="depth"):
        made(depth=2)


def test_a_value_called_max_hides_nothing() -> None:
    source = emitted(
        "spec 1\nblock B(max: int) {\n  input x: float[N, C]\n"
        "  min = x -> Linear(min((C, max)))\n  output min\n}\n"
        "model M {\n  input x: float[N, 8]\n  output x -> B(4)\n}\n"
    )
    assert class_of(source)()(torch.ones(1, 8)).shape == (1, 4)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["min", "max"]),
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-9, 9)), min_size=1, max_size=5),
    st.integers(0, 9),
)
def test_an_extreme_is_pythons(kind: str, lines: list[tuple[int, int]], at: int) -> None:
    """Of lines ``a * i + b`` in a symbol that may be 0."""
    i = symbol("i")
    found = extreme("min" if kind == "min" else "max", [a * i + b for a, b in lines])
    known = [a * at + b for a, b in lines]
    assert evaluate(found, {"i": at}) == (min(known) if kind == "min" else max(known))
    assert static_functions.call(kind, [a * i + b for a, b in lines] * 2, {}) == found


def test_a_list_of_floats_keeps_the_params_it_is_made_of() -> None:
    source = emitted(
        "spec 1\nmodel M(rate: float = 0.2, depth: int = 3) {\n  input x: float[N, 8]\n"
        "  rates = [rate * k / (depth - 1) for k in range(depth)]\n"
        "  for k in range(depth) { x = x -> Dropout(rates[k]) -> Linear(8) }\n"
        "  output x * max(rates)\n}\n"
    )
    made = class_of(source)(rate=0.4)
    assert [layer.p for layer in made.dropout_1] == [0.0, 0.2, 0.4]


def test_a_default_that_is_computed_follows_what_the_caller_gives() -> None:
    source = emitted(
        "spec 1\nblock B(rate: float = 0.1, half: float = rate / 2) {\n  input x: float[N, D]\n"
        "  output x -> Dropout(rate) -> Dropout(half)\n}\n"
        "model M(rate: float = 0.2) {\n  input x: float[N, 8]\n  output x -> B(rate) -> B\n}\n"
    )
    made = class_of(source)(rate=0.4)
    assert [made.b_1[0].p, made.b_1[1].p, made.b_2[1].p] == [0.4, 0.2, 0.05]
