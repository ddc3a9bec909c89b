"""Shape rules of what picks elements by an index, or puts them where it says: gather, scatter.

Whether an index stays in range is the run's affair, but for ``index(k)``. Non-goal: subscripts,
which are the language's own.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    as_size,
    at_least,
    axis,
    axis_of,
    known,
    product,
    rearranged,
)
from specc.ir import TensorType


def _index_like(call: Call, tensor: TensorType) -> tuple[TensorType, int]:
    """The int64 index of the input's rank, no larger but along ``dim``; E0301, E0302, E0306."""
    index = call.tensor("index")
    if index.dtype != "int64":
        raise RuleError("E0306", f"{call.name} takes an int64 index; got {index}", argument="index")
    if len(index.shape) != len(tensor.shape):
        raise RuleError(
            "E0301", f"{call.name} takes an index of its input's rank; got {tensor} and {index}"
        )
    place = axis(call, len(tensor.shape))
    _require_covered(call, tensor, index, but=place)
    return index, place


def _require_covered(call: Call, tensor: TensorType, index: TensorType, *, but: int | None) -> None:
    for dim, (size, wanted) in enumerate(zip(tensor.shape, index.shape, strict=True)):
        if dim != but:
            message = f"{call.name}: {index} is larger than {tensor} in dimension {dim}"
            call.require_at_least(size, wanted, RuleError("E0302", message))


def gathered(call: Call) -> TensorType:
    """``gather(input, dim, index)``: the index's shape; E0301 unless both have one rank."""
    tensor = call.tensor()
    index, _ = _index_like(call, tensor)
    return rearranged(tensor, index.shape)


def scattered(call: Call) -> TensorType:
    """``scatter(input, dim, index, src)``: the input's shape; ``src`` may be a number.

    E0301, E0302, E0306."""
    tensor = call.tensor()
    index, _ = _index_like(call, tensor)
    if not call.has("src"):
        return tensor.with_shape(tensor.shape)
    src = call.tensor("src")
    if src.dtype != tensor.dtype:
        raise RuleError(
            "E0306", f"{call.name} puts values of {tensor.dtype} in; got {src}", argument="src"
        )
    if len(src.shape) != len(index.shape):
        raise RuleError(
            "E0301", f"{call.name} takes a src of its index's rank; got {index} and {src}"
        )
    _require_covered(call, src, index, but=None)
    return tensor.with_shape(tensor.shape)


def selected(call: Call) -> TensorType:
    """``index_select(input, dim, index)``: ``dim`` gets the index's length; E0301, E0306."""
    tensor, index = call.tensor(), call.tensor("index")
    place = axis_of(call, tensor)
    if index.dtype not in ("int64", "int32"):
        raise RuleError(
            "E0306", f"index_select takes an integer index; got {index}", argument="index"
        )
    if len(index.shape) != 1:
        raise RuleError("E0301", f"index_select takes a vector; got {index}", argument="index")
    size = tensor.shape[place]
    if index.classes is not None:
        have, wanted = known(call, size), known(call, index.classes)
        if have is not None and wanted is not None and wanted > have:
            raise RuleError(
                "E0309",
                f"index_select: {index} goes up to {wanted - 1}, and dimension {place} of {tensor} "
                f"has {have}",
                argument="index",
            )
    return rearranged(tensor, (*tensor.shape[:place], index.shape[0], *tensor.shape[place + 1 :]))


def repeated(call: Call) -> TensorType:
    """``repeat_interleave(input, repeats, dim)``: each element so often; without ``dim`` flat."""
    tensor = call.tensor()
    times = as_size(call, "repeats", call.args["repeats"])
    at_least(call, "repeats", 0, (times,))
    if call.args["dim"] is None:
        return rearranged(tensor, (product(tensor.shape) * times,))
    place = axis_of(call, tensor)
    size = tensor.shape[place] * times
    return rearranged(tensor, (*tensor.shape[:place], size, *tensor.shape[place + 1 :]))
