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
from torch.fx.experimental.symbolic_shapes import is_concrete_int

from specc.errors import TargetError
from specc.targets import FreeSizes, Others
from specc.targets.accepted_sizes import refused
from specc.targets.artefacts import (
    MARKER,
    RUNNABLE_NOTES,
    Bound,
    Facts,
    bound_to,
    check_archive,
    guard_sizes,
    in_evaluation_mode,
    marker,
    write_atomically,
)

_RECURRENT = ("aten.gru", "aten.lstm", "aten.rnn_")


def runnable(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    *,
    free_sizes: FreeSizes | None,
    others: Others = (),
) -> nn.Module:
    """The exported graph as a module, on the module's own parameters and buffers.

    Raises TargetError (E0902) when torch cannot export the module.
    """
    program, _, notes = _as_free_as_it_is(module, inputs, free_sizes or (), others)
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
    others: Others = (),
) -> tuple[str, ...]:
    """Write the graph of evaluation mode, weights included."""
    with in_evaluation_mode(module):
        program, known, notes = _as_free_as_it_is(module, inputs, free_sizes or (), others)
    extra = {MARKER: marker("export", known)}
    with _quiet():
        write_atomically(path, lambda aside: torch.export.save(program, aside, extra_files=extra))
    return notes


def load(path: Path, *, class_name: str | None, params: Mapping[str, Any] | None) -> nn.Module:
    """The graph with its weights; it has no class or params to choose."""
    facts = check_archive(path, "export")
    try:
        with _quiet():
            return guard_sizes(_as_module(torch.export.load(path)), path, facts)
    except Exception as error:  # whatever a hostile archive makes torch's reader raise
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TargetError("E0901", f"torch cannot read {path}: {first}") from None


def facts(path: Path) -> Facts:
    """What an artefact is good for."""
    return check_archive(path, "export")


def _as_free_as_it_is(
    module: nn.Module, inputs: tuple[Tensor, ...], free_sizes: FreeSizes, others: Others
) -> tuple[ExportedProgram, Facts, tuple[str, ...]]:
    """The program in which the sizes that it takes are free and the others are numbers; which ones
    these are, and what there is to tell."""
    why: dict[str, str] = {}
    while True:
        free = [
            {dimension: name for dimension, name in sizes.items() if name not in why}
            for sizes in free_sizes
        ]
        program = _export(module, inputs, free)
        numbers = dict.fromkeys((each.name for each in _bound(program, inputs, free)), "")
        left = [
            {dimension: name for dimension, name in sizes.items() if name not in numbers}
            for sizes in free
        ]
        more = refused(_as_module(program), module, inputs, left, others)
        why |= numbers | more.bound
        if not more.bound:
            break
    bound = tuple(each for each in bound_to(free_sizes, inputs) if each.name in why)
    reasons = [f"its graph asks {guard}" for guard in dict.fromkeys(why.values()) if guard]
    if why and any(str(node.target).startswith(_RECURRENT) for node in program.graph.nodes):
        reasons.append("torch.export fixes the steps of a recurrent layer")
    known = Facts(module.training, bound)
    return program, known, (*known.notes("; ".join(reasons)), *more.notes())


def _export(
    module: nn.Module, inputs: tuple[Tensor, ...], free_sizes: FreeSizes
) -> ExportedProgram:
    """The program. Free sizes are named; where the graph fixes or relates them in a way that names
    do not allow, torch chooses (``Dim.AUTO``), which ``_bound`` then tells."""
    named_alone = all(name.isidentifier() for sizes in free_sizes for name in sizes.values())
    if any(free_sizes) and named_alone:
        names = {name: Dim(name) for sizes in free_sizes for name in sizes.values()}
        named = tuple({dim: names[name] for dim, name in sizes.items()} for sizes in free_sizes)
        try:
            with _quiet():
                return torch.export.export(module, inputs, dynamic_shapes=named, strict=False)
        except Exception:  # constraint violations come in several types across versions
            pass
    free = tuple({dim: Dim.AUTO for dim in sizes} for sizes in free_sizes)
    try:
        with _quiet():
            # Not strict: strict export goes through dynamo, which refuses more than it need.
            return torch.export.export(module, inputs, dynamic_shapes=free or None, strict=False)
    except Exception as error:
        raise TargetError(
            "E0902", f"torch.export cannot export {type(module).__name__}: {_reason(error)}"
        ) from error


def _bound(
    program: ExportedProgram, inputs: tuple[Tensor, ...], free_sizes: FreeSizes
) -> tuple[Bound, ...]:
    """The sizes that were to be free and are numbers in the graph."""
    values: dict[str, Any] = {node.name: node.meta.get("val") for node in program.graph.nodes}
    given = [values[str(name)] for name in program.graph_signature.user_inputs]
    return tuple(
        each
        for each in bound_to(free_sizes, inputs)
        if is_concrete_int(given[each.input].shape[each.dimension])
    )


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
