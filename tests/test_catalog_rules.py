"""What the rules share, and how they refuse: the code, the words, what to write instead.

Broadcasting and promotion are compared with torch's own; the messages are the spec's terms, exact.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import pytest
import torch
from catalog_oracle import Conditions, call_of, floats, index, shape_of
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.catalog import FUNCTIONS, LAYERS
from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes import broadcast, matrix_product, promote, together
from specc.ir import ParamForm, Scalar, TensorType
from specc.sizes import Size, symbol

N, T, H, C = symbol("N"), symbol("T"), symbol("H"), symbol("C")


def _refused(name: str, args: dict[str, Any], *inputs: TensorType, **params: Size) -> RuleError:
    row = LAYERS[name] if name in LAYERS else FUNCTIONS[name]
    names = [n.rstrip("?") for n in getattr(row, "inputs", ("input",))]
    tensors = dict(zip(names, inputs, strict=False))
    with pytest.raises(RuleError) as caught:
        row.shape(call_of(row, args, tensors, Conditions(params)))
    return caught.value


@pytest.mark.parametrize(
    ("name", "args", "tensor", "code", "words", "help"),
    [
        ("LSTM", {"hidden_size": 8}, floats(N, 28), "E0301", "[T, N, D]", "no dimension for time"),
        ("LSTM", {"hidden_size": 8, "batch_first": True}, floats(N, 28), "E0301", "[N, T, D]",
         "float[N, T, D]"),
        ("Dropout2d", {}, floats(N, 9216), "E0301", "drops whole channels", "use Dropout"),
        ("Conv2d", {"out_channels": 4, "kernel_size": 3}, floats(N, 784), "E0301",
         "Conv2d takes [N, C, H, W]; got float[N, 784], 2 dimensions", "before Flatten"),
        ("Conv2d", {"out_channels": 4, "kernel_size": 3}, floats(3, 32, 32), "E0301",
         "3 dimensions", "the batch comes first"),
        ("BatchNorm1d", {}, floats(N, 8, 4, 4), "E0301", "[N, C] or [N, C, L]",
         "write BatchNorm2d"),
        ("LayerNorm", {"normalized_shape": (5, 8)}, floats(N, 4, 8), "E0302", "4 where 5 is asked",
         "LayerNorm(8)"),
        ("GroupNorm", {"num_groups": 4}, floats(N, 30, 7), "E0303",
         "channels 30 is not divisible by groups 4", None),
        ("Conv2d", {"out_channels": 8, "kernel_size": 3, "groups": 4}, floats(N, 6, 9, 9), "E0303",
         "in_channels 6 is not divisible by groups 4", None),
        ("PixelShuffle", {"upscale_factor": 2}, floats(N, 6, 4, 4), "E0303", "6 is not divisible",
         None),
        ("Flatten", {"start_dim": 4}, floats(N, 3, 2), "E0304",
         "start_dim=4 of Flatten is out of range for a value of 3 dimensions",
         "from -3 to 2"),
        ("Softmax", {"dim": 2}, floats(N, 3), "E0304", "dim=2", "from -2 to 1"),
        ("MaxPool2d", {"kernel_size": 5}, floats(N, 3, 4, 4), "E0305",
         "kernel 5 over H = 4 of float[N, 3, 4, 4] leaves 0", "fewer poolings"),
        ("Linear", {"out_features": 4}, index(9, N, T), "E0306", "got index(9)[N, T]",
         "Embedding or one_hot"),
        ("Embedding", {"embedding_dim": 4}, floats(N, T), "E0306", "got float[N, T]", "index(k)"),
        ("Dropout", {"p": 50}, floats(N, 3), "E0307", "and is 50", "p=0.5"),
        ("Softmax", {}, floats(N, 3), "E0307", "needs its dim", "Softmax(dim=-1)"),
        ("Conv2d", {"out_channels": 0, "kernel_size": 3}, floats(N, 3, 9, 9), "E0307",
         "out_channels of Conv2d must be at least 1, and is 0", None),
        ("Conv2d", {"out_channels": 4, "kernel_size": (3, 3, 3)}, floats(N, 3, 9, 9), "E0307",
         "takes one size or 2, and got 3", "kernel_size=(1, 1)"),
        ("Conv2d", {"out_channels": 4, "kernel_size": 3, "padding": "same", "stride": 2},
         floats(N, 3, 9, 9), "E0307", "needs stride 1, and stride is 2", None),
        ("MaxPool2d", {"kernel_size": 2, "padding": 2}, floats(N, 3, 9, 9), "E0307",
         "padding 2 of MaxPool2d is more than half of its kernel_size 2", "padding=1 or less"),
        ("Linear", {"out_features": 4}, floats(N, T), "E0308",
         "in_features of Linear cannot be told: it is the unknown size T of float[N, T]",
         "a weight has a fixed size"),
        ("Embedding", {"embedding_dim": 4}, TensorType("int64", (N, T)), "E0308",
         "cannot be told from int64[N, T]", "index(k)"),
        ("Embedding", {"embedding_dim": 4, "num_embeddings": 5}, index(9, N), "E0309",
         "Embedding has 5 entries, and index(9)[N] goes up to 8", "Embedding(9, ...)"),
        ("reshape", {"shape": (N, 5)}, floats(N, 12), "E0302", None, None),
        ("reshape", {"shape": (5, -1)}, floats(3, 4), "E0303", "12 elements", None),
        ("reshape", {"shape": (-1, -1)}, floats(3, 4), "E0307", "may have one -1, and has 2", None),
        ("Upsample", {"scale_factor": 2.0, "mode": "linear"}, floats(N, 3, 8, 8), "E0301",
         'with mode="linear"', 'mode="bilinear"'),
    ],
)  # fmt: skip
def test_a_refusal_says_what_and_what_instead(
    name: str, args: dict[str, Any], tensor: TensorType, code: str, words: str | None,
    help: str | None,
) -> None:  # fmt: skip
    error = _refused(name, args, tensor, N=7) if words is None else _refused(name, args, tensor)
    assert error.code == code
    assert words is None or words in error.message
    assert help is None or (error.help is not None and help in error.help)


def test_every_argument_that_is_named_exists() -> None:
    for name, args, tensor in (
        ("Dropout", {"p": 2.0}, floats(N, 3)),
        ("Linear", {"out_features": 0}, floats(N, 3)),
        ("MaxPool2d", {"kernel_size": 9}, floats(N, 1, 4, 4)),
    ):
        error = _refused(name, args, tensor)
        assert error.argument in LAYERS[name].by_name


# ── params and unknown sizes ─────────────────────────────────────────────────────────────────────


def test_a_param_stays_a_name_and_decides_by_its_value() -> None:
    width, groups = symbol("width"), symbol("groups")
    conditions = Conditions(params={"width": 32, "groups": 4})
    args: dict[str, Any] = {
        "out_channels": width, "kernel_size": 3, "padding": 1, "groups": groups,
    }  # fmt: skip
    call = call_of(LAYERS["Conv2d"], args, {"input": floats(N, width, H, H)}, conditions)
    assert LAYERS["Conv2d"].shape(call) == floats(N, width, H, H)
    assert dict(LAYERS["Conv2d"].parameters(call))["weight"] == (width, width // groups, 3, 3)
    assert conditions.open == []
    bound = dict(LAYERS["Conv2d"].initial(call))["weight"].high
    assert bound == pytest.approx(1 / (8 * 9) ** 0.5)
    refused = Conditions(params={"width": 32, "groups": 5})
    with pytest.raises(RuleError, match="not divisible by groups"):
        LAYERS["Conv2d"].shape(
            call_of(LAYERS["Conv2d"], args, {"input": floats(N, width, H, H)}, refused)
        )


def test_a_float_from_a_param_is_read_by_its_value() -> None:
    p = Scalar(1.5, ParamForm("p"))
    assert _refused("Dropout", {"p": p}, floats(N, 3)).code == "E0307"


def test_the_right_size_of_a_pooled_image() -> None:
    pooled: Any = floats(N, 64, 32, 32)
    for _ in range(2):
        pooled = shape_of(LAYERS["MaxPool2d"], {"kernel_size": 2}, input=pooled)
    assert shape_of(LAYERS["Flatten"], {}, input=pooled) == floats(N, 64 * 8 * 8)


def test_unknown_image_sizes_stay_exact() -> None:
    halved = shape_of(LAYERS["MaxPool2d"], {"kernel_size": 2}, input=floats(N, 8, H, H))
    assert halved == floats(N, 8, H // 2, H // 2)
    args = {"out_channels": 8, "kernel_size": 3, "stride": 2, "padding": 1}
    strided = shape_of(LAYERS["Conv2d"], args, input=floats(N, 8, H, H))
    assert strided == floats(N, 8, (H + 1) // 2, (H + 1) // 2)


def _stated(name: str, args: dict[str, Any], *inputs: TensorType) -> list[tuple[Size, Size]]:
    row = LAYERS[name] if name in LAYERS else FUNCTIONS[name]
    conditions = Conditions()
    row.shape(call_of(row, args, {"input": inputs[0]}, conditions))
    assert conditions.open == []
    return conditions.bounds


def test_a_window_asks_for_a_size() -> None:
    image = floats(N, 8, H, 32)
    assert _stated("MaxPool2d", {"kernel_size": 2}, image) == [(H, 2)]
    args: dict[str, Any] = {"out_channels": 4, "kernel_size": 5, "padding": 1, "dilation": 2}
    assert _stated("Conv2d", args, image) == [(H + 2, 9)]
    assert (H, 4) in _stated("ReflectionPad2d", {"padding": 3}, image)
    assert (H - 6, 1) in _stated("ZeroPad2d", {"padding": -3}, image)
    assert _stated("topk", {"k": 3, "dim": 2}, image) == [(H, 3)]
    assert _stated("InstanceNorm1d", {}, floats(N, 8, H)) == [(H, 2)]


def test_a_bound_that_nothing_states_is_decided_where_it_can_be() -> None:
    error = RuleError("E0305", "too large")
    call = Call("MaxPool2d", {}, {}, {"width": 3}, Conditions().require_equal)
    call.require_at_least(H, 2, error)
    call.require_at_least(symbol("width"), 3, error)
    with pytest.raises(RuleError, match="too large"):
        call.require_at_least(symbol("width") + H, H + 4, error)


def test_a_table_larger_than_its_index_is_as_written() -> None:
    args = {"embedding_dim": 4, "num_embeddings": 64}
    call = call_of(LAYERS["Embedding"], args, {"input": index(50, N)})
    assert LAYERS["Embedding"].parameters(call) == (("weight", (64, 4)),)
    assert LAYERS["Embedding"].shape(call) == floats(N, 4)


def test_positions_of_an_unknown_length_go_into_a_table() -> None:
    args = {"embedding_dim": 4, "num_embeddings": 64}
    conditions = Conditions()
    call = call_of(LAYERS["Embedding"], args, {"input": index(T, T)}, conditions)
    assert LAYERS["Embedding"].shape(call) == floats(T, 4)
    assert conditions.open == []


def test_an_lstm_starts_from_a_state_of_its_own_form() -> None:
    args = {"hidden_size": 8, "batch_first": True}
    states = (floats(1, N, 8), floats(1, N, 9))
    with pytest.raises(RuleError, match="starts from a state of"):
        shape_of(LAYERS["LSTM"], args, input=floats(N, T, 4), hx=states)


# ── broadcasting, promotion, products ────────────────────────────────────────────────────────────

SHAPES = st.lists(st.integers(1, 3), max_size=4).map(tuple)


def test_broadcasting_is_torchs(catalogue_cases: int) -> None:
    @settings(max_examples=max(200, catalogue_cases), deadline=None)
    @given(SHAPES, SHAPES)
    def check(left: tuple[int, ...], right: tuple[int, ...]) -> None:
        try:
            wanted = tuple(torch.broadcast_shapes(left, right))
        except RuntimeError:
            with pytest.raises(RuleError) as caught:
                broadcast(Conditions().require_equal, left, right)
            assert caught.value.code == "E0302"
        else:
            assert broadcast(Conditions().require_equal, left, right) == wanted

    check()


def test_broadcasting_states_what_is_open() -> None:
    conditions = Conditions()
    assert broadcast(conditions.require_equal, (N, 1, T), (H, 1)) == (N, H, T)
    assert conditions.open == []
    assert broadcast(conditions.require_equal, (N, T), (N, 5)) == (N, 5)
    assert conditions.open == [(T, 5)]


def test_a_param_of_1_stretches() -> None:
    one = symbol("one")
    values = {"one": 1}
    conditions = Conditions(values)
    found = broadcast(conditions.require_equal, (N, one), (N, 5), lambda s: 1 if s == one else s)
    assert found == (N, 5)


DTYPES = {
    "float": torch.float32, "bool": torch.bool, "uint8": torch.uint8, "int8": torch.int8,
    "int16": torch.int16, "int32": torch.int32, "int64": torch.int64,
}  # fmt: skip
FIXED = {
    **{name: dtype for name, dtype in DTYPES.items() if name != "float"},
    "float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32,
    "float64": torch.float64,
}  # fmt: skip


@pytest.mark.parametrize("table", [DTYPES, FIXED], ids=["of the run", "fixed"])
def test_promotion_is_torchs(table: dict[str, torch.dtype]) -> None:
    names = {dtype: name for name, dtype in table.items()}
    for left, right in itertools.product(table, repeat=2):
        assert promote(left, right) == names[torch.promote_types(table[left], table[right])]


WITH_COMPLEX = {
    **FIXED, "complex64": torch.complex64, "complex128": torch.complex128,
    "complex32": torch.complex32,
}  # fmt: skip


@pytest.mark.parametrize("ranks", [(1, 1), (1, 0), (0, 1), (0, 0)])
def test_a_scalar_widens_the_kind_alone_as_to_torch(ranks: tuple[int, int]) -> None:
    names = {dtype: name for name, dtype in WITH_COMPLEX.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # complex32 is experimental
        for pair in itertools.product(WITH_COMPLEX, repeat=2):
            shapes = [(2,) * rank for rank in ranks]
            made = [torch.zeros(shape, dtype=WITH_COMPLEX[name])
                    for name, shape in zip(pair, shapes, strict=True)]  # fmt: skip
            types = [TensorType(*each) for each in zip(pair, shapes, strict=True)]
            assert together(*types) == names[torch.result_type(*made)], (pair, ranks)


def test_a_scalar_of_another_width_may_stand_beside_the_runs_precision() -> None:
    assert together(floats(N), TensorType("float64", ())) == "float"
    assert together(TensorType("float32", (3,)), floats()) == "float32"
    assert together(TensorType("int32", (3,)), TensorType("int64", ())) == "int32"


def test_the_runs_precision_does_not_mix_with_a_fixed_one() -> None:
    assert promote("float", "float64") == "float64"
    for fixed in ("float32", "bfloat16", "float16"):
        with pytest.raises(RuleError) as caught:
            promote("float", fixed)
        assert caught.value.code == "E0306"


def test_a_product_of_unknown_sizes() -> None:
    call = call_of(FUNCTIONS["matmul"], {}, {"input": floats(N, T, C), "other": floats(C, 7)})
    assert matrix_product(call, floats(N, T, C), floats(C, 7)) == (N, T, 7)
    with pytest.raises(RuleError) as caught:
        matrix_product(call, floats(N, 4), floats(5, 7))
    assert caught.value.code == "E0302"
    assert "the inner sizes 4 and 5 differ" in caught.value.message
