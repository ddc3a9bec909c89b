"""Rows of the functional forms of layers: convolution, pooling, dropout, normalization, resampling.

Whatever has weights takes them as arguments. Statistics that are given are read and never changed.
"""

from __future__ import annotations

from functools import partial

from specc.catalog.layers.shape import MODES
from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes import (
    activation,
    convolution,
    elementwise,
    functional,
    linear,
    normalization,
    pooling,
    resampling,
)

_SPATIAL = {1: "8", 2: "8, 8", 3: "4, 4, 4"}


def _row(
    name: str,
    signature: str,
    summary: str,
    shape: ShapeRule,
    *,
    example: str,
    choices: dict[str, tuple[str, ...]] | None = None,
    stochastic: bool = False,
    training: bool = False,
    since: str = "2.0",
) -> FunctionRow:
    return FunctionRow(
        name,
        f"F.{name}",
        signature,
        summary,
        choices=choices or {},
        example=example,
        since=since,
        shape=shape,
        stochastic=stochastic,
        training=training,
        family="neural",
    )


def _images(dims: int, call: str) -> str:
    return f"x: float[N, 4, {_SPATIAL[dims]}] | {call}"


# ── pooling ──────────────────────────────────────────────────────────────────────────────────────


def _max(dims: int) -> FunctionRow:
    return _row(
        f"max_pool{dims}d",
        f"input: tensor, kernel_size: int x{dims}, stride: int x{dims} | none = None, "
        f"padding: int x{dims} = 0, dilation: int x{dims} = 1, ceil_mode: bool = False, "
        "return_indices: bool = False",
        "the largest value of each window",
        partial(pooling.pooled, dims=dims),
        example=_images(dims, f"max_pool{dims}d(x, 2)"),
    )


def _average(dims: int) -> FunctionRow:
    divisor = ", divisor_override: int | none = None" if dims > 1 else ""
    return _row(
        f"avg_pool{dims}d",
        f"input: tensor, kernel_size: int x{dims}, stride: int x{dims} | none = None, "
        f"padding: int x{dims} = 0, ceil_mode: bool = False, "
        f"count_include_pad: bool = True{divisor}",
        "the mean of each window",
        partial(pooling.pooled, dims=dims, inside=dims == 3),
        example=_images(dims, f"avg_pool{dims}d(x, 2)"),
    )


def _power(dims: int) -> FunctionRow:
    return _row(
        f"lp_pool{dims}d",
        f"input: tensor, norm_type: float, kernel_size: int x{dims}, "
        f"stride: int x{dims} | none = None, ceil_mode: bool = False",
        "the norm of each window",
        partial(pooling.power_averaged, dims=dims),
        since="2.3" if dims == 3 else "2.0",
        example=f"x: unit[N, 4, {_SPATIAL[dims]}] | lp_pool{dims}d(x + 0.5, 2.0, 2)",
    )


def _adaptive(kind: str, dims: int) -> FunctionRow:
    places = ", return_indices: bool = False" if kind == "max" else ""
    return _row(
        f"adaptive_{kind}_pool{dims}d",
        f"input: tensor, output_size: int x{dims}{places}",
        "pools any size to a fixed one",
        partial(pooling.adaptive, dims=dims),
        example=_images(dims, f"adaptive_{kind}_pool{dims}d(x, 2)"),
    )


def _fractional(dims: int) -> FunctionRow:
    return _row(
        f"fractional_max_pool{dims}d",
        f"input: tensor, kernel_size: int x{dims}, output_size: int x{dims} | none = None, "
        "output_ratio: floats | none = None, return_indices: bool = False",
        "the largest value of windows placed at random",
        partial(pooling.fractional, dims=dims),
        example=_images(dims, f"fractional_max_pool{dims}d(x, 2, output_size=2)"),
        stochastic=True,
    )


def _unpool(dims: int) -> FunctionRow:
    return _row(
        f"max_unpool{dims}d",
        f"input: tensor, indices: tensor, kernel_size: int x{dims}, "
        f"stride: int x{dims} | none = None, padding: int x{dims} = 0, "
        "output_size: sizes | none = None",
        "values back at the places they were pooled from, zeros elsewhere",
        partial(pooling.unpooled, dims=dims),
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
        f"conv{dims}d",
        f"input: tensor, weight: tensor, bias: tensor | none = None, stride: int x{dims} = 1, "
        f"padding: int x{dims} | str = 0, dilation: int x{dims} = 1, groups: int = 1",
        "a convolution with a given weight",
        partial(convolution.convolved_function, dims=dims),
        choices={"padding": ("valid", "same")},
        example=f"x: float[N, 4, {_SPATIAL[dims]}], w: float[2, 4, {_KERNEL[dims]}] | "
        f"conv{dims}d(x, w, padding=1)",
    )


def _transposed(dims: int) -> FunctionRow:
    return _row(
        f"conv_transpose{dims}d",
        f"input: tensor, weight: tensor, bias: tensor | none = None, stride: int x{dims} = 1, "
        f"padding: int x{dims} = 0, output_padding: int x{dims} = 0, groups: int = 1, "
        f"dilation: int x{dims} = 1",
        "a transposed convolution with a given weight",
        partial(functional.transposed, dims=dims),
        example=f"x: float[N, 4, {_KERNEL[dims]}], w: float[4, 2, {_KERNEL[dims]}] | "
        f"conv_transpose{dims}d(x, w, stride=2, padding=1)",
    )


# ── dropout ──────────────────────────────────────────────────────────────────────────────────────


def _dropped(name: str, summary: str, shape: ShapeRule, dims: int = 0) -> FunctionRow:
    return _row(
        name,
        "input: tensor, p: float = 0.5",
        f"{summary} with probability p, in training",
        shape,
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
        "pad",
        "input: tensor, pad: ints, mode: str = 'constant', value: float | none = None",
        "elements around, in pairs from the last dimension on",
        resampling.padded,
        choices={"mode": ("constant", "reflect", "replicate", "circular")},
        example=f"{_IMAGES} | pad(x, (1, 2, 0, 1))",
    ),
    _row(
        "interpolate",
        "input: tensor, size: int | ints | none = None, "
        "scale_factor: float | floats | none = None, mode: str = 'nearest', "
        "align_corners: bool | none = None, *, antialias: bool = False",
        "resamples to a size, or by a factor",
        resampling.resampled,
        choices={"mode": MODES},
        example=f'{_IMAGES} | interpolate(x, scale_factor=2.0, mode="bilinear")',
    ),
    _row(
        "affine_grid",
        "theta: tensor, size: sizes, align_corners: bool | none = None",
        "the places that affine maps take the pixels of an image to",
        functional.affine_grid,
        example="x: float[N, 2, 3] | affine_grid(x, (N, 1, 4, 5), align_corners=false)",
    ),
    _row(
        "grid_sample",
        "input: tensor, grid: tensor, mode: str = 'bilinear', padding_mode: str = 'zeros', "
        "align_corners: bool | none = None",
        "an image at the places of a grid, from -1 to 1",
        functional.grid_sample,
        choices={
            "mode": ("bilinear", "nearest", "bicubic"),
            "padding_mode": ("zeros", "border", "reflection"),
        },
        example="x: float[N, 4, 8, 8], g: unit[N, 3, 5, 2] | "
        "grid_sample(x, g * 1.5 - 0.7, align_corners=false)",
    ),
    _row(
        "pixel_shuffle",
        "input: tensor, upscale_factor: int",
        "channels into a finer grid",
        resampling.pixels_shuffled,
        example=f"{_IMAGES} | pixel_shuffle(x, 2)",
    ),
    _row(
        "pixel_unshuffle",
        "input: tensor, downscale_factor: int",
        "a grid into more channels of a coarser one",
        resampling.pixels_unshuffled,
        example=f"{_IMAGES} | pixel_unshuffle(x, 2)",
    ),
    _row(
        "channel_shuffle",
        "input: tensor, groups: int",
        "the channels of groups interleaved",
        resampling.channels_shuffled,
        example=f"{_IMAGES} | channel_shuffle(x, 2)",
    ),
    _row(
        "unfold",
        f"input: tensor, kernel_size: int x2, {_WINDOW}",
        "each window of an image as a column",
        resampling.unfolded,
        example=f"{_IMAGES} | unfold(x, 3)",
    ),
    _row(
        "fold",
        f"input: tensor, output_size: int x2, kernel_size: int x2, {_WINDOW}",
        "columns summed back into the windows of an image",
        resampling.folded,
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
        "batch_norm",
        f"input: tensor, {_STATISTICS.format('')}, {_AFFINE}, training: bool = False, "
        "momentum: float = 0.1, eps: float = 1e-05",
        "each channel to mean 0 and variance 1: of the batch in training, else of the statistics",
        functional.batch_norm,
        example=f"{_IMAGES}, {_WEIGHTS} | batch_norm(x, none, none, w, b, training=true)",
    ),
    _row(
        "instance_norm",
        f"input: tensor, {_STATISTICS.format(' = None')}, {_AFFINE}, "
        "use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-05",
        "each channel of each example to mean 0 and variance 1",
        functional.instance_norm,
        example=f"{_IMAGES}, {_WEIGHTS} | instance_norm(x, weight=w, bias=b)",
    ),
    _row(
        "group_norm",
        f"input: tensor, num_groups: int, {_AFFINE}, eps: float = 1e-05",
        "each group of channels to mean 0 and variance 1",
        functional.group_norm,
        example=f"{_IMAGES}, {_WEIGHTS} | group_norm(x, 2, w, b)",
    ),
    _row(
        "layer_norm",
        f"input: tensor, normalized_shape: sizes, {_AFFINE}, eps: float = 1e-05",
        "each vector of the last dimensions to mean 0 and variance 1",
        normalization.layer_norm_function,
        example="x: float[N, 6], w: float[6] | layer_norm(x, [6], w)",
    ),
    _row(
        "rms_norm",
        "input: tensor, normalized_shape: sizes, weight: tensor | none = None, "
        "eps: float | none = None",
        "each vector of the last dimensions to root mean square 1",
        normalization.layer_norm_function,
        since="2.4",
        example="x: float[N, 6], w: float[6] | rms_norm(x, [6], w)",
    ),
    _row(
        "local_response_norm",
        "input: tensor, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0",
        "each channel over a power of its neighbours' squares",
        normalization.local_response_norm,
        example=f"{_IMAGES} | local_response_norm(x, 3)",
    ),
    _row(
        "one_hot",
        "input: tensor, num_classes: size",
        "each index as a row with a single 1, int64",
        linear.one_hot,
        example="x: index(5)[N] | one_hot(x, 5)",
    ),
)
