"""A golden on disk: ``golden.json`` for people, ``reference.safetensors`` for comparison.

Written by ``bless`` alone, as a whole folder. Read as untrusted data: bounded, validated, checked
against its digests; nothing in it runs. Non-goals: making the numbers (``bless``), judging
(``compare``).
"""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specc.errors import CallError, GoldenCorrupt, GoldenMissing, GoldenStale
from specc.harness.cases import samples
from specc.harness.cases.golden_folder import JSON_NAME, TENSORS_NAME, golden_folder, project_root
from specc.harness.cases.matrix import Case, cases
from specc.harness.floors.per_layer_floor import AloneFloor
from specc.harness.goldens import golden_reader, soundness, staleness
from specc.harness.goldens.atomic_folder import present, replace_folder
from specc.harness.goldens.fingerprint import fingerprint
from specc.harness.goldens.golden_formats import FORMAT
from specc.harness.goldens.golden_reader import Leaf
from specc.harness.goldens.spec_summary import said
from specc.harness.numbers.noise import VERSION as GENERATOR_VERSION
from specc.harness.running.observed_lines import lines_of
from specc.harness.running.sketch import is_sketched
from specc.ir import Program
from specc.policy import METHOD

if TYPE_CHECKING:
    from specc.harness.goldens.golden_schema import Header

__all__ = ["Golden", "Leaf", "golden_folder", "project_root", "read", "write"]

# What is observed. To be raised with every change of it.
OBSERVATION = 4
# From this version on a name has meant the same: an older golden is judged on what it holds. To be
# raised to OBSERVATION where a name has come to mean something else; version 1 is out of reach
# because its hash of a spec was another.
OLDEST_OBSERVATION = 2


@dataclass(frozen=True, slots=True)
class Golden:
    """A case's golden in memory; ``leaves`` are in data-flow order, ``alone`` has the floors of
    layers by themselves, by value and precision. ``partial`` says that it is of an older version,
    in which less was observed than is now, ``sealed`` that it carries a digest of what it says."""

    case: Case
    draw: int
    grid: str
    kinks: int
    dtypes: tuple[str, ...]
    provenance: dict[str, str | int | bool]
    notes: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    alone: Mapping[str, Mapping[str, AloneFloor]] = field(default_factory=dict)
    partial: bool = False
    sealed: bool = True


def write(program: Program, golden: Golden, root: Path) -> Path:
    """Put ``golden`` in its folder under ``root`` and return it; where nothing but lines of the
    spec would change, what is there stays. Raises CallError (E0804)."""
    folder = golden_folder(program, golden.case, root)
    if not folder.resolve().is_relative_to((root / "golden").resolve()):
        raise CallError(
            "E0804",
            f"cannot write the golden {folder}: a link on its way leads out of the project",
            help="take the link away, or bless the spec where its goldens are",
        )
    made = files(program, golden)
    if not _differs_in_lines_alone(folder, made):
        replace_folder(folder, made)
    return folder


def _differs_in_lines_alone(folder: Path, made: dict[str, bytes]) -> bool:
    """Whether ``folder`` holds what was ``made`` but for the lines of the spec, which every verdict
    reads from the spec itself: a comment in a spec is not to be reviewed in its goldens."""
    try:
        there = {path.name: path.read_bytes() for path in folder.iterdir()}
        golden_reader.header(folder, "")  # one whose digest is wrong does not stay
    except (OSError, GoldenCorrupt):
        return False
    return {name: _without_lines(content) for name, content in there.items()} == {
        name: _without_lines(content) for name, content in made.items()
    }


def _without_lines(content: bytes) -> bytes:
    """``content`` without the lines of the spec, and the digest that they are in."""
    if content[:1] != b"{":
        return content
    return re.sub(rb'"line": \d+|"digest": "[0-9a-f]{64}"', b"", content)


def files(program: Program, golden: Golden) -> dict[str, bytes]:
    """What ``write`` puts into the folder, by name; ``golden_reader.load`` reads it anywhere."""
    from safetensors.torch import save

    tensors = {
        leaf.reference.name: leaf.reference.values.contiguous()
        for leaf in golden.leaves
        if leaf.reference.values is not None
    }
    return {JSON_NAME: _json(program, golden).encode(), TENSORS_NAME: save(tensors)}


def leftover(program: Program, root: Path) -> list[str]:
    """The folders beside the program's goldens that are of none of its cases: of sizes or modes
    that its test had once."""
    own = {golden_folder(program, case, root) for case in cases(program)}
    beside = {folder.parent for folder in own}
    found = (path.parent for each in beside for path in each.glob(f"*/{JSON_NAME}"))
    return sorted(folder.name for folder in found if folder not in own)


def stamp(program: Program, case: Case, root: Path) -> tuple[object, ...]:
    """What changes with each write of the golden of ``case``, or of what its inputs are read from.
    Raises CallError (E0806)."""
    folder = present(golden_folder(program, case, root))
    try:
        told = [path.stat() for path in sorted(folder.iterdir())]
    except OSError:  # for whoever reads it to tell
        told = []
    own = tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in told)
    return own, samples.stamp(program)


def read(program: Program, case: Case, root: Path) -> Golden:
    """The golden of ``case``.

    Raises GoldenMissing (E0801), GoldenCorrupt (E0802) or GoldenStale (E0803), and CallError
    (E0806) where the samples of an input cannot be read.
    """
    folder = present(golden_folder(program, case, root))
    bless = f"specc bless {shlex.quote(program.file)}"
    if not folder.is_dir():
        raise GoldenMissing(
            "E0801", f"no golden for {program.file}, case {case.id}", help=f"make it: {bless}"
        )
    if not folder.resolve().is_relative_to((root / "golden").resolve()):
        raise golden_reader.corrupt(folder, "it is a link that leads out of the project", bless)
    header = golden_reader.header(folder, bless)
    _check_fresh(header, program, case, bless)
    reason = soundness.unsound(header)
    if reason is not None:
        raise golden_reader.corrupt(folder / JSON_NAME, reason, bless)
    return Golden(
        case,
        header.case.draw,
        header.case.grid,
        header.case.kinks,
        tuple(header.dtypes),
        dict(header.provenance),
        (*header.notes, *_of_age(header, bless)),
        golden_reader.leaves(folder, header, bless),
        golden_reader.alone(header),
        partial=header.observation < OBSERVATION,
        sealed=bool(header.digest),
    )


# ── writing ──────────────────────────────────────────────────────────────────────────────────────


def _json(program: Program, golden: Golden) -> str:
    """JSON with one line a field and one a tensor, so that a review shows which numbers changed."""
    case = golden.case
    head: dict[str, Any] = {
        "format": FORMAT,
        "spec": fingerprint(program),
        "model": program.subject().name,
        "params": _params(program),
        "said": said(program),
        "case": {
            "sizes": dict(case.sizes),
            "seed": case.seed,
            "steps": case.steps,
            "mode": case.mode,
            "draw": golden.draw,
            "grid": golden.grid,
            "kinks": golden.kinks,
        },
        "samples": samples.digests(program),
        "observation": OBSERVATION,
        "method": METHOD,
        "generator": GENERATOR_VERSION,
        "dtypes": list(golden.dtypes),
        "provenance": golden.provenance,
        "notes": list(golden.notes),
    }
    places = _Places(program)
    tensors = [_row(leaf, places) for leaf in golden.leaves]
    alone = {name: _alone_row(floors) for name, floors in golden.alone.items()}
    digest = golden_reader.seal({**head, "tensors": tensors, "alone": alone})
    lines = [f"  {json.dumps(key)}: {_text(value)}," for key, value in head.items()]
    rows = ",\n".join(f"    {_text(row)}" for row in tensors)
    alone_rows = ",\n".join(f"    {json.dumps(name)}: {_text(row)}" for name, row in alone.items())
    lists = f'  "tensors": [\n{rows}\n  ],\n  "alone": {{\n{alone_rows}\n  }},'
    return "{\n" + "\n".join(lines) + "\n" + lists + f'\n  "digest": "{digest}"\n}}\n'


def _text(value: object) -> str:
    """``value`` as JSON, in a line; there is none of what is not finite."""
    return json.dumps(value, allow_nan=False)


def _alone_row(floors: Mapping[str, AloneFloor]) -> dict[str, list[float]]:
    found = {dtype: floor.written for dtype, floor in floors.items()}
    return {dtype: [floor.rms, floor.largest, floor.gain] for dtype, floor in found.items()}


class _Places:
    """The file of what a program that uses others computes there, from its own folder."""

    def __init__(self, program: Program) -> None:
        self._own = program.file
        self._lines = lines_of(program)

    def of(self, name: str) -> dict[str, str]:
        """``{"file": ...}`` where ``name`` is computed in another file than the program's."""
        file = self._lines.of(name).file
        if file == self._own:
            return {}
        folder = Path(self._own).resolve().parent
        return {"file": Path(os.path.relpath(Path(file).resolve(), folder)).as_posix()}


def _row(leaf: Leaf, places: _Places) -> dict[str, Any]:
    item = leaf.reference
    row: dict[str, Any] = {"name": item.name, "line": item.line, **places.of(item.name)}
    if item.values is None:
        return row | {"kind": "absent"}
    count = math.prod(item.shape)
    row |= {
        "kind": "sketch" if is_sketched(count) else "whole",
        "shape": list(item.shape),
        "dtype": item.dtype,
        "rms": item.rms,
        "largest": float(f"{item.largest:.4g}"),
        "digest": golden_reader.digest(item.values),
    }
    if item.nonfinite:
        row["nonfinite"] = item.nonfinite
    if item.exact:
        row["exact"] = True
    dtypes = {name: floor.dtype for name, floor in leaf.floors.items() if floor.dtype}
    if dtypes:
        row["dtypes"] = dtypes
    if leaf.floors:
        found = {name: floor.written for name, floor in leaf.floors.items()}
        row["floors"] = {name: [floor.rms, floor.largest] for name, floor in found.items()}
    return row


def described(found: golden_reader.Stored) -> dict[str, object]:
    """What a golden says beside its tensors, for people who compare two."""
    head = found.header
    case = {name: getattr(head.case, name) for name in ("sizes", "seed", "steps", "mode", "draw")}
    return {
        "the spec's meaning": head.spec,
        "model": head.model,
        "params": head.params,
        **case,
        "samples": head.samples,
        "what is observed": head.observation,
        "how floors are found": head.method,
        "the generator": head.generator,
        "dtypes": head.dtypes,
        **head.provenance,
        "notes": head.notes,
    }


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def _check_fresh(header: Header, program: Program, case: Case, bless: str) -> None:
    # What the spec says comes first: other steps may follow from another optimizer.
    changed = []
    if header.spec != fingerprint(program):
        changed += staleness.changed(
            program, _params(program), header.params, header.tensors, header.said
        )
    now = {
        "sizes": dict(case.sizes),
        "seed": case.seed,
        "steps": case.steps,
        "mode": case.mode,
    }
    for name, value in now.items():
        before = getattr(header.case, name)
        if before != value:
            changed.append(f"{name} was {_told(before)} and is {_told(value)}")
    present_samples = samples.digests(program)
    for name in sorted(present_samples.keys() | header.samples.keys()):
        if present_samples.get(name) != header.samples.get(name):
            changed.append(f"the samples of {name} have changed")
    if not OLDEST_OBSERVATION <= header.observation <= OBSERVATION:
        changed.append(f"what is observed was version {header.observation} and is {OBSERVATION}")
    if not 1 <= header.method <= METHOD:
        changed.append(f"how floors are found was version {header.method} and is {METHOD}")
    if header.generator != GENERATOR_VERSION:
        changed.append(
            f"the portable generator was version {header.generator} and is {GENERATOR_VERSION}"
        )
    if soundness.refused(program, ((row.name, row.nonfinite) for row in header.tensors)):
        changed.append("it holds NaN or infinity, which the spec does not allow")
    if changed:
        raise GoldenStale(
            "E0803",
            f"the golden of {program.file}, case {case.id}, is stale: {'; '.join(changed)}",
            help=f"if the change is meant: {bless}",
        )


def _of_age(header: Header, bless: str) -> list[str]:
    """What a verdict should say of a golden that is older than this specc."""
    notes = []
    if not header.digest:
        notes.append(
            "the golden has no digest, as before format 4: an edit by hand would not be found;"
            f" format {FORMAT}: {bless}"
        )
    if header.observation < OBSERVATION:
        notes.append(
            f"the golden observes what version {header.observation} did, and is judged on that;"
            f" version {OBSERVATION}: {bless}"
        )
    if header.method < METHOD:
        notes.append(
            f"the golden's floors were found as version {header.method} did; version {METHOD}:"
            f" {bless}"
        )
    return notes


def _params(program: Program) -> dict[str, str]:
    subject = program.subject()
    return {param.name: str(param.value) for param in (*program.params, *subject.params)}


def _told(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={size}" for name, size in value.items()) or "none"
    return str(value)
