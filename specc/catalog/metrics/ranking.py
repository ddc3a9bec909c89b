"""Metrics of the order and the size of scores: areas under curves, calibration, margins.

By torchmetrics' names and with its defaults; the name without a task is the multiclass one's.
Curves go through every score, equal scores at once. Scores of which any is outside 0..1 are taken
for logits, as in torchmetrics. Non-goal: curves at given thresholds, which are an approximation.
"""

from __future__ import annotations

from collections.abc import Mapping

from specc.catalog.helper_source import Joined
from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes.of_losses import metrics as rules

_NONE: Mapping[str, tuple[str, ...]] = {}

_AVERAGES = {"average": ("macro", "weighted", "none")}
_AVERAGE = ("average: str = 'macro'", 'average: str = "macro"')
_THRESHOLD = ("threshold: float = 0.5", "threshold: float = 0.5")
_SQUARED = ("squared: bool = False", "squared: bool = False")
_MODE = ("multiclass_mode: str = 'crammer-singer'", 'multiclass_mode: str = "crammer-singer"')
_BINS = ("n_bins: int = 15", "n_bins: int = 15")
_NORM = ("norm: str = 'l1'", 'norm: str = "l1"')
_NORMS = {"norm": ("l1", "l2", "max")}
_MODES = {"multiclass_mode": ("crammer-singer", "one-vs-all")}
_EXAMPLES = {
    "": "x: float[N, 5], y: index(5)[N]",
    "multiclass": "x: float[N, 5], y: index(5)[N]",
    "binary": "x: float[N], y: index(2)[N]",
    "multilabel": "x: float[N, 5], y: index(2)[N, 5]",
}


def _row(
    task: str,
    name: str,
    function: str,
    summary: str,
    module: str,
    parts: str,
    shape: ShapeRule,
    *settings: tuple[str, str],
    choices: Mapping[str, tuple[str, ...]] = _NONE,
    example: str = "",
) -> FunctionRow:
    name = f"{task.capitalize()}{name}"
    called = f"{task}_{function}" if task else function
    signature = "preds: tensor, target: tensor"
    if settings:
        signature += ", *, " + ", ".join(written for written, _ in settings)
    return FunctionRow(
        name,
        called,
        signature,
        summary,
        choices=choices,
        example=f"{example or _EXAMPLES[task]} | {name}(x, y)",
        helper=Joined(
            module,
            called,
            ("preds: Tensor", "target: Tensor", *(each for _, each in settings)),
            summary,
            tuple(parts.split()),
        ),
        shape=shape,
        family="metric",
    )


def _curves(
    name: str, function: str, summary: str, area: str, mean: str = "mean_of_rows"
) -> tuple[FunctionRow, ...]:
    """An area in each task; ``mean`` is that over classes."""
    return (
        *(
            _row(task, name, function, summary, "areas", f"rows_of_classes {area} {mean}",
                 rules.of_classes, _AVERAGE, choices=_AVERAGES)
            for task in ("", "multiclass")
        ),
        _row("binary", name, function, summary,
             "areas", f"rows_of_two {area} only_row", rules.of_two),
        _row("multilabel", name, function, summary, "areas",
             f"rows_of_labels {area} mean_of_rows",
             rules.of_labels, _AVERAGE, choices=_AVERAGES),
    )  # fmt: skip


_UNDER_ROC = "how often a label scores above what is none; ties are half"
_UNDER_PRECISION = "the mean, over the labels, of the precision down to each"
_CALIBRATED = "how far the scores are from the share that is right, in bins"
_MARGIN = "how far the label's score is from 1 above the others"
_WHOLE = "the share of examples of which all labels are right"

ROWS = (
    *_curves("AUROC", "auroc", _UNDER_ROC, "under_roc"),
    *_curves("AveragePrecision", "average_precision", _UNDER_PRECISION, "under_precision",
             "mean_of_present"),
    *(
        _row(task, "CalibrationError", "calibration_error", _CALIBRATED,
             "margins",
             f"sure_of_{'two' if task == 'binary' else 'classes'} calibration",
             rules.of_two if task == "binary" else rules.of_classes, _BINS, _NORM, choices=_NORMS)
        for task in ("", "multiclass", "binary")
    ),
    *(
        _row(task, "HingeLoss", "hinge_loss", _MARGIN, "margins", "hinge", rules.hinge,
             _SQUARED, _MODE, choices=_MODES)
        for task in ("", "multiclass")
    ),
    _row("binary", "HingeLoss", "hinge_loss", _MARGIN, "margins", "hinge_of_two",
         rules.of_two, _SQUARED),
    *(
        _row(task, "ExactMatch", "exact_match", _WHOLE, "margins", "exact", rules.of_classes,
             example="x: float[N, 5, 3], y: index(5)[N, 3]")
        for task in ("", "multiclass")
    ),
    _row("multilabel", "ExactMatch", "exact_match", _WHOLE, "margins", "exact_of_labels",
         rules.of_labels, _THRESHOLD),
)  # fmt: skip
