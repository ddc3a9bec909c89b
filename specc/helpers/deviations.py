"""Errors of numbers against numbers, and the shares of variance that they explain.

Non-goal: outputs counted apart.
"""

from __future__ import annotations

import torch
from torch import Tensor


def mean_squared_error(preds: Tensor, target: Tensor, squared: bool = True) -> Tensor:
    """The mean of the squared differences, or its root."""
    error = (preds - target).square().mean()
    return error if squared else error.sqrt()


def mean_absolute_error(preds: Tensor, target: Tensor) -> Tensor:
    """The mean of the absolute differences."""
    return (preds - target).abs().mean()


def mean_squared_log_error(preds: Tensor, target: Tensor) -> Tensor:
    """The mean of the squared differences of log(1 + x)."""
    return (preds.log1p() - target.log1p()).square().mean()


def mean_absolute_percentage_error(preds: Tensor, target: Tensor) -> Tensor:
    """The mean of the absolute differences, each over its target."""
    return ((preds - target).abs() / target.abs().clamp(min=1.17e-06)).mean()


def symmetric_mean_absolute_percentage_error(preds: Tensor, target: Tensor) -> Tensor:
    """The mean of the absolute differences, each over the mean of its two sizes."""
    sizes = (target.abs() + preds.abs()).clamp(min=1.17e-06)
    return (2 * (preds - target).abs() / sizes).mean()


def weighted_mean_absolute_percentage_error(preds: Tensor, target: Tensor) -> Tensor:
    """The sum of the absolute differences over that of the targets' sizes."""
    return (preds - target).abs().sum() / target.abs().sum().clamp(min=1.17e-06)


def normalized_root_mean_squared_error(
    preds: Tensor, target: Tensor, normalization: str = "mean"
) -> Tensor:
    """The root of the mean squared difference, over a size of the targets."""
    error = (preds - target).square().mean().sqrt()
    if normalization == "range":
        return error / (target.max() - target.min())
    if normalization == "std":
        return error / target.flatten().std(correction=0)
    if normalization == "l2":
        return error / target.square().sum().sqrt()
    return error / target.mean()


def log_cosh_error(preds: Tensor, target: Tensor) -> Tensor:
    """The mean of log(cosh(difference))."""
    size = (preds - target).abs()
    return (size + torch.log1p((-2 * size).exp()) - 0.6931471805599453).mean()


def minkowski_distance(preds: Tensor, target: Tensor, p: float) -> Tensor:
    """The p-norm of the differences."""
    return (preds - target).abs().pow(p).sum().pow(1 / p)


def tweedie_deviance_score(
    preds: Tensor, targets: Tensor, power: float = 0.0
) -> Tensor:
    """The mean deviance of a Tweedie distribution."""
    if power == 0:
        return (targets - preds).square().mean()
    if power == 1:
        return 2 * (torch.xlogy(targets, targets / preds) + preds - targets).mean()
    if power == 2:
        return 2 * ((preds / targets).log() + targets / preds - 1).mean()
    first = targets.clamp(min=0).pow(2 - power) / ((1 - power) * (2 - power))
    second = targets * preds.pow(1 - power) / (1 - power)
    return 2 * (first - second + preds.pow(2 - power) / (2 - power)).mean()


def r2_score(
    preds: Tensor, target: Tensor, multioutput: str = "uniform_average"
) -> Tensor:
    """The share of the targets' variance that is explained."""
    left = (target - preds).square().sum(dim=0)
    whole = (target - target.mean(dim=0)).square().sum(dim=0)
    some, varied = left > 1e-04, whole > 1e-04
    share = torch.where(varied, 1 - left / torch.where(varied, whole, 1), 0)
    scores = torch.where(some, share, 1)
    if multioutput == "raw_values":
        return scores
    if multioutput == "variance_weighted":
        return (whole / whole.sum() * scores).sum()
    return scores.mean()


def explained_variance(
    preds: Tensor, target: Tensor, multioutput: str = "uniform_average"
) -> Tensor:
    """The share of the targets' variance that is explained, but for a shift."""
    left = (target - preds).var(dim=0, correction=0)
    whole = target.var(dim=0, correction=0)
    share = torch.where(whole != 0, 1 - left / torch.where(whole != 0, whole, 1), 0)
    scores = torch.where(left != 0, share, 1)
    if multioutput == "raw_values":
        return scores
    if multioutput == "variance_weighted":
        return (whole / whole.sum() * scores).sum()
    return scores.mean()


def relative_squared_error(
    preds: Tensor, target: Tensor, squared: bool = True
) -> Tensor:
    """The squared differences over those of the targets' mean."""
    left = (target - preds).square().sum(dim=0)
    whole = (target - target.mean(dim=0)).square().sum(dim=0)
    error = left / whole.clamp(min=2**-23)
    return (error if squared else error.sqrt()).mean()
