"""A golden's two files read as untrusted data: bounded, validated, checked against their digests.

Nothing in them runs. An older format is brought to the present one (``golden_formats``).

``golden.json`` carries a digest of all that it says, so that what was edited by hand, merged line
by line or damaged is found; the tensors' digests are in it. It is no secret: whoever makes it anew
gets past it, and no further than ``soundness`` lets them. Non-goals: whether a golden is of the
spec at hand (``golden``), writing one.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from specc.errors import GoldenCorrupt
from specc.harness.cases.golden_folder import JSON_NAME, TENSORS_NAME
from specc.harness.floors.floor_statistics import Floor
from specc.harness.floors.per_layer_floor import AloneFloor
from specc.harness.goldens.golden_formats import SEALED, migrated
from specc.harness.running.recorder import Observation, root_mean_square
from specc.harness.running.sketch import BUCKETS, is_sketched, not_finite

if TYPE_CHECKING:
    from specc.harness.goldens.golden_schema import Header, TensorRow

MAX_JSON = 32 << 20
# Commas and opening brackets, of which each is a value or less: what the values cost in memory is
# bounded before any is made. The largest golden of the zoo has 12,000.
MAX_VALUES = 200_000
# Of the tensors' file, beside the numbers that golden.json lists: for the file, and a tensor.
_BESIDE = 4096
_BESIDE_A_TENSOR = 1024
# So many buckets of a sketch, of equal size, tell the root-mean-square but for a factor of 2.
_FEW = 16
# What the smallest numbers of float64, which have few digits, are apart by rounding alone.
_LEAST = 64 * math.ulp(0.0)


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


def seal(raw: Mapping[str, object]) -> str:
    """The digest of all that a ``golden.json`` says but for the digest: SHA-256 of its JSON with
    sorted keys and without spaces, so that neither the order of keys nor line ends are in it."""
    said = {key: value for key, value in raw.items() if key != "digest"}
    content = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def header(folder: Path, bless: str) -> Header:
    """The checked ``golden.json`` of ``folder``; ``bless`` is the command that makes it anew.
    Raises GoldenCorrupt (E0802)."""
    return _read_header(folder, bless)


def leaves(folder: Path, header: Header, bless: str) -> tuple[Leaf, ...]:
    """The tensors that ``header`` lists, from ``folder``. Raises GoldenCorrupt (E0802)."""
    tensors = _read_tensors(folder, header, bless)
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
    from specc.harness.goldens.golden_schema import validated

    path = folder / JSON_NAME
    content = _bytes(path, MAX_JSON, bless)
    if sum(map(content.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise corrupt(path, f"it holds over {MAX_VALUES} values", bless)
    try:
        raw = json.loads(content, parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        if b"<<<<<<<" in content:
            raise corrupt(path, "it holds a merge conflict", bless) from None
        raise corrupt(path, f"it is not JSON ({str(error)[:80]})", bless) from None
    try:
        found = migrated(raw)
    except ValueError as error:
        raise corrupt(path, str(error), bless) from None
    assert isinstance(raw, dict)  # it has a format
    try:
        sealed = raw["format"] < SEALED or raw.get("digest") == seal(raw)
    except (ValueError, RecursionError):
        sealed = False
    if not sealed:
        reason = "it does not match its digest: it was edited by hand, merged or damaged"
        raise corrupt(path, reason, bless)
    try:
        return validated(found)
    except ValueError as error:
        raise corrupt(path, str(error), bless) from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add gives None
        raise ValueError(f"{twice[:80]!r} stands twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _read_tensors(folder: Path, header: Header, bless: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = folder / TENSORS_NAME
    names = sum(len(json.dumps(row.name)) for row in header.tensors)
    beside = _BESIDE + names + _BESIDE_A_TENSOR * len(header.tensors)
    numbers = 8 * sum(min(math.prod(row.shape), BUCKETS) for row in header.tensors)
    content = _bytes(path, beside + numbers, bless)
    if len(content) < 8 or struct.unpack("<Q", content[:8])[0] > min(beside, len(content)):
        raise corrupt(path, "it is truncated, or no safetensors file", bless)
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise corrupt(path, f"it is no safetensors file ({str(error)[:80]})", bless) from None


def _leaf(row: TensorRow, tensors: dict[str, Tensor], folder: Path, bless: str) -> Leaf:
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
    if row.floors and not _fits(row, values):
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


def _fits(row: TensorRow, values: Tensor) -> bool:
    """Whether the numbers have the root-mean-square that errors are divided by."""
    count = math.prod(row.shape)
    finite = count - sum(not_finite(row.nonfinite).values())
    most = row.rms * math.sqrt(count) * 1.001 + _LEAST
    if finite < 0 or not row.rms * 0.999 <= row.largest + _LEAST or row.largest > most:
        return False
    found = root_mean_square(values)
    if row.kind == "whole":
        whole = found * math.sqrt(count / max(finite, 1))
        return math.isclose(whole, row.rms, rel_tol=1e-9, abs_tol=_LEAST)
    # Of a sketch, an estimate within a few per cent. A tensor that is zero but for some strides is
    # in few buckets, and each of these may add up to nothing, or to all of its elements.
    shares = (values / found).square() if found > 0.0 else values
    if found > 0.0 and float(shares.square().mean()) * _FEW <= BUCKETS:
        return found / 2 <= row.rms <= found * 2
    return found <= row.rms * math.sqrt(count / BUCKETS + 1) * 1.001
