"""Rows of functions on each element: arithmetic, logic, choice, activations."""

from __future__ import annotations

from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes import elementwise as rules


def _row(
    torch: str,
    summary: str,
    shape: ShapeRule = rules.to_float,
    signature: str = "",
    name: str | None = None,
) -> FunctionRow:
    return FunctionRow(
        name or torch.partition(".")[2],
        torch,
        "input: tensor" + (f", {signature}" if signature else ""),
        summary,
        shape=shape,
        family="elementwise",
    )


_SLOPE = "negative_slope: float = 0.01"
_DIM = "dim: int | none = None"

ROWS = (
    _row("torch.exp", "e to the power of x"),
    _row("torch.expm1", "exp(x) - 1, exact near 0"),
    _row("torch.log", "the natural logarithm"),
    _row("torch.log1p", "log(1 + x), exact near 0"),
    _row("torch.log2", "the logarithm to base 2"),
    _row("torch.log10", "the logarithm to base 10"),
    _row("torch.sqrt", "the square root"),
    _row("torch.rsqrt", "1 over the square root"),
    _row("torch.sin", "the sine"),
    _row("torch.cos", "the cosine"),
    _row("torch.tan", "the tangent"),
    _row("torch.atan", "the angle whose tangent is x"),
    _row("torch.reciprocal", "1 over x"),
    _row("torch.erf", "the error function"),
    _row("torch.sigmoid", "1 / (1 + exp(-x))", rules.to_unit),
    _row("torch.tanh", "the hyperbolic tangent"),
    _row("torch.abs", "the absolute value", rules.numeric),
    _row("torch.sign", "-1, 0 or 1", rules.same),
    _row("torch.square", "x times x", rules.squared),
    _row("torch.floor", "the next integer below", rules.numeric),
    _row("torch.ceil", "the next integer above", rules.numeric),
    _row("torch.round", "the nearest integer, halves to even", rules.numeric),
    _row("torch.isfinite", "true unless infinite or not a number", rules.to_bool),
    _row("torch.isnan", "true where not a number", rules.to_bool),
    _row("torch.logical_not", "true where x is 0", rules.to_bool),
    _row("torch.detach", "the value, without its gradient", rules.unchanged),
    _row("torch.detach", "the value, without its gradient", rules.unchanged, name="stop_gradient"),
    _row(
        "torch.clamp",
        "x between min and max",
        rules.clamped,
        "min: float | none = None, max: float | none = None",
    ),
    _row("torch.maximum", "the larger of two", rules.pairwise, "other: tensor"),
    _row("torch.minimum", "the smaller of two", rules.pairwise, "other: tensor"),
    _row("torch.logical_and", "true where both are", rules.pairwise_bool, "other: tensor"),
    _row("torch.logical_or", "true where one is", rules.pairwise_bool, "other: tensor"),
    _row("torch.logical_xor", "true where one alone is", rules.pairwise_bool, "other: tensor"),
    _row("torch.atan2", "the angle of (other, input)", rules.pairwise_float, "other: tensor"),
    _row(
        "torch.lerp",
        "input + weight (end - input)",
        rules.interpolated,
        "end: tensor, weight: tensor | float",
    ),
    FunctionRow(
        "where",
        "torch.where",
        "condition: tensor, input: tensor | float, other: tensor | float",
        "input where the condition holds, else other",
        shape=rules.chosen,
        family="elementwise",
    ),
    _row(
        "torch.masked_fill",
        "value where the mask holds, else x",
        rules.masked,
        "mask: tensor, value: float",
    ),
    _row("torch.cumsum", "running sums along dim", rules.cumulative, "dim: int"),
    _row("torch.cumprod", "running products along dim", rules.cumulative, "dim: int"),
    _row("F.relu6", "min(max(x, 0), 6)", rules.numeric),
    _row("F.selu", "ELU scaled so that variance 1 stays 1", rules.floating),
    _row(
        "F.celu", "x, or alpha (exp(x / alpha) - 1) below 0", rules.floating, "alpha: float = 1.0"
    ),
    _row("F.mish", "x tanh(softplus(x))", rules.floating),
    _row("F.hardsigmoid", "x / 6 + 1 / 2 between 0 and 1", rules.floating),
    _row("F.hardswish", "x hardsigmoid(x)", rules.floating),
    _row(
        "F.hardtanh",
        "x between min_val and max_val",
        rules.hard_tanh,
        "min_val: float = -1.0, max_val: float = 1.0",
    ),
    _row("F.softsign", "x / (1 + |x|)", rules.numeric_to_float),
    _row("F.glu", "one half along dim times sigmoid of the other", rules.gated, "dim: int = -1"),
    _row("F.softmin", "softmax of -x", rules.softmaxed, _DIM),
    _row("F.relu", "max(x, 0)", rules.numeric),
    _row("F.leaky_relu", "x, or negative_slope x below 0", rules.floating, _SLOPE),
    _row("F.elu", "x, or alpha (exp(x) - 1) below 0", rules.floating, "alpha: float = 1.0"),
    _row("F.silu", "x sigmoid(x)", rules.floating),
    FunctionRow(
        "gelu",
        "F.gelu",
        "input: tensor, approximate: str = 'none'",
        "x times the standard normal's distribution function",
        choices={"approximate": ("none", "tanh")},
        shape=rules.floating,
        family="elementwise",
    ),
    _row(
        "F.softplus",
        "log(1 + exp(beta x)) / beta, and x above the threshold",
        rules.floating,
        "beta: float = 1.0, threshold: float = 20.0",
    ),
    _row("F.logsigmoid", "log(sigmoid(x))", rules.floating),
    _row("F.softmax", "exp(x) over its sum along dim", rules.softmaxed, _DIM),
    _row("F.log_softmax", "the log of softmax", rules.along, _DIM),
    _row(
        "F.normalize",
        "x over its p-norm along dim",
        rules.normalized,
        "p: float = 2.0, dim: int = 1, eps: float = 1e-12",
    ),
)
