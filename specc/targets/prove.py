"""The proof of an artefact: what was written is loaded back and computes what eager computes.

One run in evaluation mode, on the module's weights. Where the artefact's arithmetic may be ordered
otherwise, its error is measured against float64 and held to what eager's own error shows to be
honest. Non-goals: gradients and training, which the harness compares on every runnable.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from specc.errors import TargetError
from specc.targets import Target
from specc.targets.files import in_evaluation_mode

# The error model. An artefact computes the same real function with other roundings: fused,
# reordered, kept in wider registers. Its error against the exact result therefore has the size of
# eager's own, which the float64 run shows; but that is one draw, and lucky where sums happen to be
# exact, so the bound is a small multiple of eager's largest error over the tensor, plus some units
# in the last place of the tensor's root mean square. A wrong constant, a lost term or a stale
# weight is thousands of units; a fault of one layer's order of summation is a few.
_EAGER_ERRORS = 8.0
_UNITS = 16.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One output: its place (``0``, ``1.0``), the largest error against the reference, its
    bound."""

    output: str
    error: float
    bound: float


@dataclass(frozen=True, slots=True)
class ProofResult:
    """A proof that held: every output within its bound (equal to the bit where ``exact``)."""

    target: str
    path: Path
    exact: bool
    outputs: tuple[Comparison, ...]


def prove(
    target: Target,
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    path: Path,
    *,
    params: Mapping[str, Any] | None = None,
) -> ProofResult:
    """Load ``path`` and compare one run of it on ``inputs`` with ``module``'s, in evaluation mode.

    Source artefacts are constructed with ``params`` and given the module's weights. Raises
    TargetError E0901 or E0903 when the artefact does not load, E0904 with the first output that
    differs and by how much, and E0904 with the reason where the artefact, or the module in float64
    (its reference), does not run.
    """
    artefact = target.load(path, class_name=type(module).__name__, params=params)
    artefact = artefact.to(_device_of(module, inputs))
    if target.suffix.endswith(".py"):
        _give_weights(artefact, module, path)
    exact = target.name == "eager"
    with torch.no_grad(), in_evaluation_mode(module):
        eager = _leaves(_run(module, inputs, f"{type(module).__name__} itself"))
        # Copies: an artefact that writes to its inputs must not change what the reference sees.
        found = _leaves(_run(artefact, tuple(each.clone() for each in inputs), str(path)))
        if [*eager] != [*found]:
            raise TargetError(
                "E0904",
                f"{path} returns outputs {', '.join(found) or 'none'} "
                f"where eager returns {', '.join(eager) or 'none'}",
            )
        references = {} if exact else _references(module, inputs, eager)
    outputs = tuple(
        _compare(f"output {place} of {path}", place, expected, found[place], references.get(place))
        for place, expected in eager.items()
    )
    return ProofResult(target.name, path, exact, outputs)


@dataclass(frozen=True, slots=True)
class _Reference:
    """An output in float64, and eager's own error against it: elementwise, for this precision."""

    exact: Tensor
    own_error: Tensor


def _compare(
    where: str, place: str, eager: Tensor, found: Tensor, reference: _Reference | None
) -> Comparison:
    """One output; without a reference it must be equal to the bit. Raises TargetError E0904."""
    if found.dtype != eager.dtype or found.shape != eager.shape:
        raise TargetError(
            "E0904",
            f"{where} is {found.dtype} {list(found.shape)}, not {eager.dtype} {list(eager.shape)}",
        )
    floating = eager.is_floating_point() or eager.is_complex()
    unequal = (found != eager) & ~(torch.isnan(found) & torch.isnan(eager))
    if reference is None or not floating:
        # An index (of a largest element, say) may turn over where eager's turns over in float64.
        turned = 0 if reference is None else int((reference.own_error != 0).sum())
        allowed = round(_EAGER_ERRORS) * turned
        count = int(unequal.sum())
        if count > allowed:
            raise TargetError(
                "E0904",
                f"{where} differs from eager in {count} of {eager.numel()} elements"
                + _most(found, eager),
            )
        return Comparison(place, float(count), float(allowed))

    finite = torch.isfinite(eager)
    if (unequal & ~finite).any() or not torch.equal(torch.isfinite(found), finite):
        raise TargetError(
            "E0904", f"{where} differs from eager in where it is infinite or not a number"
        )
    # Where the working precision overflows and float64 does not, there is no error to measure.
    measured = finite & torch.isfinite(reference.exact) & torch.isfinite(reference.own_error)
    if not measured.any():
        return Comparison(place, 0.0, 0.0)
    expected = reference.exact[measured]
    error = (found[measured].to(expected.dtype) - expected).abs().max().item()
    own = reference.own_error[measured].max().item()
    size = expected.abs().square().mean().sqrt().item()
    bound = _EAGER_ERRORS * own + _UNITS * torch.finfo(eager.dtype).eps * size
    if error > bound:
        raise TargetError(
            "E0904",
            f"{where} differs from float64 by up to {error:.3g}, eager by {own:.3g}; "
            f"honest rounding stays within {bound:.3g}",
        )
    return Comparison(place, error, bound)


def _most(found: Tensor, eager: Tensor) -> str:
    if eager.dtype == torch.bool:
        return ""  # how far apart two truth values are says nothing
    return f", by up to {(_wide(found) - _wide(eager)).abs().max().item():.3g}"


def _references(
    module: nn.Module, inputs: tuple[Tensor, ...], eager: dict[str, Tensor]
) -> dict[str, _Reference]:
    """Each output in float64, with eager's error.

    Eager in float64 is itself the reference; its error is then what float32 shows, scaled by the
    ratio of the rounding units: rounding errors are proportional to the unit.
    """
    exact = _leaves(_run_in(torch.float64, module, inputs))
    if any(tensor.dtype in (torch.float64, torch.complex128) for tensor in eager.values()):
        shadow = _leaves(_run_in(torch.float32, module, inputs))
        scale = torch.finfo(torch.float64).eps / torch.finfo(torch.float32).eps
    else:
        shadow, scale = eager, 1.0
    return {
        place: _Reference(tensor, (_wide(shadow[place]) - _wide(tensor)).abs() * scale)
        for place, tensor in exact.items()
    }


def _run_in(dtype: torch.dtype, module: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    """The outputs of a copy of the module in another precision."""
    complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
    converted = tuple(
        each.to(complex_dtype if each.is_complex() else dtype)
        if each.is_complex() or each.is_floating_point()
        else each.clone()
        for each in inputs
    )
    what = f"{type(module).__name__} in {dtype}, a reference,"
    return _run(copy.deepcopy(module).to(dtype), converted, what)


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def _run(module: nn.Module, inputs: tuple[Tensor, ...], what: str) -> Any:
    try:
        return module(*inputs)
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TargetError("E0904", f"{what} does not run: {first}") from error


def _give_weights(artefact: nn.Module, module: nn.Module, path: Path) -> None:
    """Load the module's parameters and buffers, under the plain names of a compiled artefact
    too."""
    inner = getattr(artefact, "_orig_mod", artefact)
    weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    if _fits(inner, weights):
        _assign(inner, weights)
        return
    try:
        inner.load_state_dict(weights)
    except RuntimeError as error:
        raise TargetError(
            "E0904",
            f"the weights do not fit {path}: {str(error).splitlines()[-1].strip()}",
            help="the file was built with other params",
        ) from None


def _fits(module: nn.Module, weights: Mapping[str, Tensor]) -> bool:
    own = module.state_dict()
    return own.keys() == weights.keys() and all(
        own[name].shape == tensor.shape for name, tensor in weights.items()
    )


def _assign(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """``module.load_state_dict(weights, assign=True)``, which looks through all of ``weights`` for
    each submodule, and so takes the square of ten thousand layers.

    Assigned, not copied into what is there: dtype and device are the weights'."""
    places = dict(module.named_modules(remove_duplicate=False))
    for name, tensor in weights.items():
        place, _, leaf = name.rpartition(".")
        known = getattr(places[place], leaf)
        if isinstance(known, nn.Parameter):
            tensor = nn.Parameter(tensor, requires_grad=known.requires_grad)
        setattr(places[place], leaf, tensor)


def _device_of(module: nn.Module, inputs: tuple[Tensor, ...]) -> torch.device:
    for tensor in (*module.parameters(), *module.buffers(), *inputs):
        return tensor.device
    return torch.device("cpu")


def _leaves(output: Any, place: str = "") -> dict[str, Tensor]:
    """The tensors of nested tuples, lists and dicts, by their place such as ``1.0``."""
    if isinstance(output, Tensor):
        return {place or "0": output}
    found: dict[str, Tensor] = {}
    items = output.items() if isinstance(output, dict) else enumerate(output)
    for key, each in items:
        found |= _leaves(each, f"{place}.{key}" if place else str(key))
    return found
