"""The metrics, by torchmetrics' names, as plain torch that an emitted file carries along.

Definitions and defaults are those of torchmetrics' multiclass task: scores ``[N, C, ...]`` against
labels ``[N, ...]``, ``average="micro"``. ``macro`` is the mean over the classes that occur in the
labels or the predictions. A quotient of zero counts is 0. Non-goal: state over batches.
"""

from __future__ import annotations

from specc.catalog.rows import FunctionRow
from specc.catalog.shapes import metrics as rules

_CLASSES = '''\
def {name}(preds: Tensor, target: Tensor, average: str = "micro") -> Tensor:
    """{summary} of scores [N, C, ...] against labels [N, ...]."""
    classes = preds.shape[1]
    chosen = F.one_hot(preds.argmax(dim=1).flatten(), classes).to(preds.dtype)
    actual = F.one_hot(target.flatten(), classes).to(preds.dtype)
    hits = (chosen * actual).sum(dim=0)
    wrong = chosen.sum(dim=0) - hits
    missed = actual.sum(dim=0) - hits
    if average == "micro":
        hits, wrong, missed = hits.sum(), wrong.sum(), missed.sum()
    score = {numerator} / ({denominator}).clamp(min=1)
    seen = ((hits + wrong + missed) > 0).to(preds.dtype)
    return (score * seen).sum() / seen.sum().clamp(min=1)
'''

_ERROR = '''\
def {name}(preds: Tensor, target: Tensor) -> Tensor:
    """{summary}."""
    return {formula}
'''


def _class_row(
    name: str, function: str, summary: str, denominator: str, numerator: str = "hits"
) -> FunctionRow:
    return FunctionRow(
        name,
        function,
        "preds: tensor, target: tensor, *, average: str = 'micro'",
        summary[0].lower() + summary[1:],
        choices={"average": ("micro", "macro")},
        helper=_CLASSES.format(
            name=function, summary=summary, numerator=numerator, denominator=denominator
        ),
        shape=rules.class_metric,
        family="metric",
    )


def _error_row(name: str, function: str, summary: str, formula: str) -> FunctionRow:
    return FunctionRow(
        name,
        function,
        "preds: tensor, target: tensor",
        summary[0].lower() + summary[1:],
        helper=_ERROR.format(name=function, summary=summary, formula=formula),
        shape=rules.error_metric,
        family="metric",
    )


ROWS = (
    _class_row("Accuracy", "accuracy", "The share of right labels", "hits + missed"),
    _class_row("Precision", "precision", "The share of predictions that are right", "hits + wrong"),
    _class_row("Recall", "recall", "The share of labels that are found", "hits + missed"),
    _class_row(
        "F1Score",
        "f1_score",
        "The harmonic mean of precision and recall",
        "2 * hits + wrong + missed",
        "2 * hits",
    ),
    _error_row(
        "MeanSquaredError",
        "mean_squared_error",
        "The mean of the squared differences",
        "(preds - target).square().mean()",
    ),
    _error_row(
        "MeanAbsoluteError",
        "mean_absolute_error",
        "The mean of the absolute differences",
        "(preds - target).abs().mean()",
    ),
)
