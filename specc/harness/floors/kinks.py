"""The jumps of a run: which way each rectifier, maximum, comparison and sign went.

A decision that differs between two honest runs is a kink, where an error is not small. Recorded by
a dispatch mode, which can also replay a run with some decisions turned. Non-goals: noise
(``rounding``), choosing what to do about a kink (``floor``, ``bless``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from specc.targets.operation_mode import OperationMode, name_of

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
# Of these the result itself is what is recorded, which what follows might write into.
_AS_THEY_ARE = frozenset(
    {"max_pool2d_with_indices", "max_pool3d_with_indices", "sign", "sgn", "argmax", "argmin"}
    | {"topk", "sort"}
)
_COMPARISONS = frozenset({"gt", "ge", "lt", "le", "eq", "ne"})
_CLAMPS = frozenset({"clamp", "clamp_min", "clamp_max"})


def may_decide(name: str) -> bool:
    """Whether the outcome of the operation ``name`` (aten's, such as ``relu``) jumps."""
    return name in _DECISIONS or name in _COMPARISONS or name in _CLAMPS


class Decisions(OperationMode):
    """Records which way each jump went; ``log`` holds one tensor a jump, in the order of the run.

    ``other`` is the log of another run of the same operations: where the two differ, the jump is
    made to go the other way. What that changes is exactly what the kink can do to an honest run.
    """

    def __init__(self, other: Sequence[Tensor] = ()) -> None:
        super().__init__()
        self.log: list[Tensor] = []
        # Whether decisions are noted; where nobody asks for them they need not be.
        self.noting = True
        self._other = other

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        result = func(*args, **kwargs)
        name = name_of(func)
        taken = self.note(name, args, result)
        if taken is not None and len(self.log) <= len(self._other):
            wanted = self._other[len(self.log) - 1]
            if wanted.shape == taken.shape and not torch.equal(wanted, taken):
                _turn(name, args, result, taken, wanted)
        return result

    def note(self, name: str, args: tuple[Any, ...], result: Any) -> Tensor | None:
        """Record and return the outcome of the operation if it is a decision on floating-point
        numbers.
        """
        if not self.noting or not args or not isinstance(args[0], Tensor):
            return None
        if not args[0].is_floating_point():
            return None
        taken: Tensor
        if name in _COMPARISONS:
            taken = result.clone()
        elif name in _CLAMPS:
            taken = result.eq(args[0])
        elif name in _DECISIONS:
            taken = _DECISIONS[name](result)
            if name in _AS_THEY_ARE:
                taken = taken.clone()
        else:
            return None
        self.log.append(taken)
        return taken


def _turn(name: str, args: tuple[Any, ...], result: Any, taken: Tensor, wanted: Tensor) -> None:
    """Let ``result`` go the way of ``wanted``. Jumps that backward reads from the input stay as
    they are.
    """
    turned = taken != wanted
    if name in ("relu", "relu_"):
        # What is left of zero for a value that could be on either side of it.
        tiny = torch.full_like(result, torch.finfo(result.dtype).tiny)
        result.copy_(torch.where(turned, torch.where(wanted, tiny, 0.0), result))
    elif name in ("max_pool2d_with_indices", "max_pool3d_with_indices"):
        spatial = 2 if name.startswith("max_pool2d") else 3
        flat = args[0].flatten(-spatial)
        picked = flat.gather(-1, wanted.flatten(-spatial)).view_as(result[0])
        result[0].copy_(picked)
        result[1].copy_(wanted)
    elif name in _COMPARISONS or name in ("sign", "sgn", "argmax", "argmin"):
        result.copy_(wanted)


def differing_decisions(left: Sequence[Tensor], right: Sequence[Tensor]) -> int:
    """How many elements were decided differently; a different number of decisions counts as one
    each.
    """
    total = abs(len(left) - len(right))
    for one, other in zip(left, right, strict=False):
        total += int((one != other).sum()) if one.shape == other.shape else 1
    return total
