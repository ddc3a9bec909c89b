"""Rows of functions that pick elements by an index, or put them where it says."""

from __future__ import annotations

from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes import indexing as rules


def _row(name: str, summary: str, shape: ShapeRule, signature: str) -> FunctionRow:
    return FunctionRow(name, f"torch.{name}", signature, summary, shape=shape, family="indexing")


_AT = "input: tensor, dim: int, index: tensor"

ROWS = (
    _row("gather", "the elements that an index picks along dim", rules.gathered, _AT),
    _row(
        "scatter",
        "the input with src where an index says along dim",
        rules.scattered,
        f"{_AT}, src: tensor | float",
    ),
    _row(
        "scatter_add",
        "the input and src added where an index says along dim",
        rules.scattered,
        f"{_AT}, src: tensor",
    ),
    _row("index_select", "the places of dim that a vector picks", rules.selected, _AT),
    _row(
        "repeat_interleave",
        "each element several times in a row",
        rules.repeated,
        "input: tensor, repeats: size, dim: int | none = None",
    ),
)
