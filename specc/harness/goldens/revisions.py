"""Finds the goldens that one side of a comparison names: folders, a spec's, or a git revision's.

A revision's files are read out of git's own store into a scratch folder; nothing is checked out and
no hook runs. Torch-free. Non-goals: reading the goldens (``golden_reader``).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from specc.errors import CallError
from specc.harness.cases.golden_folder import JSON_NAME, TENSORS_NAME
from specc.harness.goldens.atomic_folder import present
from specc.roots import GOLDEN, project_root

# Over any golden that `golden_reader` reads.
MAX_BLOB = 512 << 20
MAX_GOLDENS = 10_000
SECONDS = 60


def both_sides(old: str, new: str, scratch: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """The goldens of each side by their path below what is named: ``old`` and ``new`` are a folder,
    a spec, ``REVISION:PATH``, or a revision alone, which means the other side's path there.

    ``scratch`` is an empty folder for what comes out of git. Raises CallError: E0701 where there is
    no such path or revision, E0808 where there is no golden.
    """
    first, second = _split(old), _split(new)
    if first.path is None and second.path is None:
        raise CallError(
            "E0701",
            f"neither {old!r} nor {new!r} is there",
            help="name a golden's folder, a spec, or REVISION:PATH",
        )
    path = first.path if first.path is not None else second.path
    assert path is not None
    found = [
        _goldens(side, side.path if side.path is not None else path, scratch / name)
        for side, name in ((first, "old"), (second, "new"))
    ]
    return found[0], found[1]


class _Side:
    """What one argument says; ``path`` is None for a revision alone."""

    def __init__(self, text: str, revision: str | None, path: Path | None) -> None:
        self.text, self.revision, self.path = text, revision, path


def _split(text: str) -> _Side:
    if "\0" in text:
        raise CallError("E0701", f"there is no {text!r}", help="a path holds no NUL")
    try:
        there = Path(text).exists()
    except OSError:  # too long for a path, which a revision is as well
        raise CallError("E0701", f"there is no {text[:40]!r}…", help="name a golden") from None
    if there:
        return _Side(text, None, Path(text))
    revision, colon, path = text.partition(":")
    if colon and revision:
        return _Side(text, revision, Path(path) if path else None)
    return _Side(text, text, None)


def _goldens(side: _Side, path: Path, scratch: Path) -> dict[str, Path]:
    folder = _folder_of(path)
    if side.revision is not None:
        folder = _from_git(side, folder, scratch)
    found = _below(folder)
    if not found:
        where = f"{path} in {side.revision}" if side.revision is not None else str(path)
        raise CallError(
            "E0808",
            f"there is no golden in {where}",
            help="name a spec that has been blessed, a folder below 'golden', or REVISION:PATH",
        )
    return found


def _folder_of(path: Path) -> Path:
    """Where the goldens of ``path`` are: of a spec (there or gone) in its project's folder."""
    if path.suffix != ".spec" or path.is_dir():
        return path
    resolved = path.resolve()
    root = project_root(path)
    return root / GOLDEN / resolved.relative_to(root).with_suffix("")


def _below(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    folder = present(folder)
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if JSON_NAME in files:
            found[Path(parent).relative_to(folder).as_posix()] = Path(parent)
            if len(found) > MAX_GOLDENS:
                raise CallError("E0808", f"more than {MAX_GOLDENS} goldens below {folder}")
    return found


def _from_git(side: _Side, folder: Path, scratch: Path) -> Path:
    """``folder`` as it was in a revision, written to ``scratch``."""
    assert side.revision is not None
    start = folder.resolve()
    while not start.is_dir():
        start = start.parent
    top = _git(start, "rev-parse", "--show-toplevel")
    if top is None:
        raise CallError(
            "E0701", f"there is no {side.text!r}, and {start} is in no git repository to ask",
            help="name a golden's folder, a spec, or REVISION:PATH in a git repository",
        )  # fmt: skip
    root = Path(os.fsdecode(top.rstrip(b"\n")))
    relative = folder.resolve().relative_to(root.resolve()).as_posix()
    named = ("--verify", "--quiet", "--end-of-options", side.revision + "^{commit}")
    commit = _git(start, "rev-parse", *named)
    if commit is None:
        raise CallError(
            "E0701",
            f"there is no path and no git revision {side.revision!r}",
            help="name a golden's folder, a spec, or REVISION:PATH",
        )
    tree = os.fsdecode(commit.strip())
    listed = _git(root, "ls-tree", "-r", "-z", "-l", "--full-tree", tree, "--", relative) or b""
    for entry in listed.split(b"\0"):
        head, _, name = entry.partition(b"\t")
        path = Path(os.fsdecode(name))
        if path.name not in (JSON_NAME, TENSORS_NAME):
            continue
        mode, kind, blob, size = head.split()
        # Links and submodules are no golden.
        if kind != b"blob" or mode == b"120000" or int(size) > MAX_BLOB:
            continue
        content = _git(root, "cat-file", "blob", blob.decode())
        target = scratch / path.relative_to(relative)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content or b"")
    return scratch


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What git says, or None where it refuses."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise CallError(
            "E0701", "git is not installed, and a revision is its affair",
            help="name two folders instead",
        ) from None  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CallError("E0701", f"git took longer than {SECONDS} s in {folder}") from None
    return done.stdout if done.returncode == 0 else None
