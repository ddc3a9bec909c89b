"""Which kernels torch computes with: on the CPU, where fused ones hide roundings and products, and
in an optimizer's step.

Non-goals: threads (``machine``), what a GPU computes with (``tf32``).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

import torch

from specc.catalog import OPTIMIZERS
from specc.harness.cases import subject
from specc.ir import Optimizer, Program

# torch's implementations of a step. The for-loop is what is left with both switches off.
IMPLEMENTATIONS: Final = ("foreach", "for_loop", "fused")
_SWITCHES: Final = ("foreach", "fused")


@contextmanager
def plain_kernels(active: bool) -> Iterator[None]:
    """While open and ``active``, oneDNN's fused kernels and fused attention are not used."""
    if not active:
        yield
        return
    from torch.nn.attention import SDPBackend, sdpa_kernel

    before = bool(torch.backends.mkldnn.enabled)
    _enable_onednn(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        _enable_onednn(before)


def _enable_onednn(enabled: bool) -> None:
    # The public flags() also sets a TF32 switch, and warns that this machine has no Intel GPU for
    # it.
    torch._C._set_mkldnn_enabled(enabled)


def implementations(program: Program, device: str) -> tuple[str, ...]:
    """Those that torch has on ``device`` for every optimizer of ``program``."""
    return tuple(way for way in IMPLEMENTATIONS if not_implemented(program, way, device) is None)


def not_implemented(program: Program, way: str, device: str) -> str | None:
    """Why torch has no implementation ``way`` of a step of ``program`` on ``device``; None where it
    has one of each."""
    for step in subject.steps(program) if way in _SWITCHES else ():
        for each in step.stepped:
            row = OPTIMIZERS[each.optimizer.type]
            if way not in row.by_name:
                return f"torch has no {way} implementation of {row.name}"
            where = _not_fused(program, each.optimizer, device) if way == "fused" else ""
            if where:
                return f"torch has no fused implementation of {row.name} {where}"
    return None


def _not_fused(program: Program, optimizer: Optimizer, device: str) -> str:
    """On what torch's fused step of ``optimizer`` is refused, by the device and the parameters."""
    if device not in OPTIMIZERS[optimizer.type].fused_on:
        return f"on {device}"
    own = {*optimizer.rest.names, *(name for group in optimizer.groups for name in group.on.names)}
    for name, layer, _ in program.subject().parameters():
        arguments = dict(layer.arguments)
        if name in own and arguments.get("sparse") is True:
            return f"for sparse gradients, and that of {name} is one"
    return ""


@contextmanager
def stepping(way: str) -> Iterator[None]:
    """While open, torch's optimizers are made to step by ``foreach``, ``for_loop`` or ``fused``,
    where they have that way; with an empty ``way`` by what they are asked for.

    It is their constructors that choose: only one that is made fused has the gradient scaler leave
    the unscaling to its kernel, and a scheduler holds on to the optimizer that it was made with.
    """
    with ExitStack() as stack:
        for row in OPTIMIZERS.values() if way else ():
            kind = getattr(torch.optim, row.name, None)
            if kind is not None and not row.by_name.keys().isdisjoint(_SWITCHES):
                stack.enter_context(patch.object(kind, "__init__", _made(kind.__init__, way)))
        yield


def _made(honest: Callable[..., None], way: str) -> Callable[..., None]:
    """The constructor ``honest`` with ``way`` in the place of what it is asked for."""
    signature = inspect.signature(honest)
    chosen = {name: name == way for name in _SWITCHES if name in signature.parameters}

    @functools.wraps(honest)
    def made(self: Any, *given: Any, **named: Any) -> None:
        bound = signature.bind(self, *given, **named)
        bound.arguments.update(chosen)
        honest(*bound.args, **bound.kwargs)
        for group in self.param_groups:  # which may ask for themselves
            group.update(chosen)

    return made


def in_float64(optimizer: torch.optim.Optimizer) -> None:
    """Have ``optimizer`` keep in float64 the numbers that torch keeps in its default precision,
    such as ASGD's rate: in float32 they make each implementation's step another.

    A step that computes the loss itself runs the model too, and is left as it is.
    """
    honest = optimizer.step

    @functools.wraps(honest)
    def step(*given: Any, **named: Any) -> Any:
        if given or named:
            return honest(*given, **named)
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            return honest()
        finally:
            torch.set_default_dtype(before)

    optimizer.step = step  # type: ignore[method-assign]  # as torch's schedulers do
