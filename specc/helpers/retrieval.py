"""Parts of the metrics of documents found for queries: their ranks, what each is worth, the mean.

Each document's worth is divided over its query. Non-goal: curves over the number that is looked at.
"""

from __future__ import annotations

import torch
from torch import Tensor


def ranked(preds: Tensor, target: Tensor, indexes: Tensor) -> tuple[Tensor, ...]:
    """What each document is, in its query. Of equal scores the first is first."""
    places = torch.arange(len(preds), device=preds.device)
    query = indexes.unsqueeze(1) == indexes
    before = preds > preds.unsqueeze(1)
    tied = (preds == preds.unsqueeze(1)) & (places <= places.unsqueeze(1))
    before = query & (before | tied)
    rank = before.sum(dim=1)
    size = query.sum(dim=1)
    relevant = target > 0
    total = (query & relevant).sum(dim=1)
    return places, query, before, rank, size, relevant, total


def average_precision(
    preds: Tensor,
    relevant: Tensor,
    before: Tensor,
    query: Tensor,
    size: Tensor,
    rank: Tensor,
    top_k: int | None,
) -> Tensor:
    """The mean over the relevant documents of the precision down to each."""
    found = relevant & (preds > 0)
    if top_k is not None:
        found = found & (rank <= top_k)
    hits = (before & found).sum(dim=1)
    count = (query & found).sum(dim=1).clamp(min=1)
    worth = found * size * hits / rank / count
    return worth


def reciprocal_rank(
    preds: Tensor,
    relevant: Tensor,
    before: Tensor,
    size: Tensor,
    rank: Tensor,
    top_k: int | None,
) -> Tensor:
    """One over the place of the first relevant document."""
    found = relevant & (preds > 0)
    if top_k is not None:
        found = found & (rank <= top_k)
    hits = (before & found).sum(dim=1)
    worth = (found & (hits == 1)) * size / rank
    return worth


def precision(
    preds: Tensor, relevant: Tensor, size: Tensor, rank: Tensor, top_k: int | None
) -> Tensor:
    """The share of the first documents that are relevant."""
    found = relevant & (preds > 0)
    if top_k is not None:
        found = found & (rank <= top_k)
    worth = found * size / (top_k or size)
    return worth


def recall(
    preds: Tensor,
    relevant: Tensor,
    size: Tensor,
    rank: Tensor,
    total: Tensor,
    top_k: int | None,
) -> Tensor:
    """The share of the relevant documents that are among the first."""
    found = relevant & (preds > 0)
    if top_k is not None:
        found = found & (rank <= top_k)
    worth = found * size / total.clamp(min=1)
    return worth


def hit_rate(
    relevant: Tensor, before: Tensor, size: Tensor, rank: Tensor, top_k: int | None
) -> Tensor:
    """Whether a relevant document is among the first."""
    found = relevant
    if top_k is not None:
        found = found & (rank <= top_k)
    hits = (before & found).sum(dim=1)
    worth = (found & (hits == 1)) * size
    return worth


def fall_out(
    relevant: Tensor, size: Tensor, rank: Tensor, total: Tensor, top_k: int | None
) -> Tensor:
    """The share of the other documents that are among the first."""
    found = ~relevant
    if top_k is not None:
        found = found & (rank <= top_k)
    others = size - total
    worth = found * size / others.clamp(min=1) + (others == 0) * 1
    return worth


def r_precision(relevant: Tensor, size: Tensor, rank: Tensor, total: Tensor) -> Tensor:
    """The precision of as many documents as are relevant."""
    worth = (relevant & (rank <= total)) * size / total.clamp(min=1)
    return worth


def normalized_dcg(
    preds: Tensor,
    target: Tensor,
    places: Tensor,
    query: Tensor,
    size: Tensor,
    rank: Tensor,
    top_k: int | None,
) -> Tensor:
    """The gains, each over the logarithm of its place, against the best order's."""
    gain = target.to(preds.dtype)
    discount = 1 / (rank + 1).to(preds.dtype).log2()
    ideal = query & (
        (target > target.unsqueeze(1))
        | ((target == target.unsqueeze(1)) & (places <= places.unsqueeze(1)))
    )
    order = ideal.sum(dim=1)
    best = gain / (order + 1).to(preds.dtype).log2()
    if top_k is not None:
        discount = torch.where(rank <= top_k, discount, 0)
        best = torch.where(order <= top_k, best, 0)
    equal = (query & (preds == preds.unsqueeze(1))).to(preds.dtype)
    shared = (equal @ discount) / equal.sum(dim=1)
    whole = query.to(preds.dtype) @ best
    worth = torch.where(whole > 0, size * gain * shared / whole.where(whole > 0, 1), 0)
    return worth


def mean_of_queries(worth: Tensor, size: Tensor) -> Tensor:
    """The mean over queries of what their documents are worth."""
    return (worth / size).sum() / (1 / size).sum()
