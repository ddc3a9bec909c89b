"""Generated calls of what moves elements: arrangement, joining and splitting, indexing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from catalog_case_parts import DTYPE, Case, Draw, alike, dim_of, partner, seldom, small, tensor_of
from catalog_oracle import index
from hypothesis import assume
from hypothesis import strategies as st

from specc.catalog.rows import FunctionRow
from specc.ir import TensorType


def arrangement(draw: Draw, row: FunctionRow) -> Case:
    tensor = tensor_of(draw)
    if row.name in ("tril", "triu"):
        return {"diagonal": draw(st.integers(-2, 2))}, {"input": tensor}
    if row.name in _SCATTERS:
        return _SCATTERS[row.name](draw, tensor)
    if row.name in _OF_SIZES:
        return _OF_SIZES[row.name](draw, tensor)

    def dim() -> int:
        return dim_of(draw, tensor)

    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "flatten": lambda: {"start_dim": dim(), "end_dim": dim()},
        "transpose": lambda: {"dim0": dim(), "dim1": dim()},
        "swapaxes": lambda: {"axis0": dim(), "axis1": dim()},
        "swapdims": lambda: {"dim0": dim(), "dim1": dim()},
        "squeeze": lambda: {"dim": draw(st.sampled_from([dim(), (dim(), dim()), ()]))},
        "unsqueeze": lambda: {"dim": draw(st.integers(-len(tensor.shape) - 2, len(tensor.shape)))},
        "tile": lambda: {"dims": tuple(draw(st.lists(small, min_size=1, max_size=4)))},
        "flip": lambda: {"dims": () if seldom(draw) else (dim(),)},
        "roll": lambda: {"shifts": 1, "dims": () if seldom(draw) else dim()},
        "rot90": lambda: {"k": draw(st.integers(-2, 3)), "dims": (dim(), draw(st.integers(0, 1)))},
        "narrow": lambda: {
            "dim": dim(), "start": draw(st.integers(-3, 2)), "length": draw(st.integers(-1, 2))
        },
        "select": lambda: {"dim": dim(), "index": draw(st.integers(-3, 3))},
        "diag": lambda: {"diagonal": draw(st.integers(-2, 2))},
        "diagflat": lambda: {"offset": draw(st.integers(-2, 2))},
        "diag_embed": lambda: {"offset": draw(st.integers(-2, 2)), "dim1": dim(), "dim2": dim()},
    }  # fmt: skip
    args, tensors = makers.get(row.name, dict)(), {"input": tensor}
    if row.name == "narrow" and draw(st.booleans()):
        del args["start"]
        dtype = draw(st.sampled_from(["int64", "int64", "int32", "float"]))
        tensors["start"] = TensorType(dtype, (1,) if seldom(draw) else ())
    return args, tensors


def _permuted(draw: Draw, tensor: TensorType) -> Case:
    order = draw(st.permutations(range(len(tensor.shape))))
    assume(order)
    if draw(st.integers(0, 4)) == 0:
        order[0] = order[-1] - draw(st.integers(0, 1))
    return {"dims": tuple(order)}, {"input": tensor}


def _reshaped(draw: Draw, tensor: TensorType) -> Case:
    total = math.prod(tensor.shape)
    parts = draw(st.lists(st.sampled_from([1, 2, 3, -1]), max_size=3))
    rest = math.prod(part for part in parts if part > 0)
    if -1 not in parts and total % rest == 0:
        parts.append(total // rest)
    assume(parts)
    return {"shape": tuple(parts)}, {"input": tensor}


def _unflattened(draw: Draw, tensor: TensorType) -> Case:
    if tensor.shape and draw(st.booleans()):
        place = draw(st.integers(0, len(tensor.shape) - 1))
        size = tensor.shape[place]
        parts = draw(st.sampled_from([(size,), (1, size), (size, -1), (-1, 1), (2, -1)]))
        return {"dim": place, "sizes": parts}, {"input": tensor}
    free = draw(st.lists(st.sampled_from([1, -1, 1, -1, 2, 3]), max_size=3))
    return {"dim": dim_of(draw, tensor), "sizes": tuple(free)}, {"input": tensor}


def _stretched(draw: Draw, tensor: TensorType) -> Case:
    front = draw(st.lists(small, max_size=2))
    sizes = [draw(st.sampled_from([size, size, 3])) for size in tensor.shape]
    assume(front or sizes)
    return {"size": (*front, *sizes)}, {"input": tensor}


def _moved(draw: Draw, tensor: TensorType) -> Case:
    count = draw(st.integers(0, 2))
    counts = (count, count + seldom(draw))
    pair = [tuple(dim_of(draw, tensor) for _ in range(each)) for each in counts]
    return {"source": pair[0], "destination": pair[1]}, {"input": tensor}


def _diagonal(draw: Draw, tensor: TensorType) -> Case:
    if draw(st.integers(0, 3)):
        tensor = tensor_of(draw, least=2)
    pair = (draw(st.sampled_from([0, 0, -2])), draw(st.sampled_from([1, -1, 0])))
    args = {"offset": draw(st.sampled_from([0, 0, 1, -1, 2])), "dim1": pair[0], "dim2": pair[1]}
    return args, {"input": tensor}


_OF_SIZES = {
    "permute": _permuted,
    "reshape": _reshaped,
    "unflatten": _unflattened,
    "broadcast_to": _stretched,
    "movedim": _moved,
    "diagonal": _diagonal,
}


def _put_in_place(draw: Draw, tensor: TensorType) -> Case:
    place, shape = dim_of(draw, tensor), list(tensor.shape)
    if shape:
        del shape[place % len(shape)]
    src = alike(draw, TensorType(tensor.dtype, tuple(shape)))
    args = {"dim": place, "index": draw(st.integers(-3, 3))}
    return args, {"input": tensor, "src": src}


def _put_in_slice(draw: Draw, tensor: TensorType) -> Case:
    place, shape = dim_of(draw, tensor), list(tensor.shape)
    args: dict[str, Any] = {"dim": place, "step": draw(st.sampled_from([1, 1, 2, 0]))}
    args["start"] = draw(st.none() | st.integers(0, 2))
    args["end"] = draw(st.none() | st.integers(0, 4))
    if shape:
        at = place % len(shape)
        kept = slice(args["start"], args["end"], max(args["step"], 1))
        shape[at] = len(range(shape[at])[kept])  # type: ignore[arg-type]  # a number
    return args, {"input": tensor, "src": alike(draw, TensorType(tensor.dtype, tuple(shape)))}


def _put_on_diagonal(draw: Draw, tensor: TensorType) -> Case:
    if draw(st.integers(0, 3)):
        tensor = tensor_of(draw, least=2)
    offset = draw(st.sampled_from([0, 0, 1, -1]))
    if len(tensor.shape) < 2:
        return {"offset": offset}, {"input": tensor, "src": tensor}
    rows, columns = (int(str(size)) for size in tensor.shape[:2])
    length = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    src = alike(draw, TensorType(tensor.dtype, (*tensor.shape[2:], length)))
    return {"offset": offset}, {"input": tensor, "src": src}


_SCATTERS = {
    "select_scatter": _put_in_place,
    "slice_scatter": _put_in_slice,
    "diagonal_scatter": _put_on_diagonal,
}


# ── joining ──────────────────────────────────────────────────────────────────────────────────────


def joining(draw: Draw, row: FunctionRow) -> Case:
    tensor = tensor_of(draw)
    place = dim_of(draw, tensor)
    if row.name == "split":
        return _split(draw, tensor, place)
    if "input" in row.by_name:
        return _taken_apart(draw, row, tensor, place)
    if row.name in ("meshgrid", "cartesian_prod"):
        return _vectors(draw, row)
    if row.name == "block_diag":
        count = draw(st.integers(1, 3))
        most = 3 if seldom(draw, 4) else 2
        return {}, {"tensors": tuple(tensor_of(draw, most=most) for _ in range(count))}
    if row.name.startswith("atleast"):
        return {}, {"tensors": tuple(tensor_of(draw) for _ in range(draw(st.integers(1, 2))))}
    if row.name == "broadcast_tensors":
        return {}, {"tensors": (tensor, *(partner(draw, tensor) for _ in range(draw(small))))}
    joined: int | None = place
    if row.name == "stack":
        joined = None
    elif "dim" not in row.by_name:
        joined = {"vstack": 0, "dstack": 2}.get(row.name, 1 if len(tensor.shape) > 1 else 0)
    others = []
    for _ in range(draw(st.integers(0, 2))):
        shape = list(tensor.shape)
        if joined is not None and -len(shape) <= joined < len(shape):
            shape[joined] = draw(small)
        if seldom(draw):
            shape.append(2)
        others.append(TensorType(draw(DTYPE), tuple(shape)))
    args = {"dim": place} if "dim" in row.by_name else {}
    return args, {"tensors": (tensor, *others)}


def _split(draw: Draw, tensor: TensorType, place: int) -> Case:
    width: Any = draw(small)
    if tensor.shape and draw(st.booleans()) and -len(tensor.shape) <= place < len(tensor.shape):
        first = draw(st.integers(0, 2))
        width = (first, tensor.shape[place] - first + draw(st.sampled_from([0, 0, 1])))
    return {"split_size_or_sections": width, "dim": place}, {"tensor": tensor}


def _vectors(draw: Draw, row: FunctionRow) -> Case:
    kind = draw(DTYPE)
    least = int(row.name == "cartesian_prod" and not seldom(draw))
    types = [tensor_of(draw, least, 1, kind) for _ in range(draw(st.integers(1, 3)))]
    if seldom(draw):
        types.append(tensor_of(draw, 0, 2))
    args = {"indexing": draw(st.sampled_from(["ij", "xy"]))} if row.name == "meshgrid" else {}
    return args, {"tensors": tuple(types)}


def _taken_apart(draw: Draw, row: FunctionRow, tensor: TensorType, place: int) -> Case:
    args: dict[str, Any] = {}
    if "dim" in row.by_name:
        args["dim"] = place
    if row.name == "chunk":
        args["chunks"] = draw(small)
    if row.name == "combinations":
        tensor = tensor_of(draw, 0 if seldom(draw) else 1, 1)
        args = {"r": draw(st.integers(0, 3)), "with_replacement": draw(st.booleans())}
    if "indices_or_sections" in row.by_name:
        places = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(sorted).map(tuple)
        args["indices_or_sections"] = draw(st.integers(0, 3) | places)
        if row.name in ("vsplit", "dsplit") and not seldom(draw):
            tensor = tensor_of(draw, least=2 if row.name == "vsplit" else 3)
    return args, {"input": tensor}


# ── indexing ─────────────────────────────────────────────────────────────────────────────────────


def indexing(draw: Draw, row: FunctionRow) -> Case:
    tensor = tensor_of(draw)
    args: dict[str, Any] = {"dim": dim_of(draw, tensor)}
    if row.name == "repeat_interleave":
        return _repeated(draw, tensor, args)
    dtype = draw(st.sampled_from(["int64"] * 4 + ["float"]))
    if row.name == "take":
        return {}, {"input": tensor, "index": tensor_of(draw, dtype=dtype)}
    if row.name.startswith("index_"):
        return _at_vector(draw, row, tensor, args, dtype)
    shape = tuple(draw(st.sampled_from([size, size, 1, 4])) for size in tensor.shape)
    if len(shape) < 2 and seldom(draw, 3):
        shape = draw(st.sampled_from([(), (1,), (2,)]))  # a scalar is a vector of one
    tensors: dict[str, Any] = {"input": tensor}
    tensors["indices" if row.name == "take_along_dim" else "index"] = TensorType(dtype, shape)
    if row.name == "take_along_dim" and seldom(draw):
        args["dim"] = None
    if row.name in ("gather", "take_along_dim"):
        return args, tensors
    if row.name == "scatter" and draw(st.booleans()):
        args["src"] = 1
        return args, tensors
    if "reduce" in row.by_name:
        args["reduce"] = draw(st.sampled_from(row.choices["reduce"]))
        args["include_self"] = draw(st.booleans())
    wide = tuple(size + draw(st.sampled_from([0, 0, 0, 1, -1])) for size in shape)
    kind = draw(st.sampled_from([tensor.dtype] * 5 + ["float"]))
    tensors["src"] = TensorType(kind, tuple(max(size, 1) for size in wide))
    return args, tensors


def _repeated(draw: Draw, tensor: TensorType, args: dict[str, Any]) -> Case:
    if draw(st.integers(0, 2)) == 0:
        args["dim"] = None
    if draw(st.booleans()):
        args["repeats"] = draw(st.integers(-1, 3))
        return args, {"input": tensor}
    rank = len(tensor.shape)
    places = math.prod(tensor.shape) if args["dim"] is None else 2
    if args["dim"] is not None and -rank <= args["dim"] < rank:
        places = tensor.shape[args["dim"]]
    shape = draw(st.sampled_from([(places,), (places,), (1,), (), (4,), (places, 1)]))
    args["output_size"] = 0  # the oracle's whole numbers are 0
    return args, {"input": tensor, "repeats": TensorType(draw(_WHOLE), shape)}


_WHOLE = st.sampled_from(["int64", "int64", "int64", "int32", "float"])


def _at_vector(
    draw: Draw, row: FunctionRow, tensor: TensorType, args: dict[str, Any], dtype: str
) -> Case:
    shape: tuple[int, ...] = draw(st.sampled_from([(3,), (1,), (2,), (), (2, 2)]))
    if not seldom(draw):
        shape = shape[:1]
    if not tensor.shape and not seldom(draw):
        shape = draw(st.sampled_from([(), (1,)]))
    picks = [TensorType(dtype, shape), TensorType(dtype, shape)]
    if row.name == "index_select":
        picks.append(index(draw(small), *shape))
    tensors: dict[str, Any] = {"input": tensor, "index": draw(st.sampled_from(picks))}
    if "source" in row.by_name:
        wanted = list(tensor.shape)
        if wanted:
            wanted[args["dim"] % len(wanted)] = shape[0] if shape else 1
        tensors["source"] = alike(draw, TensorType(tensor.dtype, tuple(wanted)))
        if seldom(draw):
            tensors["source"] = TensorType(tensor.dtype, ())
    if "alpha" in row.by_name:
        args["alpha"] = draw(st.sampled_from([1, 2, 0.5]))
    if "value" in row.by_name and draw(st.booleans()):
        tensors["value"] = tensor_of(draw, most=int(seldom(draw)))
    elif "value" in row.by_name:
        args["value"] = 1
    if "reduce" in row.by_name:
        args["reduce"] = draw(st.sampled_from(row.choices["reduce"]))
    return args, tensors
