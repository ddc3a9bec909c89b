"""Shape rules of normalization layers: their values keep their shape, their weights follow it.

An ``eps`` is above 0 where torch asks for it; no other range of values is judged here.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    as_sizes,
    axis,
    bracketed,
    broadcast,
    dimensions,
    number,
    plain,
    positive,
    product,
    require_divisible,
    require_floating,
    require_rank,
    require_same_dtype,
    told,
)
from specc.catalog.shapes.of_layers.linear import Initial, Tensors, require_weighable, size_of
from specc.ir import Distribution, TensorType
from specc.sizes import Size

_TAKES = {1: "[N, C] or [N, C, L]", 2: "[N, C, H, W]", 3: "[N, C, D, H, W]"}


def _affine(names: tuple[str, ...]) -> Initial:
    values = {"weight": 1.0, "bias": 0.0}
    return tuple((name, Distribution("constant", values[name])) for name in names)


# ── BatchNorm, InstanceNorm ──────────────────────────────────────────────────────────────────────


def _require_batch_norm(call: Call, dims: int) -> TensorType:
    tensor = call.tensor()
    ranks = (2, 3) if dims == 1 else (dims + 2,)
    siblings = {2: 1, 3: 1, 4: 2, 5: 3}
    fitting = siblings.get(len(tensor.shape))
    advice = f"write {call.name[:-2]}{fitting}d" if fitting and fitting != dims else None
    require_rank(call, tensor, ranks, _TAKES[dims], advice)
    _require_normal(call, tensor)
    return tensor


def _require_normal(call: Call, tensor: TensorType) -> None:
    """E0306 for a value that has no mean, or not the precision of the weights and statistics that
    there are."""
    switches = ("affine", "track_running_stats", "elementwise_affine")
    if any(plain(call, name) for name in switches):
        require_weighable(call, tensor)
    else:
        require_floating(call, tensor)


def batch_norm_features(call: Call, *, dims: int) -> Size:
    """Dimension 1 of the input."""
    tensor = _require_batch_norm(call, dims)
    return told(call, "num_features", tensor.shape[1], tensor)


def any_batch_norm_features(call: Call) -> Size:
    """Dimension 1 of the input of ``SyncBatchNorm``, which takes every rank from 2 on; E0301."""
    tensor = call.tensor()
    if len(tensor.shape) < 2:
        raise RuleError("E0301", f"{call.name} takes [N, C, ...]; got {tensor}")
    _require_normal(call, tensor)
    return told(call, "num_features", tensor.shape[1], tensor)


def any_batch_norm(call: Call) -> TensorType:
    """``[N, C, ...]`` kept; E0301, E0306."""
    _positive_eps(call)
    any_batch_norm_features(call)
    tensor = call.tensor()
    return tensor.with_shape(tensor.shape)


def _positive_eps(call: Call) -> None:
    eps = number(call, "eps")
    if eps <= 0:
        raise RuleError(
            "E0307", f"eps of {call.name} must be above 0, and is {eps:g}", argument="eps"
        )


def batch_norm(call: Call, *, dims: int) -> TensorType:
    """Shape kept; E0301 for another rank than the layer's own."""
    _positive_eps(call)
    tensor = _require_batch_norm(call, dims)
    if plain(call, "track_running_stats") is False:
        error = RuleError(
            "E0305", f"{call.name} over {tensor} has a single value in each channel, and no other"
        )
        call.require_at_least(product((tensor.shape[0], *tensor.shape[2:])), 2, error)
    return tensor.with_shape(tensor.shape)


def instance_norm_features(call: Call, *, dims: int) -> Size:
    """Dimension 1 of the input."""
    tensor = call.tensor()
    _require_instance(call, tensor, dims)
    return told(call, "num_features", tensor.shape[1], tensor)


def _require_instance(call: Call, tensor: TensorType, dims: int) -> None:
    takes = _TAKES[dims] if dims > 1 else "[N, C, L]"
    require_rank(call, tensor, (dims + 2,), takes)
    _require_normal(call, tensor)


def instance_norm(call: Call, *, dims: int) -> TensorType:
    """Shape kept; E0302 where an instance has a single element a channel, whose variance is 0."""
    _positive_eps(call)
    tensor = call.tensor()
    _require_instance(call, tensor, dims)
    error = RuleError(
        "E0302",
        f"{call.name} normalizes over the places of a channel, and {tensor} has a single one",
        help="put it before the pooling that leaves one place, or use LayerNorm",
        by_torch=True,
    )
    call.require_at_least(product(tensor.shape[2:]), 2, error)
    return tensor.with_shape(tensor.shape)


def batch_norm_parameters(call: Call) -> Tensors:
    """``weight [C]`` and ``bias [C]`` where ``affine``."""
    if not plain(call, "affine"):
        return ()
    features = size_of(call, "num_features")
    return (("weight", (features,)), ("bias", (features,)))


def batch_norm_buffers(call: Call) -> Tensors:
    """``running_mean [C]``, ``running_var [C]``, ``num_batches_tracked []`` where tracked."""
    if not plain(call, "track_running_stats"):
        return ()
    features = size_of(call, "num_features")
    return (
        ("running_mean", (features,)),
        ("running_var", (features,)),
        ("num_batches_tracked", ()),
    )


def affine_initial(call: Call) -> Initial:
    """Ones and zeros, where there are weights."""
    return _affine(("weight", "bias")) if plain(call, "affine") else ()


# ── GroupNorm, LocalResponseNorm ─────────────────────────────────────────────────────────────────


def group_norm_channels(call: Call) -> Size:
    """Dimension 1 of the input; E0301 where there is none."""
    tensor = call.tensor()
    if len(tensor.shape) < 2:
        raise RuleError("E0301", f"GroupNorm takes [N, C, ...]; got {tensor}")
    _require_normal(call, tensor)
    return told(call, "num_channels", tensor.shape[1], tensor)


def group_norm(call: Call) -> TensorType:
    """Shape kept; E0303 unless the channels divide into groups."""
    tensor = call.tensor()
    _require_normal(call, tensor)
    channels, groups = size_of(call, "num_channels"), size_of(call, "num_groups")
    require_divisible(
        call,
        channels,
        groups,
        f"channels {channels} is not divisible by groups {groups}",
        argument="num_groups",
    )
    message = f"GroupNorm over {tensor} has a single value in each group"
    error = RuleError("E0302", message, by_torch=True)
    call.require_at_least(product(tensor.shape) // groups, 2, error)
    return tensor.with_shape(tensor.shape)


def group_norm_parameters(call: Call) -> Tensors:
    """``weight [C]`` and ``bias [C]`` where ``affine``."""
    if not plain(call, "affine"):
        return ()
    channels = size_of(call, "num_channels")
    return (("weight", (channels,)), ("bias", (channels,)))


def local_response_norm(call: Call) -> TensorType:
    """Shape kept; E0301 under three dimensions."""
    tensor = call.tensor()
    if len(tensor.shape) < 3:
        raise RuleError(
            "E0301",
            f"LocalResponseNorm takes [N, C, ...] of at least 3 dimensions; got {tensor}",
        )
    require_floating(call, tensor)
    positive(call, "size")
    return tensor.with_shape(tensor.shape)


# ── LayerNorm, RMSNorm ───────────────────────────────────────────────────────────────────────────


def normalized_shape(call: Call) -> Size | tuple[Size, ...]:
    """The last size of the input, or the trailing sizes as written; E0301, E0302, E0308."""
    tensor = call.tensor()
    _require_normal(call, tensor)
    if not tensor.shape:
        raise RuleError("E0301", f"{call.name} takes at least 1 dimension; got {tensor}")
    if call.args.get("normalized_shape") is None:
        return told(call, "normalized_shape", tensor.shape[-1], tensor)
    written = as_sizes(call, "normalized_shape")
    if not 1 <= len(written) <= len(tensor.shape):
        raise RuleError(
            "E0301",
            f"{call.name} normalizes over {dimensions(len(written))}, and {tensor} has "
            f"{len(tensor.shape)}",
            argument="normalized_shape",
        )
    for one, other in zip(written, tensor.shape[-len(written) :], strict=True):
        call.require_equal(
            one,
            other,
            RuleError(
                "E0302",
                f"{call.name} normalizes over {bracketed(written)}, and {tensor} ends in {other} "
                f"where {one} is asked",
                help=f"leave it out, or write {call.name}({tensor.shape[-1]})",
                argument="normalized_shape",
            ),
        )
    return written if isinstance(call.args["normalized_shape"], tuple) else written[0]


def _normalized(call: Call) -> Shape:
    return as_sizes(call, "normalized_shape")


def layer_norm(call: Call) -> TensorType:
    """Shape kept."""
    tensor = call.tensor()
    _require_normal(call, tensor)
    return tensor.with_shape(tensor.shape)


def layer_norm_parameters(call: Call) -> Tensors:
    """``weight`` and ``bias`` of the normalized shape; RMSNorm has no bias."""
    return tuple((name, _normalized(call)) for name in _layer_norm_names(call))


def layer_norm_initial(call: Call) -> Initial:
    """Ones and zeros."""
    return _affine(_layer_norm_names(call))


def _layer_norm_names(call: Call) -> tuple[str, ...]:
    if not plain(call, "elementwise_affine"):
        return ()
    biased = "bias" in call.args and bool(plain(call, "bias"))
    return ("weight", "bias") if biased else ("weight",)


# ── functions ────────────────────────────────────────────────────────────────────────────────────


def layer_norm_function(call: Call) -> TensorType:
    """``F.layer_norm(input, normalized_shape, weight, bias)``: all of the trailing shape; E0302."""
    tensor = call.tensor()
    normalized_shape(call)
    wanted = as_sizes(call, "normalized_shape")
    for name in ("weight", "bias"):
        if not call.has(name):
            continue
        given = call.tensor(name)
        message = f"{name} of {call.name} is {bracketed(wanted)}; got {given}"
        error = RuleError("E0302", message, argument=name)
        if len(given.shape) != len(wanted):
            raise error
        for size, other in zip(given.shape, wanted, strict=True):
            call.require_equal(size, other, error)
        require_same_dtype(call, tensor, given)
    return tensor.with_shape(tensor.shape)


def cosine_similarity(call: Call) -> TensorType:
    """``[..., D, ...]`` twice to one number along ``dim``; E0302 where the shapes clash."""
    left, right = call.tensor("x1"), call.tensor("x2")
    require_floating(call, left)
    require_same_dtype(call, left, right)
    shape = broadcast(call.require_equal, left.shape, right.shape, call.value)
    place = axis(call, len(shape))
    return TensorType(left.dtype, (*shape[:place], *shape[place + 1 :]))


def pairwise_distance(call: Call) -> TensorType:
    """``[..., D]`` twice to ``[...]``, or ``[..., 1]`` with ``keepdim``; E0302, E0306."""
    left, right = call.tensor("x1"), call.tensor("x2")
    require_floating(call, left)
    require_same_dtype(call, left, right)
    shape = broadcast(call.require_equal, left.shape, right.shape, call.value)
    if not shape:  # a distance of two numbers
        return TensorType(left.dtype, ())
    return TensorType(left.dtype, (*shape[:-1], 1) if plain(call, "keepdim") else shape[:-1])
