"""Metrics of the confusion matrix: the matrix, agreement beyond chance, correlation, overlap.

By torchmetrics' names and with its defaults; the name without a task is the multiclass one's. Rows
of the matrix are labels, columns predictions. Scores of which any is outside 0..1 are taken for
logits. Where one side is all one class there is no correlation: 0, as in scikit-learn, where
torchmetrics gives a number that its eps makes. Non-goal: matrices that are normalised.
"""

from __future__ import annotations

from collections.abc import Mapping

from specc.catalog.helper_source import Joined
from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes.of_losses import metrics as rules

_NONE: Mapping[str, tuple[str, ...]] = {}

_AVERAGES = {"average": ("micro", "macro", "weighted", "none")}
_WEIGHTS = {"weights": ("none", "linear", "quadratic")}
_THRESHOLD = ("threshold: float = 0.5", "threshold: float = 0.5")
_AVERAGE = ("average: str = 'macro'", 'average: str = "macro"')
_WEIGHTED = ("weights: str = 'none'", 'weights: str = "none"')
_TASKS = {"multiclass": "classes", "binary": "two", "multilabel": "labels"}
_EXAMPLES = {
    "multiclass": "x: float[N, 5], y: index(5)[N]",
    "binary": "x: float[N], y: index(2)[N]",
    "multilabel": "x: float[N, 5], y: index(2)[N, 5]",
}


def _row(
    name: str,
    function: str,
    task: str,
    summary: str,
    part: str,
    shape: ShapeRule,
    *settings: tuple[str, str],
    choices: Mapping[str, tuple[str, ...]] = _NONE,
) -> FunctionRow:
    signature = "preds: tensor, target: tensor"
    if settings:
        signature += ", *, " + ", ".join(written for written, _ in settings)
    return FunctionRow(
        name,
        function,
        signature,
        summary,
        choices=choices,
        example=f"{_EXAMPLES[task]} | {name}(x, y)",
        helper=Joined(
            "confusion",
            function,
            ("preds: Tensor", "target: Tensor", *(each for _, each in settings)),
            summary,
            (f"matrix_of_{_TASKS[task]}", *part.split()),
        ),
        shape=shape,
        family="metric",
    )


def _family(
    name: str, function: str, summary: str, part: str, *settings: tuple[str, str],
    choices: Mapping[str, tuple[str, ...]], shape: ShapeRule,
) -> tuple[FunctionRow, ...]:  # fmt: skip
    """The rows of one that goes the same way for two classes and for several."""
    return (
        *(
            _row(
                f"{task}{name}", f"{task.lower()}{'_' * bool(task)}{function}", "multiclass",
                summary, part, shape, *settings, choices=choices,
            )
            for task in ("", "Multiclass")
        ),
        _row(
            f"Binary{name}", f"binary_{function}", "binary", summary, part, rules.of_two,
            _THRESHOLD, *settings, choices=choices,
        ),
    )  # fmt: skip


_OVERLAP = "the overlap of predictions and labels over what either has"
_AGREEMENT = "the agreement beyond that of chance"
_CORRELATED = "the correlation of predictions and labels"
_COUNTED = "how often each label is predicted as each"

ROWS = (
    *(
        _row(f"{task}ConfusionMatrix", f"{task.lower()}{'_' * bool(task)}confusion_matrix",
             "multiclass", _COUNTED, "counted", rules.matrix_of_classes)
        for task in ("", "Multiclass")
    ),
    _row("BinaryConfusionMatrix", "binary_confusion_matrix", "binary", _COUNTED,
         "counted", rules.matrix_of_two, _THRESHOLD),
    _row("MultilabelConfusionMatrix", "multilabel_confusion_matrix", "multilabel", _COUNTED,
         "counted", rules.matrix_of_labels, _THRESHOLD),
    *_family("CohenKappa", "cohen_kappa", _AGREEMENT, "kappa", _WEIGHTED, choices=_WEIGHTS,
             shape=rules.of_classes),
    *(
        _row(f"{task}MatthewsCorrCoef", f"{task.lower()}{'_' * bool(task)}matthews_corrcoef",
             "multiclass", _CORRELATED, "correlation", rules.of_classes)
        for task in ("", "Multiclass")
    ),
    _row("BinaryMatthewsCorrCoef", "binary_matthews_corrcoef", "binary", _CORRELATED, "correlation",
         rules.of_two, _THRESHOLD),
    _row("MultilabelMatthewsCorrCoef", "multilabel_matthews_corrcoef", "multilabel", _CORRELATED,
         "matrix_over_labels correlation", rules.of_labels, _THRESHOLD),
    *(
        _row(f"{task}JaccardIndex", f"{task.lower()}{'_' * bool(task)}jaccard_index", "multiclass",
             _OVERLAP, "overlap", rules.of_classes, _AVERAGE, choices=_AVERAGES)
        for task in ("", "Multiclass")
    ),
    _row("BinaryJaccardIndex", "binary_jaccard_index", "binary", _OVERLAP, "overlap_of_two",
         rules.of_two, _THRESHOLD),
    _row("MultilabelJaccardIndex", "multilabel_jaccard_index", "multilabel", _OVERLAP,
         "overlap_of_labels", rules.of_labels, _THRESHOLD, _AVERAGE, choices=_AVERAGES),
)  # fmt: skip
