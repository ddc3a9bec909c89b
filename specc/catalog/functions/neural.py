"""Rows of the functional forms of layers: convolution, pooling, resampling, dropout, one-hot."""

from __future__ import annotations

from functools import partial

from specc.catalog.layers.shape import MODES
from specc.catalog.rows import FunctionRow
from specc.catalog.shapes import convolution, elementwise, linear, pooling, resampling


def _max(dims: int) -> FunctionRow:
    return FunctionRow(
        f"max_pool{dims}d",
        f"F.max_pool{dims}d",
        f"input: tensor, kernel_size: int x{dims}, stride: int x{dims} | none = None, "
        f"padding: int x{dims} = 0, dilation: int x{dims} = 1, ceil_mode: bool = False, "
        "return_indices: bool = False",
        "the largest value of each window",
        shape=partial(pooling.pooled, dims=dims),
        family="neural",
    )


def _average(dims: int) -> FunctionRow:
    divisor = ", divisor_override: int | none = None" if dims > 1 else ""
    return FunctionRow(
        f"avg_pool{dims}d",
        f"F.avg_pool{dims}d",
        f"input: tensor, kernel_size: int x{dims}, stride: int x{dims} | none = None, "
        f"padding: int x{dims} = 0, ceil_mode: bool = False, "
        f"count_include_pad: bool = True{divisor}",
        "the mean of each window",
        shape=partial(pooling.pooled, dims=dims, inside=dims == 3),
        family="neural",
    )


def _adaptive(kind: str, dims: int) -> FunctionRow:
    return FunctionRow(
        f"adaptive_{kind}_pool{dims}d",
        f"F.adaptive_{kind}_pool{dims}d",
        f"input: tensor, output_size: int x{dims}",
        "pools any size to a fixed one",
        shape=partial(pooling.adaptive, dims=dims),
        family="neural",
    )


def _convolution(dims: int) -> FunctionRow:
    return FunctionRow(
        f"conv{dims}d",
        f"F.conv{dims}d",
        f"input: tensor, weight: tensor, bias: tensor | none = None, stride: int x{dims} = 1, "
        f"padding: int x{dims} | str = 0, dilation: int x{dims} = 1, groups: int = 1",
        "a convolution with a given weight",
        choices={"padding": ("valid", "same")},
        shape=partial(convolution.convolved_function, dims=dims),
        family="neural",
    )


_WINDOW = "dilation: int x2 = 1, padding: int x2 = 0, stride: int x2 = 1"

ROWS = (
    *map(_convolution, (1, 2, 3)),
    *map(_max, (1, 2, 3)),
    *map(_average, (1, 2, 3)),
    *(_adaptive(kind, dims) for kind in ("avg", "max") for dims in (1, 2, 3)),
    FunctionRow(
        "pad",
        "F.pad",
        "input: tensor, pad: ints, mode: str = 'constant', value: float | none = None",
        "elements around, in pairs from the last dimension on",
        choices={"mode": ("constant", "reflect", "replicate", "circular")},
        shape=resampling.padded,
        family="neural",
    ),
    FunctionRow(
        "interpolate",
        "F.interpolate",
        "input: tensor, size: int | ints | none = None, "
        "scale_factor: float | floats | none = None, mode: str = 'nearest', "
        "align_corners: bool | none = None, *, antialias: bool = False",
        "resamples to a size, or by a factor",
        choices={"mode": MODES},
        shape=resampling.resampled,
        family="neural",
    ),
    FunctionRow(
        "pixel_shuffle",
        "F.pixel_shuffle",
        "input: tensor, upscale_factor: int",
        "channels into a finer grid",
        shape=resampling.pixels_shuffled,
        family="neural",
    ),
    FunctionRow(
        "pixel_unshuffle",
        "F.pixel_unshuffle",
        "input: tensor, downscale_factor: int",
        "a grid into more channels of a coarser one",
        shape=resampling.pixels_unshuffled,
        family="neural",
    ),
    FunctionRow(
        "unfold",
        "F.unfold",
        f"input: tensor, kernel_size: int x2, {_WINDOW}",
        "each window of an image as a column",
        shape=resampling.unfolded,
        family="neural",
    ),
    FunctionRow(
        "fold",
        "F.fold",
        f"input: tensor, output_size: int x2, kernel_size: int x2, {_WINDOW}",
        "columns summed back into the windows of an image",
        shape=resampling.folded,
        family="neural",
    ),
    FunctionRow(
        "dropout",
        "F.dropout",
        "input: tensor, p: float = 0.5",
        "zeroes single elements with probability p, in training",
        shape=elementwise.dropped,
        stochastic=True,
        training=True,
        family="neural",
    ),
    FunctionRow(
        "one_hot",
        "F.one_hot",
        "input: tensor, num_classes: size",
        "each index as a row with a single 1, int64",
        shape=linear.one_hot,
        family="neural",
    ),
)
