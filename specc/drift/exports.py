"""What the installed torch exports of each kind, as names.

What counts: classes by their base and module, functions by the namespace that documents them. What
Python itself leaves in those namespaces (imports, helpers of the dispatcher) does not. Non-goal:
signatures.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any, Final

# Modules whose functions other namespaces merely import.
_HELPERS: Final = ("torch.overrides", "torch._jit_internal", "torch._C", "typing")
# Functions of torch itself and of torch.linalg, fft and special: rows of the kind ``function``, and
# a count of their own.
TENSORS: Final = "tensor function"
_HELPER_NAMES: Final = ("assert_int_or_pair",)


def exported(kind: str) -> frozenset[str]:
    """The names of ``kind`` that the installed torch exports; empty for the kinds that are specc's
    own, and for metrics, whose names are torchmetrics'."""
    find = _EXPORTS.get(kind)
    return frozenset(find()) if find else frozenset()


def torch_version() -> tuple[int, int]:
    """(2, 13) of the installed torch."""
    import torch

    major, minor = torch.__version__.split(".")[:2]
    return int(major), int(minor)


def _layers() -> list[str]:
    losses = set(_losses())
    return [name for name in _modules() if name not in losses]


def _losses() -> list[str]:
    from torch.nn.modules import loss

    return [name for name, found in _modules().items() if found.__module__ == loss.__name__]


def _modules() -> dict[str, type[Any]]:
    from torch import nn

    return {
        name: found
        for name, found in vars(nn).items()
        if inspect.isclass(found) and issubclass(found, nn.Module) and not name.startswith("_")
    }


def _functions() -> list[str]:
    from torch.nn import functional

    return [
        name
        for name, found in _public(functional).items()
        if callable(found)
        and not inspect.isclass(found)
        and getattr(found, "__module__", "") not in _HELPERS
        and name not in _HELPER_NAMES
    ]


def _tensor_functions() -> list[str]:
    """What torch dispatches on its tensor arguments: it lists that itself. Not what makes tensors
    of sizes alone, and not what changes its argument."""
    import torch
    from torch.overrides import get_overridable_functions

    overridable = get_overridable_functions()
    found: set[str] = set()
    for namespace in (torch, torch.functional, torch.linalg, torch.fft, torch.special):
        known = {id(each) for each in overridable.get(namespace, ())}
        found |= {
            name
            for name, each in _public(namespace).items()
            if id(each) in known and not inspect.isclass(each) and not name.endswith("_")
        }
    return sorted(found)


def _optimizers() -> list[str]:
    from torch import optim

    base = optim.Optimizer
    return [
        name
        for name, found in _public(optim).items()
        if inspect.isclass(found) and issubclass(found, base) and found is not base
    ]


def _schedulers() -> list[str]:
    from torch.optim import lr_scheduler

    base = lr_scheduler.LRScheduler
    return [
        name
        for name, found in _public(lr_scheduler).items()
        if inspect.isclass(found) and issubclass(found, base) and found is not base
    ]


def _initialisers() -> list[str]:
    from torch.nn import init

    return [name for name in _public(init) if name.endswith("_")]


def _parametrizations() -> list[str]:
    from torch.nn.utils import parametrizations

    return list(parametrizations.__all__)


def _public(namespace: ModuleType) -> dict[str, Any]:
    return {name: found for name, found in vars(namespace).items() if not name.startswith("_")}


_EXPORTS: Final = {
    "layer": _layers,
    "loss": _losses,
    "function": _functions,
    TENSORS: _tensor_functions,
    "optimizer": _optimizers,
    "scheduler": _schedulers,
    "initialiser": _initialisers,
    "parametrization": _parametrizations,
}
