"""Rows of functions of each element alone: powers, logarithms, angles, rounding, choice.

Complex numbers are taken where torch has the function of them. Non-goals: activations
(``activation``), functions of two values (``pairwise``).
"""

from __future__ import annotations

from functools import partial
from typing import Final

from specc.catalog.functions.family import Family
from specc.catalog.rows import FunctionRow
from specc.catalog.shapes.of_functions import elementwise as rules
from specc.catalog.shapes.of_functions.elementwise import mapped

_row = Family("elementwise", leads="input: tensor", signature="", shape=rules.to_float)

# Where the function is defined, and away from its ends.
_ABOVE_0 = "x: unit[N, 6] | {}(x + 0.5)"
_ABOVE_1 = "x: unit[N, 6] | {}(x + 1.5)"
_INSIDE = "x: unit[N, 6] | {}(x * 0.8 + 0.1)"
_WHOLE = "x: int[N, 6] | {}(x)"

_REAL_TO_FLOAT = partial(mapped, takes="bif", gives="float")
_REAL = partial(mapped, takes="if")
_BOOL = partial(mapped, gives="bool")
_REAL_BOOL = partial(mapped, takes="bif", gives="bool")

# torch's name of each cast, and the dtype that it gives; `float` is of the run's precision.
CASTS: Final = {
    "float": "float", "double": "float64", "half": "float16", "bfloat16": "bfloat16",
    "long": "int64", "int": "int32", "short": "int16", "char": "int8", "byte": "uint8",
    "bool": "bool",
}  # fmt: skip
_FROM_WHOLE: Final = frozenset(["float", "double", "half", "bfloat16"])


def _cast(name: str, dtype: str) -> FunctionRow:
    kind = "the precision of the run" if name == "float" else dtype
    example = f"x: int[N, 6] | {name}(x)"
    if name not in _FROM_WHOLE:
        example = f"x: unit[N, 6] | {name}(9 * x)"  # a negative number has no uint8
    return FunctionRow(
        name,
        f"torch.Tensor.{name}",
        "input: tensor",
        f"x as {kind}" + (", without its gradient" if name not in _FROM_WHOLE else ""),
        example=example,
        shape=partial(rules.cast, dtype=dtype),
        family="cast",
    )


ROWS = (
    *(_cast(name, dtype) for name, dtype in CASTS.items()),
    _row("torch.exp", "e to the power of x"),
    _row("torch.exp2", "2 to the power of x"),
    _row("torch.expm1", "exp(x) - 1, exact near 0"),
    _row("torch.log", "the natural logarithm", example=_ABOVE_0),
    _row("torch.log1p", "log(1 + x), exact near 0", example=_ABOVE_0),
    _row("torch.log2", "the logarithm to base 2", example=_ABOVE_0),
    _row("torch.log10", "the logarithm to base 10", example=_ABOVE_0),
    _row("torch.sqrt", "the square root", example=_ABOVE_0),
    _row("torch.rsqrt", "1 over the square root", example=_ABOVE_0),
    _row("torch.sin", "the sine"),
    _row("torch.cos", "the cosine"),
    _row("torch.tan", "the tangent", example=_INSIDE),
    _row("torch.asin", "the angle whose sine is x", example=_INSIDE),
    _row("torch.acos", "the angle whose cosine is x", example=_INSIDE),
    _row("torch.atan", "the angle whose tangent is x"),
    _row("torch.sinh", "the hyperbolic sine"),
    _row("torch.cosh", "the hyperbolic cosine"),
    _row("torch.tanh", "the hyperbolic tangent"),
    _row("torch.asinh", "the inverse of sinh"),
    _row("torch.acosh", "the inverse of cosh, above 1", example=_ABOVE_1),
    _row("torch.atanh", "the inverse of tanh, between -1 and 1", example=_INSIDE),
    _row("torch.sinc", "sin(pi x) / (pi x), and 1 at 0", example=_ABOVE_0),
    _row("torch.reciprocal", "1 over x", example=_ABOVE_0),
    _row("torch.sigmoid", "1 / (1 + exp(-x))", rules.to_unit),
    _row("torch.erf", "the error function", _REAL_TO_FLOAT),
    _row("torch.erfc", "1 - erf(x)", _REAL_TO_FLOAT),
    _row("torch.erfinv", "the inverse of erf, between -1 and 1", _REAL_TO_FLOAT, example=_INSIDE),
    _row(
        "torch.lgamma",
        "the logarithm of the gamma function",
        _REAL_TO_FLOAT,
        example=_ABOVE_0,
    ),
    _row("torch.digamma", "the derivative of lgamma", _REAL_TO_FLOAT, example=_ABOVE_0),
    FunctionRow(
        "polygamma",
        "torch.polygamma",
        "n: int, input: tensor",
        "the derivative of digamma, n times",
        example="x: unit[N, 6] | polygamma(1, x + 0.5)",
        shape=rules.polygamma,
        family="elementwise",
    ),
    _row(
        "torch.mvlgamma",
        "the logarithm of the gamma function of p dimensions",
        rules.multivariate_gamma,
        "p: int",
        example="x: unit[N, 6] | mvlgamma(x + 1.0, p=2)",
    ),
    _row(
        "torch.logit",
        "log(x / (1 - x)), with x kept eps away from 0 and 1",
        _REAL_TO_FLOAT,
        "eps: float | none = None",
        example=_INSIDE,
    ),
    _row("torch.i0", "the modified Bessel function of order 0", _REAL_TO_FLOAT),
    _row("torch.special.i0e", "i0(x) exp(-|x|)", _REAL_TO_FLOAT),
    _row("torch.special.i1", "the modified Bessel function of order 1", _REAL_TO_FLOAT),
    _row("torch.special.i1e", "i1(x) exp(-|x|)", _REAL_TO_FLOAT),
    _row("torch.special.entr", "-x log(x), and 0 at 0", _REAL_TO_FLOAT, example=_ABOVE_0),
    _row("torch.special.erfcx", "exp(x^2) erfc(x)", _REAL_TO_FLOAT),
    _row("torch.special.ndtr", "the standard normal's distribution function", _REAL_TO_FLOAT),
    _row("torch.special.log_ndtr", "the logarithm of ndtr", _REAL_TO_FLOAT),
    _row("torch.special.ndtri", "the inverse of ndtr", _REAL_TO_FLOAT, example=_INSIDE),
    _row("torch.rad2deg", "radians as degrees", _REAL_TO_FLOAT),
    _row("torch.deg2rad", "degrees as radians", _REAL_TO_FLOAT),
    _row("torch.abs", "the absolute value", partial(mapped, takes="ifc", gives="real")),
    _row("torch.neg", "-x", partial(mapped, takes="ifc")),
    _row("torch.positive", "x itself", partial(mapped, takes="ifc")),
    _row("torch.sign", "-1, 0 or 1", partial(mapped, takes="bif")),
    _row("torch.sgn", "x / |x|, and 0 at 0", mapped),
    _row("torch.square", "x times x", partial(mapped, gives="whole")),
    _row("torch.floor", "the next integer below", _REAL),
    _row("torch.ceil", "the next integer above", _REAL),
    _row("torch.trunc", "the next integer towards 0", _REAL),
    _row("torch.frac", "x without trunc(x)", partial(mapped, takes="f")),
    _row(
        "torch.round",
        "the nearest integer, halves to even; or the nearest with so many decimals",
        rules.rounded,
        "*, decimals: int = 0",
    ),
    _row(
        "torch.nan_to_num",
        "x, with numbers in the place of NaN and the infinities",
        mapped,
        "nan: float | none = None, posinf: float | none = None, neginf: float | none = None",
    ),
    _row("torch.isfinite", "true unless infinite or not a number", _BOOL),
    _row("torch.isinf", "true where infinite", _BOOL),
    _row("torch.isposinf", "true where plus infinity", _REAL_BOOL),
    _row("torch.isneginf", "true where minus infinity", _REAL_BOOL),
    _row("torch.isnan", "true where not a number", _BOOL),
    _row("torch.isreal", "true where the imaginary part is 0", _BOOL),
    _row("torch.signbit", "true where negative, -0 too", _REAL_BOOL),
    _row("torch.logical_not", "true where x is 0", _BOOL),
    _row(
        "torch.bitwise_not",
        "every bit the other",
        partial(mapped, takes="bi"),
        example=_WHOLE,
    ),
    _row("torch.detach", "the value, without its gradient", rules.unchanged),
    _row("torch.detach", "the value, without its gradient", rules.unchanged, name="stop_gradient"),
    _row("torch.clone", "a copy", rules.unchanged),
    _row(
        "torch.clamp",
        "x between min and max",
        rules.clamped,
        "min: tensor | float | none = None, max: tensor | float | none = None",
        example="x -> {}(min=-0.5, max=0.5)",
    ),
    _row(
        "torch.masked_fill",
        "value where the mask holds, else x",
        rules.masked,
        "mask: tensor, value: tensor | float | bool",
        example="x: float[N, 6], mask: bool[N, 6] | {}(x, mask, 0.5)",
    ),
    FunctionRow(
        "where",
        "torch.where",
        "condition: tensor, input: tensor | float, other: tensor | float",
        "input where the condition holds, else other",
        example="x: float[N, 6], seen: bool[N, 6] | where(seen, x, 0.5 * x)",
        shape=rules.chosen,
        family="elementwise",
    ),
    FunctionRow(
        "bernoulli",
        "torch.bernoulli",
        "input: tensor",
        "1 with the probability that each element gives, else 0",
        example="x: unit[N, 6] | bernoulli(x)",
        shape=rules.drawn,
        stochastic=True,
        family="elementwise",
    ),
)
