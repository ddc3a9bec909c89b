"""Rows of layers that rearrange, pad or resample: they have no weights."""

from __future__ import annotations

from functools import partial

from specc.catalog.rows import LayerRow
from specc.catalog.shapes.of_functions import elementwise
from specc.catalog.shapes.of_layers import resampling
from specc.catalog.shapes.of_moves import arrangement

MODES = ("nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area")

_WINDOW = "dilation: int x2 = 1, padding: int x2 = 0, stride: int x2 = 1"


# A batch of images with four channels, by the number of their dimensions.
_IMAGES = {1: "x: float[N, 4, 5]", 2: "x: float[N, 4, 4, 5]", 3: "x: float[N, 4, 2, 3, 3]"}


def _upsampling(kind: str, mode: str) -> LayerRow:
    return LayerRow(
        f"Upsampling{kind}2d",
        f"nn.Upsampling{kind}2d",
        "size: int x2 | none = None, scale_factor: float | floats | none = None",
        f"Upsample of images with mode={mode}",
        shape=partial(resampling.upsampled, mode=mode),
        family="shape",
        example=f"{_IMAGES[2]} | x -> Upsampling{kind}2d(scale_factor=2.0)",
    )


def _pad(kind: str, mode: str, summary: str, dims: int) -> LayerRow:
    value = ", value: float" if kind == "Constant" else ""
    written = "1, 0.5" if kind == "Constant" else "1"
    return LayerRow(
        f"{kind}Pad{dims}d",
        f"nn.{kind}Pad{dims}d",
        f"padding: int x{2 * dims}{value}",
        summary,
        shape=partial(resampling.padded_layer, dims=dims, mode=mode),
        family="shape",
        example=f"{_IMAGES[dims]} | x -> {kind}Pad{dims}d({written})",
    )


ROWS = (
    LayerRow(
        "Identity",
        "nn.Identity",
        "",
        "the value itself",
        shape=elementwise.unchanged,
        family="shape",
    ),
    LayerRow(
        "Flatten",
        "nn.Flatten",
        "start_dim: int = 1, end_dim: int = -1",
        "several dimensions into one; the batch stays by default",
        positional=(("start_dim",), ("start_dim", "end_dim")),
        shape=arrangement.flattened,
        family="shape",
        example="x: float[N, 4, 3] | x -> Flatten",
    ),
    LayerRow(
        "Unflatten",
        "nn.Unflatten",
        "dim: int, unflattened_size: sizes",
        "one dimension into several",
        shape=partial(arrangement.unflattened, sizes="unflattened_size"),
        family="shape",
        example="x: float[N, 6] | x -> Unflatten(1, (2, 3))",
    ),
    *(
        _pad(kind, mode, summary, dims)
        for kind, mode, summary in (
            ("Zero", "constant", "zeros around (left, right, top, bottom, ...)"),
            ("Constant", "constant", "one number around"),
            ("Reflection", "reflect", "the input mirrored at its border"),
            ("Replication", "replicate", "the input's border repeated"),
            ("Circular", "circular", "the input's other end"),
        )
        for dims in (1, 2, 3)
    ),
    LayerRow(
        "Upsample",
        "nn.Upsample",
        "size: int | ints | none = None, scale_factor: float | floats | none = None, "
        "mode: str = 'nearest', align_corners: bool | none = None",
        "resamples to a size, or by a factor",
        choices={"mode": MODES},
        shape=resampling.resampled,
        family="shape",
        example=f'{_IMAGES[2]} | x -> Upsample(scale_factor=2.0, mode="bilinear")',
    ),
    _upsampling("Nearest", "nearest"),
    _upsampling("Bilinear", "bilinear"),
    LayerRow(
        "PixelShuffle",
        "nn.PixelShuffle",
        "upscale_factor: int",
        "channels into a finer grid",
        shape=resampling.pixels_shuffled,
        family="shape",
        example=f"{_IMAGES[2]} | x -> PixelShuffle(2)",
    ),
    LayerRow(
        "PixelUnshuffle",
        "nn.PixelUnshuffle",
        "downscale_factor: int",
        "a grid into more channels of a coarser one",
        shape=resampling.pixels_unshuffled,
        family="shape",
        example="x: float[N, 2, 4, 6] | x -> PixelUnshuffle(2)",
    ),
    LayerRow(
        "ChannelShuffle",
        "nn.ChannelShuffle",
        "groups: int",
        "the channels of each group spread over all",
        shape=resampling.channels_shuffled,
        family="shape",
        example=f"{_IMAGES[2]} | x -> ChannelShuffle(2)",
    ),
    LayerRow(
        "Unfold",
        "nn.Unfold",
        f"kernel_size: int x2, {_WINDOW}",
        "each window of an image as a column",
        shape=resampling.unfolded,
        family="shape",
        example=f"{_IMAGES[2]} | x -> Unfold(3, padding=1)",
    ),
    LayerRow(
        "Fold",
        "nn.Fold",
        f"output_size: int x2, kernel_size: int x2, {_WINDOW}",
        "columns summed back into the windows of an image",
        shape=resampling.folded,
        family="shape",
        example="x: float[N, 8, 12] | x -> Fold((5, 4), kernel_size=2)",
    ),
)
