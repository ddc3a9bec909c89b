"""What passes between ``specc bisect`` and its runners, as files: requests, replies, operations.

What a runner wrote is read as untrusted data: bounded, validated, and nothing in it runs. Values
travel in the form of a golden (``harness.goldens.golden_reader`` reads them). Non-goals: making any
of it (``runner``, ``trace``), comparing (``operations``).
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from torch import Tensor

from specc.errors import CallError

REQUEST, REPLY, STARTED = "request.json", "reply.json", "started"
GOLDEN, VALUES, WHOLE = "golden", "values", "whole.safetensors"
OPERATIONS, NUMBERS = "operations.json", "operations.safetensors"
ARGUMENTS, TENSORS, REPLAYED = "replay.json", "replay.safetensors", "replayed.safetensors"
# A trace beyond this is cut: operations, and numbers of their tensors.
MOST_OPERATIONS = 20_000
MOST_NUMBERS = 8 << 20
_MOST_JSON = 256 << 20
_MOST_TENSORS = 4 << 30

_Text = Annotated[str, Field(max_length=4000)]
_Name = Annotated[str, Field(max_length=500)]
_Count = Annotated[int, Field(ge=0, le=2**40)]
_Size = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Request(_Strict):
    """What a runner is asked. ``what`` is ``values``, the case's observations; ``closer``, the
    tensor ``name`` whole and the operations of the steps up to ``steps``; ``keep``, what operation
    ``number`` was given and gives alone; ``replay``, what it gives alone here, on what ``folder``
    holds. ``measure`` asks for noise floors."""

    what: Literal["values", "closer", "keep", "replay"]
    file: str
    settings: dict[str, str]
    case: str
    target: str
    dtype: str
    source: str
    measure: bool = False
    draw: int = 0
    grid: str = "float32"
    name: str = ""
    steps: int = 0
    operations: bool = True
    number: int = 0
    folder: str = ""


class Reply(_Strict):
    """How a request ended: ``done``; ``unusable``, the environment lacks something; ``stopped``,
    the case does at ``place``; ``error``, one of specc's own with its ``code``."""

    kind: Literal["done", "unusable", "stopped", "error"]
    message: _Text = ""
    help: _Text = ""
    code: Annotated[str, Field(max_length=8)] = ""
    place: _Name = ""
    facts: Annotated[dict[_Name, _Text], Field(max_length=200)] = {}
    notes: Annotated[list[_Text], Field(max_length=100)] = []


class TensorRecord(_Strict):
    """A tensor that went into an operation or came out of it. ``start`` and ``count`` are where its
    numbers stand (its elements, or its sketch); ``writer`` is the operation that wrote it last, -1
    for what was there before; ``floor`` is (rms, largest), where noise was measured."""

    shape: Annotated[list[_Count], Field(max_length=64)]
    dtype: Annotated[str, Field(max_length=40)]
    start: _Count
    count: _Count
    nonfinite: Annotated[str, Field(max_length=80)] = ""
    writer: Annotated[int, Field(ge=-1, le=MOST_OPERATIONS)] = -1
    floor: Annotated[list[_Size], Field(max_length=2)] = []


class TracedOperation(_Strict):
    """One aten operation of a run. ``mark`` is its line in the spec; ``settings`` are its arguments
    by name, a tensor as ``{"tensor": k}`` of ``inputs``."""

    name: _Name
    step: _Count
    phase: Literal["forward", "backward", "optimizer"]
    layer: _Name
    mark: _Name
    settings: dict[_Name, JsonValue]
    inputs: Annotated[list[TensorRecord], Field(max_length=20_000)]
    outputs: Annotated[list[TensorRecord], Field(max_length=20_000)]


class OperationTrace(_Strict):
    """All operations of a run in their order; ``cut`` where there were more."""

    operations: Annotated[list[TracedOperation], Field(max_length=MOST_OPERATIONS)]
    cut: bool


class OperationInputs(_Strict):
    """An operation and what it was given: ``positional`` and ``keywords`` with each tensor as
    ``{"tensor": k}``, whose strides are ``strides[k]``."""

    name: _Name
    positional: list[JsonValue]
    keywords: dict[_Name, JsonValue]
    strides: Annotated[list[list[_Count]], Field(max_length=20_000)]


_Form = TypeVar("_Form", bound=BaseModel)


def read(form: type[_Form], path: Path) -> _Form:
    """What ``path`` says, as a ``form``. Raises CallError (E0717) where it is not one."""
    content = _bytes(path, _MOST_JSON)
    try:
        return form.model_validate(json.loads(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise unreadable(path, f"{where[:80]}: {first['msg'][:120]}") from None
    except (ValueError, RecursionError) as error:
        raise unreadable(path, f"it is not JSON ({str(error)[:80]})") from None


def write(form: BaseModel, path: Path) -> None:
    """Write ``form`` where ``read`` finds it, as a whole or not at all."""
    aside = path.with_suffix(".new")
    aside.write_text(form.model_dump_json(), encoding="utf-8")
    aside.replace(path)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises CallError (E0717)."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    content = _bytes(path, _MOST_TENSORS)
    if len(content) < 8 or struct.unpack("<Q", content[:8])[0] > len(content):
        raise unreadable(path, "it is truncated, or no safetensors file")
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise unreadable(path, f"it is no safetensors file ({str(error)[:80]})") from None


def write_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write ``tensors`` where ``read_tensors`` finds them."""
    from safetensors.torch import save

    # Two names may share memory, which safetensors refuses.
    path.write_bytes(save({name: each.detach().clone().contiguous() for name, each in
                           tensors.items()}))  # fmt: skip


def unreadable(path: Path, reason: str) -> CallError:
    """That what a runner left at ``path`` cannot be used, for ``reason``."""
    return CallError(
        "E0717",
        f"what the {path.parent.name.partition('-')[0]} environment wrote to {path.name} cannot be"
        f" used: {reason}",
        help="run the same environment again; what stands in its way may be its sitecustomize",
    )


def _bytes(path: Path, limit: int) -> bytes:
    try:
        if path.is_symlink() or not path.is_file():
            raise unreadable(path, "there is no such file")
        if path.stat().st_size > limit:
            raise unreadable(path, f"it has more than {limit} bytes")
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from None
