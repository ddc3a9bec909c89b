"""Every function row against torch: shapes, dtypes, refusals.

Each function is called as the emitted source calls it, with generated arguments, sound and unsound.
``STRICTER`` says where a row refuses what torch takes, and why.
"""

from __future__ import annotations

import warnings

import pytest
import torch
from catalog_function_cases import GENERATORS
from catalog_oracle import (
    Conditions,
    call_of,
    described,
    floats,
    index,
    put_in,
    refusal,
    shape_of,
    shown,
    symbolic,
    torch_callable,
    torch_function,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.catalog import FUNCTIONS
from specc.catalog.rows import FunctionRow, RuleError
from specc.ir import TensorType
from specc.sizes import symbol

STRICTER = {
    ("clamp", "E0306"): "torch makes integers of bools",
    ("dropout", "E0306"): "torch drops integers too, and cannot scale them",
    **{
        (name, "E0301"): "torch takes a missing batch dimension, almost always a mistake"
        for name in ("conv1d", "conv2d", "conv3d", "unfold", "fold")
    },
    ("embedding", "E0309"): "torch sees in the data whether an index is too large",
    ("hardtanh", "E0306"): "torch takes integers, and cuts the bounds to them",
    ("pairwise_distance", "E0301"): "torch takes two scalars",
    ("flip", "E0301"): "torch flips a scalar",
    ("diagonal", "E0305"): "torch gives an empty tensor",
    ("index_select", "E0301"): "torch selects from a scalar",
    ("index_select", "E0309"): "torch sees in the data whether an index is too large",
    ("repeat_interleave", "E0301"): "torch repeats a scalar",
}


def _stricter(row: FunctionRow, error: RuleError) -> bool:
    return (row.name, error.code) in STRICTER


@pytest.mark.parametrize("row", FUNCTIONS.values(), ids=lambda row: row.name)
def test_a_function_goes_as_torchs(row: FunctionRow) -> None:
    accepted = 0

    @settings(max_examples=40, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal accepted
        args, tensors = GENERATORS[row.family](data.draw, row)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out, refused = refusal(lambda: torch_function(row, args, tensors))
        result, error = refusal(lambda: row.shape(call_of(row, args, tensors)))
        if error is not None:
            assert isinstance(error, RuleError), error
            assert refused is not None or _stricter(row, error), (args, tensors, error)
            return
        assert refused is None, (args, tensors, refused)
        accepted += 1
        assert shown(result) == described(out), (args, tensors)

    check()
    assert accepted >= 5, "the generator hardly makes a sound case"


@pytest.mark.parametrize(
    "row",
    [row for row in FUNCTIONS.values() if row.family != "creation"],
    ids=lambda row: row.name,
)
def test_a_functions_formula_holds_for_every_size(row: FunctionRow) -> None:
    @settings(max_examples=15, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        args, tensors = GENERATORS[row.family](data.draw, row)
        wanted, error = refusal(lambda: row.shape(call_of(row, args, tensors)))
        if error is not None:
            return
        lifted, values = symbolic(tensors)
        conditions = Conditions()
        found, error = refusal(lambda: row.shape(call_of(row, args, lifted, conditions)))
        if error is not None:
            assert isinstance(error, RuleError)
            assert error.code in ("E0307", "E0308"), error
            return
        # A condition may be stricter than torch (chunk must divide), and then says nothing here.
        if conditions.hold(values):
            assert put_in(found, values) == put_in(wanted, values)

    check()


# ── what the types mean ──────────────────────────────────────────────────────────────────────────

N, T = symbol("N"), symbol("T")


def test_labels_stay_labels_through_a_rearrangement() -> None:
    labels = index(7, N, T)
    assert shape_of(FUNCTIONS["flatten"], {}, input=labels) == index(7, N * T)
    assert shape_of(FUNCTIONS["transpose"], {"dim0": 0, "dim1": 1}, input=labels) == index(7, T, N)
    assert shape_of(FUNCTIONS["abs"], {}, input=labels) == TensorType("int64", (N, T))


def test_the_place_of_the_largest_is_an_index() -> None:
    found = shape_of(FUNCTIONS["argmax"], {"dim": -1}, input=floats(N, 10))
    assert found == index(10, N)


def test_positions_are_an_index() -> None:
    assert shape_of(FUNCTIONS["arange"], {"end": T}) == index(T, T)
    assert shape_of(FUNCTIONS["arange"], {"end": T, "start": 2}) == TensorType("int64", (T - 2,))


def test_probabilities_are_in_the_unit_interval() -> None:
    found = shape_of(FUNCTIONS["sigmoid"], {}, input=floats(N))
    assert isinstance(found, TensorType)
    assert found.meaning == "unit"


def test_noise_is_marked_and_like_a_float() -> None:
    for name, meaning in (("normal_like", "plain"), ("uniform_like", "unit")):
        row = FUNCTIONS[name]
        assert row.stochastic
        assert not row.training
        assert shape_of(row, {}, input=floats(N, T)) == TensorType("float", (N, T), meaning)
    drawn = torch_callable(FUNCTIONS["normal_like"])(torch.zeros(4000))
    assert abs(drawn.mean().item()) < 0.1
    assert drawn.std().item() == pytest.approx(1.0, abs=0.1)
    drawn = torch_callable(FUNCTIONS["uniform_like"])(torch.zeros(4000))
    assert 0.0 <= drawn.min().item() < 0.01 < 0.99 < drawn.max().item() <= 1.0


def test_the_largest_comes_alone_or_with_its_place() -> None:
    assert shape_of(FUNCTIONS["max"], {}, input=floats(N, T)) == floats()
    found = shape_of(FUNCTIONS["max"], {"dim": 1}, input=floats(N, T))
    assert found == (floats(N), index(T, N))


def test_a_reshape_of_unknown_sizes_is_exact() -> None:
    value = floats(N, T, 64)
    found = shape_of(FUNCTIONS["reshape"], {"shape": (N, T, 4, -1)}, input=value)
    assert found == floats(N, T, 4, 16)
    found = shape_of(FUNCTIONS["reshape"], {"shape": (-1, 64)}, input=value)
    assert found == floats(N * T, 64)


def test_chunks_of_an_unknown_size_state_that_it_divides() -> None:
    conditions = Conditions()
    call = call_of(FUNCTIONS["chunk"], {"chunks": 3, "dim": 1}, {"input": floats(N, T)}, conditions)
    assert FUNCTIONS["chunk"].shape(call) == (floats(N, T // 3),) * 3
    assert conditions.open == [(T % 3, 0)]
    call = call_of(FUNCTIONS["chunk"], {"chunks": 3, "dim": 1}, {"input": floats(N, 3 * T)})
    assert FUNCTIONS["chunk"].shape(call) == (floats(N, T),) * 3
