"""The layers, by torch's names. Arguments left out of every row: ``device`` and ``dtype`` (the run
chooses them) and ``inplace`` (it would change a value that another line reads).

Non-goal: how shapes go, which is ``specc.catalog.shapes``'.
"""

from __future__ import annotations

from specc.catalog.layers import (
    activation,
    attention,
    convolution,
    dropout,
    linear,
    loss,
    normalization,
    pooling,
    recurrent,
    shape,
)
from specc.catalog.rows import LayerRow

ROWS: tuple[LayerRow, ...] = (
    *linear.ROWS,
    *loss.ROWS,
    *convolution.ROWS,
    *pooling.ROWS,
    *normalization.ROWS,
    *dropout.ROWS,
    *recurrent.ROWS,
    *attention.ROWS,
    *shape.ROWS,
    *activation.ROWS,
)
