"""Parts of the metrics of the confusion matrix: the matrix of a task, and what is made of it.

Non-goal: matrices that are normalised.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def matrix_of_classes(preds: Tensor, target: Tensor) -> Tensor:
    """Rows are labels, columns predictions: scores [N, C, ...]."""
    classes = preds.shape[1]
    guess = preds.argmax(dim=1)
    pairs = F.one_hot(target * classes + guess, classes * classes)
    matrix = pairs.flatten(0, -2).sum(dim=0).view(classes, classes)
    return matrix


def matrix_of_two(preds: Tensor, target: Tensor, threshold: float) -> Tensor:
    """Of labels, 0 or 1, with a score each."""
    logits = ((preds < 0) | (preds > 1)).any()
    guess = torch.where(logits, preds.sigmoid(), preds) > threshold
    pairs = F.one_hot(target * 2 + guess, 4)
    matrix = pairs.flatten(0, -2).sum(dim=0).view(2, 2)
    return matrix


def matrix_of_labels(preds: Tensor, target: Tensor, threshold: float) -> Tensor:
    """[L, 2, 2]: a matrix for each of L labels."""
    logits = ((preds < 0) | (preds > 1)).any()
    guess = torch.where(logits, preds.sigmoid(), preds) > threshold
    pairs = F.one_hot(target * 2 + guess, 4).transpose(0, 1)
    matrix = pairs.flatten(1, -2).sum(dim=1).view(-1, 2, 2)
    return matrix


def matrix_over_labels(matrix: Tensor) -> Tensor:
    """That of all labels."""
    matrix = matrix.sum(dim=0)
    return matrix


def counted(matrix: Tensor) -> Tensor:
    """The matrix itself."""
    return matrix


def kappa(matrix: Tensor, preds: Tensor, weights: str) -> Tensor:
    """The agreement beyond that of chance."""
    matrix = matrix.to(preds.dtype)
    chance = matrix.sum(dim=1, keepdim=True) @ matrix.sum(dim=0, keepdim=True)
    places = torch.arange(len(matrix), device=preds.device, dtype=preds.dtype)
    apart = (places.unsqueeze(0) - places.unsqueeze(1)).abs()
    if weights == "none":
        apart = apart.clamp(max=1)
    elif weights == "quadratic":
        apart = apart.square()
    return 1 - (apart * matrix).sum() / (apart * chance).sum() * matrix.sum()


def correlation(matrix: Tensor, preds: Tensor) -> Tensor:
    """The correlation of predictions and labels; 0 where there is none."""
    matrix = matrix.to(preds.dtype)
    labels, guesses, count = matrix.sum(dim=1), matrix.sum(dim=0), matrix.sum()
    shared = matrix.diagonal().sum() * count - (labels * guesses).sum()
    spread = count.square() - labels.square().sum()
    spread = spread * (count.square() - guesses.square().sum())
    whole = torch.where(spread > 0, spread, 1)
    return torch.where(spread > 0, shared / whole.sqrt(), 0)


def overlap(matrix: Tensor, preds: Tensor, average: str) -> Tensor:
    """What predictions and labels share, over what either has."""
    hits = matrix.diagonal()
    either = matrix.sum(dim=1) + matrix.sum(dim=0) - hits
    if average == "micro":
        hits, either = hits.sum(), either.sum()
    score = hits.to(preds.dtype) / either.clamp(min=1)
    if average in ("micro", "none"):
        return score
    weight = matrix.sum(dim=1) if average == "weighted" else either.clamp(max=1)
    return (score * weight).sum() / weight.sum().clamp(min=1)


def overlap_of_two(matrix: Tensor, preds: Tensor) -> Tensor:
    """The same of two classes."""
    hits = matrix[1, 1]
    either = matrix[1].sum() + matrix[:, 1].sum() - hits
    return hits.to(preds.dtype) / either.clamp(min=1)


def overlap_of_labels(matrix: Tensor, preds: Tensor, average: str) -> Tensor:
    """The same of labels."""
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
