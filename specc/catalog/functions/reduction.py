"""Rows of reductions. Without ``dim`` they reduce to a single number."""

from __future__ import annotations

from functools import partial

from specc.catalog.functions.family import Family
from specc.catalog.shapes.of_functions import linalg
from specc.catalog.shapes.of_functions import reduction as rules

_DIMS = "dim: int | ints | none = None, keepdim: bool = False"

_row = Family("reduction", leads="input: tensor", signature=_DIMS, example="x -> {}(dim=-1)")

_SPREAD = "dim: int | ints | none = None, *, correction: float | none = 1, keepdim: bool = False"
_PLACE = "dim: int | none = None, keepdim: bool = False"
_SOME = "dim: int | ints = (), keepdim: bool = False"
_QUANTILE = "q: float | tensor, dim: int | none = None, keepdim: bool = False, *, " + (
    "interpolation: str = 'linear'"
)
_INTERPOLATIONS = {"interpolation": ("linear", "lower", "higher", "midpoint", "nearest")}
_WITH_PLACES = "values, places = x -> {}(dim=-1)"

ROWS = (
    _row("torch.sum", "the sum", rules.summed),
    _row("torch.nansum", "the sum, NaN as 0", rules.summed_numbers),
    _row("torch.mean", "the mean", rules.averaged),
    _row("torch.nanmean", "the mean of what is not NaN", rules.averaged_numbers),
    _row("torch.var", "the variance, over n - correction", rules.spread, _SPREAD),
    _row("torch.std", "the standard deviation, over n - correction", rules.spread, _SPREAD),
    _row(
        "torch.var_mean",
        "the variance and the mean",
        rules.spread_and_mean,
        _SPREAD,
        example="x: float[N, 6] | deviation, middle = {}(x, dim=-1)",
    ),
    _row(
        "torch.std_mean",
        "the standard deviation and the mean",
        rules.spread_and_mean,
        _SPREAD,
        example="x: float[N, 6] | deviation, middle = {}(x, dim=-1)",
    ),
    _row("torch.amax", "the largest", rules.extreme, _SOME),
    _row("torch.amin", "the smallest", rules.extreme, _SOME),
    _row(
        "torch.aminmax",
        "the smallest and the largest",
        rules.extremes,
        "*, dim: int | none = None, keepdim: bool = False",
        example="x: float[N, 6] | least, most = {}(x, dim=-1)",
    ),
    _row("torch.argmax", "the place of the largest", rules.placed, _PLACE),
    _row("torch.argmin", "the place of the smallest", rules.placed, _PLACE),
    _row(
        "torch.max",
        "the largest; with dim also its place",
        rules.found,
        _PLACE,
        example=f"x: float[N, 6] | {_WITH_PLACES}",
    ),
    _row(
        "torch.min",
        "the smallest; with dim also its place",
        rules.found,
        _PLACE,
        example=f"x: float[N, 6] | {_WITH_PLACES}",
    ),
    _row(
        "torch.median",
        "the middle one, the lower of two; with dim also its place",
        partial(rules.found, takes="if"),
        _PLACE,
        example=f"x: float[N, 5] | {_WITH_PLACES}",
    ),
    _row(
        "torch.nanmedian",
        "the middle one of what is not NaN; with dim also its place",
        partial(rules.found, takes="if"),
        _PLACE,
        example=f"x: float[N, 5] | {_WITH_PLACES}",
    ),
    _row(
        "torch.mode",
        "the one that is there most often, and a place of it",
        rules.found_along,
        "dim: int = -1, keepdim: bool = False",
        example="x: int[N, 6] | values, _ = x -> {}(dim=-1)",
    ),
    _row(
        "torch.quantile",
        "the value below which a part q is",
        rules.quantile,
        _QUANTILE,
        example="x -> {}(0.3, dim=-1)",
        choices=_INTERPOLATIONS,
    ),
    _row(
        "torch.nanquantile",
        "the quantile of what is not NaN",
        rules.quantile,
        _QUANTILE,
        example="x -> {}(0.3, dim=-1)",
        choices=_INTERPOLATIONS,
    ),
    _row("torch.prod", "the product", rules.multiplied, _PLACE),
    _row(
        "torch.any",
        "true where one is",
        rules.decided,
        _DIMS,
        example="x: bool[N, 6] | any(x, 1)",
    ),
    _row(
        "torch.all",
        "true where all are",
        rules.decided,
        _DIMS,
        example="x: bool[N, 6] | all(x, 1)",
    ),
    _row(
        "torch.count_nonzero",
        "how many are not 0",
        rules.counted,
        "dim: int | ints | none = None",
        example="x: int[N, 6] | count_nonzero(x, dim=1)",
    ),
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
        "torch.linalg.norm",
        "the norm of a vector or of a matrix",
        linalg.norm,
        "ord: float | str | none = None, dim: int | ints | none = None, keepdim: bool = False",
        choices={"ord": ("fro", "nuc")},
    ),
)
