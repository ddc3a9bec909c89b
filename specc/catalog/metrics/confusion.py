"""Metrics of the confusion matrix: the matrix, agreement beyond chance, correlation, overlap.

By torchmetrics' names and with its defaults; the name without a task is the multiclass one's. Rows
of the matrix are labels, columns predictions. Scores of which any is outside 0..1 are taken for
logits. Where one side is all one class there is no correlation: 0, as in scikit-learn, where
torchmetrics gives a number that its eps makes. Non-goal: matrices that are normalised.
"""

from __future__ import annotations

from collections.abc import Mapping

from specc.catalog.metrics.heads import head
from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes.of_losses import metrics as rules

_NONE: Mapping[str, tuple[str, ...]] = {}

_MATRIX = {
    "multiclass": """\
    classes = preds.shape[1]
    guess = preds.argmax(dim=1)
    pairs = F.one_hot(target * classes + guess, classes * classes)
    matrix = pairs.flatten(0, -2).sum(dim=0).view(classes, classes)
""",
    "binary": """\
    logits = ((preds < 0) | (preds > 1)).any()
    guess = torch.where(logits, preds.sigmoid(), preds) > threshold
    pairs = F.one_hot(target * 2 + guess, 4)
    matrix = pairs.flatten(0, -2).sum(dim=0).view(2, 2)
""",
    "multilabel": """\
    logits = ((preds < 0) | (preds > 1)).any()
    guess = torch.where(logits, preds.sigmoid(), preds) > threshold
    pairs = F.one_hot(target * 2 + guess, 4).transpose(0, 1)
    matrix = pairs.flatten(1, -2).sum(dim=1).view(-1, 2, 2)
""",
}

_KAPPA = """\
    matrix = matrix.to(preds.dtype)
    chance = matrix.sum(dim=1, keepdim=True) @ matrix.sum(dim=0, keepdim=True)
    places = torch.arange(len(matrix), device=preds.device, dtype=preds.dtype)
    apart = (places.unsqueeze(0) - places.unsqueeze(1)).abs()
    if weights == "none":
        apart = apart.clamp(max=1)
    elif weights == "quadratic":
        apart = apart.square()
    return 1 - (apart * matrix).sum() / (apart * chance).sum() * matrix.sum()
"""

_CORRELATION = """\
    matrix = matrix.to(preds.dtype)
    labels, guesses, count = matrix.sum(dim=1), matrix.sum(dim=0), matrix.sum()
    shared = matrix.diagonal().sum() * count - (labels * guesses).sum()
    spread = count.square() - labels.square().sum()
    spread = spread * (count.square() - guesses.square().sum())
    whole = torch.where(spread > 0, spread, 1)
    return torch.where(spread > 0, shared / whole.sqrt(), 0)
"""

_CORRELATION_OF_LABELS = "    matrix = matrix.sum(dim=0)\n" + _CORRELATION

_JACCARD = """\
    hits = matrix.diagonal()
    either = matrix.sum(dim=1) + matrix.sum(dim=0) - hits
    if average == "micro":
        hits, either = hits.sum(), either.sum()
    score = hits.to(preds.dtype) / either.clamp(min=1)
    if average in ("micro", "none"):
        return score
    weight = matrix.sum(dim=1) if average == "weighted" else either.clamp(max=1)
    return (score * weight).sum() / weight.sum().clamp(min=1)
"""

_JACCARD_OF_TWO = """\
    hits = matrix[1, 1]
    either = matrix[1].sum() + matrix[:, 1].sum() - hits
    return hits.to(preds.dtype) / either.clamp(min=1)
"""

_JACCARD_OF_LABELS = """\
    hits = matrix[:, 1, 1]
    either = matrix[:, 1].sum(dim=1) + matrix[:, :, 1].sum(dim=1) - hits
    found = matrix[:, 1].sum(dim=1)
    if average == "micro":
        hits, either = hits.sum(), either.sum()
    score = hits.to(preds.dtype) / either.clamp(min=1)
    if average in ("micro", "none"):
        return score
    weight = found if average == "weighted" else torch.ones_like(found)
    return (score * weight).sum() / weight.sum().clamp(min=1)
"""

_AVERAGES = {"average": ("micro", "macro", "weighted", "none")}
_WEIGHTS = {"weights": ("none", "linear", "quadratic")}
_THRESHOLD = ("threshold: float = 0.5", "threshold: float = 0.5")
_AVERAGE = ("average: str = 'macro'", 'average: str = "macro"')
_WEIGHTED = ("weights: str = 'none'", 'weights: str = "none"')
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
    body: str,
    shape: ShapeRule,
    *settings: tuple[str, str],
    choices: Mapping[str, tuple[str, ...]] = _NONE,
) -> FunctionRow:
    begun = head(function, ["preds: Tensor", "target: Tensor", *(each for _, each in settings)])
    text = f'{begun}\n    """{summary[0].upper() + summary[1:]}."""\n{_MATRIX[task]}{body}'
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
        helper=text,
        shape=shape,
        family="metric",
    )


def _family(
    name: str, function: str, summary: str, body: str, *settings: tuple[str, str],
    choices: Mapping[str, tuple[str, ...]], shape: ShapeRule,
) -> tuple[FunctionRow, ...]:  # fmt: skip
    """The rows of one that goes the same way for two classes and for several."""
    return (
        *(
            _row(
                f"{task}{name}", f"{task.lower()}{'_' * bool(task)}{function}", "multiclass",
                summary, body, shape, *settings, choices=choices,
            )
            for task in ("", "Multiclass")
        ),
        _row(
            f"Binary{name}", f"binary_{function}", "binary", summary, body, rules.of_two,
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
             "multiclass", _COUNTED, "    return matrix\n", rules.matrix_of_classes)
        for task in ("", "Multiclass")
    ),
    _row("BinaryConfusionMatrix", "binary_confusion_matrix", "binary", _COUNTED,
         "    return matrix\n", rules.matrix_of_two, _THRESHOLD),
    _row("MultilabelConfusionMatrix", "multilabel_confusion_matrix", "multilabel", _COUNTED,
         "    return matrix\n", rules.matrix_of_labels, _THRESHOLD),
    *_family("CohenKappa", "cohen_kappa", _AGREEMENT, _KAPPA, _WEIGHTED, choices=_WEIGHTS,
             shape=rules.of_classes),
    *(
        _row(f"{task}MatthewsCorrCoef", f"{task.lower()}{'_' * bool(task)}matthews_corrcoef",
             "multiclass", _CORRELATED, _CORRELATION, rules.of_classes)
        for task in ("", "Multiclass")
    ),
    _row("BinaryMatthewsCorrCoef", "binary_matthews_corrcoef", "binary", _CORRELATED, _CORRELATION,
         rules.of_two, _THRESHOLD),
    _row("MultilabelMatthewsCorrCoef", "multilabel_matthews_corrcoef", "multilabel", _CORRELATED,
         _CORRELATION_OF_LABELS, rules.of_labels, _THRESHOLD),
    *(
        _row(f"{task}JaccardIndex", f"{task.lower()}{'_' * bool(task)}jaccard_index", "multiclass",
             _OVERLAP, _JACCARD, rules.of_classes, _AVERAGE, choices=_AVERAGES)
        for task in ("", "Multiclass")
    ),
    _row("BinaryJaccardIndex", "binary_jaccard_index", "binary", _OVERLAP, _JACCARD_OF_TWO,
         rules.of_two, _THRESHOLD),
    _row("MultilabelJaccardIndex", "multilabel_jaccard_index", "multilabel", _OVERLAP,
         _JACCARD_OF_LABELS, rules.of_labels, _THRESHOLD, _AVERAGE, choices=_AVERAGES),
)  # fmt: skip
