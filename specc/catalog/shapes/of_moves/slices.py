"""Shape rules of parts of a value: some places of a dimension, one of them, and what is put there.

Non-goals: subscripts, which are the language's own; picking by the values of an index, which is
``indexing``.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    INTEGRAL,
    Shape,
    as_size,
    at_least,
    axis_of,
    bracketed,
    integer,
    rearranged,
)
from specc.ir import TensorType
from specc.sizes import Size


def narrowed(call: Call) -> TensorType:
    """``narrow(input, dim, start, length)``: so many places from ``start`` on, which a negative one
    counts from the end; E0304, E0305, E0307.

    Of a start that is a tensor, of one whole number from 0 on, only the run knows whether it fits,
    but for ``index(k)``: E0301, E0306, E0309."""
    tensor = call.tensor()
    place = axis_of(call, tensor)
    length = as_size(call, "length", call.args["length"])
    at_least(call, "length", 0, (length,))
    size = tensor.shape[place]
    narrow = rearranged(tensor, (*tensor.shape[:place], length, *tensor.shape[place + 1 :]))
    if call.has("start"):
        _require_start(call, length, size, f"dimension {place} of {tensor}")
        return narrow
    start = as_size(call, "start", call.args["start"])
    known_start = call.value(start)
    if isinstance(known_start, int) and known_start < 0:
        message = f"narrow takes {length} from {start} on, and dimension {place} of {tensor} has"
        error = RuleError("E0305", f"{message} {size}", argument="start", by_torch=True)
        call.require_at_least(size, -start, error)
        call.require_at_least(-start, length, error)
        return narrow
    message = f"narrow takes {length} from {start} on, and dimension {place} of {tensor} has {size}"
    error = RuleError("E0305", message, argument="length", by_torch=True)
    call.require_at_least(size, start + length, error)
    return narrow


def _require_start(call: Call, length: Size, size: Size, where: str) -> None:
    start = call.tensor("start")
    if start.dtype not in INTEGRAL:
        raise RuleError(
            "E0306", f"narrow takes a whole number for its start; got {start}", argument="start"
        )
    if start.shape:
        raise RuleError(
            "E0301",
            f"start of narrow is one number, of no dimensions; got {start}",
            help="take one of its numbers, such as start[0]",
            argument="start",
        )
    if start.classes is None:
        message = f"narrow takes {length} of the {size} in {where}"
        error = RuleError("E0305", message, argument="length", by_torch=True)
        call.require_at_least(size, length, error)
        return
    message = f"narrow takes {length} from {start.classes - 1} on, and {where} has {size}"
    error = RuleError("E0309", message, argument="start", by_torch=True)
    call.require_at_least(size, start.classes - 1 + length, error)


def picked(call: Call) -> TensorType:
    """``select(input, dim, index)``: one place of ``dim``, which goes; E0304, E0305."""
    tensor = call.tensor()
    place = axis_of(call, tensor)
    _require_inside(call, tensor, place)
    return rearranged(tensor, (*tensor.shape[:place], *tensor.shape[place + 1 :]))


def _require_inside(call: Call, tensor: TensorType, place: int) -> None:
    index, size = integer(call, "index"), tensor.shape[place]
    error = RuleError(
        "E0305",
        f"index {index} of {call.name} is not in the {size} of dimension {place} of {tensor}",
        argument="index",
        by_torch=True,
    )
    call.require_at_least(size, index + 1 if index >= 0 else -index, error)


def put_in_place(call: Call) -> TensorType:
    """``select_scatter(input, src, dim, index)``: the input with src at one place; E0302."""
    tensor, src = call.tensor(), call.tensor("src")
    place = axis_of(call, tensor)
    _require_inside(call, tensor, place)
    wanted = (*tensor.shape[:place], *tensor.shape[place + 1 :])
    require_shape(call, src, wanted, tensor, "src")
    return tensor.with_shape(tensor.shape)


def put_in_slice(call: Call) -> TensorType:
    """``slice_scatter(input, src, dim, start, end, step)``: the input with src there; E0302,
    E0307."""
    tensor, src = call.tensor(), call.tensor("src")
    place = axis_of(call, tensor)
    size = tensor.shape[place]
    step = integer(call, "step")
    start = 0 if call.args["start"] is None else as_size(call, "start", call.args["start"])
    end = size if call.args["end"] is None else as_size(call, "end", call.args["end"])
    at_least(call, "start", 0, (start,))
    at_least(call, "step", 1, (step,))
    message = f"slice_scatter from {start} to {end} is not inside {size}"
    call.require_at_least(end, start, RuleError("E0307", message, argument="start"))
    call.require_at_least(size, end, RuleError("E0307", message, argument="end"))
    length = (end - start + step - 1) // step
    wanted = (*tensor.shape[:place], length, *tensor.shape[place + 1 :])
    require_shape(call, src, wanted, tensor, "src")
    return tensor.with_shape(tensor.shape)


def require_shape(
    call: Call, src: TensorType, wanted: Shape, tensor: TensorType, name: str
) -> None:
    """E0302 unless ``src`` is of the shape ``wanted``; E0306 unless of the dtype of ``tensor``."""
    error = RuleError(
        "E0302",
        f"{call.name} puts {bracketed(wanted)} into {tensor}; got {src}",
        argument=name,
    )
    if len(src.shape) != len(wanted):
        raise error
    for one, other in zip(src.shape, wanted, strict=True):
        call.require_equal(one, other, error)
    if src.dtype != tensor.dtype:
        raise RuleError(
            "E0306", f"{call.name} puts values of {tensor.dtype} in; got {src}", argument=name
        )
