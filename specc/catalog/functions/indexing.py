"""Rows of functions that pick elements by an index, or put them where it says.

Left out are those whose result has a size that only the values tell (masked_select, nonzero).
"""

from __future__ import annotations

from specc.catalog.functions.family import Family
from specc.catalog.shapes.of_moves import indexing as rules

_row = Family("indexing")

_AT = "input: tensor, dim: int, index: tensor"
_PICK = "x: float[N, 6], i: index(6)[N, 3] | "
_PUT = "x: float[N, 6], i: index(6)[3], y: float[N, 3] | "

ROWS = (
    _row(
        "torch.gather",
        "the elements that an index picks along dim",
        rules.gathered,
        _AT,
        example=f"{_PICK}gather(x, 1, i)",
    ),
    _row(
        "torch.take_along_dim",
        "the elements that indices pick along dim, the other sizes broadcast",
        rules.taken_along,
        "input: tensor, indices: tensor, dim: int | none = None",
        example=f"{_PICK}take_along_dim(x, i, dim=1)",
    ),
    _row(
        "torch.take",
        "the elements that an index picks of all",
        rules.taken,
        "input: tensor, index: tensor",
        example="x: float[N, 6], i: index(6)[4] | take(x, i)",
    ),
    _row(
        "torch.scatter",
        "the input with src where an index says along dim",
        rules.scattered,
        f"{_AT}, src: tensor | float | bool",
        example="x: float[N, 6], i: index(6)[N, 1] | scatter(x, 1, i, 0.5)",
    ),
    _row(
        "torch.scatter_add",
        "the input and src added where an index says along dim",
        rules.scattered,
        f"{_AT}, src: tensor",
        example="x: float[N, 6], i: index(6)[N, 3], y: float[N, 3] | scatter_add(x, 1, i, y)",
    ),
    _row(
        "torch.scatter_reduce",
        "the input and src joined where an index says along dim",
        rules.reduced,
        f"{_AT}, src: tensor, reduce: str, *, include_self: bool = True",
        example="x: float[N, 6], i: index(6)[N, 3], y: float[N, 3] | "
        'scatter_reduce(x, 1, i, y, "mean")',
        choices={"reduce": ("sum", "prod", "mean", "amax", "amin")},
    ),
    _row(
        "torch.index_select",
        "the places of dim that a vector picks",
        rules.selected,
        _AT,
        example="x: float[N, 6], i: index(6)[4] | index_select(x, 1, i)",
    ),
    _row(
        "torch.index_add",
        "the input and source added at the places of dim that a vector picks",
        rules.put_at,
        f"{_AT}, source: tensor, *, alpha: float = 1",
        example=f"{_PUT}index_add(x, 1, i, y, alpha=0.5)",
    ),
    _row(
        "torch.index_copy",
        "the input with source at the places of dim that a vector picks",
        rules.put_at,
        f"{_AT}, source: tensor",
        example="x: float[N, 6], y: float[N, 3] | index_copy(x, 1, arange(3), y)",
    ),
    _row(
        "torch.index_fill",
        "the input with a number at the places of dim that a vector picks",
        rules.filled,
        f"{_AT}, value: tensor | float | bool",
        example="x: float[N, 6], i: index(6)[3] | index_fill(x, 1, i, 0.5)",
    ),
    _row(
        "torch.repeat_interleave",
        "each element several times in a row",
        rules.repeated,
        "input: tensor, repeats: tensor | size, dim: int | none = None, *, "
        "output_size: size | none = None",
        example="x -> repeat_interleave(2, dim=1)",
    ),
)
