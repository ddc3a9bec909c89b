"""Rows of functions that join several values into one, or take one apart."""

from __future__ import annotations

from functools import partial

from specc.catalog.functions.family import Family
from specc.catalog.shapes.of_moves import arrangement
from specc.catalog.shapes.of_moves import joining as rules

_row = Family(
    "joining",
    signature="tensors: tensors",
    example="x: float[N, 6], y: float[N, 6] | {}([x, y])",
)


_PIECES = "input: tensor, indices_or_sections: int | ints"
_THREE = "x: float[N, 6] | a, b, c = {}(x, 3)"

ROWS = (
    _row(
        "torch.cat",
        "values one after another",
        arrangement.concatenated,
        "tensors: tensors, dim: int = 0",
    ),
    _row(
        "torch.stack",
        "values along a new dimension",
        arrangement.stacked,
        "tensors: tensors, dim: int = 0",
    ),
    _row("torch.hstack", "values side by side", partial(rules.stacked, rank=1, dim=1)),
    _row("torch.vstack", "values one below another", partial(rules.stacked, rank=2, dim=0)),
    _row("torch.dstack", "values one behind another", partial(rules.stacked, rank=3, dim=2)),
    _row("torch.column_stack", "values side by side, vectors as columns", rules.column_stacked),
    _row(
        "torch.block_diag",
        "matrices along a diagonal, zeros elsewhere",
        rules.block_diagonal,
        "*tensors: tensor",
        example="x: float[N, 6], y: float[N, 2] | block_diag(x, y)",
    ),
    _row(
        "torch.meshgrid",
        "each vector over the grid of all",
        rules.gridded,
        "*tensors: tensor, *, indexing: str",
        example='x: float[N], y: float[6] | a, b = meshgrid(x, y, indexing="ij")',
        choices={"indexing": ("ij", "xy")},
    ),
    _row(
        "torch.cartesian_prod",
        "every choice of an element from each vector, a row each",
        rules.multiplied_out,
        "*tensors: tensor",
        example="x: float[N], y: float[6] | cartesian_prod(x, y)",
    ),
    _row(
        "torch.combinations",
        "every choice of r elements, a row each",
        rules.combined,
        "input: tensor, r: int = 2, with_replacement: bool = False",
        example="x: float[4] | combinations(x)",
        refuses=dict.fromkeys(
            ("export", "compile"), "torch picks the choices with a mask, and counts it"
        ),
    ),
    _row(
        "torch.broadcast_tensors",
        "each value stretched to the shape of all",
        rules.broadcast_together,
        "*tensors: tensor",
        example="x: float[N, 1], y: float[6] | a, b = broadcast_tensors(x, y)",
    ),
    *(
        _row(
            f"torch.atleast_{rank}d",
            f"the value with dimensions of size 1 up to {rank}",
            partial(rules.widened, rank=rank),
            "*tensors: tensor",
            example="x: float[N] | {}(x)",
        )
        for rank in (1, 2, 3)
    ),
    _row(
        "torch.chunk",
        "pieces of equal size",
        arrangement.chunked,
        "input: tensor, chunks: int, dim: int = 0",
        example="x: float[N, 6] | a, b = chunk(x, 2, dim=1)",
    ),
    _row(
        "torch.split",
        "pieces of given sizes",
        arrangement.split,
        "tensor: tensor, split_size_or_sections: size | sizes, dim: int = 0",
        example="x: float[N, 6] | a, b = split(x, (2, 4), dim=1)",
    ),
    _row(
        "torch.tensor_split",
        "so many pieces, as equal as can be, or pieces that begin at given places",
        rules.split_anywhere,
        f"{_PIECES}, dim: int = 0",
        example="x: float[N, 6] | a, b, c, d = tensor_split(x, 4, dim=1)",
    ),
    _row(
        "torch.hsplit",
        "pieces side by side",
        partial(rules.split_along, dim=1),
        _PIECES,
        example=_THREE,
    ),
    _row(
        "torch.vsplit",
        "pieces one below another",
        partial(rules.split_along, dim=0),
        _PIECES,
        example="x: float[6, N] | a, b, c = {}(x, 3)",
    ),
    _row(
        "torch.dsplit",
        "pieces one behind another",
        partial(rules.split_along, dim=2),
        _PIECES,
        example="x: float[N, 2, 6] | a, b, c = {}(x, 3)",
    ),
    _row(
        "torch.unbind",
        "one value for each place",
        arrangement.unbound,
        "input: tensor, dim: int = 0",
        example="x: float[N, 3] | a, b, c = unbind(x, dim=1)",
    ),
)
