"""The TorchScript target: scripted, or a trace of a copy where scripting cannot.

TorchScript is legacy (torch deprecates it in favour of ``torch.export``); its quirks live here and
nothing else depends on it. Tracing runs the module, and so would move BatchNorm's statistics: a
copy with the same parameters and its own buffers is traced, and the module's buffers are then put
in.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit._trace import TopLevelTracedModule, TracerWarning
from torch.nn.utils.parametrize import is_parametrized

from specc.errors import TargetError
from specc.targets import FreeSizes, Others
from specc.targets.artefacts import (
    MARKER,
    RUNNABLE_NOTES,
    Facts,
    bound_to,
    check_archive,
    guard_sizes,
    in_evaluation_mode,
    marker,
    write_atomically,
)


def runnable(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    *,
    free_sizes: FreeSizes | None,
    others: Others = (),
) -> nn.Module:
    """The scripted module, or a trace for its mode and these sizes (``notes_of`` tells which).

    Raises TargetError (E0902) when neither works.
    """
    with _without_deprecations():
        if any(map(is_parametrized, module.modules())):
            # Some of them script, and then refuse to run.
            refusal = "a parametrized layer cannot be scripted"
        elif any(torch.is_autocast_enabled(tensor.device.type) for tensor in inputs):
            # Its second backward multiplies a half by a float; a trace's casts are explicit.
            refusal = "a scripted backward mixes autocast's precisions"
        else:
            try:
                scripted: nn.Module = torch.jit.script(module)
                return scripted
            except Exception as error:  # the frontend raises whatever it trips over
                refusal = _first_line(error)
        try:
            traced = _trace(module, inputs)
        except Exception as error:
            raise TargetError(
                "E0902",
                f"TorchScript can neither script nor trace {type(module).__name__}: {refusal}; "
                f"{_first_line(error)}",
            ) from error
    RUNNABLE_NOTES[traced] = (
        f"traced for these sizes and this mode, because scripting fails: {refusal}",
    )
    return traced


def save(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    source: str,
    path: Path,
    *,
    free_sizes: FreeSizes | None,
    others: Others = (),
) -> tuple[str, ...]:
    """Write the scripted module in evaluation mode, weights included."""
    with in_evaluation_mode(module):
        made = runnable(module, inputs, free_sizes=free_sizes)
        # A trace has the mode and the sizes that it was made with.
        traced = isinstance(made, TopLevelTracedModule)
        known = Facts(False, bound_to(free_sizes, inputs)) if traced else Facts()
        if any("train" in vars(type(each)) for each in module.modules()):
            # A script has torch's own train(): it would undo what is frozen.
            known = replace(known, trains=False)
        extra = {MARKER: marker("torchscript", known)}
        with _without_deprecations():
            write_atomically(
                path, lambda aside: torch.jit.save(made, str(aside), _extra_files=extra)
            )
    return (*RUNNABLE_NOTES.get(made, ()), *known.notes())


def load(path: Path, *, class_name: str | None, params: Mapping[str, Any] | None) -> nn.Module:
    """The scripted module with its weights; it has no class or params to choose."""
    known = check_archive(path, "torchscript")
    try:
        with _without_deprecations():
            loaded: nn.Module = torch.jit.load(str(path), map_location="cpu")
            return guard_sizes(loaded.eval(), path, known)
    except Exception as error:  # whatever a hostile archive makes torch's reader raise
        raise TargetError("E0901", f"torch cannot read {path}: {_first_line(error)}") from None


def facts(path: Path) -> Facts:
    """What an artefact is good for."""
    return check_archive(path, "torchscript")


def _trace(module: nn.Module, inputs: tuple[Tensor, ...]) -> nn.Module:
    shared = {id(parameter): parameter for parameter in module.parameters()}
    twin = copy.deepcopy(module, dict[int, Any](shared))
    with warnings.catch_warnings():
        # Sizes are meant to be constants of this trace.
        warnings.simplefilter("ignore", TracerWarning)
        traced: nn.Module = torch.jit.trace(twin, inputs, check_trace=False)
    for name, buffer in module.named_buffers():
        owner, _, leaf = name.rpartition(".")
        setattr(traced.get_submodule(owner), leaf, buffer)
    return traced


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@contextmanager
def _without_deprecations() -> Iterator[None]:
    with warnings.catch_warnings():
        # torch says at every call that TorchScript is deprecated; whoever asks for this target has
        # chosen it, and the documentation says so once.
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=r".*torch\.jit\.")
        warnings.filterwarnings("ignore", category=FutureWarning, message=r".*torch\.jit\.")
        yield
