"""Shape rules of what joins several values or takes one apart: stacks, grids, splits.

Non-goal: ``cat``, ``stack``, ``split`` and ``chunk``, which are in ``arrangement``.
"""

from __future__ import annotations

from dataclasses import replace
from math import comb

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    as_sizes,
    axis_of,
    bracketed,
    broadcast,
    integer,
    known,
    product,
    rearranged,
)
from specc.catalog.shapes.of_moves.arrangement import (
    concatenated,
    given_tensors,
    pieces,
    require_few,
    together,
)
from specc.ir import ResultType, TensorType
from specc.sizes import Size

# Of 64 and more there are more choices than a machine holds, or hardly any.
_MOST_CHOSEN = 64


def at_least_dimensions(tensor: TensorType, rank: int) -> TensorType:
    """``tensor`` with at least ``rank`` dimensions, new ones of size 1 as ``atleast_3d`` puts
    them: in front, but for the last of three."""
    shape = tensor.shape
    if len(shape) < rank:
        if rank == 3:
            shape = {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)]
        else:
            shape = (1,) * (rank - len(shape)) + shape
    return rearranged(tensor, shape)


def widened(call: Call, *, rank: int) -> ResultType:
    """``atleast_1d``, ``atleast_2d``, ``atleast_3d``: of one value, or of each."""
    types = tuple(at_least_dimensions(each, rank) for each in given_tensors(call))
    return types if len(types) > 1 else types[0]


def stacked(call: Call, *, rank: int, dim: int) -> TensorType:
    """``hstack``, ``vstack``, ``dstack``: values of at least ``rank`` dimensions, joined along
    ``dim``; E0301, E0302."""
    types = tuple(at_least_dimensions(each, rank) for each in given_tensors(call))
    if dim == 1 and len(types[0].shape) == 1:
        dim = 0
    return concatenated(replace(call, args={"dim": dim}, tensors={"tensors": types}))


def column_stacked(call: Call) -> TensorType:
    """``column_stack``: vectors as columns, joined along dimension 1; E0301, E0302."""
    types = tuple(
        rearranged(each, (product(each.shape), 1)) if len(each.shape) < 2 else each
        for each in given_tensors(call)
    )
    return concatenated(replace(call, args={"dim": 1}, tensors={"tensors": types}))


def block_diagonal(call: Call) -> TensorType:
    """``block_diag``: matrices along a diagonal, zeros elsewhere; E0301."""
    rows: Size = 0
    columns: Size = 0
    types = given_tensors(call)
    for each in types:
        if len(each.shape) > 2:
            raise RuleError("E0301", f"block_diag takes matrices; got {each}")
        shape = (1,) * (2 - len(each.shape)) + each.shape
        rows, columns = rows + shape[0], columns + shape[1]
    return TensorType(together(types, ()).dtype, (rows, columns))


def _vectors(call: Call) -> tuple[TensorType, ...]:
    types = given_tensors(call)
    for each in types:
        if len(each.shape) > 1:
            raise RuleError("E0301", f"{call.name} takes vectors; got {each}")
        if each.dtype != types[0].dtype:
            raise RuleError(
                "E0306", f"{call.name} takes values of one dtype; got {types[0]} and {each}"
            )
    return types


def gridded(call: Call) -> ResultType:
    """``meshgrid(tensors, indexing)``: each vector over the grid of all; E0301, E0306.

    ``xy`` exchanges the first two dimensions."""
    types = _vectors(call)
    sizes = [product(each.shape) for each in types]
    if call.args["indexing"] == "xy" and len(sizes) > 1:
        sizes[0], sizes[1] = sizes[1], sizes[0]
    return tuple(rearranged(each, tuple(sizes)) for each in types)


def multiplied_out(call: Call) -> TensorType:
    """``cartesian_prod``: every choice of an element from each vector, a row each; E0301."""
    types = _vectors(call)
    for each in types:
        if len(each.shape) != 1:
            raise RuleError("E0301", f"cartesian_prod takes vectors; got {each}")
    if len(types) == 1:
        return rearranged(types[0], types[0].shape)
    rows = product(each.shape[0] for each in types)
    return together(types, (rows, len(types)))


def combined(call: Call) -> TensorType:
    """``combinations(input, r)``: every choice of r elements, a row each; E0301, E0307, E0308."""
    tensor = call.tensor()
    if len(tensor.shape) != 1:
        raise RuleError("E0301", f"combinations takes a vector; got {tensor}")
    count, size = integer(call, "r"), known(call, tensor.shape[0])
    if count < 1:
        raise RuleError("E0307", f"r of combinations must be at least 1, and is {count}")
    if size is None:
        raise RuleError(
            "E0308", f"combinations: how many there are of {tensor.shape[0]} cannot be told"
        )
    if count > _MOST_CHOSEN:
        raise RuleError(
            "E0307", f"r of combinations is at most {_MOST_CHOSEN}, and is {count}", argument="r"
        )
    again = bool(call.args["with_replacement"])
    rows = comb(size + count - 1, count) if again else comb(size, count)
    if rows == 0:
        raise RuleError("E0307", f"there are no {count} of {tensor}", argument="r")
    return rearranged(tensor, (rows, count))


def broadcast_together(call: Call) -> ResultType:
    """``broadcast_tensors(*tensors)``: each stretched to the shape of all; E0302."""
    types = given_tensors(call)
    shape: Shape = ()
    for each in types:
        shape = broadcast(call.require_equal, shape, each.shape, call.value)
    return tuple(rearranged(each, shape) for each in types)


# ── taken apart ──────────────────────────────────────────────────────────────────────────────────


def split_anywhere(call: Call) -> ResultType:
    """``tensor_split(input, indices_or_sections, dim)``: so many pieces, the first one larger
    where it does not divide, or pieces that begin at the places; E0301, E0304, E0307, E0308."""
    tensor = call.tensor()
    return _split(call, tensor, axis_of(call, tensor))


def _split(call: Call, tensor: TensorType, place: int) -> ResultType:
    name, size = "indices_or_sections", tensor.shape[place]
    if isinstance(call.args[name], tuple):
        return pieces(tensor, place, _between(call, name, size))
    count, whole = integer(call, name), known(call, size)
    if count < 1:
        raise RuleError("E0307", f"{name} of {call.name} must be at least 1", argument=name)
    require_few(call, count)
    if whole is None:
        error = RuleError("E0303", f"dimension {place} of {tensor} is not divisible into {count}")
        call.require_equal(size % count, 0, error)
        return pieces(tensor, place, [size // count] * count)
    more = whole % count
    return pieces(tensor, place, [whole // count + (part < more) for part in range(count)])


def _between(call: Call, name: str, size: Size) -> list[Size]:
    """The sizes of the pieces that begin at the places ``name``, in order and inside."""
    places = [integer(call, name, value) for value in as_sizes(call, name)]
    error = RuleError(
        "E0307",
        f"{name} of {call.name} are places in {size}, in order; got {bracketed(places)}",
        argument=name,
    )
    if any(place < 0 for place in places) or places != sorted(places):
        raise error
    if places:
        call.require_at_least(size, places[-1], error)
    starts: list[Size] = [0, *places]
    return [end - start for start, end in zip(starts, [*places, size], strict=True)]


def split_along(call: Call, *, dim: int) -> ResultType:
    """``hsplit``, ``vsplit``, ``dsplit``: ``tensor_split`` along one dimension, into equal pieces.

    E0301, E0303, E0307, E0308."""
    tensor = call.tensor()
    least = max(dim, 1) + (dim > 0 or call.name == "vsplit")
    if call.name == "hsplit":
        least = 1
    if len(tensor.shape) < least:
        raise RuleError(
            "E0301", f"{call.name} takes a value of at least {least} dimensions; got {tensor}"
        )
    place = 0 if len(tensor.shape) == 1 else dim
    given = call.args["indices_or_sections"]
    if not isinstance(given, tuple):
        count = integer(call, "indices_or_sections")
        if count < 1:
            raise RuleError("E0307", f"indices_or_sections of {call.name} must be at least 1")
        message = f"{call.name}: dimension {place} of {tensor} is not divisible into {count}"
        call.require_equal(tensor.shape[place] % count, 0, RuleError("E0303", message))
    return _split(call, tensor, place)
