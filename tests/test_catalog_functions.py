"""Every function row against torch: shapes, dtypes, refusals.

Each function is called as the emitted source calls it, with generated arguments, sound and unsound.
``STRICTER`` says where a row refuses what torch takes, and why.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

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
from conftest import CasesOf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specc.catalog import FUNCTIONS
from specc.catalog.functions.elementwise import CASTS
from specc.catalog.rows import FunctionRow, RuleError
from specc.ir import TensorType
from specc.sizes import symbol

_EMPTY = "torch gives an empty tensor"
_SCALAR = "torch takes a scalar"
_DATA = "torch sees in the data whether an index is too large"
STRICTER = {
    ("clamp", "E0306"): "torch makes integers of bools",
    **{
        (name, "E0306"): "torch cuts a fraction, and fails where it has a gradient"
        for name in ("masked_fill", "index_fill")
    },
    **{
        (name, "E0307"): "torch reads a number off a tensor of one that wants no gradient"
        for name in ("clamp", "pinv", "matrix_rank")
    },
    **{
        (name, "E0306"): "torch drops the imaginary part, with a warning"
        for name in CASTS
        if name != "bool"
    },
    **{
        (name, "E0306"): "torch drops integers too, and cannot scale them"
        for name in (
            "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout",
            "feature_alpha_dropout",
        )
    },
    ("hardtanh", "E0306"): "torch takes integers, and cuts the bounds to them",
    ("pow", "E0306"): "torch computes the powers of bools in some layouts",
    ("ldexp", "E0306"): "torch takes a bool exponent beside whole numbers alone",
    ("lerp", "E0306"): "torch takes single numbers of another dtype",
    ("scaled_dot_product_attention", "E0307"): "some of torch's kernels take both",
    ("scaled_dot_product_attention", "E0301"): "some of torch's kernels take a vector for a mask",
    **{
        (name, "E0301"): "torch takes a missing batch dimension, almost always a mistake"
        for name in (
            *(f"conv{dims}d" for dims in (1, 2, 3)),
            *(f"conv_transpose{dims}d" for dims in (1, 2, 3)),
            *(f"dropout{dims}d" for dims in (1, 2, 3)),
            *(f"{kind}_pool{dims}d" for dims in (1, 2, 3) for kind in ("max", "avg", "lp")),
            *(f"adaptive_{kind}_pool{dims}d" for dims in (1, 2, 3) for kind in ("max", "avg")),
            *(f"max_unpool{dims}d" for dims in (1, 2, 3)),
            *(f"fractional_max_pool{dims}d" for dims in (2, 3)),
            "unfold",
            "fold",
            "feature_alpha_dropout",
        )
    },
    **{(name, "E0309"): _DATA for name in ("embedding", "embedding_bag", "index_select")},
    **{
        (name, "E0305"): _EMPTY
        for name in (
            "diagonal", "diag", "diagonal_scatter", "diff", "cumulative_trapezoid",
            *(f"conv_transpose{dims}d" for dims in (1, 2, 3)),
            *(f"fractional_max_pool{dims}d" for dims in (2, 3)),
        )
    },
    ("combinations", "E0307"): _EMPTY,
    **{
        (name, "E0301"): _SCALAR
        for name in (
            "repeat_interleave",
        )
    },
    ("index_add", "E0307"): "torch rounds alpha to a whole number",
    **{
        (name, "E0307"): "torch cuts places to the end"
        for name in ("tensor_split", "hsplit", "vsplit", "dsplit")
    },
    **{
        (name, "E0306"): "torch converts what is put in"
        for name in ("select_scatter", "slice_scatter", "diagonal_scatter")
    },
    **{
        (f"{kind}fft{over}", "E0306"): "torch makes floats of its default precision"
        for kind in ("", "i", "r", "ir", "h", "ih")
        for over in ("", "2", "n")
    },
    ("interpolate", "E0305"): _EMPTY,
    **{
        (name, "E0307"): "torch reduces nothing over no dimensions, or everything"
        for name in ("nansum", "nanmean", "logsumexp")
    },
    ("fftfreq", "E0307"): _EMPTY,
    ("rfftfreq", "E0307"): _EMPTY,
    **{(name, "E0307"): "torch warns and guesses" for name in ("affine_grid", "grid_sample")},
    ("normal_like", "E0306"): "noise is real here",
    ("uniform_like", "E0306"): "noise is real here",
    **{
        (name, "E0307"): "an eps of 0 divides by 0"
        for name in ("batch_norm", "instance_norm", "group_norm")
    },
    **{
        (name, "E0307"): "torch rounds beta and alpha to whole numbers"
        for name in ("addmm", "addmv", "addbmm", "addr")
    },
    **{
        (f"fractional_max_pool{dims}d", "E0307"): "torch takes both, and reads output_size"
        for dims in (2, 3)
    },
    **{
        (name, "E0306"): "torch takes single numbers of every dtype"
        for name in ("mode", "kthvalue", "searchsorted", "bucketize")
    },
    ("fftshift", "E0307"): "torch shifts a dimension twice",
    ("ifftshift", "E0307"): "torch shifts a dimension twice",
    ("cummax", "E0306"): "torch takes a single complex number",
    ("cummin", "E0306"): "torch takes a single complex number",
    ("diff", "E0304"): "torch reads dim where n is above 0 alone",
    ("slice_scatter", "E0307"): "torch cuts the end",
    ("addcmul", "E0307"): "torch cuts value to a whole number",
    ("solve_triangular", "E0306"): "torch makes B of the matrix's dtype, and drops imaginary parts",
    **{
        (name, "E0302"): "torch stretches one value over the places, and integrates nothing"
        for name in ("trapezoid", "cumulative_trapezoid")
    },
    ("instance_norm", "E0301"): "an instance without places has nothing to normalize over",
    **{
        (f"max_unpool{dims}d", "E0305"): "torch lets a size of 0 be named"
        for dims in (1, 2, 3)
    },
}  # fmt: skip


# The machine may be busy: that cases come slowly says nothing of the rows.
_CASES = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def _stricter(row: FunctionRow, error: RuleError) -> bool:
    return (row.name, error.code) in STRICTER


# A loss by its function's name is the loss, which test_catalog_losses holds against torch.
ROWS = [row for row in FUNCTIONS.values() if row.family != "loss"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_function_goes_as_torchs(row: FunctionRow, cases_of: CasesOf) -> None:
    accepted = 0
    count = cases_of(row, ROWS)

    @settings(_CASES, max_examples=count)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal accepted
        args, tensors = GENERATORS[row.family](data.draw, row)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out, refused = refusal(lambda: torch_function(row, args, tensors))
            meta, unasked = refusal(lambda: torch_function(row, args, tensors, "meta"))
        result, error = refusal(lambda: row.shape(call_of(row, args, tensors)))
        if error is not None:
            assert isinstance(error, RuleError), error
            assert refused is not None or _stricter(row, error), (args, tensors, error)
            return
        assert refused is None, (args, tensors, refused)
        accepted += 1
        assert shown(result) == described(out), (args, tensors)
        if unasked is None:  # not every function has a meta kernel
            assert shown(result) == described(meta), (args, tensors)

    check()
    assert accepted >= 5, "the generator hardly makes a sound case"


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.family != "creation"],
    ids=lambda row: row.name,
)
def test_a_functions_formula_holds_for_every_size(row: FunctionRow, cases_of: CasesOf) -> None:
    @settings(_CASES, max_examples=cases_of(row, ROWS, least=15))
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
    meanings: tuple[tuple[str, Literal["plain", "unit"]], ...]
    meanings = (("normal_like", "plain"), ("uniform_like", "unit"))
    for name, meaning in meanings:
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


# ── refusals that generated cases found ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "args", "tensors", "code"),
    [
        ("addcmul", {}, dict.fromkeys(("input", "tensor1", "tensor2"), TensorType("bool", (2,))),
         "E0306"),
        ("addcmul", {"value": 0.5},
         dict.fromkeys(("input", "tensor1", "tensor2"), TensorType("int64", (2,))), "E0307"),
        ("solve_triangular", {"upper": True},
         {"input": floats(2, 2), "B": TensorType("complex", (2, 2))}, "E0306"),
        ("norm", {"dim": (0, 1, 2)}, {"input": floats(1, 2, 3)}, "E0307"),
        ("logsumexp", {"dim": ()}, {"input": floats(2, 3)}, "E0307"),
        ("norm", {"dim": ()}, {"input": floats(2, 3)}, "E0307"),
        ("matrix_norm", {"dim": ()}, {"input": floats(2, 3)}, "E0307"),
        ("rfftn", {"dim": ()}, {"input": floats(2, 3)}, "E0307"),
        ("fftshift", {"dim": ()}, {"input": floats(2, 3)}, "E0307"),
        ("movedim", {"source": (), "destination": (0,)}, {"input": floats(2)}, "E0307"),
        ("unflatten", {"dim": 0, "sizes": ()}, {"input": floats(1, 3)}, "E0307"),
        ("interpolate", {"size": (4,)}, {"input": floats(2, 3, 4, 5)}, "E0307"),
        ("tensordot", {"dims": (0, 0)}, {"a": floats(2, 3), "b": floats(2, 3)}, "E0307"),
        ("einsum", {"equation": "ii->i"}, {"operands": (floats(1, 2),)}, "E0302"),
        ("norm", {"ord": 2}, {"input": floats(1, 2, 3)}, "E0301"),
        ("trapezoid", {"dim": 0}, {"y": floats(1, 1), "x": floats(2, 1)}, "E0302"),
        ("scaled_dot_product_attention", {},
         {"query": floats(4, 8), "key": floats(5, 8), "value": floats(2, 5, 8),
          "attn_mask": floats(2, 4, 5)}, "E0302"),
        ("scaled_dot_product_attention", {"enable_gqa": True},
         {"query": floats(2, 4, 3, 8), "key": floats(5, 8), "value": floats(5, 8)}, "E0301"),
        ("masked_fill", {}, {"input": TensorType("int64", (3,)), "mask": TensorType("bool", (3,)),
                             "value": floats()}, "E0306"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(
    name: str, args: dict[str, Any], tensors: dict[str, Any], code: str
) -> None:
    row = FUNCTIONS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, refused = refusal(lambda: torch_function(row, args, tensors))
    with pytest.raises(RuleError) as caught:
        shape_of(row, args, **tensors)
    assert caught.value.code == code
    assert refused is not None or _stricter(row, caught.value)


@pytest.mark.parametrize("name", ["squeeze", "sum", "fftn"])
def test_no_dimension_is_what_torch_makes_of_it(name: str) -> None:
    row, tensors, args = FUNCTIONS[name], {"input": floats(1, 3)}, {"dim": ()}
    assert shown(shape_of(row, args, **tensors)) == described(torch_function(row, args, tensors))


def test_a_product_of_bools_is_added_to_numbers() -> None:
    flags = TensorType("bool", (2,))
    tensors = {"input": TensorType("int64", (2,)), "tensor1": flags, "tensor2": flags}
    row = FUNCTIONS["addcmul"]
    assert shown(shape_of(row, {}, **tensors)) == described(torch_function(row, {}, tensors))
