"""The functions, by the last part of torch's names: stateless, tensors among their arguments.

Arguments left out: ``out`` and ``inplace`` (a value is never changed), ``device`` and ``dtype``
(the run chooses them). Where two of torch's have one name, the newer is meant: ``norm`` and
``cross`` are torch.linalg's. What is left out is in ``exclusions``, with its reason.
Non-goal: methods; ``x.T`` and ``x.mT`` are the language's own.
"""

from __future__ import annotations

from specc.catalog.functions import (
    activation,
    arrangement,
    creation,
    elementwise,
    indexing,
    joining,
    linalg,
    matrix_products,
    neural,
    order,
    pairwise,
    reduction,
    spectral,
)
from specc.catalog.rows import FunctionRow

ROWS: tuple[FunctionRow, ...] = (
    *elementwise.ROWS,
    *pairwise.ROWS,
    *activation.ROWS,
    *reduction.ROWS,
    *order.ROWS,
    *arrangement.ROWS,
    *joining.ROWS,
    *indexing.ROWS,
    *matrix_products.ROWS,
    *linalg.ROWS,
    *spectral.ROWS,
    *neural.ROWS,
    *creation.ROWS,
)
