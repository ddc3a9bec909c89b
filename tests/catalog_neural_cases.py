"""Generated calls of the functional forms of layers, and of what makes a tensor of sizes."""

from __future__ import annotations

from typing import Any

from catalog_case_parts import SHAPE, Case, Draw, seldom, small, tensor_of
from catalog_layer_cases import GENERATORS as LAYER_GENERATORS
from catalog_oracle import floats, index
from hypothesis import strategies as st

from specc.catalog import LAYERS
from specc.catalog.rows import FunctionRow
from specc.ir import TensorType

CONVOLUTION = LAYER_GENERATORS["convolution"]


SHUFFLES = {
    "channel_shuffle": LAYERS["ChannelShuffle"],
    "local_response_norm": LAYERS["LocalResponseNorm"],
    "pixel_shuffle": LAYERS["PixelShuffle"],
    "pixel_unshuffle": LAYERS["PixelUnshuffle"],
    "unfold": LAYERS["Unfold"],
    "fold": LAYERS["Fold"],
}


def _convolution(draw: Draw, row: FunctionRow) -> Case:
    args, tensors = CONVOLUTION(draw, LAYERS[f"Conv{row.name[-2]}d"])
    wanted = {a: v for a, v in args.items() if a in row.by_name and a != "bias"}
    kernel = args["kernel_size"]
    dims = int(row.name[-2])
    width = kernel if isinstance(kernel, tuple) else (kernel,) * dims
    into = tensors["input"].shape[1] if len(tensors["input"].shape) > 1 else 1
    columns = max(into // args["groups"], 1) + draw(st.sampled_from([0] * 6 + [1]))
    tensors["weight"] = floats(args["out_channels"], columns, *width)
    if args["bias"]:
        tensors["bias"] = floats(args["out_channels"] + draw(st.sampled_from([0] * 6 + [1])))
    return wanted, tensors


def _pool(draw: Draw, row: FunctionRow) -> Case:
    """As the layer of the same name: ``max_pool2d`` is ``MaxPool2d``."""
    words = row.name.replace("pool", "_pool").replace("un_pool", "_unpool").split("_")
    name = "".join(word.capitalize() if word != "lp" else "LP" for word in words if word)
    layer = LAYERS[f"{name[:-1]}d"]
    args, tensors = LAYER_GENERATORS[layer.family](draw, layer)
    if isinstance(args.get("output_ratio"), float):
        args["output_ratio"] = (args["output_ratio"],) * int(row.name[-2])
    return {name: value for name, value in args.items() if name in row.by_name}, tensors


def _dropout(draw: Draw, row: FunctionRow) -> Case:
    tensor = tensor_of(draw)
    if row.name not in ("dropout", "alpha_dropout"):
        rank = int(row.name[-2]) + 2 if row.name[-1] == "d" else 4
        tensor = tensor_of(draw, 2, 5) if seldom(draw, 2) else tensor_of(draw, rank, rank, "float")
    return {"p": draw(st.sampled_from([0.0, 0.5, 1.0, 1.5]))}, {"input": tensor}


def _transposed(draw: Draw, row: FunctionRow) -> Case:
    layer = LAYERS[f"ConvTranspose{row.name[-2]}d"]
    args, tensors = CONVOLUTION(draw, layer)
    wanted = {a: v for a, v in args.items() if a in row.by_name and a != "bias"}
    kernel, dims = args["kernel_size"], int(row.name[-2])
    width = kernel if isinstance(kernel, tuple) else (kernel,) * dims
    shape, groups = tensors["input"].shape, args.get("groups", 1)
    into = shape[1] if len(shape) == dims + 2 else shape[0]
    columns = max(args["out_channels"] // groups, 1)
    if seldom(draw):
        wanted["output_padding"] = 2
    else:
        wanted.pop("output_padding", None)
    if len(shape) != dims + 2 and not seldom(draw):
        tensors["input"] = floats(2, *shape)
    tensors = {"input": tensors["input"]}
    tensors["weight"] = floats(into + int(seldom(draw)), columns, *width)
    if draw(st.booleans()):
        tensors["bias"] = floats(columns * groups + int(seldom(draw)))
    return wanted, tensors


_NORMS = ("batch_norm", "instance_norm", "group_norm", "layer_norm", "rms_norm")


def _norm(draw: Draw, row: FunctionRow) -> Case:
    shape = draw(st.lists(small, min_size=1, max_size=4))
    if row.name.startswith(("batch", "instance")) and not seldom(draw):
        shape = [draw(small), draw(small), draw(st.integers(2, 4)), draw(small)]
    tensor = TensorType("int64" if seldom(draw) else "float", tuple(shape))
    args: dict[str, Any] = {}
    size: tuple[int, ...] = (shape[1] if len(shape) > 1 else 1,)
    if row.name in ("layer_norm", "rms_norm"):
        size = tuple(shape[-draw(st.integers(1, 2)) :])
        args["normalized_shape"] = (*size[:-1], size[-1] + int(seldom(draw)))
    else:
        args["eps"] = draw(st.sampled_from([1e-5, 1e-5, 0.1, 0.0]))
    if row.name == "group_norm":
        args["num_groups"] = draw(st.integers(1, 2))
    tensors: dict[str, Any] = {"input": tensor}
    statistics = draw(st.booleans())
    switch = {"batch_norm": "training", "instance_norm": "use_input_stats"}.get(row.name)
    if switch:
        args[switch] = statistics if seldom(draw) else not statistics
    for name in row.by_name:
        if row.by_name[name].is_tensor and name != "input":
            given = statistics if name.startswith("running") else draw(st.booleans())
            if given == seldom(draw, 12):
                args[name] = None
            else:
                tensors[name] = floats(*size[:-1], size[-1] + int(seldom(draw, 9)))
    return args, tensors


def _grid(draw: Draw, row: FunctionRow) -> Case:
    dims = draw(st.sampled_from([2, 2, 3]))
    align = draw(st.sampled_from([False, True, False, True, None]))
    if row.name == "affine_grid":
        size = tuple(draw(st.lists(small, min_size=dims + 2, max_size=dims + 2)))
        if seldom(draw):
            size = size[1:]
        theta = floats(size[0] + int(seldom(draw)), dims, dims + 1 + int(seldom(draw)))
        return {"size": size, "align_corners": align}, {"theta": theta}
    batch = draw(small)
    images = floats(batch, draw(small), *(draw(small) for _ in range(dims)))
    places = tuple(draw(small) for _ in range(dims))
    grid = floats(batch + int(seldom(draw)), *places, dims + int(seldom(draw)))
    modes = st.sampled_from(row.choices["mode"])
    paddings = st.sampled_from(row.choices["padding_mode"])
    args = {"mode": draw(modes), "padding_mode": draw(paddings), "align_corners": align}
    return args, {"input": images, "grid": grid}


def neural(draw: Draw, row: FunctionRow) -> Case:
    if "pool" in row.name:
        return _pool(draw, row)
    if "dropout" in row.name:
        return _dropout(draw, row)
    if row.name.startswith("conv_transpose"):
        return _transposed(draw, row)
    if row.name.startswith("conv"):
        return _convolution(draw, row)
    if row.name in SHUFFLES:
        layer = SHUFFLES[row.name]
        return LAYER_GENERATORS[layer.family](draw, layer)
    if row.name in _NORMS:
        return _norm(draw, row)
    if row.name in ("affine_grid", "grid_sample"):
        return _grid(draw, row)
    if row.name == "one_hot":
        classes = draw(st.integers(1, 5))
        shape = draw(SHAPE)
        tensor = draw(st.sampled_from([index(classes, *shape), floats(*shape)]))
        return {"num_classes": classes + draw(st.integers(0, 2))}, {"input": tensor}
    if row.name == "pad":
        mode = draw(st.sampled_from(["constant", "constant", "reflect", "replicate", "circular"]))
        pads = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=7)))
        shape = draw(st.lists(st.integers(1, 5), max_size=5))
        if mode != "constant":
            pads = (*pads, 0, 0, 0)[: draw(st.sampled_from([2, 4]))]
            shape = draw(st.lists(st.integers(2, 5), min_size=3, max_size=4))
        return {"pad": pads, "mode": mode}, {"input": floats(*shape)}
    shape = draw(st.lists(st.integers(1, 6), min_size=3, max_size=5))
    mode = draw(st.sampled_from(row.choices["mode"]))
    args: dict[str, Any] = {"mode": mode, "align_corners": draw(st.none() | st.booleans())}
    if draw(st.booleans()):
        args["size"] = draw(small)
    else:
        args["scale_factor"] = draw(st.sampled_from([0.25, 0.3, 0.5, 1.1, 1.5, 2.0, 3.0]))
    args["antialias"] = draw(st.sampled_from([False, False, True]))
    return args, {"input": floats(*shape)}


def creation(draw: Draw, row: FunctionRow) -> Case:
    if row.name == "arange":
        args = {"end": draw(st.integers(-4, 12)), "start": draw(st.integers(-4, 12))}
        if draw(st.booleans()):
            args["step"] = draw(st.integers(-3, 3))
        if draw(st.booleans()):
            return {"end": abs(args["end"])}, {}
        return args, {}
    if row.name == "eye":
        return draw(
            st.sampled_from([{"n": 3}, {"n": draw(small), "m": draw(small)}, {"n": -1}])
        ), {}
    if row.name in ("linspace", "logspace"):
        ends = {"start": 0.0, "end": draw(st.integers(-2, 2))}
        tensors = {}
        for name in ("start", "end"):
            if draw(st.booleans()):
                del ends[name]
                tensors[name] = tensor_of(draw, most=int(seldom(draw)))
        return {**ends, "steps": draw(st.integers(-1, 5))}, tensors
    if row.name.endswith("freq"):
        return {"n": draw(st.integers(0, 6)), "d": draw(st.sampled_from([1.0, 0.5]))}, {}
    if row.name.endswith("_window"):
        return {"window_length": draw(st.integers(-1, 5)), "periodic": draw(st.booleans())}, {}
    if row.name.endswith("_indices"):
        sides = {side: draw(st.integers(0, 4)) for side in ("row", "col")}
        return {**sides, "offset": draw(st.integers(-3, 3))}, {}
    value = {"fill_value": draw(st.sampled_from([2, 0.5]))} if row.name == "full" else {}
    return {"size": tuple(draw(st.lists(small, min_size=1, max_size=3))), **value}, {}
