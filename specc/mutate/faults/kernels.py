"""Faults in what torch's operations compute, forward or backward.

Below autograd, by a dispatch mode, where the fault is a kernel's; at ``torch.nn.functional`` where
it is a function's. Only the eager target runs through both. Non-goals: optimizers.
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
from torch.utils._python_dispatch import TorchDispatchMode

from specc.harness.tf32 import rounded
from specc.mutate.fault import Fault, Injection, Subject, layer_names, spread

_PRODUCTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d)
_aten = torch.ops.aten
_MATMULS = {
    _aten.mm.default: (0, 1),
    _aten.bmm.default: (0, 1),
    _aten.addmm.default: (1, 2),
    _aten.baddbmm.default: (1, 2),
    _aten.convolution.default: (0, 1),
    _aten.convolution_backward.default: (0, 1, 2),
}
_ANY = ("*/layer/*", "*/output/*", "*/loss/*")


class _Kernels(TorchDispatchMode):
    """Has ``change`` compute the operations of ``names`` (packets such as ``aten.mm``)."""

    def __init__(self, change: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own has no annotations
        self._change = change

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return self._change(func, args, kwargs or {})


class _OfProducts(Fault):
    """A fault in every product of matrices and every convolution."""

    def injections(self, subject: Subject) -> Iterable[Injection]:
        products = subject.of_type(*_PRODUCTS)
        if products:
            first = products[0][0]
            # What runs before the first layer of this kind may multiply as well (attention).
            yield Injection(
                "all", (*layer_names(first), *_before(subject, first)), inside=self.mode
            )

    def mode(self) -> TorchDispatchMode:
        """The mode that the run is in."""

        def change(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            positions = _MATMULS.get(func)
            if positions is None:
                return func(*args, **kwargs)
            return self.compute(func, args, kwargs, positions)

        return _Kernels(change)

    def compute(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], positions: tuple[int, ...]
    ) -> Any:
        """The operation with the fault; ``positions`` are those of what is multiplied."""
        raise NotImplementedError


def _before(subject: Subject, first: str) -> tuple[str, ...]:
    earlier = subject.layers[: subject.layers.index(first)]
    return tuple(name for path in earlier for name in layer_names(path))


class TF32(_OfProducts):
    """Products cut their inputs to 10 bits of mantissa."""

    name = "tf32"
    incident = "pytorch 67384"

    def compute(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], positions: tuple[int, ...]
    ) -> Any:
        cut = [
            rounded(value) if position in positions and isinstance(value, Tensor) else value
            for position, value in enumerate(args)
        ]
        return func(*cut, **kwargs)


class HalfAccumulation(_OfProducts):
    """Products keep their sums in bfloat16."""

    name = "half-accumulation"

    def compute(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], positions: tuple[int, ...]
    ) -> Any:
        result = func(*args, **kwargs)
        if isinstance(result, Tensor) and result.dtype == torch.float32:
            return result.to(torch.bfloat16).to(torch.float32)
        return result


class OnePassVariance(Fault):
    """A norm's variance as E[x^2] - E[x]^2 in one pass."""

    name = "one-pass-variance"
    incident = "pytorch 142839"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        for path, layer in spread(subject.of_type(nn.LayerNorm)):
            # Where the mean is not far above the spread both formulas are equally exact.
            if _lopsided(subject, path):
                yield Injection(path, layer_names(path), prepare=_one_pass(path, layer))


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


def _one_pass(path: str, layer: Any) -> Callable[[nn.Module], None]:
    def forward(self: Any, input: Tensor) -> Tensor:
        dims = tuple(range(-len(self.normalized_shape), 0))
        mean = input.mean(dims, keepdim=True)
        variance = (input * input).mean(dims, keepdim=True) - mean * mean
        normal = (input - mean) * (variance + self.eps).rsqrt()
        if self.weight is not None:
            normal = normal * self.weight
        result: Tensor = normal if self.bias is None else normal + self.bias
        return result

    def prepare(module: nn.Module) -> None:
        found: Any = module.get_submodule(path)
        found.forward = forward.__get__(found)

    return prepare


class RunningStatistics(Fault):
    """BatchNorm's update of its running statistics is lost."""

    name = "running-statistics"
    incident = "pytorch 33867"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        norms = subject.of_type(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
        if subject.case.mode == "train" and norms:
            yield Injection("all", ("*/buffer/*",), around=_lost_statistics)


@contextmanager
def _lost_statistics() -> Iterator[None]:
    honest = F.batch_norm

    def batch_norm(input: Tensor, mean: Any, variance: Any, *rest: Any, **named: Any) -> Tensor:
        kept = [None if each is None else each.clone() for each in (mean, variance)]
        result: Tensor = honest(input, kept[0], kept[1], *rest, **named)
        return result

    with mock.patch.object(F, "batch_norm", batch_norm):
        yield


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
            yield Injection(path, layer_names(path), prepare=_enlarged_eps(path, layer))


def _enlarged_eps(path: str, layer: Any) -> Callable[[nn.Module], None]:
    def prepare(module: nn.Module) -> None:
        found: Any = module.get_submodule(path)
        found.eps = layer.eps * 1.1

    return prepare


class AveragePoolBackward(Fault):
    """Average pooling's backward is wrong under channels_last with padding."""

    name = "average-pool-backward"
    incident = "pytorch 188344"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        pools = [p for p, layer in subject.of_type(nn.AvgPool2d) if _positive(layer.padding)]
        if pools and subject.case.mode == "train":
            right = ("*/grad/*", "*/input_grad/*")
            yield Injection("all", right, inside=self.mode, layout="channels_last")

    def mode(self) -> TorchDispatchMode:
        """The mode that the run is in."""

        def change(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            result = func(*args, **kwargs)
            if func is _aten.avg_pool2d_backward.default:
                if args[1].is_contiguous(memory_format=torch.channels_last):
                    return torch.roll(result, 1, dims=-1)
            return result

        return _Kernels(change)


def _positive(setting: Any) -> bool:
    values = setting if isinstance(setting, tuple) else (setting,)
    return any(isinstance(value, int) and value > 0 for value in values)


class GroupedGradient(Fault):
    """One group's weight gradient is wrong in a grouped convolution."""

    name = "grouped-gradient"
    incident = "pytorch 68868"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        grouped = [p for p, layer in subject.of_type(nn.Conv1d, nn.Conv2d) if layer.groups > 1]
        if grouped and subject.case.mode == "train":
            yield Injection("all", tuple(f"*/grad/*{p}.weight" for p in grouped), inside=self.mode)

    def mode(self) -> TorchDispatchMode:
        """The mode that the run is in."""

        def change(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            result = func(*args, **kwargs)
            if func is _aten.convolution_backward.default and args[9] > 1 and args[10][1]:
                first, weight, bias = result
                weight = weight.clone()
                weight[: weight.shape[0] // args[9]] *= 0.9
                return first, weight, bias
            return result

        return _Kernels(change)


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
            yield Injection(path, (f"*/grad/*{path}.weight",), prepare=_detached(path))


def _detached(path: str) -> Callable[[nn.Module], None]:
    def prepare(module: nn.Module) -> None:
        layer: Any = module.get_submodule(path)
        honest = layer.forward

        def forward(*arguments: Any) -> Any:
            weight = layer.weight
            del layer._parameters["weight"]
            try:
                layer.weight = weight.detach()
                return honest(*arguments)
            finally:
                del layer.weight
                layer._parameters["weight"] = weight

        layer.forward = forward

    return prepare


class LabelSmoothing(Fault):
    """Label smoothing counts the samples that are ignored."""

    name = "label-smoothing"
    incident = "pytorch 73205"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        if "label_smoothing=" in subject.source and "ignore_index=" in subject.source:
            yield Injection("loss", ("*/loss/*",), around=_counting)


@contextmanager
def _counting() -> Iterator[None]:
    honest = F.cross_entropy

    def cross_entropy(input: Tensor, target: Tensor, *rest: Any, **named: Any) -> Tensor:
        smoothing = named.get("label_smoothing", 0.0)
        ignored = target == named.get("ignore_index", -100)
        loss: Tensor = honest(input, target, *rest, **named)
        if not smoothing or not bool(ignored.any()):
            return loss
        # The uniform part's mean runs over every sample, those that are ignored among them.
        uniform = -F.log_softmax(input, dim=1).mean(dim=1)
        kept = uniform[~ignored]
        smoothed: Tensor = loss + smoothing * (uniform.mean() - kept.mean())
        return smoothed

    with mock.patch.object(F, "cross_entropy", cross_entropy):
        yield


class ApproximateGELU(Fault):
    """Two coefficients of the approximate GELU swapped."""

    name = "approximate-gelu"
    incident = "transformers 11514"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        if "approximate='tanh'" in subject.source or 'approximate="tanh"' in subject.source:
            yield Injection("all", _ANY, around=_swapped)


@contextmanager
def _swapped() -> Iterator[None]:
    honest = F.gelu

    def gelu(input: Tensor, approximate: str = "none") -> Tensor:
        if approximate != "tanh":
            plain: Tensor = honest(input, approximate=approximate)
            return plain
        inner = 0.044715 * (input + 0.7978845608028654 * input.pow(3))
        result: Tensor = 0.5 * input * (1.0 + torch.tanh(inner))
        return result

    with mock.patch.object(F, "gelu", gelu):
        yield


class OneByOne(Fault):
    """A Linear from one feature to one ignores its weight."""

    name = "one-by-one-linear"
    incident = "pytorch 57919"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        small = [p for p, layer in subject.of_type(nn.Linear) if layer.weight.numel() == 1]
        for path in spread(small):
            yield Injection(path, layer_names(path), prepare=_ignoring(path))


def _ignoring(path: str) -> Callable[[nn.Module], None]:
    def prepare(module: nn.Module) -> None:
        layer: Any = module.get_submodule(path)
        layer.forward = lambda input: input if layer.bias is None else input + layer.bias

    return prepare


class PaddingValue(Fault):
    """A convolution pads with ones in place of zeros."""

    name = "padding-value"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        padded = [
            path
            for path, layer in subject.of_type(nn.Conv1d, nn.Conv2d)
            if layer.padding_mode == "zeros" and _positive(layer.padding)
        ]
        for path in spread(padded):
            yield Injection(path, layer_names(path), prepare=_padded_by_ones(path))


def _padded_by_ones(path: str) -> Callable[[nn.Module], None]:
    def prepare(module: nn.Module) -> None:
        layer: Any = module.get_submodule(path)
        padding = [amount for amount in reversed(layer.padding) for _ in range(2)]
        convolve = F.conv1d if isinstance(layer, nn.Conv1d) else F.conv2d

        def forward(input: Tensor) -> Tensor:
            padded = F.pad(input, padding, value=1.0)
            settings = (layer.stride, 0, layer.dilation, layer.groups)
            return convolve(padded, layer.weight, layer.bias, *settings)

        layer.forward = forward

    return prepare


FAULTS = (
    TF32(),
    HalfAccumulation(),
    OnePassVariance(),
    RunningStatistics(),
    NormEps(),
    HiddenNormEps(),
    AveragePoolBackward(),
    GroupedGradient(),
    DetachedWeight(),
    LabelSmoothing(),
    ApproximateGELU(),
    OneByOne(),
    PaddingValue(),
)
