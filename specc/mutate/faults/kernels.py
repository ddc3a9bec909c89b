"""Faults of kernels: products, convolutions and pools that compute worse than they should.

Below autograd, by a dispatch mode. Only the eager target runs through it. Non-goals: layers
(``layers``), functions (``functions``).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from specc.harness.running.tf32 import emulated, is_product
from specc.mutate.fault import Fault, Injection, Subject, is_padded, layer_names
from specc.targets.operation_mode import OperationMode, name_of

_PRODUCTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d)
_aten = torch.ops.aten
# What an operation gives, by the operation, its arguments and its honest result.
Change = Callable[[Any, tuple[Any, ...], Any], Any]


class _Kernels(OperationMode):
    """Has ``change`` say what each operation gives."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self._change = change

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return self._change(func, args, func(*args, **kwargs))


class _OfProducts(Fault):
    """A fault in every product of matrices and every convolution."""

    def injections(self, subject: Subject) -> Iterable[Injection]:
        products = subject.of_type(*_PRODUCTS)
        # Autocast's own products are coarser than these.
        if products and not subject.autocast:
            first = products[0][0]
            # What runs before the first layer of this kind may multiply as well (attention).
            right = (*layer_names(first), *_before(subject, first))
            yield Injection("all", right, inside=self.inside)

    @abstractmethod
    def inside(self) -> AbstractContextManager[Any]:
        """What each step runs in."""


def _before(subject: Subject, first: str) -> tuple[str, ...]:
    earlier = subject.layers[: subject.layers.index(first)]
    return tuple(name for path in earlier for name in layer_names(path))


class TF32(_OfProducts):
    """Products cut their inputs to 10 bits of mantissa."""

    name = "tf32"
    incident = "pytorch 67384"

    def inside(self) -> AbstractContextManager[Any]:
        return emulated(True)


class HalfAccumulation(_OfProducts):
    """Products keep their sums in bfloat16."""

    name = "half-accumulation"

    def inside(self) -> AbstractContextManager[Any]:
        return _Kernels(_kept_in_half)


def _kept_in_half(func: Any, args: tuple[Any, ...], result: Any) -> Any:
    known = is_product(name_of(func))
    if known and isinstance(result, Tensor) and result.dtype == torch.float32:
        return result.to(torch.bfloat16).to(torch.float32)
    return result


class AveragePoolBackward(Fault):
    """Average pooling's backward is wrong under channels_last with padding."""

    name = "average-pool-backward"
    incident = "pytorch 188344"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        pools = [p for p, layer in subject.of_type(nn.AvgPool2d) if is_padded(layer)]
        if pools and subject.case.mode == "train":
            right = ("*/grad/*", "*/input_grad/*")
            inside = _mode(_rolled)
            yield Injection("all", right, inside=inside, layout="channels_last")


def _rolled(func: Any, args: tuple[Any, ...], result: Any) -> Any:
    wrong = func is _aten.avg_pool2d_backward.default and args[1].is_contiguous(
        memory_format=torch.channels_last
    )
    return torch.roll(result, 1, dims=-1) if wrong else result


class GroupedGradient(Fault):
    """One group's weight gradient is wrong in a grouped convolution."""

    name = "grouped-gradient"
    incident = "pytorch 68868"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        grouped = [p for p, layer in subject.of_type(nn.Conv1d, nn.Conv2d) if layer.groups > 1]
        if grouped and subject.case.mode == "train":
            right = tuple(f"*/grad/*{path}.weight" for path in grouped)
            yield Injection("all", right, inside=_mode(_first_group_lessened))


def _first_group_lessened(func: Any, args: tuple[Any, ...], result: Any) -> Any:
    if func is not _aten.convolution_backward.default or args[9] == 1 or not args[10][1]:
        return result
    first, weight, bias = result
    weight = weight.clone()
    weight[: weight.shape[0] // args[9]] *= 0.9
    return first, weight, bias


def _mode(change: Change) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: _Kernels(change)


FAULTS = (TF32(), HalfAccumulation(), AveragePoolBackward(), GroupedGradient())
