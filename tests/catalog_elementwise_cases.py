"""Generated calls of what goes element by element: functions of one value, of two, activations,
complex numbers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from catalog_case_parts import Case, Draw, alike, dim_of, partner, seldom, tensor_of
from hypothesis import strategies as st

from specc.catalog.rows import FunctionRow
from specc.ir import TensorType

NUMBER = st.sampled_from([2, 0.5, 3])


def elementwise(draw: Draw, row: FunctionRow) -> Case:
    tensor = tensor_of(draw)
    args: dict[str, Any] = {}
    tensors: dict[str, Any] = {"input": tensor}
    match row.name:
        case "where":
            dtype = draw(st.sampled_from(["bool"] * 4 + ["float"]))
            tensors = {"condition": tensor_of(draw, dtype=dtype)}
            for name in ("input", "other"):
                if draw(st.booleans()):
                    tensors[name] = partner(draw, tensors["condition"])
                else:
                    args[name] = draw(st.sampled_from([0, 2, 0.5]))
        case "clamp":
            args = {
                "min": draw(st.sampled_from([None, 0, 0.5])),
                "max": draw(st.sampled_from([None, 3])),
            }
            for name in ("min", "max") if draw(st.booleans()) else ():
                if draw(st.integers(0, 3)):
                    args.pop(name)
                    tensors[name] = partner(draw, tensor)
        case "masked_fill":
            mask = partner(draw, tensor, "bool")
            tensors["mask"] = replace(mask, dtype="int64") if seldom(draw) else mask
            args["value"] = 1 if tensor.dtype in ("int64", "bool") else 1.0
            if draw(st.booleans()):
                del args["value"]
                tensors["value"] = tensor_of(draw, most=int(seldom(draw)))
        case "logit":
            args["eps"] = draw(st.none() | st.just(0.01))
        case "round":
            # torch.round(x, decimals=0) refuses whole numbers, and torch.round(x) takes them.
            args = {"decimals": 1} if draw(st.booleans()) else {}
        case "polygamma":
            args["n"] = draw(st.integers(-1, 3))
        case "mvlgamma":
            args["p"] = draw(st.integers(0, 2))
            tensors["input"] = replace(tensor, dtype=draw(st.sampled_from(["float", "complex"])))
        case "nan_to_num":
            args["nan"] = draw(st.none() | st.just(0.5))
    return args, tensors


def pairwise(draw: Draw, row: FunctionRow) -> Case:
    tensor = tensor_of(draw)
    names = [a.name for a in row.arguments if a.is_tensor]
    args: dict[str, Any] = {}
    tensors: dict[str, Any] = {names[0]: tensor}
    strict = row.name in ("isclose", "heaviside")
    for name in names[1:]:
        tensors[name] = partner(draw, tensor, tensor.dtype if strict else None)
        if strict and seldom(draw):
            tensors[name] = partner(draw, tensor)
    if row.name == "lerp" and draw(st.booleans()):
        tensors = {name: replace(given, dtype="float") for name, given in tensors.items()}
    if row.name in _ALIKE and draw(st.booleans()):
        dtype = draw(st.sampled_from(_ALIKE[row.name]))
        tensors = {name: replace(given, dtype=dtype) for name, given in tensors.items()}
    numeric = [name for name in names if "float" in row.by_name[name].types]
    if numeric and draw(st.booleans()):
        name = draw(st.sampled_from(numeric))
        del tensors[name]
        args[name] = draw(NUMBER)
        if row.name.startswith("bitwise"):
            args[name] = 2
    if "alpha" in row.by_name:
        args["alpha"] = draw(st.sampled_from([1, 2, 0.5]))
    if "value" in row.by_name and draw(st.booleans()):
        args["value"] = draw(st.sampled_from([2, 0.5]))
    if "rounding_mode" in row.by_name:
        args["rounding_mode"] = draw(st.sampled_from([None, "floor", "trunc"]))
    if row.name == "pow" and "exponent" in args:
        args["exponent"] = draw(st.sampled_from([2, 0.5, -1]))
    return args, tensors


# Where few pairs of dtypes are sound, the dtypes that are.
_ALIKE = {
    "gcd": ("int64",),
    "lcm": ("int64",),
    "bitwise_and": ("int64", "bool"),
    "bitwise_or": ("int64", "bool"),
    "bitwise_xor": ("int64", "bool"),
    "bitwise_left_shift": ("int64",),
    "bitwise_right_shift": ("int64",),
    "hypot": ("float",),
    "logaddexp2": ("float",),
    "nextafter": ("float",),
    "gammainc": ("float",),
    "gammaincc": ("float",),
    "isin": ("float", "int64"),
    "addcdiv": ("float", "complex"),
    "addcmul": ("float", "int64", "complex"),
}


def activation(draw: Draw, row: FunctionRow) -> Case:
    tensor = tensor_of(draw)
    args: dict[str, Any] = {}
    if "dim" in row.by_name:
        args["dim"] = dim_of(draw, tensor)
    match row.name:
        case "prelu":
            channels = tensor.shape[1] if len(tensor.shape) > 1 else 1
            weight: tuple[Any, ...] = draw(st.sampled_from([(1,), (channels,), (5,), (1, 2)]))
            if not tensor.shape:
                weight = (1,)
            return args, {
                "input": tensor,
                "weight": TensorType("int64" if seldom(draw) else tensor.dtype, weight),
            }
        case "gumbel_softmax":
            args |= {"tau": draw(st.sampled_from([1.0, 0.5])), "hard": draw(st.booleans())}
            return args, {"logits": tensor}
        case "threshold":
            args = {"threshold": draw(NUMBER), "value": draw(NUMBER)}
        case "rrelu":
            args = {"lower": 0.1, "upper": draw(st.sampled_from([0.3, 0.05]))}
        case "softshrink":
            args = {"lambd": draw(st.sampled_from([0.5, -0.5]))}
        case "normalize":
            tensor = TensorType(draw(st.sampled_from(["float", "complex", "int64"])), tensor.shape)
    return args, {"input": tensor}


def complex_numbers(draw: Draw, row: FunctionRow) -> Case:
    names = [a.name for a in row.arguments if a.is_tensor]
    tensor = tensor_of(draw)
    if len(names) == 2:
        if draw(st.booleans()):
            tensor = replace(tensor, dtype="float")
        other = partner(draw, tensor, tensor.dtype)
        return {}, {names[0]: tensor, names[1]: alike(draw, other) if seldom(draw) else other}
    if row.name == "view_as_complex":
        tensor = TensorType(tensor.dtype, (*tensor.shape, draw(st.sampled_from([2, 2, 3]))))
    elif draw(st.booleans()):
        tensor = replace(tensor, dtype="complex")
    return {}, {"input": tensor}


def like(draw: Draw, row: FunctionRow) -> Case:
    args = {"fill_value": 1} if row.name == "full_like" else {}
    return args, {"input": tensor_of(draw)}
