"""The whole catalogue against the installed torch: how much is covered, and what has drifted.

Non-goals: the comparison of one row (``signatures``), printing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from specc.catalog import exclusions
from specc.catalog.examples import KINDS
from specc.catalog.rows import Row
from specc.drift.exports import exported, torch_version
from specc.drift.signatures import callable_of, differences

EXCLUDED: Final[Mapping[str, Mapping[str, str]]] = {
    "layer": exclusions.LAYERS,
    "loss": exclusions.LOSSES,
    "function": exclusions.FUNCTIONS,
    "optimizer": exclusions.OPTIMIZERS,
    "scheduler": exclusions.SCHEDULERS,
    "initialiser": exclusions.INITS,
    "metric": exclusions.METRICS,
}


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


@dataclass(frozen=True, slots=True)
class Drift:
    """How the installed torch differs from the catalogue; pairs of a kind and a name."""

    torch: str
    new: list[tuple[str, str]] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    # Rows of newer torches than the installed one: not drift, and not compared.
    later: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def none(self) -> bool:
        return not (self.new or self.gone or self.changed)


def is_later(row: Row) -> bool:
    """Whether a newer torch than the installed one is the first to have ``row``."""
    major, minor = row.since.split(".")[:2]
    return (int(major), int(minor)) > torch_version()


def coverage(kind: str) -> Coverage:
    """How the exports of ``kind`` are accounted for."""
    found = exported(kind)
    covered = {name for name in found if name in covered_names(kind)}
    excluded = {name for name in found if name in EXCLUDED.get(kind, {})}
    rows = KINDS[kind]
    return Coverage(
        kind,
        tuple(sorted(found)),
        tuple(sorted(covered)),
        tuple(sorted(excluded - covered)),
        tuple(sorted(found - covered - excluded)),
        sum(_exported_name(kind, row) not in found for row in rows.values()),
    )


def covered_names(kind: str) -> frozenset[str]:
    """The exports that rows stand for. A function of ``torch.nn.functional`` is covered as well by
    the loss that is called by its class's name."""
    names = {_exported_name(kind, row) for row in KINDS[kind].values()}
    if kind == "loss":  # those that hold parameters are layers
        names |= {row.name for row in KINDS["layer"].values() if getattr(row, "family", "") == kind}
    if kind == "function":
        names |= {_exported_name(kind, row) for row in KINDS["loss"].values()}
    return frozenset(names)


def _exported_name(kind: str, row: Row) -> str:
    """What torch calls it: ``F.avg_pool1d`` says it of a function, the name of a class."""
    return (
        row.torch.removeprefix("F.") if kind == "function" and row.torch[:2] == "F." else row.name
    )


def drift() -> Drift:
    """Compare every row and every export with the installed torch."""
    import torch

    found = Drift(torch.__version__)
    for kind, rows in KINDS.items():
        found.new.extend((kind, name) for name in coverage(kind).unknown)
        for row in rows.values():
            if is_later(row):
                found.later.append((kind, row.name, row.since))
                continue
            try:
                callable_of(row)
            except AttributeError:
                found.gone.append((kind, row.name))
                continue
            said = differences(kind, row)
            if said:
                found.changed.append((kind, row.name, said))
    return found
