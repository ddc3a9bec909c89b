"""The functions, by torch's names: stateless, tensors among their arguments.

Arguments left out: ``out`` and ``inplace`` (a value is never changed), ``device`` and ``dtype``
(the run chooses them).
Non-goal: methods; ``x.T`` and ``x.mT`` are the language's own.
"""

from __future__ import annotations

from specc.catalog.functions import (
    arrangement,
    creation,
    elementwise,
    indexing,
    matrix,
    neural,
    reduction,
)
from specc.catalog.rows import FunctionRow

ROWS: tuple[FunctionRow, ...] = (
    *elementwise.ROWS,
    *reduction.ROWS,
    *arrangement.ROWS,
    *indexing.ROWS,
    *matrix.ROWS,
    *neural.ROWS,
    *creation.ROWS,
)
