"""Shape rules of the functional forms of layers: their weights and statistics are arguments.

Each demands what the layer of the same name demands of its input, and of the weights what that
layer would make. Non-goals: functions without weights, whose rules the layers share; values.
"""

from __future__ import annotations

from collections.abc import Iterable

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    as_size,
    as_sizes,
    at_least,
    axis,
    bracketed,
    known,
    number,
    plain,
    product,
    require_divisible,
    require_floating,
    require_kind,
    require_same_dtype,
)
from specc.catalog.shapes.of_functions.elementwise import dropped, mapped
from specc.catalog.shapes.of_layers.convolution import (
    require_batch,
    require_kernel,
    transposed_sizes,
)
from specc.catalog.shapes.of_layers.linear import require_bag_gradient, require_entries, size_of
from specc.ir import TensorType
from specc.sizes import Size


def require_vector(call: Call, name: str, size: Size, of: TensorType) -> None:
    """E0302 unless the tensor ``name``, where it is given, is ``[size]`` of the dtype of ``of``;
    E0306."""
    if not call.has(name):
        return
    given = call.tensor(name)
    error = RuleError(
        "E0302", f"{name} of {call.name} is [{size}] for {of}; got {given}", argument=name
    )
    if len(given.shape) != 1:
        raise error
    call.require_equal(given.shape[0], size, error)
    require_same_dtype(call, of, given)


# ── activations ──────────────────────────────────────────────────────────────────────────────────


def sloped(call: Call) -> TensorType:
    """``prelu(input, weight)``: one slope, or one for each place of dimension 1; E0302, E0306."""
    tensor, weight = call.tensor(), call.tensor("weight")
    require_floating(call, tensor)
    require_same_dtype(call, tensor, weight)
    if weight.shape not in ((), (1,)):
        channels: Size = tensor.shape[1] if len(tensor.shape) > 1 else 1
        error = RuleError(
            "E0302",
            f"prelu takes one slope or [{channels}] for {tensor}; got {weight}",
            argument="weight",
        )
        if len(weight.shape) != 1:
            raise error
        if known(call, weight.shape[0]) != 1:
            call.require_equal(weight.shape[0], channels, error)
    return tensor.with_shape(tensor.shape)


def cut(call: Call) -> TensorType:
    """``threshold(input, threshold, value)``: shape and dtype kept; E0306."""
    return mapped(call, takes="if")


def gumbel(call: Call) -> TensorType:
    """``gumbel_softmax(logits, tau, hard, dim)``: a float in [0, 1]; E0304, E0306, E0307."""
    tensor = call.tensor("logits")
    require_floating(call, tensor)
    axis(call, len(tensor.shape))
    if number(call, "tau") <= 0:
        raise RuleError("E0307", "tau of gumbel_softmax must be above 0", argument="tau")
    return TensorType(tensor.dtype, tensor.shape, "unit")


def dropped_channels(call: Call, *, dims: int) -> TensorType:
    """``dropout2d``: whole channels of a batch of images; E0301, E0306, E0307."""
    require_batch(call, call.tensor(), dims)
    return dropped(call)


# ── dense ────────────────────────────────────────────────────────────────────────────────────────


def bilinear(call: Call) -> TensorType:
    """``[..., in1]``, ``[..., in2]``, a weight of ``[out, in1, in2]`` to ``[..., out]``; E0301,
    E0302, E0306."""
    left, right, weight = (call.tensor(name) for name in ("input1", "input2", "weight"))
    require_floating(call, left)
    for other in (right, weight):
        require_same_dtype(call, left, other)
    if len(weight.shape) != 3:
        raise RuleError(
            "E0301", f"bilinear takes a weight of [out, in1, in2]; got {weight}", argument="weight"
        )
    if not left.shape or len(left.shape) != len(right.shape):
        raise RuleError("E0301", f"bilinear takes two values of one rank; got {left} and {right}")
    for one, other_size in zip(left.shape[:-1], right.shape[:-1], strict=True):
        message = f"bilinear: {left} and {right} differ in {one} and {other_size}"
        call.require_equal(one, other_size, RuleError("E0302", message))
    out, first, second = weight.shape
    for tensor, size in ((left, first), (right, second)):
        message = f"bilinear: {weight} takes {size} features, and {tensor} has {tensor.shape[-1]}"
        error = RuleError("E0302", message, argument="weight")
        call.require_equal(tensor.shape[-1], size, error)
    require_vector(call, "bias", out, left)
    return left.with_shape((*left.shape[:-1], out))


def embedding_bag(call: Call) -> TensorType:
    """``embedding_bag(input [N, T], weight [K, D])`` to ``[N, D]``; E0301, E0306, E0307, E0309."""
    tensor, weight = call.tensor(), call.tensor("weight")
    require_kind(call, tensor, "i")
    require_floating(call, weight)
    if tensor.dtype not in ("int64", "int32"):
        raise RuleError("E0306", f"embedding_bag takes int64 or int32 indices; got {tensor}")
    if len(tensor.shape) != 2 or len(weight.shape) != 2:
        raise RuleError(
            "E0301",
            f"embedding_bag takes bags [N, T] and a table [K, D]; got {tensor} and {weight}",
        )
    require_entries(call, tensor, weight)
    require_bag_gradient(call)
    return weight.with_shape((tensor.shape[0], weight.shape[1]))


# ── transposed convolutions ──────────────────────────────────────────────────────────────────────


def transposed(call: Call, *, dims: int) -> TensorType:
    """``conv_transpose2d(input, weight [in, out // groups, *kernel], bias [out])``: as the layer.

    E0301, E0302, E0303, E0305, E0306, E0307."""
    tensor, weight = require_kernel(call, dims)
    into, columns, *kernel = weight.shape
    groups = size_of(call, "groups")
    message = f"in_channels {into} is not divisible by groups {groups}"
    require_divisible(call, into, groups, message, argument="groups")
    message = f"{call.name}: {weight} takes {into} channels, and {tensor} has {tensor.shape[1]}"
    call.require_equal(tensor.shape[1], into, RuleError("E0302", message, argument="weight"))
    out = columns * groups
    require_vector(call, "bias", out, tensor)
    spatial = transposed_sizes(call, tensor, tuple(kernel))
    return tensor.with_shape((tensor.shape[0], out, *spatial))


# ── normalization ────────────────────────────────────────────────────────────────────────────────


def _channels(call: Call, takes: str, least: int) -> tuple[TensorType, Size]:
    tensor = call.tensor()
    if len(tensor.shape) < least:
        raise RuleError("E0301", f"{call.name} takes {takes}; got {tensor}")
    require_floating(call, tensor)
    return tensor, tensor.shape[1]


def _positive_eps(call: Call) -> None:
    eps = number(call, "eps")
    if eps <= 0:
        raise RuleError(
            "E0307", f"eps of {call.name} must be above 0, and is {eps:g}", argument="eps"
        )


def _vectors(call: Call, names: Iterable[str], size: Size, tensor: TensorType) -> None:
    for name in names:
        require_vector(call, name, size, tensor)


def batch_norm(call: Call) -> TensorType:
    """``batch_norm(input, running_mean, running_var, weight, bias)``: each ``[C]``, shape kept.

    E0301, E0302, E0306, and E0307 unless there is one source of statistics."""
    tensor, channels = _channels(call, "[N, C, ...]", 2)
    _positive_eps(call)
    _vectors(call, ("running_mean", "running_var", "weight", "bias"), channels, tensor)
    if not _own_statistics(call, "training"):
        return tensor.with_shape(tensor.shape)
    message = f"batch_norm over {tensor} has a single value a channel"
    error = RuleError("E0302", message, by_torch=True)
    call.require_at_least(product(tensor.shape) // channels, 2, error)
    return tensor.with_shape(tensor.shape)


def _own_statistics(call: Call, switch: str) -> bool:
    """Whether the input's own statistics are taken; E0307 for none, for half of those given, and
    for both kinds: torch would then change those given, and a value never changes."""
    given = [call.has(name) for name in ("running_mean", "running_var")]
    own = bool(plain(call, switch))
    if any(given) and not all(given):
        raise RuleError(
            "E0307", f"{call.name} takes running_mean and running_var, both or none of them"
        )
    if own == all(given):
        raise RuleError(
            "E0307",
            f"{call.name} takes running_mean and running_var, or {switch}=true, one of them",
            help="a layer keeps statistics of its own: BatchNorm2d, InstanceNorm2d",
            argument=switch,
        )
    return own


def instance_norm(call: Call) -> TensorType:
    """``instance_norm(input, ..., weight, bias)``: ``[C]`` each, shape kept; as ``batch_norm``."""
    tensor, channels = _channels(call, "[N, C, ...] of at least 3 dimensions", 3)
    _positive_eps(call)
    _vectors(call, ("running_mean", "running_var", "weight", "bias"), channels, tensor)
    if not _own_statistics(call, "use_input_stats"):
        return tensor.with_shape(tensor.shape)
    error = RuleError(
        "E0302",
        f"instance_norm normalizes over the places of a channel, and {tensor} has a single one",
        by_torch=True,
    )
    call.require_at_least(product(tensor.shape[2:]), 2, error)
    return tensor.with_shape(tensor.shape)


def group_norm(call: Call) -> TensorType:
    """``group_norm(input, num_groups, weight, bias)``: ``[C]`` each, shape kept; E0301, E0303."""
    tensor, channels = _channels(call, "[N, C, ...]", 2)
    _positive_eps(call)
    groups = as_size(call, "num_groups", call.args["num_groups"])
    message = f"channels {channels} is not divisible by groups {groups}"
    require_divisible(call, channels, groups, message, argument="num_groups")
    if call.has("bias") and not call.has("weight"):
        raise RuleError("E0307", "torch's group_norm takes a bias with a weight", argument="bias")
    _vectors(call, ("weight", "bias"), channels, tensor)
    message = f"group_norm over {tensor} has a single value in each group"
    error = RuleError("E0302", message, by_torch=True)
    call.require_at_least(product(tensor.shape) // groups, 2, error)
    return tensor.with_shape(tensor.shape)


# ── sampling ─────────────────────────────────────────────────────────────────────────────────────


def _require_aligned(call: Call) -> None:
    if plain(call, "align_corners") is None:
        raise RuleError(
            "E0307",
            f"{call.name} needs its align_corners: torch changed what it does without",
            help="write align_corners=false: -1 and 1 are the outer edges of the corner pixels",
            argument="align_corners",
        )


def affine_grid(call: Call) -> TensorType:
    """``affine_grid(theta [N, 2, 3], size (N, C, H, W))`` to ``[N, H, W, 2]``, or in three
    dimensions; E0301, E0302, E0306, E0307."""
    theta = call.tensor("theta")
    require_floating(call, theta)
    _require_aligned(call)
    sizes = as_sizes(call, "size")
    dims = len(sizes) - 2
    if dims not in (2, 3):
        raise RuleError(
            "E0307",
            f"size of affine_grid is (N, C, H, W) or (N, C, D, H, W); got {bracketed(sizes)}",
            argument="size",
        )
    at_least(call, "size", 1, sizes)
    error = RuleError(
        "E0301",
        f"affine_grid takes theta of [N, {dims}, {dims + 1}] for {bracketed(sizes)}; got {theta}",
        argument="theta",
    )
    if len(theta.shape) != 3:
        raise error
    batch, rows, columns = theta.shape
    call.require_equal(rows, dims, error)
    call.require_equal(columns, dims + 1, error)
    message = f"affine_grid: {theta} is for {batch} images, and size names {sizes[0]}"
    call.require_equal(batch, sizes[0], RuleError("E0302", message, argument="size"))
    return theta.with_shape((batch, *sizes[2:], dims))


def grid_sample(call: Call) -> TensorType:
    """``[N, C, H, W]`` at the places ``[N, Ho, Wo, 2]`` to ``[N, C, Ho, Wo]``, or in three
    dimensions; E0301, E0302, E0306, E0307."""
    tensor, grid = call.tensor(), call.tensor("grid")
    require_floating(call, tensor)
    require_same_dtype(call, tensor, grid)
    _require_aligned(call)
    dims = len(tensor.shape) - 2
    if dims not in (2, 3):
        raise RuleError("E0301", f"grid_sample takes [N, C, H, W] or [N, C, D, H, W]; got {tensor}")
    error = RuleError(
        "E0302",
        f"grid_sample takes a grid of [{tensor.shape[0]}, ..., {dims}] for {tensor}; got {grid}",
        argument="grid",
    )
    if len(grid.shape) != dims + 2:
        raise error
    call.require_equal(grid.shape[0], tensor.shape[0], error)
    call.require_equal(grid.shape[-1], dims, error)
    if plain(call, "mode") == "bicubic" and dims == 3:
        raise RuleError("E0307", "bicubic grid_sample is of images alone", argument="mode")
    return tensor.with_shape((*tensor.shape[:2], *grid.shape[1:-1]))


def condensed_distances(call: Call) -> TensorType:
    """``pdist(input [N, D])`` to ``[N (N - 1) / 2]``; E0301, E0306, E0307."""
    tensor = call.tensor()
    require_floating(call, tensor)
    if len(tensor.shape) != 2:
        raise RuleError("E0301", f"pdist takes [N, D]; got {tensor}")
    if number(call, "p") < 0:
        raise RuleError("E0307", "p of pdist must be at least 0", argument="p")
    count = tensor.shape[0]
    return tensor.with_shape((count * (count - 1) // 2,))
