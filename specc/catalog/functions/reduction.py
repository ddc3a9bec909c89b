"""Rows of reductions. Without ``dim`` they reduce to a single number."""

from __future__ import annotations

from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes import reduction as rules

_DIMS = "dim: int | ints | none = None, keepdim: bool = False"


def _row(
    torch: str, summary: str, shape: ShapeRule, signature: str = _DIMS, since: str = "2.0"
) -> FunctionRow:
    return FunctionRow(
        torch.rpartition(".")[2],
        torch,
        f"input: tensor, {signature}",
        summary,
        since=since,
        shape=shape,
        family="reduction",
    )


_SPREAD = "dim: int | ints | none = None, *, correction: int = 1, keepdim: bool = False"
_PLACE = "dim: int | none = None, keepdim: bool = False"

ROWS = (
    _row("torch.sum", "the sum", rules.summed),
    _row("torch.mean", "the mean", rules.averaged),
    _row("torch.var", "the variance, over n - correction", rules.spread, _SPREAD),
    _row("torch.std", "the standard deviation, over n - correction", rules.spread, _SPREAD),
    _row("torch.amax", "the largest", rules.extreme, "dim: int | ints = (), keepdim: bool = False"),
    _row(
        "torch.amin", "the smallest", rules.extreme, "dim: int | ints = (), keepdim: bool = False"
    ),
    _row("torch.argmax", "the place of the largest", rules.placed, _PLACE),
    _row("torch.argmin", "the place of the smallest", rules.placed, _PLACE),
    _row("torch.max", "the largest; with dim also its place", rules.found, _PLACE),
    _row("torch.min", "the smallest; with dim also its place", rules.found, _PLACE),
    _row("torch.prod", "the product", rules.multiplied, _PLACE),
    _row("torch.any", "true where one is", rules.decided, _DIMS),
    _row("torch.all", "true where all are", rules.decided, _DIMS),
    _row(
        "torch.logsumexp",
        "log of the sum of exp(x)",
        rules.exponential_sum,
        "dim: int | ints, keepdim: bool = False",
    ),
    _row(
        "torch.linalg.vector_norm",
        "the ord-norm",
        rules.spread,
        "ord: float = 2, dim: int | ints | none = None, keepdim: bool = False",
    ),
    _row(
        "torch.sort",
        "the elements in order along dim, and their places",
        rules.ordered,
        "dim: int = -1, descending: bool = False",
    ),
    _row(
        "torch.argsort",
        "the places of the elements in order along dim",
        rules.order,
        "dim: int = -1, descending: bool = False",
    ),
    _row(
        "torch.topk",
        "the k largest and their places",
        rules.top,
        "k: int, dim: int = -1, largest: bool = True, sorted: bool = True",
    ),
)
