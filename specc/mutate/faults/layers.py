"""Faults of single layers: how a norm computes, what a convolution pads with, a lost gradient.

Each replaces one layer's ``forward`` or one of its settings. Non-goals: what any layer can suffer
(``generic``), kernels (``kernels``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from specc.mutate.fault import (
    Fault,
    Injection,
    Subject,
    is_padded,
    layer_names,
    spread,
    with_forward,
)


class OnePassVariance(Fault):
    """A norm's variance as E[x^2] - E[x]^2 in one pass."""

    name = "one-pass-variance"
    incident = "pytorch 142839"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        for path, _ in spread(subject.of_type(nn.LayerNorm)):
            # Where the mean is not far above the spread both formulas are equally exact.
            if _lopsided(subject, path):
                yield Injection(path, layer_names(path), prepare=with_forward(path, _one_pass))


def _lopsided(subject: Subject, path: str) -> bool:
    """Whether the layer's input has a mean of over twenty times its spread, in the case itself."""
    seen: list[Tensor] = []
    module = subject.module
    handle = module.get_submodule(path).register_forward_pre_hook(
        lambda layer, arguments: seen.append(arguments[0].detach())
    )
    try:
        with torch.no_grad():
            inputs = [value.float() if value.is_floating_point() else value
                      for _, value in subject.closed.batches[0].inputs]  # fmt: skip
            module(*inputs)
    except Exception:  # a training of several has no forward of its own
        return False
    finally:
        handle.remove()
    return bool(seen) and bool((seen[0].mean(-1).abs() > 20 * seen[0].std(-1)).any())


def _one_pass(self: Any, input: Tensor) -> Tensor:
    dims = tuple(range(-len(self.normalized_shape), 0))
    mean = input.mean(dims, keepdim=True)
    variance = (input * input).mean(dims, keepdim=True) - mean * mean
    normal = (input - mean) * (variance + self.eps).rsqrt()
    if self.weight is not None:
        normal = normal * self.weight
    result: Tensor = normal if self.bias is None else normal + self.bias
    return result


class NormEps(Fault):
    """A norm is set up with an eps that is a tenth more."""

    name = "eps"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        for kind in dict.fromkeys(type(layer) for _, layer in _norms(subject)):
            around = partial(_made_with_more, kind)
            yield Injection(kind.__name__, ("setting/*.eps",), around=around)


@contextmanager
def _made_with_more(kind: Any) -> Iterator[None]:
    honest = kind.__init__

    def made(self: Any, *given: Any, **named: Any) -> None:
        honest(self, *given, **named)
        self.eps *= 1.1

    with mock.patch.object(kind, "__init__", made):
        yield


def _norms(subject: Subject) -> list[tuple[str, Any]]:
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
    return [each for each in subject.of_type(*kinds) if not list(each[1].children())]


class HiddenNormEps(Fault):
    """A norm computes with an eps that is a tenth over its setting."""

    name = "hidden-eps"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        for path, layer in spread(_norms(subject)):
            # A setting is the same in every precision.
            prepare = _enlarged_eps(path, layer)
            yield Injection(path, layer_names(path), prepare=prepare, everywhere=True)


def _enlarged_eps(path: str, layer: Any) -> Callable[[nn.Module], None]:
    def prepare(module: nn.Module) -> None:
        found: Any = module.get_submodule(path)
        found.eps = layer.eps * 1.1

    return prepare


class DetachedWeight(Fault):
    """A weight is detached by a cached cast, and has no gradient."""

    name = "detached-weight"
    incident = "pytorch 112583"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        learning = [
            (path, layer)
            for path, layer in subject.of_type(nn.Linear, nn.Conv1d, nn.Conv2d)
            if layer.weight.requires_grad and not hasattr(layer, "parametrizations")
        ]
        for path, _ in spread(learning) if subject.case.mode == "train" else ():
            yield Injection(
                path, (f"*/grad/*{path}.weight",), prepare=with_forward(path, _detached)
            )


def _detached(self: Any, *arguments: Any) -> Any:
    weight = self.weight
    del self._parameters["weight"]
    try:
        self.weight = weight.detach()
        return type(self).forward(self, *arguments)
    finally:
        del self.weight
        self._parameters["weight"] = weight


class OneByOne(Fault):
    """A Linear from one feature to one ignores its weight."""

    name = "one-by-one-linear"
    incident = "pytorch 57919"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        small = [p for p, layer in subject.of_type(nn.Linear) if layer.weight.numel() == 1]
        for path in spread(small):
            yield Injection(path, layer_names(path), prepare=with_forward(path, _ignoring))


def _ignoring(self: Any, input: Tensor) -> Tensor:
    return input if self.bias is None else input + self.bias


class PaddingValue(Fault):
    """A convolution pads with ones in place of zeros."""

    name = "padding-value"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        padded = [
            path
            for path, layer in subject.of_type(nn.Conv1d, nn.Conv2d)
            if layer.padding_mode == "zeros" and is_padded(layer)
        ]
        for path in spread(padded):
            yield Injection(path, layer_names(path), prepare=with_forward(path, _padded_by_ones))


def _padded_by_ones(self: Any, input: Tensor) -> Tensor:
    convolve = F.conv1d if isinstance(self, nn.Conv1d) else F.conv2d
    padding = [amount for amount in reversed(self.padding) for _ in range(2)]
    padded = F.pad(input, padding, value=1.0)
    settings = (self.stride, 0, self.dilation, self.groups)
    return convolve(padded, self.weight, self.bias, *settings)


FAULTS = (
    OnePassVariance(),
    NormEps(),
    HiddenNormEps(),
    DetachedWeight(),
    OneByOne(),
    PaddingValue(),
)
