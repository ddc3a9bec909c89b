"""A golden's two files read as untrusted data: bounded, validated, checked against their digests.

Nothing in them runs. An older format is brought to the present one (``golden_formats``). Non-goals:
whether a golden is of the spec at hand (``golden``), writing one.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from specc.errors import GoldenCorrupt
from specc.harness.alone_floor import AloneFloor
from specc.harness.golden_formats import migrated
from specc.harness.place import JSON_NAME, TENSORS_NAME
from specc.harness.recorder import Observation
from specc.harness.sketch import BUCKETS, is_sketched
from specc.harness.spread import Floor

if TYPE_CHECKING:
    from specc.harness.golden_schema import Header, Row

MAX_JSON = 32 << 20
MAX_TENSORS = 512 << 20
MAX_HEADER = 16 << 20


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a golden holds of one observation: the reference, and its floor in each blessed
    precision.
    """

    reference: Observation
    floors: dict[str, Floor]


@dataclass(frozen=True, slots=True)
class Stored:
    """A golden as its files say it; ``leaves`` are in data-flow order."""

    header: Header
    leaves: tuple[Leaf, ...]


def digest(values: Tensor) -> str:
    """Of the numbers as they are stored."""
    return hashlib.sha256(values.contiguous().numpy().tobytes()).hexdigest()[:16]


def header(folder: Path, bless: str) -> Header:
    """The checked ``golden.json`` of ``folder``; ``bless`` is the command that makes it anew.
    Raises GoldenCorrupt (E0802)."""
    return _read_header(folder, bless)


def leaves(folder: Path, header: Header, bless: str) -> tuple[Leaf, ...]:
    """The tensors that ``header`` lists, from ``folder``. Raises GoldenCorrupt (E0802)."""
    tensors = _read_tensors(folder, bless)
    found = tuple(_leaf(row, tensors, folder, bless) for row in header.tensors)
    if tensors:
        raise corrupt(folder / TENSORS_NAME, f"it holds {sorted(tensors)[0]!r} too many", bless)
    return found


def alone(header: Header) -> dict[str, dict[str, AloneFloor]]:
    """The floors of layers by themselves that ``header`` lists."""
    return {
        name: {dtype: AloneFloor(*numbers) for dtype, numbers in floors.items()}
        for name, floors in header.alone.items()
    }


def load(folder: Path, bless: str) -> Stored:
    """Both files of ``folder``, of whatever spec. Raises GoldenCorrupt (E0802)."""
    head = header(folder, bless)
    return Stored(head, leaves(folder, head, bless))


def corrupt(path: Path, reason: str, bless: str) -> GoldenCorrupt:
    """That ``path`` cannot be used, for ``reason``."""
    return GoldenCorrupt(
        "E0802",
        f"the golden {path} cannot be used: {reason}",
        help=f"restore it from version control, or make it anew: {bless}",
    )


def _bytes(path: Path, limit: int, bless: str) -> bytes:
    try:
        if not path.is_file() or path.is_symlink():
            raise corrupt(path, "there is no such file", bless)
        size = path.stat().st_size
        if size > limit:
            raise corrupt(path, f"it has {size} bytes, over the limit of {limit}", bless)
        with path.open("rb") as file:
            return file.read(limit + 1)[:limit]
    except OSError as error:
        raise corrupt(path, error.strerror or str(error), bless) from None


def _read_header(folder: Path, bless: str) -> Header:
    from pydantic import ValidationError

    from specc.harness.golden_schema import Header

    path = folder / JSON_NAME
    content = _bytes(path, MAX_JSON, bless)
    try:
        raw = json.loads(content, parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise corrupt(path, f"it is not JSON ({str(error)[:80]})", bless) from None
    try:
        raw = migrated(raw)
    except ValueError as error:
        raise corrupt(path, str(error), bless) from None
    try:
        return Header.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise corrupt(path, f"{where[:80]}: {first['msg'][:120]}", bless) from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{twice[:80]!r} stands twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _read_tensors(folder: Path, bless: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = folder / TENSORS_NAME
    content = _bytes(path, MAX_TENSORS, bless)
    if len(content) < 8 or struct.unpack("<Q", content[:8])[0] > min(MAX_HEADER, len(content)):
        raise corrupt(path, "it is truncated, or no safetensors file", bless)
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise corrupt(path, f"it is no safetensors file ({str(error)[:80]})", bless) from None


def _leaf(row: Row, tensors: dict[str, Tensor], folder: Path, bless: str) -> Leaf:
    if row.kind == "absent":
        return Leaf(Observation(row.name, row.line), {})
    values = tensors.pop(row.name, None)
    path = folder / TENSORS_NAME
    if values is None:
        raise corrupt(path, f"it lacks {row.name!r}", bless)
    count = math.prod(row.shape)
    expected = BUCKETS if row.kind == "sketch" else max(count, 0)
    if values.dtype != torch.float64 or tuple(values.shape) != (expected,):
        raise corrupt(path, f"{row.name!r} has another shape or type than {JSON_NAME} says", bless)
    if (row.kind == "sketch") != is_sketched(count):
        raise corrupt(folder / JSON_NAME, f"{row.name!r} is stored as the wrong kind", bless)
    if digest(values) != row.digest:
        raise corrupt(path, f"{row.name!r} does not match its digest in {JSON_NAME}", bless)
    if not bool(torch.isfinite(values).all()):
        raise corrupt(path, f"{row.name!r} holds a value that is not finite", bless)
    if row.floors and not row.nonfinite and not _fits(row, values):
        reason = f"{row.name!r} has another root-mean-square than {TENSORS_NAME} says"
        raise corrupt(folder / JSON_NAME, reason, bless)
    observation = Observation(
        row.name,
        row.line,
        values,
        tuple(row.shape),
        row.dtype,
        row.nonfinite,
        row.exact,
        row.rms,
        row.largest,
    )
    floors: dict[str, Floor] = {
        name: Floor(*pair, row.dtypes.get(name, "")) for name, pair in row.floors.items()
    }
    return Leaf(observation, floors)


def _fits(row: Row, values: Tensor) -> bool:
    """Whether the numbers have the root-mean-square that errors are divided by: of a sketch, an
    estimate within a few per cent."""
    found = float(values.square().mean().sqrt()) if values.numel() else 0.0
    if row.kind == "sketch":
        return found / 2 <= row.rms <= found * 2
    return math.isclose(found, row.rms, rel_tol=1e-9)
