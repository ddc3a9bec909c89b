"""Random rounding: a dispatch mode that moves every floating-point result by at most one unit.

Sees forward, backward and optimizer, in-place and foreach forms. What a kernel computes exactly (a
copy, a selection, a sign change, a maximum) is left alone: no honest machine rounds it. With
``lanes`` the fused operations are taken apart and long sums are split at a random place, as
compilers and other kernels do, and reductions are really added up in another order, so that
roundings hidden inside a kernel show as well. Non-goal: deciding what the spread means (``floor``).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from specc.harness.cases.precisions import UNIT
from specc.harness.floors.accumulate import accumulated
from specc.harness.floors.kinks import Decisions, may_decide
from specc.harness.floors.random_numbers import Pool, factors, normals
from specc.harness.floors.regroup import REGROUPED, parts
from specc.harness.floors.summation import SummationOrder
from specc.harness.running.tf32 import truncated, with_factors
from specc.targets.operation_mode import name_of

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

    With ``lanes`` fused operations are taken apart and sums are added up in so many partial sums;
    what that loses counts ``enlarged`` times. A ``scale`` of 0 moves nothing beside, and adds up
    the very terms.

    ``accumulate`` gives products the noise of kernels that keep few partial sums, ``enlarged`` too.

    ``tf32`` cuts the factors of products as TF32 does: at random by up to its unit, or with
    ``lanes`` by dropping their low bits, which is as honest and always errs the same way.
    """

    def __init__(
        self,
        seed: int,
        dtype: torch.dtype,
        *,
        scale: float = 1.0,
        lanes: int = 0,
        enlarged: float = 1.0,
        lower: torch.dtype | None = None,
        tf32: bool = False,
        accumulate: bool = False,
    ) -> None:
        super().__init__()
        places = random.Random(seed)
        self._pools = {
            each: Pool(factors(seed, torch.finfo(each).eps * scale, each), places)
            for each in {dtype, lower or dtype}
        }
        self._tf32 = Pool(factors(seed, UNIT * scale, torch.float32), places) if tf32 else None
        self._lower = lower
        self._order = SummationOrder(places, lanes, scale != 0.0, enlarged) if lanes else None
        self._sums = (
            Pool(normals(seed, dtype) * enlarged, random.Random(seed)) if accumulate else None
        )

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        known = _OPERATIONS.get(id(func)) or _operation(func)
        if known.idle:
            return func(*args, **kwargs)
        if self._tf32 is not None:
            args = with_factors(known.name, args, truncated if self._order else self._cut)
        if self._order is not None:
            if known.taken_apart is not None:
                return self._taken_apart(known.taken_apart, args, kwargs)
            if known.regrouped is not None:
                result = known.regrouped(self._order, func, args, kwargs)
                if result is not None:
                    self._accumulate(known, args, result)
                    self._move_all(result)
                    return result
        result = func(*args, **kwargs)
        self._accumulate(known, args, result)
        if known.decides:
            self.note(known.name, args, result)
        kind = known.kind
        if known.name == "_to_copy" and result.dtype == self._lower:
            kind = "fresh"
        if kind == "fresh":
            self._move_all(result[0] if known.name in _FIRST_ALONE else result)
        elif kind == "written":
            for position, argument in known.written:
                if argument in kwargs:
                    self._move_all(kwargs[argument])
                elif position < len(args):
                    self._move_all(args[position])
        return result

    def _taken_apart(
        self, steps: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """What single steps give. None of them is a decision of the run's: it takes none there."""
        noting, self.noting = self.noting, False
        try:
            with self:
                return steps(*args, **kwargs)
        finally:
            self.noting = noting

    def _accumulate(self, known: _Operation, args: tuple[Any, ...], result: Any) -> None:
        if self._sums is not None:
            accumulated(known.name, known.func, args, result, self._sums)

    def _cut(self, value: Tensor) -> Tensor:
        """A factor moved by up to TF32's unit."""
        if value.dtype == torch.complex64:
            parts = torch.view_as_real(value.resolve_conj()).contiguous()
            return torch.view_as_complex(self._cut(parts))
        if value.dtype != torch.float32 or not value.numel() or value._is_zerotensor():
            return value
        assert self._tf32 is not None  # with it alone anything is cut
        return value * self._tf32.like(value)

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
        pool.multiply(tensor)

    def _move_complex(self, tensor: Tensor) -> None:
        """Each part by up to a unit of the number's size: the parts of a complex product are sums,
        and where they cancel they err by what they are sums of."""
        pool = self._pools.get(tensor.dtype.to_real())
        if pool is None or tensor.numel() == 0 or tensor.is_conj():
            return
        parts = torch.view_as_real(tensor)
        moves = pool.like(parts) - 1.0
        parts.add_(moves * tensor.abs().unsqueeze(-1))


@dataclass(frozen=True, slots=True)
class _Operation:
    """What is known of an operation, aten's ``name``: ``kind`` is ``exact``, ``written`` (in place
    or out=) or ``fresh``, ``written`` the place and name of what it writes into. With an ``idle``
    one, such as a view, there is nothing to be done: half of all are."""

    func: Any
    name: str
    kind: str
    written: tuple[tuple[int, str], ...]
    decides: bool
    taken_apart: Callable[..., Any] | None
    regrouped: Callable[..., Any] | None
    idle: bool


# By identity, for every operation of every run is looked up: an operation's own hash is Python's.
_OPERATIONS: dict[int, _Operation] = {}


def _operation(func: Any) -> _Operation:
    name = name_of(func)
    written = tuple(
        (position, argument.name)
        for position, argument in enumerate(func._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )
    kind, decides = _kind(func, name, bool(written)), may_decide(name)
    ways = parts().get(func), REGROUPED.get(name)
    idle = kind == "exact" and not decides and ways == (None, None) and name != "_to_copy"
    found = _Operation(func, name, kind, written, decides, *ways, idle)
    _OPERATIONS[id(func)] = found
    return found


def _kind(func: Any, name: str, writes: bool) -> str:
    if name in _EXACT or not func._schema.name.startswith("aten::"):
        return "exact"
    if writes:
        return "written"
    if any(each.alias_info is not None for each in func._schema.returns):
        return "exact"  # a view of its argument
    return "fresh"
