"""Rows of convolutions and transposed convolutions, one of each for 1, 2 and 3 dimensions."""

from __future__ import annotations

from functools import partial

from specc.catalog.rows import LayerRow
from specc.catalog.shapes.of_layers import convolution as rules
from specc.catalog.signatures import one_or

_MODES = ("zeros", "reflect", "replicate", "circular")
# A batch of images with four channels, by the number of their dimensions.
_IMAGES = {1: "x: float[N, 4, 7] | x ->", 2: "x: float[N, 4, 5, 6] | x ->",
           3: "x: float[N, 4, 3, 4, 5] | x ->"}  # fmt: skip


def _convolution(dims: int) -> LayerRow:
    several = one_or(dims)
    return LayerRow(
        f"Conv{dims}d",
        f"nn.Conv{dims}d",
        f"in_channels: size = ?, out_channels: size, kernel_size: int x{dims}, "
        f"stride: {several} = 1, padding: {several} | str = 0, dilation: {several} = 1, "
        "groups: int = 1, bias: bool = True, padding_mode: str = 'zeros'",
        f"a convolution over {dims} spatial dimension{'s' * (dims > 1)}",
        choices={"padding": ("valid", "same"), "padding_mode": _MODES},
        shape=partial(rules.convolved, dims=dims),
        infer={"in_channels": partial(rules.in_channels, dims=dims)},
        parameters=partial(rules.convolved_parameters, dims=dims),
        initial=partial(rules.convolved_initial, dims=dims),
        family="convolution",
        example=f"{_IMAGES[dims]} Conv{dims}d(6, kernel_size=3, padding=1, groups=2)",
    )


def _transposed(dims: int) -> LayerRow:
    several = one_or(dims)
    return LayerRow(
        f"ConvTranspose{dims}d",
        f"nn.ConvTranspose{dims}d",
        f"in_channels: size = ?, out_channels: size, kernel_size: int x{dims}, "
        f"stride: {several} = 1, padding: {several} = 0, output_padding: {several} = 0, "
        f"groups: int = 1, bias: bool = True, dilation: {several} = 1, "
        "padding_mode: str = 'zeros'",
        f"a transposed convolution over {dims} spatial dimension{'s' * (dims > 1)}",
        choices={"padding_mode": ("zeros",)},  # torch takes no other for a transposed one
        shape=partial(rules.transposed, dims=dims),
        infer={"in_channels": partial(rules.in_channels, dims=dims)},
        parameters=partial(rules.transposed_parameters, dims=dims),
        initial=partial(rules.transposed_initial, dims=dims),
        family="convolution",
        example=f"{_IMAGES[dims]} ConvTranspose{dims}d(3, kernel_size=2, stride=2)",
    )


ROWS = (*map(_convolution, (1, 2, 3)), *map(_transposed, (1, 2, 3)))
