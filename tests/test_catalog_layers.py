"""Every layer row against torch: shapes, parameters, buffers, refusals, initial values.

Arguments and sizes are generated, sound and unsound ones. A row
may refuse more than torch does only where ``STRICTER`` says why.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from catalog_layer_cases import GENERATORS, dims_of, recast
from catalog_oracle import (
    Conditions,
    call_of,
    described,
    floats,
    index,
    names_and_shapes,
    put_in,
    refusal,
    shown,
    symbolic,
    torch_layer,
    zeros,
)
from conftest import CasesOf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from specc.catalog import LAYERS
from specc.catalog.rows import Call, LayerRow, RuleError, no_initial

# What a row refuses although torch takes it, by (family, code) or (name, code).
STRICTER = {
    ("convolution", "E0301"): "torch takes a missing batch dimension, almost always a mistake",
    ("convolution", "E0305"): "torch gives an empty tensor (transposed)",
    ("shape", "E0301"): "ZeroPad2d: torch pads a value without channels as well",
    ("pooling", "E0301"): "as for convolutions",
    ("normalization", "E0301"): "as for convolutions (InstanceNorm)",
    ("recurrent", "E0301"): "as for convolutions: [T, D] is read as one sequence",
    ("attention", "E0301"): "as for recurrent layers",
    ("cell", "E0301"): "as for recurrent layers",
    ("distance", "E0301"): "PairwiseDistance: torch takes two scalars",
    ("embedding", "E0301"): "EmbeddingBag: flat indices would want offsets",
    ("dropout", "E0301"): "torch only warns for a flattened value, and then drops elements",
    ("shape", "E0305"): "Upsample: torch gives an empty tensor",
    ("pooling", "E0305"): "FractionalMaxPool, MaxUnpool: torch gives an empty tensor",
    ("Softmax2d", "E0301"): "as for convolutions",
    ("Upsampling", "E0301"): "torch takes other ranks than images'",
    ("adaptive", "E0306"): "labels are int64, as those of losses",
    ("adaptive", "E0307"): "torch gives a cluster a projection to nothing",
    **{
        (f"InstanceNorm{dims}d", "E0306"): "torch keeps statistics of another precision than x's"
        for dims in (1, 2, 3)
    },
    ("LocalResponseNorm", "E0306"): "torch makes floats of its own default precision of integers",
    ("LinearCrossEntropyLoss", "E0308"): "the test tells torch how many classes there are",
    ("LinearCrossEntropyLoss", "E0309"): "torch sees in the data whether a label is too large",
    ("RMSNorm", "E0306"): "the precision of the result would depend on the run",
    ("Hardtanh", "E0306"): "torch takes integers, and cuts the bounds to them",
    ("dropout", "E0306"): "torch drops integers too, and cannot scale them",
    ("distance", "E0306"): "torch promotes, which depends on the rank as well",
    **{
        (name, "E0306"): "torch's CPU alone takes integers"
        for kind in ("MaxPool", "AvgPool", "LPPool", "ReflectionPad", "ReplicationPad",
                     "AdaptiveMaxPool", "AdaptiveAvgPool", "MaxUnpool")
        for name in (f"{kind}{dims}d" for dims in (1, 2, 3))
    },
    ("Unfold", "E0306"): "torch gathers bools too, and cannot sum them back",
    ("Fold", "E0306"): "torch sums bools",
}  # fmt: skip


# What torch computes on no tensor without values.
WITHOUT_META = {"AdaptiveLogSoftmaxWithLoss": "it looks which labels are in which cluster"}


def _looks_at_values(error: BaseException | None) -> bool:
    """Whether torch gave up because it wants to see values: the Transformer looks into a mask."""
    said = str(error).lower()
    return error is not None and ("meta tensors" in said or "register_meta" in said)


def _torch_run(
    row: LayerRow, args: dict[str, Any], tensors: dict[str, Any], device: str = "cpu"
) -> tuple[Any, Any]:
    """torch's module and result, its inferred arguments read off the tensors as Lazy modules do."""
    first = row.inputs[0]
    told = {
        "in_features": lambda: tensors[first].shape[-1],
        "in1_features": lambda: tensors["input1"].shape[-1],
        "in2_features": lambda: tensors["input2"].shape[-1],
        "input_size": lambda: tensors["input"].shape[-1],
        "normalized_shape": lambda: tensors["input"].shape[-1],
        "num_embeddings": lambda: tensors["input"].classes,
        "in_channels": lambda: tensors["input"].shape[1],
        "num_features": lambda: tensors["input"].shape[1],
        "num_channels": lambda: tensors["input"].shape[1],
        "embed_dim": lambda: tensors["query"].shape[-1],
        "d_model": lambda: tensors[first].shape[-1],
        "n_classes": lambda: tensors["target_"].classes,
        "num_classes": lambda: (
            tensors["target"].classes or tensors["target"].shape[len(tensors["input"].shape) - 1]
        ),
    }
    filled = {name: args.get(name) or told[name]() for name in row.infer}
    every = {a.name: a.default for a in row.arguments if not a.required and not a.inferred}
    with torch.device(device):
        module = torch_layer(row, call_of_like(row, {**every, **args, **filled}))
        given = {name: zeros(tensor) for name, tensor in tensors.items()}
    given = {name: tuple(x) if isinstance(x, list) else x for name, x in given.items()}
    # What must be given goes by place, what may be by name.
    placed = [given.pop(a.name) for a in row.forward_arguments if a.required]
    settings = {a.name: args[a.name] for a in row.forward_arguments if a.name in args}
    return module, module(*placed, **given, **settings)


def call_of_like(row: LayerRow, args: dict[str, Any]) -> Any:
    """A call that only carries arguments, for making torch's module without asking the row."""
    return Call(row.name, args, {}, {}, Conditions().require_equal)


def _stricter(row: LayerRow, error: RuleError) -> bool:
    return (row.family, error.code) in STRICTER or (row.name, error.code) in STRICTER


@pytest.mark.parametrize("row", LAYERS.values(), ids=lambda row: row.name)
def test_a_layer_goes_as_torchs(row: LayerRow, cases_of: CasesOf) -> None:
    accepted = met = 0
    count = cases_of(row, LAYERS.values())

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal accepted, met
        args, tensors = GENERATORS[row.family](data.draw, row)
        tensors = recast(data.draw, tensors)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torchs, refused = refusal(lambda: _torch_run(row, args, tensors))
            meta, unmade = refusal(lambda: _torch_run(row, args, tensors, "meta"))
        call, error = refusal(lambda: call_of(row, args, tensors))
        result = None
        if error is None:
            result, error = refusal(lambda: row.shape(call))
        if error is not None:
            assert isinstance(error, RuleError), error
            assert refused is not None or _stricter(row, error), (args, tensors, error)
            return
        assert refused is None, (args, tensors, refused)
        accepted += 1
        module, out = torchs
        assert shown(result) == described(out)
        if not _looks_at_values(unmade):
            assert unmade is None, (args, tensors, unmade)
            assert shown(result) == described(meta[1])
            met += 1
        assert names_and_shapes(row.parameters(call)) == [
            (name, tuple(tensor.shape)) for name, tensor in module.named_parameters()
        ]
        assert names_and_shapes(row.buffers(call)) == [
            (name, tuple(tensor.shape)) for name, tensor in module.named_buffers()
        ]
        assert [name for name, _ in row.initial(call)] == [name for name, _ in row.parameters(call)]

    check()
    assert accepted >= 5, "the generator hardly makes a sound case"
    assert (met > 0) != (row.name in WITHOUT_META)


@pytest.mark.parametrize("row", LAYERS.values(), ids=lambda row: row.name)
def test_a_layers_formula_holds_for_every_size(row: LayerRow, cases_of: CasesOf) -> None:
    """The rule asked with symbols gives, once numbers are put in, what it gives for numbers."""
    count = cases_of(row, LAYERS.values(), least=15)

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        args, tensors = GENERATORS[row.family](data.draw, row)
        wanted, error = refusal(lambda: row.shape(call_of(row, args, tensors)))
        assume(error is None)
        lifted, values = symbolic(tensors)
        # A weight's size is fixed: the sizes of symbols are known as params', as in a model's.
        conditions = Conditions(params=dict(values) if row.infer else {})
        call, error = refusal(lambda: call_of(row, args, lifted, conditions))
        found = None
        if error is None:
            found, error = refusal(lambda: row.shape(call))
        if error is not None:
            # Refused for want of a number: never for a clash, since the numbers fit.
            assert isinstance(error, RuleError)
            assert error.code in ("E0307", "E0308"), error
            return
        assert conditions.hold(values)
        assert put_in(found, values) == wanted

    check()


# Rows that refuse a size for itself, whatever the arguments are.
SIZED = [
    row
    for row in LAYERS.values()
    if (row.family in ("convolution", "pooling") and not row.name.startswith("Adaptive"))
    or row.name in ("ReflectionPad2d", "PixelShuffle", "Upsample")
]


@pytest.mark.parametrize("row", SIZED, ids=lambda row: row.name)
def test_what_is_refused_of_numbers_is_stated_of_symbols(row: LayerRow, cases_of: CasesOf) -> None:
    """A window that is too large for this size is a condition that this size does not meet."""
    met = 0
    count = cases_of(row, SIZED, least=150)

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal met
        args, tensors = GENERATORS[row.family](data.draw, row)
        _, refused = refusal(lambda: row.shape(call_of(row, args, tensors)))
        if not isinstance(refused, RuleError) or refused.code not in ("E0303", "E0305"):
            return
        lifted, values = symbolic(tensors, least=1)
        shape = tensors["input"].shape
        channels = {f"S{shape[1]}": shape[1]} if row.infer else {}
        conditions = Conditions(params=channels)
        _, error = refusal(lambda: row.shape(call_of(row, args, lifted, conditions)))
        met += error is None
        assert error is not None or not conditions.hold(values), (args, tensors)

    check()
    assert met >= 1, "the generator hardly makes a case that is open"


def _initial_case(row: LayerRow) -> tuple[dict[str, Any], dict[str, Any]]:
    fixed: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "convolution": (
            {"out_channels": 64, "kernel_size": 3, "groups": 4},
            {"input": floats(2, 48, *([9] * (dims_of(row) if row.family == "convolution" else 0)))},
        ),
        "recurrent": ({"hidden_size": 100, "num_layers": 2}, {"input": floats(2, 3, 70)}),
        "embedding": ({"embedding_dim": 90}, {"input": index(80, 2, 3)}),
        "cell": ({"hidden_size": 100}, {"input": floats(2, 70)}),
        "activation": ({"num_parameters": 5, "init": 0.1}, {"input": floats(2, 5)}),
        "loss": ({"bias": True}, {"input": floats(2, 130), "target": index(200, 2)}),
    }
    if row.family == "adaptive":
        tensors = {"input_": floats(2, 96), "target_": index(400, 2)}
        return {"cutoffs": (100, 200), "div_value": 2.0, "head_bias": True}, tensors
    if row.name == "MultiheadAttention":
        tensors = {"query": floats(2, 3, 60), "key": floats(2, 5, 48), "value": floats(2, 5, 60)}
        return {"num_heads": 4, "kdim": 48, "add_bias_kv": True}, tensors
    if row.family == "attention":
        sources = {name.rstrip("?"): floats(2, 3, 60) for name in row.inputs if name[-1] != "?"}
        counts = ("num_layers", "num_encoder_layers", "num_decoder_layers")
        several = {name: 2 for name in counts if name in row.by_name}
        norm = {"norm": True} if "norm" in row.by_name else {}
        return {"nhead": 4, "dim_feedforward": 80, **several, **norm}, sources
    if row.name == "Bilinear":
        return {"out_features": 30}, {"input1": floats(2, 24), "input2": floats(2, 18)}
    if row.family == "linear":
        return {"out_features": 200}, {"input": floats(2, 130)}
    if row.family == "normalization":
        dims = dims_of(row) if row.name[-1] == "d" else 1
        args: dict[str, Any] = {"affine": True} if "affine" in row.by_name else {}
        if row.name == "GroupNorm":
            args["num_groups"] = 2
        return args, {"input": floats(2, 6, *([4] * dims))}
    return fixed[row.family]


@pytest.mark.parametrize(
    "row",
    [row for row in LAYERS.values() if row.initial is not no_initial],
    ids=lambda row: row.name,
)
def test_fresh_parameters_are_drawn_as_torch_draws_them(row: LayerRow) -> None:
    torch.manual_seed(3)
    args, tensors = _initial_case(row)
    call = call_of(row, args, tensors)
    module = torch_layer(row, call)
    parameters = dict(module.named_parameters())
    initial = row.initial(call)
    assert [name for name, _ in initial] == list(parameters)
    for name, distribution in initial:
        values = parameters[name].detach().double()
        count = values.numel()
        if distribution.kind == "constant":
            assert values.unique().tolist() == [torch.tensor(distribution.low).double().item()] or (
                values.unique().float().tolist() == [torch.tensor(distribution.low).item()]
            )
        elif distribution.kind == "normal":
            assert abs(values.mean().item() - distribution.low) < 5 * distribution.high / count**0.5
            assert values.std().item() == pytest.approx(distribution.high, rel=5 / count**0.5)
        else:
            low, high = distribution.low, distribution.high
            reach = (high - low) * 12 / count  # the chance to miss it is e^-12
            assert low <= values.min().item() <= low + reach
            assert high - reach <= values.max().item() <= high
            assert values.std().item() == pytest.approx((high - low) / 12**0.5, rel=4 / count**0.5)
