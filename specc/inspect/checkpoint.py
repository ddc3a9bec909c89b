"""What a model takes of the checkpoint that it starts from, and what it leaves, by the file's
header alone.

Non-goals: its numbers, shapes and dtypes, which are looked at where it is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from specc import ir
from specc.errors import CallError
from specc.semantics.naming.checkpoint_map import tensor_names
from specc.semantics.naming.checkpoint_tensors import LONGEST_HEADER, account, inside

_NOT_A_TENSOR: Final = "__metadata__"


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """``summary`` says all in a line. ``taken`` gives for each name in the model those in the file;
    ``missing`` and ``unknown`` are names of the model and of the file that have no other."""

    file: str
    summary: str
    taken: dict[str, tuple[str, ...]]
    transposed: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def facts(model: ir.Module, spec: str) -> CheckpointFacts | None:
    """What ``model`` of the spec at ``spec`` takes of its checkpoint; None where it has none."""
    written = model.weights
    if written is None:
        return None
    if not written.endswith(".safetensors"):
        return CheckpointFacts(written, "read where it is loaded", {})
    try:
        names = _names(written, spec)
        wanted = tensor_names(model)
        found = account(model.weight_map, names, wanted, written)
    except CallError as fault:
        return CheckpointFacts(written, fault.message, {})
    known = set(wanted)
    missing = tuple(name for name in wanted if name not in {*found.taken, *found.fresh})
    unknown = tuple(name for name in found.taken if name not in known)
    parts = [found.summary(known), *found.problems]
    parts += [f"{len(missing)} missing: {_few(missing)}"] if missing else []
    parts += [f"{len(unknown)} not in the model: {_few(unknown)}"] if unknown else []
    return CheckpointFacts(
        written, "; ".join(parts),
        {name: tuple(source.name for source in found.sources(name)) for name in found.taken
         if name in known},
        tuple(sorted(found.transposed)), tuple(found.dropped), tuple(found.fresh), missing, unknown,
    )  # fmt: skip


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(name[:80] for name in names[:4]) + (", ..." if len(names) > 4 else "")


def _names(written: str, spec: str) -> list[str]:
    """The names in the header of a safetensors file: 8 bytes of its length, then JSON."""
    try:
        with open(inside(written, spec), "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= LONGEST_HEADER else None
    except (OSError, ValueError, RecursionError) as fault:
        raise CallError("E0709", f"cannot be read: {type(fault).__name__}") from None
    if not isinstance(header, dict):
        raise CallError("E0709", "cannot be read: it has no header of names")
    return [name for name in header if name != _NOT_A_TENSOR]
