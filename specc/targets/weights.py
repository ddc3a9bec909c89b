"""The checkpoint that a model starts from: found inside the project, read as data, held against
the model.

A checkpoint is untrusted: safetensors, or torch's own format read without its code. Non-goal:
writing checkpoints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specc.errors import CallError
from specc.roots import project_root

if TYPE_CHECKING:
    from torch import nn


def start_from(module: nn.Module, written: str, spec: str | os.PathLike[str]) -> None:
    """Loads the checkpoint ``written`` in the spec at ``spec`` into ``module``.

    Raises CallError (E0709) where the file is not there, lies outside the project, cannot be read,
    or holds other names or shapes than the module."""
    path = _inside(written, spec)
    state = _read(path, written)
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    problems = [f"it lacks {name}" for name in wanted if name not in state]
    problems += [f"the model has no {name}" for name in state if name not in wanted]
    problems += [
        f"{name} is {list(state[name].shape)}, and {list(shape)} in the model"
        for name, shape in wanted.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    if problems:
        more = f", and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise CallError(
            "E0709",
            f"the checkpoint {written!r} does not fit: {'; '.join(problems[:4])}{more}",
            help="labels are the names of the state_dict: give the layers the checkpoint's names",
        )
    module.load_state_dict(state)


def _inside(written: str, spec: str | os.PathLike[str]) -> Path:
    root = project_root(Path(os.fspath(spec)))
    try:
        path = (Path(os.fspath(spec)).resolve().parent / written).resolve()
        there = path.is_file()
    except (OSError, ValueError) as fault:
        raise CallError("E0709", f"{written!r} is no path: {fault}") from None
    if Path(written).is_absolute() or not path.is_relative_to(root):
        raise CallError(
            "E0709",
            f"the checkpoint {written!r} lies outside the project",
            help="copy it into the project, and name it from the spec's folder",
        )
    if not there:
        raise CallError(
            "E0709",
            f"there is no checkpoint {written!r} beside the spec",
            help="put it there, or take `weights` away to start from fresh ones",
        )
    return path


def _read(path: Path, written: str) -> dict[str, Any]:
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as fault:  # whatever a broken or hostile file makes its reader raise
        text = str(fault).strip().splitlines()
        raise CallError(
            "E0709",
            f"cannot read the checkpoint {written!r}: {text[0][:200] if text else 'no reason'}",
            help="save it as safetensors",
        ) from None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    ):
        raise CallError("E0709", f"{written!r} is no state_dict: names and tensors are wanted")
    return state
