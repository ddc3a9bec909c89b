"""Shape rules of convolutions and transposed convolutions in 1, 2 and 3 dimensions.

The formulas are those of torch's ``Conv2d`` and ``ConvTranspose2d`` pages. torch also takes an
input without a batch; here that is E0301, for it is a forgotten batch far more often than a wish.
Non-goal: values.
"""

from __future__ import annotations

from collections.abc import Iterable

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    SPATIAL,
    Shape,
    as_sizes,
    at_least,
    known,
    layout,
    plain,
    positive,
    product,
    require_divisible,
    require_floating,
    require_rank,
    require_same_dtype,
    told,
)
from specc.catalog.shapes.of_layers.linear import (
    Initial,
    Tensors,
    require_bias,
    require_weighable,
    size_of,
    uniform_within,
)
from specc.ir import TensorType
from specc.sizes import Size


def in_channels(call: Call, *, dims: int) -> Size:
    """Dimension 1 of the input; E0301 without a batch, E0308 for an unknown size."""
    tensor = call.tensor()
    require_batch(call, tensor, dims)
    require_weighable(call, tensor)
    return told(call, "in_channels", tensor.shape[1], tensor)


def require_batch(call: Call, tensor: TensorType, dims: int) -> None:
    """E0301 unless ``tensor`` is a batch of channels with ``dims`` spatial dimensions; E0306."""
    rank = len(tensor.shape)
    advice = None
    if rank == dims + 1:
        advice = f"the batch comes first: declare the input as {layout(dims)}"
    elif rank == 2:
        advice = f"the value is flat: put {call.name} before Flatten, or Unflatten the value first"
    require_rank(call, tensor, (dims + 2,), layout(dims), advice)
    require_floating(call, tensor)


def require_window(
    call: Call,
    tensor: TensorType,
    result: Shape,
    kernel: Shape,
    room: Iterable[tuple[Size, Size]] | None = None,
) -> None:
    """E0305 where a result's size is less than 1; open is a condition.

    ``room`` says the same of each dimension as (what there is, what the window takes)."""
    names = SPATIAL[len(result)]
    pairs = tuple((after, 1) for after in result) if room is None else tuple(room)
    for name, before, after, width, (have, wanted) in zip(
        names, tensor.shape[2:], result, kernel, pairs, strict=True
    ):
        size = known(call, after)
        leaves = "" if size is None else f" leaves {size}"
        error = RuleError(
            "E0305",
            f"the window of {call.name} is larger than its input: kernel {width} over "
            f"{name} = {before} of {tensor}{leaves}",
            help="use a smaller kernel, more padding, or fewer poolings before it",
            argument="kernel_size",
            by_torch=True,
        )
        call.require_at_least(have, wanted, error)


def convolved(call: Call, *, dims: int) -> TensorType:
    """``(H + 2 padding - dilation (kernel - 1) - 1) // stride + 1`` in each spatial dimension."""
    tensor = call.tensor()
    require_batch(call, tensor, dims)
    positive(call, "out_channels", "groups")
    kernel = as_sizes(call, "kernel_size", dims)
    at_least(call, "kernel_size", 1, kernel)
    out = size_of(call, "out_channels")
    _require_groups(call, size_of(call, "in_channels"), out)
    return tensor.with_shape((tensor.shape[0], out, *_spatial(call, tensor, kernel)))


def convolved_function(call: Call, *, dims: int) -> TensorType:
    """``F.conv2d(input, weight [out, in // groups, *kernel], bias [out])``; as the layer, E0302."""
    tensor, weight = require_kernel(call, dims)
    positive(call, "groups")
    out, columns, *kernel = weight.shape
    wanted = columns * size_of(call, "groups")
    message = f"{call.name}: the weight {weight} takes {wanted} channels, and {tensor} has"
    error = RuleError("E0302", f"{message} {tensor.shape[1]}", argument="weight")
    call.require_equal(tensor.shape[1], wanted, error)
    _require_groups(call, tensor.shape[1], out)
    if call.has("bias"):
        require_same_dtype(call, tensor, call.tensor("bias"))
    require_bias(call, weight, out)
    return tensor.with_shape((tensor.shape[0], out, *_spatial(call, tensor, tuple(kernel))))


def require_kernel(call: Call, dims: int) -> tuple[TensorType, TensorType]:
    """The input and the weight of a convolution whose weight is an argument; E0301, E0306."""
    tensor, weight = call.tensor(), call.tensor("weight")
    require_batch(call, tensor, dims)
    require_same_dtype(call, tensor, weight)
    if len(weight.shape) != dims + 2:
        raise RuleError(
            "E0301",
            f"{call.name} takes a weight of {dims + 2} dimensions; got {weight}",
            argument="weight",
        )
    return tensor, weight


def _spatial(call: Call, tensor: TensorType, kernel: Shape) -> Shape:
    """The spatial sizes of the result; E0305, E0307."""
    dims = len(kernel)
    stride = as_sizes(call, "stride", dims)
    dilation = as_sizes(call, "dilation", dims)
    at_least(call, "stride", 1, stride)
    at_least(call, "dilation", 1, dilation)
    padding = _padding(call, stride, dims)
    if padding is None:
        # torch puts the odd one of an uneven padding at the end.
        sides = tuple(
            (gap * (width - 1) + 1) // 2 for width, gap in zip(kernel, dilation, strict=True)
        )
        _require_paddable(call, tensor, sides)
        return tensor.shape[2:]
    _require_paddable(call, tensor, padding)
    places = tuple(zip(tensor.shape[2:], kernel, stride, padding, dilation, strict=True))
    spatial = tuple(
        (size + 2 * pad - gap * (width - 1) - 1) // step + 1
        for size, width, step, pad, gap in places
    )
    room = ((size + 2 * pad, gap * (width - 1) + 1) for size, width, _, pad, gap in places)
    require_window(call, tensor, spatial, kernel, room)
    return spatial


def _require_groups(call: Call, into: Size, out: Size) -> None:
    groups = size_of(call, "groups")
    for name, channels in (("in_channels", into), ("out_channels", out)):
        require_divisible(
            call,
            channels,
            groups,
            f"{name} {channels} is not divisible by groups {groups}",
            argument="groups",
        )


def _padding(call: Call, stride: Shape, dims: int) -> Shape | None:
    """The padding of each dimension; none for ``"same"``, which keeps the sizes."""
    given = plain(call, "padding")
    if given == "valid":
        return (0,) * dims
    if given == "same":
        if any(known(call, step) != 1 for step in stride):
            raise RuleError(
                "E0307",
                f'padding="same" of {call.name} needs stride 1, and stride is '
                f"{plain(call, 'stride')}",
                help="write the padding as a number",
                argument="padding",
            )
        return None
    padding = as_sizes(call, "padding", dims)
    at_least(call, "padding", 0, padding)
    return padding


def _require_paddable(call: Call, tensor: TensorType, padding: Shape) -> None:
    """E0305 where ``reflect`` or ``circular`` would need more of the input than there is; E0307 for
    a padding in a tuple of one, which torch stretches for zeros alone."""
    mode = plain(call, "padding_mode") if "padding_mode" in call.args else "zeros"
    written = call.args["padding"]
    if mode != "zeros" and isinstance(written, tuple) and len(written) != len(padding):
        raise RuleError(
            "E0307",
            f'padding of {call.name} with padding_mode="{mode}" is a number or {len(padding)}',
            help=f"write padding={written[0]}",
            argument="padding",
        )
    for size, pad in zip(tensor.shape[2:], padding, strict=True):
        if mode in ("reflect", "circular"):
            error = RuleError(
                "E0305",
                f'padding {pad} of {call.name} with padding_mode="{mode}" needs a larger input '
                f"than {size} of {tensor}",
                argument="padding",
                by_torch=True,
            )
            call.require_at_least(size, pad + 1 if mode == "reflect" else pad, error)


def convolved_parameters(call: Call, *, dims: int) -> Tensors:
    """``weight [out, in // groups, *kernel]`` and ``bias [out]``."""
    out = size_of(call, "out_channels")
    into = size_of(call, "in_channels") // size_of(call, "groups")
    weight = ("weight", (out, into, *as_sizes(call, "kernel_size", dims)))
    return (weight, ("bias", (out,))) if plain(call, "bias") else (weight,)


def convolved_initial(call: Call, *, dims: int) -> Initial:
    """Uniform within ``1 / sqrt(fan_in)``, fan-in the size of one output's kernel."""
    into = size_of(call, "in_channels") // size_of(call, "groups")
    return _initial(call, into, dims)


def _initial(call: Call, channels: Size, dims: int) -> Initial:
    fan_in = channels * product(as_sizes(call, "kernel_size", dims))
    return uniform_within(call, fan_in, ("weight", "bias") if plain(call, "bias") else ("weight",))


# ── transposed ───────────────────────────────────────────────────────────────────────────────────


def transposed(call: Call, *, dims: int) -> TensorType:
    """``[N, in_channels, ...]`` to ``[N, out_channels, ...]``; sizes as ``transposed_sizes``."""
    tensor = call.tensor()
    require_batch(call, tensor, dims)
    positive(call, "out_channels", "groups")
    kernel = as_sizes(call, "kernel_size", dims)
    at_least(call, "kernel_size", 1, kernel)
    out = size_of(call, "out_channels")
    _require_groups(call, size_of(call, "in_channels"), out)
    return tensor.with_shape((tensor.shape[0], out, *transposed_sizes(call, tensor, kernel)))


def transposed_sizes(call: Call, tensor: TensorType, kernel: Shape) -> Shape:
    """``(H - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1`` of each size;
    E0305, E0307."""
    dims = len(kernel)
    stride = as_sizes(call, "stride", dims)
    dilation = as_sizes(call, "dilation", dims)
    padding = as_sizes(call, "padding", dims)
    extra = as_sizes(call, "output_padding", dims)
    at_least(call, "stride", 1, stride)
    at_least(call, "dilation", 1, dilation)
    at_least(call, "padding", 0, padding)
    at_least(call, "output_padding", 0, extra)
    for more, step, gap in zip(extra, stride, dilation, strict=True):
        values = [known(call, size) for size in (more, step, gap)]
        if None not in values and values[0] >= max(values[1], values[2]):  # type: ignore[operator, type-var]  # None is ruled out on this very line
            raise RuleError(
                "E0307",
                f"output_padding {values[0]} of {call.name} must be smaller than its stride "
                f"{values[1]} or its dilation {values[2]}",
                argument="output_padding",
            )
    spatial = tuple(
        (size - 1) * step - 2 * pad + gap * (width - 1) + more + 1
        for size, width, step, pad, gap, more in zip(
            tensor.shape[2:], kernel, stride, padding, dilation, extra, strict=True
        )
    )
    require_window(call, tensor, spatial, kernel)
    return spatial


def transposed_parameters(call: Call, *, dims: int) -> Tensors:
    """``weight [in, out // groups, *kernel]`` and ``bias [out]``."""
    out = size_of(call, "out_channels")
    columns = out // size_of(call, "groups")
    weight = (
        "weight",
        (size_of(call, "in_channels"), columns, *as_sizes(call, "kernel_size", dims)),
    )
    return (weight, ("bias", (out,))) if plain(call, "bias") else (weight,)


def transposed_initial(call: Call, *, dims: int) -> Initial:
    """torch takes the weight's dimension 1 for its fan-in: here ``out_channels // groups``."""
    return _initial(call, size_of(call, "out_channels") // size_of(call, "groups"), dims)
