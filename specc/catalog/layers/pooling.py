"""Rows of pooling layers."""

from __future__ import annotations

from functools import partial

from specc.catalog.rows import LayerRow
from specc.catalog.shapes.of_layers import pooling as rules
from specc.catalog.signatures import any_or, one_or

# A batch of images with two channels, by the number of their dimensions; and smaller ones.
_IMAGES = {1: "x: float[N, 2, 9]", 2: "x: float[N, 2, 6, 5]", 3: "x: float[N, 2, 4, 5, 4]"}


def _max(dims: int) -> LayerRow:
    several = one_or(dims)
    return LayerRow(
        f"MaxPool{dims}d",
        f"nn.MaxPool{dims}d",
        f"kernel_size: {several}, stride: {several} | none = None, padding: {several} = 0, "
        f"dilation: {several} = 1, return_indices: bool = False, ceil_mode: bool = False",
        "the largest value of each window",
        shape=partial(rules.pooled, dims=dims),
        family="pooling",
        example=f"{_IMAGES[dims]} | x -> MaxPool{dims}d(2)",
    )


def _average(dims: int) -> LayerRow:
    several = one_or(dims)
    divisor = ", divisor_override: int | none = None" if dims > 1 else ""
    return LayerRow(
        f"AvgPool{dims}d",
        f"nn.AvgPool{dims}d",
        f"kernel_size: {several}, stride: {several} | none = None, padding: {several} = 0, "
        f"ceil_mode: bool = False, count_include_pad: bool = True{divisor}",
        "the mean of each window",
        shape=partial(rules.pooled, dims=dims, inside=dims == 3),
        family="pooling",
        example=f"{_IMAGES[dims]} | x -> AvgPool{dims}d(3, stride=2, padding=1)",
    )


def _adaptive(kind: str, dims: int) -> LayerRow:
    indices = ", return_indices: bool = False" if kind == "Max" else ""
    return LayerRow(
        f"Adaptive{kind}Pool{dims}d",
        f"nn.Adaptive{kind}Pool{dims}d",
        f"output_size: {any_or(dims)}{indices}",
        "pools any size to a fixed one",
        shape=partial(rules.adaptive, dims=dims),
        family="pooling",
        example=f"{_IMAGES[dims]} | x -> Adaptive{kind}Pool{dims}d(3)",
    )


def _power(dims: int) -> LayerRow:
    # torch's LPPool1d takes one number alone: it multiplies by its kernel_size.
    kernel = "int" if dims == 1 else f"int x{dims}"
    return LayerRow(
        f"LPPool{dims}d",
        f"nn.LPPool{dims}d",
        f"norm_type: float, kernel_size: {kernel}, stride: {one_or(dims)} | none = None, "
        "ceil_mode: bool = False",
        "the p-norm of each window, p being norm_type",
        since="2.3" if dims == 3 else "2.0",
        shape=partial(rules.power_averaged, dims=dims),
        family="pooling",
        example=f"{_IMAGES[dims]} | x -> LPPool{dims}d(2, kernel_size=2)",
    )


def _fractional(dims: int) -> LayerRow:
    return LayerRow(
        f"FractionalMaxPool{dims}d",
        f"nn.FractionalMaxPool{dims}d",
        f"kernel_size: int x{dims}, output_size: int x{dims} | none = None, "
        "output_ratio: float | floats | none = None, return_indices: bool = False",
        "the largest value of each window, the windows placed at random",
        shape=partial(rules.fractional, dims=dims),
        stochastic=True,
        family="pooling",
        example=f"{_IMAGES[dims]} | x -> FractionalMaxPool{dims}d(2, output_size=2)",
    )


def _unpooled(dims: int) -> LayerRow:
    return LayerRow(
        f"MaxUnpool{dims}d",
        f"nn.MaxUnpool{dims}d",
        f"kernel_size: int x{dims}, stride: int x{dims} | none = None, padding: int x{dims} = 0",
        "what MaxPool kept back in its places, zeros elsewhere",
        shape=partial(rules.unpooled, dims=dims),
        forward="input: tensor, indices: tensor, output_size: sizes | none = None",
        family="pooling",
        refuses={
            "torchscript": f"torch's own max_unpool{dims}d can be neither scripted nor traced"
        },
        # Each size even: torch finds no place in what is unpooled for a value of a half window.
        example=f"x: float[{', '.join(['N', '2', '4', '6', '4'][: dims + 2])}] | "
        f"y, places = x -> MaxPool{dims}d(2, return_indices=true)\n"
        f"MaxUnpool{dims}d(2)(y, places)",
    )


ROWS = (
    *map(_max, (1, 2, 3)),
    *map(_average, (1, 2, 3)),
    *(_adaptive("Avg", dims) for dims in (1, 2, 3)),
    *(_adaptive("Max", dims) for dims in (1, 2, 3)),
    *map(_power, (1, 2, 3)),
    *map(_fractional, (2, 3)),
    *map(_unpooled, (1, 2, 3)),
)
