"""From the paths of a call to the spec files they mean. Non-goals: reading them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from specc.errors import CallError
from specc.suggestions import meant, nearest

SUFFIX = ".spec"


def spec_files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The spec files that ``paths`` name, each once; those of a folder and its folders sorted.

    A file is taken whatever its suffix. Folders whose name starts with a dot are passed over, and
    links to folders are not followed. Raises CallError: E0701 where a path is not there, E0702
    where a folder holds no spec.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            specs = _in_folder(path)
            if not specs:
                raise CallError(
                    "E0702",
                    f"no spec in {str(path)!r}",
                    help=f"a spec's name ends in {SUFFIX}; name a file, or a folder of them",
                )
            found.update(dict.fromkeys(specs))
        elif path.exists():
            found[path] = None
        else:
            raise CallError("E0701", f"there is no {str(path)!r}", help=_suggestion(path))
    return tuple(found)


def default_paths(paths: Sequence[Path] | None) -> tuple[Path, ...]:
    """``paths``, or the folder ``specs``, or the current folder where there is no such folder."""
    if paths:
        return tuple(paths)
    specs = Path("specs")
    return (specs if specs.is_dir() else Path("."),)


def _in_folder(folder: Path) -> list[Path]:
    specs: list[Path] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        specs += [
            Path(parent, name)
            for name in sorted(files)
            if name.endswith(SUFFIX) and not name.startswith(".")
        ]
    return specs


def _suggestion(path: Path) -> str:

    parent = path.parent
    names = sorted(os.listdir(parent)) if parent.is_dir() else []
    close = nearest(path.name, names) or nearest(path.name + SUFFIX, names)
    return meant(str(parent / close), "{!r}") if close else "name a spec file or a folder"
