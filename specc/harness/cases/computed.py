"""What the expressions of a module's own parameters and buffers give, to float64.

A constructor computes them in torch's default precision, and the last bit of a logarithm is
another one on another machine: a case holds them as float64 gives them, on its own grid. Non-goals:
what initialisers draw (``case``), whether the class gives what the spec says (``initial_weights``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from specc.emit import emit
from specc.harness.cases import subject
from specc.ir import Module, Program
from specc.targets.live import module_class


def names_of(whole: Module) -> tuple[str, ...]:
    """The parameters and buffers whose values an expression gives, by their full names."""
    return tuple(f"{prefix}{state.name}" for prefix, state in whole.all_states if state.computed)


def values_of(program: Program, source: str | None = None) -> dict[str, Tensor]:
    """The values by full name, float64 or whole numbers, as the class of ``source`` computes them;
    without it, as the class that the program is emitted as does. What that class has under another
    name, or not at all, is left out."""
    whole = program.subject()
    names = names_of(whole)
    if not names:
        return {}
    text = _emitted(subject.Key(program)) if source is None else source
    found = _computed(text, whole.name, PurePath(program.file).stem)
    return {name: found[name] for name in names if name in found}


@lru_cache(maxsize=4)
def _emitted(key: subject.Key) -> str:
    return emit(key.program)


@lru_cache(maxsize=4)
def _computed(source: str, name: str, stem: str) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]), _InFloat64():
        module = module_class(source, name, stem)()
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


class _InFloat64(TorchFunctionMode):
    """While open, what comes out in torch's default precision is computed again in float64: of
    whole numbers, and of nothing but sizes. No other thread sees it."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        found = func(*args, **given)
        if not isinstance(found, Tensor) or found.dtype != torch.float32:
            return found
        if func.__name__.endswith("_") and not func.__name__.endswith("__"):
            return found  # in place
        if any(map(_has_tensor, args)):
            again = func(*(_wide(each) for each in args), **given)
        else:
            again = func(*args, **{**given, "dtype": torch.float64})
        return again.double() if again.dtype == torch.float32 else again


def _has_tensor(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_has_tensor, value))
    return isinstance(value, Tensor)


def _wide(value: Any) -> Any:
    if type(value) in (list, tuple):
        return type(value)(_wide(each) for each in value)
    if not isinstance(value, Tensor) or value.dtype == torch.bool:
        return value
    return value if value.is_floating_point() or value.is_complex() else value.double()
