"""Rows of dropout layers: they draw noise in training."""

from __future__ import annotations

from functools import partial

from specc.catalog.rows import LayerRow, ShapeRule
from specc.catalog.shapes import elementwise as rules


def _row(name: str, summary: str, shape: ShapeRule) -> LayerRow:
    return LayerRow(
        name,
        f"nn.{name}",
        "p: float = 0.5",
        summary,
        shape=shape,
        stochastic=True,
        family="dropout",
    )


ROWS = (
    _row("Dropout", "zeroes single elements with probability p", rules.dropped),
    *(
        _row(
            f"Dropout{dims}d",
            "zeroes whole channels with probability p",
            partial(rules.dropped_channels, dims=dims),
        )
        for dims in (1, 2, 3)
    ),
    _row("AlphaDropout", "dropout that keeps mean and variance, for SELU", rules.dropped),
)
