"""Rows of functions along a dimension in order: sorting, ranks, running sums, differences."""

from __future__ import annotations

from functools import partial

from specc.catalog.functions.family import Family
from specc.catalog.shapes.of_functions import order as rules

_row = Family("order", signature="input: tensor, dim: int", example="x -> {}(dim=-1)")

_WITH_PLACES = "x: float[N, 6] | values, places = x -> {}(dim=-1)"
_STABLE = "input: tensor, dim: int = -1, descending: bool = False, *, stable: bool = False"
_UNTRACED = dict.fromkeys(("export", "compile"), "torch's own looks at values to find its divisor")
_INTEGRAL = "y: tensor, x: tensor | none = None, *, dx: float = 1, dim: int = -1"

ROWS = (
    _row(
        "torch.sort",
        "the elements in order along dim, and their places",
        rules.ordered,
        _STABLE,
        example=_WITH_PLACES,
    ),
    _row(
        "torch.argsort",
        "the places of the elements in order along dim",
        rules.order,
        _STABLE,
    ),
    _row(
        "torch.msort",
        "the elements in order along the first dimension",
        rules.first_ordered,
        "input: tensor",
        example="x -> {}",
    ),
    _row(
        "torch.topk",
        "the k largest and their places",
        rules.top,
        "input: tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True",
        example="x: float[N, 6] | values, places = x -> {}(3)",
    ),
    _row(
        "torch.kthvalue",
        "the k-th smallest and its place",
        rules.ranked,
        "input: tensor, k: int, dim: int = -1, keepdim: bool = False",
        example="x: float[N, 6] | value, place = x -> {}(2)",
    ),
    _row("torch.cumsum", "running sums along dim", rules.cumulative),
    _row("torch.cumprod", "running products along dim", rules.cumulative),
    _row(
        "torch.logcumsumexp",
        "the log of running sums of exp(x) along dim",
        rules.cumulative_exponentials,
    ),
    _row(
        "torch.cummax",
        "the largest so far along dim, and its place",
        rules.cumulative_extreme,
        example=_WITH_PLACES,
    ),
    _row(
        "torch.cummin",
        "the smallest so far along dim, and its place",
        rules.cumulative_extreme,
        example=_WITH_PLACES,
    ),
    _row(
        "torch.diff",
        "each place less the one before, n times",
        rules.differences,
        "input: tensor, n: int = 1, dim: int = -1, prepend: tensor | none = None, "
        "append: tensor | none = None",
        example="x -> {}",
    ),
    _row(
        "torch.trapezoid",
        "the integral along dim by the trapezoidal rule",
        rules.integrated,
        _INTEGRAL,
        example="x -> {}(dx=0.5)",
    ),
    _row(
        "torch.cumulative_trapezoid",
        "the integrals up to each place by the trapezoidal rule",
        partial(rules.integrated, running=True),
        _INTEGRAL,
        example="x -> {}(dx=0.5)",
    ),
    _row(
        "torch.cov",
        "the covariances of the rows",
        rules.covariance,
        "input: tensor, *, correction: int = 1",
        example="x: float[4, 6] | {}(x)",
        refuses=_UNTRACED,
    ),
    _row(
        "torch.corrcoef",
        "the correlations of the rows",
        rules.covariance,
        "input: tensor",
        example="x: float[4, 6] | {}(x)",
        refuses=_UNTRACED,
    ),
    _row(
        "torch.renorm",
        "each slice along dim, its p-norm made at most maxnorm",
        rules.renormalized,
        "input: tensor, p: float, dim: int, maxnorm: float",
        example="x -> {}(2.0, 0, 1.0)",
    ),
    _row(
        "torch.searchsorted",
        "the place of each value in a sorted sequence",
        rules.searched,
        "sorted_sequence: tensor, input: tensor | float, *, out_int32: bool = False, "
        "right: bool = False, side: str | none = None",
        example="x: float[N, 6] | searchsorted(linspace(-1.0, 1.0, 5), x)",
        choices={"side": ("left", "right")},
    ),
    _row(
        "torch.bucketize",
        "the bucket of each value between sorted boundaries",
        rules.bucketed,
        "input: tensor | float, boundaries: tensor, *, out_int32: bool = False, "
        "right: bool = False",
        example="x: float[N, 6] | bucketize(x, linspace(-1.0, 1.0, 5))",
    ),
)
