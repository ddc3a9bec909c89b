"""Faults of dropout: in the mask of a case, and in how torch itself draws in each target.

torch's functions, which its layers call as well, are replaced by one operation that draws wrongly.
It is registered with the dispatcher, so that it is compiled, scripted and exported as torch's own
are, gradient included. Non-goals: what else draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from specc.harness.native.native_checks import drops, first_case
from specc.harness.native.native_dropout import constants
from specc.mutate.fault import (
    Fault,
    Injection,
    Subject,
    layer_names,
    spread,
    with_hook,
)


class SharedMask(Fault):
    """Neighbours share one draw of a dropout's mask."""

    name = "shared-mask"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        if subject.case.mode != "train":
            return
        for path in spread(list(_dropouts(subject))):
            yield Injection(path, layer_names(path), prepare=with_hook(path, _sharing))


def _dropouts(subject: Subject) -> Iterator[str]:
    for path in subject.layers:
        layer = subject.module.get_submodule(path)
        if isinstance(layer, nn.Dropout) and layer.p > 0:
            yield path


def _sharing(layer: Any, arguments: Any, output: Tensor) -> Tensor:
    flat = output.flatten()
    given = arguments[0].flatten()
    half = flat.numel() // 2
    mask = (flat != 0).to(flat.dtype).clone()
    mask[1 : 2 * half : 2] = mask[0 : 2 * half : 2]
    shared: Tensor = (given * mask / (1 - layer.p)).view_as(output)
    return shared


# ── torch's own ──────────────────────────────────────────────────────────────────────────────────

# Uniform draws of a shape -> what of them is used; by the number of the call.
Change = Callable[[Tensor, int], Tensor]


class Native(Fault):
    """A fault in how torch draws, in each target that is measured; layers and functions alike."""

    # A mask of what is rarer shows nothing at so many draws.
    least, most = 0.01, 0.99

    def injections(self, subject: Subject) -> Iterable[Injection]:
        if subject.case != first_case(subject.program):
            return  # where torch's own is looked at
        kinds = [kind for kind, _, _ in drops(subject.program, subject.module)]
        if any(self.least <= kind.p <= self.most for kind in kinds):
            for target in ("eager", *subject.targets):
                yield Injection(
                    f"F.dropout, {target}",
                    ("dropout/*",),
                    around=lambda: wrong(self),
                    native=True,
                    target=target,
                )

    def drawn(self, draws: Tensor, call: int) -> Tensor:
        """What is used of ``draws``, ``[batch, channels, ...]``, in a call of this number."""
        return draws

    def rate(self, p: float) -> float:
        """What is dropped where ``p`` should be."""
        return p

    # Whether backward draws again, and whether evaluation draws.
    again = False
    always = False


class NativeSharedMask(Native):
    """Neighbours share one draw of torch's own dropout."""

    name = "native-shared-mask"

    def drawn(self, draws: Tensor, call: int) -> Tensor:
        return draws.flatten()[::2].repeat_interleave(2)[: draws.numel()].view_as(draws)


class NativeFreshBackward(Native):
    """The backward of torch's own dropout draws a mask of its own."""

    name = "native-fresh-backward"
    again = True


class NativeSharedChannels(Native):
    """Four channels share one mask of torch's own dropout."""

    name = "native-shared-channels"

    def drawn(self, draws: Tensor, call: int) -> Tensor:
        return draws[:, ::4].repeat_interleave(4, 1)[:, : draws.shape[1]]


class NativeSharedRows(Native):
    """All rows of a batch share one mask of torch's own dropout."""

    name = "native-shared-rows"

    def drawn(self, draws: Tensor, call: int) -> Tensor:
        return draws[:1].expand_as(draws)


class NativeRepeated(Native):
    """Every call of torch's own dropout draws the same."""

    name = "native-repeated"

    def drawn(self, draws: Tensor, call: int) -> Tensor:
        return _seeded(draws, 1)


class NativePeriod(Native):
    """Every second call of torch's own dropout draws the same."""

    name = "native-period"

    def drawn(self, draws: Tensor, call: int) -> Tensor:
        return _seeded(draws, call % 2)


class NativeReusedHalf(Native):
    """The second half of the features has the first's mask of torch's own dropout."""

    name = "native-reused-half"

    def drawn(self, draws: Tensor, call: int) -> Tensor:
        # Behind the last dimension that draws there are none.
        dimension = max(d for d in range(draws.dim()) if draws.shape[d] > 1 or d == 0)
        half = draws.narrow(dimension, 0, (draws.shape[dimension] + 1) // 2)
        doubled = torch.cat([half, half], dimension)
        return doubled.narrow(dimension, 0, draws.shape[dimension])


class NativeRate(Native):
    """A tenth more than it should is dropped by torch's own dropout."""

    name = "native-rate"

    def rate(self, p: float) -> float:
        return min(1.1 * p, (1 + p) / 2)


class NativeEvaluation(Native):
    """Evaluation draws as well in torch's own dropout."""

    name = "native-evaluation"
    always = True


def _seeded(draws: Tensor, seed: int) -> Tensor:
    generator = torch.Generator(draws.device).manual_seed(seed)
    return torch.rand(draws.shape, generator=generator, device=draws.device)


class _State:
    """The fault that is in, and how often its operation has drawn in training."""

    fault: Native | None = None
    calls = 0


@contextmanager
def wrong(fault: Native) -> Iterator[None]:
    """While open, torch's functions that drop, and so its layers, have ``fault``."""
    _operation()
    with ExitStack() as stack:
        for name, stand_in in _STAND_INS.items():
            stack.enter_context(patch.object(nn.functional, name, stand_in))
        # TorchScript keeps what it made of a class, whatever its functions have become.
        store = torch.jit._recursive.ConcreteTypeStore()
        stack.enter_context(patch.object(torch.jit._recursive, "concrete_type_store", store))
        stack.enter_context(patch.object(_State, "fault", fault))
        stack.enter_context(patch.object(_State, "calls", 0))
        yield


def _noise(input: Tensor, p: float, channels: bool, alpha: bool) -> tuple[Tensor, Tensor]:
    """What ``input`` is multiplied by, and what is added."""
    fault = _State.fault
    assert fault is not None  # nothing else calls the operation
    shape = [*input.shape[:2], *[1] * (input.dim() - 2)] if channels else list(input.shape)
    draws = fault.drawn(torch.rand(shape, device=input.device), _State.calls)
    _State.calls += 1
    kept = (draws >= fault.rate(p)).double()
    factor, shift, dropped = constants(p, alpha)
    moved = kept * shift + (1 - kept) * dropped
    return (kept * factor).expand(input.shape), moved.expand(input.shape)


@lru_cache(maxsize=1)
def _operation() -> Any:
    """Registers ``specc_mutate::dropout`` and what differentiates it, once for a process."""

    @torch.library.custom_op("specc_mutate::dropout", mutates_args=())
    def dropout(
        input: Tensor, p: float, training: bool, channels: bool, alpha: bool
    ) -> tuple[Tensor, Tensor]:
        fault = _State.fault
        if fault is None or not (training or fault.always) or not 0 < p < 1:
            return input.clone(), torch.ones_like(input)
        noise, moved = _noise(input, p, channels, alpha)
        noise = noise.contiguous()
        return (input.double() * noise + moved).to(input.dtype), noise.to(input.dtype)

    @torch.library.custom_op("specc_mutate::dropout_backward", mutates_args=())
    def backward(
        gradient: Tensor, noise: Tensor, p: float, training: bool, channels: bool, alpha: bool
    ) -> Tensor:
        fault = _State.fault
        if fault is not None and fault.again and training and 0 < p < 1:
            noise = _noise(gradient, p, channels, alpha)[0].to(gradient.dtype)
        return gradient * noise

    @dropout.register_fake
    def _(input: Tensor, *given: Any) -> tuple[Tensor, Tensor]:
        return torch.empty_like(input), torch.empty_like(input)

    @backward.register_fake
    def _(gradient: Tensor, *given: Any) -> Tensor:
        return torch.empty_like(gradient)

    def setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(output[1])
        ctx.given = inputs[1:]

    def differentiate(ctx: Any, gradient: Tensor, unused: Any) -> tuple[Any, ...]:
        (noise,) = ctx.saved_tensors
        found = torch.ops.specc_mutate.dropout_backward(gradient, noise, *ctx.given)
        return found, None, None, None, None

    dropout.register_autograd(differentiate, setup_context=setup)
    return dropout


# TorchScript compiles these: one plain function each, with the arguments of torch's.
def _dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    found = torch.ops.specc_mutate.dropout(input, p, training, False, False)[0]
    return input.copy_(found) if inplace else found


def _channels(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    found = torch.ops.specc_mutate.dropout(input, p, training, True, False)[0]
    return input.copy_(found) if inplace else found


def _alpha(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    found = torch.ops.specc_mutate.dropout(input, p, training, False, True)[0]
    return input.copy_(found) if inplace else found


def _alpha_channels(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    found = torch.ops.specc_mutate.dropout(input, p, training, True, True)[0]
    return input.copy_(found) if inplace else found


_STAND_INS = {
    "dropout": _dropout,
    "dropout1d": _channels,
    "dropout2d": _channels,
    "dropout3d": _channels,
    "alpha_dropout": _alpha,
    "feature_alpha_dropout": _alpha_channels,
}

FAULTS = (
    SharedMask(),
    NativeSharedMask(),
    NativeFreshBackward(),
    NativeSharedChannels(),
    NativeSharedRows(),
    NativeRepeated(),
    NativePeriod(),
    NativeReusedHalf(),
    NativeRate(),
    NativeEvaluation(),
)
