"""``docs/catalogue.md``: the count of what torch exports and rows cover, then every row.

``python tests/catalogue_page.py`` prints it, counted against the installed torch; a test holds the
page to it. For maintainers, and so no part of the wheel. Non-goals: shapes and arguments at length,
which ``specc catalog NAME`` has.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import torch

from specc.catalog import row_notation, std
from specc.catalog.examples import KINDS
from specc.catalog.rows import FunctionRow, LayerRow, Row
from specc.drift.coverage import EXCLUDED, counted, covered_names, names, unknown
from specc.drift.exports import TENSORS, exported

# Rows of a kind that another count may cover.
_AS_WELL: Final = {"function": TENSORS, "layer": "loss"}

_HEAD = (
    "Everything that a spec may name, by torch's names; `specc catalog NAME` explains one with its "
    "arguments, its shapes and an\nexample. This page is generated (`python tests/catalogue_page.py"
    " > docs/catalogue.md`), and a test holds it to the catalogue."
)
_COUNT = (
    "Counted against torch {torch}: what is covered and what is excluded is together what torch "
    "exports. *Functions* are those of\n`torch.nn.functional`; *tensor functions* those of "
    "`torch`, `torch.linalg`, `torch.fft` and `torch.special` that take tensors\nand change none. "
    "*Beside* are rows that these exports do not list: functions that make tensors of sizes alone, "
    "and what is\ntorchmetrics' or specc's own."
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """One kind counted: ``covered`` and ``excluded`` are those of torch's exports, sorted;
    ``unknown`` are exports that are neither. ``beside`` is how many rows of the kind are none of
    these exports: tensor functions of ``torch`` itself, and what newer torches have."""

    kind: str
    exported: tuple[str, ...]
    covered: tuple[str, ...]
    excluded: tuple[str, ...]
    unknown: tuple[str, ...]
    beside: int


def coverage(kind: str) -> Coverage:
    """How the exports of ``kind``, one of ``counted``, are accounted for."""
    found = exported(kind)
    covered = found & covered_names(kind)
    excluded = (found & EXCLUDED.get(kind, {}).keys()) - covered
    beside = 0
    if kind != TENSORS:
        known = found | exported(_AS_WELL.get(kind, kind))
        beside = sum(not (names(kind, row) & known) for row in KINDS[kind].values())
    return Coverage(
        kind,
        tuple(sorted(found)),
        tuple(sorted(covered)),
        tuple(sorted(excluded)),
        tuple(sorted(unknown(kind))),
        beside,
    )


def page(version: str) -> str:
    """The whole page; ``version`` is that of the torch counted against."""
    lines = ["# The catalogue", "", _HEAD, "", "## How much of torch is covered", ""]
    lines += [_COUNT.format(torch=version), "", *counts(), ""]
    lines += ["### Excluded, and why", "", *_exclusions(), ""]
    for kind in KINDS:
        lines += [*_kind(kind), ""]
    lines += _blocks()
    return "\n".join(lines).rstrip() + "\n"


def counts() -> Iterator[str]:
    """The table of covered, excluded and exported, as Markdown."""
    yield "| | covered | excluded | exported by torch | beside |"
    yield "| --- | --: | --: | --: | --: |"
    for kind in counted():
        found = coverage(kind)
        cells = [len(found.covered), len(found.excluded), len(found.exported), found.beside]
        yield f"| {row_notation.plural(kind)} | {' | '.join(map(_number, cells))} |"


def _number(count: int) -> str:
    return str(count) if count else ""


def _exclusions() -> Iterator[str]:
    """Names of one reason together, in the order of the tables."""
    yield "| | names | reason |"
    yield "| --- | --- | --- |"
    for kind in counted():
        found: Coverage = coverage(kind)
        reasons: dict[str, list[str]] = {}
        table: Mapping[str, str] = EXCLUDED.get(kind, {})
        for name in (name for name in table if name in found.excluded):
            reasons.setdefault(table[name], []).append(f"`{name}`")
        for reason, excluded in reasons.items():
            yield f"| {kind} | {', '.join(excluded)} | {_cell(reason)} |"


def _kind(kind: str) -> Iterator[str]:
    rows = KINDS[kind]
    yield f"## {row_notation.plural(kind).capitalize()}"
    for family, members in groupby(sorted(rows.values(), key=_family), key=_family):
        if family and family != kind:
            yield f"\n### {row_notation.plural(kind).capitalize()}: {family}"
        yield "\n| | called | is |"
        yield "| --- | --- | --- |"
        for row in members:
            address = row_notation.page(kind, row)
            name = f"[`{row.name}`]({address})" if address else f"`{row.name}`"
            call = _cell(row_notation.signature(row))
            since = "" if row.since in ("", "2.0") else f" *(torch {row.since})*"
            yield f"| {name} | `{call}` | {_cell(row.summary)}{since} |"


def _blocks() -> Iterator[str]:
    yield "## Blocks"
    yield '\nWritten in the language itself, and shipped with specc: language.md, "The library".'
    yield "\n| | file | is |"
    yield "| --- | --- | --- |"
    for block in std.BLOCKS.values():
        yield f'| `{block.name}` | `use "{block.path}"` | {_cell(block.summary)} |'


def _family(row: Row) -> str:
    return row.family if isinstance(row, LayerRow | FunctionRow) else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page(".".join(torch.__version__.split(".")[:2])))
