"""Rows of the functional forms of layers: convolution, pooling, dropout, normalization, resampling.

Whatever has weights takes them as arguments. Statistics that are given are read and never changed.
"""

from __future__ import annotations

from functools import partial

from specc.catalog.functions.family import Family
from specc.catalog.layers.shape import MODES
from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes.of_functions import elementwise
from specc.catalog.shapes.of_layers import (
    activation,
    convolution,
    functional,
    linear,
    normalization,
    pooling,
    resampling,
)
from specc.catalog.signatures import any_or, one_or

_SPATIAL = {1: "8", 2: "8, 8", 3: "4, 4, 4"}

_row = Family("neural")


def _images(dims: int, call: str) -> str:
    return f"x: float[N, 4, {_SPATIAL[dims]}] | {call}"


# ── pooling ──────────────────────────────────────────────────────────────────────────────────────


def _max(dims: int) -> FunctionRow:
    return _row(
        f"F.max_pool{dims}d",
        "the largest value of each window",
        partial(pooling.pooled, dims=dims),
        f"input: tensor, kernel_size: {one_or(dims)}, stride: {one_or(dims)} | none = None, "
        f"padding: {one_or(dims)} = 0, dilation: {one_or(dims)} = 1, ceil_mode: bool = False, "
        "return_indices: bool = False",
        example=_images(dims, f"max_pool{dims}d(x, 2)"),
    )


def _average(dims: int) -> FunctionRow:
    divisor = ", divisor_override: int | none = None" if dims > 1 else ""
    return _row(
        f"F.avg_pool{dims}d",
        "the mean of each window",
        partial(pooling.pooled, dims=dims, inside=dims == 3),
        f"input: tensor, kernel_size: {one_or(dims)}, stride: {one_or(dims)} | none = None, "
        f"padding: {one_or(dims)} = 0, ceil_mode: bool = False, "
        f"count_include_pad: bool = True{divisor}",
        example=_images(dims, f"avg_pool{dims}d(x, 2)"),
    )


def _power(dims: int) -> FunctionRow:
    # torch's lp_pool1d takes one number alone: it multiplies by its kernel_size.
    kernel = "int" if dims == 1 else f"int x{dims}"
    return _row(
        f"F.lp_pool{dims}d",
        "the norm of each window",
        partial(pooling.power_averaged, dims=dims),
        f"input: tensor, norm_type: float, kernel_size: {kernel}, "
        f"stride: {one_or(dims)} | none = None, ceil_mode: bool = False",
        since="2.3" if dims == 3 else "2.0",
        example=f"x: unit[N, 4, {_SPATIAL[dims]}] | lp_pool{dims}d(x + 0.5, 2.0, 2)",
    )


def _adaptive(kind: str, dims: int) -> FunctionRow:
    places = ", return_indices: bool = False" if kind == "max" else ""
    return _row(
        f"F.adaptive_{kind}_pool{dims}d",
        "pools any size to a fixed one",
        partial(pooling.adaptive, dims=dims),
        f"input: tensor, output_size: {any_or(dims)}{places}",
        example=_images(dims, f"adaptive_{kind}_pool{dims}d(x, 2)"),
    )


def _fractional(dims: int) -> FunctionRow:
    return _row(
        f"F.fractional_max_pool{dims}d",
        "the largest value of windows placed at random",
        partial(pooling.fractional, dims=dims),
        f"input: tensor, kernel_size: int x{dims}, output_size: int x{dims} | none = None, "
        "output_ratio: floats | none = None, return_indices: bool = False",
        example=_images(dims, f"fractional_max_pool{dims}d(x, 2, output_size=2)"),
        stochastic=True,
    )


def _unpool(dims: int) -> FunctionRow:
    return _row(
        f"F.max_unpool{dims}d",
        "values back at the places they were pooled from, zeros elsewhere",
        partial(pooling.unpooled, dims=dims),
        f"input: tensor, indices: tensor, kernel_size: int x{dims}, "
        f"stride: int x{dims} | none = None, padding: int x{dims} = 0, "
        "output_size: sizes | none = None",
        example=_images(
            dims,
            f"y, places = max_pool{dims}d(x, 2, return_indices=true)\n"
            f"max_unpool{dims}d(y, places, 2)",
        ),
    )


# ── convolution ──────────────────────────────────────────────────────────────────────────────────

_KERNEL = {1: "3", 2: "3, 3", 3: "3, 3, 3"}


def _convolution(dims: int) -> FunctionRow:
    return _row(
        f"F.conv{dims}d",
        "a convolution with a given weight",
        partial(convolution.convolved_function, dims=dims),
        f"input: tensor, weight: tensor, bias: tensor | none = None, stride: {one_or(dims)} = 1, "
        f"padding: {one_or(dims)} | str = 0, dilation: {one_or(dims)} = 1, groups: size = 1",
        choices={"padding": ("valid", "same")},
        example=f"x: float[N, 4, {_SPATIAL[dims]}], w: float[2, 4, {_KERNEL[dims]}] | "
        f"conv{dims}d(x, w, padding=1)",
    )


def _transposed(dims: int) -> FunctionRow:
    return _row(
        f"F.conv_transpose{dims}d",
        "a transposed convolution with a given weight",
        partial(functional.transposed, dims=dims),
        f"input: tensor, weight: tensor, bias: tensor | none = None, stride: {one_or(dims)} = 1, "
        f"padding: {one_or(dims)} = 0, output_padding: {one_or(dims)} = 0, groups: size = 1, "
        f"dilation: {one_or(dims)} = 1",
        example=f"x: float[N, 4, {_KERNEL[dims]}], w: float[4, 2, {_KERNEL[dims]}] | "
        f"conv_transpose{dims}d(x, w, stride=2, padding=1)",
    )


# ── dropout ──────────────────────────────────────────────────────────────────────────────────────


def _dropped(name: str, summary: str, shape: ShapeRule, dims: int = 0) -> FunctionRow:
    return _row(
        f"F.{name}",
        f"{summary} with probability p, in training",
        shape,
        "input: tensor, p: float = 0.5",
        example=_images(dims, f"{name}(x, 0.3)") if dims else f"x -> {name}(0.3)",
        stochastic=True,
        training=True,
    )


_WINDOW = "dilation: int x2 = 1, padding: int x2 = 0, stride: int x2 = 1"
_AFFINE = "weight: tensor | none = None, bias: tensor | none = None"
_STATISTICS = "running_mean: tensor | none{0}, running_var: tensor | none{0}"
_IMAGES = "x: float[N, 4, 8, 8]"
_WEIGHTS = "w: float[4], b: float[4]"

ROWS = (
    *map(_convolution, (1, 2, 3)),
    *map(_transposed, (1, 2, 3)),
    *map(_max, (1, 2, 3)),
    *map(_average, (1, 2, 3)),
    *map(_power, (1, 2, 3)),
    *(_adaptive(kind, dims) for kind in ("avg", "max") for dims in (1, 2, 3)),
    *map(_fractional, (2, 3)),
    *map(_unpool, (1, 2, 3)),
    _row(
        "F.pad",
        "elements around, in pairs from the last dimension on",
        resampling.padded,
        "input: tensor, pad: sizes, mode: str = 'constant', value: float | none = None",
        choices={"mode": ("constant", "reflect", "replicate", "circular")},
        example=f"{_IMAGES} | pad(x, (1, 2, 0, 1))",
    ),
    _row(
        "F.interpolate",
        "resamples to a size, or by a factor",
        resampling.resampled,
        "input: tensor, size: size | sizes | none = None, "
        "scale_factor: float | floats | none = None, mode: str = 'nearest', "
        "align_corners: bool | none = None, *, antialias: bool = False",
        choices={"mode": MODES},
        example=f'{_IMAGES} | interpolate(x, scale_factor=2.0, mode="bilinear")',
    ),
    _row(
        "F.affine_grid",
        "the places that affine maps take the pixels of an image to",
        functional.affine_grid,
        "theta: tensor, size: sizes, align_corners: bool | none = None",
        example="x: float[N, 2, 3] | affine_grid(x, (N, 1, 4, 5), align_corners=false)",
    ),
    _row(
        "F.grid_sample",
        "an image at the places of a grid, from -1 to 1",
        functional.grid_sample,
        "input: tensor, grid: tensor, mode: str = 'bilinear', padding_mode: str = 'zeros', "
        "align_corners: bool | none = None",
        choices={
            "mode": ("bilinear", "nearest", "bicubic"),
            "padding_mode": ("zeros", "border", "reflection"),
        },
        example="x: float[N, 4, 8, 8], g: unit[N, 3, 5, 2] | "
        "grid_sample(x, g * 1.5 - 0.7, align_corners=false)",
    ),
    _row(
        "F.pixel_shuffle",
        "channels into a finer grid",
        resampling.pixels_shuffled,
        "input: tensor, upscale_factor: int",
        example=f"{_IMAGES} | pixel_shuffle(x, 2)",
    ),
    _row(
        "F.pixel_unshuffle",
        "a grid into more channels of a coarser one",
        resampling.pixels_unshuffled,
        "input: tensor, downscale_factor: int",
        example=f"{_IMAGES} | pixel_unshuffle(x, 2)",
    ),
    _row(
        "F.channel_shuffle",
        "the channels of groups interleaved",
        resampling.channels_shuffled,
        "input: tensor, groups: int",
        example=f"{_IMAGES} | channel_shuffle(x, 2)",
    ),
    _row(
        "F.unfold",
        "each window of an image as a column",
        resampling.unfolded,
        f"input: tensor, kernel_size: int x2, {_WINDOW}",
        example=f"{_IMAGES} | unfold(x, 3)",
    ),
    _row(
        "F.fold",
        "columns summed back into the windows of an image",
        resampling.folded,
        f"input: tensor, output_size: int x2, kernel_size: int x2, {_WINDOW}",
        example="x: float[N, 8, 16] | fold(x, (8, 8), 2, stride=2)",
    ),
    _dropped("dropout", "zeroes single elements", elementwise.dropped),
    *(
        _dropped(
            f"dropout{dims}d",
            "zeroes whole channels",
            partial(functional.dropped_channels, dims=dims),
            dims,
        )
        for dims in (1, 2, 3)
    ),
    _dropped("alpha_dropout", "puts single elements to SELU's limit", elementwise.dropped),
    _dropped(
        "feature_alpha_dropout",
        "puts whole channels to SELU's limit",
        activation.dropped_features,
        2,
    ),
    _row(
        "F.batch_norm",
        "each channel to mean 0 and variance 1: of the batch in training, else of the statistics",
        functional.batch_norm,
        f"input: tensor, {_STATISTICS.format('')}, {_AFFINE}, training: bool = False, "
        "momentum: float = 0.1, eps: float = 1e-05",
        example=f"{_IMAGES}, {_WEIGHTS} | batch_norm(x, none, none, w, b, training=true)",
    ),
    _row(
        "F.instance_norm",
        "each channel of each example to mean 0 and variance 1",
        functional.instance_norm,
        f"input: tensor, {_STATISTICS.format(' = None')}, {_AFFINE}, "
        "use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-05",
        example=f"{_IMAGES}, {_WEIGHTS} | instance_norm(x, weight=w, bias=b)",
    ),
    _row(
        "F.group_norm",
        "each group of channels to mean 0 and variance 1",
        functional.group_norm,
        f"input: tensor, num_groups: int, {_AFFINE}, eps: float = 1e-05",
        example=f"{_IMAGES}, {_WEIGHTS} | group_norm(x, 2, w, b)",
    ),
    _row(
        "F.layer_norm",
        "each vector of the last dimensions to mean 0 and variance 1",
        normalization.layer_norm_function,
        f"input: tensor, normalized_shape: sizes, {_AFFINE}, eps: float = 1e-05",
        example="x: float[N, 6], w: float[6] | layer_norm(x, [6], w)",
    ),
    _row(
        "F.rms_norm",
        "each vector of the last dimensions to root mean square 1",
        normalization.layer_norm_function,
        "input: tensor, normalized_shape: sizes, weight: tensor | none = None, "
        "eps: float | none = None",
        since="2.4",
        example="x: float[N, 6], w: float[6] | rms_norm(x, [6], w)",
    ),
    _row(
        "F.local_response_norm",
        "each channel over a power of its neighbours' squares",
        normalization.local_response_norm,
        "input: tensor, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0",
        example=f"{_IMAGES} | local_response_norm(x, 3)",
    ),
    _row(
        "F.one_hot",
        "each index as a row with a single 1, int64",
        linear.one_hot,
        "input: tensor, num_classes: size",
        example="x: index(5)[N] | one_hot(x, 5)",
    ),
)
