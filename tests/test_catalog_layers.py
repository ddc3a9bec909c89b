"""Every layer row against torch: shapes, parameters, buffers, refusals, initial values.

Arguments and sizes are generated, sound and unsound ones. A row
may refuse more than torch does only where ``STRICTER`` says why.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch
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
    torch_callable,
    torch_layer,
    zeros,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from specc.catalog import LAYERS
from specc.catalog.rows import Call, LayerRow, RuleError, no_initial
from specc.ir import TensorType

Case = tuple[dict[str, Any], dict[str, Any]]
Draw = Any

# What a row refuses although torch takes it, by (family, code).
STRICTER = {
    ("convolution", "E0301"): "torch takes a missing batch dimension, almost always a mistake",
    ("convolution", "E0305"): "torch gives an empty tensor (transposed)",
    ("shape", "E0301"): "ZeroPad2d: torch pads a value without channels as well",
    ("pooling", "E0301"): "as for convolutions",
    ("normalization", "E0301"): "as for convolutions (InstanceNorm)",
    ("recurrent", "E0301"): "as for convolutions: [T, D] is read as one sequence",
    ("dropout", "E0301"): "torch only warns for a flattened value, and then drops elements",
    ("shape", "E0305"): "Upsample: torch gives an empty tensor",
}

small = st.integers(1, 4)


def _either(draw: Draw, size: st.SearchStrategy[int], count: int) -> Any:
    """One size, or one for each dimension."""
    return draw(size | st.tuples(*([size] * count)))


def _image(draw: Draw, dims: int, channels: int, low: int = 1, high: int = 11) -> TensorType:
    spatial = [draw(st.integers(low, high)) for _ in range(dims)]
    shape = [draw(small), channels, *spatial]
    if draw(st.integers(0, 19)) == 0:
        shape = shape[draw(st.integers(1, 2)) :]
    return floats(*shape)


def _dims(row: LayerRow) -> int:
    return int(row.name[-2])


def _convolution(draw: Draw, row: LayerRow) -> Case:
    dims, groups = _dims(row), draw(st.integers(1, 3))
    multiple = st.integers(1, 3)
    args = {
        "out_channels": groups * draw(multiple) + draw(st.sampled_from([0, 0, 0, 0, 1])),
        "kernel_size": _either(draw, small, dims),
        "stride": _either(draw, small, dims),
        "dilation": _either(draw, st.integers(1, 2), dims),
        "groups": groups,
        "bias": draw(st.booleans()),
    }
    if row.name.startswith("ConvTranspose"):
        args["padding"] = _either(draw, st.integers(0, 3), dims)
        args["output_padding"] = _either(draw, st.sampled_from([0, 0, 0, 1, 2]), dims)
    else:
        args["padding"] = draw(
            st.integers(0, 3)
            | st.tuples(*([st.integers(0, 3)] * dims))
            | st.sampled_from(["same", "valid"])
        )
        args["padding_mode"] = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    channels = groups * draw(multiple) + draw(st.sampled_from([0, 0, 0, 0, 1]))
    return args, {"input": _image(draw, dims, channels)}


def _pooling(draw: Draw, row: LayerRow) -> Case:
    dims = _dims(row)
    if row.name.startswith("Adaptive"):
        args: dict[str, Any] = {"output_size": _either(draw, small, dims)}
        if "Max" in row.name:
            args["return_indices"] = draw(st.booleans())
        return args, {"input": _image(draw, dims, draw(small))}
    args = {
        "kernel_size": _either(draw, small, dims),
        "stride": draw(st.none() | small | st.tuples(*([small] * dims))),
        "padding": _either(draw, st.sampled_from([0, 0, 0, 1, 2]), dims),
        "ceil_mode": draw(st.booleans()),
    }
    if row.name.startswith("Max"):
        args["dilation"] = _either(draw, st.integers(1, 2), dims)
        args["return_indices"] = draw(st.booleans())
    else:
        args["count_include_pad"] = draw(st.booleans())
    return args, {"input": _image(draw, dims, draw(small), low=draw(st.sampled_from([1, 4])))}


def _normalization(draw: Draw, row: LayerRow) -> Case:
    if row.name.startswith(("Batch", "Instance")):
        flat = row.name == "BatchNorm1d" and draw(st.booleans())
        args = {"affine": draw(st.booleans()), "track_running_stats": draw(st.booleans())}
        dims = 0 if flat else _dims(row)
        tensor = _image(draw, dims, draw(small))
        if row.name.startswith("Batch"):
            assume(len(tensor.shape) != 2 or row.name == "BatchNorm1d")
            # A single value a channel is a fault of the run's sizes, not of the spec.
            spatial = math.prod(tensor.shape[2:])
            assume(len(tensor.shape) < 2 or tensor.shape[0] * spatial > 1)  # type: ignore[operator]  # numbers
        return args, {"input": tensor}
    if row.name == "GroupNorm":
        groups = draw(st.integers(1, 4))
        channels = groups * draw(small) + draw(st.sampled_from([0, 0, 1]))
        rest = draw(st.lists(small, max_size=3))
        return (
            {"num_groups": groups, "affine": draw(st.booleans())},
            {"input": floats(*([draw(small), channels, *rest][: draw(st.sampled_from([9, 1]))]))},
        )
    if row.name == "LocalResponseNorm":
        return {"size": draw(small)}, {
            "input": floats(*draw(st.lists(small, min_size=1, max_size=5)))
        }
    shape = draw(st.lists(small, min_size=1, max_size=4))
    args = {"elementwise_affine": draw(st.booleans())}
    if row.name == "LayerNorm":
        args["bias"] = draw(st.booleans())
    if draw(st.booleans()):
        tail = tuple(shape[draw(st.integers(0, len(shape) - 1)) :])
        args["normalized_shape"] = tail if draw(st.integers(0, 4)) else (*tail[:-1], tail[-1] + 1)
    return args, {"input": floats(*shape)}


def _recurrent(draw: Draw, row: LayerRow) -> Case:
    hidden, layers, both = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.booleans())
    args: dict[str, Any] = {
        "hidden_size": hidden,
        "num_layers": layers,
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bidirectional": both,
    }
    out = hidden
    if row.name == "LSTM":
        args["proj_size"] = draw(st.integers(0, 5))
        out = args["proj_size"] or hidden
    shape = [draw(small), draw(small), draw(small)]
    tensors: dict[str, Any] = {"input": floats(*shape[draw(st.sampled_from([0, 0, 0, 1])) :])}
    if draw(st.booleans()):
        batch = shape[0 if args["batch_first"] else 1] + draw(st.sampled_from([0, 0, 0, 1]))
        depth = layers * (2 if both else 1)
        state = floats(depth, batch, out)
        tensors["hx"] = (state, floats(depth, batch, hidden)) if row.name == "LSTM" else state
    return args, tensors


def _shape(draw: Draw, row: LayerRow) -> Case:
    shape = draw(st.lists(small, min_size=1, max_size=5))
    place = st.integers(-len(shape) - 1, len(shape))
    if row.name == "Flatten":
        return {"start_dim": draw(place), "end_dim": draw(place)}, {"input": floats(*shape)}
    if row.name == "Unflatten":
        dim = draw(place)
        parts = draw(st.lists(st.sampled_from([-1, 1, 2, 3]), min_size=1, max_size=3))
        if draw(st.booleans()) and -len(shape) <= dim < len(shape):
            shape[dim] = abs(math.prod(parts))
        return {"dim": dim, "unflattened_size": tuple(parts)}, {"input": floats(*shape)}
    if "Pad" in row.name:
        low = -1 if row.name.startswith("Zero") else 0
        if draw(st.integers(0, 4)):
            shape = draw(st.lists(st.integers(3, 6), min_size=3, max_size=4))
        padding = draw(st.integers(low, 3) | st.tuples(*([st.integers(low, 3)] * 4)))
        return {"padding": padding}, {"input": floats(*shape)}
    if row.name == "PixelShuffle":
        factor = draw(st.integers(1, 3))
        if len(shape) > 2 and draw(st.booleans()):
            shape[-3] *= factor**2
        return {"upscale_factor": factor}, {"input": floats(*shape)}
    if row.name == "Upsample":
        shape = shape if len(shape) > 2 else [*shape, 3, 2]
        dims, mode = len(shape) - 2, draw(st.sampled_from(row.choices["mode"]))
        args = {"mode": mode, "align_corners": draw(st.none() | st.booleans())}
        scale = st.sampled_from([0.25, 0.3, 0.5, 1.1, 1.5, 2.0, 3.0])
        if draw(st.booleans()):
            args["size"] = _either(draw, small, dims)
        else:
            args["scale_factor"] = draw(scale | st.tuples(*([scale] * dims)))
        return args, {"input": floats(*shape)}
    return {}, {"input": floats(*shape)}


def _activation(draw: Draw, row: LayerRow) -> Case:
    shape = draw(st.lists(small, max_size=4))
    args: dict[str, Any] = {}
    if "dim" in row.by_name:
        args["dim"] = draw(st.integers(-len(shape) - 1, len(shape)))
    if row.name == "PReLU":
        args["num_parameters"] = draw(st.integers(1, 3))
    if row.name == "GELU":
        args["approximate"] = draw(st.sampled_from(["none", "tanh"]))
    return args, {"input": floats(*shape)}


def _dropout(draw: Draw, row: LayerRow) -> Case:
    rank = _dims(row) + 2 if row.name[-1] == "d" else 2
    rank = draw(st.sampled_from([rank] * 8 + [1, 2, 3, 4, 5]))
    shape = draw(st.lists(small, min_size=rank, max_size=rank))
    return {"p": draw(st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0, 1.5, -0.1]))}, {"input": floats(*shape)}


def _linear(draw: Draw, row: LayerRow) -> Case:
    shape = draw(st.lists(small, min_size=1, max_size=4))
    args: dict[str, Any] = {"out_features": draw(small), "bias": draw(st.booleans())}
    if row.name == "Linear":
        if draw(st.booleans()):
            args["in_features"] = draw(small)
        return args, {"input": floats(*shape)}
    other = [*shape[:-1], draw(small)]
    if draw(st.integers(0, 3)) == 0:
        other = draw(st.lists(small, min_size=1, max_size=4))
    return args, {"input1": floats(*shape), "input2": floats(*other)}


def _embedding(draw: Draw, row: LayerRow) -> Case:
    entries = draw(st.integers(1, 9))
    shape = draw(st.lists(small, max_size=3))
    args = {"embedding_dim": draw(small), "padding_idx": draw(st.none() | st.integers(-10, 9))}
    if draw(st.booleans()):
        args["num_embeddings"] = entries + draw(st.integers(0, 3))
    return args, {"input": index(entries, *shape)}


GENERATORS = {
    "convolution": _convolution,
    "pooling": _pooling,
    "normalization": _normalization,
    "recurrent": _recurrent,
    "shape": _shape,
    "activation": _activation,
    "dropout": _dropout,
    "linear": _linear,
    "embedding": _embedding,
}


def _torch_run(row: LayerRow, args: dict[str, Any], tensors: dict[str, Any]) -> tuple[Any, Any]:
    """torch's module and result, its inferred arguments read off the tensors as Lazy modules do."""
    told = {
        "in_features": lambda: tensors["input"].shape[-1],
        "in1_features": lambda: tensors["input1"].shape[-1],
        "in2_features": lambda: tensors["input2"].shape[-1],
        "input_size": lambda: tensors["input"].shape[-1],
        "normalized_shape": lambda: tensors["input"].shape[-1],
        "num_embeddings": lambda: tensors["input"].classes,
        "in_channels": lambda: tensors["input"].shape[1],
        "num_features": lambda: tensors["input"].shape[1],
        "num_channels": lambda: tensors["input"].shape[1],
    }
    filled = {name: args.get(name) or told[name]() for name in row.infer}
    every = {a.name: a.default for a in row.arguments if not a.required and not a.inferred}
    module = torch_layer(row, call_of_like(row, {**every, **args, **filled}))
    given = [zeros(tensors[name.rstrip("?")]) for name in row.inputs if name.rstrip("?") in tensors]
    given = [tuple(item) if isinstance(item, list) else item for item in given]
    return module, module(*given)


def call_of_like(row: LayerRow, args: dict[str, Any]) -> Any:
    """A call that only carries arguments, for making torch's module without asking the row."""
    return Call(row.name, args, {}, {}, Conditions().require_equal)


def _stricter(row: LayerRow, error: RuleError) -> bool:
    return (row.family, error.code) in STRICTER


@pytest.mark.parametrize("row", LAYERS.values(), ids=lambda row: row.name)
def test_a_layer_goes_as_torchs(row: LayerRow) -> None:
    accepted = 0

    @settings(max_examples=40, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal accepted
        args, tensors = GENERATORS[row.family](data.draw, row)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torchs, refused = refusal(lambda: _torch_run(row, args, tensors))
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
        assert names_and_shapes(row.parameters(call)) == [
            (name, tuple(tensor.shape)) for name, tensor in module.named_parameters()
        ]
        assert names_and_shapes(row.buffers(call)) == [
            (name, tuple(tensor.shape)) for name, tensor in module.named_buffers()
        ]
        assert [name for name, _ in row.initial(call)] == [name for name, _ in row.parameters(call)]

    check()
    assert accepted >= 5, "the generator hardly makes a sound case"


@pytest.mark.parametrize("row", LAYERS.values(), ids=lambda row: row.name)
def test_a_layers_formula_holds_for_every_size(row: LayerRow) -> None:
    """The rule asked with symbols gives, once numbers are put in, what it gives for numbers."""

    @settings(max_examples=15, deadline=None, database=None, derandomize=True)
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


def _initial_case(row: LayerRow) -> Case:
    fixed: dict[str, Case] = {
        "convolution": (
            {"out_channels": 64, "kernel_size": 3, "groups": 4},
            {"input": floats(2, 48, *([9] * (_dims(row) if row.family == "convolution" else 0)))},
        ),
        "recurrent": ({"hidden_size": 100, "num_layers": 2}, {"input": floats(2, 3, 70)}),
        "embedding": ({"embedding_dim": 90}, {"input": index(80, 2, 3)}),
        "activation": ({"num_parameters": 5, "init": 0.1}, {"input": floats(2, 5)}),
    }
    if row.name == "Bilinear":
        return {"out_features": 30}, {"input1": floats(2, 24), "input2": floats(2, 18)}
    if row.family == "linear":
        return {"out_features": 200}, {"input": floats(2, 130)}
    if row.family == "normalization":
        dims = _dims(row) if row.name[-1] == "d" else 1
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
    module = torch_callable(row)(**{k: call.args[k] for k in row.by_name if k in call.args})
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
