"""Rows of layers that rearrange, pad or resample: they have no weights."""

from __future__ import annotations

from functools import partial

from specc.catalog.rows import LayerRow
from specc.catalog.shapes import arrangement, elementwise, resampling

MODES = ("nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area")

_WINDOW = "dilation: int x2 = 1, padding: int x2 = 0, stride: int x2 = 1"


def _pad(kind: str, mode: str, summary: str, dims: int) -> LayerRow:
    value = ", value: float" if kind == "Constant" else ""
    return LayerRow(
        f"{kind}Pad{dims}d",
        f"nn.{kind}Pad{dims}d",
        f"padding: int x{2 * dims}{value}",
        summary,
        shape=partial(resampling.padded_layer, dims=dims, mode=mode),
        family="shape",
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
        shape=arrangement.flattened,
        family="shape",
    ),
    LayerRow(
        "Unflatten",
        "nn.Unflatten",
        "dim: int, unflattened_size: sizes",
        "one dimension into several",
        shape=partial(arrangement.unflattened, sizes="unflattened_size"),
        family="shape",
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
    ),
    LayerRow(
        "PixelShuffle",
        "nn.PixelShuffle",
        "upscale_factor: int",
        "channels into a finer grid",
        shape=resampling.pixels_shuffled,
        family="shape",
    ),
    LayerRow(
        "PixelUnshuffle",
        "nn.PixelUnshuffle",
        "downscale_factor: int",
        "a grid into more channels of a coarser one",
        shape=resampling.pixels_unshuffled,
        family="shape",
    ),
    LayerRow(
        "ChannelShuffle",
        "nn.ChannelShuffle",
        "groups: int",
        "the channels of each group spread over all",
        shape=resampling.channels_shuffled,
        family="shape",
    ),
    LayerRow(
        "Unfold",
        "nn.Unfold",
        f"kernel_size: int x2, {_WINDOW}",
        "each window of an image as a column",
        shape=resampling.unfolded,
        family="shape",
    ),
    LayerRow(
        "Fold",
        "nn.Fold",
        f"output_size: int x2, kernel_size: int x2, {_WINDOW}",
        "columns summed back into the windows of an image",
        shape=resampling.folded,
        family="shape",
    ),
)
