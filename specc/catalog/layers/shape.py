"""Rows of layers that rearrange, pad or resample: they have no weights."""

from __future__ import annotations

from functools import partial

from specc.catalog.rows import LayerRow
from specc.catalog.shapes import arrangement, elementwise, resampling

MODES = ("nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area")


def _pad(kind: str, mode: str, summary: str, dims: int) -> LayerRow:
    return LayerRow(
        f"{kind}Pad{dims}d",
        f"nn.{kind}Pad{dims}d",
        f"padding: int x{2 * dims}",
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
    _pad("Zero", "constant", "zeros around (left, right, top, bottom)", 2),
    _pad("Reflection", "reflect", "the input mirrored at its border", 2),
    _pad("Replication", "replicate", "the input's border repeated", 2),
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
)
