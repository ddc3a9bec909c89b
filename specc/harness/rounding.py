"""Random rounding: a dispatch mode that moves every floating-point result by at most one unit.

Sees forward, backward and optimizer, in-place and foreach forms. What a kernel computes exactly (a
copy, a selection, a sign change, a maximum) is left alone: no honest machine rounds it. With
``regroup`` the fused operations are taken apart and long sums are split at a random place, as
compilers and other kernels do, so that roundings hidden inside a kernel show as well. Non-goal:
deciding what the spread means (``floor``).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from specc.harness.accumulate import accumulated
from specc.harness.decisions import Decisions
from specc.harness.regroup import REGROUPED, parts
from specc.harness.tf32 import UNIT, truncated, with_factors

_POOL = 1 << 17

# Results that are copies, selections or exact functions of their arguments.
_EXACT = frozenset(
    """
    clone copy_ _to_copy detach detach_ alias relu relu_ neg neg_ abs abs_ sign sgn max min amax
    amin maximum minimum clamp clamp_ clamp_min clamp_max cat stack index_select gather embedding
    select_scatter slice_scatter slice_backward select_backward constant_pad_nd
    max_pool2d_with_indices max_pool2d_with_indices_backward max_pool3d_with_indices threshold
    threshold_backward hardtanh hardtanh_backward where masked_fill masked_fill_ zeros_like
    ones_like full_like empty_like empty empty_strided zeros ones full new_zeros new_empty
    new_empty_strided new_ones new_full zero_ fill_ arange scalar_tensor lift_fresh lift_fresh_copy
    set_ resize_ resize_as_ flip roll repeat index topk sort round floor ceil trunc _foreach_neg
    _foreach_neg_ _foreach_copy_ _foreach_zero_ _foreach_maximum_ _foreach_abs _foreach_sign triu
    tril upsample_nearest2d unfold_backward one_hot _reshape_copy view_copy permute_copy
    reflection_pad2d replication_pad2d pixel_shuffle
    complex conj_physical resolve_conj resolve_neg nan_to_num fmax fmin fmod frac copysign heaviside
    nextafter cummax cummin kthvalue median nanmedian mode aminmax scatter index_copy index_fill
    masked_scatter take diag_embed rot90 select_scatter diagonal_scatter channel_shuffle
    native_channel_shuffle ceil_ floor_ round_ trunc_ squeeze_ unsqueeze_ gather floor_divide
    max_unpool2d max_unpool3d hardshrink logical_and logical_or logical_not eq ne lt le gt ge sgn
    tril_indices triu_indices """.split()
)

# Of whose results the first alone is rounded: the other marks the labels, in floats.
_FIRST_ALONE = frozenset({"multilabel_margin_loss_forward"})


class RandomRounding(Decisions):
    """Move each result of ``dtype`` by up to ``scale`` units, at random from ``seed``.

    Under autocast, ``lower`` is the precision that it computes in: results in it are moved by its
    own units, and so is what is cast to it, because a compiler may leave the cast out.

    A negative ``scale`` gives the mirror image: every move the other way.

    ``regroup`` takes fused operations apart and splits sums; the decisions are then not recorded,
    because the operations are others.

    ``accumulate`` gives products the noise of kernels that keep few partial sums.

    ``tf32`` cuts the factors of products as TF32 does: at random by up to its unit, or with
    ``regroup`` by dropping their low bits, which is as honest and always errs the same way.
    """

    def __init__(
        self,
        seed: int,
        dtype: torch.dtype,
        *,
        scale: float = 1.0,
        regroup: bool = False,
        lower: torch.dtype | None = None,
        tf32: bool = False,
        accumulate: bool = False,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        wide = 2.0 * torch.rand(_POOL, generator=generator, dtype=torch.float64) - 1.0
        self._pools = {
            each: (1.0 + torch.finfo(each).eps * scale * wide).to(each)
            for each in {dtype, lower or dtype}
        }
        self._factor_pool = (1.0 + UNIT * scale * wide).float() if tf32 else None
        self._random = random.Random(seed)
        self._lower = lower
        self._regroup = regroup
        self._sums = torch.Generator().manual_seed(seed) if accumulate else None

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if self._factor_pool is not None:
            name = func._schema.name.removeprefix("aten::")
            args = with_factors(name, args, truncated if self._regroup else self._cut)
        if self._regroup:
            taken_apart = parts().get(func)
            if taken_apart is not None:
                with self:
                    return taken_apart(*args, **kwargs)
            regrouped = REGROUPED.get(func._schema.name.removeprefix("aten::"))
            if regrouped is not None:
                result = regrouped(self._random, func, args, kwargs)
                if result is not None:
                    self._accumulate(func, args, result)
                    self._move_all(result)
                    return result
        result = func(*args, **kwargs)
        self._accumulate(func, args, result)
        if not self._regroup:
            self.note(func._schema.name.removeprefix("aten::"), args, result)
        kind = _kind(func)
        if func._schema.name == "aten::_to_copy" and result.dtype == self._lower:
            kind = "fresh"
        if kind == "fresh":
            alone = func._schema.name.removeprefix("aten::") in _FIRST_ALONE
            self._move_all(result[0] if alone else result)
        elif kind == "written":
            for argument in _written(func, args, kwargs):
                self._move_all(argument)
        return result

    def _accumulate(self, func: Any, args: tuple[Any, ...], result: Any) -> None:
        if self._sums is not None:
            name = func._schema.name.removeprefix("aten::")
            accumulated(name, func, args, result, self._sums)

    def _cut(self, value: Tensor) -> Tensor:
        """A factor moved by up to TF32's unit."""
        if value.dtype == torch.complex64:
            parts = torch.view_as_real(value.resolve_conj()).contiguous()
            return torch.view_as_complex(self._cut(parts))
        if value.dtype != torch.float32 or not value.numel() or value._is_zerotensor():
            return value
        assert self._factor_pool is not None  # with it alone anything is cut
        return value * self._factors(self._factor_pool, value.numel()).view(value.shape)

    def _move_all(self, result: Any) -> None:
        if isinstance(result, Tensor):
            self._move(result)
        elif isinstance(result, (tuple, list)):
            for item in result:
                self._move_all(item)

    def _move(self, tensor: Tensor) -> None:
        if tensor.is_sparse:
            self._move(tensor._values())
            return
        count = tensor.numel()
        if tensor.is_complex():
            self._move_complex(tensor)
            return
        pool = self._pools.get(tensor.dtype)
        # The backward of `sgn` gives zeros without memory, which nothing can be written into.
        if pool is None or count == 0 or tensor._is_zerotensor():
            return
        if tensor.dim() == 0 and float(tensor).is_integer():
            return  # a counter such as Adam's step: an integer is exact on every machine
        tensor.mul_(self._factors(pool, count).view(tensor.shape))

    def _move_complex(self, tensor: Tensor) -> None:
        """Each part by up to a unit of the number's size: the parts of a complex product are sums,
        and where they cancel they err by what they are sums of."""
        pool = self._pools.get(tensor.dtype.to_real())
        if pool is None or tensor.numel() == 0 or tensor.is_conj():
            return
        parts = torch.view_as_real(tensor)
        moves = self._factors(pool, parts.numel()).view(parts.shape) - 1.0
        parts.add_(moves * tensor.abs().unsqueeze(-1))

    def _factors(self, pool: Tensor, count: int) -> Tensor:
        """``count`` numbers of ``pool``, from a random place on."""
        if count <= _POOL // 2:
            start = self._random.randrange(_POOL - count)
            return pool[start : start + count]
        repeats = -(-count // _POOL)
        shift = self._random.randrange(_POOL)
        return pool.roll(shift).repeat(repeats)[:count]


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
