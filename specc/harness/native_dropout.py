"""torch's own dropout, checked apart: goldens replace it, so that it is sound is shown here.

The mask is recovered from the output, and again from the gradient. Checked: its rate, the scale of
what is kept, that neighbouring elements, channels, rows and calls draw independently, that backward
used forward's mask, and that evaluation is the identity. Non-goal: which values torch draws.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# A statistic that is standard normal under independence exceeds this by chance once in 10^8 times.
_DEVIATIONS = 5.73

_CHANNELWISE = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
# What can be checked; alpha dropouts keep no element as it is, and no zero shows what they drop.
DROPOUTS = (nn.Dropout, *_CHANNELWISE)


@dataclass(frozen=True, slots=True)
class DropoutFindings:
    """What was measured, and ``faults``: empty when the layer is sound.

    ``rate`` is the share dropped of ``draws`` independent ones; ``correlations`` are between the
    mask and its neighbour along each dimension (by its number) and ``"calls"``.
    """

    p: float
    draws: int
    rate: float
    correlations: dict[str, float]
    faults: tuple[str, ...]


def native_dropout_check(
    layer: nn.Module,
    shape: Sequence[int],
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    seed: int = 0,
    wrap: Callable[[nn.Module], nn.Module] = lambda module: module,
) -> DropoutFindings:
    """Check a ``Dropout``, ``Dropout1d``, ``Dropout2d`` or ``Dropout3d`` on inputs of ``shape``.

    ``shape`` begins with batch and channels and should hold some ten thousand draws; ``wrap`` makes
    what is run of the layer (``torch.compile``, a target's runnable). torch's generators are left
    as they were. Raises ValueError for another layer, or p outside (0, 1).
    """
    p = getattr(layer, "p", None)
    channelwise = isinstance(layer, _CHANNELWISE)
    if type(layer) not in DROPOUTS or not isinstance(p, float) or not 0 < p < 1:
        raise ValueError(f"cannot check {layer}: a dropout with 0 < p < 1 is wanted")
    layer = copy.deepcopy(layer).train()
    devices = [torch.device(device)] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        first, faults = _observe(wrap(layer), tuple(shape), p, dtype, device)
        again, more = _observe(wrap(layer), tuple(shape), p, dtype, device)
        value = torch.ones(tuple(shape), dtype=dtype, device=device)
        if not torch.equal(wrap(copy.deepcopy(layer).eval())(value), value):
            more.append("evaluation is not the identity")
    faults += more
    if channelwise:
        first, again = _a_channel(first, faults), _a_channel(again, faults)

    draws = first.numel()
    rate = 1.0 - first.double().mean().item()
    # The number dropped is binomial: its share has the standard deviation sqrt(p (1 - p) / n).
    if abs(rate - p) > _DEVIATIONS * math.sqrt(p * (1 - p) / draws) + 1 / draws:
        faults.append(f"drops {rate:.4%} of {draws} draws, not {p:.4%}")

    pairs = {
        str(dimension): (
            first.narrow(dimension, 0, first.shape[dimension] - 1),
            first.narrow(dimension, 1, first.shape[dimension] - 1),
        )
        for dimension in range(first.dim())
        if first.shape[dimension] > 1
    }
    pairs["calls"] = (first, again)
    correlations = {}
    for name, (left, right) in pairs.items():
        found = _correlation(left, right, p)
        correlations[name] = found
        # A mean of n products of independent unit-variance draws: standard deviation 1 / sqrt(n);
        # the second term covers the skew of the products where few draws are of the rarer kind.
        bound = _DEVIATIONS / math.sqrt(left.numel()) + _DEVIATIONS**2 / (
            3 * left.numel() * min(p, 1 - p)
        )
        if abs(found) > bound:
            place = "successive calls" if name == "calls" else f"neighbours along dimension {name}"
            faults.append(f"{place} are correlated: {found:+.4f}, by chance within ±{bound:.4f}")
    return DropoutFindings(p, draws, rate, correlations, tuple(dict.fromkeys(faults)))


def _observe(
    layer: nn.Module,
    shape: tuple[int, ...],
    p: float,
    dtype: torch.dtype,
    device: torch.device | str,
) -> tuple[Tensor, list[str]]:
    """The mask of one training call, and what is wrong with its scale or its backward."""
    count = math.prod(shape)
    # Distinct powers of two: products with them are exact, and an element moved elsewhere shows.
    exponents = torch.arange(count, device=device).remainder(7).sub(3)
    value = torch.exp2(exponents.double()).reshape(shape).to(dtype).requires_grad_()
    gradient = torch.exp2(exponents.flip(0).double()).reshape(shape).to(dtype)
    # A copy, for a layer that works in place.
    output = layer(value.clone())
    output.backward(gradient)
    kept = output.detach() != 0
    faults = []
    scale = 1.0 / (1.0 - p)
    # torch rounds 1 / (1 - p) to the dtype in one or two steps: two units of it are allowed.
    allowed = 2 * torch.finfo(dtype).eps * scale
    factors = output.detach().double() / value.detach().double()
    if ((factors - scale).abs() > allowed)[kept].any():
        faults.append(f"what is kept is not scaled by 1 / (1 - p) = {scale:.6g}")
    assert value.grad is not None  # backward has run
    backward = value.grad.double() / gradient.double()
    if not torch.equal(backward != 0, kept):
        faults.append("backward used another mask than forward")
    elif ((backward - scale).abs() > allowed)[kept].any():
        faults.append(f"backward does not scale by 1 / (1 - p) = {scale:.6g}")
    return kept, faults


def _a_channel(mask: Tensor, faults: list[str]) -> Tensor:
    """The mask of whole channels, [N, C]; says so where one is dropped in part."""
    flat = mask.flatten(2)
    if not torch.equal(flat.all(2), flat.any(2)):
        faults.append("a channel is dropped in part")
    return flat[:, :, 0]


def _correlation(left: Tensor, right: Tensor, p: float) -> float:
    """The correlation of two masks of known rate."""
    products = (left.double() - (1 - p)) * (right.double() - (1 - p))
    return products.mean().item() / (p * (1 - p))
