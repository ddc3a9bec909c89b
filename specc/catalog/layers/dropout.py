"""Rows of dropout layers: they draw noise in training."""

from __future__ import annotations

from functools import partial

from specc.catalog.rows import LayerRow, ShapeRule
from specc.catalog.shapes.of_functions import elementwise as rules
from specc.catalog.shapes.of_layers import activation

# A batch whose channels are dropped, by the number of a channel's dimensions.
_CHANNELS = {1: "x: float[N, 4, 5] | x ->", 2: "x: float[N, 4, 3, 2] | x ->",
             3: "x: float[N, 4, 2, 3, 2] | x ->"}  # fmt: skip


def _row(name: str, summary: str, shape: ShapeRule, example: str = "") -> LayerRow:
    return LayerRow(
        name,
        f"nn.{name}",
        "p: float = 0.5",
        summary,
        positional=(("p",),),
        shape=shape,
        stochastic=True,
        family="dropout",
        example=example,
    )


ROWS = (
    _row("Dropout", "zeroes single elements with probability p", rules.dropped),
    *(
        _row(
            f"Dropout{dims}d",
            "zeroes whole channels with probability p",
            partial(rules.dropped_channels, dims=dims),
            f"{_CHANNELS[dims]} Dropout{dims}d",
        )
        for dims in (1, 2, 3)
    ),
    _row("AlphaDropout", "dropout that keeps mean and variance, for SELU", rules.dropped),
    _row(
        "FeatureAlphaDropout",
        "AlphaDropout of whole channels",
        activation.dropped_features,
        f"{_CHANNELS[2]} FeatureAlphaDropout",
    ),
)
