"""Shape rules of what picks elements by an index, or puts them where it says: gather, scatter.

Whether an index stays in range is the run's affair, but for ``index(k)``. Non-goal: subscripts,
which are the language's own.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes import value_bounds
from specc.catalog.shapes.common import (
    as_size,
    at_least,
    axis,
    axis_of,
    broadcast,
    lifted,
    plain,
    product,
    rearranged,
    require_fill,
    require_kind,
    require_within,
)
from specc.catalog.shapes.of_functions.elementwise import require_number
from specc.ir import TensorType
from specc.sizes import Size


def _index_like(call: Call, tensor: TensorType) -> tuple[TensorType, int]:
    """The int64 index of the input's rank, no larger but along ``dim``; E0301, E0302, E0306. To
    torch a scalar is a vector of one here."""
    index = call.tensor("index")
    if index.dtype != "int64":
        raise RuleError("E0306", f"{call.name} takes an int64 index; got {index}", argument="index")
    shape = lifted(tensor.shape)
    if len(lifted(index.shape)) != len(shape):
        raise RuleError(
            "E0301", f"{call.name} takes an index of its input's rank; got {tensor} and {index}"
        )
    place = axis(call, len(tensor.shape))
    _require_covered(call, tensor, index, but=place)
    require_within(call, index, shape[place], f"dimension {place} of {tensor}", "index")
    return index, place


def _require_covered(call: Call, tensor: TensorType, index: TensorType, *, but: int | None) -> None:
    sizes = zip(lifted(tensor.shape), lifted(index.shape), strict=True)
    for dim, (size, wanted) in enumerate(sizes):
        if dim != but:
            message = f"{call.name}: {index} is larger than {tensor} in dimension {dim}"
            call.require_at_least(size, wanted, RuleError("E0302", message, by_torch=True))


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
        require_fill(call, tensor, "src")
        return _put_into(call, tensor, "src")
    src = call.tensor("src")
    if src.dtype != tensor.dtype:
        raise RuleError(
            "E0306", f"{call.name} puts values of {tensor.dtype} in; got {src}", argument="src"
        )
    if len(lifted(src.shape)) != len(lifted(index.shape)):
        raise RuleError(
            "E0301", f"{call.name} takes a src of its index's rank; got {index} and {src}"
        )
    _require_covered(call, src, index, but=None)
    return _put_into(call, tensor, "src") if call.name == "scatter" else plain_of(tensor)


def plain_of(tensor: TensorType) -> TensorType:
    """``tensor`` where sums have been put: no longer labels."""
    return tensor.with_shape(tensor.shape)


def _put_into(call: Call, tensor: TensorType, name: str) -> TensorType:
    """``tensor`` with some entries of ``name`` in it: labels where both are."""
    return value_bounds.bounded(plain_of(tensor), (tensor, value_bounds.argument(call, name)))


def reduced(call: Call) -> TensorType:
    """``scatter_reduce(input, dim, index, src, reduce)``: as ``scatter``; E0306 for the mean of
    bools and for the order of complex numbers."""
    tensor = call.tensor()
    _require_reducible(call, tensor)
    return scattered(call)


def _require_reducible(call: Call, tensor: TensorType) -> None:
    takes = {"mean": "ifc", "amax": "bif", "amin": "bif"}.get(str(plain(call, "reduce")), "bifc")
    require_kind(call, tensor, takes)


def taken_along(call: Call) -> TensorType:
    """``take_along_dim(input, indices, dim)``: the indices' size along ``dim``, the others
    broadcast; without ``dim`` one row, of the elements that the indices pick of all. E0301, E0302,
    E0304, E0306."""
    tensor, indices = call.tensor(), call.tensor("indices")
    if indices.dtype != "int64":
        raise RuleError(
            "E0306", f"{call.name} takes int64 indices; got {indices}", argument="indices"
        )
    if plain(call, "dim") is None:
        require_within(call, indices, product(tensor.shape), str(tensor), "indices")
        return rearranged(tensor, (product(indices.shape),))
    if len(indices.shape) != len(tensor.shape) or not tensor.shape:
        raise RuleError(
            "E0301", f"{call.name} takes indices of its input's rank; got {tensor} and {indices}"
        )
    place = axis(call, len(tensor.shape))
    size = tensor.shape[place]
    require_within(call, indices, size, f"dimension {place} of {tensor}", "indices")
    have = (*tensor.shape[:place], 1, *tensor.shape[place + 1 :])
    wanted = (*indices.shape[:place], 1, *indices.shape[place + 1 :])
    shape = broadcast(call.require_equal, have, wanted, call.value)
    return rearranged(tensor, (*shape[:place], indices.shape[place], *shape[place + 1 :]))


def taken(call: Call) -> TensorType:
    """``take(input, index)``: the index's shape; E0306."""
    index = call.tensor("index")
    if index.dtype != "int64":
        raise RuleError("E0306", f"take takes an int64 index; got {index}", argument="index")
    require_within(call, index, product(call.tensor().shape), str(call.tensor()), "index")
    return rearranged(call.tensor(), index.shape)


def put_at(call: Call) -> TensorType:
    """``index_add``, ``index_copy``: ``source`` has the index's length along ``dim``; E0301,
    E0302, E0304, E0306, E0307."""
    tensor, source = call.tensor(), call.tensor("source")
    place, length = _vector_index(call, tensor)
    if source.dtype != tensor.dtype:
        raise RuleError(
            "E0306",
            f"{call.name} puts values of {tensor.dtype} in; got {source}",
            argument="source",
        )
    loose = call.name == "index_copy" and () in (source.shape, tensor.shape)
    if len(source.shape) != len(tensor.shape) and not loose:
        raise RuleError(
            "E0301", f"{call.name} takes a source of its input's rank; got {tensor} and {source}"
        )
    if len(lifted(source.shape)) != len(lifted(tensor.shape)):
        raise RuleError("E0301", f"{call.name} cannot put {source} into {tensor}")
    pairs = zip(lifted(tensor.shape), lifted(source.shape), strict=True)
    for dim, (size, given) in enumerate(pairs):
        wanted = length if dim == place else size
        message = f"{call.name} puts {wanted} into dimension {dim} of {tensor}; got {source}"
        call.require_equal(given, wanted, RuleError("E0302", message, argument="source"))
    if not tensor.differentiable and isinstance(plain(call, "alpha"), float):
        raise RuleError("E0307", f"alpha must be a whole number for {tensor}", argument="alpha")
    return tensor.with_shape(tensor.shape)


def filled(call: Call) -> TensorType:
    """``index_fill(input, dim, index, value)``: shape kept, the value a number or a tensor of one;
    E0301, E0304, E0306."""
    tensor = call.tensor()
    _vector_index(call, tensor)
    require_number(call, "value", tensor)
    require_fill(call, tensor, "value")
    return _put_into(call, tensor, "value")


def _vector_index(call: Call, tensor: TensorType) -> tuple[int, Size]:
    """The dimension, and the length of the vector ``index``, which is 1 of a scalar; E0301, E0304,
    E0306. A scalar's one place is 0."""
    place, index = axis(call, len(tensor.shape)), call.tensor("index")
    if index.dtype not in (("int64", "int32") if call.name == "index_select" else ("int64",)):
        wanted = "integer" if call.name == "index_select" else "int64"
        raise RuleError(
            "E0306", f"{call.name} takes an {wanted} index; got {index}", argument="index"
        )
    if len(index.shape) > 1:
        raise RuleError("E0301", f"{call.name} takes a vector; got {index}", argument="index")
    size = lifted(tensor.shape)[place]
    require_within(call, index, size, f"dimension {place} of {tensor}", "index")
    return place, lifted(index.shape)[0]


def selected(call: Call) -> TensorType:
    """``index_select(input, dim, index)``: ``dim`` gets the index's length; of a scalar, a scalar.
    E0301, E0302, E0306."""
    tensor = call.tensor()
    place, length = _vector_index(call, tensor)
    if not tensor.shape:
        message = f"{call.name} of {tensor} takes one index; got {length}"
        call.require_equal(length, 1, RuleError("E0302", message, argument="index"))
        return rearranged(tensor, ())
    return rearranged(tensor, (*tensor.shape[:place], length, *tensor.shape[place + 1 :]))


def repeated(call: Call) -> TensorType:
    """``repeat_interleave(input, repeats, dim)``: each element so often; without ``dim`` flat.

    ``repeats`` that are a tensor have a number for each place, or one for all, and their sum is the
    size of the result, which ``output_size`` says; E0301, E0302, E0304, E0306, E0307, E0308."""
    tensor = call.tensor()
    flat = call.args["dim"] is None
    place = 0 if flat else axis_of(call, tensor)
    shape = (product(tensor.shape),) if flat else tensor.shape
    if call.has("repeats"):
        size = _size_of_repeats(call, shape[place])
    else:
        times = as_size(call, "repeats", call.args["repeats"])
        at_least(call, "repeats", 0, (times,))
        size = shape[place] * times
        if call.args["output_size"] is not None:
            written = as_size(call, "output_size", call.args["output_size"])
            message = f"output_size of {call.name} is {written}, and there are {size}"
            call.require_equal(
                size, written, RuleError("E0302", message, argument="output_size", by_torch=True)
            )
    return rearranged(tensor, (*shape[:place], size, *shape[place + 1 :]))


def _size_of_repeats(call: Call, places: Size) -> Size:
    repeats = call.tensor("repeats")
    if repeats.dtype not in ("int64", "int32"):
        raise RuleError(
            "E0306", f"{call.name} takes whole numbers of times; got {repeats}", argument="repeats"
        )
    if len(repeats.shape) > 1:
        raise RuleError(
            "E0301", f"{call.name} takes a vector of times; got {repeats}", argument="repeats"
        )
    length = lifted(repeats.shape)[0]
    if call.value(length) != 1:
        message = f"{call.name} repeats each of the {places}; got {repeats} of times"
        call.require_equal(length, places, RuleError("E0302", message, argument="repeats"))
    if call.args["output_size"] is None:
        raise RuleError(
            "E0308",
            f"the size of {call.name} is the sum of {repeats}, which only the values tell",
            help="say it: output_size=...",
            argument="repeats",
        )
    size = as_size(call, "output_size", call.args["output_size"])
    at_least(call, "output_size", 0, (size,))
    return size
