"""Generated calls of every layer row, sound ones and unsound ones, a maker for each family.

A case is (arguments, tensor types). Non-goal: judging them, which ``test_catalog_layers`` does.
"""

from __future__ import annotations

import math
from typing import Any

from catalog_oracle import floats, index
from catalog_window_cases import Case, Draw, convolution, dims_of, either, image, pooling, small
from hypothesis import assume
from hypothesis import strategies as st

from specc.catalog.rows import LayerRow
from specc.ir import TensorType


def _normalization(draw: Draw, row: LayerRow) -> Case:
    if row.name.startswith(("Batch", "Instance")):
        flat = row.name == "BatchNorm1d" and draw(st.booleans())
        args = {"affine": draw(st.booleans()), "track_running_stats": draw(st.booleans())}
        dims = 0 if flat else dims_of(row)
        tensor = image(draw, dims, draw(small))
        if row.name.startswith("Batch"):
            assume(len(tensor.shape) != 2 or row.name == "BatchNorm1d")
            # A single value a channel is a fault of the run's sizes, not of the spec.
            spatial = math.prod(tensor.shape[2:])
            assume(len(tensor.shape) < 2 or tensor.shape[0] * spatial > 1)  # type: ignore[operator]  # numbers
        return args, {"input": tensor}
    if row.name == "SyncBatchNorm":
        shape = draw(st.lists(small, min_size=1, max_size=5))
        assume(len(shape) < 2 or shape[0] * math.prod(shape[2:]) > 1)
        args = {"affine": draw(st.booleans()), "track_running_stats": draw(st.booleans())}
        return args, {"input": floats(*shape)}
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
    if row.name.startswith("Upsampling"):
        shape = [*shape, 3, 2, 2][:4] if draw(st.integers(0, 9)) else shape
        scale = st.sampled_from([0.25, 0.5, 1.5, 2.0, 3.0])
        if draw(st.booleans()):
            return {"size": either(draw, small, 2)}, {"input": floats(*shape)}
        scales = draw(scale | st.tuples(scale, scale))
        return {"scale_factor": scales}, {"input": floats(*shape)}
    if row.name == "Upsample":
        shape = shape if len(shape) > 2 else [*shape, 3, 2]
        dims, mode = len(shape) - 2, draw(st.sampled_from(row.choices["mode"]))
        args = {"mode": mode, "align_corners": draw(st.none() | st.booleans())}
        scale = st.sampled_from([0.25, 0.3, 0.5, 1.1, 1.5, 2.0, 3.0])
        if draw(st.booleans()):
            fewer = max(1, dims - 1)
            args["size"] = either(draw, small, draw(st.sampled_from([dims] * 7 + [fewer])))
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
    given = image(draw, 2, draw(small), high=7)
    if row.name == "Unfold":
        return args, {"input": given}
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
        # torch's GRUCell reads what is not its own where one of the two alone has a batch.
        batch = shape[:1] if len(tensors["input"].shape) == 2 else []
        state = floats(*batch, hidden + wrong)
        tensors["hx"] = (state, floats(*batch, hidden)) if row.name == "LSTMCell" else state
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
    if row.name == "RReLU":
        bound = st.sampled_from([0.1, 0.125, 0.3, 0.5])
        args = {"lower": draw(bound), "upper": draw(bound)}
    if row.name == "Softmax2d":
        shape = [*shape, 3, 2, 2, 3][: draw(st.sampled_from([4, 4, 4, 4, 3, 2, 5]))]
    if row.name == "GELU":
        args["approximate"] = draw(st.sampled_from(["none", "tanh"]))
    return args, {"input": floats(*shape)}


def _dropout(draw: Draw, row: LayerRow) -> Case:
    rank = dims_of(row) + 2 if row.name[-1] == "d" else 2
    if row.name == "FeatureAlphaDropout":
        rank = draw(st.integers(3, 5))
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
    place = st.integers(-entries, entries - 1) | st.integers(-10, 9)
    args = {"embedding_dim": draw(small), "padding_idx": draw(st.none() | place)}
    if row.name == "EmbeddingBag":
        args["mode"] = draw(st.sampled_from(row.choices["mode"]))
        args["scale_grad_by_freq"] = draw(st.sampled_from([False, False, True]))
        shape = draw(st.lists(small, min_size=2, max_size=draw(st.sampled_from([2, 2, 2, 3]))))
    if draw(st.booleans()):
        args["num_embeddings"] = entries + draw(st.integers(0, 3))
    return args, {"input": index(entries, *shape)}


def _mask(draw: Draw, *shape: int) -> TensorType:
    dtype = draw(st.sampled_from(["bool"] * 6 + ["float"] * 3 + ["int64"]))
    return TensorType(dtype, (*shape[:-1], shape[-1] + draw(st.sampled_from([0] * 9 + [1]))))


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
        for count in ("num_layers", "num_encoder_layers", "num_decoder_layers"):
            if count in row.by_name:
                args[count] = draw(st.integers(1, 2))
        if "norm" in row.by_name:
            args["norm"] = draw(st.booleans())
        tensors = {first: sequence(length, width)}
        own = "mask" if row.name == "TransformerEncoder" else f"{first}_mask"
        masks = {own: (length, length), f"{first}_key_padding_mask": (batch, length)}
        if row.name == "Transformer":
            tensors["tgt"] = sequence(source, width + draw(st.sampled_from([0] * 8 + [1])))
            masks["tgt_mask"], masks["memory_mask"] = (source, source), (source, length)
            masks["tgt_key_padding_mask"] = (batch, source)
            masks["memory_key_padding_mask"] = (batch, length)
        if first == "tgt":
            tensors["memory"] = sequence(source, width + draw(st.sampled_from([0] * 8 + [1])))
            masks["memory_mask"] = (length, source)
            masks["memory_key_padding_mask"] = (batch, source)
    for name, shape in masks.items():
        if draw(st.integers(0, 3)) == 0:
            tensors[name] = _mask(draw, *shape) if "padding" in name else mask(*shape)
    return args, tensors


def _adaptive(draw: Draw, row: LayerRow) -> Case:
    width, batch, classes = draw(st.integers(4, 9)), draw(small), draw(st.integers(3, 9))
    ends = st.lists(st.integers(0, classes), min_size=0, max_size=2)
    rising = st.lists(st.integers(1, classes - 1), min_size=1, max_size=2, unique=True).map(sorted)
    args: dict[str, Any] = {
        "cutoffs": tuple(draw(st.one_of(rising, rising, rising, ends))),
        "div_value": draw(st.sampled_from([1.0, 2.0, 2.0, 4.0])),
        "head_bias": draw(st.booleans()),
    }
    if draw(st.integers(0, 3)) == 0:
        args["n_classes"] = classes + draw(st.integers(0, 2))
    label = index(classes, batch + draw(st.sampled_from([0] * 8 + [1])))
    shape = (batch, width)[draw(st.sampled_from([0] * 8 + [1])) :]
    return args, {"input_": floats(*shape), "target_": label}


def _loss(draw: Draw, row: LayerRow) -> Case:
    width, batch, classes = draw(small), draw(small), draw(st.integers(2, 6))
    further = draw(st.sampled_from([(), (), (2,), (3, 2)]))
    args: dict[str, Any] = {
        "out_features": further,
        "bias": draw(st.booleans()),
        "reduction": draw(st.sampled_from(row.choices["reduction"])),
        "label_smoothing": draw(st.sampled_from([0.0, 0.1, 1.5])),
    }
    off = draw(st.sampled_from([0] * 8 + [1]))
    target: TensorType = index(classes, batch + off, *further)
    if draw(st.booleans()):
        target = floats(batch + off, classes, *further)
    if draw(st.integers(0, 3)) == 0:
        args["num_classes"] = classes + draw(st.sampled_from([0, 0, 1]))
    if draw(st.integers(0, 5)) == 0 and not further:
        one = index(classes) if target.meaning == "index" else floats(classes)
        return args, {"input": floats(width), "target": one}
    return args, {"input": floats(batch, width), "target": target}


DTYPES = ("float64", "int64", "int32", "bool")


def recast(draw: Draw, tensors: dict[str, Any]) -> dict[str, Any]:
    """The tensors of a case; now and then all of them, or one, of another dtype."""
    if draw(st.integers(0, 9)):
        return tensors
    dtype = draw(st.sampled_from(DTYPES))
    chosen = draw(st.sampled_from([*tensors])) if draw(st.booleans()) else None

    def cast(tensor: TensorType) -> TensorType:
        return TensorType(dtype, tensor.shape)

    return {
        name: given if chosen not in (None, name)
        else tuple(map(cast, given)) if isinstance(given, tuple) else cast(given)
        for name, given in tensors.items()
    }  # fmt: skip


GENERATORS = {
    "adaptive": _adaptive,
    "attention": _attention,
    "cell": _cell,
    "distance": _distance,
    "convolution": convolution,
    "pooling": pooling,
    "normalization": _normalization,
    "recurrent": _recurrent,
    "shape": _shape,
    "activation": _activation,
    "dropout": _dropout,
    "linear": _linear,
    "embedding": _embedding,
    "loss": _loss,
}
