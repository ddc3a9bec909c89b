"""Rows of activations."""

from __future__ import annotations

from specc.catalog.rows import LayerRow, ShapeRule
from specc.catalog.shapes import elementwise as rules


def _row(
    name: str, summary: str, signature: str = "", shape: ShapeRule = rules.floating
) -> LayerRow:
    return LayerRow(name, f"nn.{name}", signature, summary, shape=shape, family="activation")


ROWS = (
    _row("ReLU", "max(x, 0)", shape=rules.numeric),
    _row("ReLU6", "min(max(x, 0), 6)", shape=rules.numeric),
    _row("LeakyReLU", "x, or negative_slope x below 0", "negative_slope: float = 0.01"),
    LayerRow(
        "PReLU",
        "nn.PReLU",
        "num_parameters: size = 1, init: float = 0.25",
        "LeakyReLU with a learned slope, one or one a channel",
        shape=rules.prelu,
        parameters=rules.prelu_parameters,
        initial=rules.prelu_initial,
        family="activation",
    ),
    _row("ELU", "x, or alpha (exp(x) - 1) below 0", "alpha: float = 1.0"),
    _row("SELU", "ELU scaled so that variance 1 stays 1"),
    _row("CELU", "x, or alpha (exp(x / alpha) - 1) below 0", "alpha: float = 1.0"),
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
    ),
    _row("Hardsigmoid", "x / 6 + 1 / 2 between 0 and 1"),
    _row("Hardswish", "x Hardsigmoid(x)"),
    _row("LogSigmoid", "log(sigmoid(x))"),
    _row("Softsign", "x / (1 + |x|)", shape=rules.numeric_to_float),
    _row("Tanhshrink", "x - tanh(x)", shape=rules.numeric_to_float),
    _row("Softshrink", "x moved towards 0 by lambd", "lambd: float = 0.5", rules.shrunk),
    _row("Hardshrink", "x, or 0 within lambd", "lambd: float = 0.5"),
    _row(
        "Threshold",
        "x above threshold, else value",
        "threshold: float, value: float",
        rules.numeric,
    ),
    _row("GLU", "one half along dim times sigmoid of the other", "dim: int = -1", rules.gated),
    _row("Softmin", "Softmax of -x", "dim: int | none = None", rules.softmaxed),
    _row("Softmax", "exp(x) over its sum along dim", "dim: int | none = None", rules.softmaxed),
    _row("LogSoftmax", "the log of Softmax", "dim: int | none = None", rules.along),
)
