"""How an error looks: a factor, a sign, one element, a channel, a border, a shift, or noise.

A name for the shape of a difference between two whole tensors, for people who look for its cause.
Tried from the most special to the least; the first that explains all but ``UNEXPLAINED`` of the
error's square is told. Non-goal: deciding whether the difference is a fault (``compare``).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

# The share of the squared error that a pattern may leave unexplained.
UNEXPLAINED = 0.01
_MOST_SHIFT = 2
# An error of so much of the values' root-mean-square is no noise any more.
NOISE = 0.05


def pattern(found: Tensor, expected: Tensor) -> str:
    """How ``found`` differs from ``expected``, in a phrase such as ``every element times 1.1``.

    Both are of one shape, finite where they are to be looked at; places where either is not are
    told by themselves. Empty where nothing differs.
    """
    if found.shape != expected.shape:
        return f"shape {list(found.shape)} in place of {list(expected.shape)}"
    one, other = _real(found), _real(expected)
    lost = ~torch.isfinite(one) & torch.isfinite(other)
    if bool(lost.any()):
        return f"{_places(lost)} not finite"
    both = torch.isfinite(one) & torch.isfinite(other)
    one, other = torch.where(both, one, 0.0), torch.where(both, other, 0.0)
    error = one - other
    size = float(error.square().sum())
    if size == 0.0:
        return ""
    for look in _LOOKS:
        text = look(one, other, error, size)
        if text:
            return text
    return _spread(other, error)


def _real(tensor: Tensor) -> Tensor:
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    return tensor.detach().cpu().double()


def _zeros(one: Tensor, other: Tensor, error: Tensor, size: float) -> str:
    return "all zeros" if not bool(one.any()) and bool(other.any()) else ""


def _factor(one: Tensor, other: Tensor, error: Tensor, size: float) -> str:
    """The least-squares factor, where it explains the error."""
    below = float(other.square().sum())
    if below == 0.0 or one.numel() < 2:
        return ""
    factor = float((one * other).sum()) / below
    rest = float((one - factor * other).square().sum())
    if rest > UNEXPLAINED * size:
        return ""
    if abs(factor + 1.0) < 1e-6:
        return "every element with the other sign"
    shown = f"(1 {factor - 1.0:+.2e})" if abs(factor - 1.0) < 1e-3 else f"{factor:.6g}"
    return f"every element times {shown}"


def _offset(one: Tensor, other: Tensor, error: Tensor, size: float) -> str:
    if error.numel() < 2:
        return ""
    mean = float(error.mean())
    rest = float((error - mean).square().sum())
    return f"every element off by {mean:.3e}" if rest <= UNEXPLAINED * size else ""


def _element(one: Tensor, other: Tensor, error: Tensor, size: float) -> str:
    if error.numel() < 2:
        return ""
    position = int(error.abs().argmax())
    if float(error.flatten()[position]) ** 2 < (1 - UNEXPLAINED) * size:
        return ""
    index = [int(each) for each in torch.unravel_index(torch.tensor(position), error.shape)]
    return f"one element, at {index}"


def _slice(one: Tensor, other: Tensor, error: Tensor, size: float) -> str:
    """One place along one dimension: a channel, a sample, a step."""
    for dimension, length in enumerate(error.shape):
        if length < 2:
            continue
        beside = [k for k in range(error.dim()) if k != dimension]
        along = error.square().sum(beside) if beside else error.square()
        largest = int(along.argmax())
        if float(along[largest]) >= (1 - UNEXPLAINED) * size:
            at = [":"] * error.dim()
            at[dimension] = str(largest)
            within = pattern(one.select(dimension, largest), other.select(dimension, largest))
            how = f": {within}" if within.startswith(("every", "all")) else ""
            return f"only [{', '.join(at)}]{how}"
    return ""


def _group(one: Tensor, other: Tensor, error: Tensor, size: float) -> str:
    """A row of neighbouring places along one dimension, at most half of it."""
    for dimension, length in enumerate(error.shape):
        if length < 4:
            continue
        beside = [k for k in range(error.dim()) if k != dimension]
        along = error.square().sum(beside) if beside else error.square()
        touched = (along > UNEXPLAINED / length * size).nonzero().flatten()
        first, last = int(touched[0]), int(touched[-1])
        inside = float(along[first : last + 1].sum())
        if last - first + 1 <= length // 2 and inside >= (1 - UNEXPLAINED) * size:
            at = [":"] * error.dim()
            at[dimension] = f"{first}:{last + 1}"
            return f"only [{', '.join(at)}]"
    return ""


def _border(one: Tensor, other: Tensor, error: Tensor, size: float) -> str:
    """The outermost places of the last one or two dimensions of three or more."""
    dimensions = [k for k in range(2, error.dim()) if error.shape[k] >= 3]
    if not dimensions:
        return ""
    inner = error
    for dimension in dimensions:
        inner = inner.narrow(dimension, 1, error.shape[dimension] - 2)
    inside = float(inner.square().sum())
    return "only the border" if inside <= UNEXPLAINED * size else ""


def _shift(one: Tensor, other: Tensor, error: Tensor, size: float) -> str:
    steps = [step for step in range(-_MOST_SHIFT, _MOST_SHIFT + 1) if step]
    for dimension, step in itertools.product(range(error.dim()), steps):
        if error.shape[dimension] < 3:
            continue
        rest = float((one - torch.roll(other, step, dimension)).square().sum())
        if rest <= UNEXPLAINED * size:
            return f"moved by {step} along dimension {dimension}"
    return ""


def _transposed(one: Tensor, other: Tensor, error: Tensor, size: float) -> str:
    for first, second in itertools.combinations(range(error.dim()), 2):
        if error.shape[first] == error.shape[second] > 1:
            rest = float((one - other.transpose(first, second)).square().sum())
            if rest <= UNEXPLAINED * size:
                return f"dimensions {first} and {second} exchanged"
    return ""


_Look = Callable[[Tensor, Tensor, Tensor, float], str]
_LOOKS: tuple[_Look, ...] = (
    _zeros,
    _element,
    _factor,
    _offset,
    _slice,
    _shift,
    _transposed,
    _border,
    _group,
)


def _spread(other: Tensor, error: Tensor) -> str:
    """Noise, over all or part of the elements; what is no smaller than the values is none."""
    largest = error.abs().max()
    share = float((error.abs() > largest * 1e-6).double().mean())
    if error.numel() == 1:
        return ""
    small = float(error.square().sum()) < NOISE**2 * float(other.square().sum())
    what = "noise" if small else "other values, in no pattern,"
    where = "every element" if share > 0.9 else f"{share:.0%} of the elements"
    return f"{what} over {where}"


def _places(mask: Tensor) -> str:
    count, total = int(mask.sum()), mask.numel()
    return "every element is" if count == total else f"{count} of {total} elements are"
