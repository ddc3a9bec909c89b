"""Portable twins of the layers that draw and are no dropout: RReLU, FractionalMaxPool2d and 3d.

They are scriptable, exportable and one graph for torch.compile. What they draw is exact in every
dtype that torch computes in, so that no rounding moves a slope or a window. Non-goals: dropout
(``portable_dropout``), which puts these in torch's place too; the functions of the same names.
"""

# torch.jit reads the annotations of attributes as types: no text stands in their place here.
import math
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from specc.harness.numbers.counter import STEP_BUFFER, stream

# A slope is a multiple of the unit in the last place that bfloat16 has at the largest of them.
_BITS = 8


class PortableRReLU(nn.Module):
    """``x`` where it is positive, else a slope drawn from ``lower`` to ``upper`` times ``x``; in
    evaluation the slope is their mean, as in torch."""

    key: Final[int]
    low: Final[int]
    count: Final[int]
    unit: Final[float]
    mean: Final[float]
    noise_step: Tensor

    def __init__(self, key: int, lower: float, upper: float) -> None:
        super().__init__()
        self.key = key
        _, exponent = math.frexp(max(abs(lower), abs(upper)))
        self.unit = math.ldexp(1.0, exponent - _BITS)
        self.low = math.ceil(lower / self.unit)
        # One slope where there is no multiple between the two.
        self.count = max(math.floor(upper / self.unit) - self.low + 1, 1)
        self.mean = (lower + upper) / 2
        self.register_buffer(STEP_BUFFER, torch.zeros((), dtype=torch.int64), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """Any shape; the same shape and dtype."""
        if not self.training:
            return F.leaky_relu(input, self.mean)
        words = (stream(self.key, self.noise_step, input.numel()) >> 11) & 0x1FFFFFFFFFFFFF
        multiple = (words % self.count + self.low).reshape(input.shape)
        slope = multiple.to(input.dtype) * self.unit
        return torch.where(input > 0, input, input * slope)


class _FractionalMaxPool(nn.Module):
    """``FractionalMaxPool2d`` or ``3d`` with windows placed by the portable generator, in
    evaluation as well, as in torch."""

    key: Final[int]
    dims: Final[int]
    by_ratio: Final[bool]
    kernel_size: list[int]
    output_size: list[int]
    output_ratio: list[float]
    noise_step: Tensor

    def __init__(
        self,
        key: int,
        kernel_size: Sequence[int],
        output_size: Sequence[int] | None,
        output_ratio: Sequence[float] | None,
    ) -> None:
        super().__init__()
        self.key = key
        self.dims = len(kernel_size)
        self.by_ratio = output_size is None
        self.kernel_size = list(kernel_size)
        self.output_size = list(output_size or ())
        self.output_ratio = list(output_ratio or ())
        self.register_buffer(STEP_BUFFER, torch.zeros((), dtype=torch.int64), persistent=False)

    def pooled(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """``[N, C, ...]`` to the values and their places."""
        spatial = self.output_size
        if self.by_ratio:
            spatial = [int(input.shape[2 + i] * self.output_ratio[i]) for i in range(self.dims)]
        shape = [input.shape[0], input.shape[1], self.dims]
        words = stream(self.key, self.noise_step, shape[0] * shape[1] * shape[2])
        # An odd multiple of 1/128: its product with the ratio of two sizes below 128 is never
        # whole, where the rounding of a dtype would decide what a window begins with.
        odd = ((words >> 11) & 0x3F) * 2 + 1
        samples = (odd.to(torch.float32) * 0.0078125).to(input.dtype).reshape(shape)
        if self.dims == 3:
            values, places = torch.ops.aten.fractional_max_pool3d(
                input, self.kernel_size, spatial, samples
            )
        else:
            values, places = torch.ops.aten.fractional_max_pool2d(
                input, self.kernel_size, spatial, samples
            )
        return values, places


class PortableFractionalMaxPool(_FractionalMaxPool):
    """Gives the values."""

    def forward(self, input: Tensor) -> Tensor:
        """``[N, C, ...]`` to ``[N, C, *output_size]``."""
        return self.pooled(input)[0]


class PortableFractionalMaxPoolWithIndices(_FractionalMaxPool):
    """Gives the values and their places."""

    def forward(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """``[N, C, ...]`` to ``[N, C, *output_size]`` twice."""
        return self.pooled(input)


def twin_of(layer: Any, key: int) -> nn.Module | None:
    """The portable twin of ``layer``, in its mode; None for a layer that is none of these."""
    if type(layer) is nn.RReLU:
        return PortableRReLU(key, layer.lower, layer.upper).train(layer.training)
    if type(layer) in (nn.FractionalMaxPool2d, nn.FractionalMaxPool3d):
        form: type[_FractionalMaxPool] = PortableFractionalMaxPool
        if layer.return_indices:
            form = PortableFractionalMaxPoolWithIndices
        made = form(key, layer.kernel_size, layer.output_size, layer.output_ratio)
        return made.train(layer.training)
    return None
