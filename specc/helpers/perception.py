"""What images, sounds and words are worth to who perceives them.

Non-goal: what asks a trained model.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def perplexity(
    preds: Tensor, target: Tensor, ignore_index: int | None = None
) -> Tensor:
    """How many words the next one is as good as chosen from: scores [N, T, V]."""
    kept = torch.ones_like(target, dtype=torch.bool)
    if ignore_index is not None:
        kept = target != ignore_index
    return F.cross_entropy(preds[kept], target[kept]).exp()


def peak_signal_noise_ratio(
    preds: Tensor, target: Tensor, data_range: float, base: float = 10.0
) -> Tensor:
    """The largest signal over the mean squared difference, in tens of logarithms."""
    noise = (preds - target).square().mean() / data_range**2
    return -10 * noise.log() / torch.full_like(noise, base).log()


def structural_similarity_index_measure(
    preds: Tensor,
    target: Tensor,
    sigma: float = 1.5,
    data_range: float | None = None,
    k1: float = 0.01,
    k2: float = 0.03,
) -> Tensor:
    """How alike images [N, C, H, W] are in brightness, contrast and structure."""
    reach = int(3.5 * sigma + 0.5)
    places = torch.arange(-reach, reach + 1, dtype=preds.dtype, device=preds.device)
    bell = (-(places / sigma).square() / 2).exp()
    bell = bell / bell.sum()
    channels = preds.shape[1]
    kernel = torch.outer(bell, bell).expand(channels, 1, -1, -1)
    size = torch.maximum(preds.max() - preds.min(), target.max() - target.min())
    if data_range is not None:
        size = torch.full_like(size, data_range)
    one = F.pad(preds, (reach, reach, reach, reach), mode="reflect")
    other = F.pad(target, (reach, reach, reach, reach), mode="reflect")
    means = F.conv2d(
        torch.cat([one, other, one * one, other * other, one * other]),
        kernel,
        groups=channels,
    )
    one, other, ones, others, both = means.chunk(5)
    bright, contrast = (k1 * size).square(), (k2 * size).square()
    spread = (ones - one * one).clamp(min=0) + (others - other * other).clamp(min=0)
    above = (2 * one * other + bright) * (2 * (both - one * other) + contrast)
    below = (one * one + other * other + bright) * (spread + contrast)
    return (above / below).mean()


def total_variation(img: Tensor, reduction: str = "sum") -> Tensor:
    """The sum of the differences of neighbours in images [N, C, H, W]."""
    down = (img[..., 1:, :] - img[..., :-1, :]).abs().sum(dim=(1, 2, 3))
    across = (img[..., 1:] - img[..., :-1]).abs().sum(dim=(1, 2, 3))
    found = down + across
    if reduction == "none":
        return found
    return found.mean() if reduction == "mean" else found.sum()


def signal_noise_ratio(
    preds: Tensor, target: Tensor, zero_mean: bool = False
) -> Tensor:
    """The power of the target over that of the difference, in decibels."""
    if zero_mean:
        preds = preds - preds.mean(dim=-1, keepdim=True)
        target = target - target.mean(dim=-1, keepdim=True)
    least = torch.finfo(preds.dtype).eps
    noise = (target - preds).square().sum(dim=-1) + least
    return 10 * ((target.square().sum(dim=-1) + least) / noise).log10().mean()


def scale_invariant_signal_distortion_ratio(
    preds: Tensor, target: Tensor, zero_mean: bool = False
) -> Tensor:
    """The power of the target, as loud as it is found, over that of the rest, in decibels."""
    if zero_mean:
        preds = preds - preds.mean(dim=-1, keepdim=True)
        target = target - target.mean(dim=-1, keepdim=True)
    least = torch.finfo(preds.dtype).eps
    scale = (preds * target).sum(dim=-1, keepdim=True) + least
    target = scale / (target.square().sum(dim=-1, keepdim=True) + least) * target
    noise = (target - preds).square().sum(dim=-1) + least
    return 10 * ((target.square().sum(dim=-1) + least) / noise).log10().mean()


def scale_invariant_signal_noise_ratio(preds: Tensor, target: Tensor) -> Tensor:
    """The same of signals less their means."""
    preds = preds - preds.mean(dim=-1, keepdim=True)
    target = target - target.mean(dim=-1, keepdim=True)
    least = torch.finfo(preds.dtype).eps
    scale = (preds * target).sum(dim=-1, keepdim=True) + least
    target = scale / (target.square().sum(dim=-1, keepdim=True) + least) * target
    noise = (target - preds).square().sum(dim=-1) + least
    return 10 * ((target.square().sum(dim=-1) + least) / noise).log10().mean()
