"""The eager target: the module itself, and its source as the artefact. Weights do not travel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from specc.errors import TargetError
from specc.targets import FreeSizes, Others
from specc.targets.artefacts import Facts, write_atomically
from specc.targets.live import module_from_file


def runnable(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    *,
    free_sizes: FreeSizes | None,
    others: Others = (),
) -> nn.Module:
    """The module itself."""
    return module


def save(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    source: str,
    path: Path,
    *,
    free_sizes: FreeSizes | None,
    others: Others = (),
) -> tuple[str, ...]:
    """Write the source."""
    write_atomically(path, lambda aside: _write(aside, source))
    return ()


def load(path: Path, *, class_name: str | None, params: Mapping[str, Any] | None) -> nn.Module:
    """A new instance of the class in the file, in evaluation mode."""
    return construct(module_from_file(path, class_name), path, params).eval()


def facts(path: Path) -> Facts:
    """What an artefact is good for: everything that its source is."""
    return Facts()


def construct(maker: type[nn.Module], path: Path, params: Mapping[str, Any] | None) -> nn.Module:
    """``maker(**params)``; TargetError (E0903) when the constructor refuses."""
    try:
        return maker(**(params or {}))
    except Exception as error:
        raise TargetError(
            "E0903", f"{maker.__name__} of {path} cannot be constructed: {error}"
        ) from error


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
