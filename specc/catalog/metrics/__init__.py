"""The metrics, by torchmetrics' names, as plain torch that an emitted file carries along.

Each is what torchmetrics computes of one batch, with its defaults and in the order of its
arguments. Non-goals: state over batches; what asks a trained model or another package
(``specc.catalog.exclusions`` says which, and why).
"""

from __future__ import annotations

from specc.catalog.metrics import confusion, counting, others, ranking, regression
from specc.catalog.rows import FunctionRow

ROWS: tuple[FunctionRow, ...] = (
    *counting.ROWS,
    *confusion.ROWS,
    *ranking.ROWS,
    *regression.ROWS,
    *others.ROWS,
)
