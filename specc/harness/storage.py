"""A folder on disk that is replaced as a whole or not at all.

The new content is written aside in the same parent, made durable, and renamed into place; the old
one is renamed away first and removed last. A process killed at any moment leaves the old folder or
the new one under its name, or (between two renames) the old one whole under ``.<name>.old``, which
readers and the next write put right. Torch-free. Non-goals: what is in the folder, locking between
writers.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from specc.errors import CallError


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make ``folder`` hold exactly ``files``. Raises CallError (E0804); the old content is then
    untouched.
    """
    parent = folder.parent
    aside = parent / f".{folder.name}.new-{os.getpid()}"
    old = old_folder(folder)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        recover(folder)
        _remove_leftovers(folder)
        aside.mkdir()
        for name, content in files.items():
            _write_durably(aside / name, content)
        _sync_folder(aside)
        if folder.exists():
            os.rename(folder, old)
        try:
            os.rename(aside, folder)
        except OSError:
            if old.exists():
                os.rename(old, folder)
            raise
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise CallError(
            "E0804",
            f"cannot write the golden {folder}: {error.strerror or error}",
            help="the golden that was there is as it was; free space or give write permission",
        ) from None
    # From here on the new content is in place, whole and on disk. A rename that is not durable yet
    # comes to pass later; an old folder that cannot be removed is removed by the next write.
    with contextlib.suppress(OSError):
        _sync_folder(parent)
    shutil.rmtree(old, ignore_errors=True)


def old_folder(folder: Path) -> Path:
    """Where the former content is for the moment between two renames."""
    return folder.parent / f".{folder.name}.old"


def recover(folder: Path) -> None:
    """Put back the former content if a writer was killed between its two renames."""
    old = old_folder(folder)
    if old.is_dir() and not folder.exists():
        os.rename(old, folder)


def present(folder: Path) -> Path:
    """The folder to read: ``folder``, or its former content where a writer was killed in
    between.
    """
    old = old_folder(folder)
    return old if old.is_dir() and not folder.exists() else folder


def _remove_leftovers(folder: Path) -> None:
    for path in folder.parent.glob(f".{folder.name}.new-*"):
        owner = path.name.rpartition("-")[2]
        if owner.isdecimal() and (int(owner) == os.getpid() or not _alive(int(owner))):
            shutil.rmtree(path, ignore_errors=True)
    if folder.exists():
        shutil.rmtree(old_folder(folder), ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    # Windows cannot open a folder; there a rename is as durable as it gets.
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
