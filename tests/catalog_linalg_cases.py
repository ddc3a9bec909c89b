"""Generated calls of linear algebra and Fourier transforms."""

from __future__ import annotations

from typing import Any

from catalog_case_parts import Case, Draw, partner, seldom, small, tensor_of
from hypothesis import strategies as st

from specc.catalog.rows import FunctionRow
from specc.ir import TensorType

INEXACT = st.sampled_from(["float", "float", "float", "complex", "complex", "int64"])


def linalg(draw: Draw, row: FunctionRow) -> Case:
    rows = draw(small)
    columns = rows if not seldom(draw, 4) else draw(small)
    lead = draw(st.sampled_from([(), (), (2,), (3, 2)]))
    kind = draw(INEXACT)
    tensor = TensorType(kind, (*lead, rows, columns))
    if seldom(draw, 9):
        tensor = tensor_of(draw, most=2, dtype=kind)
    (first, *_) = (a.name for a in row.arguments if a.is_tensor)
    if row.name in ("solve", "solve_triangular", "cholesky_solve"):
        return _solved(draw, row, tensor)
    if row.name in ("svd", "svdvals", "qr", "lu", "pinv", "matrix_norm", "matrix_rank", "cond"):
        last = [draw(small)] if tensor.shape else []
        tensor = TensorType(tensor.dtype, (*tensor.shape[:-1], *last))
    if "atol" in row.by_name and draw(st.booleans()):
        return _within(draw, row, tensor)
    return _settings(draw, row, tensor), {first: tensor}


def _within(draw: Draw, row: FunctionRow, tensor: TensorType) -> Case:
    """With a tolerance for each matrix."""
    args: dict[str, Any] = {"hermitian": False}
    tensors = {"input": tensor}
    for name in ("atol", "rtol"):
        if draw(st.booleans()):
            batch = TensorType(tensor.dtype, tensor.shape[:-2])
            tensors[name] = partner(draw, batch, draw(st.sampled_from(["float", "int64"])))
        elif seldom(draw, 3):
            args[name] = 0.1
    return args, tensors


def _settings(draw: Draw, row: FunctionRow, tensor: TensorType) -> dict[str, Any]:
    match row.name:
        case "matrix_norm":
            dims = ((-2, -1), (-2, -1), (0, 1), (0, 0), (0, 5), ())
            orders = ("fro", "nuc", 2, -2, 1, float("inf"), 3)
            return {"ord": draw(st.sampled_from(orders)), "dim": draw(st.sampled_from(dims))}
        case "cond":
            return {"p": draw(st.sampled_from([None, 2, -2, 1, "fro", "nuc", 3]))}
        case "matrix_power":
            return {"n": draw(st.integers(-1, 3))}
        case "pinv" | "matrix_rank":
            square = len(tensor.shape) > 1 and tensor.shape[-1] == tensor.shape[-2]
            return {"hermitian": draw(st.booleans()) and (square or seldom(draw))}
        case "qr":
            return {"mode": draw(st.sampled_from(["reduced", "complete"]))}
        case "svd":
            return {"full_matrices": draw(st.booleans())}
        case "cholesky" | "cholesky_inverse":
            return {"upper": draw(st.booleans())}
        case "vander":
            return {"N": draw(st.none() | st.integers(1, 4))}
        case "eigh" | "eigvalsh":
            return {"UPLO": draw(st.sampled_from(["L", "U"]))}
    return {}


def _solved(draw: Draw, row: FunctionRow, matrix: TensorType) -> Case:
    args: dict[str, Any] = {}
    if "left" in row.by_name:
        args["left"] = draw(st.sampled_from([True, True, False]))
    if "upper" in row.by_name:
        args["upper"] = draw(st.booleans())
    size = matrix.shape[-1] if matrix.shape else 1
    lead = draw(st.sampled_from([matrix.shape[:-2], matrix.shape[:-2], (), (1,)]))
    width = draw(small)
    rows = size + draw(st.sampled_from([0, 0, 0, 1]))
    shape = (*lead, rows, width) if args.get("left", True) else (*lead, width, rows)
    if row.name == "solve" and draw(st.integers(0, 2)) == 0:
        shape = (*lead, rows)
    right = TensorType(matrix.dtype if not seldom(draw, 9) else "float", shape)
    if row.name == "cholesky_solve":
        return args, {"B": right, "L": matrix}
    return args, {("A" if row.name == "solve" else "input"): matrix, "B": right}


def spectral(draw: Draw, row: FunctionRow) -> Case:
    tensor = tensor_of(draw, 0 if seldom(draw) else 1 + row.name.endswith("2"), 3)
    if row.name.endswith("shift"):
        places = st.integers(-3, 2)
        return {"dim": draw(st.none() | places | st.tuples(places, places) | st.just(()))}, {
            "input": tensor
        }
    if draw(st.integers(0, 3)):
        real = row.name.startswith(("rfft", "ihfft"))
        tensor = TensorType("float" if real else "complex", tensor.shape)
    args: dict[str, Any] = {"norm": draw(st.sampled_from([None, "ortho", "forward"]))}
    if "n" in row.by_name:
        args |= {"n": draw(st.none() | st.integers(0, 6)), "dim": draw(st.integers(-3, 2))}
        return args, {"input": tensor}
    size = st.integers(1, 5) | st.sampled_from([-1, 0])
    if draw(st.booleans()):
        args["s"] = tuple(draw(st.lists(size, max_size=3)))
    if draw(st.booleans()):
        count = len(args["s"]) if "s" in args and not seldom(draw) else draw(st.integers(0, 3))
        args["dim"] = tuple(draw(st.integers(-3, 2)) for _ in range(count))
    for name in ("s", "dim"):
        if len(args.get(name, ())) == 1 and draw(st.booleans()):
            (args[name],) = args[name]
    return args, {"input": tensor}
