"""Hooks that copy what passes and change nothing: gradients, layers' outputs.

Non-goal: naming and comparing what they copy (``recorder``, ``compare``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Observer:
    """A hook that looks and changes nothing. A copy of a layer is told by it which of its hooks are
    not its own; copying the layer copies no observer."""

    def __init__(self, look: Callable[..., None]) -> None:
        self._look = look

    def __call__(self, *arguments: Any) -> None:
        self._look(*arguments)

    def __deepcopy__(self, memo: object) -> Observer:
        return self


def copied(tensor: Tensor) -> Tensor:
    """A copy that takes no part in what is differentiated, and that no dispatch mode sees: one
    looks at what the model does, and half as many calls are half as dear."""
    with torch._C._DisableTorchDispatch():
        return tensor.detach().clone()


class GradientHooks:
    """Copies every parameter's gradient when backward has finished it, and again before the step
    of the optimizer that has it.

    ``raw`` and ``clipped`` are by the training step's name, then the parameter's; ``current`` tells
    which step runs. Only the steps in ``optimizers`` are seen clipped. ``keep`` makes of a gradient
    what is kept of it.
    """

    def __init__(
        self,
        module: nn.Module,
        optimizers: Mapping[str, torch.optim.Optimizer],
        current: Callable[[], str] = lambda: "",
        keep: Callable[[Tensor], Any] = copied,
    ) -> None:
        self.raw: dict[str, dict[str, Any]] = {}
        self.clipped: dict[str, dict[str, Any]] = {}
        self._keep = keep
        self.optimizers = optimizers
        self._current = current
        self._names = {id(p): name for name, p in module.named_parameters()}
        self._module = module
        self._handles: list[Any] = []

    def clear(self) -> None:
        """Forget what was copied."""
        self.raw.clear()
        self.clipped.clear()

    def __enter__(self) -> None:
        for name, parameter in self._module.named_parameters():
            if parameter.requires_grad:
                hook = self._saver(name)
                self._handles.append(parameter.register_post_accumulate_grad_hook(hook))
        for step, optimizer in self.optimizers.items():
            self._handles.append(optimizer.register_step_pre_hook(self._before(step, optimizer)))

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _saver(self, name: str) -> Callable[[Tensor], None]:
        def save(parameter: Tensor) -> None:
            if parameter.grad is not None:
                found = self.raw.setdefault(self._current(), {})
                # Of an optimizer that computes the loss again and again, the first alone: where
                # it goes from there is seen in what it makes of the parameters.
                if name not in found:
                    found[name] = self._keep(parameter.grad)

        return save

    def _before(self, step: str, optimizer: torch.optim.Optimizer) -> Callable[..., None]:
        def copy_gradients(*arguments: object) -> None:
            self.clipped[step] = gradients_of(optimizer, self._names, self._keep)

        return copy_gradients


def gradients_of(
    optimizer: torch.optim.Optimizer | IdleOptimizer,
    names: Mapping[int, str],
    keep: Callable[[Tensor], Any] = copied,
) -> dict[str, Any]:
    """What ``keep`` makes of the gradients that an optimizer has before it, by the parameter's
    name."""
    return {
        names[id(parameter)]: keep(parameter.grad)
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None and id(parameter) in names
    }


@contextmanager
def layer_hooks(
    module: nn.Module, names: Iterable[str], seen: Callable[[str, Tensor], None]
) -> Iterator[None]:
    """While open, ``seen`` is told the outputs of the layers ``names``, as ``layer/<name>``.

    In the order of the calls; a layer's further results are ``/1``, ``/2``.
    """

    def hook(name: str) -> Observer:
        def capture(layer: nn.Module, arguments: Any, result: Any) -> None:
            for position, tensor in enumerate(flat_tensors(result)):
                seen(f"layer/{name}" + (f"/{position}" if position else ""), tensor)

        return Observer(capture)

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
    """Stands where a step wants an optimizer, and moves nothing; ``before`` is called in the place
    of a step."""

    def __init__(
        self, like: torch.optim.Optimizer, before: Callable[[], None] = lambda: None
    ) -> None:
        self.param_groups: list[dict[str, Any]] = like.param_groups
        self._before = before

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops the gradients of its parameters."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def step(self, closure: Callable[[], Tensor] | None = None) -> None:
        """Leaves every parameter as it is; computes the loss once where it is to be computed."""
        if closure is not None:
            closure()
        self._before()
