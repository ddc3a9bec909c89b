"""Generated calls of every function row, sound ones and unsound ones, a maker for each family.

A case is (arguments, tensor types). Non-goal: judging them, which ``test_catalog_functions`` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from catalog_layer_cases import GENERATORS as LAYER_GENERATORS
from catalog_oracle import floats, index
from hypothesis import assume
from hypothesis import strategies as st

from specc.catalog import LAYERS
from specc.catalog.rows import FunctionRow
from specc.ir import TensorType

Case = tuple[dict[str, Any], dict[str, Any]]
Draw = Any

small = st.integers(1, 4)
CONVOLUTION, _shape = LAYER_GENERATORS["convolution"], LAYER_GENERATORS["shape"]
SHAPE = st.lists(small, max_size=4)
DTYPE = st.sampled_from(["float", "float", "float", "int64", "bool"])


def _tensor(draw: Draw, least: int = 0, most: int = 4, dtype: str | None = None) -> TensorType:
    shape = draw(st.lists(small, min_size=least, max_size=most))
    return TensorType(dtype or draw(DTYPE), tuple(shape))


def _dim(draw: Draw, tensor: TensorType) -> int:
    rank = len(tensor.shape)
    return int(draw(st.integers(-rank - 1, rank)))


def _partner(draw: Draw, tensor: TensorType) -> TensorType:
    """A tensor that mostly broadcasts with ``tensor``."""
    shape = [draw(st.sampled_from([size, size, 1])) for size in tensor.shape]
    shape = shape[draw(st.integers(0, len(shape))) :]
    if shape and draw(st.integers(0, 6)) == 0:
        shape[0] += 1
    return TensorType(draw(DTYPE), tuple(shape))


def _elementwise(draw: Draw, row: FunctionRow) -> Case:
    tensor = _tensor(draw)
    args: dict[str, Any] = {}
    tensors: dict[str, Any] = {"input": tensor}
    if row.name == "lerp":
        tensors["end"] = _partner(draw, tensor)
        if draw(st.booleans()):
            tensors["weight"] = _partner(draw, tensor)
        else:
            args["weight"] = 0.5
        if draw(st.booleans()):
            tensors = {name: replace(given, dtype="float") for name, given in tensors.items()}
    elif "other" in row.by_name:
        tensors["other"] = _partner(draw, tensor)
    if row.name == "where":
        tensors = {
            "condition": _tensor(draw, dtype=draw(st.sampled_from(["bool"] * 4 + ["float"])))
        }
        for name in ("input", "other"):
            if draw(st.booleans()):
                tensors[name] = _partner(draw, tensors["condition"])
            else:
                args[name] = draw(st.sampled_from([0, 2, 0.5]))
    if row.name == "clamp":
        args = {
            "min": draw(st.sampled_from([None, 0, 0.5])),
            "max": draw(st.sampled_from([None, 3])),
        }
    if row.name == "masked_fill":
        mask = _partner(draw, tensor)
        tensors["mask"] = TensorType(draw(st.sampled_from(["bool"] * 4 + ["int64"])), mask.shape)
        args["value"] = 1.0 if tensor.dtype == "float" else 1
    if "dim" in row.by_name:
        args["dim"] = _dim(draw, tensor)
    return args, tensors


def _reduction(draw: Draw, row: FunctionRow) -> Case:
    tensor = _tensor(draw, least=1 if row.name == "topk" else 0)
    args: dict[str, Any] = {}
    if row.name == "topk":
        return {"k": draw(small), "dim": _dim(draw, tensor)}, {"input": tensor}
    if row.name in ("sort", "argsort"):
        return {"dim": _dim(draw, tensor), "descending": draw(st.booleans())}, {"input": tensor}
    kinds = row.by_name["dim"].types
    choice = draw(st.integers(0, 2))
    if choice == 0 and "ints" in kinds:
        args["dim"] = tuple(_dim(draw, tensor) for _ in range(draw(st.integers(1, 2))))
    elif choice == 1 or row.by_name["dim"].required:
        args["dim"] = _dim(draw, tensor)
    args["keepdim"] = draw(st.booleans())
    if "dim" not in args and not args["keepdim"]:
        del args["keepdim"]
    return args, {"input": tensor}


def _arrangement(draw: Draw, row: FunctionRow) -> Case:
    tensor = _tensor(draw)
    if row.name in ("tril", "triu"):
        return {"diagonal": draw(st.integers(-2, 2))}, {"input": tensor}
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "flatten": lambda: {"start_dim": _dim(draw, tensor), "end_dim": _dim(draw, tensor)},
        "transpose": lambda: {"dim0": _dim(draw, tensor), "dim1": _dim(draw, tensor)},
        "squeeze": lambda: {
            "dim": draw(
                st.sampled_from([_dim(draw, tensor), (_dim(draw, tensor), _dim(draw, tensor))])
            )
        },
        "chunk": lambda: {"chunks": draw(small), "dim": _dim(draw, tensor)},
        "unbind": lambda: {"dim": _dim(draw, tensor)},
        "unsqueeze": lambda: {"dim": draw(st.integers(-len(tensor.shape) - 2, len(tensor.shape)))},
        "tile": lambda: {"dims": tuple(draw(st.lists(small, min_size=1, max_size=4)))},
        "flip": lambda: {"dims": (_dim(draw, tensor),)},
        "roll": lambda: {"shifts": 1, "dims": _dim(draw, tensor)},
    }
    if row.name in makers:
        return makers[row.name](), {"input": tensor}
    return _arrangement_of_sizes(draw, row, tensor)


def _arrangement_of_sizes(draw: Draw, row: FunctionRow, tensor: TensorType) -> Case:
    total = math.prod(tensor.shape)
    place = _dim(draw, tensor)
    if row.name == "permute":
        order = draw(st.permutations(range(len(tensor.shape))))
        assume(order)
        if draw(st.integers(0, 4)) == 0:
            order[0] = order[-1] - draw(st.integers(0, 1))
        return {"dims": tuple(order)}, {"input": tensor}
    if row.name == "reshape":
        parts = draw(st.lists(st.sampled_from([1, 2, 3, -1]), max_size=3))
        rest = math.prod(part for part in parts if part > 0)
        if -1 not in parts and total % rest == 0:
            parts.append(total // rest)
        assume(parts)
        return {"shape": tuple(parts)}, {"input": tensor}
    if row.name == "unflatten":
        parts = draw(st.lists(st.sampled_from([1, 2, 3, -1]), min_size=1, max_size=3))
        return {"dim": place, "sizes": tuple(parts)}, {"input": tensor}
    if row.name == "split":
        width: Any = draw(small)
        if tensor.shape and draw(st.booleans()) and -len(tensor.shape) <= place < len(tensor.shape):
            first = draw(st.integers(0, 2))
            width = (first, tensor.shape[place] - first + draw(st.sampled_from([0, 0, 1])))
        return {"split_size_or_sections": width, "dim": place}, {"tensor": tensor}
    if row.name == "broadcast_to":
        front = draw(st.lists(small, max_size=2))
        sizes = [draw(st.sampled_from([size, size, 3])) for size in tensor.shape]
        assume(front or sizes)
        return {"size": (*front, *sizes)}, {"input": tensor}
    if row.name == "movedim":
        count = draw(st.integers(1, 2))
        pair = [tuple(_dim(draw, tensor) for _ in range(count)) for _ in range(2)]
        return {"source": pair[0], "destination": pair[1]}, {"input": tensor}
    if row.name == "diagonal":
        if draw(st.integers(0, 3)):
            tensor = _tensor(draw, least=2)
        pair = (draw(st.sampled_from([0, 0, -2])), draw(st.sampled_from([1, -1, place])))
        args = {"offset": draw(st.sampled_from([0, 0, 1, -1, 2])), "dim1": pair[0], "dim2": pair[1]}
        return args, {"input": tensor}
    others = []
    for _ in range(draw(st.integers(0, 2))):
        shape = list(tensor.shape)
        if row.name == "cat" and -len(shape) <= place < len(shape):
            shape[place] = draw(small)
        if draw(st.integers(0, 6)) == 0:
            shape.append(2)
        others.append(TensorType(draw(DTYPE), tuple(shape)))
    return {"dim": place}, {"tensors": (tensor, *others)}


def _indexing(draw: Draw, row: FunctionRow) -> Case:
    tensor = _tensor(draw)
    args: dict[str, Any] = {"dim": _dim(draw, tensor)}
    if row.name == "repeat_interleave":
        args["repeats"] = draw(st.integers(-1, 3))
        if draw(st.integers(0, 2)) == 0:
            args["dim"] = None
        return args, {"input": tensor}
    dtype = draw(st.sampled_from(["int64"] * 4 + ["float"]))
    if row.name == "index_select":
        shape: tuple[int, ...] = draw(st.sampled_from([(3,), (1,), (2, 2)]))
        picks = [TensorType(dtype, shape), index(draw(small), *shape)]
        return args, {"input": tensor, "index": draw(st.sampled_from(picks))}
    shape = tuple(draw(st.sampled_from([size, size, 1, 4])) for size in tensor.shape)
    tensors: dict[str, Any] = {"input": tensor, "index": TensorType(dtype, shape)}
    if row.name == "gather":
        return args, tensors
    if row.name == "scatter" and draw(st.booleans()):
        args["src"] = 1
        return args, tensors
    wide = tuple(size + draw(st.sampled_from([0, 0, 0, 1, -1])) for size in shape)
    kind = draw(st.sampled_from([tensor.dtype] * 5 + ["float"]))
    tensors["src"] = TensorType(kind, tuple(max(size, 1) for size in wide))
    return args, tensors


def _matrix(draw: Draw, row: FunctionRow) -> Case:
    n, m, p, b = draw(small), draw(small), draw(small), draw(small)
    wrong = draw(st.sampled_from([0, 0, 0, 1]))
    if row.name == "matmul":
        left, right = [b, n, m], [draw(st.sampled_from([b, 1])), m + wrong, p]
        cut, other = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        right = [m] if other == 2 else right[other:]
        return {}, {"input": floats(*left[cut:]), "other": floats(*right)}
    if row.name == "bmm":
        right = [b, m + wrong, p][draw(st.sampled_from([0, 0, 0, 1])) :]
        return {}, {"input": floats(b, n, m), "mat2": floats(*right)}
    if row.name == "baddbmm":
        added = floats(*draw(st.sampled_from([(b, n, p), (n, p), (p,), (b, 1, p), (), (b, n, 7)])))
        pair = {"batch1": floats(b, n, m), "batch2": floats(b, m + wrong, p)}
        return {"beta": 0.5}, {"input": added, **pair}
    if row.name == "dot":
        return {}, {
            "input": floats(n),
            "tensor": floats(*[n + wrong, m][: draw(st.integers(0, 2))]),
        }
    if row.name == "cdist":
        cut = draw(st.integers(0, 2))
        return {}, {"x1": floats(*[b, n, m][cut:]), "x2": floats(b, p, m + wrong)}
    if row.name == "embedding":
        table = floats(n + 2, *[m, p][: draw(st.sampled_from([1, 1, 2]))])
        tensor = draw(st.sampled_from([index(n + 2, b, p), index(9, b), floats(b)]))
        return {"padding_idx": draw(st.none() | st.integers(-5, 5))}, {
            "input": tensor,
            "weight": table,
        }
    if row.name.endswith("_norm"):
        over = draw(st.sampled_from([(p,), (m, p)]))
        extra: dict[str, Any] = {"input": floats(b, m, p)}
        for name in ("weight", "bias"):
            if name in row.by_name and draw(st.booleans()):
                extra[name] = floats(*over[:-1], over[-1] + draw(st.sampled_from([0, 0, 0, 1])))
        return {"normalized_shape": (*over[:-1], over[-1] + wrong)}, extra
    if row.name == "outer":
        return {}, {"input": floats(n), "vec2": floats(*[m, p][: draw(st.sampled_from([1, 1, 2]))])}
    if row.name == "linear":
        tensors: dict[str, Any] = {
            "input": floats(*[b, n, m][draw(st.integers(0, 3)) :]),
            "weight": floats(p, m + wrong),
        }
        if draw(st.booleans()):
            tensors["bias"] = floats(p + draw(st.sampled_from([0, 0, 1])))
        return {}, tensors
    if row.name in ("cosine_similarity", "pairwise_distance"):
        one = _tensor(draw, dtype="float")
        other_type = _partner(draw, one)
        settings = {"dim": draw(st.integers(-2, 2))} if "dim" in row.by_name else {"keepdim": True}
        return settings, {"x1": one, "x2": floats(*other_type.shape)}
    if row.name == "einsum":
        return _einsum(draw, (n, m, p, b), wrong)
    return _attention(draw, (n, m, p, b), wrong)


def _einsum(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, p, b = sizes
    equation, shapes = draw(
        st.sampled_from(
            [
                ("bij,bjk->bik", [(b, n, m), (b, m + wrong, p)]),
                ("ij,j", [(n, m), (m + wrong,)]),
                ("ii->i", [(n, n + wrong)]),
                ("...ij->...ji", [(b, p, n, m)]),
                ("...i,...i->...", [(b, n, m), (n, m)]),
                ("ij->", [(n, m)]),
                ("ij->k", [(n, m)]),
                ("ij,jk", [(n, m)]),
                ("ijk->i", [(n, m)]),
                ("b n i, b m i -> b n m", [(b, n, p), (b, m, p)]),
                ("i,i->i", [(n,), (1,)]),
            ]
        )
    )
    return {"equation": equation}, {"operands": tuple(floats(*shape) for shape in shapes)}


def _attention(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    length, source, width, batch = sizes
    heads = draw(st.integers(1, 2))
    lead = draw(st.sampled_from([(batch, heads), (batch,), ()]))
    args: dict[str, Any] = {"is_causal": draw(st.booleans())}
    tensors: dict[str, Any] = {
        "query": floats(*lead, length, width),
        "key": floats(*lead, source, width + wrong),
        "value": floats(*lead, source, draw(small)),
    }
    if len(lead) == 2 and draw(st.booleans()):
        args["enable_gqa"] = True
        groups = heads * draw(st.integers(1, 2)) + draw(st.sampled_from([0, 0, 1]))
        tensors["query"] = floats(batch, groups, length, width)
        lead = (batch, groups)
    if draw(st.booleans()):
        dtype = draw(st.sampled_from(["bool", "float", "int64"]))
        shape = draw(st.sampled_from([(*lead, length, source), (length, source), (1, source)]))
        tensors["attn_mask"] = TensorType(dtype, shape)
    return args, tensors


def _pool(draw: Draw, row: FunctionRow) -> Case:
    dims = int(row.name[-2])
    shape = [draw(small), draw(small), *(draw(st.integers(1, 9)) for _ in range(dims))]
    tensor = floats(*shape)
    if row.name.startswith("adaptive"):
        return {"output_size": draw(small)}, {"input": tensor}
    args = {
        "kernel_size": draw(small | st.tuples(*([small] * dims))),
        "stride": draw(st.none() | small),
        "padding": draw(st.integers(0, 2)),
        "ceil_mode": draw(st.booleans()),
    }
    if row.name.startswith("max"):
        args["dilation"] = draw(st.integers(1, 2))
        args["return_indices"] = draw(st.booleans())
    return args, {"input": tensor}


SHUFFLES = {
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


def _neural(draw: Draw, row: FunctionRow) -> Case:
    if "pool" in row.name:
        return _pool(draw, row)
    if row.name == "dropout":
        return {"p": draw(st.sampled_from([0.0, 0.5, 1.0, 1.5]))}, {"input": _tensor(draw)}
    if row.name.startswith("conv"):
        return _convolution(draw, row)
    if row.name in SHUFFLES:
        return _shape(draw, SHUFFLES[row.name])
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


def _creation(draw: Draw, row: FunctionRow) -> Case:
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
    if row.name == "linspace":
        return {
            "start": 0.0,
            "end": draw(st.integers(-2, 2)),
            "steps": draw(st.integers(-1, 5)),
        }, {}
    value = {"fill_value": draw(st.sampled_from([2, 0.5]))} if row.name == "full" else {}
    return {"size": tuple(draw(st.lists(small, min_size=1, max_size=3))), **value}, {}


def _like(draw: Draw, row: FunctionRow) -> Case:
    args = {"fill_value": 1} if row.name == "full_like" else {}
    return args, {"input": _tensor(draw)}


GENERATORS = {
    "elementwise": _elementwise,
    "reduction": _reduction,
    "arrangement": _arrangement,
    "indexing": _indexing,
    "matrix": _matrix,
    "neural": _neural,
    "creation": _creation,
    "like": _like,
}
