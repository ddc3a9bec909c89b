"""Shape rules of padding, interpolation, pixel shuffling, and of images as columns of windows.

The result's size of a scaled dimension is ``floor(size * factor)``, computed as torch does in
double precision; for an unknown size the factor must be a fraction that binary numbers hold
exactly. Non-goal: values.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes import value_bounds
from specc.catalog.shapes.common import (
    SPATIAL,
    Shape,
    as_size,
    as_sizes,
    at_least,
    bracketed,
    known,
    layout,
    plain,
    positive,
    require_divisible,
    require_fill,
    require_floating,
    require_rank,
)
from specc.ir import TensorType
from specc.sizes import Size, never_negative

_RANKS = {
    "nearest": (3, 4, 5),
    "nearest-exact": (3, 4, 5),
    "area": (3, 4, 5),
    "linear": (3,),
    "bilinear": (4,),
    "bicubic": (4,),
    "trilinear": (5,),
}


# ── padding ──────────────────────────────────────────────────────────────────────────────────────


def padded_layer(call: Call, *, dims: int, mode: str) -> TensorType:
    """``ZeroPad2d`` and its like: ``padding`` is one size, or (left, right, top, bottom, ...)."""
    tensor = call.tensor()
    require_rank(call, tensor, (dims + 1, dims + 2), f"{layout(dims)}, or without N")
    if mode in ("reflect", "replicate"):
        require_floating(call, tensor)
    return _padded(call, tensor, as_sizes(call, "padding", 2 * dims), "padding", mode)


def padded(call: Call) -> TensorType:
    """``F.pad(input, pad, mode, value)``: pairs (before, after) from the last dimension on."""
    tensor = call.tensor()
    pads = as_sizes(call, "pad")
    mode = str(plain(call, "mode"))
    if len(pads) % 2 or len(pads) > 2 * len(tensor.shape) or not pads:
        raise RuleError(
            "E0307",
            f"pad takes a pair for each padded dimension, from the last one on; got "
            f"{bracketed(pads)} for {tensor}",
            help="pad=(1, 1) pads the last dimension by 1 on both sides",
            argument="pad",
        )
    if mode != "constant":
        require_floating(call, tensor)
        count = len(pads) // 2
        if len(tensor.shape) not in (count + 1, count + 2) or count > 3:
            raise RuleError(
                "E0301",
                f'pad with mode="{mode}" pads every spatial dimension; got {bracketed(pads)} for '
                f"{tensor}",
                argument="pad",
            )
    return _padded(call, tensor, pads, "pad", mode)


def _padded(call: Call, tensor: TensorType, pads: Shape, name: str, mode: str) -> TensorType:
    shape = list(tensor.shape)
    for pair in range(len(pads) // 2):
        place = len(shape) - 1 - pair
        before, after = pads[2 * pair], pads[2 * pair + 1]
        _require_source(call, tensor.shape[place], (before, after), name, mode)
        shape[place] = shape[place] + before + after
        if all(never_negative(pad) for pad in (before, after)):
            continue  # nothing is cut off
        error = RuleError(
            "E0305",
            f"{name} {before}, {after} of {call.name} leaves {shape[place]} of the "
            f"{tensor.shape[place]} in dimension {place} of {tensor}",
            argument=name,
        )
        call.require_at_least(shape[place], 1, error)
    result = tensor.with_shape(tuple(shape))
    if mode != "constant":
        return value_bounds.of_input(call, result)
    require_fill(call, tensor, "value")
    filled = value_bounds.argument(call, "value")
    return value_bounds.bounded(result, (tensor, 0 if filled is None else filled))


def _require_source(call: Call, size: Size, pads: Shape, name: str, mode: str) -> None:
    """E0305 where a reflection or a wrap needs more elements than there are."""
    for pad in pads:
        if mode in ("reflect", "circular"):
            error = RuleError(
                "E0305",
                f"{name} {pad} of {call.name} needs a larger input than {size} for a {mode}",
                argument=name,
                by_torch=True,
            )
            call.require_at_least(size, pad + 1 if mode == "reflect" else pad, error)


# ── interpolation ────────────────────────────────────────────────────────────────────────────────


def resampled(call: Call) -> TensorType:
    """``Upsample``, ``F.interpolate``: ``size``, or ``scale_factor``; E0301, E0305, E0307."""
    tensor = call.tensor()
    mode = str(plain(call, "mode"))
    require_floating(call, tensor)
    ranks = _RANKS.get(mode, (3, 4, 5))
    takes = " or ".join(layout(rank - 2) for rank in ranks) + f' with mode="{mode}"'
    fitting = {3: "linear", 4: "bilinear", 5: "trilinear"}.get(len(tensor.shape))
    advice = f'write mode="{fitting}"' if fitting and len(ranks) == 1 else None
    require_rank(call, tensor, ranks, takes, advice)
    if call.args["align_corners"] is not None and len(ranks) > 1:
        raise RuleError(
            "E0307",
            f'align_corners of {call.name} has no meaning with mode="{mode}"',
            help="leave it out",
            argument="align_corners",
        )
    if plain(call, "antialias") and mode not in ("bilinear", "bicubic"):
        raise RuleError(
            "E0307",
            f'antialias of {call.name} goes with mode="bilinear" or "bicubic"',
            argument="antialias",
        )
    dims = len(tensor.shape) - 2
    size, factor = call.args["size"], call.args["scale_factor"]
    if (size is None) == (factor is None):
        raise RuleError(
            "E0307", f"{call.name} takes size or scale_factor, one of them", argument="size"
        )
    if isinstance(size, tuple) and len(size) != dims:
        raise RuleError(
            "E0307",
            f"size of {call.name} takes one size or {dims}, and got {len(size)}",
            argument="size",
        )
    spatial = (
        as_sizes(call, "size", dims)
        if factor is None
        else scaled(call, tensor, "scale_factor", dims)
    )
    for name, before, after in zip(SPATIAL[dims], tensor.shape[2:], spatial, strict=True):
        message = f"{call.name} leaves {after} of {name} = {before}"
        error = RuleError("E0305", message, by_torch=True)
        call.require_at_least(after, 1, error)
    return tensor.with_shape((*tensor.shape[:2], *spatial))


def upsampled(call: Call, *, mode: str) -> TensorType:
    """``UpsamplingNearest2d``, ``UpsamplingBilinear2d``: ``Upsample`` of images in one mode."""
    require_rank(call, call.tensor(), (4,), layout(2), f"write Upsample for other than {layout(2)}")
    return resampled(replace(call, args={**call.args, "mode": mode, "align_corners": None}))


def scaled(call: Call, tensor: TensorType, name: str, dims: int) -> Shape:
    """The spatial sizes times the argument ``name``: one factor, or one for each; E0307."""
    factor = plain(call, name)
    factors = factor if isinstance(factor, tuple) else (factor,) * dims
    if len(factors) != dims:
        raise RuleError(
            "E0307",
            f"{name} of {call.name} takes one factor or {dims}, and got {len(factors)}",
            argument=name,
        )
    return tuple(
        _times(call, size, name, scale)
        for size, scale in zip(tensor.shape[2:], factors, strict=True)
    )


def _times(call: Call, size: Size, name: str, factor: object) -> Size:
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not factor > 0:
        raise RuleError(
            "E0307",
            f"{name} of {call.name} must be a positive number, and is {factor}",
            argument=name,
        )
    value = known(call, size)
    if value is not None and isinstance(size, int):
        return floor(value * float(factor))
    exact = Fraction(factor)
    if exact.denominator > 4096:
        raise RuleError(
            "E0307",
            f"{name} {factor} of the unknown size {size} has no exact formula",
            help="use a factor that is a half, a quarter or their multiple, or give the size",
            argument=name,
        )
    return size * exact.numerator // exact.denominator


# ── shuffling ────────────────────────────────────────────────────────────────────────────────────


def pixels_shuffled(call: Call) -> TensorType:
    """``[..., C r², H, W]`` to ``[..., C, H r, W r]``; E0301, E0303."""
    tensor = call.tensor()
    if len(tensor.shape) < 3:
        raise RuleError("E0301", f"{call.name} takes [..., C, H, W]; got {tensor}")
    positive(call, "upscale_factor")
    factor = as_size(call, "upscale_factor", call.args["upscale_factor"])
    at_least(call, "upscale_factor", 1, (factor,))
    *batch, channels, height, width = tensor.shape
    fewer = require_divisible(
        call,
        channels,
        factor * factor,
        f"channels {channels} is not divisible by upscale_factor squared, {factor * factor}",
        argument="upscale_factor",
    )
    return tensor.with_shape((*batch, fewer, height * factor, width * factor))


def pixels_unshuffled(call: Call) -> TensorType:
    """``[..., C, H r, W r]`` to ``[..., C r², H, W]``; E0301, E0303."""
    tensor = call.tensor()
    if len(tensor.shape) < 3:
        raise RuleError("E0301", f"{call.name} takes [..., C, H, W]; got {tensor}")
    factor = as_size(call, "downscale_factor", call.args["downscale_factor"])
    at_least(call, "downscale_factor", 1, (factor,))
    *batch, channels, height, width = tensor.shape
    coarse = tuple(
        require_divisible(
            call,
            size,
            factor,
            f"{name} {size} is not divisible by downscale_factor {factor}",
            argument="downscale_factor",
        )
        for name, size in (("height", height), ("width", width))
    )
    return tensor.with_shape((*batch, channels * factor * factor, *coarse))


def channels_shuffled(call: Call) -> TensorType:
    """``[N, C, ...]`` kept; E0301, E0303."""
    tensor = call.tensor()
    if len(tensor.shape) < 3:
        raise RuleError("E0301", f"{call.name} takes [N, C, ...]; got {tensor}")
    positive(call, "groups")
    groups = as_size(call, "groups", call.args["groups"])
    message = f"channels {tensor.shape[1]} is not divisible by groups {groups}"
    require_divisible(call, tensor.shape[1], groups, message, argument="groups")
    return tensor.with_shape(tensor.shape)


# ── columns of windows ───────────────────────────────────────────────────────────────────────────


def _windows(call: Call, tensor: TensorType, image: Shape) -> tuple[Size, Size]:
    """How many windows there are in ``image``, and how many elements one has; E0305, E0307."""
    kernel, stride, padding, dilation = (
        as_sizes(call, name, 2) for name in ("kernel_size", "stride", "padding", "dilation")
    )
    for name, sizes in (("kernel_size", kernel), ("stride", stride), ("dilation", dilation)):
        at_least(call, name, 1, sizes)
    at_least(call, "padding", 0, padding)
    count: Size = 1
    for size, width, step, pad, gap in zip(image, kernel, stride, padding, dilation, strict=True):
        have, wanted = size + 2 * pad, gap * (width - 1) + 1
        message = f"the window of {call.name} is larger than its input: {wanted} over {have}"
        error = RuleError("E0305", f"{message} of {tensor}", argument="kernel_size", by_torch=True)
        call.require_at_least(have, wanted, error)
        count = count * ((have - wanted) // step + 1)
    return count, kernel[0] * kernel[1]


def unfolded(call: Call) -> TensorType:
    """``[N, C, H, W]`` to ``[N, C * window, places]``; E0301, E0305."""
    tensor = call.tensor()
    require_rank(call, tensor, (4,), layout(2))
    require_floating(call, tensor)
    places, window = _windows(call, tensor, tensor.shape[2:])
    return tensor.with_shape((tensor.shape[0], tensor.shape[1] * window, places))


def folded(call: Call) -> TensorType:
    """``[N, C * window, places]`` to ``[N, C, *output_size]``; E0301, E0302, E0303, E0305."""
    tensor = call.tensor()
    require_rank(call, tensor, (3,), "[N, C * window, places]")
    require_floating(call, tensor)
    image = as_sizes(call, "output_size", 2)
    at_least(call, "output_size", 1, image)
    places, window = _windows(call, tensor, image)
    message = f"{call.name}: {tensor.shape[1]} of {tensor} is not divisible by a window of {window}"
    channels = require_divisible(call, tensor.shape[1], window, message, argument="kernel_size")
    call.require_equal(
        tensor.shape[2],
        places,
        RuleError(
            "E0302",
            f"{call.name}: an image of {bracketed(image)} has {places} windows, and {tensor} has "
            f"{tensor.shape[2]}",
            argument="output_size",
        ),
    )
    return tensor.with_shape((tensor.shape[0], channels, *image))
