"""Rows of functions that move elements and compute nothing."""

from __future__ import annotations

from functools import partial

from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes import arrangement as rules
from specc.catalog.shapes import matrix


def _row(name: str, summary: str, shape: ShapeRule, signature: str) -> FunctionRow:
    return FunctionRow(name, f"torch.{name}", signature, summary, shape=shape, family="arrangement")


ROWS = (
    _row(
        "flatten",
        "several dimensions into one",
        rules.flattened,
        "input: tensor, start_dim: int = 0, end_dim: int = -1",
    ),
    _row(
        "unflatten",
        "one dimension into several",
        partial(rules.unflattened, sizes="sizes"),
        "input: tensor, dim: int, sizes: sizes",
    ),
    _row("reshape", "the same elements", rules.reshaped, "input: tensor, *shape: size"),
    _row(
        "transpose",
        "two dimensions exchanged",
        rules.transposed,
        "input: tensor, dim0: int, dim1: int",
    ),
    _row("permute", "the dimensions in another order", rules.permuted, "input: tensor, *dims: int"),
    _row(
        "squeeze",
        "dimensions of size 1 taken away",
        rules.squeezed,
        "input: tensor, dim: int | ints",
    ),
    _row("unsqueeze", "a dimension of size 1", rules.unsqueezed, "input: tensor, dim: int"),
    _row("cat", "values one after another", rules.concatenated, "tensors: tensors, dim: int = 0"),
    _row("stack", "values along a new dimension", rules.stacked, "tensors: tensors, dim: int = 0"),
    _row(
        "chunk",
        "pieces of equal size",
        rules.chunked,
        "input: tensor, chunks: int, dim: int = 0",
    ),
    _row(
        "split",
        "pieces of given sizes",
        rules.split,
        "tensor: tensor, split_size_or_sections: size | sizes, dim: int = 0",
    ),
    _row("unbind", "one value for each place", rules.unbound, "input: tensor, dim: int = 0"),
    _row("broadcast_to", "sizes of 1 stretched", rules.stretched, "input: tensor, *size: size"),
    _row("tile", "the value repeated", rules.tiled, "input: tensor, *dims: int"),
    _row("flip", "dimensions reversed", rules.moved, "input: tensor, *dims: int"),
    _row(
        "roll",
        "places shifted around",
        rules.moved,
        "input: tensor, shifts: int | ints, dims: int | ints | none = None",
    ),
    _row("tril", "zeros above the diagonal", matrix.triangle, "input: tensor, diagonal: int = 0"),
    _row("triu", "zeros below the diagonal", matrix.triangle, "input: tensor, diagonal: int = 0"),
    _row(
        "movedim",
        "dimensions moved to other places",
        rules.dimensions_moved,
        "input: tensor, source: int | ints, destination: int | ints",
    ),
    _row(
        "diagonal",
        "the diagonal of two dimensions, at the end",
        matrix.diagonal,
        "input: tensor, offset: int = 0, dim1: int = 0, dim2: int = 1",
    ),
)
