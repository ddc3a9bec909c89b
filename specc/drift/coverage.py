"""The whole catalogue against the installed torch: what has drifted.

Non-goals: the comparison of one row (``signature_drift``), printing, and how much is covered, which
``tests/catalogue_page.py`` counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from specc.catalog import exclusions, tensor_exclusions
from specc.catalog.examples import KINDS
from specc.catalog.rows import Row
from specc.drift.exports import TENSORS, exported, torch_version
from specc.drift.signature_drift import callable_of, differences

EXCLUDED: Final[Mapping[str, Mapping[str, str]]] = {
    "layer": exclusions.LAYERS,
    "loss": exclusions.LOSSES,
    "function": exclusions.FUNCTIONS,
    TENSORS: tensor_exclusions.TENSOR_FUNCTIONS,
    "optimizer": exclusions.OPTIMIZERS,
    "scheduler": exclusions.SCHEDULERS,
    "initialiser": exclusions.INITS,
    "metric": exclusions.METRICS,
}


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


def counted() -> tuple[str, ...]:
    """What is compared, in order: every kind, and torch's tensor functions apart."""
    kinds = list(KINDS)
    if "function" in kinds:
        kinds.insert(kinds.index("function") + 1, TENSORS)
    return tuple(kinds)


def unknown(kind: str) -> frozenset[str]:
    """The exports of ``kind``, one of ``counted``, that are neither covered nor left out."""
    return exported(kind) - covered_names(kind) - EXCLUDED.get(kind, {}).keys()


def covered_names(kind: str) -> frozenset[str]:
    """The exports that rows stand for. A function is covered as well by the loss that is called by
    its class's name, and a loss that has weights by the layer that it is."""
    if kind == "loss":
        return frozenset({*KINDS["loss"], *KINDS["layer"]})
    if kind not in ("function", TENSORS):
        return frozenset(KINDS[kind])
    rows = (*KINDS["function"].values(), *KINDS["loss"].values())
    return frozenset(name for row in rows for name in names("function", row))


def names(kind: str, row: Row) -> frozenset[str]:
    """What torch calls it: the name of a class; of a function also what the source calls."""
    return frozenset({row.name, row.torch.rpartition(".")[2]} if kind == "function" else {row.name})


def drift() -> Drift:
    """Compare every row and every export with the installed torch."""
    import torch

    found = Drift(torch.__version__)
    for kind in counted():
        found.new.extend((kind, name) for name in sorted(unknown(kind)))
    for kind, rows in KINDS.items():
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
