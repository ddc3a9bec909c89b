"""A folder on disk that is replaced as a whole or not at all.

The new content is written aside in the same parent, made durable, and renamed into place; the old
one is renamed away first and removed last. A process killed at any moment leaves the old folder or
the new one under its name, or (between two renames) the old one whole under ``.<name>.old``, which
readers and the next write put right. Writers of one parent folder wait for each other. Torch-free.
Non-goal: what is in the folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from specc.errors import CallError


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make ``folder`` hold exactly ``files``. Raises CallError (E0804); the old content is then
    untouched.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _writing(folder.parent):
            _replace(folder, files)
    except OSError as error:
        raise CallError(
            "E0804",
            f"cannot write the golden {folder}: {error.strerror or error}",
            help="the golden that was there is as it was; free space or give write permission",
        ) from None


@contextmanager
def _writing(parent: Path) -> Iterator[None]:
    """Waits until no other process writes below ``parent``, and keeps others waiting while it is
    open. A process that dies lets go."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(parent, os.O_RDONLY)
    try:
        # Some network file systems know no locks: there a writer that meets another fails.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """As ``replace_folder``; raises OSError."""
    parent = folder.parent
    aside = parent / f".{folder.name}.new-{os.getpid()}"
    old = old_folder(folder)
    try:
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
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    # From here on the new content is in place, whole and on disk. A rename that is not durable yet
    # comes to pass later; an old folder that cannot be removed is removed by the next write.
    with contextlib.suppress(OSError):
        _sync_folder(parent)
    _remove(old)


def _remove(path: Path) -> None:
    """Whatever is at ``path``, as far as it can be removed: a link or a file may be in the way."""
    with contextlib.suppress(OSError):
        if path.is_symlink() or path.is_file():
            path.unlink()
    shutil.rmtree(path, ignore_errors=True)


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
        _remove(old_folder(folder))


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
