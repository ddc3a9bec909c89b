"""A module with a target's runnable in the place of its ``forward``, and what its calls gave.

A runnable is made at the first call, from what that call brings, and again for other sizes. The
stand-in shares the module's parameters, buffers and submodules. Non-goal: naming what is recorded
beyond its key (``recorder``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from specc.harness.running.hooks import copied, flat_tensors
from specc.targets import TARGETS


class Captured:
    """Tensors that passed, by the step of training in which they did, in their order.

    ``step`` is the step that runs now; what comes before the first is under ``""``. A key that
    comes again is ``#2``, ``#3``. While it is ``closed``, what passes is not kept. ``keep`` makes
    of a tensor what is kept of it.
    """

    def __init__(self, keep: Callable[[Tensor], Any] = copied) -> None:
        self.step = ""
        self.closed = False
        self.of: dict[str, dict[str, Any]] = {}
        self._keep = keep
        self._counts: dict[str, int] = {}

    def clear(self) -> None:
        """Forget everything, and be before the first step again."""
        self.step = ""
        self.closed = False
        self.of.clear()
        self._counts.clear()

    def add(self, key: str, tensor: Tensor) -> None:
        """Keep what there is to keep of ``tensor`` as it is now."""
        if self.closed:
            return
        self._counts[key] = count = self._counts.get(key, 0) + 1
        full = key if count == 1 else f"{key}#{count}"
        self.of.setdefault(self.step, {})[full] = self._keep(tensor)


def stand_in(module: nn.Module, target: str, seen: Callable[[Any], None]) -> Any:
    """``module``'s twin that calls ``target``'s runnable; ``seen`` is told each result."""
    made: dict[object, nn.Module] = {}

    def forward(*arguments: Tensor) -> Any:
        tensors = flat_tensors(arguments)
        key = (
            module.training,
            torch.is_autocast_enabled(tensors[0].device.type) if tensors else False,
            tuple((tensor.shape, tensor.dtype) for tensor in tensors),
        )
        if key not in made:
            # As before a first step: a graph is to train wherever it is called from.
            with torch.enable_grad():
                examples = tuple(argument.detach() for argument in arguments)
                made[key] = TARGETS[target].runnable(module, examples)
        with _operations_autocast_alone():
            result = made[key](*arguments)
        seen(result)
        return result

    return with_forward(module, forward)


@contextmanager
def _operations_autocast_alone() -> Iterator[None]:
    """While open, a scripted graph leaves autocast to its operations, as eager does.

    TorchScript's own pass keeps the precision that the process first met: a graph under float16
    after one under bfloat16 gets a backward that mixes the two (torch 2.13). The switch has no
    public name; it gives back what it was.
    """
    before = bool(torch._C._jit_set_autocast_mode(False))
    try:
        yield
    finally:
        torch._C._jit_set_autocast_mode(before)


def with_forward(module: nn.Module, forward: Callable[..., Any]) -> Any:
    """A twin of ``module`` on the same dictionaries of parameters and buffers, with its own list of
    submodules and its own ``forward``."""
    # Not by copy(), which a module with a parametrization of its own refuses.
    twin: Any = object.__new__(type(module))
    twin.__dict__.update(module.__dict__)
    twin.__dict__["_modules"] = dict(module._modules)
    twin.forward = forward
    return twin
