"""A layer's first call, kept so that the layer can be run again by itself.

What is kept is the layer as it was before the call, what it was given, and, once backward has
passed, the gradients of what it gave. Non-goals: what a layer alone should give (``per_layer``),
which layers are looked at (``ongoing_run``).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from specc.harness.running.hooks import Observer, copied, flat_tensors
from specc.harness.running.side_by_side import PROCESS_WIDE

# What a layer may be given beside tensors: values that running it again cannot change.
_PLAIN = (bool, int, float, str, type(None))


@dataclass(slots=True)
class RecordedCall:
    """A layer's first call.

    ``given`` are its arguments in a row, tensors and plain values, which ``structure`` puts back
    into their places. ``results`` are the dtypes of the tensors that it gave, and ``gradients``
    what backward left at each of them. ``autocast`` is the precision that the call was in, if any;
    ``differentiated`` says of each tensor of ``given`` whether a gradient was to reach it, and
    ``grad`` whether any was.
    """

    path: str
    layer: nn.Module
    given: list[Any]
    structure: Any
    autocast: torch.dtype | None
    grad: bool
    differentiated: list[bool]
    results: list[torch.dtype] = field(default_factory=list)
    gradients: list[Tensor | None] = field(default_factory=list)

    @property
    def tensors(self) -> list[Tensor]:
        """What it was given, without the plain values."""
        return [each for each in self.given if isinstance(each, Tensor)]

    @property
    def positional(self) -> bool:
        """Whether it was given nothing but tensors, one after the other."""
        return bool(pytree.tree_flatten((tuple(self.tensors), {}))[1] == self.structure)


@contextmanager
def calls_kept(
    module: nn.Module,
    paths: Iterable[str],
    into: dict[str, RecordedCall],
    same: Mapping[int, Tensor] | None = None,
) -> Iterator[None]:
    """While open, the first call of each layer of ``paths`` is put ``into`` its place by path.

    A layer that cannot be copied, or is given anything but tensors and plain values, is left out.
    ``same`` has, by a parameter's id, a tensor of the same numbers that nothing changes: what is
    kept of the layer is made of it, and takes no memory.
    """
    with ExitStack() as stack:
        for path in paths:
            for handle in _kept(path, module.get_submodule(path), into, same or {}):
                stack.callback(handle.remove)
        yield


def _kept(
    path: str, layer: nn.Module, into: dict[str, RecordedCall], same: Mapping[int, Tensor]
) -> list[Any]:
    pending: list[RecordedCall] = []

    def before(layer: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        call = None if path in into else _call(path, layer, arguments, keywords, same)
        if call is not None:
            into[path] = call
            pending.append(call)

    def after(layer: nn.Module, arguments: Any, result: Any) -> None:
        if not pending:
            return
        call = pending.pop()
        for position, tensor in enumerate(flat_tensors(result)):
            call.results.append(tensor.dtype)
            call.gradients.append(None)
            if tensor.requires_grad:
                with PROCESS_WIDE:
                    tensor.register_hook(_saver(call, position))

    with PROCESS_WIDE:
        return [
            layer.register_forward_pre_hook(Observer(before), with_kwargs=True),
            layer.register_forward_hook(Observer(after)),
        ]


def _saver(call: RecordedCall, position: int) -> Callable[[Tensor | None], None]:
    def save(gradient: Tensor | None) -> None:
        # Of several results those that nothing reads get none, and torch says so. A value that is
        # differentiated several times keeps what came first.
        if gradient is not None and call.gradients[position] is None:
            call.gradients[position] = copied(gradient)

    return save


def _call(
    path: str,
    layer: nn.Module,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
    same: Mapping[int, Tensor],
) -> RecordedCall | None:
    given, structure = pytree.tree_flatten((arguments, keywords))
    if not all(isinstance(each, (Tensor, *_PLAIN)) for each in given):
        return None
    try:
        memo: dict[int, Any] = {
            id(each): nn.Parameter(same[id(each)], each.requires_grad)
            for each in layer.parameters()
            if id(each) in same
        }
        kept = copy.deepcopy(layer, memo)
    except Exception:  # whatever a layer of an extension does where it is copied
        return None
    _without_observers(kept)
    device = next((each.device.type for each in given if isinstance(each, Tensor)), "cpu")
    autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    return RecordedCall(
        path,
        kept,
        [copied(each) if isinstance(each, Tensor) else each for each in given],
        structure,
        autocast,
        torch.is_grad_enabled(),
        [each.requires_grad for each in given if isinstance(each, Tensor)],
    )


def _without_observers(layer: nn.Module) -> None:
    for each in layer.modules():
        for hooks in (each._forward_hooks, each._forward_pre_hooks):
            for key in [key for key, hook in hooks.items() if isinstance(hook, Observer)]:
                del hooks[key]


def state_of(layer: nn.Module) -> dict[str, Tensor]:
    """Its parameters and buffers by name; each once."""
    return dict((*layer.named_parameters(), *layer.named_buffers()))


def load(layer: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give ``layer`` what ``state`` has of its parameters and buffers."""
    if state:
        with torch.no_grad():
            for name, tensor in state_of(layer).items():
                if name in state:
                    tensor.copy_(state[name])


# ── again ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Again:
    """What a layer gave when it was run again: ``outputs``, the ``buffers`` that it has then, the
    gradients of what it was given (``inputs``, by the tensor's position) and of its
    ``parameters``."""

    outputs: dict[int, Tensor] = field(default_factory=dict)
    buffers: dict[str, Tensor] = field(default_factory=dict)
    inputs: dict[int, Tensor] = field(default_factory=dict)
    parameters: dict[str, Tensor] = field(default_factory=dict)


def again(
    call: RecordedCall,
    given: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    state: Mapping[str, Tensor],
    runnable: Callable[[nn.Module], nn.Module] | None = None,
) -> Again:
    """Run the layer of ``call`` on the tensors ``given``, then backward from ``gradients`` of what
    it gives, cast to its dtypes, where the call itself was to be differentiated.

    ``state`` are the parameters and buffers that the layer has meanwhile, its own where they are
    not in it; ``runnable`` makes of the layer what is called in its place. Raises whatever the
    layer raises."""
    layer = copy.deepcopy(call.layer)
    load(layer, state)
    inputs = [each.detach().clone() for each in given]
    for each, wanted in zip(inputs, call.differentiated, strict=True):
        each.requires_grad_(wanted)
    following = iter(inputs)
    # A layer may write into what it is given, which must then be no leaf.
    filled = [next(following).clone() if isinstance(each, Tensor) else each for each in call.given]
    arguments, keywords = pytree.tree_unflatten(filled, call.structure)
    device = inputs[0].device.type if inputs else "cpu"
    called = layer if runnable is None else runnable(layer)
    with torch.set_grad_enabled(call.grad), ExitStack() as stack:
        if call.autocast is not None:
            stack.enter_context(torch.autocast(device, call.autocast))
        outputs = flat_tensors(called(*arguments, **keywords))
    found = Again(
        dict(enumerate(each.detach() for each in outputs)),
        {name: buffer.detach().clone() for name, buffer in layer.named_buffers()},
    )
    _backward(found, layer, inputs, outputs, gradients)
    return found


def _backward(
    found: Again,
    layer: nn.Module,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
) -> None:
    ends = [
        (output, gradient.to(output))
        for output, gradient in zip(outputs, gradients, strict=False)
        if gradient is not None and output.requires_grad and output.shape == gradient.shape
    ]
    of_inputs = [(k, each) for k, each in enumerate(inputs) if each.requires_grad]
    of_layer = [(name, each) for name, each in layer.named_parameters() if each.requires_grad]
    sources = [each for _, each in of_inputs] + [each for _, each in of_layer]
    if not ends or not sources:
        return
    wanted = torch.autograd.grad(
        [output for output, _ in ends],
        sources,
        [gradient for _, gradient in ends],
        allow_unused=True,
    )
    for (position, _), gradient in zip(of_inputs, wanted, strict=False):
        if gradient is not None:
            found.inputs[position] = gradient
    for (name, _), gradient in zip(of_layer, wanted[len(of_inputs) :], strict=True):
        if gradient is not None:
            found.parameters[name] = gradient.to_dense() if gradient.is_sparse else gradient
