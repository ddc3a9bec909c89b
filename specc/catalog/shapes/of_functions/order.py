"""Shape rules of what goes along a dimension in order: sorting, picking by rank, running sums,
differences, integrals, and looking up in a sorted sequence.

Non-goal: reductions that know no order (``reduction``).
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes import value_bounds
from specc.catalog.shapes.common import (
    Shape,
    as_size,
    axis,
    bracketed,
    broadcast,
    dimensions,
    integer,
    known,
    lifted,
    plain,
    promote,
    require_kind,
    require_same_dtype,
    together,
)
from specc.catalog.shapes.of_functions.reduction import index_along, without
from specc.ir import ResultType, TensorType
from specc.sizes import Size


def ordered(call: Call) -> ResultType:
    """``sort(input, dim)``: the values in order, and their places; E0304, E0306."""
    tensor = call.tensor()
    return value_bounds.of_input(call, tensor.with_shape(tensor.shape)), order(call)


def order(call: Call) -> TensorType:
    """``argsort(input, dim)``: places along ``dim``; E0304, E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "bif")
    return index_along(tensor, tensor.shape, axis(call, len(tensor.shape)))


def first_ordered(call: Call) -> TensorType:
    """``msort(input)``: the values in order along the first dimension; E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "bif")
    return value_bounds.of_input(call, tensor.with_shape(tensor.shape))


def top(call: Call) -> ResultType:
    """``topk(input, k, dim)``: the values and their places; E0307 for more than there are."""
    tensor = call.tensor()
    require_kind(call, tensor, "if")
    place = axis(call, len(tensor.shape))
    k = _rank(call, lifted(tensor.shape)[place], tensor, place)
    shape = (*tensor.shape[:place], k, *tensor.shape[place + 1 :]) if tensor.shape else ()
    return value_bounds.of_input(call, tensor.with_shape(shape)), index_along(tensor, shape, place)


def ranked(call: Call) -> ResultType:
    """``kthvalue(input, k, dim)``: the k-th smallest and its place; E0304, E0306, E0307."""
    tensor = call.tensor()
    require_kind(call, tensor, "if")
    place = axis(call, len(tensor.shape))
    _rank(call, lifted(tensor.shape)[place], tensor, place)
    shape = without(call, tensor, (place,) if tensor.shape else ())
    return value_bounds.of_input(call, tensor.with_shape(shape)), index_along(tensor, shape, place)


def _rank(call: Call, size: Size, tensor: TensorType, place: int) -> Size:
    k = integer(call, "k")
    error = RuleError(
        "E0307",
        f"{call.name} asks for {k} of the {size} in dimension {place} of {bracketed(tensor.shape)}",
        argument="k",
        by_torch=True,
    )
    if k < 1:
        raise error
    said = as_size(call, "k", call.args["k"])
    call.require_at_least(size, said, error)
    return said


# ── running along a dimension ────────────────────────────────────────────────────────────────────


def cumulative(call: Call) -> TensorType:
    """``cumsum(input, dim)``: bools and small integers are summed as int64; E0304."""
    tensor = call.tensor()
    axis(call, len(tensor.shape))
    return TensorType(tensor.dtype if tensor.differentiable else "int64", tensor.shape)


def cumulative_exponentials(call: Call) -> TensorType:
    """``logcumsumexp(input, dim)``: shape kept; E0304, E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "fc")
    axis(call, len(tensor.shape))
    return tensor.with_shape(tensor.shape)


def cumulative_extreme(call: Call) -> ResultType:
    """``cummax(input, dim)``: the largest so far, and its place; E0304, E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "bif")
    place = axis(call, len(tensor.shape))
    values = value_bounds.of_input(call, tensor.with_shape(tensor.shape))
    return values, index_along(tensor, tensor.shape, place)


def differences(call: Call) -> TensorType:
    """``diff(input, n, dim)``: each place less the one before, n times; E0301, E0304, E0307.

    ``prepend`` and ``append`` are put around first: of one rank with the input, E0302."""
    tensor = call.tensor()
    if not tensor.shape:
        raise RuleError("E0301", f"diff takes a value of at least 1 dimension; got {tensor}")
    place = axis(call, len(tensor.shape))
    count = integer(call, "n")
    if count < 0:
        raise RuleError("E0307", f"n of diff must be at least 0, and is {count}", argument="n")
    size, dtype = tensor.shape[place], tensor.dtype
    for name in ("prepend", "append"):
        if call.has(name):
            around = call.tensor(name)
            _require_alike(call, tensor, around, place, name)
        if call.has(name) and count:
            size, dtype = size + around.shape[place], promote(dtype, around.dtype)
    error = RuleError(
        "E0305",
        f"diff leaves nothing of the {size} in dimension {place} of {tensor}",
        argument="n",
    )
    call.require_at_least(size, count + 1, error)
    return TensorType(dtype, (*tensor.shape[:place], size - count, *tensor.shape[place + 1 :]))


def _require_alike(
    call: Call, tensor: TensorType, other: TensorType, place: int, name: str
) -> None:
    error = RuleError(
        "E0302", f"{name} of {call.name} fits {tensor} but for dim; got {other}", argument=name
    )
    if len(other.shape) != len(tensor.shape):
        raise error
    for dim, (one, two) in enumerate(zip(tensor.shape, other.shape, strict=True)):
        if dim != place:
            call.require_equal(one, two, error)


def integrated(call: Call, *, running: bool = False) -> TensorType:
    """``trapezoid(y, x, dim)``: the integral along ``dim``; ``running`` keeps one less than there
    are. Integers become floats; E0301, E0302, E0304, E0306."""
    tensor = call.tensor("y")
    require_kind(call, tensor, "ifc")
    if not tensor.shape:
        raise RuleError("E0301", f"{call.name} takes at least 1 dimension; got {tensor}")
    place = axis(call, len(tensor.shape))
    shape, dtype = tensor.shape, tensor.dtype
    if call.has("x"):
        if plain(call, "dx") != 1:
            raise RuleError("E0307", f"{call.name} takes x or dx, not both", argument="dx")
        shape, dtype = _sampled(call, tensor, place)
    if not TensorType(dtype, ()).differentiable:
        dtype = "float"
    place -= len(tensor.shape)
    after = shape[place + 1 :] if place < -1 else ()
    if not running:
        return TensorType(dtype, (*shape[:place], *after))
    size = shape[place] - 1
    message = f"{call.name} leaves nothing of the {shape[place]} in dimension {place} of {tensor}"
    call.require_at_least(size, 1, RuleError("E0305", message))
    return TensorType(dtype, (*shape[:place], size, *after))


def _sampled(call: Call, tensor: TensorType, place: int) -> tuple[Shape, str]:
    """The shape and dtype of ``y`` with the places ``x`` at which it was taken."""
    x = call.tensor("x")
    require_kind(call, x, "ifc", "x")
    size = tensor.shape[place]
    error = RuleError(
        "E0302", f"{call.name} takes a place for each of the {size}; got x {x}", argument="x"
    )
    if len(x.shape) == 1:
        call.require_equal(x.shape[0], size, error)
        return tensor.shape, together(tensor, x)
    if len(x.shape) != len(tensor.shape):
        raise error
    call.require_equal(x.shape[place], size, error)
    shape = broadcast(call.require_equal, tensor.shape, x.shape, call.value)
    return shape, together(tensor, x)


# ── statistics of rows ───────────────────────────────────────────────────────────────────────────


def covariance(call: Call) -> TensorType:
    """``cov(input)``, ``corrcoef(input)``: ``[K, N]`` to ``[K, K]``, a vector to one number.

    Integers become floats; E0301, E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "ifc")
    if len(tensor.shape) > 2:
        raise RuleError(
            "E0301", f"{call.name} takes [K, N] or a vector; got {dimensions(len(tensor.shape))}"
        )
    dtype = tensor.dtype if tensor.differentiable else "float"
    if len(tensor.shape) < 2 or known(call, tensor.shape[0]) == 1:
        return TensorType(dtype, ())
    rows = tensor.shape[0]
    message = f"{call.name} of {tensor} is a matrix: one row would give one number"
    call.require_at_least(rows, 2, RuleError("E0305", message))
    return TensorType(dtype, (rows, rows))


def renormalized(call: Call) -> TensorType:
    """``renorm(input, p, dim, maxnorm)``: shape kept; E0301, E0304, E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "fc")
    if len(tensor.shape) < 2:
        raise RuleError("E0301", f"renorm takes at least 2 dimensions; got {tensor}")
    axis(call, len(tensor.shape))
    return tensor.with_shape(tensor.shape)


# ── looking up in a sorted sequence ──────────────────────────────────────────────────────────────


def searched(call: Call) -> TensorType:
    """``searchsorted(sorted_sequence, input)``: the place of each value, 0 to the length.

    A sequence for each row of the input, or one for all; E0301, E0302, E0306."""
    sequence, tensor = call.tensor("sorted_sequence"), _wanted(call, "sorted_sequence")
    if len(sequence.shape) > 1:
        if len(sequence.shape) != len(tensor.shape):
            raise RuleError(
                "E0301", f"searchsorted takes one rank, or a vector; got {sequence} and {tensor}"
            )
        for one, other in zip(sequence.shape[:-1], tensor.shape[:-1], strict=True):
            message = f"searchsorted: {sequence} and {tensor} differ in {one} and {other}"
            call.require_equal(one, other, RuleError("E0302", message))
    return _looked_up(call, sequence, tensor)


def bucketed(call: Call) -> TensorType:
    """``bucketize(input, boundaries)``: the bucket of each value; E0301, E0306."""
    boundaries = call.tensor("boundaries")
    if len(boundaries.shape) != 1:
        raise RuleError("E0301", f"bucketize takes a vector of boundaries; got {boundaries}")
    return _looked_up(call, boundaries, _wanted(call, "boundaries"))


def _wanted(call: Call, among: str) -> TensorType:
    """What is looked up: a tensor, or a number, which is of the dtype of what it is looked up
    in."""
    return call.tensor() if call.has("input") else TensorType(call.tensor(among).dtype, ())


def _looked_up(call: Call, sequence: TensorType, tensor: TensorType) -> TensorType:
    for given in (sequence, tensor):
        require_kind(call, given, "if")
    require_same_dtype(call, sequence, tensor)
    if not sequence.shape:
        raise RuleError("E0301", f"{call.name} takes a vector to search; got {sequence}")
    dtype = "int32" if call.args["out_int32"] else "int64"
    if dtype == "int32":
        return TensorType(dtype, tensor.shape)
    return TensorType(dtype, tensor.shape, "index", sequence.shape[-1] + 1)
