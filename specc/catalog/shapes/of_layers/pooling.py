"""Shape rules of pooling, as layers and as functions.

As for convolutions a batch is demanded. ``ceil_mode`` follows torch: the last window must start
inside the input or its left padding. Non-goal: values.
"""

from __future__ import annotations

from dataclasses import replace

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    as_sizes,
    at_least,
    bracketed,
    known,
    number,
    plain,
    product,
    require_within,
)
from specc.catalog.shapes.of_layers.convolution import require_batch, require_window
from specc.catalog.shapes.of_layers.resampling import scaled
from specc.ir import ResultType, TensorType
from specc.sizes import Size


def pooled(call: Call, *, dims: int, inside: bool = False) -> ResultType:
    """``(H + 2 padding - dilation (kernel - 1) - 1) // stride + 1``; E0301, E0305, E0307.

    With ``return_indices`` two results: the values and their int64 places. ``inside`` says that the
    kernel must fit into the input without its padding, which torch asks of AvgPool3d alone.
    """
    tensor = call.tensor()
    require_batch(call, tensor, dims)
    kernel = as_sizes(call, "kernel_size", dims)
    empty = call.args["stride"] is None or call.args["stride"] == ()
    stride = kernel if empty else as_sizes(call, "stride", dims)
    padding = as_sizes(call, "padding", dims) if "padding" in call.args else (0,) * dims
    dilation = as_sizes(call, "dilation", dims) if "dilation" in call.args else (1,) * dims
    for name, sizes in (("kernel_size", kernel), ("stride", stride), ("dilation", dilation)):
        at_least(call, name, 1, sizes)
    at_least(call, "padding", 0, padding)
    _require_small_padding(call, padding, kernel)
    if plain(call, "divisor_override") == 0:
        raise RuleError(
            "E0307", f"divisor_override of {call.name} must not be 0", argument="divisor_override"
        )
    measure = _ceiling if plain(call, "ceil_mode") else _floor
    spatial = tuple(
        measure(call, size, gap * (width - 1) + 1, step, pad)
        for size, width, step, pad, gap in zip(
            tensor.shape[2:], kernel, stride, padding, dilation, strict=True
        )
    )
    room = tuple(
        (size + (0 if inside else 2 * pad), gap * (width - 1) + 1)
        for size, width, pad, gap in zip(tensor.shape[2:], kernel, padding, dilation, strict=True)
    )
    ceiling = bool(plain(call, "ceil_mode")) and not inside
    require_window(call, tensor, spatial, kernel, None if ceiling else room)
    result = tensor.with_shape((*tensor.shape[:2], *spatial))
    if plain(call, "return_indices"):
        return result, places(result.shape, tensor)
    return result


def places(shape: Shape, tensor: TensorType) -> TensorType:
    """Where in ``tensor [N, C, ...]`` each largest value of ``shape`` is, counted through its
    channel."""
    return TensorType("int64", shape, "index", product(tensor.shape[2:]))


def _floor(call: Call, size: Size, window: Size, step: Size, pad: Size) -> Size:
    return (size + 2 * pad - window) // step + 1


def _ceiling(call: Call, size: Size, window: Size, step: Size, pad: Size) -> Size:
    count = (size + 2 * pad - window + step - 1) // step + 1
    overhang = known(call, step + pad - window)
    if overhang is not None and overhang <= 0:
        return count
    start = known(call, (count - 1) * step - size - pad)
    if start is None:
        raise RuleError(
            "E0307",
            f"ceil_mode of {call.name}: with stride {step} and padding {pad} over a window of "
            f"{window} the result's size for {size} has no formula",
            help="leave ceil_mode out, or give the input a fixed size",
            argument="ceil_mode",
        )
    return count - 1 if start >= 0 else count


def _require_small_padding(call: Call, padding: Shape, kernel: Shape) -> None:
    for pad, width in zip(padding, kernel, strict=True):
        most, value = known(call, width // 2), known(call, pad)
        if most is not None and value is not None and value > most:
            raise RuleError(
                "E0307",
                f"padding {value} of {call.name} is more than half of its kernel_size {width}",
                help=f"write padding={most} or less",
                argument="padding",
            )


def adaptive(call: Call, *, dims: int) -> ResultType:
    """Any spatial sizes to ``output_size``, in which none leaves a size as it is."""
    tensor = call.tensor()
    require_batch(call, tensor, dims)
    written = call.args["output_size"]
    if isinstance(written, tuple) and len(written) == dims:
        kept = zip(written, tensor.shape[2:], strict=True)
        whole = tuple(size if given is None else given for given, size in kept)
        call = replace(call, args={**call.args, "output_size": whole})
    spatial = as_sizes(call, "output_size", dims)
    at_least(call, "output_size", 1, spatial)
    result = tensor.with_shape((*tensor.shape[:2], *spatial))
    if plain(call, "return_indices"):
        return result, places(result.shape, tensor)
    return result


def power_averaged(call: Call, *, dims: int) -> ResultType:
    """``LPPool``: as ``pooled`` without padding; E0307 for the norm 0, which has no root."""
    if number(call, "norm_type") == 0:
        raise RuleError("E0307", f"norm_type of {call.name} must not be 0", argument="norm_type")
    return pooled(call, dims=dims, inside=dims == 3)


def fractional(call: Call, *, dims: int) -> ResultType:
    """``FractionalMaxPool``: ``output_size``, or ``output_ratio`` of the input; E0301, E0305,
    E0307.

    The windows are placed at random and lie inside the input: they need ``output_size +
    kernel_size - 1`` of it, in three dimensions one more."""
    tensor = call.tensor()
    require_batch(call, tensor, dims)
    kernel = as_sizes(call, "kernel_size", dims)
    at_least(call, "kernel_size", 1, kernel)
    size, ratio = call.args["output_size"], call.args["output_ratio"]
    if (size is None) == (ratio is None):
        raise RuleError(
            "E0307",
            f"{call.name} takes output_size or output_ratio, one of them",
            argument="output_size",
        )
    if ratio is None:
        spatial = as_sizes(call, "output_size", dims)
        at_least(call, "output_size", 1, spatial)
    else:
        _require_ratios(call)
        spatial = scaled(call, tensor, "output_ratio", dims)
    for before, after, width in zip(tensor.shape[2:], spatial, kernel, strict=True):
        message = f"{call.name} cannot place {after} windows of {width} in {before} of {tensor}"
        error = RuleError(
            "E0305", message, help="use a smaller kernel", argument="kernel_size", by_torch=True
        )
        call.require_at_least(after, 1, error)
        call.require_at_least(before, after + width - (1 if dims == 2 else 0), error)
    result = tensor.with_shape((*tensor.shape[:2], *spatial))
    if plain(call, "return_indices"):
        return result, places(result.shape, tensor)
    return result


def _require_ratios(call: Call) -> None:
    given = plain(call, "output_ratio")
    for ratio in given if isinstance(given, tuple) else (given,):
        if not isinstance(ratio, int | float) or not 0 < ratio < 1:
            raise RuleError(
                "E0307",
                f"output_ratio of {call.name} is between 0 and 1, and is {ratio}",
                argument="output_ratio",
            )


def unpooled(call: Call, *, dims: int) -> TensorType:
    """``MaxUnpool(input, indices)``: ``(H - 1) stride - 2 padding + kernel``, or ``output_size``
    where it is less than a stride away from that; E0301, E0302, E0305, E0306, E0307."""
    tensor, places = call.tensor(), call.tensor("indices")
    require_batch(call, tensor, dims)
    _require_places(call, tensor, places)
    kernel = as_sizes(call, "kernel_size", dims)
    stride = kernel if call.args["stride"] is None else as_sizes(call, "stride", dims)
    padding = as_sizes(call, "padding", dims)
    at_least(call, "kernel_size", 1, kernel)
    at_least(call, "stride", 1, stride)
    at_least(call, "padding", 0, padding)
    spatial = tuple(
        (size - 1) * step - 2 * pad + width
        for size, step, pad, width in zip(tensor.shape[2:], stride, padding, kernel, strict=True)
    )
    written = _written_size(call, dims)
    for before, after, step, chosen in zip(
        tensor.shape[2:], spatial, stride, written or spatial, strict=True
    ):
        error = RuleError(
            "E0305",
            f"{call.name} makes {after} of the {before} in {tensor}",
            help="use a larger kernel or less padding",
            argument="kernel_size",
        )
        if written is not None:
            error = RuleError(
                "E0305",
                f"{call.name} makes {after} of the {before} in {tensor}, and output_size {chosen} "
                f"is not within its stride {step} of that",
                argument="output_size",
            )
            call.require_at_least(chosen, after - step + 1, error)
            call.require_at_least(after + step - 1, chosen, error)
        call.require_at_least(chosen, 1, error)
    result = tensor.with_shape((*tensor.shape[:2], *(written or spatial)))
    require_within(call, places, product(result.shape[2:]), str(result), "indices")
    return result


def _require_places(call: Call, tensor: TensorType, places: TensorType) -> None:
    if places.dtype != "int64":
        raise RuleError(
            "E0306",
            f"{call.name} takes the places that a MaxPool gives; got {places}",
            help=f"write y, places = x -> {call.name.replace('Unp', 'P')}(2, return_indices=true)",
            argument="indices",
        )
    error = RuleError(
        "E0302", f"{call.name} takes a place for each value; got {tensor} and {places}"
    )
    if len(places.shape) != len(tensor.shape):
        raise error
    for one, other in zip(tensor.shape, places.shape, strict=True):
        call.require_equal(one, other, error)


def _written_size(call: Call, dims: int) -> Shape | None:
    """``output_size``: the spatial sizes, or the whole shape; none where it is left out."""
    if call.args.get("output_size") is None:
        return None
    sizes = as_sizes(call, "output_size", None)
    if len(sizes) not in (dims, dims + 2):
        raise RuleError(
            "E0307",
            f"output_size of {call.name} has {dims} sizes, or {dims + 2} with batch and channels; "
            f"got {bracketed(sizes)}",
            argument="output_size",
        )
    return sizes[-dims:]
