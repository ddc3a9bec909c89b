"""Parts of the metrics that count hits and misses: the counts of a task, the scores that they make,
the mean over classes or labels.

Counts are whole numbers until they are divided; a quotient of zero counts is 0. Non-goal: which
score is which metric.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Counts = tuple[Tensor, Tensor, Tensor, Tensor]

# ── counts ────────────────────────────────────────────────────────────────────────────


def counts_of_classes(
    preds: Tensor, target: Tensor, average: str, top_k: int, ignore_index: int | None
) -> Counts:
    """Hits, wrong, missed and rest of each class, or of all: scores [N, C, ...]."""
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
    return hits, wrong, missed, rest


def counts_of_two(
    preds: Tensor, target: Tensor, threshold: float, ignore_index: int | None
) -> Counts:
    """Hits, wrong, missed and rest of labels, 0 or 1, with a score each."""
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
    return hits, wrong, missed, rest


def counts_of_labels(
    preds: Tensor,
    target: Tensor,
    threshold: float,
    average: str,
    ignore_index: int | None,
) -> Counts:
    """Hits, wrong, missed and rest of each of L labels, or of all: scores [N, L, ...]."""
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
    return hits, wrong, missed, rest


# ── scores of counts ──────────────────────────────────────────────────────────────────


def found(hits: Tensor, missed: Tensor) -> Tensor:
    """The share of a class's labels that are found."""
    above = hits
    below = hits + missed
    return torch.where(below > 0, above / below, 0)


def found_of_two(hits: Tensor, wrong: Tensor, missed: Tensor, rest: Tensor) -> Tensor:
    """The share of right labels."""
    above = hits + rest
    below = hits + wrong + missed + rest
    return torch.where(below > 0, above / below, 0)


def not_found(hits: Tensor, missed: Tensor) -> Tensor:
    """The share of a class's labels that are not found."""
    above = hits
    below = hits + missed
    return 1 - torch.where(below > 0, above / below, 0)


def not_found_of_two(
    hits: Tensor, wrong: Tensor, missed: Tensor, rest: Tensor
) -> Tensor:
    """The share of wrong labels."""
    above = hits + rest
    below = hits + wrong + missed + rest
    return 1 - torch.where(below > 0, above / below, 0)


def precision(hits: Tensor, wrong: Tensor) -> Tensor:
    """The share of predictions that are right."""
    above = hits
    below = hits + wrong
    return torch.where(below > 0, above / below, 0)


def f1_score(hits: Tensor, wrong: Tensor, missed: Tensor) -> Tensor:
    """The harmonic mean of precision and recall."""
    above = 2 * hits
    below = 2 * hits + wrong + missed
    return torch.where(below > 0, above / below, 0)


def fbeta_score(hits: Tensor, wrong: Tensor, missed: Tensor, beta: float) -> Tensor:
    """The mean of precision and recall that weighs recall by beta."""
    above = (1 + beta**2) * hits
    below = (1 + beta**2) * hits + beta**2 * missed + wrong
    return torch.where(below > 0, above / below, 0)


def specificity(rest: Tensor, wrong: Tensor) -> Tensor:
    """The share of other labels that are not predicted."""
    above = rest
    below = rest + wrong
    return torch.where(below > 0, above / below, 0)


def negative_predictive_value(rest: Tensor, missed: Tensor) -> Tensor:
    """The share of what is not predicted that is right."""
    above = rest
    below = rest + missed
    return torch.where(below > 0, above / below, 0)


# ── means ─────────────────────────────────────────────────────────────────────────────


def mean_of_occurring(
    preds: Tensor,
    score: Tensor,
    hits: Tensor,
    wrong: Tensor,
    missed: Tensor,
    average: str,
) -> Tensor:
    """The mean over the classes that are predicted or there."""
    if average in ("micro", "none"):
        return score
    weight = hits + missed
    if average == "macro":
        weight = ((hits + wrong + missed) > 0).to(preds.dtype)
    return (score * weight).sum() / weight.sum().clamp(min=1)


def mean_of_seen(
    preds: Tensor,
    score: Tensor,
    hits: Tensor,
    wrong: Tensor,
    missed: Tensor,
    average: str,
    top_k: int,
) -> Tensor:
    """The same; of several guesses what is wrong does not count."""
    if average in ("micro", "none"):
        return score
    weight = hits + missed
    if average == "macro":
        weight = ((hits + missed + (wrong if top_k == 1 else 0)) > 0).to(preds.dtype)
    return (score * weight).sum() / weight.sum().clamp(min=1)


def mean_of_labels(score: Tensor, hits: Tensor, missed: Tensor, average: str) -> Tensor:
    """The mean over labels."""
    if average in ("micro", "none"):
        return score
    weight = torch.ones_like(score)
    if average == "weighted":
        weight = hits + missed
    return (score * weight).sum() / weight.sum().clamp(min=1)
