"""Rows of activation functions, those that the activation layers compute, and softmax."""

from __future__ import annotations

from functools import partial

from specc.catalog.functions.family import Family
from specc.catalog.rows import FunctionRow
from specc.catalog.shapes.of_functions import elementwise
from specc.catalog.shapes.of_functions.elementwise import mapped
from specc.catalog.shapes.of_layers import activation, functional

_row = Family("activation", leads="input: tensor", signature="", shape=elementwise.floating)

_DIM = "dim: int | none = None"
_WHOLE_TOO = partial(mapped, takes="if")

ROWS = (
    _row("F.relu", "max(x, 0)", _WHOLE_TOO),
    _row("F.relu6", "min(max(x, 0), 6)", _WHOLE_TOO),
    _row(
        "F.leaky_relu",
        "x, or negative_slope x below 0",
        signature="negative_slope: float = 0.01",
    ),
    _row(
        "F.prelu",
        "x, or weight x below 0: one slope, or one a channel",
        functional.sloped,
        "weight: tensor",
        example="x: float[N, 6], w: float[6] | prelu(x, w)",
    ),
    _row(
        "F.rrelu",
        "x, or a random slope times x below 0; in evaluation the mean slope",
        activation.randomly_leaky,
        "lower: float = 0.125, upper: float = 0.3333333333333333",
        stochastic=True,
        training=True,
    ),
    _row("F.elu", "x, or alpha (exp(x) - 1) below 0", signature="alpha: float = 1.0"),
    _row("F.selu", "ELU scaled so that variance 1 stays 1"),
    _row("F.celu", "x, or alpha (exp(x / alpha) - 1) below 0", signature="alpha: float = 1.0"),
    _row(
        "F.gelu",
        "x times the standard normal's distribution function",
        signature="approximate: str = 'none'",
        choices={"approximate": ("none", "tanh")},
    ),
    _row("F.silu", "x sigmoid(x)", partial(mapped, takes="fc")),
    _row("F.mish", "x tanh(softplus(x))"),
    _row(
        "F.softplus",
        "log(1 + exp(beta x)) / beta, and x above the threshold",
        signature="beta: float = 1.0, threshold: float = 20.0",
    ),
    _row("F.logsigmoid", "log(sigmoid(x))"),
    _row("F.softsign", "x / (1 + |x|)", partial(mapped, takes="ifc", gives="float")),
    _row("F.tanhshrink", "x - tanh(x)", partial(mapped, takes="ifc", gives="float")),
    _row("F.softshrink", "x moved by lambd towards 0", elementwise.shrunk, "lambd: float = 0.5"),
    _row("F.hardshrink", "x, or 0 within lambd of 0", signature="lambd: float = 0.5"),
    _row("F.hardsigmoid", "x / 6 + 1 / 2 between 0 and 1"),
    _row("F.hardswish", "x hardsigmoid(x)"),
    _row(
        "F.hardtanh",
        "x between min_val and max_val",
        elementwise.hard_tanh,
        "min_val: float = -1.0, max_val: float = 1.0",
    ),
    _row(
        "F.threshold",
        "x above the threshold, else value",
        functional.cut,
        "threshold: float, value: float",
        example="x -> threshold(0.1, 0.5)",
    ),
    _row(
        "F.glu",
        "one half along dim times sigmoid of the other",
        elementwise.gated,
        "dim: int = -1",
    ),
    _row(
        "F.softmax",
        "exp(x) over its sum along dim",
        elementwise.softmaxed,
        _DIM,
        example="x -> softmax(dim=-1)",
    ),
    _row(
        "F.softmin",
        "softmax of -x",
        elementwise.softmaxed,
        _DIM,
        example="x -> softmin(dim=-1)",
    ),
    _row(
        "F.log_softmax",
        "the log of softmax",
        elementwise.along,
        _DIM,
        example="x -> log_softmax(dim=-1)",
    ),
    FunctionRow(
        "gumbel_softmax",
        "F.gumbel_softmax",
        "logits: tensor, tau: float = 1, hard: bool = False, *, dim: int = -1",
        "softmax of (x + Gumbel noise) / tau; hard gives one-hot rows, with the soft gradient",
        example="x -> gumbel_softmax(tau=0.7)",
        shape=functional.gumbel,
        stochastic=True,
        family="activation",
    ),
    _row(
        "F.normalize",
        "x over its p-norm along dim",
        elementwise.normalized,
        "p: float = 2.0, dim: int = 1, eps: float = 1e-12",
    ),
)
