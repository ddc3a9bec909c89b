"""Generated calls of reductions, and of what goes along a dimension in order."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from catalog_case_parts import Case, Draw, alike, dim_of, partner, seldom, small, tensor_of
from hypothesis import strategies as st

from specc.catalog.rows import FunctionRow
from specc.ir import TensorType


def reduction(draw: Draw, row: FunctionRow) -> Case:
    tensor = tensor_of(draw)
    args: dict[str, Any] = {}
    if row.name == "norm":
        return _norm(draw, tensor)
    kinds = row.by_name["dim"].types
    choice = draw(st.integers(0, 2))
    if choice == 0 and "ints" in kinds:
        args["dim"] = tuple(dim_of(draw, tensor) for _ in range(draw(st.integers(0, 3))))
    elif choice == 1 or row.by_name["dim"].required:
        args["dim"] = dim_of(draw, tensor)
    if "keepdim" in row.by_name:
        args["keepdim"] = draw(st.booleans())
        if "dim" not in args and not args["keepdim"]:
            del args["keepdim"]
    if "q" in row.by_name:
        args["q"] = draw(st.sampled_from([0.5, 0.0, 1.5]))
        args["interpolation"] = draw(st.sampled_from(["linear", "nearest"]))
        if draw(st.booleans()):
            del args["q"]
            q = draw(st.sampled_from([(), (3,), (2, 2)]))
            kind = "int64" if seldom(draw) else tensor.dtype
            return args, {"input": tensor, "q": TensorType(kind, q)}
    if row.name == "vector_norm":
        args["ord"] = draw(st.sampled_from([2, 1, 0, float("inf"), 3.5]))
    if "correction" in row.by_name:
        args["correction"] = draw(st.sampled_from([0, 1, 0.5, None]))
    return args, {"input": tensor}


def _norm(draw: Draw, tensor: TensorType) -> Case:
    if draw(st.booleans()):
        tensor = tensor_of(draw, 1, 3, dtype=draw(st.sampled_from(["float", "complex"])))
    args: dict[str, Any] = {"ord": draw(st.sampled_from([None, 2, 1, "fro", "nuc", -1, 3]))}
    count = draw(st.integers(-1, 3))
    if count == 1:
        args["dim"] = dim_of(draw, tensor)
    elif count:  # -1 asks for none
        args["dim"] = tuple(dim_of(draw, tensor) for _ in range(count))
    args["keepdim"] = draw(st.booleans())
    return args, {"input": tensor}


def order(draw: Draw, row: FunctionRow) -> Case:
    tensor = tensor_of(draw, least=1 if row.name in ("diff", "renorm") else 0)
    args: dict[str, Any] = {"dim": dim_of(draw, tensor)} if "dim" in row.by_name else {}
    match row.name:
        case "topk" | "kthvalue":
            args["k"] = draw(small)
        case "sort" | "argsort":
            args |= {"descending": draw(st.booleans()), "stable": draw(st.booleans())}
        case "diff":
            return _diff(draw, tensor, args)
        case "trapezoid" | "cumulative_trapezoid":
            return _integral(draw, tensor, args)
        case "cov" | "corrcoef":
            tensor = tensor_of(draw, most=3)
        case "renorm":
            args |= {"p": draw(st.sampled_from([2.0, 0.5, math.inf])), "maxnorm": 1.0}
        case "searchsorted" | "bucketize":
            return _searched(draw, row)
    if row.name == "kthvalue":
        args["keepdim"] = draw(st.booleans())
    return args, {"input": tensor}


def _diff(draw: Draw, tensor: TensorType, args: dict[str, Any]) -> Case:
    args["n"] = draw(st.integers(-1, 3))
    tensors: dict[str, Any] = {"input": tensor}
    for name in ("prepend", "append"):
        if draw(st.booleans()):
            tensors[name] = alike(draw, tensor)
    return args, tensors


def _integral(draw: Draw, tensor: TensorType, args: dict[str, Any]) -> Case:
    tensors: dict[str, Any] = {"y": tensor}
    if draw(st.booleans()):
        rank, dim = len(tensor.shape), args["dim"]
        size = tensor.shape[dim] if -rank <= dim < rank else 1
        whole = replace(partner(draw, tensor), shape=tensor.shape)
        vector = TensorType("float", (size,))
        tensors["x"] = draw(st.sampled_from([vector, whole, partner(draw, tensor)]))
    else:
        args["dx"] = draw(st.sampled_from([1, 0.5]))
    return args, tensors


def _searched(draw: Draw, row: FunctionRow) -> Case:
    tensor = tensor_of(draw, most=3)
    kind = draw(st.sampled_from([tensor.dtype] * 5 + ["float"]))
    lead = draw(st.sampled_from([tensor.shape[:-1], (), (2,)]))
    sequence = TensorType(kind, (*lead, 5))
    args: dict[str, Any] = {"out_int32": draw(st.booleans()), "right": draw(st.booleans())}
    name = "boundaries" if row.name == "bucketize" else "sorted_sequence"
    if seldom(draw, 3):
        return {**args, "input": draw(st.sampled_from([1, 0.5]))}, {name: sequence}
    return args, {name: sequence, "input": tensor}
