"""specc: a small language for neural models, a compiler to plain PyTorch, goldens that guard the
numbers.

::

    import specc

    module = specc.load("specs/mnist_cnn.spec")  # a torch.nn.Module
    specc.check("specs/mnist_cnn.spec")  # a list of diagnostics, without torch

Importing this package imports nothing else: each name is looked up where it lives when it is first
used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from specc.api import build, check, load, loads
    from specc.errors import (
        CallError,
        Diagnostic,
        GoldenError,
        Span,
        SpeccError,
        SpecError,
        TargetError,
    )

__all__ = [
    "CallError",
    "Diagnostic",
    "GoldenError",
    "Span",
    "SpecError",
    "SpeccError",
    "TargetError",
    "__version__",
    "build",
    "check",
    "load",
    "loads",
]

_HOMES = {
    "build": "specc.api",
    "check": "specc.api",
    "load": "specc.api",
    "loads": "specc.api",
    "CallError": "specc.errors",
    "Diagnostic": "specc.errors",
    "GoldenError": "specc.errors",
    "Span": "specc.errors",
    "SpecError": "specc.errors",
    "SpeccError": "specc.errors",
    "TargetError": "specc.errors",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("specc")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'specc' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
