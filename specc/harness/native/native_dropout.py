"""torch's own dropout, checked apart: goldens replace it, so that it is sound is shown here.

Layers and functions alike, in any target: one small module holds each kind that a model has, and is
compiled, scripted or exported as a model is. The masks of some calls are recovered from what they
gave, and again from the gradients. Checked: the laws of the masks (``native_masks``), the scale of
what is kept, that backward used forward's mask, and that evaluation is the identity. The random
numbers of a compiled graph are others than eager's, so nothing here asks for bits. Non-goals: which
values torch draws; noise inside attention and recurrent kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from specc.harness.native.native_masks import Masks, masks_of
from specc.targets import TARGETS

# TorchScript runs its own derivative from the third call on; periods of two and three show.
CALLS = 4
# Of all calls: by these a rate that is a tenth off is told from the right one; at most so many.
_DRAWS = 1 << 16
_MOST_DRAWS = 1 << 20
# SELU's alpha * scale, what alpha dropout puts in the place of what it drops.
_SATURATION = 1.7580993408473766


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """One way to drop: ``name`` is ``Dropout2d`` for the layer, ``F.dropout2d`` for the function;
    0 < p < 1."""

    name: str
    p: float
    inplace: bool = False

    def __str__(self) -> str:
        return f"{self.name}(p={self.p:g}{', inplace=True' if self.inplace else ''})"


class _Function(nn.Module):
    """One of torch's functions as a model calls it."""

    def __init__(self, p: float, inplace: bool) -> None:
        super().__init__()
        self.p = p
        self.inplace = inplace


class _Dropout(_Function):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, self.training, self.inplace)


class _Dropout1d(_Function):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout1d(x, self.p, self.training, self.inplace)


class _Dropout2d(_Function):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout2d(x, self.p, self.training, self.inplace)


class _Dropout3d(_Function):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout3d(x, self.p, self.training, self.inplace)


class _AlphaDropout(_Function):
    def forward(self, x: Tensor) -> Tensor:
        return F.alpha_dropout(x, self.p, self.training, self.inplace)


class _FeatureAlphaDropout(_Function):
    def forward(self, x: Tensor) -> Tensor:
        return F.feature_alpha_dropout(x, self.p, self.training, self.inplace)


@dataclass(frozen=True, slots=True)
class _Form:
    """``spatial`` are the sizes behind batch and channels, where a draw is of a whole channel."""

    made: Callable[[float, bool], nn.Module]
    spatial: tuple[int, ...] = ()
    alpha: bool = False


_FORMS = {
    "Dropout": _Form(nn.Dropout),
    "Dropout1d": _Form(nn.Dropout1d, (2,)),
    "Dropout2d": _Form(nn.Dropout2d, (1, 2)),
    "Dropout3d": _Form(nn.Dropout3d, (1, 1, 2)),
    "AlphaDropout": _Form(nn.AlphaDropout, alpha=True),
    "FeatureAlphaDropout": _Form(nn.FeatureAlphaDropout, (1, 2), alpha=True),
    "F.dropout": _Form(_Dropout),
    "F.dropout1d": _Form(_Dropout1d, (2,)),
    "F.dropout2d": _Form(_Dropout2d, (1, 2)),
    "F.dropout3d": _Form(_Dropout3d, (1, 1, 2)),
    "F.alpha_dropout": _Form(_AlphaDropout, alpha=True),
    "F.feature_alpha_dropout": _Form(_FeatureAlphaDropout, (1, 2), alpha=True),
}


def kind_of_layer(layer: Any) -> Kind | None:
    """The kind of one of torch's dropout layers; None of another layer, or where it draws
    nothing."""
    form = _FORMS.get(type(layer).__name__)
    if form is None or form.made is not type(layer) or not 0 < float(layer.p) < 1:
        return None
    return Kind(type(layer).__name__, float(layer.p), bool(layer.inplace))


def kind_of_function(name: str, p: object) -> Kind | None:
    """The kind of ``torch.nn.functional``'s ``name``; None of another function, or where it draws
    nothing."""
    drops = f"F.{name}" in _FORMS and isinstance(p, (int, float)) and 0 < p < 1
    return Kind(f"F.{name}", float(p)) if drops else None  # type: ignore[arg-type]  # a number


def constants(p: float, alpha: bool) -> tuple[float, float, float]:
    """(factor, shift, dropped) of dropout at the rate ``p``: x becomes factor * x + shift where it
    is kept, and dropped elsewhere. ``alpha`` keeps mean and variance of what SELU gives (Klambauer
    et al., "Self-normalizing neural networks", 2017)."""
    if not alpha:
        return 1.0 / (1.0 - p), 0.0, 0.0
    factor = 1.0 / math.sqrt((_SATURATION**2 * p + 1.0) * (1.0 - p))
    return factor, _SATURATION * factor * p, -_SATURATION * factor * (1.0 - p)


@dataclass(frozen=True, slots=True)
class DropoutFindings:
    """What was measured of one kind, and ``faults``: empty where it is sound."""

    draws: int
    masks: Masks
    faults: tuple[str, ...]


def native_dropout_check(
    kinds: Sequence[Kind],
    target: str = "eager",
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> dict[Kind, DropoutFindings]:
    """Check each of ``kinds`` as ``target`` runs it, all in one graph.

    torch's generators are left as they were. Raises TargetError where the target refuses,
    ValueError for a kind that there is not, or p outside (0, 1).
    """
    for kind in kinds:
        if kind.name not in _FORMS or not 0 < kind.p < 1:
            raise ValueError(f"cannot check {kind}: a dropout with 0 < p < 1 is wanted")
    probe = _Probe(kinds)
    count = sum(math.prod(shape) for shape in probe.shapes)
    # Distinct powers of two: products with them are exact, and an element moved elsewhere shows.
    exponents = torch.arange(count, device=device).remainder(7).sub(3)
    value = torch.exp2(exponents.double()).to(dtype).requires_grad_()
    gradient = torch.exp2(exponents.flip(0).double()).to(dtype)
    calls = []
    devices = [torch.device(device)] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        runnable = TARGETS[target].runnable(probe.train(), (value,))
        for _ in range(CALLS):
            calls.append(_observed(runnable, value, gradient))
        still = _observed(TARGETS[target].runnable(probe.eval(), (value,)), value, gradient)
    found, begin = {}, 0
    for kind, shape in zip(kinds, probe.shapes, strict=True):
        part = slice(begin, begin + math.prod(shape))
        begin = part.stop
        of_kind = [(output[part], backward[part]) for output, backward in calls]
        site = _Site(kind, shape, value.detach()[part], gradient[part])
        found[kind] = site.findings(of_kind, (still[0][part], still[1][part]))
    return found


class _Probe(nn.Module):
    """Every kind on a part of the input of its own: ``[elements]`` to ``[elements]``."""

    shapes: list[list[int]]

    def __init__(self, kinds: Sequence[Kind]) -> None:
        super().__init__()
        forms = [_FORMS[kind.name] for kind in kinds]
        made = zip(forms, kinds, strict=True)
        self.kinds = nn.ModuleList([form.made(kind.p, kind.inplace) for form, kind in made])
        self.shapes = [_shape(kind) for kind in kinds]

    def forward(self, x: Tensor) -> Tensor:
        outputs: list[Tensor] = []
        begin = 0
        for position, kind in enumerate(self.kinds):
            count = 1
            for size in self.shapes[position]:
                count = count * size
            # A copy, for what works in place.
            part = x[begin : begin + count].clone().reshape(self.shapes[position])
            outputs.append(kind(part).flatten())
            begin = begin + count
        return torch.cat(outputs)


def _shape(kind: Kind) -> list[int]:
    """Batch, channels, and positions: enough draws to see a rate that is a tenth off."""
    spatial = _FORMS[kind.name].spatial
    # The deviation of a rate is sqrt(p (1 - p) / n), and a tenth of p is to be ten of them.
    wanted = 10_000 * max((1 - kind.p) / kind.p, kind.p / (1 - kind.p))
    wanted = min(max(wanted, _DRAWS), _MOST_DRAWS) / CALLS
    sizes = [64, 64] if spatial else [16, 16, 16]
    for turn in range(32):
        if math.prod(sizes) >= wanted:
            break
        sizes[-1 - turn % len(sizes)] *= 2
    return [*sizes, *spatial]


def _observed(runnable: nn.Module, value: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """What one call gave, and the gradient that reached its input."""
    value.grad = None
    output = runnable(value)
    output.backward(gradient)
    assert value.grad is not None  # backward has run
    return output.detach(), value.grad


@dataclass(frozen=True, slots=True)
class _Site:
    """A kind and what it was given."""

    kind: Kind
    shape: list[int]
    value: Tensor
    gradient: Tensor

    def findings(
        self, calls: Sequence[tuple[Tensor, Tensor]], still: tuple[Tensor, Tensor]
    ) -> DropoutFindings:
        """``calls`` are what each call in training gave, with its gradient; ``still`` is the one
        in evaluation."""
        faults: list[str] = []
        kept = torch.stack([self._kept(*call, faults) for call in calls])
        if not (torch.equal(still[0], self.value) and torch.equal(still[1], self.gradient)):
            faults.append("evaluation is not the identity")
        kept = kept.reshape([len(calls), *self.shape])
        if _FORMS[self.kind.name].spatial:
            flat = kept.flatten(3)
            if not torch.equal(flat.all(3), flat.any(3)):
                faults.append("a channel is dropped in part")
            kept = flat[..., 0]
        masks = masks_of(kept, self.kind.p)
        return DropoutFindings(kept.numel(), masks, tuple(dict.fromkeys([*faults, *masks.faults])))

    def _kept(self, output: Tensor, backward: Tensor, faults: list[str]) -> Tensor:
        """What one call kept; ``faults`` are added to where its scale or its backward is wrong."""
        alpha = _FORMS[self.kind.name].alpha
        factor, shift, dropped = constants(self.kind.p, alpha)
        law = f"{factor:.6g} x + {shift:.6g}" if alpha else f"scaled by 1 / (1 - p) = {factor:.6g}"
        value, gradient = self.value.double(), self.gradient.double()
        wanted = factor * value + shift
        kept: Tensor = output.double() - dropped > (wanted - dropped) / 2
        precision = torch.finfo(output.dtype)
        # torch rounds its constants to the dtype in one or two steps: two units are allowed, and as
        # many again for a shift.
        allowed = precision.eps * (2 * factor * value + 4 * (shift - dropped))
        # Of what no number of the dtype can hold nothing is asked.
        scaled = factor * 16 < precision.max
        off = (output.double() - torch.where(kept, wanted, dropped)).abs() > allowed
        if scaled and off[kept].any():
            faults.append(f"what is kept is not {law}")
        if off[~kept].any():
            faults.append(f"what is dropped is not {dropped:.6g}")
        if not torch.equal(backward != 0, kept):
            faults.append("backward used another mask than forward")
        elif scaled:
            wrong = (backward.double() / gradient - factor).abs() > 2 * precision.eps * factor
            if wrong[kept].any():
                faults.append(f"backward does not scale by {factor:.6g}")
        return kept
