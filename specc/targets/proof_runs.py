"""What is run in a proof, one side at a time: its outputs, gradients and buffers.

A side starts every run from the same state and gives everything back by the names that the module
has. Non-goals: comparing (``prove``), what is drawn (``proof_noise``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from specc.errors import TargetError


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run a model: its mode, and whether autograd records."""

    training: bool
    gradients: bool

    def __str__(self) -> str:
        mode = "in training mode" if self.training else "in evaluation mode"
        return mode if self.gradients else f"{mode} under no_grad"


WAYS = tuple(Way(training, gradients) for training in (False, True) for gradients in (False, True))


@dataclass(frozen=True, slots=True)
class SideRun:
    """What one run gives: outputs by their place, gradients by the parameter's name or the input's
    number, buffers as the run leaves them; and the ``weights`` of the outputs that were
    differentiated."""

    outputs: dict[str, Tensor]
    gradients: dict[str, Tensor]
    buffers: dict[str, Tensor]
    weights: Mapping[str, Tensor]


class Side:
    """A runnable; ``start`` are the buffers that each run begins with, in the module's names.

    ``what`` is how messages call it. ``fixed_mode`` leaves its mode alone: an exported graph has
    only one."""

    def __init__(
        self,
        runnable: nn.Module,
        start: Mapping[str, Tensor],
        what: str,
        *,
        fixed_mode: bool = False,
    ) -> None:
        self.runnable = runnable
        self.what = what
        self._start = start
        self._fixed_mode = fixed_mode
        # Tied parameters are found by each of their names.
        self.parameters = {
            _plain(name): tensor
            for name, tensor in runnable.named_parameters(remove_duplicate=False)
        }
        self.buffers = {
            _plain(name): tensor for name, tensor in runnable.named_buffers(remove_duplicate=False)
        }

    def run(
        self,
        inputs: tuple[Tensor, ...],
        way: Way,
        weights: Mapping[str, Tensor] | None,
        learning: tuple[str, ...],
    ) -> SideRun:
        """One run; where it has ``gradients``, those of the outputs weighted by ``weights``.

        Without ``weights`` each output has random ones, always the same. ``learning`` are the
        parameters to differentiate by. Raises TargetError (E0904) where it does not run."""
        with torch.no_grad():
            for name, tensor in self._start.items():
                if name in self.buffers and self.buffers[name].shape == tensor.shape:
                    self.buffers[name].copy_(tensor)
        if not self._fixed_mode:
            self.runnable.train(way.training)
        try:
            with torch.set_grad_enabled(way.gradients):
                return self._run(inputs, way, weights, learning)
        except TargetError:
            raise
        except Exception as error:  # whatever a module's own code or torch's compilers raise
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise TargetError("E0904", f"{self.what} does not run {way}: {first}") from error

    def _run(
        self,
        inputs: tuple[Tensor, ...],
        way: Way,
        weights: Mapping[str, Tensor] | None,
        learning: tuple[str, ...],
    ) -> SideRun:
        roots = [each.detach().clone() for each in inputs]
        if way.gradients:
            for root in roots:
                root.requires_grad_(_differentiable(root))
        # Copies: a module may write to its inputs, which autograd forbids of the roots.
        outputs = leaves(self.runnable(*(root.clone() for root in roots)))
        gradients: dict[str, Tensor] = {}
        if way.gradients:
            ends = {place: tensor for place, tensor in outputs.items() if tensor.requires_grad}
            weights = self._weights(ends, weights)
            gradients = self._gradients(roots, ends, weights, learning)
        return SideRun(
            {place: tensor.detach().clone() for place, tensor in outputs.items()},
            gradients,
            {name: tensor.detach().clone() for name, tensor in self.buffers.items()},
            weights or {},
        )

    def _weights(
        self, ends: Mapping[str, Tensor], weights: Mapping[str, Tensor] | None
    ) -> Mapping[str, Tensor]:
        if weights is None:
            return weights_of(ends)
        if weights.keys() != ends.keys():
            raise TargetError(
                "E0904",
                f"{self.what} can be differentiated in outputs {', '.join(ends) or 'none'} "
                f"where eager can in {', '.join(weights) or 'none'}",
            )
        return weights

    def _gradients(
        self,
        roots: list[Tensor],
        ends: Mapping[str, Tensor],
        weights: Mapping[str, Tensor],
        learning: tuple[str, ...],
    ) -> dict[str, Tensor]:
        wanted = {f"input {index}": each for index, each in enumerate(roots) if each.requires_grad}
        for name in learning:
            parameter = self.parameters.get(name)
            if parameter is not None and parameter.requires_grad:
                wanted[name] = parameter
        if not ends or not wanted:
            return {}
        found = torch.autograd.grad(
            list(ends.values()),
            list(wanted.values()),
            [weights[place].to(tensor) for place, tensor in ends.items()],
            allow_unused=True,
        )
        return {
            name: gradient.detach().clone()
            for name, gradient in zip(wanted, found, strict=True)
            if gradient is not None
        }


def weights_of(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Fixed random weights for the sum of ``outputs`` that is differentiated: float64, normal."""
    draw = torch.Generator().manual_seed(0)
    return {
        place: torch.randn(
            tensor.shape,
            generator=draw,
            dtype=torch.complex128 if tensor.is_complex() else torch.float64,
        )
        # Rounded to what every precision that is compared holds.
        .to(torch.complex64 if tensor.is_complex() else torch.float32)
        for place, tensor in outputs.items()
    }


def leaves(output: Any, place: str = "") -> dict[str, Tensor]:
    """The tensors of nested tuples, lists and dicts, by their place such as ``1.0``."""
    if isinstance(output, Tensor):
        return {place or "0": output}
    found: dict[str, Tensor] = {}
    items = output.items() if isinstance(output, dict) else enumerate(output)
    for key, each in items:
        found |= leaves(each, f"{place}.{key}" if place else str(key))
    return found


def _differentiable(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _plain(name: str) -> str:
    # torch.compile wraps the module as a submodule called ``_orig_mod``.
    return name.replace("_orig_mod.", "")
