"""The bound of an ``index(k)`` on its way, and casts: no entry is beyond what is said of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from emit_support import class_of, emitted
from hypothesis import given, settings
from hypothesis import strategies as st
from semantics_support import faults, model_of

from specc import ir
from specc.semantics import analyse

HEAD = """
  input a: index(5)[N, 4]
  input b: index(8)[N, 4]
  input seen: bool[N, 4]
  input plain: int[N, 4]
"""
# What is computed, and the k of the index that comes out; none where no bound is known.
BOUNDS = {
    "a[:, 1:]": 5,
    "a[:, -1]": 5,
    "a[..., ::2]": 5,
    "flip(a, 1)": 5,
    "cat([a, b], dim=1)": 8,
    "stack([b, a])": 8,
    "where(seen, a, b)": 8,
    "where(seen, a, 0)": 5,
    "where(seen, 6, a)": 7,
    "where(seen, a, -100)": None,
    "where(seen, a, plain)": None,
    "clamp(a, max=2)": 3,
    "clamp(a, max=20)": 5,
    "clamp(a, min=6)": 7,
    "clamp(plain, 0, 9)": 10,
    "clamp(plain, max=9)": None,
    "clamp(plain, -3, 9)": None,
    "clamp(a, min=-1)": 5,
    "clamp(a, -9, -1)": None,
    "clamp_max(a, 1)": 2,
    "clamp_min(a, 9)": 10,
    "clamp_max(a, plain)": None,
    "masked_fill(a, seen, 4)": 5,
    "masked_fill(a, seen, 11)": 12,
    "maximum(a, b)": 8,
    "minimum(a, b)": 8,
    "amax(b, dim=1)": 8,
    "a + 2": 7,
    "a + b": 12,
    "a - 1": None,
    "2 * a": 9,
    "b // 3": 3,
    "plain % 6": 6,
    "a % 6": 6,
    "long(seen)": 2,
    "long(a)": 5,
    "long(plain)": None,
    "long(float(a))": None,
    "pad(a, (1, 1))": 5,
    "pad(a, (1, 1), value=7.0)": None,
    "index_fill(a, 1, arange(2), 6)": 7,
    "scatter(a, 1, b % 4, b)": 8,
    "gather(a, 1, clamp(b, max=3))": 5,
}


@pytest.mark.parametrize("written", BOUNDS, ids=str)
def test_the_bound_of_an_index(written: str) -> None:
    model = model_of(f"{HEAD}  output {written}")
    assert model.outputs[0].value.type.classes == BOUNDS[written]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(key for key, bound in BOUNDS.items() if bound)), st.integers(0, 999))
def test_no_entry_is_beyond_its_bound(written: str, seed: int) -> None:
    text = f"spec 1\nmodel M {{\n{HEAD}  output {written}\n}}\n"
    made = class_of(emitted(text))()
    generator = torch.Generator().manual_seed(seed)
    inputs = [
        torch.randint(low, high, (3, 4), generator=generator)
        for low, high in ((0, 5), (0, 8), (0, 2), (-9, 99))
    ]
    inputs[2] = inputs[2].bool()
    result = made(*inputs)
    assert 0 <= int(result.min()) and int(result.max()) < BOUNDS[written]  # type: ignore[operator]  # a number


def test_a_bound_of_params_is_said_in_their_terms() -> None:
    source = emitted(
        "spec 1\nmodel M(vocab: int = 4) {\n  input a: index(vocab)[N, T]\n"
        "  input b: index(9)[N, T]\n  output cat([a, b], dim=1) -> Embedding(2)\n}\n"
    )
    assert "nn.Embedding(max(vocab, 9), 2)" in source


def test_a_computed_bound_may_be_less_than_the_scores() -> None:
    body = "  input x: float[N, 9]\n  y = x -> Linear(9)\n  output y"
    train = (
        "train {{\n  input label: index(9)[N]\n  loss = CrossEntropyLoss(y, {})\n"
        "  optimizer SGD()\n}}"
    )
    text = f"spec 1\nmodel M {{\n{body}\n}}\n"
    analyse(text + train.format("clamp(label, max=5)"), "m.spec")
    assert faults(body, train.format("label + 1")) == [("E0309", 9)]


DTYPES: dict[str, Any] = {
    "double": torch.float64, "half": torch.float16, "bfloat16": torch.bfloat16,
    "long": torch.int64, "int": torch.int32, "short": torch.int16, "char": torch.int8,
    "byte": torch.uint8, "bool": torch.bool,
}  # fmt: skip


@pytest.mark.parametrize("name", DTYPES)
def test_a_cast_gives_torchs_dtype(name: str) -> None:
    model = model_of(f"  input x: unit[N, 4]\n  output {name}(9 * x)")
    source = emitted(f"spec 1\nmodel M {{\n  input x: unit[N, 4]\n  output 9 * x -> {name}\n}}\n")
    said = model.outputs[0].value.type.dtype
    assert getattr(torch, said) == DTYPES[name] == class_of(source)()(torch.rand(2, 4)).dtype
    scripted = torch.jit.script(class_of(source)())
    assert scripted(torch.rand(2, 4)).dtype == DTYPES[name]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_float_is_of_the_runs_precision(dtype: torch.dtype) -> None:
    source = emitted(
        "spec 1\nmodel M {\n  input x: float[N, 4]\n  input seen: bool[N, 4]\n"
        "  output float(seen), x * float(seen)\n}\n"
    )
    model = class_of(source)()
    weight, kept = model(torch.rand(2, 4).to(dtype), torch.rand(2, 4) > 0.5)
    assert weight.dtype == kept.dtype == dtype


def test_truth_as_a_float_is_a_unit() -> None:
    model = model_of("  input seen: bool[N]\n  output float(seen)")
    assert model.outputs[0].value.type == ir.TensorType("float", model.inputs[0].type.shape, "unit")


def test_infinity() -> None:
    source = emitted(
        "spec 1\nmodel M {\n  input x: float[N, 4]\n  input seen: bool[N, 4]\n"
        "  output masked_fill(x, seen, -inf), x < inf\n}\n"
    )
    assert 'float("-inf")' in source and "1e" not in source
    filled, below = class_of(source)()(torch.ones(1, 4), torch.tensor([[True, False] * 2]))
    assert filled.tolist() == [[float("-inf"), 1.0] * 2] and bool(below.all())


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("masked_fill(a, seen, inf)", "E0306"),
        ("full_like(a, -inf)", "E0306"),
        ("x * (inf - inf)", "E0225"),
        ("reshape(x, inf)", "E0211"),
        ("long(z)", "E0306"),
    ],
)
def test_what_infinity_and_casts_cannot_be(written: str, code: str) -> None:
    head = "  input a: int[N]\n  input seen: bool[N]\n  input x: float[N]\n  input z: complex[N]\n"
    assert faults(f"{head}  output {written}") == [(code, 7)]
