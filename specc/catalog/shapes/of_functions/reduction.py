"""Shape rules of reductions: sum, mean, argmax and their like.

The result is 0-dimensional when no dimension is named. Integers are summed as int64.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes import value_bounds
from specc.catalog.shapes.common import (
    Shape,
    axes,
    axis,
    plain,
    product,
    real_of,
    require_floating,
    require_kind,
)
from specc.ir import ResultType, TensorType


def without(call: Call, tensor: TensorType, gone: tuple[int, ...]) -> Shape:
    """The shape without the dimensions ``gone``, or with sizes of 1 there, as ``keepdim`` says."""
    keep = plain(call, "keepdim")
    return tuple(
        1 if place in gone else size
        for place, size in enumerate(tensor.shape)
        if keep or place not in gone
    )


def reduced_shape(call: Call, tensor: TensorType, *, dim_first: bool = False) -> Shape:
    """The shape without its reduced dimensions; E0307 for keepdim where torch wants dim with it."""
    if dim_first and call.args["dim"] is None and plain(call, "keepdim"):
        raise RuleError(
            "E0307",
            f"keepdim of {call.name} goes with dim",
            help="name the dimensions to reduce",
            argument="keepdim",
        )
    rank = len(tensor.shape)
    # To torch no dimension is every dimension, here.
    gone = tuple(range(rank)) if call.args["dim"] == () else axes(call, rank)
    return without(call, tensor, gone)


def _named_shape(call: Call, tensor: TensorType) -> Shape:
    """As ``reduced_shape``; E0307 for a tuple of no dimensions.

    Of those torch fails (``logsumexp``), or computes another shape than its meta kernels foretell
    (``nansum``)."""
    if call.args["dim"] == ():
        raise RuleError(
            "E0307",
            f"dim of {call.name} names no dimension",
            help="name the dimensions to reduce",
            argument="dim",
        )
    return reduced_shape(call, tensor)


def summed(call: Call) -> TensorType:
    """``sum``: integers and bools are summed as int64."""
    tensor = call.tensor()
    dtype = tensor.dtype if tensor.differentiable else "int64"
    return TensorType(dtype, reduced_shape(call, tensor, dim_first=True))


def summed_numbers(call: Call) -> TensorType:
    """``nansum``: as ``sum``, of real numbers; E0306, E0307."""
    tensor = call.tensor()
    require_kind(call, tensor, "bif")
    dtype = tensor.dtype if tensor.floating else "int64"
    return TensorType(dtype, _named_shape(call, tensor))


def averaged(call: Call) -> TensorType:
    """``mean``: a float or complex value; E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "fc")
    return TensorType(tensor.dtype, reduced_shape(call, tensor, dim_first=True))


def averaged_numbers(call: Call) -> TensorType:
    """``nanmean``: a float value; E0306, E0307."""
    tensor = call.tensor()
    require_floating(call, tensor)
    return TensorType(tensor.dtype, _named_shape(call, tensor))


def spread(call: Call) -> TensorType:
    """``var``, ``std``, norms: of a float or complex value, a float; E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "fc")
    return TensorType(real_of(tensor.dtype), reduced_shape(call, tensor))


def spread_and_mean(call: Call) -> ResultType:
    """``std_mean``, ``var_mean``: both; E0306."""
    deviation = spread(call)
    return deviation, TensorType(call.tensor().dtype, deviation.shape)


def extreme(call: Call) -> TensorType:
    """``amax``, ``amin``: any dtype but complex; E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "bif")
    return value_bounds.of_input(call, TensorType(tensor.dtype, reduced_shape(call, tensor)))


def extremes(call: Call) -> ResultType:
    """``aminmax``: the smallest and the largest, of everything or along ``dim``; E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "bif")
    if call.args["dim"] is not None:
        axis(call, len(tensor.shape))
    result = value_bounds.of_input(call, TensorType(tensor.dtype, reduced_shape(call, tensor)))
    return result, result


def decided(call: Call) -> TensorType:
    """``any``, ``all``: a bool; over no dimension one for each element."""
    tensor = call.tensor()
    none = call.args["dim"] == ()
    return TensorType("bool", tensor.shape if none else reduced_shape(call, tensor))


def counted(call: Call) -> TensorType:
    """``count_nonzero(input, dim)``: int64."""
    return TensorType("int64", reduced_shape(call, call.tensor()))


def exponential_sum(call: Call) -> TensorType:
    """``logsumexp(input, dim)``: integers become floats; E0307."""
    tensor = call.tensor()
    dtype = tensor.dtype if tensor.differentiable else "float"
    return TensorType(dtype, _named_shape(call, tensor))


def placed(call: Call) -> TensorType:
    """``argmax``, ``argmin``: an index over the reduced dimension, or over all elements."""
    tensor = call.tensor()
    require_kind(call, tensor, "if")
    rank = len(tensor.shape)
    if call.args["dim"] is None:
        shape = without(call, tensor, tuple(range(rank)))
        return TensorType("int64", shape, "index", product(tensor.shape))
    place = axis(call, rank)
    return index_along(tensor, without(call, tensor, (place,)), place)


def index_along(tensor: TensorType, shape: Shape, place: int) -> TensorType:
    """Places along dimension ``place`` of ``tensor``; of a scalar they are 0."""
    if not tensor.shape:
        return TensorType("int64", ())
    return TensorType("int64", shape, "index", tensor.shape[place])


def found(call: Call, *, takes: str = "bif") -> ResultType:
    """``max``, ``min``, ``median``: one; with ``dim`` one for each place, and where; E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, takes)
    if call.args["dim"] is None:
        shape = reduced_shape(call, tensor, dim_first=True)
        return value_bounds.of_input(call, TensorType(tensor.dtype, shape))
    return found_along(call, takes=takes)


def found_along(call: Call, *, takes: str = "bif") -> ResultType:
    """``mode``: the numbers and their places, along ``dim``; E0304, E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, takes)
    place = axis(call, len(tensor.shape))
    shape = without(call, tensor, (place,) if tensor.shape else ())
    values = value_bounds.of_input(call, TensorType(tensor.dtype, shape))
    return values, index_along(tensor, shape, place)


def multiplied(call: Call) -> TensorType:
    """``prod``: of everything, or along one ``dim``; as ``sum``."""
    if call.args["dim"] is not None and call.tensor().shape:
        axis(call, len(call.tensor().shape))
    return summed(call)


def quantile(call: Call) -> TensorType:
    """``quantile(input, q, dim)``: a value for each ``q``, in front, where ``q`` is a vector.

    E0301, E0304, E0306, E0307."""
    tensor = call.tensor()
    require_floating(call, tensor)
    if call.args["dim"] is not None:
        axis(call, len(tensor.shape))
    shape = reduced_shape(call, tensor)
    if call.has("q"):
        q = call.tensor("q")
        if q.dtype != tensor.dtype:
            raise RuleError("E0306", f"q of {call.name} is of the input's dtype; got {q}")
        if len(q.shape) > 1:
            raise RuleError("E0301", f"q of {call.name} is a number or a vector; got {q}")
        return tensor.with_shape((*q.shape, *shape))
    level = plain(call, "q")
    if isinstance(level, int | float) and not 0 <= level <= 1:
        raise RuleError("E0307", f"q of {call.name} is from 0 to 1, and is {level}", argument="q")
    return tensor.with_shape(shape)
