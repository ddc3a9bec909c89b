"""Shape rules of reductions: sum, mean, argmax and their like.

The result is 0-dimensional when no dimension is named. Integers are summed as int64.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    axes,
    axis,
    axis_of,
    bracketed,
    integer,
    plain,
    product,
    require_floating,
)
from specc.ir import ResultType, TensorType


def _without(call: Call, tensor: TensorType, gone: tuple[int, ...]) -> Shape:
    keep = plain(call, "keepdim")
    return tuple(
        1 if place in gone else size
        for place, size in enumerate(tensor.shape)
        if keep or place not in gone
    )


def _reduced_shape(call: Call, tensor: TensorType, *, dim_first: bool = False) -> Shape:
    """The shape without its reduced dimensions; E0307 for keepdim where torch wants dim with it."""
    if dim_first and call.args["dim"] is None and plain(call, "keepdim"):
        raise RuleError(
            "E0307",
            f"keepdim of {call.name} goes with dim",
            help="name the dimensions to reduce",
            argument="keepdim",
        )
    return _without(call, tensor, axes(call, len(tensor.shape)))


def summed(call: Call) -> TensorType:
    """``sum``: integers and bools are summed as int64."""
    tensor = call.tensor()
    wide = tensor.floating or tensor.dtype.startswith("complex")
    dtype = tensor.dtype if wide else "int64"
    return TensorType(dtype, _reduced_shape(call, tensor, dim_first=True))


def averaged(call: Call) -> TensorType:
    """``mean``: a float value only; E0306."""
    tensor = call.tensor()
    require_floating(call, tensor)
    return TensorType(tensor.dtype, _reduced_shape(call, tensor, dim_first=True))


def spread(call: Call) -> TensorType:
    """``var``, ``std``, norms: a float value only; E0306."""
    tensor = call.tensor()
    require_floating(call, tensor)
    return TensorType(tensor.dtype, _reduced_shape(call, tensor))


def extreme(call: Call) -> TensorType:
    """``amax``, ``amin``: any dtype."""
    tensor = call.tensor()
    return TensorType(tensor.dtype, _reduced_shape(call, tensor))


def decided(call: Call) -> TensorType:
    """``any``, ``all``: a bool."""
    return TensorType("bool", _reduced_shape(call, call.tensor()))


def exponential_sum(call: Call) -> TensorType:
    """``logsumexp(input, dim)``: integers become floats."""
    tensor = call.tensor()
    dtype = tensor.dtype if tensor.floating else "float"
    return TensorType(dtype, _reduced_shape(call, tensor))


def placed(call: Call) -> TensorType:
    """``argmax``, ``argmin``: an index over the reduced dimension, or over all elements."""
    tensor = call.tensor()
    if tensor.dtype == "bool":
        raise RuleError("E0306", f"{call.name} takes numbers; got {tensor}")
    rank = len(tensor.shape)
    if call.args["dim"] is None:
        shape = _without(call, tensor, tuple(range(rank)))
        return TensorType("int64", shape, "index", product(tensor.shape))
    place = axis(call, rank)
    if not tensor.shape:
        return TensorType("int64", ())
    return TensorType("int64", _without(call, tensor, (place,)), "index", tensor.shape[place])


def found(call: Call) -> ResultType:
    """``max``, ``min``: one number; with ``dim`` the numbers and their places."""
    tensor = call.tensor()
    if call.args["dim"] is None:
        return TensorType(tensor.dtype, _reduced_shape(call, tensor, dim_first=True))
    place = axis(call, len(tensor.shape))
    if not tensor.shape:
        return TensorType(tensor.dtype, ()), TensorType("int64", ())
    shape = _without(call, tensor, (place,))
    places = TensorType("int64", shape, "index", tensor.shape[place])
    return TensorType(tensor.dtype, shape), places


def multiplied(call: Call) -> TensorType:
    """``prod``: of everything, or along one ``dim``; as ``sum``."""
    if call.args["dim"] is not None and call.tensor().shape:
        axis(call, len(call.tensor().shape))
    return summed(call)


def ordered(call: Call) -> ResultType:
    """``sort(input, dim)``: the values in order, and their places."""
    tensor = call.tensor()
    return TensorType(tensor.dtype, tensor.shape), order(call)


def order(call: Call) -> TensorType:
    """``argsort(input, dim)``: places along ``dim``."""
    tensor = call.tensor()
    place = axis(call, len(tensor.shape))
    if not tensor.shape:
        return TensorType("int64", ())
    return TensorType("int64", tensor.shape, "index", tensor.shape[place])


def top(call: Call) -> ResultType:
    """``topk(input, k, dim)``: the values and their places; E0307 for more than there are."""
    tensor = call.tensor()
    if tensor.dtype == "bool":
        raise RuleError("E0306", f"topk takes numbers; got {tensor}")
    place = axis_of(call, tensor)
    k, size = integer(call, "k"), tensor.shape[place]
    error = RuleError(
        "E0307",
        f"topk asks for {k} of the {size} in dimension {place} of {bracketed(tensor.shape)}",
        argument="k",
    )
    if k < 1:
        raise error
    call.require_at_least(size, k, error)
    shape = (*tensor.shape[:place], k, *tensor.shape[place + 1 :])
    return tensor.with_shape(shape), TensorType("int64", shape, "index", tensor.shape[place])
