"""Random rounding: a dispatch mode that moves every floating-point result by at most one unit.

Sees forward, backward and optimizer, in-place and foreach forms. What a kernel computes exactly (a copy,
a selection, a sign change, a maximum) is left alone: no honest machine rounds it. With ``regroup`` the
fused operations are taken apart and long sums are split at a random place, as compilers and other
kernels do, so that roundings hidden inside a kernel show as well. Non-goal: deciding what the spread
means (``floor``).

The mode also keeps a record of *decisions*: which way each rectifier, maximum, comparison and sign went.
A decision that differs between the reference and a run is a kink, where an honest error is not small.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_POOL = 1 << 17

# Results that are copies, selections or exact functions of their arguments.
_EXACT = frozenset(
    """
    clone copy_ _to_copy detach detach_ alias relu relu_ neg neg_ abs abs_ sign sgn max min amax amin maximum
    minimum clamp clamp_ clamp_min clamp_max cat stack index_select gather embedding select_scatter
    slice_scatter slice_backward select_backward constant_pad_nd max_pool2d_with_indices
    max_pool2d_with_indices_backward max_pool3d_with_indices threshold threshold_backward hardtanh
    hardtanh_backward where masked_fill masked_fill_ zeros_like ones_like full_like empty_like empty
    empty_strided zeros ones full new_zeros new_empty new_empty_strided new_ones new_full zero_ fill_ arange
    scalar_tensor lift_fresh lift_fresh_copy set_ resize_ resize_as_ flip roll repeat index
    topk sort round floor ceil trunc _foreach_neg _foreach_neg_ _foreach_copy_ _foreach_zero_
    _foreach_maximum_ _foreach_abs _foreach_sign triu tril upsample_nearest2d unfold_backward one_hot
    _reshape_copy view_copy permute_copy reflection_pad2d replication_pad2d pixel_shuffle
    """.split()
)

# Operations whose outcome jumps; what is recorded of each is which way it went.
_DECISIONS: Mapping[str, Callable[[Any], Tensor]] = {
    "relu": lambda out: out > 0,
    "relu_": lambda out: out > 0,
    "threshold": lambda out: out > 0,
    "leaky_relu": lambda out: out > 0,
    "hardtanh": lambda out: torch.frac(out).ne(0),
    "max_pool2d_with_indices": lambda out: out[1],
    "max_pool3d_with_indices": lambda out: out[1],
    "sign": lambda out: out,
    "sgn": lambda out: out,
    "argmax": lambda out: out,
    "argmin": lambda out: out,
    "topk": lambda out: out[1],
    "sort": lambda out: out[1],
}
_COMPARISONS = frozenset({"gt", "ge", "lt", "le", "eq", "ne"})

_FUSED = (
    "native_batch_norm",
    "native_batch_norm_backward",
    "native_layer_norm",
    "native_layer_norm_backward",
    "native_group_norm",
    "native_group_norm_backward",
    "_softmax",
    "_softmax_backward_data",
    "_log_softmax",
    "_log_softmax_backward_data",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "huber_loss",
    "smooth_l1_loss",
    "gelu",
    "gelu_backward",
    "silu",
    "addcmul",
    "addcdiv",
    "linalg_vector_norm",
)


class Decisions(TorchDispatchMode):
    """Records which way each jump went; ``log`` holds one tensor a jump, in the order of the run.

    ``other`` is the log of another run of the same operations: where the two differ, the jump is made
    to go the other way. What that changes is exactly what the kink can do to an honest run.
    """

    def __init__(self, other: Sequence[Tensor] = ()) -> None:
        super().__init__()
        self.log: list[Tensor] = []
        self._other = other

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        taken = self.note(name, args, result)
        if taken is not None and len(self.log) <= len(self._other):
            wanted = self._other[len(self.log) - 1]
            if wanted.shape == taken.shape and not torch.equal(wanted, taken):
                _turn(name, args, result, taken, wanted)
        return result

    def note(self, name: str, args: tuple[Any, ...], result: Any) -> Tensor | None:
        """Record and return the outcome of the operation if it is a decision on floating-point numbers."""
        if not args or not isinstance(args[0], Tensor) or not args[0].is_floating_point():
            return None
        if name in _COMPARISONS:
            taken = result.clone()
        elif name in ("clamp", "clamp_min", "clamp_max"):
            taken = result.eq(args[0])
        elif name in _DECISIONS:
            taken = _DECISIONS[name](result).clone()
        else:
            return None
        self.log.append(taken)
        return taken


def _turn(name: str, args: tuple[Any, ...], result: Any, taken: Tensor, wanted: Tensor) -> None:
    """Let ``result`` go the way of ``wanted``. Jumps that backward reads from the input stay as they are."""
    turned = taken != wanted
    if name in ("relu", "relu_"):
        # What is left of zero for a value that could be on either side of it.
        tiny = torch.full_like(result, torch.finfo(result.dtype).tiny)
        result.copy_(torch.where(turned, torch.where(wanted, tiny, 0.0), result))
    elif name in ("max_pool2d_with_indices", "max_pool3d_with_indices"):
        spatial = result[1].dim() - 2 if result[1].dim() > 3 else result[1].dim() - 1
        flat = args[0].flatten(-spatial)
        picked = flat.gather(-1, wanted.flatten(-spatial)).view_as(result[0])
        result[0].copy_(picked)
        result[1].copy_(wanted)
    elif name in _COMPARISONS or name in ("sign", "sgn", "argmax", "argmin"):
        result.copy_(wanted)


class RandomRounding(Decisions):
    """Move each result of ``dtype`` by up to ``scale`` units, at random from ``seed``.

    A negative ``scale`` gives the mirror image: every move the other way.

    ``regroup`` takes fused operations apart and splits sums; the decisions are then not recorded,
    because the operations are others.
    """

    def __init__(
        self,
        seed: int,
        dtype: torch.dtype,
        *,
        scale: float = 1.0,
        regroup: bool = False,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        unit = torch.finfo(dtype).eps * scale
        wide = torch.rand(_POOL, generator=generator, dtype=torch.float64)
        self._pool = (1.0 + unit * (2.0 * wide - 1.0)).to(dtype)
        self._random = random.Random(seed)
        self._dtype = dtype
        self._regroup = regroup

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if self._regroup:
            taken_apart = _parts().get(func)
            if taken_apart is not None:
                with self:
                    return taken_apart(*args, **kwargs)
            regrouped = _REGROUPED.get(func._schema.name.removeprefix("aten::"))
            if regrouped is not None:
                result = regrouped(self._random, func, args, kwargs)
                if result is not None:
                    self._move_all(result)
                    return result
        result = func(*args, **kwargs)
        if not self._regroup:
            self.note(func._schema.name.removeprefix("aten::"), args, result)
        kind = _kind(func)
        if kind == "fresh":
            self._move_all(result)
        elif kind == "written":
            for argument in _written(func, args, kwargs):
                self._move_all(argument)
        return result

    def _move_all(self, result: Any) -> None:
        if isinstance(result, Tensor):
            self._move(result)
        elif isinstance(result, (tuple, list)):
            for item in result:
                self._move_all(item)

    def _move(self, tensor: Tensor) -> None:
        count = tensor.numel()
        if tensor.dtype != self._dtype or count == 0:
            return
        if tensor.dim() == 0 and float(tensor).is_integer():
            return  # a counter such as Adam's step: an integer is exact on every machine
        if count <= _POOL // 2:
            start = self._random.randrange(_POOL - count)
            factor = self._pool[start : start + count]
        else:
            repeats = -(-count // _POOL)
            shift = self._random.randrange(_POOL)
            factor = self._pool.roll(shift).repeat(repeats)[:count]
        tensor.mul_(factor.view(tensor.shape))


_KINDS: dict[Any, str] = {}


def _kind(func: Any) -> str:
    """``exact``, ``written`` (in place or out=) or ``fresh`` for an operation, from its schema."""
    found = _KINDS.get(func)
    if found is None:
        schema = func._schema
        name = schema.name.removeprefix("aten::")
        if name in _EXACT or not schema.name.startswith("aten::"):
            found = "exact"
        elif any(a.alias_info is not None and a.alias_info.is_write for a in schema.arguments):
            found = "written"
        elif any(r.alias_info is not None for r in schema.returns):
            found = "exact"  # a view of its argument
        else:
            found = "fresh"
        _KINDS[func] = found
    return found


def _written(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    found = []
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            if argument.name in kwargs:
                found.append(kwargs[argument.name])
            elif position < len(args):
                found.append(args[position])
    return found


_PARTS: dict[Any, Callable[..., Any]] = {}


def _parts() -> Mapping[Any, Callable[..., Any]]:
    """Fused operation -> the same in single steps, from torch's own decompositions."""
    if not _PARTS:
        from torch._decomp import get_decompositions

        wanted = [getattr(torch.ops.aten, name) for name in _FUSED]
        _PARTS.update(get_decompositions(wanted))
    return _PARTS


def _split(source: random.Random, count: int) -> int:
    return source.randrange(1, count)


def _regrouped_mm(
    source: random.Random, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``mm``/``bmm``: the inner sum in two parts."""
    left, right = args[0], args[1]
    inner = left.shape[-1]
    if inner < 2 or kwargs:
        return None
    at = _split(source, inner)
    first = func(left[..., :at], right[..., :at, :])
    return first.add_(func(left[..., at:], right[..., at:, :]))


def _regrouped_addmm(
    source: random.Random, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``addmm``: the inner sum in two parts, the bias last."""
    bias, left, right = args[:3]
    inner = left.shape[-1]
    if inner < 2 or kwargs or len(args) > 3:
        return None
    at = _split(source, inner)
    first = torch.mm(left[:, :at], right[:at])
    return first.add_(torch.mm(left[:, at:], right[at:])).add_(bias)


def _regrouped_convolution(
    source: random.Random, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``convolution``: the sum over input channels in two parts, the bias last."""
    value, weight, bias = args[:3]
    transposed, groups = args[6], args[8]
    channels = weight.shape[1]
    if transposed or groups != 1 or channels < 2 or kwargs:
        return None
    at = _split(source, channels)
    rest = args[3:]
    first = func(value[:, :at], weight[:, :at], None, *rest)
    total = first.add_(func(value[:, at:], weight[:, at:], None, *rest))
    return total if bias is None else total.add_(bias.view(-1, *[1] * (total.dim() - 2)))


def _regrouped_sum(
    source: random.Random, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``sum``/``mean``: as if added up one by one."""
    value = args[0]
    if kwargs or not value.is_floating_point() or value.dim() == 0:
        return None
    dims = args[1] if len(args) > 1 and args[1] else list(range(value.dim()))
    keep = bool(args[2]) if len(args) > 2 else False
    total = func(*args)
    count = value.numel() // max(total.numel(), 1)
    if count < 2:
        return None
    noise = _one_by_one(source, value, list(dims), keep)
    return total.add_(noise / count if func._schema.name == "aten::mean" else noise)


def _regrouped_variance(
    source: random.Random, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``var_mean``: both sums as if added up one by one."""
    value = args[0]
    variance, mean = func(*args, **kwargs)
    dims = list(args[1]) if len(args) > 1 and args[1] else list(range(value.dim()))
    keep = bool(kwargs.get("keepdim", False))
    count = value.numel() // max(mean.numel(), 1)
    if count < 2:
        return variance, mean
    centred = value - value.mean(dims, True)
    mean.add_(_one_by_one(source, value, dims, keep) / count)
    variance.add_(_one_by_one(source, centred.square_(), dims, keep) / count)
    return variance, mean


def _one_by_one(source: random.Random, value: Tensor, dims: list[int], keep: bool) -> Tensor:
    """The rounding noise of adding ``value`` up over ``dims`` element after element, as inductor does.

    Each addition rounds its partial sum, by a quarter of epsilon in root-mean-square; the errors of the
    additions are independent, so they add up in squares: (eps / 4) * sqrt(sum of squared partial sums).
    """
    dims = [dim % value.dim() for dim in dims]
    kept = [dim for dim in range(value.dim()) if dim not in dims]
    rows = value.permute(*kept, *dims).reshape(*[value.shape[dim] for dim in kept], -1)
    spread = rows.cumsum(-1).square_().sum(-1).sqrt_()
    generator = torch.Generator().manual_seed(source.getrandbits(40))
    noise = torch.randn(spread.shape, generator=generator, dtype=value.dtype)
    noise.mul_(spread).mul_(torch.finfo(value.dtype).eps / 4)
    if keep:
        noise = noise.view([1 if d in dims else value.shape[d] for d in range(value.dim())])
    return noise


def _regrouped_convolution_backward(
    source: random.Random, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``convolution_backward``: the weight's sum over the batch in two parts, the bias's one by one."""
    gradient, value, weight = args[:3]
    middle, mask = args[3:10], args[10]
    if kwargs:
        return None
    whole = func(gradient, value, weight, *middle, [mask[0], False, False])[0]
    of_weight, of_bias = None, None
    if mask[1]:
        count = gradient.shape[0]
        only = [False, True, False]
        if count < 2:
            of_weight = func(gradient, value, weight, *middle, only)[1]
        else:
            at = _split(source, count)
            of_weight = func(gradient[:at], value[:at], weight, *middle, only)[1]
            of_weight.add_(func(gradient[at:], value[at:], weight, *middle, only)[1])
    if mask[2]:
        dims = [dim for dim in range(gradient.dim()) if dim != 1]
        of_bias = gradient.sum(dims).add_(_one_by_one(source, gradient, dims, False))
    return whole, of_weight, of_bias


_REGROUPED: Mapping[str, Callable[..., Any]] = {
    "mm": _regrouped_mm,
    "bmm": _regrouped_mm,
    "addmm": _regrouped_addmm,
    "convolution": _regrouped_convolution,
    "convolution_backward": _regrouped_convolution_backward,
    "sum": _regrouped_sum,
    "mean": _regrouped_sum,
    "var_mean": _regrouped_variance,
}


def differing_decisions(left: Sequence[Tensor], right: Sequence[Tensor]) -> int:
    """How many elements were decided differently; a different number of decisions counts as one each."""
    total = abs(len(left) - len(right))
    for one, other in zip(left, right, strict=False):
        total += int((one != other).sum()) if one.shape == other.shape else 1
    return total
