"""Metrics of numbers against numbers: errors, correlations, divergences, shares of variance.

Definitions and defaults are torchmetrics', of one output: values of any shape are taken as one row
of observations where torchmetrics takes them so, and [N, D] otherwise. Non-goal: outputs counted
apart, which a loop over columns says. 0.6931471805599453 is log(2).
"""

from __future__ import annotations

from collections.abc import Mapping

from specc.catalog.metrics.heads import head
from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes.of_losses import metrics as rules

_NONE: Mapping[str, tuple[str, ...]] = {}

_HELPER = '''\
{begun}
    """{summary}."""
{body}
'''
_PAIR = "preds: tensor, target: tensor"


def _row(
    name: str,
    function: str,
    summary: str,
    body: str,
    settings: str = "",
    parameters: str = "",
    *,
    tensors: str = _PAIR,
    shape: ShapeRule = rules.error,
    choices: Mapping[str, tuple[str, ...]] = _NONE,
    example: str = "",
) -> FunctionRow:
    names = [piece.split(":")[0].strip() for piece in tensors.split(",")]
    given = [*(f"{each}: Tensor" for each in names), *filter(None, parameters.split(", "))]
    lines = "\n".join(f"    {line}" if line else "" for line in body.strip().splitlines())
    return FunctionRow(
        name,
        function,
        f"{tensors}, *, {settings}" if settings else tensors,
        summary,
        choices=choices,
        example=example,
        helper=_HELPER.format(
            begun=head(function, given),
            summary=summary[0].upper() + summary[1:],
            body=lines,
        ),
        shape=shape,
        family="metric",
    )


_OF_OUTPUTS = """
if multioutput == "raw_values":
    return scores
if multioutput == "variance_weighted":
    return (whole / whole.sum() * scores).sum()
return scores.mean()
"""


def _explained(name: str, function: str, summary: str, body: str) -> FunctionRow:
    """``body`` gives the ``scores`` of the outputs, and the variance of each as ``whole``."""
    return _row(
        name,
        function,
        summary,
        f"{body.strip()}{_OF_OUTPUTS}",
        "multioutput: str = 'uniform_average'",
        'multioutput: str = "uniform_average"',
        shape=rules.outputs,
        choices={"multioutput": ("uniform_average", "raw_values", "variance_weighted")},
    )


_REDUCTION = {"reduction": ("mean", "sum", "none")}
_POSITIVE = "x: unit[N, 5], y: unit[N, 5] | "

ROWS = (
    _row(
        "MeanSquaredError",
        "mean_squared_error",
        "the mean of the squared differences, or its root",
        """
error = (preds - target).square().mean()
return error if squared else error.sqrt()
""",
        "squared: bool = True",
        "squared: bool = True",
    ),
    _row(
        "MeanAbsoluteError",
        "mean_absolute_error",
        "the mean of the absolute differences",
        "return (preds - target).abs().mean()",
    ),
    _row(
        "MeanSquaredLogError",
        "mean_squared_log_error",
        "the mean of the squared differences of log(1 + x)",
        "return (preds.log1p() - target.log1p()).square().mean()",
        example=f"{_POSITIVE}MeanSquaredLogError(x, y)",
    ),
    _row(
        "MeanAbsolutePercentageError",
        "mean_absolute_percentage_error",
        "the mean of the absolute differences, each over its target",
        "return ((preds - target).abs() / target.abs().clamp(min=1.17e-06)).mean()",
    ),
    _row(
        "SymmetricMeanAbsolutePercentageError",
        "symmetric_mean_absolute_percentage_error",
        "the mean of the absolute differences, each over the mean of its two sizes",
        """
sizes = (target.abs() + preds.abs()).clamp(min=1.17e-06)
return (2 * (preds - target).abs() / sizes).mean()
""",
    ),
    _row(
        "WeightedMeanAbsolutePercentageError",
        "weighted_mean_absolute_percentage_error",
        "the sum of the absolute differences over that of the targets' sizes",
        "return (preds - target).abs().sum() / target.abs().sum().clamp(min=1.17e-06)",
    ),
    _row(
        "NormalizedRootMeanSquaredError",
        "normalized_root_mean_squared_error",
        "the root of the mean squared difference, over a size of the targets",
        """
error = (preds - target).square().mean().sqrt()
if normalization == "range":
    return error / (target.max() - target.min())
if normalization == "std":
    return error / target.flatten().std(correction=0)
if normalization == "l2":
    return error / target.square().sum().sqrt()
return error / target.mean()
""",
        "normalization: str = 'mean'",
        'normalization: str = "mean"',
        choices={"normalization": ("mean", "range", "std", "l2")},
    ),
    _row(
        "LogCoshError",
        "log_cosh_error",
        "the mean of log(cosh(difference))",
        """
size = (preds - target).abs()
return (size + torch.log1p((-2 * size).exp()) - 0.6931471805599453).mean()
""",
        shape=rules.row_of_errors,
        example="x: float[N], y: float[N] | LogCoshError(x, y)",
    ),
    _row(
        "MinkowskiDistance",
        "minkowski_distance",
        "the p-norm of the differences",
        "return (preds - target).abs().pow(p).sum().pow(1 / p)",
        "p: float",
        "p: float",
        example="x: float[N], y: float[N] | MinkowskiDistance(x, y, p=3.0)",
    ),
    _row(
        "TweedieDevianceScore",
        "tweedie_deviance_score",
        "the mean deviance of a Tweedie distribution",
        """
if power == 0:
    return (targets - preds).square().mean()
if power == 1:
    return 2 * (torch.xlogy(targets, targets / preds) + preds - targets).mean()
if power == 2:
    return 2 * ((preds / targets).log() + targets / preds - 1).mean()
first = targets.clamp(min=0).pow(2 - power) / ((1 - power) * (2 - power))
second = targets * preds.pow(1 - power) / (1 - power)
return 2 * (first - second + preds.pow(2 - power) / (2 - power)).mean()
""",
        "power: float = 0.0",
        "power: float = 0.0",
        tensors="preds: tensor, targets: tensor",
        shape=rules.tweedie,
    ),
    _explained(
        "R2Score",
        "r2_score",
        "the share of the targets' variance that is explained",
        """
left = (target - preds).square().sum(dim=0)
whole = (target - target.mean(dim=0)).square().sum(dim=0)
some, varied = left > 1e-04, whole > 1e-04
share = torch.where(varied, 1 - left / torch.where(varied, whole, 1), 0)
scores = torch.where(some, share, 1)
""",
    ),
    _explained(
        "ExplainedVariance",
        "explained_variance",
        "the share of the targets' variance that is explained, but for a shift",
        """
left = (target - preds).var(dim=0, correction=0)
whole = target.var(dim=0, correction=0)
share = torch.where(whole != 0, 1 - left / torch.where(whole != 0, whole, 1), 0)
scores = torch.where(left != 0, share, 1)
""",
    ),
    _row(
        "RelativeSquaredError",
        "relative_squared_error",
        "the squared differences over those of the targets' mean",
        """
left = (target - preds).square().sum(dim=0)
whole = (target - target.mean(dim=0)).square().sum(dim=0)
error = left / whole.clamp(min=2**-23)
return (error if squared else error.sqrt()).mean()
""",
        "squared: bool = True",
        "squared: bool = True",
        shape=rules.matrix_of_errors,
    ),
    _row(
        "PearsonCorrCoef",
        "pearson_corrcoef",
        "the linear correlation",
        """
one, other = preds - preds.mean(), target - target.mean()
size = (one.square().mean() * other.square().mean()).sqrt()
return ((one * other).mean() / size).clamp(-1, 1)
""",
        shape=rules.row_of_errors,
        example="x: float[N], y: float[N] | PearsonCorrCoef(x, y)",
    ),
    _row(
        "ConcordanceCorrCoef",
        "concordance_corrcoef",
        "the correlation with the line of equal values",
        """
one, other = preds - preds.mean(), target - target.mean()
spread = preds.var() + target.var() + (preds.mean() - target.mean()).square()
return 2 * (one * other).sum() / (len(preds) - 1) / spread
""",
        shape=rules.row_of_errors,
        example="x: float[N], y: float[N] | ConcordanceCorrCoef(x, y)",
    ),
    _row(
        "SpearmanCorrCoef",
        "spearman_corrcoef",
        "the linear correlation of the ranks; equal values share theirs",
        """
ranks = []
for values in (preds, target):
    ordered = values.sort().values
    first = torch.searchsorted(ordered, values)
    last = torch.searchsorted(ordered, values, right=True)
    ranks.append((first + last + 1).to(values.dtype) / 2)
one, other = (rank - rank.mean() for rank in ranks)
size = one.square().mean().sqrt() * other.square().mean().sqrt()
return ((one * other).mean() / (size + 1e-06)).clamp(-1, 1)
""",
        shape=rules.row_of_errors,
        example="x: float[N], y: float[N] | SpearmanCorrCoef(x, y)",
    ),
    _row(
        "KendallRankCorrCoef",
        "kendall_rank_corrcoef",
        "the share of pairs in one order less that of pairs in the other, ties apart",
        """
one = (preds.unsqueeze(0) - preds.unsqueeze(1)).sign()
other = (target.unsqueeze(0) - target.unsqueeze(1)).sign()
return (one * other).sum() / (one.abs().sum() * other.abs().sum()).sqrt()
""",
        shape=rules.row_of_errors,
        example="x: float[N], y: float[N] | KendallRankCorrCoef(x, y)",
    ),
    _row(
        "CosineSimilarity",
        "cosine_similarity",
        "the cosine of the angle between rows",
        """
sizes = preds.norm(dim=-1) * target.norm(dim=-1)
found = (preds * target).sum(dim=-1) / sizes
if reduction == "none":
    return found
return found.mean() if reduction == "mean" else found.sum()
""",
        "reduction: str = 'sum'",
        'reduction: str = "sum"',
        shape=rules.rows_of_errors,
        choices=_REDUCTION,
    ),
    _row(
        "KLDivergence",
        "kl_divergence",
        "the Kullback-Leibler divergence of the rows of p from those of q",
        """
if log_prob:
    found = (p.exp() * (p - q)).sum(dim=-1)
else:
    p, q = p / p.sum(dim=-1, keepdim=True), q / q.sum(dim=-1, keepdim=True)
    found = torch.xlogy(p, p / q).sum(dim=-1)
if reduction == "none":
    return found
return found.mean() if reduction == "mean" else found.sum()
""",
        "log_prob: bool = False, reduction: str = 'mean'",
        'log_prob: bool = False, reduction: str = "mean"',
        tensors="p: tensor, q: tensor",
        shape=rules.distributions,
        choices=_REDUCTION,
        example=f"{_POSITIVE}KLDivergence(x + 0.1, y + 0.1)",
    ),
    _row(
        "JensenShannonDivergence",
        "jensen_shannon_divergence",
        "the mean divergence of the rows of p and of q from their mean",
        """
if log_prob:
    mean = torch.logaddexp(p, q) - 0.6931471805599453
    found = 0.5 * (p.exp() * (p - mean) + q.exp() * (q - mean)).sum(dim=-1)
else:
    p, q = p / p.sum(dim=-1, keepdim=True), q / q.sum(dim=-1, keepdim=True)
    mean = (p + q) / 2
    found = 0.5 * (torch.xlogy(p, p / mean) + torch.xlogy(q, q / mean)).sum(dim=-1)
if reduction == "none":
    return found
return found.mean() if reduction == "mean" else found.sum()
""",
        "log_prob: bool = False, reduction: str = 'mean'",
        'log_prob: bool = False, reduction: str = "mean"',
        tensors="p: tensor, q: tensor",
        shape=rules.distributions,
        choices=_REDUCTION,
        example=f"{_POSITIVE}JensenShannonDivergence(x + 0.1, y + 0.1)",
    ),
    _row(
        "CriticalSuccessIndex",
        "critical_success_index",
        "the share of what reaches the threshold in one that does in both",
        """
one, other = preds >= threshold, target >= threshold
return (one & other).sum().to(preds.dtype) / (one | other).sum().clamp(min=1)
""",
        "threshold: float",
        "threshold: float",
        example="x: float[N], y: float[N] | CriticalSuccessIndex(x, y, threshold=0.0)",
    ),
)
