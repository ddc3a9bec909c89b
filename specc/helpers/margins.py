"""Parts of the metrics of how large scores are: calibration, margins, exact matches.

Scores of which any is outside 0..1 are taken for logits. Non-goal: their order (``areas``).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def sure_of_classes(preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """How sure each prediction is, and whether it is right."""
    logits = ((preds < 0) | (preds > 1)).any()
    chance, guess = torch.where(logits, preds.softmax(dim=1), preds).max(dim=1)
    chance, right = chance.flatten(), (guess == target).flatten().to(preds.dtype)
    return chance, right


def sure_of_two(preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The score of each label, and whether it is 1."""
    logits = ((preds < 0) | (preds > 1)).any()
    chance = torch.where(logits, preds.sigmoid(), preds).flatten()
    right = target.flatten().to(preds.dtype)
    return chance, right


def calibration(chance: Tensor, right: Tensor, n_bins: int, norm: str) -> Tensor:
    """How far scores are from the share that is right, in bins."""
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


def hinge(preds: Tensor, target: Tensor, squared: bool, multiclass_mode: str) -> Tensor:
    """How far the label's score is from 1 above the others."""
    logits = ((preds < 0) | (preds > 1)).any()
    chance = torch.where(logits, preds.softmax(dim=1), preds)
    label = F.one_hot(target, preds.shape[1]) == 1
    margin = torch.where(label, chance, -chance)
    if multiclass_mode == "crammer-singer":
        other = chance.masked_fill(label, -1).max(dim=1).values
        margin = chance.gather(1, target.unsqueeze(1)).squeeze(1) - other
    loss = (1 - margin).clamp(min=0)
    return (loss.square() if squared else loss).mean(dim=0)


def hinge_of_two(preds: Tensor, target: Tensor, squared: bool) -> Tensor:
    """The same of labels, 0 or 1."""
    logits = ((preds < 0) | (preds > 1)).any()
    chance = torch.where(logits, preds.sigmoid(), preds)
    loss = (1 - torch.where(target == 1, chance, -chance)).clamp(min=0)
    return (loss.square() if squared else loss).mean()


def exact(preds: Tensor, target: Tensor) -> Tensor:
    """The share of examples of which all labels are right."""
    guess = preds.argmax(dim=1)
    right = (guess == target).flatten(1).all(dim=1)
    return right.to(preds.dtype).mean()


def exact_of_labels(preds: Tensor, target: Tensor, threshold: float) -> Tensor:
    """The same of L labels, 0 or 1."""
    logits = ((preds < 0) | (preds > 1)).any()
    guess = torch.where(logits, preds.sigmoid(), preds) > threshold
    right = (guess == (target == 1)).all(dim=1)
    return right.to(preds.dtype).mean()
