"""Metrics that count hits and misses: accuracy, precision, recall and their kin.

Each is there four times, by torchmetrics' names and with its defaults: ``MulticlassRecall`` of
scores [N, C, ...] against labels [N, ...]; ``Recall``, the same but for ``average="micro"``;
``BinaryRecall`` of one score a label; ``MultilabelRecall`` of a score for each of L labels. As in
torchmetrics, scores of which any is outside 0..1 are taken for logits. Counts are whole numbers
until they are divided; a quotient of zero counts is 0. Non-goal: state over batches.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.catalog.rows import FunctionRow
from specc.catalog.shapes.of_losses import metrics as rules

_MULTICLASS = '''\
def {function}(
    preds: Tensor,
    target: Tensor,{beta}
    average: str = "{average}",
    top_k: int = 1,
    ignore_index: int | None = None,
) -> Tensor:
    """{summary}: scores [N, C, ...] against labels [N, ...]."""
    guess = preds.argmax(dim=1)
    if top_k > 1:
        best = preds.topk(top_k, dim=1).indices
        found = (best == target.unsqueeze(1)).any(dim=1)
        guess = torch.where(found, target, best[:, 0])
    kept = torch.ones_like(target, dtype=torch.bool)
    if ignore_index is not None:
        kept = target != ignore_index
    chosen = F.one_hot(guess[kept], preds.shape[1])
    actual = F.one_hot(target[kept], preds.shape[1])
    hits = (chosen * actual).sum(dim=0)
    wrong = chosen.sum(dim=0) - hits
    missed = actual.sum(dim=0) - hits
    counts = torch.stack([hits, wrong, missed, kept.sum() - hits - wrong - missed])
    if average == "micro":
        counts = counts.sum(dim=1)
    hits, wrong, missed, rest = counts.to(preds.dtype)
    above = {above}
    below = {below}
    score = {score}
    if average in ("micro", "none"):
        return score
    weight = hits + missed
    if average == "macro":
        weight = ({seen} > 0).to(preds.dtype)
    return (score * weight).sum() / weight.sum().clamp(min=1)
'''

_BINARY = '''\
def {function}(
    preds: Tensor,
    target: Tensor,{beta}
    threshold: float = 0.5,
    ignore_index: int | None = None,
) -> Tensor:
    """{summary}: a score for each label, 0 or 1."""
    logits = ((preds < 0) | (preds > 1)).any()
    guess = torch.where(logits, preds.sigmoid(), preds) > threshold
    actual = target == 1
    if ignore_index is not None:
        kept = target != ignore_index
        guess, actual = guess[kept], actual[kept]
    hits = (guess & actual).sum()
    wrong = (guess & ~actual).sum()
    missed = (~guess & actual).sum()
    counts = torch.stack([hits, wrong, missed, (~guess & ~actual).sum()])
    hits, wrong, missed, rest = counts.to(preds.dtype)
    above = {above}
    below = {below}
    return {score}
'''

_MULTILABEL = '''\
def {function}(
    preds: Tensor,
    target: Tensor,{beta}
    threshold: float = 0.5,
    average: str = "macro",
    ignore_index: int | None = None,
) -> Tensor:
    """{summary}: scores [N, L, ...] against as many labels, 0 or 1."""
    logits = ((preds < 0) | (preds > 1)).any()
    guess = torch.where(logits, preds.sigmoid(), preds) > threshold
    actual = target == 1
    kept = torch.ones_like(actual)
    if ignore_index is not None:
        kept = target != ignore_index
    places = [0, *range(2, preds.dim())]
    hits = (guess & actual & kept).sum(dim=places)
    wrong = (guess & ~actual & kept).sum(dim=places)
    missed = (~guess & actual & kept).sum(dim=places)
    rest = kept.sum(dim=places) - hits - wrong - missed
    counts = torch.stack([hits, wrong, missed, rest])
    if average == "micro":
        counts = counts.sum(dim=1)
    hits, wrong, missed, rest = counts.to(preds.dtype)
    above = {above}
    below = {below}
    score = {score}
    if average in ("micro", "none"):
        return score
    weight = torch.ones_like(score)
    if average == "weighted":
        weight = hits + missed
    return (score * weight).sum() / weight.sum().clamp(min=1)
'''


@dataclass(frozen=True, slots=True)
class _Score:
    """``above / below`` of the counts; ``binary`` is the pair that it is where there is no other
    class. ``seen`` says which classes a mean is over where ``top_k`` is more than 1."""

    name: str
    function: str
    summary: str
    above: str
    below: str
    binary: tuple[str, str] | None = None
    complement: bool = False
    beta: bool = False
    seen: bool = False
    average: str = "micro"


_ALL = "hits + wrong + missed + rest"
_SCORES = (
    _Score(
        "Accuracy", "accuracy", "the share of right labels", "hits", "hits + missed",
        ("hits + rest", _ALL), seen=True,
    ),
    _Score(
        "Precision", "precision", "the share of predictions that are right", "hits",
        "hits + wrong", seen=True,
    ),
    _Score(
        "Recall", "recall", "the share of labels that are found", "hits", "hits + missed",
        seen=True,
    ),
    _Score(
        "F1Score", "f1_score", "the harmonic mean of precision and recall", "2 * hits",
        "2 * hits + wrong + missed",
    ),
    _Score(
        "FBetaScore", "fbeta_score", "the mean of precision and recall that weighs recall by beta",
        "(1 + beta**2) * hits", "(1 + beta**2) * hits + beta**2 * missed + wrong", beta=True,
    ),
    _Score(
        "Specificity", "specificity", "the share of other labels that are not predicted", "rest",
        "rest + wrong",
    ),
    _Score(
        "NegativePredictiveValue", "negative_predictive_value",
        "the share of what is not predicted that is right", "rest", "rest + missed", seen=True,
    ),
    _Score(
        "HammingDistance", "hamming_distance", "the share of wrong labels", "hits",
        "hits + missed", ("hits + rest", _ALL), complement=True,
    ),
)  # fmt: skip

_SIGNATURE = "preds: tensor, target: tensor, *, "
_IGNORE = "ignore_index: int | none = None"
_AVERAGES = ("micro", "macro", "weighted", "none")
_LABELS = "x: float[N, 5], y: index(2)[N, 5] | "


def _rows(score: _Score) -> tuple[FunctionRow, ...]:
    return (
        _multiclass(score, score.name, score.function, score.average, "1.0"),
        _multiclass(score, f"Multiclass{score.name}", f"multiclass_{score.function}", "macro", ""),
        _binary(score),
        _multilabel(score),
    )


def _helper(template: str, score: _Score, function: str, *, binary: bool, **more: str) -> str:
    above, below = (score.binary or (score.above, score.below)) if binary else (
        score.above, score.below
    )  # fmt: skip
    quotient = "torch.where(below > 0, above / below, 0)"
    return template.format(
        function=function,
        summary=score.summary[0].upper() + score.summary[1:],
        above=above,
        below=below,
        score=f"1 - {quotient}" if score.complement else quotient,
        **{"beta": "\n    beta: float," if score.beta else "", **more},
    )


def _beta(score: _Score, default: str = "") -> str:
    """The argument of FBetaScore, with torchmetrics' default where it has one."""
    if not score.beta:
        return ""
    return f"beta: float = {default}, " if default else "beta: float, "


def _multiclass(score: _Score, name: str, function: str, average: str, beta: str) -> FunctionRow:
    seen = "hits + wrong + missed"
    if score.seen:
        seen = "(hits + missed + (wrong if top_k == 1 else 0))"
    given = f"\n    beta: float = {beta}," if beta else "\n    beta: float,"
    return FunctionRow(
        name,
        function,
        f"{_SIGNATURE}{_beta(score, beta)}average: str = '{average}', top_k: int = 1, {_IGNORE}",
        score.summary,
        choices={"average": _AVERAGES},
        example="x: float[N, 5], y: index(5)[N] | "
        f"{name}(x, y{', beta=2.0' if score.beta else ''})",
        helper=_helper(
            _MULTICLASS, score, function, binary=False, average=average,
            seen=seen if seen.startswith("(") else f"({seen})",
            beta=given if score.beta else "",
        ),
        shape=rules.of_classes,
        family="metric",
    )  # fmt: skip


def _binary(score: _Score) -> FunctionRow:
    name, function = f"Binary{score.name}", f"binary_{score.function}"
    return FunctionRow(
        name,
        function,
        f"{_SIGNATURE}{_beta(score)}threshold: float = 0.5, {_IGNORE}",
        score.summary,
        example=f"x: float[N], y: index(2)[N] | {name}(x, y{', beta=2.0' if score.beta else ''})",
        helper=_helper(_BINARY, score, function, binary=True),
        shape=rules.of_two,
        family="metric",
    )


def _multilabel(score: _Score) -> FunctionRow:
    name, function = f"Multilabel{score.name}", f"multilabel_{score.function}"
    return FunctionRow(
        name,
        function,
        f"{_SIGNATURE}{_beta(score)}threshold: float = 0.5, average: str = 'macro', {_IGNORE}",
        score.summary,
        choices={"average": _AVERAGES},
        example=f"{_LABELS}{name}(x, y{', beta=2.0' if score.beta else ''})",
        helper=_helper(_MULTILABEL, score, function, binary=True),
        shape=rules.of_labels,
        family="metric",
    )


ROWS = tuple(row for score in _SCORES for row in _rows(score))
