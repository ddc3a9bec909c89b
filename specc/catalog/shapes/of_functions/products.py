"""Shape rules of products with a sum added, products over chosen dimensions, and cross products.

Products do not promote dtypes in torch, so all sides must have one: E0306. Non-goals: ``matmul``
and ``einsum``, which are in ``matrix_products``.
"""

from __future__ import annotations

from itertools import pairwise

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    axis,
    broadcast,
    dimensions,
    known,
    plain,
    promote,
    real_of,
    require_kind,
    require_same_dtype,
    together,
)
from specc.catalog.shapes.of_moves.arrangement import given_tensors
from specc.ir import TensorType
from specc.sizes import Size


def multiplied(call: Call, left: str, right: str, ranks: tuple[int, int]) -> Shape:
    """The shape of ``left @ right`` of exactly these ranks; E0301, E0302, E0306."""
    one, other = call.tensor(left), call.tensor(right)
    require_kind(call, one, "ifc")
    require_same_dtype(call, one, other)
    if (len(one.shape), len(other.shape)) != ranks:
        names = {1: "a vector", 2: "a matrix", 3: "matrices [B, n, m]"}
        raise RuleError(
            "E0301",
            f"{call.name} takes {names[ranks[0]]} and {names[ranks[1]]}; got {one} and {other}",
            help="matmul takes any rank",
        )
    inner = other.shape[-2] if ranks[1] > 1 else other.shape[0]
    _equal(call, one, other, one.shape[-1], inner)
    if ranks[0] == 3:
        message = f"{call.name}: {one} and {other} differ in their batch"
        call.require_equal(one.shape[0], other.shape[0], RuleError("E0302", message))
    return (*one.shape[:-1], *(other.shape[-1:] if ranks[1] > 1 else ()))


def _equal(call: Call, one: TensorType, other: TensorType, left: Size, right: Size) -> None:
    message = f"{call.name} of {one} and {other}: the inner sizes {left} and {right} differ"
    call.require_equal(left, right, RuleError("E0302", message))


def product(call: Call, *, left: str, right: str, ranks: tuple[int, int]) -> TensorType:
    """``mm``, ``mv``: E0301, E0302, E0306."""
    shape = multiplied(call, left, right, ranks)
    return TensorType(call.tensor(left).dtype, shape)


def added_product(
    call: Call, *, left: str, right: str, ranks: tuple[int, int], summed: bool = False
) -> TensorType:
    """``addmm``, ``addmv``, ``addbmm``: a product (``summed`` over the batch) and an input that
    stretches to it; E0301, E0302, E0306."""
    shape = multiplied(call, left, right, ranks)
    return _added(call, TensorType(call.tensor(left).dtype, shape[1:] if summed else shape))


def added_outer(call: Call) -> TensorType:
    """``addr(input, vec1, vec2)``: an outer product and an input that stretches to it, dtypes
    promoted; E0301, E0302."""
    one, other = call.tensor("vec1"), call.tensor("vec2")
    if len(one.shape) != 1 or len(other.shape) != 1:
        raise RuleError("E0301", f"addr takes two vectors; got {one} and {other}")
    dtype = promote(promote(one.dtype, other.dtype), call.tensor().dtype)
    return _stretched(call, TensorType(dtype, (one.shape[0], other.shape[0])))


def _added(call: Call, result: TensorType) -> TensorType:
    require_same_dtype(call, call.tensor(), result)
    return _stretched(call, result)


def _stretched(call: Call, result: TensorType) -> TensorType:
    tensor = call.tensor()
    error = RuleError(
        "E0302", f"{call.name}: {tensor} does not stretch to {result}", argument="input"
    )
    if len(tensor.shape) > len(result.shape):
        raise error
    for size, wanted in zip(reversed(tensor.shape), reversed(result.shape), strict=False):
        if known(call, size) != 1:
            call.require_equal(size, wanted, error)
    for name in ("beta", "alpha"):
        if not result.differentiable and isinstance(plain(call, name), float):
            raise RuleError(
                "E0307",
                f"{name} of {call.name} must be a whole number for {result}",
                argument=name,
            )
    return result


def vector_product(call: Call, *, other: str) -> TensorType:
    """``dot``, ``vdot``: two vectors of one length to a number; E0301, E0302, E0306."""
    one, two = call.tensor(), call.tensor(other)
    require_kind(call, one, "ifc")
    require_same_dtype(call, one, two)
    if len(one.shape) != 1 or len(two.shape) != 1:
        raise RuleError(
            "E0301", f"{call.name} takes two vectors; got {one} and {two}", help="use @"
        )
    _equal(call, one, two, one.shape[0], two.shape[0])
    return TensorType(one.dtype, ())


def outer(call: Call) -> TensorType:
    """``outer(input, vec2)``: two vectors to a matrix, dtypes promoted; E0301."""
    one, other = call.tensor("input"), call.tensor("vec2")
    if len(one.shape) != 1 or len(other.shape) != 1:
        raise RuleError("E0301", f"outer takes two vectors; got {one} and {other}")
    return TensorType(promote(one.dtype, other.dtype), (one.shape[0], other.shape[0]))


def inner(call: Call) -> TensorType:
    """``inner(input, other)``: products summed over the last dimensions; E0302, E0306."""
    one, other = call.tensor(), call.tensor("other")
    if not one.shape or not other.shape:
        return TensorType(together(one, other), (*one.shape, *other.shape))
    require_kind(call, one, "ifc")
    require_same_dtype(call, one, other)
    _equal(call, one, other, one.shape[-1], other.shape[-1])
    return TensorType(one.dtype, (*one.shape[:-1], *other.shape[:-1]))


def kronecker(call: Call) -> TensorType:
    """``kron(input, other)``: sizes multiplied, aligned at the last dimension."""
    one, other = call.tensor(), call.tensor("other")
    rank = max(len(one.shape), len(other.shape))
    left = (1,) * (rank - len(one.shape)) + one.shape
    right = (1,) * (rank - len(other.shape)) + other.shape
    shape = tuple(a * b for a, b in zip(left, right, strict=True))
    # Even a scalar is widened by it.
    return TensorType(promote(one.dtype, other.dtype), shape)


def contracted(call: Call) -> TensorType:
    """``tensordot(a, b, dims)``: summed over the last ``dims`` of a and the first of b, or over
    pairs of dimensions; E0302, E0304, E0306, E0307."""
    one, other = call.tensor("a"), call.tensor("b")
    require_kind(call, one, "ifc")
    require_same_dtype(call, one, other)
    given = plain(call, "dims")
    if isinstance(given, int):
        if not 0 <= given <= min(len(one.shape), len(other.shape)):
            raise RuleError(
                "E0307",
                f"tensordot over {dimensions(given)} of {one} and {other}",
                argument="dims",
            )
        left = tuple(range(len(one.shape) - given, len(one.shape)))
        right = tuple(range(given))
    else:
        left, right = _pairs(call, given, one, other)
    for first, second in zip(left, right, strict=True):
        sizes = one.shape[first], other.shape[second]
        if 1 not in (known(call, sizes[0]), known(call, sizes[1])):
            _equal(call, one, other, *sizes)
    return TensorType(
        one.dtype,
        (
            *(size for place, size in enumerate(one.shape) if place not in left),
            *(size for place, size in enumerate(other.shape) if place not in right),
        ),
    )


def _pairs(
    call: Call, given: object, one: TensorType, other: TensorType
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    sides = [side for side in given if isinstance(side, tuple)] if isinstance(given, tuple) else []
    if not isinstance(given, tuple) or not len(sides) == len(given) == 2:
        raise RuleError(
            "E0307",
            f"dims of tensordot are a number or two tuples; got {given}",
            help="write dims=((1,), (0,))",
            argument="dims",
        )
    if len(sides[0]) != len(sides[1]):
        raise RuleError("E0307", "dims of tensordot are two tuples of one length", argument="dims")
    places = []
    for side, tensor in zip(sides, (one, other), strict=True):
        found = tuple(axis(call, len(tensor.shape), "dims", item) for item in side)
        if len(set(found)) != len(found) or (found and not tensor.shape):
            raise RuleError("E0307", f"dims of tensordot name {side} twice", argument="dims")
        places.append(found)
    return places[0], places[1]


def chained(call: Call) -> TensorType:
    """``multi_dot([a, b, c])``: the product of matrices in the cheapest order; the first and the
    last may be vectors. E0301, E0302, E0306, E0307."""
    types = given_tensors(call)
    if len(types) < 2:
        raise RuleError("E0307", "multi_dot takes at least two values", argument="tensors")
    for each in types:
        require_kind(call, each, "ifc")
        require_same_dtype(call, types[0], each)
    ends = (types[0], types[-1])
    if any(len(each.shape) != 2 for each in types[1:-1]) or any(
        len(each.shape) not in (1, 2) for each in ends
    ):
        listed = ", ".join(str(each) for each in types)
        raise RuleError("E0301", f"multi_dot takes matrices, vectors at the ends; got {listed}")
    for one, other in pairwise(types):
        _equal(call, one, other, one.shape[-1], other.shape[0])
    rows = types[0].shape[:1] if len(types[0].shape) == 2 else ()
    columns = types[-1].shape[1:]
    return TensorType(types[0].dtype, (*rows, *columns))


def crossed(call: Call) -> TensorType:
    """``cross(input, other, dim)``: vectors of three along ``dim``; E0301, E0302, E0304, E0306."""
    one, other = call.tensor(), call.tensor("other")
    if len(one.shape) != len(other.shape) or not one.shape:
        raise RuleError("E0301", f"cross takes two values of one rank; got {one} and {other}")
    require_kind(call, one, "ifc")
    require_same_dtype(call, one, other)
    place = axis(call, len(one.shape))
    for each in (one, other):
        message = f"cross takes vectors of 3; dimension {place} of {each} has {each.shape[place]}"
        call.require_equal(each.shape[place], 3, RuleError("E0302", message, argument="dim"))
    shape = broadcast(call.require_equal, one.shape, other.shape, call.value)
    return TensorType(one.dtype, shape)


def dotted(call: Call) -> TensorType:
    """``vecdot(x, y, dim)``: products summed along ``dim``; E0302, E0304, E0306."""
    one, other = call.tensor("x"), call.tensor("y")
    require_kind(call, one, "fc")
    require_same_dtype(call, one, other)
    shape = broadcast(call.require_equal, one.shape, other.shape, call.value)
    if not shape:
        raise RuleError("E0301", f"vecdot takes at least 1 dimension; got {one} and {other}")
    place = axis(call, len(shape))
    return TensorType(one.dtype, (*shape[:place], *shape[place + 1 :]))


def distance(call: Call) -> TensorType:
    """``dist(input, other, p)``: the p-norm of the difference, one number; E0302, E0306."""
    one, other = call.tensor(), call.tensor("other")
    for each in (one, other):
        if each.dtype == "bool":
            require_kind(call, each, "ifc")
    broadcast(call.require_equal, one.shape, other.shape, call.value)
    result = TensorType(together(one, other), ())
    require_kind(call, result, "fc")
    return TensorType(real_of(result.dtype), ())
