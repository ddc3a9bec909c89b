"""What torch offers, as data: a table of rows for each kind of name that a spec may use.

Typed by hand; torch is the oracle of the tests, never asked at run time. Imports no torch.
Signatures are parsed when a row is first used, so that importing the catalogue is cheap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from specc.catalog import functions, layers, metrics
from specc.catalog.rows import (
    FormulaRow,
    FunctionRow,
    InitRow,
    LayerRow,
    OptimizerRow,
    Row,
    SchedulerRow,
    WrapperRow,
)
from specc.catalog.training import inits, losses, optimizers, penalties, schedulers, wrappers

__all__ = [
    "CLIPS",
    "CONSTRAINTS",
    "FUNCTIONS",
    "INITS",
    "LAYERS",
    "LOSSES",
    "METRICS",
    "OPTIMIZERS",
    "REGULARIZERS",
    "SCHEDULERS",
    "WRAPPERS",
]

R = TypeVar("R", bound=Row)


def _table(rows: Iterable[R]) -> Mapping[str, R]:
    return MappingProxyType({row.name: row for row in rows})


LAYERS: Mapping[str, LayerRow] = _table(layers.ROWS)
FUNCTIONS: Mapping[str, FunctionRow] = _table((*functions.ROWS, *losses.FUNCTIONS))
LOSSES: Mapping[str, FunctionRow] = _table(losses.ROWS)
METRICS: Mapping[str, FunctionRow] = _table(metrics.ROWS)
OPTIMIZERS: Mapping[str, OptimizerRow] = _table(optimizers.ROWS)
SCHEDULERS: Mapping[str, SchedulerRow] = _table(schedulers.ROWS)
REGULARIZERS: Mapping[str, FormulaRow] = _table(penalties.REGULARIZERS)
CONSTRAINTS: Mapping[str, FormulaRow] = _table(penalties.CONSTRAINTS)
CLIPS: Mapping[str, FormulaRow] = _table(penalties.CLIPS)
INITS: Mapping[str, InitRow] = _table(inits.ROWS)
WRAPPERS: Mapping[str, WrapperRow] = _table(wrappers.ROWS)
