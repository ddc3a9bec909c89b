"""The rows of one extension, imported: those that a package's entry points name, those that a file
of the project lists in ``ROWS``.

A file lies inside the project and is reached through no link. While it is imported the project's
root is on Python's path, so that it may import its neighbours. Non-goal: what a row must be
(``vet``)."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import stat
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import Final

from specc.catalog.rows import FunctionRow, LayerRow
from specc.errors import CallError
from specc.extensions.offers import GROUP
from specc.extensions.project import PYPROJECT, Project
from specc.extensions.vet import faulty, vetted
from specc.suggestions import did_you_mean

ROWS: Final = "ROWS"
_PACKAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def is_file(entry: str) -> bool:
    """Whether an entry of ``extensions`` is a file of the project, and not a package."""
    return entry.endswith(".py") or "/" in entry or "\\" in entry


def stamps(project: Project) -> tuple[str, ...]:
    """What tells whether the files that ``project`` names have changed. Raises CallError (E0721)
    for one that cannot be had."""
    return tuple(
        hashlib.sha256(_content(project, entry)).hexdigest() if is_file(entry) else ""
        for entry in project.extensions
    )


def rows_of_entry(project: Project, entry: str) -> list[LayerRow | FunctionRow]:
    """The rows of the extension that ``project`` calls ``entry``, fit to be used.

    Raises CallError: E0721 where it cannot be had, E0722 where it is faulty."""
    if is_file(entry):
        return [
            vetted(row, entry, f"{ROWS}[{i}]") for i, row in enumerate(_of_file(project, entry))
        ]
    return _of_package(entry)


# ── packages ─────────────────────────────────────────────────────────────────────────────────────


def _of_package(entry: str) -> list[LayerRow | FunctionRow]:
    import importlib.metadata

    try:
        if not _PACKAGE.fullmatch(entry):
            raise importlib.metadata.PackageNotFoundError(entry)
        points = importlib.metadata.distribution(entry).entry_points.select(group=GROUP)
    except importlib.metadata.PackageNotFoundError:
        known = importlib.metadata.entry_points(group=GROUP)
        names = sorted({point.dist.name for point in known if point.dist is not None})
        raise CallError(
            "E0721",
            f"{PYPROJECT} names the extension {entry!r}, and no package of that name is installed",
            help=did_you_mean(entry, names, "install it, or name a file: `rows.py`", "{!r}"),
        ) from None
    if not points:
        raise CallError(
            "E0721",
            f"{PYPROJECT} names the extension {entry!r}, and that package has no extension: "
            f"it has no entry points in the group {GROUP!r}",
            help="take it out of `extensions`",
        )
    found = []
    for point in sorted(points, key=lambda point: point.name):
        with _importing(entry, None):
            row = point.load()
        row = vetted(row, entry, f"the entry point {point.name!r}")
        if row.name != point.name:
            raise faulty(
                entry, f"its entry point {point.name!r} leads to a row that is called {row.name!r}"
            )
        found.append(row)
    return found


# ── files of the project ─────────────────────────────────────────────────────────────────────────


def _of_file(project: Project, entry: str) -> Iterable[object]:
    assert project.root is not None  # a project without a root names nothing
    digest = hashlib.sha256(f"{project.root}\0{entry}\0".encode() + _content(project, entry))
    name = f"_specc_extension_{digest.hexdigest()[:24]}"
    spec = importlib.util.spec_from_file_location(name, project.root / entry)
    assert spec is not None and spec.loader is not None  # its name ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _importing(entry, project.root):
            spec.loader.exec_module(module)
    except CallError:
        del sys.modules[name]
        raise
    rows = getattr(module, ROWS, None)
    if not isinstance(rows, tuple | list):
        told = "has no" if rows is None else f"has a {type(rows).__name__} for its"
        raise faulty(entry, f"it {told} `{ROWS}`", f"write `{ROWS} = (LayerRow(...), ...)`")
    return rows


def _content(project: Project, entry: str) -> bytes:
    place = _place(project, entry)
    try:
        if not stat.S_ISREG(place.stat().st_mode):
            raise _refused(entry, "it is no regular file")
        return place.read_bytes()
    except OSError as fault:
        raise _refused(entry, f"it cannot be read: {fault.strerror or fault}") from None


def _place(project: Project, entry: str) -> Path:
    """Where the file ``entry`` is; E0721 where that is outside the project, or behind a link."""
    if os.path.isabs(entry) or PureWindowsPath(entry).anchor or entry.startswith("~"):
        raise _refused(entry, "it is absolute", "say it from the folder of pyproject.toml")
    if "\\" in entry or any(not character.isprintable() for character in entry):
        raise _refused(entry, "a path has `/` between folder and file")
    if not entry.endswith(".py"):
        raise _refused(entry, "it is no Python file")
    root = str(project.root)
    place = os.path.normpath(os.path.join(root, entry))
    if os.path.commonpath([root, place]) != root:
        raise _refused(entry, f"it leads out of the project, whose root is {root}")
    if os.path.realpath(place) != place:
        raise _refused(entry, "a part of its path is a link", "name the file itself")
    return Path(place)


def _refused(entry: str, reason: str, help: str | None = None) -> CallError:
    return CallError(
        "E0721", f"{PYPROJECT} names the extension {entry!r}, which is not loaded: {reason}",
        help=help,
    )  # fmt: skip


@contextmanager
def _importing(entry: str, root: Path | None) -> Iterator[None]:
    """While open, ``root`` is on the path; what the extension's code raises becomes an E0722."""
    try:
        with on_path(root):
            yield
    except (Exception, SystemExit) as fault:
        where = ""
        frames = traceback.extract_tb(fault.__traceback__)
        if root is not None:
            inside = [frame for frame in frames if frame.filename.startswith(f"{root}{os.sep}")]
            where = f" ({Path(inside[-1].filename).name}:{inside[-1].lineno})" if inside else ""
        told = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
        raise faulty(entry, f"importing it failed: {told}{where}") from None


@contextmanager
def on_path(root: Path | None) -> Iterator[None]:
    """While open, modules are found in ``root`` before anywhere else."""
    if root is None:
        yield
        return
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        # Whatever the imported code did to the path is its own: this takes back one entry.
        if str(root) in sys.path:
            sys.path.remove(str(root))
