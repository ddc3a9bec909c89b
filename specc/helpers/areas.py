"""Parts of the areas under curves: each task as rows of scores, their areas, the mean over rows.

Curves go through every score, equal scores at once. Non-goal: curves at given thresholds.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def rows_of_classes(preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and truth as [C, M], a row for each class."""
    logits = ((preds < 0) | (preds > 1)).any()
    scores = torch.where(logits, preds.softmax(dim=1), preds).transpose(0, 1).flatten(1)
    truth = F.one_hot(target, preds.shape[1]).flatten(0, -2).T == 1
    return scores, truth


def rows_of_two(preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and truth as [1, M]."""
    logits = ((preds < 0) | (preds > 1)).any()
    scores = torch.where(logits, preds.sigmoid(), preds).flatten().unsqueeze(0)
    truth = target.flatten().unsqueeze(0) == 1
    return scores, truth


def rows_of_labels(preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and truth as [L, M], a row for each label."""
    logits = ((preds < 0) | (preds > 1)).any()
    scores = torch.where(logits, preds.sigmoid(), preds).transpose(0, 1).flatten(1)
    truth = target.transpose(0, 1).flatten(1) == 1
    return scores, truth


def under_roc(preds: Tensor, scores: Tensor, truth: Tensor) -> Tensor:
    """How often a label scores above what is none, a row; ties are half."""
    scores = scores.contiguous()
    ordered = scores.sort(dim=1).values
    first = torch.searchsorted(ordered, scores)
    last = torch.searchsorted(ordered, scores, right=True)
    ranks = (first + last + 1).to(preds.dtype) / 2
    yes = truth.sum(dim=1).to(preds.dtype)
    no = scores.shape[1] - yes
    above = (ranks * truth).sum(dim=1) - yes * (yes + 1) / 2
    score = torch.where(yes * no > 0, above / (yes * no).clamp(min=1), 0)
    return score


def under_precision(
    preds: Tensor, scores: Tensor, truth: Tensor
) -> tuple[Tensor, Tensor]:
    """The mean over the labels of the precision down to each, a row, and their number."""
    ordered, order = scores.contiguous().sort(dim=1, descending=True)
    ranked = truth.gather(1, order).cumsum(dim=1)
    falling = -ordered.contiguous()
    last = torch.searchsorted(falling, falling, right=True)
    precision = ranked.gather(1, last - 1).to(preds.dtype) / last
    yes = truth.sum(dim=1)
    score = (precision * truth.gather(1, order)).sum(dim=1) / yes.clamp(min=1)
    return score, yes


def only_row(score: Tensor) -> Tensor:
    """Of the one row that there is."""
    return score.squeeze(0)


def mean_of_rows(preds: Tensor, score: Tensor, truth: Tensor, average: str) -> Tensor:
    """The mean over rows."""
    if average == "none":
        return score
    if average == "macro":
        return score.mean()
    weight = truth.sum(dim=1).to(preds.dtype)
    return (score * weight).sum() / weight.sum().clamp(min=1)


def mean_of_present(score: Tensor, yes: Tensor, average: str) -> Tensor:
    """The mean over classes; one that does not occur has no such area."""
    score = torch.where(yes > 0, score, torch.nan)
    if average == "weighted":
        return (score * yes).nansum() / yes.sum().clamp(min=1)
    return score.nanmean() if average == "macro" else score
