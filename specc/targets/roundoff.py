"""What honest rounding may make of a tensor: the error model of a proof.

Where an artefact's arithmetic may be ordered otherwise, its error is measured against float64 and
held to what eager's own error shows to be honest. Non-goals: running the two (``proof_runs``), what
is compared (``prove``), the floors of goldens (``specc.harness.floors.floor_statistics``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from specc.errors import TargetError
from specc.targets.proof_runs import SideRun

# The error model. An artefact computes the same real function with other roundings: fused,
# reordered, kept in wider registers. Its error against the exact result therefore has the size of
# eager's own, which the float64 run shows; but that is one draw, and lucky where sums happen to be
# exact, so the bound is a small multiple of eager's largest error over the tensor, plus some units
# in the last place of the tensor's root mean square. A wrong constant, a lost term or a stale
# weight is thousands of units; a fault of one layer's order of summation is a few.
_EAGER_ERRORS = 8.0
_UNITS = 16.0
# Eager adds many numbers up in pairs or in float64. Added one after the other, as a compiler may,
# n of one sign lose up to n/2 units of their sum, and n of both signs the root of n times what they
# lose in pairs. Inductor starts anew after 4,096.
# A fault below that is for ``specc test`` to find, which knows the floor of each tensor.
_MOST_TERMS = 4096

# The kind of a tensor, ``output``, ``gradient`` or ``buffer``, and its place or name.
Key: TypeAlias = tuple[str, str]


class Float64Reference:
    """The run that showed ``eager`` once more in float64, made when it is first asked for; and
    eager's own error against it. ``run_in`` runs it in another precision; ``largest`` has the
    errors that eager has made on other inputs, and is added to.

    Eager in float64 is itself the reference; its error is then what float32 shows, scaled by the
    ratio of the rounding units: rounding errors are proportional to the unit.
    """

    def __init__(
        self, run_in: Callable[[torch.dtype], SideRun], eager: SideRun, largest: dict[Key, float]
    ) -> None:
        self._run_in = run_in
        self._eager = eager
        self._made: tuple[SideRun, SideRun, float] | None = None
        self._largest = largest

    def of(self, key: Key) -> tuple[Tensor, Tensor]:
        """The exact value of a tensor, and eager's own error in each element of it."""
        if self._made is None:
            eager = self._eager
            outputs = eager.outputs.values()
            if any(each.dtype in (torch.float64, torch.complex128) for each in outputs):
                scale = torch.finfo(torch.float64).eps / torch.finfo(torch.float32).eps
                self._made = (eager, self._run_in(torch.float32), scale)
            else:
                self._made = (self._run_in(torch.float64), eager, 1.0)
        exact, shadow, scale = self._made
        value, rounded = _value(exact, key), _value(shadow, key)
        return value, (_wide(rounded) - _wide(value)).abs() * scale

    def largest(self, key: Key, own: float) -> float:
        """The largest error that eager has made in this tensor, on any inputs so far."""
        self._largest[key] = max(own, self._largest.get(key, 0.0))
        return self._largest[key]


def _value(seen: SideRun, key: Key) -> Tensor:
    kind, place = key
    values = {"output": seen.outputs, "gradient": seen.gradients, "buffer": seen.buffers}[kind]
    return values[place]


def compare(
    where: str,
    key: Key,
    eager: Tensor,
    found: Tensor,
    reference: Float64Reference | None,
    terms: int,
    summed: float = 0.0,
) -> tuple[float, float]:
    """The error and the bound of one tensor, which messages call ``where``; ``terms`` is how many
    numbers an operation adds up into one, at most, among those that it comes from, and ``summed``
    their root mean square where they cancel. Without a
    ``reference`` it must be equal to the bit. Raises TargetError (E0904) where it is another or its
    error is over the bound."""
    if found.dtype != eager.dtype or found.shape != eager.shape:
        raise TargetError(
            "E0904",
            f"{where} is {found.dtype} {list(found.shape)}, not {eager.dtype} {list(eager.shape)}",
        )
    unequal = (found != eager) & ~(torch.isnan(found) & torch.isnan(eager))
    count = int(unequal.sum())
    if not count:
        return 0.0, 0.0
    floating = eager.is_floating_point() or eager.is_complex()
    if reference is None or not floating:
        # An index (of a largest element, say) may turn over where eager's turns over in float64.
        turned = 0 if reference is None else int((reference.of(key)[1] != 0).sum())
        allowed = round(_EAGER_ERRORS) * turned
        if count > allowed:
            raise TargetError(
                "E0904",
                f"{where} differs from eager in {count} of {eager.numel()} elements"
                + _most(found, eager),
            )
        return float(count), float(allowed)

    finite = torch.isfinite(eager)
    if (unequal & ~finite).any() or not torch.equal(torch.isfinite(found), finite):
        raise TargetError(
            "E0904", f"{where} differs from eager in where it is infinite or not a number"
        )
    exact, own_error = reference.of(key)
    # Where the working precision overflows and float64 does not, there is no error to measure.
    measured = finite & torch.isfinite(exact) & torch.isfinite(own_error)
    if not measured.any():
        return 0.0, 0.0
    expected = exact[measured]
    error = (found[measured].to(expected.dtype) - expected).abs().max().item()
    own = reference.largest(key, own_error[measured].max().item())
    size = max(summed, expected.abs().square().mean().sqrt().item())
    unit = torch.finfo(eager.dtype).eps
    terms = min(terms, _MOST_TERMS)
    bound = max(_EAGER_ERRORS, math.sqrt(terms)) * own + max(_UNITS, terms / 2) * unit * size
    if error > bound:
        raise TargetError(
            "E0904",
            f"{where} differs from float64 by up to {error:.3g}, eager by {own:.3g}; "
            f"honest rounding stays within {bound:.3g}",
        )
    return error, bound


def _most(found: Tensor, eager: Tensor) -> str:
    if eager.dtype == torch.bool:
        return ""  # how far apart two truth values are says nothing
    return f", by up to {(_wide(found) - _wide(eager)).abs().max().item():.3g}"


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)
