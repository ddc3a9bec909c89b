"""Shape rules of diagonals that are put in or made, and of matrices turned over.

Non-goal: reading a diagonal, which is ``matrix_products.diagonal``.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import axis, integer, product, rearranged, require_kind
from specc.catalog.shapes.of_functions.matrix_products import diagonal
from specc.catalog.shapes.of_moves.slices import require_shape
from specc.ir import TensorType


def turned_over(call: Call) -> TensorType:
    """``t(input)``: at most two dimensions, exchanged; E0301."""
    tensor = call.tensor()
    if len(tensor.shape) > 2:
        raise RuleError(
            "E0301",
            f"t takes a matrix or a vector; got {tensor}",
            help="write transpose(x, -2, -1)",
        )
    return rearranged(tensor, tuple(reversed(tensor.shape)))


def adjoint(call: Call) -> TensorType:
    """``adjoint(input)``: the last two dimensions exchanged, numbers conjugated; E0301. A scalar is
    its own."""
    tensor = call.tensor()
    if not tensor.shape:
        return rearranged(tensor, ())
    if len(tensor.shape) < 2:
        raise RuleError("E0301", f"adjoint takes [..., M, N]; got {tensor}")
    return rearranged(tensor, (*tensor.shape[:-2], tensor.shape[-1], tensor.shape[-2]))


def traced(call: Call) -> TensorType:
    """``trace(input)``: the sum of a matrix's diagonal; integers as int64; E0301, E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "ifc")
    if len(tensor.shape) != 2:
        raise RuleError("E0301", f"trace takes a matrix; got {tensor}")
    return TensorType(tensor.dtype if tensor.differentiable else "int64", ())


def vector_or_diagonal(call: Call) -> TensorType:
    """``diag(input, diagonal)``: of a matrix its diagonal, of a vector the matrix that has it.

    E0301, E0305, E0308."""
    tensor = call.tensor()
    if len(tensor.shape) not in (1, 2):
        raise RuleError("E0301", f"diag takes a vector or a matrix; got {tensor}")
    offset = integer(call, "diagonal")
    if len(tensor.shape) == 1:
        size = tensor.shape[0] + abs(offset)
        return rearranged(tensor, (size, size))
    args = {"offset": offset, "dim1": 0, "dim2": 1}
    return diagonal(Call(call.name, args, call.tensors, call.params, call.require_equal))


def flat_diagonal(call: Call) -> TensorType:
    """``diagflat(input, offset)``: all elements as a diagonal."""
    tensor = call.tensor()
    size = product(tensor.shape) + abs(integer(call, "offset"))
    return rearranged(tensor, (size, size))


def embedded_diagonal(call: Call) -> TensorType:
    """``diag_embed(input, offset, dim1, dim2)``: the last dimension as a diagonal of two; E0301,
    E0304, E0307."""
    tensor = call.tensor()
    if not tensor.shape:
        raise RuleError("E0301", f"diag_embed takes at least 1 dimension; got {tensor}")
    rank = len(tensor.shape) + 1
    first, second = sorted((axis(call, rank, "dim1"), axis(call, rank, "dim2")))
    if first == second:
        raise RuleError("E0307", "dim1 and dim2 of diag_embed are the same", argument="dim2")
    size = tensor.shape[-1] + abs(integer(call, "offset"))
    shape = list(tensor.shape[:-1])
    shape.insert(first, size)
    shape.insert(second, size)
    return rearranged(tensor, tuple(shape))


def scattered_diagonal(call: Call) -> TensorType:
    """``diagonal_scatter(input, src, ...)``: the input with src on a diagonal; E0302, E0306."""
    tensor = call.tensor()
    require_shape(call, call.tensor("src"), diagonal(call).shape, tensor, "src")
    return tensor.with_shape(tensor.shape)


def ranged(call: Call) -> TensorType:
    """``tril_indices``, ``triu_indices``: the places of a triangle, ``[2, count]``; E0307."""
    rows, columns, offset = (integer(call, name) for name in ("row", "col", "offset"))
    if rows < 0 or columns < 0:
        raise RuleError("E0307", f"{call.name} takes sizes of at least 0")
    below = sum(min(max(place + offset + 1, 0), columns) for place in range(rows))
    if call.name == "triu_indices":
        before = sum(min(max(place + offset, 0), columns) for place in range(rows))
        return TensorType("int64", (2, rows * columns - before))
    return TensorType("int64", (2, below))
