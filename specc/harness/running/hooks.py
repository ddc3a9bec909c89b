"""Hooks that copy what passes and change nothing: gradients, layers' outputs.

Non-goal: naming and comparing what they copy (``recorder``, ``compare``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from specc.harness.running.side_by_side import PROCESS_WIDE


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
    of the optimizer that has it; holds it against what that step leaves.

    ``raw``, ``clipped`` and ``changed`` are by the training step's name, then the parameter's;
    ``current`` tells which step runs. Only the steps in ``optimizers`` are seen clipped, and only
    those in ``stepping`` held to leave gradients as they find them: ``changed`` has by how much one
    was changed, relative to its root-mean-square, and nothing of one that was not. ``keep`` makes
    of a gradient what is kept of it.
    """

    def __init__(
        self,
        module: nn.Module,
        optimizers: Mapping[str, torch.optim.Optimizer],
        current: Callable[[], str] = lambda: "",
        stepping: Mapping[str, torch.optim.Optimizer] | None = None,
        keep: Callable[[Tensor], Any] = copied,
    ) -> None:
        self.raw: dict[str, dict[str, Any]] = {}
        self.clipped: dict[str, dict[str, Any]] = {}
        self.changed: dict[str, dict[str, Tensor]] = {}
        self._keep = keep
        self.optimizers = optimizers
        self.stepping = stepping or {}
        self._current = current
        self._names = {id(p): name for name, p in module.named_parameters()}
        self._module = module
        self._handles: list[Any] = []

    def clear(self) -> None:
        """Forget what was copied."""
        self.raw.clear()
        self.clipped.clear()
        self.changed.clear()

    def __enter__(self) -> None:
        with PROCESS_WIDE:
            self._put_on()

    def _put_on(self) -> None:
        for name, parameter in self._module.named_parameters():
            if parameter.requires_grad:
                hook = self._saver(name)
                self._handles.append(parameter.register_post_accumulate_grad_hook(hook))
        for step, optimizer in self.optimizers.items():
            self._handles.append(optimizer.register_step_pre_hook(self._before(step, optimizer)))
        for step, optimizer in self.stepping.items():
            before, after = self._around(step, optimizer)
            self._handles.append(optimizer.register_step_pre_hook(before))
            self._handles.append(optimizer.register_step_post_hook(after))

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

    def _around(
        self, step: str, optimizer: torch.optim.Optimizer
    ) -> tuple[Callable[..., None], Callable[..., None]]:
        """What is called before and after the step, of which the second sees what it changed."""
        given: dict[int, Tensor] = {}
        scale: list[Tensor | None] = [None]
        # A step that calls that of the class above it calls the hooks as often: the outermost
        # counts.
        depth = [0]

        def before(*arguments: object) -> None:
            depth[0] += 1
            if depth[0] > 1:
                return
            # Set by a scaler while a fused step is to take the scale from the gradients.
            scale[0] = getattr(optimizer, "grad_scale", None)
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None and id(parameter) in self._names:
                        given[id(parameter)] = copied(parameter.grad)

        def after(*arguments: object) -> None:
            depth[0] -= 1
            if depth[0]:
                return
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    start = given.get(id(parameter))
                    if start is None or _same_numbers(parameter.grad, start):
                        continue
                    state = optimizer.state.get(parameter, {})
                    honest = _left_behind(optimizer, group, state, start, scale[0])
                    if honest is None or not _same_computation(parameter.grad, honest):
                        found = self.changed.setdefault(step, {})
                        found[self._names[id(parameter)]] = _change(parameter.grad, start)
            given.clear()

        return before, after


def _left_behind(
    optimizer: torch.optim.Optimizer,
    group: Mapping[str, Any],
    state: Mapping[str, Any],
    given: Tensor,
    scale: Tensor | None,
) -> Tensor | None:
    """What torch's own step leaves of the gradient ``given`` where it does not leave it as it was
    (torch 2.13, every optimizer in every implementation); None elsewhere."""
    with torch._C._DisableTorchDispatch():
        if scale is not None:
            return given / scale.to(given)
        # Its foreach form adds the momentum in place where nothing has copied the gradient yet.
        if type(optimizer) is torch.optim.SGD and group["nesterov"] and not group["weight_decay"]:
            chosen = group["foreach"]
            if chosen or (chosen is None and given.device.type != "cpu"):
                momentum = state.get("momentum_buffer")
                return None if momentum is None else given + group["momentum"] * momentum
    return None


def _same_numbers(found: Tensor | None, given: Tensor) -> bool:
    """Whether the two are the same numbers, NaN for NaN."""
    if found is None or found.shape != given.shape or found.dtype != given.dtype:
        return False
    if found.layout != given.layout:
        return False
    with torch._C._DisableTorchDispatch():
        if found.is_sparse:
            one, other = found.detach().coalesce(), given.coalesce()
            same = torch.equal(one.indices(), other.indices())
            return same and _same_numbers(one.values(), other.values())
        one, other = found.detach(), given
        if torch.equal(one, other):
            return True
        return bool(((one == other) | ((one != one) & (other != other))).all())


def _same_computation(found: Tensor | None, wanted: Tensor) -> bool:
    """Whether the two are the same computation, which another kernel may round otherwise."""
    if found is None or found.shape != wanted.shape or found.dtype != wanted.dtype:
        return False
    with torch._C._DisableTorchDispatch():
        unit = float(torch.finfo(found.dtype).eps)
        finite = wanted[torch.isfinite(wanted)]
        # Where a sum cancels what is lost is of the size of its terms: of the largest there is.
        size = float(finite.abs().max()) if finite.numel() else 0.0
        close = {"rtol": 4 * unit, "atol": 4 * unit * size}
        return torch.allclose(found.detach(), wanted, **close, equal_nan=True)


def _change(found: Tensor | None, given: Tensor) -> Tensor:
    """By how much ``found`` is another than ``given``, relative to its root-mean-square: all of it
    where it is gone."""
    with torch._C._DisableTorchDispatch():
        start = given.to_dense() if given.is_sparse else given
        end = torch.zeros_like(start)
        if found is not None and found.shape == start.shape:
            end = found.detach().to_dense() if found.is_sparse else found.detach()
        size = float(start.abs().double().square().mean().sqrt()) or 1.0
        return (end - start) / size


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
            with PROCESS_WIDE:
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
