"""Shape rules of pooling, as layers and as functions.

As for convolutions a batch is demanded. ``ceil_mode`` follows torch: the last window must start
inside the input or its left padding. Non-goal: values.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import Shape, as_sizes, at_least, known, plain
from specc.catalog.shapes.convolution import require_batch, require_window
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
    padding = as_sizes(call, "padding", dims)
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
        return result, TensorType("int64", result.shape)
    return result


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
    """Any spatial sizes to ``output_size``."""
    tensor = call.tensor()
    require_batch(call, tensor, dims)
    spatial = as_sizes(call, "output_size", dims)
    at_least(call, "output_size", 1, spatial)
    result = tensor.with_shape((*tensor.shape[:2], *spatial))
    if plain(call, "return_indices"):
        return result, TensorType("int64", result.shape)
    return result
