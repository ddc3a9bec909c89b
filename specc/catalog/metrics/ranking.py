"""Metrics of the order and the size of scores: areas under curves, calibration, margins.

By torchmetrics' names and with its defaults; the name without a task is the multiclass one's.
Curves go through every score, equal scores at once. Scores of which any is outside 0..1 are taken
for logits, as in torchmetrics. Non-goal: curves at given thresholds, which are an approximation.
"""

from __future__ import annotations

from collections.abc import Mapping

from specc.catalog.metrics.heads import head
from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes.of_losses import metrics as rules

_NONE: Mapping[str, tuple[str, ...]] = {}

# Each task's scores and truth as [L, M]: a row for each class or label.
_ROWS = {
    "multiclass": """\
    logits = ((preds < 0) | (preds > 1)).any()
    scores = torch.where(logits, preds.softmax(dim=1), preds).transpose(0, 1).flatten(1)
    truth = F.one_hot(target, preds.shape[1]).flatten(0, -2).T == 1
""",
    "binary": """\
    logits = ((preds < 0) | (preds > 1)).any()
    scores = torch.where(logits, preds.sigmoid(), preds).flatten().unsqueeze(0)
    truth = target.flatten().unsqueeze(0) == 1
""",
    "multilabel": """\
    logits = ((preds < 0) | (preds > 1)).any()
    scores = torch.where(logits, preds.sigmoid(), preds).transpose(0, 1).flatten(1)
    truth = target.transpose(0, 1).flatten(1) == 1
""",
}

_AREA = """\
    scores = scores.contiguous()
    ordered = scores.sort(dim=1).values
    first = torch.searchsorted(ordered, scores)
    last = torch.searchsorted(ordered, scores, right=True)
    ranks = (first + last + 1).to(preds.dtype) / 2
    yes = truth.sum(dim=1).to(preds.dtype)
    no = scores.shape[1] - yes
    above = (ranks * truth).sum(dim=1) - yes * (yes + 1) / 2
    score = torch.where(yes * no > 0, above / (yes * no).clamp(min=1), 0)
"""

_PRECISION = """\
    ordered, order = scores.contiguous().sort(dim=1, descending=True)
    ranked = truth.gather(1, order).cumsum(dim=1)
    falling = -ordered.contiguous()
    last = torch.searchsorted(falling, falling, right=True)
    precision = ranked.gather(1, last - 1).to(preds.dtype) / last
    yes = truth.sum(dim=1)
    score = (precision * truth.gather(1, order)).sum(dim=1) / yes.clamp(min=1)
"""

_MEAN = """\
    if average == "none":
        return score
    if average == "macro":
        return score.mean()
    weight = truth.sum(dim=1).to(preds.dtype)
    return (score * weight).sum() / weight.sum().clamp(min=1)
"""

# A class that does not occur has no such area.
_MEAN_OF_PRESENT = """\
    score = torch.where(yes > 0, score, torch.nan)
    if average == "weighted":
        return (score * yes).nansum() / yes.sum().clamp(min=1)
    return score.nanmean() if average == "macro" else score
"""

_CALIBRATION = """\
    edges = torch.linspace(0, 1, n_bins + 1, dtype=chance.dtype, device=chance.device)
    place = torch.bucketize(chance.contiguous(), edges, right=True) - 1
    inside = F.one_hot(place, n_bins + 1).to(chance.dtype)
    count = inside.sum(dim=0)
    gap = ((chance - right) @ inside / count.clamp(min=1)).abs()
    if norm == "max":
        return gap.max()
    share = count / count.sum()
    if norm == "l2":
        return (gap.square() * share).sum().sqrt()
    return (gap * share).sum()
"""

_SURE = {
    "multiclass": """\
    logits = ((preds < 0) | (preds > 1)).any()
    chance, guess = torch.where(logits, preds.softmax(dim=1), preds).max(dim=1)
    chance, right = chance.flatten(), (guess == target).flatten().to(preds.dtype)
""",
    "binary": """\
    logits = ((preds < 0) | (preds > 1)).any()
    chance = torch.where(logits, preds.sigmoid(), preds).flatten()
    right = target.flatten().to(preds.dtype)
""",
}

_HINGE = """\
    logits = ((preds < 0) | (preds > 1)).any()
    chance = torch.where(logits, preds.softmax(dim=1), preds)
    label = F.one_hot(target, preds.shape[1]) == 1
    margin = torch.where(label, chance, -chance)
    if multiclass_mode == "crammer-singer":
        other = chance.masked_fill(label, -1).max(dim=1).values
        margin = chance.gather(1, target.unsqueeze(1)).squeeze(1) - other
    loss = (1 - margin).clamp(min=0)
    return (loss.square() if squared else loss).mean(dim=0)
"""

_HINGE_OF_TWO = """\
    logits = ((preds < 0) | (preds > 1)).any()
    chance = torch.where(logits, preds.sigmoid(), preds)
    loss = (1 - torch.where(target == 1, chance, -chance)).clamp(min=0)
    return (loss.square() if squared else loss).mean()
"""

_EXACT = """\
    guess = preds.argmax(dim=1)
    right = (guess == target).flatten(1).all(dim=1)
    return right.to(preds.dtype).mean()
"""

_EXACT_OF_LABELS = """\
    logits = ((preds < 0) | (preds > 1)).any()
    guess = torch.where(logits, preds.sigmoid(), preds) > threshold
    right = (guess == (target == 1)).all(dim=1)
    return right.to(preds.dtype).mean()
"""

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
    body: str,
    shape: ShapeRule,
    *settings: tuple[str, str],
    choices: Mapping[str, tuple[str, ...]] = _NONE,
    example: str = "",
) -> FunctionRow:
    name = f"{task.capitalize()}{name}"
    called = f"{task}_{function}" if task else function
    begun = head(called, ["preds: Tensor", "target: Tensor", *(each for _, each in settings)])
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
        helper=f'{begun}\n    """{summary[0].upper() + summary[1:]}."""\n{body}',
        shape=shape,
        family="metric",
    )


def _curves(
    name: str, function: str, summary: str, body: str, mean: str = _MEAN
) -> tuple[FunctionRow, ...]:
    """An area in each task; ``mean`` is that over classes."""
    return (
        *(
            _row(task, name, function, summary, _ROWS["multiclass"] + body + mean,
                 rules.of_classes, _AVERAGE, choices=_AVERAGES)
            for task in ("", "multiclass")
        ),
        _row("binary", name, function, summary,
             _ROWS["binary"] + body + "    return score.squeeze(0)\n", rules.of_two),
        _row("multilabel", name, function, summary, _ROWS["multilabel"] + body + _MEAN,
             rules.of_labels, _AVERAGE, choices=_AVERAGES),
    )  # fmt: skip


_UNDER_ROC = "how often a label scores above what is none; ties are half"
_UNDER_PRECISION = "the mean, over the labels, of the precision down to each"
_CALIBRATED = "how far the scores are from the share that is right, in bins"
_MARGIN = "how far the label's score is from 1 above the others"
_WHOLE = "the share of examples of which all labels are right"

ROWS = (
    *_curves("AUROC", "auroc", _UNDER_ROC, _AREA),
    *_curves("AveragePrecision", "average_precision", _UNDER_PRECISION, _PRECISION,
             _MEAN_OF_PRESENT),
    *(
        _row(task, "CalibrationError", "calibration_error", _CALIBRATED,
             _SURE[task or "multiclass"] + _CALIBRATION,
             rules.of_two if task == "binary" else rules.of_classes, _BINS, _NORM, choices=_NORMS)
        for task in ("", "multiclass", "binary")
    ),
    *(
        _row(task, "HingeLoss", "hinge_loss", _MARGIN, _HINGE, rules.hinge, _SQUARED, _MODE,
             choices=_MODES)
        for task in ("", "multiclass")
    ),
    _row("binary", "HingeLoss", "hinge_loss", _MARGIN, _HINGE_OF_TWO, rules.of_two, _SQUARED),
    *(
        _row(task, "ExactMatch", "exact_match", _WHOLE, _EXACT, rules.of_classes,
             example="x: float[N, 5, 3], y: index(5)[N, 3]")
        for task in ("", "multiclass")
    ),
    _row("multilabel", "ExactMatch", "exact_match", _WHOLE, _EXACT_OF_LABELS, rules.of_labels,
         _THRESHOLD),
)  # fmt: skip
