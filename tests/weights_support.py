"""Models that start from checkpoints made here, by ``specc.load`` and by the emitted class."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import specc
from specc.emit import emit
from specc.front import read
from specc.semantics.naming.checkpoint_map import glob
from specc.targets.live import module_class

ROOT = Path(__file__).parent.parent


def started(folder: Path, text: str, tensors: dict[str, Tensor], **params: object) -> nn.Module:
    """The model of ``text``, whose ``start.safetensors`` holds ``tensors``; as ``specc.load`` makes
    it, which the emitted ``from_checkpoint`` must make too."""
    path = folder / "net.spec"
    path.write_text(text, encoding="utf-8")
    # Tensors that share their numbers are two in a file.
    save_file({n: t.clone().contiguous() for n, t in tensors.items()}, folder / "start.safetensors")
    loaded = specc.load(path, params=params or None)
    program = read(path, params or None)
    class_: Any = module_class(emit(program), program.model().name, "net")
    emitted: nn.Module = class_.from_checkpoint(str(folder / "start.safetensors"))
    for name, tensor in emitted.state_dict().items():
        fresh = any(
            glob(pattern).matches(name)
            for line in program.model().weight_map
            if line.verb == "fresh"
            for pattern in line.paths
        )
        assert fresh or torch.equal(tensor, loaded.state_dict()[name]), name
    return loaded


def with_map(spec: Path, model: str, lines: str) -> str:
    """The text of ``spec`` whose ``model`` starts from a checkpoint, by the map ``lines``."""
    text = spec.read_text(encoding="utf-8")
    said = f'\n  weights "start.safetensors" {{\n{lines}\n  }}\n'
    return re.sub(rf"(model {model}\([^)]*\) \{{\n)", lambda found: found[1] + said, text)
