"""Hooks that copy what passes and change nothing: gradients, layers' outputs.

Non-goal: naming and comparing what they copy (``recorder``, ``compare``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class GradientHooks:
    """Copies every parameter's gradient when backward has finished it, and again before the
    step.
    """

    def __init__(self, module: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        self.raw: dict[str, Tensor] = {}
        self.clipped: dict[str, Tensor] = {}
        self.optimizer = optimizer
        self._module = module
        self._handles: list[Any] = []

    def clear(self) -> None:
        self.raw.clear()
        self.clipped.clear()

    def __enter__(self) -> None:
        for name, parameter in self._module.named_parameters():
            if parameter.requires_grad:
                hook = self._saver(name)
                self._handles.append(parameter.register_post_accumulate_grad_hook(hook))
        if self.optimizer is not None:
            self._handles.append(self.optimizer.register_step_pre_hook(self._before_step))

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _saver(self, name: str) -> Callable[[Tensor], None]:
        def save(parameter: Tensor) -> None:
            if parameter.grad is not None:
                self.raw[name] = parameter.grad.detach().clone()

        return save

    def _before_step(self, *arguments: object) -> None:
        for name, parameter in self._module.named_parameters():
            if parameter.grad is not None:
                self.clipped[name] = parameter.grad.detach().clone()


@contextmanager
def layer_hooks(
    module: nn.Module, names: Iterable[str], captured: dict[str, Tensor]
) -> Iterator[None]:
    """While open, the outputs of the layers ``names`` go to ``captured`` as ``layer/<name>``.

    In the order of the calls; a layer's further results are ``/1``, ``/2``, its further calls
    ``#2``, ``#3``.
    """

    def hook(name: str) -> Callable[..., None]:
        def capture(layer: nn.Module, arguments: Any, result: Any) -> None:
            for position, tensor in enumerate(flat_tensors(result)):
                key = f"layer/{name}" + (f"/{position}" if position else "")
                calls = sum(k == key or k.startswith(f"{key}#") for k in captured)
                captured[f"{key}#{calls + 1}" if calls else key] = tensor.detach().clone()

        return capture

    with ExitStack() as stack:
        for name in names:
            handle = module.get_submodule(name).register_forward_hook(hook(name))
            stack.callback(handle.remove)
        yield


def flat_tensors(result: Any) -> list[Tensor]:
    """The tensors of a result, left to right, whatever its nesting."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, (tuple, list)):
        return [tensor for item in result for tensor in flat_tensors(item)]
    return []


class IdleOptimizer:
    """Stands where a step wants an optimizer, and moves nothing."""

    def zero_grad(self) -> None:
        """Keeps the gradients: nothing here reads them."""

    def step(self) -> None:
        """Leaves every parameter as it is."""
