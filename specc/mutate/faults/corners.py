"""Faults at the corners of what a model is given: padding, ignored labels, ends, whole masks, ties.

Each applies wherever a spec can have such a value, so that one that is not drawn shows as a fault
that is not caught. Non-goals: drawing them (``specc.harness.cases.corners``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from specc.harness.cases.case import Batch, ClosedCase
from specc.harness.cases.input_roles import Role, roles_of
from specc.mutate.fault import (
    Fault,
    Injection,
    Subject,
    in_place_of,
    is_padded,
    layer_names,
    spread,
    with_forward,
)

# What torch has there, whatever stands in its place.
_LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "nll_loss": F.nll_loss,
}
_ctc_loss = F.ctc_loss


class PaddingEntry(Fault):
    """An Embedding does not know its padding entry."""

    name = "padding-entry"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        padded = [
            path
            for path, layer in subject.of_type(nn.Embedding, nn.EmbeddingBag)
            if any(layer.padding_idx in role.special for role, _ in _drawn(subject))
        ]
        for path in spread(padded) if subject.case.mode == "train" else ():
            names = (f"*/grad/*{path}.weight", *layer_names(path))
            yield Injection(path, names, prepare=with_forward(path, _not_padded))


def _not_padded(self: Any, *given: Any) -> Tensor:
    padding = self.padding_idx
    self.padding_idx = None
    try:
        found: Tensor = type(self).forward(self, *given)
    finally:
        self.padding_idx = padding
    return found


class IgnoredLabel(Fault):
    """A loss counts the labels that it should ignore."""

    name = "ignored-label"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        if any(_can_be_ignored(role, tensor) for role, tensor in _drawn(subject)):
            yield from _in_losses(subject, _counting)


def _can_be_ignored(role: Role, tensor: Tensor) -> bool:
    within = any(value >= 0 for value in role.ignored)
    return tensor.numel() > 2 and within


def _counting(name: str) -> Callable[..., Tensor]:
    def stand_in(input: Tensor, target: Tensor, *rest: Any, **named: Any) -> Tensor:
        named.pop("ignore_index", None)
        return _LOSSES[name](input, target, *rest, **named)

    return stand_in


class LastLabel(Fault):
    """A loss takes the last class for the one before it."""

    name = "last-label"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        if any(role.losses and tensor.numel() > 2 for role, tensor in _drawn(subject)):
            yield from _in_losses(subject, _short_of_a_class)


def _short_of_a_class(name: str) -> Callable[..., Tensor]:
    def stand_in(input: Tensor, target: Tensor, *rest: Any, **named: Any) -> Tensor:
        if not target.is_floating_point():
            target = target.clamp(max=input.shape[min(1, input.dim() - 1)] - 2)
        return _LOSSES[name](input, target, *rest, **named)

    return stand_in


def _in_losses(
    subject: Subject, stand_in: Callable[[str], Callable[..., Tensor]]
) -> Iterator[Injection]:
    for name in _LOSSES:
        if f"F.{name}(" in subject.source:
            around = in_place_of(F, name, stand_in(name))
            yield Injection(name, ("*/loss/*", "*/layer/*", "*/output/*"), around=around)


class WholeRow(Fault):
    """A row of a mask that holds everywhere is taken for one that holds nowhere."""

    name = "whole-row"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        closed = subject.closed
        turned = replace(closed, batches=tuple(_turned(batch) for batch in closed.batches))
        if not _equal(turned, closed):
            right = ("*/layer/*", "*/output/*", "*/loss/*", "*/input_grad/*")
            yield Injection("masks", right, closed=turned)


def _turned(batch: Batch) -> Batch:
    def without(part: tuple[tuple[str, Tensor], ...]) -> tuple[tuple[str, Tensor], ...]:
        return tuple(
            (name, mask & ~mask.all(-1, keepdim=True) if _is_mask(mask) else mask)
            for name, mask in part
        )

    return Batch(without(batch.inputs), without(batch.labels))


def _is_mask(tensor: Tensor) -> bool:
    return tensor.dtype == torch.bool and tensor.dim() > 1 and tensor.shape[-1] > 1


def _equal(one: ClosedCase, other: ClosedCase) -> bool:
    return all(
        torch.equal(left, right)
        for ours, theirs in zip(one.batches, other.batches, strict=True)
        for (_, left), (_, right) in zip(
            (*ours.inputs, *ours.labels), (*theirs.inputs, *theirs.labels), strict=True
        )
    )


class ImpossibleAlignment(Fault):
    """CTC keeps the infinity of an alignment that cannot be."""

    name = "impossible-alignment"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        batch = subject.closed.batches[0]
        several = {name for name, tensor in (*batch.inputs, *batch.labels) if tensor.numel() > 1}
        found = roles_of(subject.program).alignments
        if any(each.zero_infinity and each.input_lengths in several for each in found):
            around = in_place_of(F, "ctc_loss", _keeping_infinity)
            yield Injection("ctc_loss", ("*/loss/*", "*/layer/*", "*/output/*"), around=around)


def _keeping_infinity(*given: Any, **named: Any) -> Tensor:
    return _ctc_loss(*given, **(named | {"zero_infinity": False}))


class LastOfTies(Fault):
    """A maximum pool gives the gradient to the last of equal elements."""

    name = "last-of-ties"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        pools = [
            path
            for path, layer in subject.of_type(nn.MaxPool1d, nn.MaxPool2d)
            if not is_padded(layer) and layer.dilation == 1 and layer.kernel_size == layer.stride
        ]
        for path in pools if subject.case.mode == "train" else ():
            if _reads_an_input(subject, path):
                right = ("*/input_grad/*", "*/grad/*")
                yield Injection(path, right, prepare=with_forward(path, _backwards))


def _reads_an_input(subject: Subject, path: str) -> bool:
    """Whether the layer is given one of the model's inputs as it is."""
    seen: list[Tensor] = []
    inputs = [
        tensor.float() if tensor.is_floating_point() else tensor
        for _, tensor in subject.closed.batches[0].inputs
    ]
    handle = subject.module.get_submodule(path).register_forward_pre_hook(
        lambda layer, arguments: seen.append(arguments[0])
    )
    try:
        with torch.no_grad():
            subject.module(*inputs)
    except Exception:  # a training of several has no forward of its own
        return False
    finally:
        handle.remove()
    return any(torch.equal(seen[0], tensor) for tensor in inputs) if seen else False


def _backwards(self: Any, input: Tensor) -> Tensor:
    dims = tuple(range(-1, -1 - (1 if isinstance(self, nn.MaxPool1d) else 2), -1))
    # What does not fill a window is left out at the end: let it be so from the other side too.
    size = self.kernel_size if isinstance(self.kernel_size, int) else self.kernel_size[-1]
    for dim in dims:
        input = input.narrow(dim, 0, input.shape[dim] // size * size)
    found: Tensor = type(self).forward(self, input.flip(dims)).flip(dims)
    return found


def _drawn(subject: Subject) -> Iterator[tuple[Role, Tensor]]:
    """Each input of the first batch that is drawn, with its role."""
    roles = roles_of(subject.program).of
    read = {name for name, _ in subject.program.test.samples}
    batch = subject.closed.batches[0]
    for name, tensor in (*batch.inputs, *batch.labels):
        if name not in read:
            yield roles[name], tensor


FAULTS = (
    PaddingEntry(),
    IgnoredLabel(),
    LastLabel(),
    WholeRow(),
    ImpossibleAlignment(),
    LastOfTies(),
)
