"""The torch.export target: one graph for the module's mode, sizes fixed unless some are left free.

A training graph trains: BatchNorm's statistics move at each call and dropout draws, as in eager.
The mode is fixed at export. Non-goals: lowering (AOTInductor, ExecuTorch).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from specc.errors import TargetError
from specc.targets import FreeSizes
from specc.targets.files import (
    MARKER,
    RUNNABLE_NOTES,
    check_archive,
    in_evaluation_mode,
    marker,
    write_atomically,
)


def runnable(
    module: nn.Module, inputs: tuple[Tensor, ...], *, free_sizes: FreeSizes | None
) -> nn.Module:
    """The exported graph as a module, on the module's own parameters and buffers.

    Raises TargetError (E0902) when torch cannot export the module.
    """
    program, notes = _export(module, inputs, free_sizes)
    made = _as_module(program)
    _share(made, module)
    RUNNABLE_NOTES[made] = notes
    return made


def save(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    source: str,
    path: Path,
    *,
    free_sizes: FreeSizes | None,
) -> tuple[str, ...]:
    """Write the graph of evaluation mode, weights included."""
    with in_evaluation_mode(module):
        program, notes = _export(module, inputs, free_sizes)
    extra = {MARKER: marker("export")}
    with _quiet():
        write_atomically(path, lambda aside: torch.export.save(program, aside, extra_files=extra))
    return notes


def load(path: Path, *, class_name: str | None, params: Mapping[str, Any] | None) -> nn.Module:
    """The graph with its weights; it has no class or params to choose."""
    check_archive(path, "export")
    try:
        with _quiet():
            return _as_module(torch.export.load(path))
    except Exception as error:  # whatever a hostile archive makes torch's reader raise
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TargetError("E0901", f"torch cannot read {path}: {first}") from None


def _export(
    module: nn.Module, inputs: tuple[Tensor, ...], free_sizes: FreeSizes | None
) -> tuple[ExportedProgram, tuple[str, ...]]:
    """The program and notes. Free sizes are named; where the graph fixes or relates them in a way
    that names do not allow, torch chooses (``Dim.AUTO``) and a note says so."""
    notes: tuple[str, ...] = ()
    if free_sizes and any(free_sizes):
        names = {name: Dim(name) for sizes in free_sizes for name in sizes.values()}
        named = tuple({dim: names[name] for dim, name in sizes.items()} for sizes in free_sizes)
        try:
            with _quiet():
                return torch.export.export(module, inputs, dynamic_shapes=named, strict=False), ()
        except Exception as error:  # constraint violations come in several types across versions
            notes = (f"torch chose which sizes stay free: {_reason(error)}",)
    free = tuple({dim: Dim.AUTO for dim in sizes} for sizes in free_sizes or ())
    try:
        with _quiet():
            # Not strict: strict export goes through dynamo, which refuses more than it need.
            program = torch.export.export(module, inputs, dynamic_shapes=free or None, strict=False)
    except Exception as error:
        raise TargetError(
            "E0902", f"torch.export cannot export {type(module).__name__}: {_reason(error)}"
        ) from error
    return program, notes


def _as_module(program: ExportedProgram) -> nn.Module:
    made: nn.Module = program.module()
    return made


def _share(made: nn.Module, module: nn.Module) -> None:
    """Put the module's own tensors in the graph's place, where torch has not done so already."""
    for name, parameter in module.named_parameters(remove_duplicate=False):
        _replace(made, name, parameter)
    for name, buffer in module.named_buffers(remove_duplicate=False):
        _replace(made, name, buffer)


def _replace(made: nn.Module, name: str, tensor: Tensor) -> None:
    owner_name, _, leaf = name.rpartition(".")
    try:
        owner = made.get_submodule(owner_name)
    except AttributeError:
        return  # nothing of this submodule is read by the graph
    if getattr(owner, leaf, tensor) is not tensor:
        setattr(owner, leaf, tensor)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    # A refused attempt is our way of asking; torch logs the whole graph of each at error level.
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            # Recurrent layers keep a second list of their weights, which torch swaps and restores.
            warnings.filterwarnings("ignore", message=r"The tensor attributes? .*_flat_weights")
            yield
    finally:
        logger.setLevel(level)
