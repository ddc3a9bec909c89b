"""Metrics that count hits and misses: accuracy, precision, recall and their kin.

Each is there four times, by torchmetrics' names and with its defaults: ``MulticlassRecall`` of
scores [N, C, ...] against labels [N, ...]; ``Recall``, the same but for ``average="micro"``;
``BinaryRecall`` of one score a label; ``MultilabelRecall`` of a score for each of L labels. As in
torchmetrics, scores of which any is outside 0..1 are taken for logits. Counts are whole numbers
until they are divided; a quotient of zero counts is 0. Non-goal: state over batches.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.catalog.helper_source import Joined
from specc.catalog.rows import FunctionRow
from specc.catalog.shapes.of_losses import metrics as rules


@dataclass(frozen=True, slots=True)
class _Score:
    """``part`` makes it of the counts; ``binary`` is the part that does where there is no other
    class. ``seen`` says which classes a mean is over where ``top_k`` is more than 1."""

    name: str
    function: str
    summary: str
    part: str
    binary: str = ""
    beta: bool = False
    seen: bool = False
    average: str = "micro"


_SCORES = (
    _Score("Accuracy", "accuracy", "the share of right labels", "found", "found_of_two", seen=True),
    _Score(
        "Precision", "precision", "the share of predictions that are right", "precision", seen=True
    ),
    _Score("Recall", "recall", "the share of labels that are found", "found", seen=True),
    _Score("F1Score", "f1_score", "the harmonic mean of precision and recall", "f1_score"),
    _Score(
        "FBetaScore", "fbeta_score", "the mean of precision and recall that weighs recall by beta",
        "fbeta_score", beta=True,
    ),
    _Score(
        "Specificity", "specificity", "the share of other labels that are not predicted",
        "specificity",
    ),
    _Score(
        "NegativePredictiveValue", "negative_predictive_value",
        "the share of what is not predicted that is right", "negative_predictive_value", seen=True,
    ),
    _Score(
        "HammingDistance", "hamming_distance", "the share of wrong labels", "not_found",
        "not_found_of_two",
    ),
)  # fmt: skip

_SIGNATURE = "preds: tensor, target: tensor, *, "
_IGNORE = "ignore_index: int | none = None"
_IGNORED = "ignore_index: int | None = None"
_AVERAGES = ("micro", "macro", "weighted", "none")
_LABELS = "x: float[N, 5], y: index(2)[N, 5] | "


def _rows(score: _Score) -> tuple[FunctionRow, ...]:
    return (
        _multiclass(score, score.name, score.function, score.average, "1.0"),
        _multiclass(score, f"Multiclass{score.name}", f"multiclass_{score.function}", "macro", ""),
        _binary(score),
        _multilabel(score),
    )


def _helper(
    score: _Score, function: str, more: str, summary: str, parts: tuple[str, ...], beta: str = ""
) -> Joined:
    given = ["preds: Tensor", "target: Tensor"]
    if score.beta:
        given.append(f"beta: float = {beta}" if beta else "beta: float")
    given += more.split(", ")
    return Joined("counting", function, tuple(given), f"{score.summary}: {summary}", parts)


def _beta(score: _Score, default: str = "") -> str:
    """The argument of FBetaScore, with torchmetrics' default where it has one."""
    if not score.beta:
        return ""
    return f"beta: float = {default}, " if default else "beta: float, "


def _multiclass(score: _Score, name: str, function: str, average: str, beta: str) -> FunctionRow:
    mean = "mean_of_seen" if score.seen else "mean_of_occurring"
    return FunctionRow(
        name,
        function,
        f"{_SIGNATURE}{_beta(score, beta)}average: str = '{average}', top_k: int = 1, {_IGNORE}",
        score.summary,
        choices={"average": _AVERAGES},
        example="x: float[N, 5], y: index(5)[N] | "
        f"{name}(x, y{', beta=2.0' if score.beta else ''})",
        helper=_helper(
            score, function, f'average: str = "{average}", top_k: int = 1, {_IGNORED}',
            "scores [N, C, ...] against labels [N, ...]",
            ("counts_of_classes", score.part, mean), beta,
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
        helper=_helper(
            score,
            function,
            f"threshold: float = 0.5, {_IGNORED}",
            "a score for each label, 0 or 1",
            ("counts_of_two", score.binary or score.part),
        ),
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
        helper=_helper(
            score,
            function,
            f'threshold: float = 0.5, average: str = "macro", {_IGNORED}',
            "scores [N, L, ...] against as many labels, 0 or 1",
            ("counts_of_labels", score.binary or score.part, "mean_of_labels"),
        ),
        shape=rules.of_labels,
        family="metric",
    )


ROWS = tuple(row for score in _SCORES for row in _rows(score))
