"""Metrics of numbers against numbers: errors, correlations, divergences, shares of variance.

Definitions and defaults are torchmetrics', of one output: values of any shape are taken as one row
of observations where torchmetrics takes them so, and [N, D] otherwise. Non-goal: outputs counted
apart, which a loop over columns says. 0.6931471805599453 is log(2).
"""

from __future__ import annotations

from collections.abc import Mapping

from specc.catalog.helper_source import Whole
from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes.of_losses import metrics as rules

_NONE: Mapping[str, tuple[str, ...]] = {}

_PAIR = "preds: tensor, target: tensor"


def _row(
    name: str,
    module: str,
    function: str,
    summary: str,
    settings: str = "",
    *,
    tensors: str = _PAIR,
    shape: ShapeRule = rules.error,
    choices: Mapping[str, tuple[str, ...]] = _NONE,
    example: str = "",
) -> FunctionRow:
    return FunctionRow(
        name,
        function,
        f"{tensors}, *, {settings}" if settings else tensors,
        summary,
        choices=choices,
        example=example,
        helper=Whole(module, function),
        shape=shape,
        family="metric",
    )


def _explained(name: str, function: str, summary: str) -> FunctionRow:
    return _row(
        name,
        "deviations",
        function,
        summary,
        "multioutput: str = 'uniform_average'",
        shape=rules.outputs,
        choices={"multioutput": ("uniform_average", "raw_values", "variance_weighted")},
    )


_REDUCTION = {"reduction": ("mean", "sum", "none")}
_POSITIVE = "x: unit[N, 5], y: unit[N, 5] | "

ROWS = (
    _row(
        "MeanSquaredError",
        "deviations",
        "mean_squared_error",
        "the mean of the squared differences, or its root",
        "squared: bool = True",
    ),
    _row(
        "MeanAbsoluteError",
        "deviations",
        "mean_absolute_error",
        "the mean of the absolute differences",
    ),
    _row(
        "MeanSquaredLogError",
        "deviations",
        "mean_squared_log_error",
        "the mean of the squared differences of log(1 + x)",
        example=f"{_POSITIVE}MeanSquaredLogError(x, y)",
    ),
    _row(
        "MeanAbsolutePercentageError",
        "deviations",
        "mean_absolute_percentage_error",
        "the mean of the absolute differences, each over its target",
    ),
    _row(
        "SymmetricMeanAbsolutePercentageError",
        "deviations",
        "symmetric_mean_absolute_percentage_error",
        "the mean of the absolute differences, each over the mean of its two sizes",
    ),
    _row(
        "WeightedMeanAbsolutePercentageError",
        "deviations",
        "weighted_mean_absolute_percentage_error",
        "the sum of the absolute differences over that of the targets' sizes",
    ),
    _row(
        "NormalizedRootMeanSquaredError",
        "deviations",
        "normalized_root_mean_squared_error",
        "the root of the mean squared difference, over a size of the targets",
        "normalization: str = 'mean'",
        choices={"normalization": ("mean", "range", "std", "l2")},
    ),
    _row(
        "LogCoshError",
        "deviations",
        "log_cosh_error",
        "the mean of log(cosh(difference))",
        shape=rules.row_of_errors,
        example="x: float[N], y: float[N] | LogCoshError(x, y)",
    ),
    _row(
        "MinkowskiDistance",
        "deviations",
        "minkowski_distance",
        "the p-norm of the differences",
        "p: float",
        example="x: float[N], y: float[N] | MinkowskiDistance(x, y, p=3.0)",
    ),
    _row(
        "TweedieDevianceScore",
        "deviations",
        "tweedie_deviance_score",
        "the mean deviance of a Tweedie distribution",
        "power: float = 0.0",
        tensors="preds: tensor, targets: tensor",
        shape=rules.tweedie,
    ),
    _explained(
        "R2Score",
        "r2_score",
        "the share of the targets' variance that is explained",
    ),
    _explained(
        "ExplainedVariance",
        "explained_variance",
        "the share of the targets' variance that is explained, but for a shift",
    ),
    _row(
        "RelativeSquaredError",
        "deviations",
        "relative_squared_error",
        "the squared differences over those of the targets' mean",
        "squared: bool = True",
        shape=rules.matrix_of_errors,
    ),
    _row(
        "PearsonCorrCoef",
        "correlations",
        "pearson_corrcoef",
        "the linear correlation",
        shape=rules.row_of_errors,
        example="x: float[N], y: float[N] | PearsonCorrCoef(x, y)",
    ),
    _row(
        "ConcordanceCorrCoef",
        "correlations",
        "concordance_corrcoef",
        "the correlation with the line of equal values",
        shape=rules.row_of_errors,
        example="x: float[N], y: float[N] | ConcordanceCorrCoef(x, y)",
    ),
    _row(
        "SpearmanCorrCoef",
        "correlations",
        "spearman_corrcoef",
        "the linear correlation of the ranks; equal values share theirs",
        shape=rules.row_of_errors,
        example="x: float[N], y: float[N] | SpearmanCorrCoef(x, y)",
    ),
    _row(
        "KendallRankCorrCoef",
        "correlations",
        "kendall_rank_corrcoef",
        "the share of pairs in one order less that of pairs in the other, ties apart",
        shape=rules.row_of_errors,
        example="x: float[N], y: float[N] | KendallRankCorrCoef(x, y)",
    ),
    _row(
        "CosineSimilarity",
        "correlations",
        "cosine_similarity",
        "the cosine of the angle between rows",
        "reduction: str = 'sum'",
        shape=rules.rows_of_errors,
        choices=_REDUCTION,
    ),
    _row(
        "KLDivergence",
        "correlations",
        "kl_divergence",
        "the Kullback-Leibler divergence of the rows of p from those of q",
        "log_prob: bool = False, reduction: str = 'mean'",
        tensors="p: tensor, q: tensor",
        shape=rules.distributions,
        choices=_REDUCTION,
        example=f"{_POSITIVE}KLDivergence(x + 0.1, y + 0.1)",
    ),
    _row(
        "JensenShannonDivergence",
        "correlations",
        "jensen_shannon_divergence",
        "the mean divergence of the rows of p and of q from their mean",
        "log_prob: bool = False, reduction: str = 'mean'",
        tensors="p: tensor, q: tensor",
        shape=rules.distributions,
        choices=_REDUCTION,
        example=f"{_POSITIVE}JensenShannonDivergence(x + 0.1, y + 0.1)",
    ),
    _row(
        "CriticalSuccessIndex",
        "correlations",
        "critical_success_index",
        "the share of what reaches the threshold in one that does in both",
        "threshold: float",
        example="x: float[N], y: float[N] | CriticalSuccessIndex(x, y, threshold=0.0)",
    ),
)
