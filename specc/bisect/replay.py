"""One operation on its own: its arguments written down, read back, run in both precisions.

Arguments are written as data, with a word for each kind that is none in JSON; an operation is
looked up among torch's own by its name. What cannot be written is not replayed. Non-goal: which
operation (``operations``).
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from specc.bisect import results as files
from specc.errors import CallError

_WORDS = {
    torch.dtype: "dtype",
    torch.memory_format: "memory_format",
    torch.layout: "layout",
}
_NAME = re.compile(r"aten\.([A-Za-z_]\w*)\.(\w+)")


def encoded(value: Any, tensors: list[Tensor]) -> Any:
    """``value`` as JSON has it; its tensors are added to ``tensors``."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return {"tensor": len(tensors) - 1}
    if isinstance(value, (list, tuple)):
        return [encoded(each, tensors) for each in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    for kind, word in _WORDS.items():
        if isinstance(value, kind):
            return {word: str(value).removeprefix("torch.")}
    if isinstance(value, torch.device):
        return {"device": str(value)}
    return {"other": type(value).__name__}


def _decoded(value: Any, tensors: Sequence[Tensor]) -> Any:
    """What ``encoded`` was given. Raises ValueError."""
    if isinstance(value, list):
        return [_decoded(each, tensors) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError("an argument of an unknown form")
    ((word, of),) = value.items()
    if word == "tensor" and isinstance(of, int) and 0 <= of < len(tensors):
        return tensors[of]
    if word == "float" and of in ("inf", "-inf", "nan"):
        return float(of)
    if word == "device":
        return torch.device("cpu")
    for kind, name in _WORDS.items():
        found = getattr(torch, str(of), None) if word == name else None
        if isinstance(found, kind):
            return found
    raise ValueError(f"an argument that cannot be written down ({word} {str(of)[:40]})")


def results(
    func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any
) -> list[Tensor]:
    """The tensors that ``func`` gave, or wrote into where it gives nothing."""
    found: list[Tensor] = []
    encoded(result, found)
    if found:
        return found
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = kwargs.get(argument.name, args[position] if position < len(args) else None)
            encoded(value, found)
    return found


def keep(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], folder: Path) -> None:
    """Write ``func`` and its arguments, as they are now, into ``folder``."""
    tensors: list[Tensor] = []
    positional = [encoded(each, tensors) for each in args]
    keywords = {name: encoded(each, tensors) for name, each in kwargs.items()}
    if any(each.is_sparse or each._is_zerotensor() for each in tensors):
        return
    strides = [list(each.stride()) for each in tensors]
    kept = files.OperationInputs(
        name=str(func), positional=positional, keywords=keywords, strides=strides
    )
    numbers = {str(k): each.resolve_conj().resolve_neg() for k, each in enumerate(tensors)}
    files.write_tensors(numbers, folder / files.TENSORS)
    files.write(kept, folder / files.ARGUMENTS)


def replay(source: Path, folder: Path) -> None:
    """Run the operation that ``keep`` wrote into ``source``, as it was and in float64; what it
    gives is put into ``folder``. Raises CallError (E0717) where it cannot be done."""
    kept = files.read(files.OperationInputs, source / files.ARGUMENTS)
    stored = files.read_tensors(source / files.TENSORS)
    try:
        tensors = [_laid_out(stored[str(k)], stride) for k, stride in enumerate(kept.strides)]
        func = _operation(kept.name)
        found = {f"plain/{k}": each for k, each in enumerate(_run(func, kept, tensors))}
        with contextlib.suppress(Exception):  # what has no kernel in float64 is told by its absence
            wide = [each.double() if each.is_floating_point() else each for each in tensors]
            exact = _run(func, _wide(kept), wide)
            found |= {f"double/{k}": each for k, each in enumerate(exact)}
    except (ValueError, KeyError) as error:
        raise CallError("E0717", f"{kept.name} cannot be replayed: {error}") from None
    except Exception as error:  # an operation of another version may raise anything
        text = f"{type(error).__name__}: {error}"[:300]
        raise CallError("E0717", f"{kept.name} stops when it is replayed: {text}") from None
    files.write_tensors(
        {
            k: torch.view_as_real(v.resolve_conj()) if v.is_complex() else v
            for k, v in found.items()
        },
        folder / files.REPLAYED,
    )


def _run(func: Any, kept: files.OperationInputs, tensors: Sequence[Tensor]) -> list[Tensor]:
    own = [_copied(each) for each in tensors]
    args = tuple(_decoded(each, own) for each in kept.positional)
    kwargs = {name: _decoded(each, own) for name, each in kept.keywords.items()}
    with torch.no_grad():
        return results(func, args, kwargs, func(*args, **kwargs))


def _copied(tensor: Tensor) -> Tensor:
    return _laid_out(tensor, list(tensor.stride()))


def _wide(kept: files.OperationInputs) -> files.OperationInputs:
    """``kept`` with each floating-point dtype among its arguments as float64."""

    def widened(value: Any) -> Any:
        if isinstance(value, list):
            return [widened(each) for each in value]
        if isinstance(value, dict) and "dtype" in value:
            dtype = getattr(torch, str(value["dtype"]), None)
            floating = isinstance(dtype, torch.dtype) and dtype.is_floating_point
            return {"dtype": "float64"} if floating else value
        return value

    keywords = {name: widened(each) for name, each in kept.keywords.items()}
    return kept.model_copy(
        update={"positional": [widened(each) for each in kept.positional], "keywords": keywords}
    )


def _laid_out(tensor: Tensor, stride: list[int]) -> Tensor:
    """A copy of ``tensor`` with ``stride``, where each element has a place of its own there."""
    if len(stride) != tensor.dim():
        raise ValueError("strides of another tensor")
    reach = sum((n - 1) * s for n, s in zip(tensor.shape, stride, strict=True)) + 1
    alone = all(s > 0 for n, s in zip(tensor.shape, stride, strict=True) if n > 1)
    if not tensor.numel() or not alone or reach != tensor.numel():
        return tensor.clone()
    found = torch.empty_strided(tuple(tensor.shape), stride, dtype=tensor.dtype)
    return found.copy_(tensor)


def _operation(name: str) -> Any:
    """torch's operation ``name``. Raises ValueError where there is none."""
    match = _NAME.fullmatch(name)
    packet = getattr(torch.ops.aten, match[1], None) if match else None
    found = getattr(packet, match[2], None) if match and packet is not None else None
    if found is None:
        raise ValueError("this torch has no such operation")
    return found
