"""Artefacts on disk and notes in memory: what the targets share.

Writing is atomic (aside, then renamed), so that a killed build leaves the old artefact whole.
Binary artefacts (``.ts``, ``.pt2``) are zip archives with a marker of ours inside; what is read is
checked before torch sees it. Non-goal: what is inside an artefact, which is each target's.
"""

from __future__ import annotations

import json
import os
import tempfile
import weakref
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from specc.errors import CallError, TargetError

MARKER = "specc.json"
MARKER_VERSION = 1

# Kept outside the modules: a ScriptModule takes no new Python attributes.
RUNNABLE_NOTES: weakref.WeakKeyDictionary[nn.Module, tuple[str, ...]] = weakref.WeakKeyDictionary()


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a new file beside ``path``, then put it in ``path``'s place.

    The new file has ``path``'s suffix, which some of torch's writers insist on. Raises CallError
    (E0703) when the folder cannot be written; nothing is left behind when ``write`` raises.
    """
    aside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
        aside = Path(name)
        write(aside)
        # mkstemp makes the file private; an artefact has the rights of any new file.
        mask = os.umask(0)
        os.umask(mask)
        aside.chmod(0o666 & ~mask)
        os.replace(aside, path)
    except OSError as error:
        raise CallError("E0703", f"cannot write {path}: {error.strerror or error}") from None
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)


def marker(target: str) -> str:
    """The text of the marker that tells an artefact of ``target``."""
    return json.dumps({"specc": MARKER_VERSION, "target": target})


def check_archive(path: Path, target: str) -> None:
    """Raise unless ``path`` is a whole zip archive with our marker for ``target`` inside.

    CallError (E0701) when it cannot be read; TargetError (E0901) when it is truncated, damaged, or
    not written by ``specc build --target`` for this target.
    """
    remedy = f"build it again: specc build SPEC --target {target} -o {path.parent}"
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            # torch 2.6 to 2.8 call the folder of extra files of an exported program otherwise.
            names = [
                name
                for name in archive.namelist()
                if name.endswith((f"extra/{MARKER}", f"extra_files/{MARKER}"))
            ]
            found = json.loads(archive.read(names[0])) if names else None
    except OSError as error:
        raise CallError("E0701", f"cannot read {path}: {error.strerror or error}") from None
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError):
        raise TargetError(
            "E0901", f"{path} is truncated or is no {target} artefact", help=remedy
        ) from None
    if damaged is not None:
        raise TargetError("E0901", f"{path} is damaged at {damaged}", help=remedy)
    if not isinstance(found, dict) or found.get("target") != target:
        raise TargetError("E0901", f"{path} was not written by specc for {target}", help=remedy)
    if found.get("specc") != MARKER_VERSION:
        raise TargetError("E0901", f"{path} was written by another version of specc", help=remedy)


@contextmanager
def in_evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Every submodule in evaluation mode for a while; each gets its own mode back."""
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for each, training in modes:
            each.training = training
