"""Rows of pooling layers."""

from __future__ import annotations

from functools import partial

from specc.catalog.rows import LayerRow
from specc.catalog.shapes import pooling as rules


def _max(dims: int) -> LayerRow:
    return LayerRow(
        f"MaxPool{dims}d",
        f"nn.MaxPool{dims}d",
        f"kernel_size: int x{dims}, stride: int x{dims} | none = None, padding: int x{dims} = 0, "
        f"dilation: int x{dims} = 1, return_indices: bool = False, ceil_mode: bool = False",
        "the largest value of each window",
        shape=partial(rules.pooled, dims=dims),
        family="pooling",
    )


def _average(dims: int) -> LayerRow:
    divisor = ", divisor_override: int | none = None" if dims > 1 else ""
    return LayerRow(
        f"AvgPool{dims}d",
        f"nn.AvgPool{dims}d",
        f"kernel_size: int x{dims}, stride: int x{dims} | none = None, padding: int x{dims} = 0, "
        f"ceil_mode: bool = False, count_include_pad: bool = True{divisor}",
        "the mean of each window",
        shape=partial(rules.pooled, dims=dims, inside=dims == 3),
        family="pooling",
    )


def _adaptive(kind: str, dims: int) -> LayerRow:
    indices = ", return_indices: bool = False" if kind == "Max" else ""
    return LayerRow(
        f"Adaptive{kind}Pool{dims}d",
        f"nn.Adaptive{kind}Pool{dims}d",
        f"output_size: int x{dims}{indices}",
        "pools any size to a fixed one",
        shape=partial(rules.adaptive, dims=dims),
        family="pooling",
    )


ROWS = (
    *map(_max, (1, 2, 3)),
    *map(_average, (1, 2, 3)),
    *(_adaptive("Avg", dims) for dims in (1, 2, 3)),
    *(_adaptive("Max", dims) for dims in (1, 2, 3)),
)
