"""Inputs read from a file: ``input image from "samples.safetensors"`` in ``test``.

The file is untrusted data: safetensors alone, bounded, inside the project, and held to what the
input's type says. Its rows are dealt to the steps in turn; the tensor is called as the input is.
Non-goal: drawn inputs (``case``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from specc.errors import CallError
from specc.harness.cases.golden_folder import project_root
from specc.ir import Program, Value

if TYPE_CHECKING:
    from torch import Tensor

MOST_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Samples:
    """A file's tensors and the SHA-256 of its bytes."""

    path: Path
    digest: str
    tensors: Mapping[str, Tensor]


def digests(program: Program) -> dict[str, str]:
    """The SHA-256 of the file of each input that has one. Raises CallError (E0806)."""
    return {
        name: hashlib.sha256(_content(_path(program, name, path), name)).hexdigest()
        for name, path in program.test.samples
    }


def stamp(program: Program) -> tuple[object, ...]:
    """What changes with each write of a file that an input is read from. Raises CallError
    (E0806)."""
    found: list[object] = []
    for name, path in program.test.samples:
        try:
            told = _path(program, name, path).stat()
        except OSError:  # for whoever reads it to tell
            found.append(name)
        else:
            found.append((name, told.st_ino, told.st_size, told.st_mtime_ns))
    return tuple(found)


def read(program: Program, name: str) -> Samples:
    """The file that the input ``name`` is read from. Raises CallError (E0806)."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    written = dict(program.test.samples)[name]
    path = _path(program, name, written)
    content = _content(path, name)
    try:
        tensors = load(content)
    except KeyError as error:
        # The reader knows the format's type, and torch has none that it would be.
        raise _unread(name, path, f"no tensor of torch is of its type {error}") from None
    except (SafetensorError, ValueError, TypeError, RuntimeError) as error:
        raise _unread(name, path, f"it is no safetensors file ({str(error)[:80]})") from None
    return Samples(path, hashlib.sha256(content).hexdigest(), tensors)


def batch(
    samples: Samples, value: Value, shape: tuple[int, ...], classes: int | None, step: int
) -> Tensor:
    """The rows of ``value`` for ``step``: ``shape``, in the file's own dtype.

    Raises CallError (E0807) where the file holds something else than the input's type says.
    """
    import torch

    found = samples.tensors.get(value.name)
    if found is None:
        known = ", ".join(sorted(samples.tensors)[:8]) or "nothing"
        raise _unfit(value, samples, f"it has no tensor called {value.name!r}", f"it has {known}")
    rows, asked = list(found.shape), list(shape)
    if rows[1:] != asked[1:] or len(rows) != len(asked) or (asked and rows[0] < asked[0]):
        raise _unfit(
            value,
            samples,
            f"its shape is {rows}, and this case asks for {asked}",
            "give every step its rows, or fewer `sizes` in the spec's test",
        )
    _check_dtype(samples, value, found)
    if asked:
        spare = rows[0] - asked[0]
        start = step * asked[0] % (spare + 1)
        found = found[start : start + asked[0]]
    if found.is_floating_point() and found.element_size() == 1:
        found = found.float()  # torch asks little of 8 bits, and 32 hold them exactly
    numeric = found.is_floating_point() or found.is_complex()
    if numeric and not bool(torch.isfinite(found).all()):
        raise _unfit(value, samples, "it holds NaN or infinity", "take those rows out")
    _check_range(samples, value, found, classes)
    return found.clone()


def _check_range(samples: Samples, value: Value, found: Tensor, classes: int | None) -> None:
    """E0807 where numbers are not among those that the input's type has."""
    import torch

    kind = value.type
    low: int
    high: int
    if kind.meaning == "unit":
        low, high = 0, 1
    elif kind.meaning == "index":
        low, high = 0, (classes or 1) - 1
    elif kind.dtype.startswith(("int", "uint")):
        limits = torch.iinfo(torch.int64 if kind.dtype == "int" else getattr(torch, kind.dtype))
        low, high = limits.min, limits.max
    else:
        return
    if not found.numel():
        return
    # numpy compares unsigned numbers, which torch does not.
    numbers = found.double().numpy() if found.is_floating_point() else found.numpy()
    least, most = numbers.min(), numbers.max()
    if least < low or most > high:
        raise _unfit(
            value, samples, f"it runs from {least} to {most}", f"{kind} is from {low} to {high}"
        )


def _check_dtype(samples: Samples, value: Value, found: Tensor) -> None:
    import torch

    kind = value.type
    if kind.floating:
        fits = found.is_floating_point()
    elif kind.dtype == "bool":
        fits = found.dtype == torch.bool
    elif kind.dtype.startswith("complex"):
        fits = found.is_complex()
    else:
        fits = not (found.is_floating_point() or found.is_complex() or found.dtype == torch.bool)
    if not fits:
        raise _unfit(
            value, samples, f"it is {str(found.dtype)[6:]}", f"{value.name} is {value.type}"
        )


def _path(program: Program, name: str, written: str) -> Path:
    """Where the file is; CallError (E0806) where that leads out of the project."""
    root = project_root(program.file).resolve()
    try:
        path = (Path(program.file).resolve().parent / written).resolve()
    except (OSError, ValueError) as error:  # a NUL, a lone surrogate
        raise _unread(name, Path(written), f"it is no path ({error})") from None
    if Path(written).is_absolute() or not path.is_relative_to(root):
        raise _unread(name, Path(written), "it leads out of the project")
    return path


def _content(path: Path, name: str) -> bytes:
    try:
        if not path.is_file():
            raise _unread(name, path, "there is no such file")
        if path.stat().st_size > MOST_BYTES:
            raise _unread(name, path, f"it is larger than {MOST_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise _unread(name, path, error.strerror or str(error)) from None


def _unread(name: str, path: Path, reason: str) -> CallError:
    return CallError(
        "E0806",
        f"the samples of {name}, {str(path)!r}, cannot be read: {reason}",
        help="write a safetensors file inside the project; its path is from the spec's folder",
    )


def _unfit(value: Value, samples: Samples, reason: str, help: str) -> CallError:
    return CallError(
        "E0807", f"{samples.path.name} does not fit the input {value.name}: {reason}", help=help
    )
