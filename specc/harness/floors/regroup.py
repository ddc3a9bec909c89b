"""The same arithmetic in another order: fused operations in single steps, long sums in other
groups.

What compilers and other machines' kernels do, all of it honest. Each function takes an order of
summation, the operation and its arguments, and gives the result or None where it has no other order
to offer. Non-goals: moving results at random (``rounding``), adding up (``summation``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from specc.harness.floors.summation import SummationOrder

_FUSED = (
    "native_batch_norm",
    "native_batch_norm_backward",
    "native_layer_norm",
    "native_layer_norm_backward",
    "native_group_norm",
    "native_group_norm_backward",
    "_softmax",
    "_softmax_backward_data",
    "_log_softmax",
    "_log_softmax_backward_data",
    "logsumexp",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "nll_loss_forward",
    "nll_loss2d_forward",
    "soft_margin_loss",
    "mse_loss",
    "huber_loss",
    "smooth_l1_loss",
    "var",
    "std",
    "std_mean",
    "nansum",
    "dot",
    "mv",
    "trace",
    "gelu",
    "gelu_backward",
    "silu",
    "addcmul",
    "addcdiv",
    "linalg_vector_norm",
)

_PARTS: dict[Any, Callable[..., Any]] = {}


def parts() -> Mapping[Any, Callable[..., Any]]:
    """Fused operation -> the same in single steps, from torch's own decompositions."""
    if not _PARTS:
        from torch._decomp import get_decompositions

        wanted = [getattr(torch.ops.aten, name) for name in _FUSED]
        _PARTS.update(get_decompositions(wanted))
    return _PARTS


def _split(order: SummationOrder, count: int) -> int:
    return order.chance.randrange(1, count)


def _regrouped_mm(
    order: SummationOrder, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``mm``/``bmm``: the inner sum in two parts."""
    left, right = args[0], args[1]
    inner = left.shape[-1]
    if inner < 2 or kwargs:
        return None
    at = _split(order, inner)
    first = func(left[..., :at], right[..., :at, :])
    return first.add_(func(left[..., at:], right[..., at:, :]))


def _regrouped_addmm(
    order: SummationOrder, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``addmm``: the inner sum in two parts, the bias last."""
    bias, left, right = args[:3]
    inner = left.shape[-1]
    if inner < 2 or kwargs or len(args) > 3:
        return None
    at = _split(order, inner)
    first = torch.mm(left[:, :at], right[:at])
    return first.add_(torch.mm(left[:, at:], right[at:])).add_(bias)


def _regrouped_convolution(
    order: SummationOrder, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``convolution``: the sum over input channels in two parts, the bias last."""
    value, weight, bias = args[:3]
    transposed, groups = args[6], args[8]
    channels = weight.shape[1]
    if transposed or groups != 1 or channels < 2 or kwargs:
        return None
    at = _split(order, channels)
    rest = args[3:]
    first = func(value[:, :at], weight[:, :at], None, *rest)
    total = first.add_(func(value[:, at:], weight[:, at:], None, *rest))
    return total if bias is None else total.add_(bias.view(-1, *[1] * (total.dim() - 2)))


def _regrouped_sum(
    order: SummationOrder, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``sum``/``mean``: added up in the order."""
    value = args[0]
    if kwargs or not value.is_floating_point() or value.dim() == 0:
        return None
    dims = args[1] if len(args) > 1 and args[1] else list(range(value.dim()))
    keep = bool(args[2]) if len(args) > 2 else False
    total = func(*args)
    count = value.numel() // max(total.numel(), 1)
    if count < 2:
        return None
    lost = order.lost(value, list(dims), keep)
    return total.add_(lost / count if func._schema.name == "aten::mean" else lost)


def _regrouped_variance(
    order: SummationOrder, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``var_mean``: both sums added up in the order."""
    value = args[0]
    variance, mean = func(*args, **kwargs)
    dims = list(args[1]) if len(args) > 1 and args[1] else list(range(value.dim()))
    keep = mean.dim() == value.dim()
    count = value.numel() // max(mean.numel(), 1)
    if count < 2:
        return variance, mean
    centred = value - value.mean(dims, True)
    mean.add_(order.lost(value, dims, keep) / count)
    variance.add_(order.lost(centred.square_(), dims, keep) / count)
    return variance, mean


def _regrouped_convolution_backward(
    order: SummationOrder, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``convolution_backward``: the weight's sum over the batch in two parts, the bias's added up
    in the order.
    """
    gradient, value, weight = args[:3]
    middle, mask = args[3:10], args[10]
    if kwargs:
        return None
    whole = func(gradient, value, weight, *middle, [mask[0], False, False])[0]
    of_weight, of_bias = None, None
    if mask[1]:
        count = gradient.shape[0]
        only = [False, True, False]
        if count < 2:
            of_weight = func(gradient, value, weight, *middle, only)[1]
        else:
            at = _split(order, count)
            of_weight = func(gradient[:at], value[:at], weight, *middle, only)[1]
            of_weight.add_(func(gradient[at:], value[at:], weight, *middle, only)[1])
    if mask[2]:
        dims = [dim for dim in range(gradient.dim()) if dim != 1]
        of_bias = gradient.sum(dims).add_(order.lost(gradient, dims, False))
    return whole, of_weight, of_bias


def _moved(
    order: SummationOrder, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """A transform or a factorization of its argument moved by half a unit of its own size.

    Libraries order these differently, and each is backward stable: what it gives is exact for an
    argument that is off by some units of the norm, not of each element.
    """
    value = args[0]
    if not isinstance(value, Tensor) or value.numel() < 2 or value.is_conj():
        return None
    if not (value.is_floating_point() or value.is_complex()):
        return None
    parts = torch.view_as_real(value) if value.is_complex() else value
    generator = torch.Generator().manual_seed(order.chance.getrandbits(40))
    size = parts.abs().square().mean().sqrt() * torch.finfo(parts.dtype).eps / 2
    noise = torch.randn(parts.shape, generator=generator, dtype=parts.dtype) * size
    moved = parts + noise
    if value.is_complex():
        moved = torch.view_as_complex(moved)
    return func(moved, *args[1:], **kwargs)


_BACKWARD_STABLE = (
    "_fft_r2c", "_fft_c2c", "_fft_c2r", "linalg_inv_ex", "linalg_cholesky_ex", "linalg_qr",
    "_linalg_svd", "_linalg_eigh", "_linalg_det", "_linalg_slogdet", "_linalg_solve_ex",
    "linalg_matrix_exp", "linalg_solve_triangular", "linalg_lu_factor_ex", "cholesky_inverse",
)  # fmt: skip

REGROUPED: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(_BACKWARD_STABLE, _moved),
    "mm": _regrouped_mm,
    "bmm": _regrouped_mm,
    "addmm": _regrouped_addmm,
    "convolution": _regrouped_convolution,
    "convolution_backward": _regrouped_convolution_backward,
    "sum": _regrouped_sum,
    "mean": _regrouped_sum,
    "var_mean": _regrouped_variance,
}
