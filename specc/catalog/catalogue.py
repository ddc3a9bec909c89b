"""What one spec may use: the tables of torch's layers, functions, losses and metrics, with the rows
that the extensions of its project add.

A value, made once for a project and never changed; a spec outside any project has ``BUILT_IN``.
Non-goals: finding and loading extensions (``specc.extensions``); the tables that nothing extends
(optimizers, schedulers, initialisers, penalties), which stand in ``specc.catalog``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from specc.catalog import FUNCTIONS, LAYERS, LOSSES, METRICS
from specc.catalog.rows import FunctionRow, LayerRow, Row


def _nobody(name: str) -> str | None:
    return None


@dataclass(frozen=True)
class Catalogue:
    """The tables by kind. ``origins`` names, for each row that is not specc's own, the extension
    that it is of; ``offered`` gives advice on a name which an extension that is installed has, and
    the project does not name (None for any other)."""

    layers: Mapping[str, LayerRow] = field(default_factory=lambda: LAYERS)
    functions: Mapping[str, FunctionRow] = field(default_factory=lambda: FUNCTIONS)
    losses: Mapping[str, FunctionRow] = field(default_factory=lambda: LOSSES)
    metrics: Mapping[str, FunctionRow] = field(default_factory=lambda: METRICS)
    origins: Mapping[str, str] = field(default_factory=dict)
    offered: Callable[[str], str | None] = _nobody

    def __contains__(self, name: object) -> bool:
        return any(name in table for table in self.tables.values())

    def names(self) -> Iterator[str]:
        """Every name, kind by kind."""
        for table in self.tables.values():
            yield from table

    @property
    def tables(self) -> dict[str, Mapping[str, LayerRow] | Mapping[str, FunctionRow]]:
        """The tables by the word for what is in them: ``layer``, ``function``, ``loss``,
        ``metric``."""
        return {
            "layer": self.layers,
            "function": self.functions,
            "loss": self.losses,
            "metric": self.metrics,
        }

    def added(self) -> Iterator[tuple[str, Row, str]]:
        """The rows of extensions: what each is (``layer``, ...), the row, its extension."""
        for kind, table in self.tables.items():
            for name, row in table.items():
                if name in self.origins:
                    yield kind, row, self.origins[name]

    @cached_property
    def globals(self) -> frozenset[str]:
        """The names of modules, classes and functions that emitted files may get from extensions:
        nothing else of a file may be called so."""
        return frozenset(head(row) for _, row, _ in self.added()) - _TORCH


_TORCH: Final = frozenset(["torch", "nn", "F", "Tensor"])

BUILT_IN: Final = Catalogue()


def head(row: Row) -> str:
    """The name that the emitted source begins with where it uses ``row``: ``acme`` of
    ``acme.layers.Swish``."""
    return row.torch.partition(".")[0]


def is_built_in(row: Row) -> bool:
    """Whether ``row`` is one of specc's own, as all are that extensions cannot add."""
    return not isinstance(row, LayerRow | FunctionRow) or any(
        table.get(row.name) is row for table in BUILT_IN.tables.values()
    )
