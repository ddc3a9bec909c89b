"""TF32: float32 whose products and convolutions take their factors in 10 bits of mantissa.

A precision of a test's, ``tf32``, which no torch.dtype is: a GPU computes in it where torch's flags
allow it. On the CPU it is emulated in eager by cutting the factors of every product, forward and
backward. Whether a GPU rounds the factors or drops their low bits is its own affair; both are
honest, and floors hold both. Non-goals: what the spread means (``floor``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import torch
from torch import Tensor

from specc.harness.cases.precisions import TF32
from specc.harness.running.kernels import plain_kernels
from specc.targets.operation_mode import OperationMode, name_of

NOTE: Final = (
    "TF32 is emulated on the CPU: the factors of products and convolutions are rounded to 10 bits"
)
# The arguments that are multiplied. What a GPU computes without its tensor cores (a matrix times a
# vector, a dot product) is not among them.
_FACTORS: Mapping[str, tuple[int, ...]] = {
    "mm": (0, 1),
    "bmm": (0, 1),
    "addmm": (1, 2),
    "_addmm_activation": (1, 2),
    "baddbmm": (1, 2),
    "addbmm": (1, 2),
    "addmm_": (1, 2),
    "baddbmm_": (1, 2),
    "convolution": (0, 1),
    "convolution_backward": (0, 1, 2),
}
_LOW_BITS = 0x1FFF


def rounded(value: Tensor) -> Tensor:
    """float32 rounded to the nearest of 10 bits, halves away from zero; any other type as it is."""
    return _by_bits(value, lambda bits: (bits + (_LOW_BITS + 1) // 2) & ~_LOW_BITS)


def truncated(value: Tensor) -> Tensor:
    """float32 without its 13 lowest bits; any other type as it is."""
    return _by_bits(value, lambda bits: bits & ~_LOW_BITS)


def _by_bits(value: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    if value.dtype == torch.complex64:
        parts = torch.view_as_real(value.resolve_conj().resolve_neg())
        return torch.view_as_complex(_by_bits(parts, change).contiguous())
    if value.dtype != torch.float32 or value._is_zerotensor() or value.is_sparse:
        return value
    return change(value.resolve_neg().view(torch.int32)).view(torch.float32)


def is_product(name: str) -> bool:
    """Whether the operation ``name`` (aten's, such as ``mm``) multiplies matrices or convolves."""
    return name in _FACTORS


def with_factors(
    name: str, args: tuple[Any, ...], cut: Callable[[Tensor], Tensor]
) -> tuple[Any, ...]:
    """``args`` of the operation ``name`` with ``cut`` applied to what it multiplies."""
    positions = _FACTORS.get(name)
    if positions is None:
        return args
    return tuple(
        cut(value) if place in positions and isinstance(value, Tensor) else value
        for place, value in enumerate(args)
    )


class _Emulated(OperationMode):
    """Rounds the factors of every product."""

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return func(*with_factors(name_of(func), args, rounded), **kwargs)


@contextmanager
def emulated(active: bool) -> Iterator[None]:
    """While open and ``active``, torch computes on the CPU as a GPU does in TF32, as far as eager
    goes."""
    with ExitStack() as stack:
        if active:
            # A fused kernel multiplies where no mode sees it.
            stack.enter_context(plain_kernels(True))
            stack.enter_context(_Emulated())
        yield


@contextmanager
def allowed(device: str, precision: str) -> Iterator[None]:
    """While open, ``device`` computes float32 in TF32 for ``tf32``, and in full for any other.

    torch's own default is half of each: matrix products in full, cuDNN's convolutions in TF32.
    """
    if device != "cuda":
        yield
        return
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    wanted = precision == TF32
    _allow(wanted, wanted)
    try:
        yield
    finally:
        _allow(*before)


def _allow(products: bool, convolutions: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = products
    torch.backends.cudnn.allow_tf32 = convolutions


def missing_on(device: str) -> str | None:
    """Why ``device`` cannot compute in TF32, or None where it can; the CPU emulates it."""
    if device != "cuda":
        return None
    if torch.version.hip is not None or torch.cuda.get_device_capability()[0] < 8:
        return "this GPU has no TF32"
    return None
