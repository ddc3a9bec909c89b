"""Rows of functions that move elements and compute nothing."""

from __future__ import annotations

from functools import partial

from specc.catalog.functions.family import Family
from specc.catalog.shapes.of_functions import matrix_products
from specc.catalog.shapes.of_moves import arrangement as rules
from specc.catalog.shapes.of_moves import diagonals, moves, slices

_row = Family("arrangement")

_OFFSET = "input: tensor, offset: int = 0, dim1: int = {}, dim2: int = {}"

ROWS = (
    _row(
        "torch.flatten",
        "several dimensions into one",
        rules.flattened,
        "input: tensor, start_dim: int = 0, end_dim: int = -1",
        example="x: float[N, 2, 3] | flatten(x, 1)",
    ),
    _row("torch.ravel", "all dimensions into one", rules.raveled),
    _row(
        "torch.unflatten",
        "one dimension into several",
        partial(rules.unflattened, sizes="sizes"),
        "input: tensor, dim: int, sizes: sizes",
        example="x -> unflatten(1, (2, 3))",
    ),
    _row(
        "torch.reshape",
        "the same elements",
        rules.reshaped,
        "input: tensor, *shape: size",
        example="x -> reshape(N, 2, 3)",
    ),
    _row(
        "torch.transpose",
        "two dimensions exchanged",
        rules.transposed,
        "input: tensor, dim0: int, dim1: int",
        example="x -> transpose(0, 1)",
    ),
    _row(
        "torch.swapaxes",
        "two dimensions exchanged, by NumPy's name",
        partial(rules.transposed, names=("axis0", "axis1")),
        "input: tensor, axis0: int, axis1: int",
        example="x -> swapaxes(0, 1)",
    ),
    _row(
        "torch.swapdims",
        "two dimensions exchanged, as transpose",
        rules.transposed,
        "input: tensor, dim0: int, dim1: int",
        example="x -> swapdims(0, 1)",
    ),
    _row("torch.t", "a matrix transposed", diagonals.turned_over),
    _row("torch.adjoint", "matrices transposed, their numbers conjugated", diagonals.adjoint),
    _row(
        "torch.permute",
        "the dimensions in another order",
        rules.permuted,
        "input: tensor, *dims: int",
        example="x: float[N, 2, 3] | permute(x, 2, 0, 1)",
    ),
    _row(
        "torch.movedim",
        "dimensions moved to other places",
        moves.dimensions_moved,
        "input: tensor, source: int | ints, destination: int | ints",
        example="x: float[N, 2, 3] | movedim(x, 0, -1)",
    ),
    _row(
        "torch.squeeze",
        "dimensions of size 1 taken away",
        rules.squeezed,
        "input: tensor, dim: int | ints",
        example="x: float[N, 1, 6] | squeeze(x, 1)",
    ),
    _row(
        "torch.unsqueeze",
        "a dimension of size 1",
        rules.unsqueezed,
        "input: tensor, dim: int",
        example="x -> unsqueeze(1)",
    ),
    _row(
        "torch.broadcast_to",
        "sizes of 1 stretched",
        rules.stretched,
        "input: tensor, *size: size",
        example="x: float[N, 1] | broadcast_to(x, N, 4)",
    ),
    _row(
        "torch.tile",
        "the value repeated",
        rules.tiled,
        "input: tensor, *dims: int",
        example="x -> tile(1, 2)",
    ),
    _row(
        "torch.flip",
        "dimensions reversed",
        moves.moved,
        "input: tensor, *dims: int",
        example="x -> flip(1)",
    ),
    _row("torch.fliplr", "the columns reversed", partial(moves.reversed_along, dim=1)),
    _row("torch.flipud", "the rows reversed", partial(moves.reversed_along, dim=0)),
    _row(
        "torch.rot90",
        "two dimensions turned by k right angles",
        moves.turned,
        "input: tensor, k: int = 1, dims: ints = (0, 1)",
    ),
    _row(
        "torch.roll",
        "places shifted around",
        moves.moved,
        "input: tensor, shifts: size | sizes, dims: int | ints | none = None",
        example="x -> roll(1, dims=1)",
    ),
    _row(
        "torch.narrow",
        "so many places of dim, from start on",
        slices.narrowed,
        "input: tensor, dim: int, start: tensor | size, length: size",
        example="x -> narrow(1, 2, 3)",
    ),
    _row(
        "torch.select",
        "one place of dim, which goes",
        slices.picked,
        "input: tensor, dim: int, index: int",
        example="x -> select(1, -2)",
    ),
    _row(
        "torch.select_scatter",
        "the input with src at one place of dim",
        slices.put_in_place,
        "input: tensor, src: tensor, dim: int, index: int",
        example="x: float[N, 6], y: float[N] | select_scatter(x, y, 1, 2)",
    ),
    _row(
        "torch.slice_scatter",
        "the input with src at some places of dim",
        slices.put_in_slice,
        "input: tensor, src: tensor, dim: int = 0, start: size | none = None, "
        "end: size | none = None, step: int = 1",
        example="x: float[N, 6], y: float[N, 2] | slice_scatter(x, y, 1, 2, 4)",
    ),
    _row(
        "torch.tril",
        "zeros above the diagonal",
        matrix_products.triangle,
        "input: tensor, diagonal: int = 0",
    ),
    _row(
        "torch.triu",
        "zeros below the diagonal",
        matrix_products.triangle,
        "input: tensor, diagonal: int = 0",
    ),
    _row(
        "torch.diagonal",
        "the diagonal of two dimensions, at the end",
        matrix_products.diagonal,
        _OFFSET.format(0, 1),
        example="x: float[N, 4, 4] | diagonal(x, dim1=-2, dim2=-1)",
    ),
    _row(
        "torch.diag",
        "the diagonal of a matrix, or a vector as one",
        diagonals.vector_or_diagonal,
        "input: tensor, diagonal: int = 0",
        example="x: float[4, 4] | diag(x)",
    ),
    _row(
        "torch.diagflat",
        "all elements as a diagonal",
        diagonals.flat_diagonal,
        "input: tensor, offset: int = 0",
        example="x: float[2, 3] | diagflat(x)",
    ),
    _row(
        "torch.diag_embed",
        "the last dimension as the diagonal of two",
        diagonals.embedded_diagonal,
        _OFFSET.format(-2, -1),
    ),
    _row(
        "torch.diagonal_scatter",
        "the input with src on a diagonal",
        diagonals.scattered_diagonal,
        "input: tensor, src: tensor, offset: int = 0, dim1: int = 0, dim2: int = 1",
        example="x: float[4, 4], y: float[4] | diagonal_scatter(x, y)",
    ),
)
