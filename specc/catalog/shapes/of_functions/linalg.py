"""Shape rules of linear algebra: norms, determinants, factorizations, solutions.

All but the norms of vectors treat the last two dimensions as a matrix and those before as a batch.
Non-goal: whether a matrix can be inverted or factored, which the run sees.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    axes,
    broadcast,
    integer,
    known,
    lifted,
    plain,
    real_of,
    require_kind,
    require_same_dtype,
)
from specc.catalog.shapes.of_functions.reduction import without
from specc.ir import ResultType, TensorType
from specc.sizes import Size


def matrices(call: Call, name: str, *, square: bool = False, takes: str = "fc") -> TensorType:
    """The argument ``name``, which must be ``[..., M, N]``; E0301, E0302, E0306."""
    tensor = call.tensor(name)
    require_kind(call, tensor, takes, name)
    if len(tensor.shape) < 2:
        layout = "[..., N, N]" if square else "[..., M, N]"
        raise RuleError("E0301", f"{call.name} takes {layout}; got {tensor}", argument=name)
    if square:
        message = f"{call.name} takes square matrices [..., N, N]; got {tensor}"
        error = RuleError("E0302", message, argument=name)
        call.require_equal(tensor.shape[-2], tensor.shape[-1], error)
    return tensor


def smaller(call: Call, tensor: TensorType) -> Size:
    """The smaller of the last two sizes; E0308 where that cannot be told."""
    one, other = tensor.shape[-2:]
    rows, columns = known(call, one), known(call, other)
    if one == other:
        return one
    if rows is None or columns is None:
        raise RuleError(
            "E0308",
            f"{call.name}: which of {one} and {other} of {tensor} is smaller cannot be told",
        )
    return min(rows, columns)


# ── norms ────────────────────────────────────────────────────────────────────────────────────────


def norm(call: Call) -> TensorType:
    """``norm(input, ord, dim)``: of a vector for one dimension, of a matrix for two; E0301, E0304,
    E0306, E0307.

    Without ``ord`` and ``dim`` the 2-norm of all values."""
    tensor = call.tensor()
    require_kind(call, tensor, "fc")
    order, dim = plain(call, "ord"), call.args["dim"]
    rank = len(tensor.shape)
    if order is not None and dim is None and rank not in (1, 2):
        raise RuleError(
            "E0301",
            f"norm with ord and without dim takes a vector or a matrix; got {tensor}",
            help="name the dimensions: dim=-1",
            argument="ord",
        )
    found = axes(call, rank)
    if dim is not None and len(found) not in (1, 2):
        raise RuleError(
            "E0307",
            "norm goes over one or two dim",
            help="vector_norm goes over any number of them",
            argument="dim",
        )
    if len(found) == 2 and order is not None:
        _require_matrix_order(call, order)
    elif isinstance(order, str):
        raise RuleError("E0307", f'ord="{order}" is of a matrix: two dimensions', argument="ord")
    return TensorType(real_of(tensor.dtype), without(call, tensor, found))


def _require_matrix_order(call: Call, order: object) -> None:
    if order not in ("fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf")):
        raise RuleError(
            "E0307",
            f'ord of a matrix is "fro", "nuc", 1, -1, 2, -2 or infinite, and is {order}',
            argument="ord",
        )


def matrix_norm(call: Call) -> TensorType:
    """``matrix_norm(input, ord, dim)``: of the matrices in two dimensions; E0301, E0304, E0307."""
    tensor = matrices(call, "input")
    found = axes(call, len(tensor.shape))
    if len(found) != 2:
        raise RuleError("E0307", "dim of matrix_norm are two dimensions", argument="dim")
    _require_matrix_order(call, plain(call, "ord"))
    return TensorType(real_of(tensor.dtype), without(call, tensor, found))


def condition(call: Call) -> TensorType:
    """``cond(input, p)``: the condition number; E0301, E0302, E0306, E0307.

    Only the norms of singular values are of matrices that are not square."""
    order = plain(call, "p")
    tensor = matrices(call, "input", square=order not in (None, 2, -2))
    if order is not None:
        _require_matrix_order(call, order)
    return TensorType(real_of(tensor.dtype), tensor.shape[:-2])


def rank(call: Call) -> TensorType:
    """``matrix_rank(input)``: int64 for each matrix; E0301, E0306, square where hermitian."""
    tensor = matrices(call, "input", square=bool(plain(call, "hermitian")))
    return TensorType("int64", _with_tolerances(call, tensor.shape[:-2]))


def _with_tolerances(call: Call, batch: Shape) -> Shape:
    """``batch`` with the shapes of ``atol`` and ``rtol`` where they are tensors, one for each
    matrix; E0302, E0306, E0307 for one tensor beside one number."""
    names = ("atol", "rtol")
    if any(map(call.has, names)) and any(plain(call, name) is not None for name in names):
        raise RuleError(
            "E0307",
            f"{call.name} takes tensors for both tolerances, or numbers for both",
            argument="rtol" if call.has("atol") else "atol",
        )
    for name in filter(call.has, names):
        require_kind(call, call.tensor(name), "bif", name)
        batch = broadcast(call.require_equal, batch, call.tensor(name).shape, call.value)
    return batch


# ── of square matrices ───────────────────────────────────────────────────────────────────────────


def determinant(call: Call, *, name: str = "A") -> TensorType:
    """``det``, ``logdet``: one number for each matrix; E0301, E0302, E0306."""
    tensor = matrices(call, name, square=True)
    return TensorType(tensor.dtype, tensor.shape[:-2])


def signed_determinant(call: Call) -> ResultType:
    """``slogdet``: the sign, and the logarithm of the size; E0301, E0302, E0306."""
    sign = determinant(call)
    return sign, TensorType(real_of(sign.dtype), sign.shape)


def square(call: Call, *, name: str = "input") -> TensorType:
    """``inv``, ``cholesky``, ``matrix_exp``: shape kept; E0301, E0302, E0306."""
    tensor = matrices(call, name, square=True)
    return TensorType(tensor.dtype, tensor.shape)


def powered(call: Call) -> TensorType:
    """``matrix_power(input, n)``: shape kept; E0301, E0302, E0306 for the inverse of integers."""
    takes = "ifc" if integer(call, "n") >= 0 else "fc"
    tensor = matrices(call, "input", square=True, takes=takes)
    return TensorType(tensor.dtype, tensor.shape)


def pseudo_inverse(call: Call) -> TensorType:
    """``pinv(input)``: ``[..., M, N]`` to ``[..., N, M]``; E0301, E0306, square where hermitian."""
    tensor = matrices(call, "input", square=bool(plain(call, "hermitian")))
    batch = _with_tolerances(call, tensor.shape[:-2])
    return TensorType(tensor.dtype, (*batch, tensor.shape[-1], tensor.shape[-2]))


# ── factorizations ───────────────────────────────────────────────────────────────────────────────


def orthogonal(call: Call) -> ResultType:
    """``qr(A, mode)``: Q and R, the reduced ones or the complete; E0301, E0306, E0308."""
    tensor = matrices(call, "A")
    *batch, rows, columns = tensor.shape
    inner = rows if plain(call, "mode") == "complete" else smaller(call, tensor)
    left, right = (*batch, rows, inner), (*batch, inner, columns)
    return TensorType(tensor.dtype, left), TensorType(tensor.dtype, right)


def singular(call: Call) -> ResultType:
    """``svd(A, full_matrices)``: U, S, Vh; E0301, E0306, E0308."""
    tensor = matrices(call, "A")
    *batch, rows, columns = tensor.shape
    inner = smaller(call, tensor)
    full = bool(plain(call, "full_matrices"))
    return (
        TensorType(tensor.dtype, (*batch, rows, rows if full else inner)),
        TensorType(real_of(tensor.dtype), (*batch, inner)),
        TensorType(tensor.dtype, (*batch, columns if full else inner, columns)),
    )


def singular_values(call: Call) -> TensorType:
    """``svdvals(A)``: the largest first; E0301, E0306, E0308."""
    tensor = matrices(call, "A")
    return TensorType(real_of(tensor.dtype), (*tensor.shape[:-2], smaller(call, tensor)))


def eigenvalues(call: Call) -> TensorType:
    """``eigvalsh(input)``: real, the smallest first; E0301, E0302, E0306."""
    tensor = matrices(call, "input", square=True)
    return TensorType(real_of(tensor.dtype), tensor.shape[:-1])


def eigenvectors(call: Call) -> ResultType:
    """``eigh(input)``: the eigenvalues, and a column for each; E0301, E0302, E0306."""
    return eigenvalues(call), square(call)


def triangular_factors(call: Call) -> ResultType:
    """``lu(A)``: P, L and U; E0301, E0306, E0307, E0308."""
    if plain(call, "pivot") is False:
        raise RuleError(
            "E0307",
            "torch has lu without pivoting on CUDA alone, and a spec runs on the CPU as well",
            help="leave `pivot` out",
            argument="pivot",
        )
    tensor = matrices(call, "A")
    *batch, rows, columns = tensor.shape
    inner = smaller(call, tensor)
    shapes = ((*batch, rows, rows), (*batch, rows, inner), (*batch, inner, columns))
    p, lower, upper = (TensorType(tensor.dtype, shape) for shape in shapes)
    return p, lower, upper


# ── solutions ────────────────────────────────────────────────────────────────────────────────────


def solved(call: Call) -> TensorType:
    """``solve(A, B, left)``: X with A X = B, or X A = B; E0301, E0302, E0306.

    A B of one dimension less than A, or of A's batch and rows, is a vector for each matrix."""
    matrix, right = matrices(call, "A", square=True), call.tensor("B")
    require_same_dtype(call, matrix, right)
    *batch, _, size = matrix.shape
    vector = len(right.shape) == 1 or (
        len(right.shape) == len(matrix.shape) - 1
        and all(known(call, a - b) == 0 for a, b in zip(right.shape, (*batch, size), strict=True))
    )
    if not right.shape:
        raise RuleError("E0301", f"solve takes [..., N, K] or [..., N]; got {right}", argument="B")
    if vector:
        if not plain(call, "left"):
            raise RuleError("E0307", "solve from the right takes matrices", argument="left")
        _fits(call, matrix, right, size, right.shape[-1])
        return TensorType(matrix.dtype, (*_batch(call, tuple(batch), right.shape[:-1]), size))
    return _solved_matrices(call, matrix, right)


def solved_triangular(call: Call) -> TensorType:
    """``solve_triangular(input, B, upper, left)``: as ``solve``, of matrices; E0301, E0302."""
    matrix, right = matrices(call, "input", square=True), matrices(call, "B")
    require_same_dtype(call, matrix, right)
    return _solved_matrices(call, matrix, right)


def _solved_matrices(call: Call, matrix: TensorType, right: TensorType) -> TensorType:
    inner = right.shape[-2] if plain(call, "left") else right.shape[-1]
    _fits(call, matrix, right, matrix.shape[-1], inner)
    batch = _batch(call, matrix.shape[:-2], right.shape[:-2])
    return TensorType(matrix.dtype, (*batch, *right.shape[-2:]))


def solved_cholesky(call: Call) -> TensorType:
    """``cholesky_solve(B, L)``: X with L L^H X = B; E0301, E0302, E0306."""
    right, factor = matrices(call, "B"), matrices(call, "L", square=True)
    require_same_dtype(call, right, factor)
    _fits(call, factor, right, factor.shape[-1], right.shape[-2])
    batch = _batch(call, right.shape[:-2], factor.shape[:-2])
    return TensorType(right.dtype, (*batch, *right.shape[-2:]))


def _fits(call: Call, matrix: TensorType, right: TensorType, one: Size, other: Size) -> None:
    message = f"{call.name}: {matrix} takes {one} rows, and {right} has {other}"
    call.require_equal(one, other, RuleError("E0302", message))


def _batch(call: Call, left: Shape, right: Shape) -> Shape:
    return broadcast(call.require_equal, left, right, call.value)


def powers(call: Call) -> TensorType:
    """``vander(x, N)``: the powers 0 to N - 1 of each element, a scalar being a vector of one;
    E0306, E0307."""
    tensor = call.tensor("x")
    require_kind(call, tensor, "ifc")
    if call.args["N"] is None:
        count: Size = lifted(tensor.shape)[-1]
        error = RuleError("E0307", f"vander of {tensor} needs its N: there is one power")
        call.require_at_least(count, 2, error)
    else:
        count = integer(call, "N")
        if count < 2:
            raise RuleError("E0307", f"N of vander is more than 1, and is {count}", argument="N")
    dtype = tensor.dtype if tensor.differentiable else "int64"
    return TensorType(dtype, (*lifted(tensor.shape), count))
