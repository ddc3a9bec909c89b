"""Generated calls of every layer row, sound ones and unsound ones, a maker for each family.

A case is (arguments, tensor types). Non-goal: judging them, which ``test_catalog_layers`` does.
"""

from __future__ import annotations

import math
from typing import Any

from catalog_oracle import floats, index
from hypothesis import assume
from hypothesis import strategies as st

from specc.catalog.rows import LayerRow
from specc.ir import TensorType

Case = tuple[dict[str, Any], dict[str, Any]]
Draw = Any

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


def dims_of(row: LayerRow) -> int:
    """The number in the row's name: 2 of ``Conv2d``."""
    return int(row.name[-2])


def _convolution(draw: Draw, row: LayerRow) -> Case:
    dims, groups = dims_of(row), draw(st.integers(1, 3))
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
    dims = dims_of(row)
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
        dims = 0 if flat else dims_of(row)
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
        low = -1 if row.name.startswith(("Zero", "Constant")) else 0
        dims = dims_of(row)
        if draw(st.integers(0, 9)):
            size = st.integers(3, 6)
            rank = dims + draw(st.integers(1, 2))
            shape = draw(st.lists(size, min_size=rank, max_size=rank))
        padding = draw(st.integers(low, 3) | st.tuples(*([st.integers(low, 3)] * (2 * dims))))
        value = {"value": 0.5} if row.name.startswith("Constant") else {}
        return {"padding": padding, **value}, {"input": floats(*shape)}
    if row.name == "PixelShuffle":
        factor = draw(st.integers(1, 3))
        if len(shape) > 2 and draw(st.booleans()):
            shape[-3] *= factor**2
        return {"upscale_factor": factor}, {"input": floats(*shape)}
    if row.name == "PixelUnshuffle":
        factor = draw(st.integers(1, 3))
        if len(shape) > 2 and draw(st.booleans()):
            shape[-2:] = [shape[-2] * factor, shape[-1] * factor]
        return {"downscale_factor": factor}, {"input": floats(*shape)}
    if row.name == "ChannelShuffle":
        return {"groups": draw(st.integers(1, 2))}, {"input": floats(*shape)}
    if row.name in ("Fold", "Unfold"):
        return _columns(draw, row)
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


def _columns(draw: Draw, row: LayerRow) -> Case:
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    args: dict[str, Any] = {
        "kernel_size": kernel,
        "stride": draw(st.integers(1, 2)),
        "padding": draw(st.integers(0, 2)),
        "dilation": draw(st.integers(1, 2)),
    }
    image = _image(draw, 2, draw(small), high=7)
    if row.name == "Unfold":
        return args, {"input": image}
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    places = 1
    for size, each in zip((height, width), kernel, strict=True):
        room = size + 2 * args["padding"] - args["dilation"] * (each - 1) - 1
        places *= room // args["stride"] + 1
    wrong = draw(st.sampled_from([0, 0, 0, 1]))
    columns = (draw(small), draw(small) * kernel[0] * kernel[1], max(places, 1) + wrong)
    return {"output_size": (height, width), **args}, {"input": floats(*columns)}


def _cell(draw: Draw, row: LayerRow) -> Case:
    hidden, shape = draw(small), [draw(small), draw(small)]
    tensors: dict[str, Any] = {"input": floats(*shape[draw(st.sampled_from([0, 0, 0, 1])) :])}
    if draw(st.booleans()):
        wrong = draw(st.sampled_from([0, 0, 0, 1]))
        state = floats(shape[0], hidden + wrong)
        tensors["hx"] = (state, floats(shape[0], hidden)) if row.name == "LSTMCell" else state
    return {"hidden_size": hidden, "bias": draw(st.booleans())}, tensors


def _distance(draw: Draw, row: LayerRow) -> Case:
    shape = draw(st.lists(small, max_size=3))
    other = [draw(st.sampled_from([size, size, size, 1, 3])) for size in shape]
    args: dict[str, Any] = (
        {"dim": draw(st.integers(-len(shape) - 1, len(shape)))}
        if row.name == "CosineSimilarity"
        else {"keepdim": draw(st.booleans())}
    )
    return args, {
        "x1": floats(*shape),
        "x2": floats(*other[draw(st.integers(0, len(other))) if draw(st.booleans()) else 0 :]),
    }


def _activation(draw: Draw, row: LayerRow) -> Case:
    shape = draw(st.lists(small, max_size=4))
    args: dict[str, Any] = {}
    if "dim" in row.by_name:
        args["dim"] = draw(st.integers(-len(shape) - 1, len(shape)))
    if row.name == "Threshold":
        args = {"threshold": 0.5, "value": 1.0}
    if row.name == "Softshrink":
        args["lambd"] = draw(st.sampled_from([0.5, 0.0, -1.0]))
    if row.name == "PReLU":
        args["num_parameters"] = draw(st.integers(1, 3))
    if row.name == "GELU":
        args["approximate"] = draw(st.sampled_from(["none", "tanh"]))
    return args, {"input": floats(*shape)}


def _dropout(draw: Draw, row: LayerRow) -> Case:
    rank = dims_of(row) + 2 if row.name[-1] == "d" else 2
    rank = draw(st.sampled_from([rank] * 8 + [1, 2, 3, 4, 5]))
    shape = draw(st.lists(small, min_size=rank, max_size=rank))
    p = draw(st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0, 1.5, -0.1]))
    return {"p": p}, {"input": floats(*shape)}


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
    if row.name == "EmbeddingBag":
        args["mode"] = draw(st.sampled_from(row.choices["mode"]))
        args["scale_grad_by_freq"] = draw(st.sampled_from([False, False, True]))
        shape = draw(st.lists(small, min_size=1, max_size=3))
    if draw(st.booleans()):
        args["num_embeddings"] = entries + draw(st.integers(0, 3))
    return args, {"input": index(entries, *shape)}


def _mask(draw: Draw, *shape: int) -> TensorType:
    dtype = draw(st.sampled_from(["bool", "bool", "float", "int64"]))
    return TensorType(dtype, (*shape[:-1], shape[-1] + draw(st.sampled_from([0, 0, 0, 0, 1]))))


def _attention(draw: Draw, row: LayerRow) -> Case:
    heads, batch, length, source = draw(small), draw(small), draw(small), draw(small)
    width = heads * draw(small) + draw(st.sampled_from([0] * 8 + [1]))
    batch_first = draw(st.booleans())
    args: dict[str, Any] = {
        "dropout": draw(st.sampled_from([0.0, 0.5, 0.5, 1.5])),
        "bias": draw(st.booleans()),
        "batch_first": batch_first,
    }

    def sequence(steps: int, size: int) -> TensorType:
        shape = (batch, steps, size) if batch_first else (steps, batch, size)
        return floats(*shape[draw(st.sampled_from([0] * 12 + [1])) :])

    def mask(steps: int, other: int) -> TensorType:
        return _mask(draw, *draw(st.sampled_from([(), (batch * heads,)])), steps, other)

    if row.name == "MultiheadAttention":
        args["num_heads"] = heads
        args["add_bias_kv"], args["add_zero_attn"] = draw(st.booleans()), draw(st.booleans())
        args["average_attn_weights"] = draw(st.booleans())
        widths = {"kdim": width, "vdim": width}
        for name in widths:
            if draw(st.integers(0, 2)) == 0:
                widths[name] = draw(small)
                args[name] = widths[name] + draw(st.sampled_from([0] * 8 + [1]))
        tensors: dict[str, Any] = {
            "query": sequence(length, width),
            "key": sequence(source, widths["kdim"]),
            "value": sequence(source, widths["vdim"]),
        }
        masks = {"key_padding_mask": (batch, source), "attn_mask": (length, source)}
    else:
        args["nhead"], args["dim_feedforward"] = heads, draw(st.integers(1, 6))
        args["norm_first"] = draw(st.booleans())
        args["activation"] = draw(st.sampled_from(["relu", "gelu"]))
        first = row.inputs[0]
        tensors = {first: sequence(length, width)}
        masks = {f"{first}_mask": (length, length), f"{first}_key_padding_mask": (batch, length)}
        if first == "tgt":
            tensors["memory"] = sequence(source, width + draw(st.sampled_from([0] * 8 + [1])))
            masks["memory_mask"] = (length, source)
            masks["memory_key_padding_mask"] = (batch, source)
    for name, shape in masks.items():
        if draw(st.integers(0, 3)) == 0:
            tensors[name] = _mask(draw, *shape) if "padding" in name else mask(*shape)
    return args, tensors


GENERATORS = {
    "attention": _attention,
    "cell": _cell,
    "distance": _distance,
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
