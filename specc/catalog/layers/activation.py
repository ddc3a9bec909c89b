"""Rows of activations."""

from __future__ import annotations

from specc.catalog.rows import LayerRow, ShapeRule
from specc.catalog.shapes.of_functions import elementwise as rules
from specc.catalog.shapes.of_layers import activation


def _row(
    name: str,
    summary: str,
    signature: str = "",
    shape: ShapeRule = rules.floating,
    example: str = "",
    unnamed: tuple[str, ...] = (),
) -> LayerRow:
    return LayerRow(
        name,
        f"nn.{name}",
        signature,
        summary,
        positional=(unnamed,) if unnamed else (),
        shape=shape,
        family="activation",
        example=example,
    )


_DIM, _BY_PLACE = "dim: int | none = None", ("dim",)

ROWS = (
    _row("ReLU", "max(x, 0)", shape=rules.numeric),
    _row("ReLU6", "min(max(x, 0), 6)", shape=rules.numeric),
    _row(
        "LeakyReLU",
        "x, or negative_slope x below 0",
        "negative_slope: float = 0.01",
        unnamed=("negative_slope",),
    ),
    LayerRow(
        "PReLU",
        "nn.PReLU",
        "num_parameters: size = 1, init: float = 0.25",
        "LeakyReLU with a learned slope, one or one a channel",
        positional=(("num_parameters",),),
        shape=activation.prelu,
        parameters=activation.prelu_parameters,
        initial=activation.prelu_initial,
        family="activation",
        example="x: float[N, 6] | x -> PReLU(6)",
    ),
    LayerRow(
        "RReLU",
        "nn.RReLU",
        "lower: float = 0.125, upper: float = 0.3333333333333333",
        "LeakyReLU with a slope drawn between lower and upper; in evaluation their mean",
        positional=(("lower", "upper"),),
        shape=activation.randomly_leaky,
        stochastic=True,
        family="activation",
    ),
    _row("ELU", "x, or alpha (exp(x) - 1) below 0", "alpha: float = 1.0", unnamed=("alpha",)),
    _row("SELU", "ELU scaled so that variance 1 stays 1"),
    _row(
        "CELU", "x, or alpha (exp(x / alpha) - 1) below 0", "alpha: float = 1.0", unnamed=("alpha",)
    ),
    LayerRow(
        "GELU",
        "nn.GELU",
        "approximate: str = 'none'",
        "x times the standard normal's distribution function",
        choices={"approximate": ("none", "tanh")},
        shape=rules.floating,
        family="activation",
    ),
    _row("SiLU", "x sigmoid(x)"),
    _row("Mish", "x tanh(softplus(x))"),
    _row("Sigmoid", "1 / (1 + exp(-x))", shape=rules.to_unit),
    _row("Tanh", "the hyperbolic tangent", shape=rules.to_float),
    _row(
        "Softplus",
        "log(1 + exp(beta x)) / beta, and x above the threshold",
        "beta: float = 1.0, threshold: float = 20.0",
    ),
    _row(
        "Hardtanh",
        "x between min_val and max_val",
        "min_val: float = -1.0, max_val: float = 1.0",
        rules.hard_tanh,
        unnamed=("min_val", "max_val"),
    ),
    _row("Hardsigmoid", "x / 6 + 1 / 2 between 0 and 1"),
    _row("Hardswish", "x Hardsigmoid(x)"),
    _row("LogSigmoid", "log(sigmoid(x))"),
    _row("Softsign", "x / (1 + |x|)", shape=rules.numeric_to_float),
    _row("Tanhshrink", "x - tanh(x)", shape=rules.numeric_to_float),
    _row(
        "Softshrink",
        "x moved towards 0 by lambd",
        "lambd: float = 0.5",
        rules.shrunk,
        unnamed=("lambd",),
    ),
    _row("Hardshrink", "x, or 0 within lambd", "lambd: float = 0.5", unnamed=("lambd",)),
    _row(
        "Threshold",
        "x above threshold, else value",
        "threshold: float, value: float",
        rules.numeric,
        "Threshold(0.1, 0.5)",
    ),
    _row(
        "GLU",
        "one half along dim times sigmoid of the other",
        "dim: int = -1",
        rules.gated,
        unnamed=_BY_PLACE,
    ),
    _row("Softmin", "Softmax of -x", _DIM, rules.softmaxed, "Softmin(dim=-1)", _BY_PLACE),
    _row(
        "Softmax",
        "exp(x) over its sum along dim",
        _DIM,
        rules.softmaxed,
        "Softmax(dim=-1)",
        _BY_PLACE,
    ),
    _row("LogSoftmax", "the log of Softmax", _DIM, rules.along, "LogSoftmax(dim=-1)", _BY_PLACE),
    _row(
        "Softmax2d",
        "Softmax over the channels, at each place of an image",
        shape=activation.softmaxed_channels,
        example="x: float[N, 4, 3, 2] | x -> Softmax2d",
    ),
)
