"""Artefacts on disk and notes in memory: what the targets share.

Writing is atomic (aside, then renamed), so that a killed build leaves the old artefact whole.
Binary artefacts (``.ts``, ``.pt2``) are zip archives with a marker of ours inside, which says what
they are good for; what is read is checked before torch sees it. Non-goal: what is inside an
artefact, which is each target's.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from specc.errors import CallError, SpeccError, TargetError
from specc.targets import FreeSizes

MARKER = "specc.json"
MARKER_VERSION = 2

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


@contextmanager
def written_together(folder: Path) -> Iterator[Path]:
    """A folder to write to, whose files come into ``folder`` when this is left, made if need be.

    Where anything is raised in between, ``folder`` is as it was, and what is raised speaks of the
    file that there would have been. Raises CallError (E0703) where ``folder`` cannot be written.
    """
    place = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        aside = Path(tempfile.mkdtemp(prefix=".specc-build-", dir=place))
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        yield aside
        _move(aside, folder)
    except SpeccError as error:
        error.message = error.message.replace(str(aside), str(folder))
        error.help = error.help and error.help.replace(str(aside), str(folder))
        error.args = (error.message,)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _move(aside: Path, folder: Path) -> None:
    """Put the files of ``aside`` into ``folder``, in the place of those that are there."""
    names = sorted(path.name for path in aside.iterdir())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            if (folder / name).is_dir():  # before any is moved
                raise CallError("E0703", f"cannot write {folder / name}: it is a folder")
        for name in names:
            os.replace(aside / name, folder / name)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _unwritable(folder: Path, error: OSError) -> CallError:
    reason = error.strerror or str(error)
    return CallError(
        "E0703",
        f"cannot write to the folder {str(folder)!r}: {reason}",
        help="name another folder, or make room",
    )


@dataclass(frozen=True, slots=True)
class Bound:
    """A size of an input that was to be free, and is this number in the artefact."""

    input: int
    dimension: int
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What an artefact is good for: whether it has a training mode, and the sizes that it is bound
    to."""

    trains: bool = True
    bound: tuple[Bound, ...] = ()

    def sizes(self) -> dict[str, int]:
        """The sizes that it is bound to, by name."""
        return {each.name: each.size for each in self.bound}

    def notes(self, why: str = "") -> tuple[str, ...]:
        """What whoever has the artefact should be told, with ``why`` it is so."""
        if not self.bound:
            return ()
        sizes = ", ".join(f"{name}={size}" for name, size in self.sizes().items())
        reason = f" ({why})" if why else ""
        return (f"bound to {sizes}: it takes no other size{reason}",)


def bound_to(free_sizes: FreeSizes | None, inputs: tuple[Tensor, ...]) -> tuple[Bound, ...]:
    """All of ``free_sizes``, as they are in ``inputs``."""
    return tuple(
        Bound(index, dimension, name, inputs[index].shape[dimension])
        for index, names in enumerate(free_sizes or ())
        for dimension, name in names.items()
    )


def guard_sizes(runnable: nn.Module, path: Path, facts: Facts) -> nn.Module:
    """Lets a loaded artefact refuse other sizes than those that it is bound to (E0906), before
    torch's own guards, or nothing, do."""

    def check(module: nn.Module, given: tuple[Any, ...]) -> None:
        for each in facts.bound:
            tensor = given[each.input] if each.input < len(given) else None
            shape = tensor.shape if isinstance(tensor, Tensor) else ()
            if len(shape) > each.dimension and shape[each.dimension] != each.size:
                raise TargetError(
                    "E0906",
                    f"{path} is bound to {each.name}={each.size}, and input {each.input} of"
                    f" {list(shape)} has {each.name}={shape[each.dimension]}",
                    help=f"build it from a spec whose test says sizes ..., {each.name}="
                    f"{shape[each.dimension]}",
                )

    if facts.bound:
        # Of the base class: a ScriptModule refuses what it has under this name, and runs it.
        nn.Module.register_forward_pre_hook(runnable, check, prepend=True)
    RUNNABLE_NOTES[runnable] = facts.notes()
    return runnable


def marker(target: str, facts: Facts) -> str:
    """The text of the marker that tells an artefact of ``target``."""
    bound = [[each.input, each.dimension, each.name, each.size] for each in facts.bound]
    found = {"specc": MARKER_VERSION, "target": target, "trains": facts.trains, "bound": bound}
    return json.dumps(found)


def check_archive(path: Path, target: str) -> Facts:
    """The facts in our marker for ``target``; raises unless ``path`` is a whole zip archive with
    it.

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
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError):
        raise TargetError(
            "E0901", f"{path} is truncated or is no {target} artefact", help=remedy
        ) from None
    if damaged is not None:
        raise TargetError("E0901", f"{path} is damaged at {damaged}", help=remedy)
    if not isinstance(found, dict) or found.get("target") != target:
        raise TargetError("E0901", f"{path} was not written by specc for {target}", help=remedy)
    if found.get("specc") != MARKER_VERSION:
        raise TargetError("E0901", f"{path} was written by another version of specc", help=remedy)
    facts = _facts(found)
    if facts is None:
        raise TargetError("E0901", f"{path} is damaged at {MARKER}", help=remedy)
    return facts


def _facts(found: dict[str, Any]) -> Facts | None:
    """The facts of a marker, or None where it is not as we write it."""
    trains, bound = found.get("trains"), found.get("bound")
    if not isinstance(trains, bool) or not isinstance(bound, list):
        return None
    for each in bound:
        if not isinstance(each, list) or [type(part) for part in each] != [int, int, str, int]:
            return None
        if min(each[0], each[1], each[3]) < 0:
            return None
    return Facts(trains, tuple(Bound(*each) for each in bound))


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
