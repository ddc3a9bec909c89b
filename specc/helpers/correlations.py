"""Correlations of numbers, and divergences of rows that are distributions.

0.6931471805599453 is log(2).
"""

from __future__ import annotations

import torch
from torch import Tensor


def pearson_corrcoef(preds: Tensor, target: Tensor) -> Tensor:
    """The linear correlation."""
    one, other = preds - preds.mean(), target - target.mean()
    size = (one.square().mean() * other.square().mean()).sqrt()
    return ((one * other).mean() / size).clamp(-1, 1)


def concordance_corrcoef(preds: Tensor, target: Tensor) -> Tensor:
    """The correlation with the line of equal values."""
    one, other = preds - preds.mean(), target - target.mean()
    spread = preds.var() + target.var() + (preds.mean() - target.mean()).square()
    return 2 * (one * other).sum() / (len(preds) - 1) / spread


def spearman_corrcoef(preds: Tensor, target: Tensor) -> Tensor:
    """The linear correlation of the ranks; equal values share theirs."""
    ranks = []
    for values in (preds, target):
        ordered = values.sort().values
        first = torch.searchsorted(ordered, values)
        last = torch.searchsorted(ordered, values, right=True)
        ranks.append((first + last + 1).to(values.dtype) / 2)
    one, other = (rank - rank.mean() for rank in ranks)
    size = one.square().mean().sqrt() * other.square().mean().sqrt()
    return ((one * other).mean() / (size + 1e-06)).clamp(-1, 1)


def kendall_rank_corrcoef(preds: Tensor, target: Tensor) -> Tensor:
    """The share of pairs in one order less that of pairs in the other, ties apart."""
    one = (preds.unsqueeze(0) - preds.unsqueeze(1)).sign()
    other = (target.unsqueeze(0) - target.unsqueeze(1)).sign()
    return (one * other).sum() / (one.abs().sum() * other.abs().sum()).sqrt()


def cosine_similarity(preds: Tensor, target: Tensor, reduction: str = "sum") -> Tensor:
    """The cosine of the angle between rows."""
    sizes = preds.norm(dim=-1) * target.norm(dim=-1)
    found = (preds * target).sum(dim=-1) / sizes
    if reduction == "none":
        return found
    return found.mean() if reduction == "mean" else found.sum()


def kl_divergence(
    p: Tensor, q: Tensor, log_prob: bool = False, reduction: str = "mean"
) -> Tensor:
    """The Kullback-Leibler divergence of the rows of p from those of q."""
    if log_prob:
        found = (p.exp() * (p - q)).sum(dim=-1)
    else:
        p, q = p / p.sum(dim=-1, keepdim=True), q / q.sum(dim=-1, keepdim=True)
        found = torch.xlogy(p, p / q).sum(dim=-1)
    if reduction == "none":
        return found
    return found.mean() if reduction == "mean" else found.sum()


def jensen_shannon_divergence(
    p: Tensor, q: Tensor, log_prob: bool = False, reduction: str = "mean"
) -> Tensor:
    """The mean divergence of the rows of p and of q from their mean."""
    if log_prob:
        mean = torch.logaddexp(p, q) - 0.6931471805599453
        found = 0.5 * (p.exp() * (p - mean) + q.exp() * (q - mean)).sum(dim=-1)
    else:
        p, q = p / p.sum(dim=-1, keepdim=True), q / q.sum(dim=-1, keepdim=True)
        mean = (p + q) / 2
        found = 0.5 * (torch.xlogy(p, p / mean) + torch.xlogy(q, q / mean)).sum(dim=-1)
    if reduction == "none":
        return found
    return found.mean() if reduction == "mean" else found.sum()


def critical_success_index(preds: Tensor, target: Tensor, threshold: float) -> Tensor:
    """The share of what reaches the threshold in one that does in both."""
    one, other = preds >= threshold, target >= threshold
    return (one & other).sum().to(preds.dtype) / (one | other).sum().clamp(min=1)
