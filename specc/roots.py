"""The root of the project that a spec belongs to: nothing outside is read, and goldens are in it.

Non-goal: reading anything there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

GOLDEN: Final = "golden"
_MARKS: Final = ("pyproject.toml", ".git")


def project_root(spec_path: Path | str) -> Path:
    """The folder of the project that this spec is in, links resolved.

    The nearest ancestor that has a ``golden`` folder, else the nearest with a pyproject.toml or a
    .git, else the spec's own folder.
    """
    own = Path(spec_path).resolve().parent
    above = (own, *own.parents)
    for folder in above:
        if (folder / GOLDEN).is_dir():
            return folder
    for folder in above:
        if any((folder / mark).exists() for mark in _MARKS):
            return folder
    return own
