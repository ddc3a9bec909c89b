"""Rows of functions of two values, element by element: arithmetic, comparison, bits.

What the language has as an operator is here as well, with torch's further arguments. Aliases of
torch's (``multiply``, ``greater``) are left out.
"""

from __future__ import annotations

from functools import partial

from specc.catalog.functions.family import Family
from specc.catalog.shapes.of_functions import elementwise, pairwise
from specc.catalog.shapes.of_functions.pairwise import alike, larger_or_smaller, paired

_NUMBER = "input: tensor, other: tensor | float"
_EITHER = "input: tensor | float, other: tensor | float"
_TWO = "input: tensor, other: tensor"

_FLOATS = "x: float[N, 6], y: float[N, 6] | {}(x, y)"
_ABOVE_0 = "x: unit[N, 6], y: unit[N, 6] | {}(x + 0.5, y + 0.5)"
_WHOLE = "x: int[N, 6], y: int[N, 6] | {}(x, y)"

_row = Family("pairwise", signature=_TWO, example=_FLOATS)

_SAME = partial(paired)
_REAL = partial(paired, takes="if")
_TO_FLOAT = partial(paired, takes="bif", gives="float")
_TO_BOOL = partial(paired, gives="bool")
_ORDER = partial(paired, takes="bif", gives="bool")
_FLOAT = partial(paired, takes="f")
_BITS = partial(paired, takes="bi", each="bi")
_SHIFT = partial(paired, takes="i", each="bi")

ROWS = (
    _row("torch.add", "input + alpha other", pairwise.added, f"{_NUMBER}, *, alpha: float = 1"),
    _row(
        "torch.sub",
        "input - alpha other",
        partial(pairwise.added, each="ifc"),
        f"{_NUMBER}, *, alpha: float = 1",
    ),
    _row("torch.mul", "input times other", _SAME, _NUMBER),
    _row(
        "torch.div",
        "input over other; with rounding_mode to a whole number",
        pairwise.divided,
        f"{_NUMBER}, *, rounding_mode: str | none = None",
        example=_ABOVE_0,
        choices={"rounding_mode": ("floor", "trunc")},
    ),
    _row(
        "torch.floor_divide",
        "input over other, the next whole number below",
        pairwise.divided_whole,
        _NUMBER,
        example="x: unit[N, 6], y: unit[N, 6] | {}(detach(x) + 1.0, detach(y) + 0.5)",
    ),
    _row(
        "torch.fmod",
        "what is left of input over other, with the sign of input",
        pairwise.divided_whole,
        _NUMBER,
        example=_ABOVE_0,
    ),
    _row(
        "torch.remainder",
        "what is left of input over other, with the sign of other",
        pairwise.divided_whole,
        _EITHER,
        example=_ABOVE_0,
    ),
    _row(
        "torch.pow",
        "input to the power of exponent",
        pairwise.raised,
        "input: tensor | float, exponent: tensor | float",
        example=_ABOVE_0,
    ),
    _row("torch.maximum", "the larger of two, NaN where one is", larger_or_smaller),
    _row("torch.minimum", "the smaller of two, NaN where one is", larger_or_smaller),
    _row("torch.fmax", "the larger of two, the other where one is NaN", larger_or_smaller),
    _row("torch.fmin", "the smaller of two, the other where one is NaN", larger_or_smaller),
    _row("torch.atan2", "the angle of (other, input)", _TO_FLOAT, example=_ABOVE_0),
    _row("torch.hypot", "the length of (input, other)", _FLOAT, example=_ABOVE_0),
    _row("torch.copysign", "|input| with the sign of other", _TO_FLOAT, _NUMBER),
    _row("torch.logaddexp", "log(exp(input) + exp(other))", partial(paired, takes="fc")),
    _row("torch.logaddexp2", "log2(2^input + 2^other)", _FLOAT),
    _row("torch.xlogy", "input log(other), 0 where input is", _TO_FLOAT, _EITHER, example=_ABOVE_0),
    _row(
        "torch.special.xlog1py",
        "input log1p(other), 0 where input is",
        _TO_FLOAT,
        _EITHER,
        example=_ABOVE_0,
    ),
    _row(
        "torch.special.zeta",
        "the Hurwitz zeta function",
        _TO_FLOAT,
        _EITHER,
        example="x: unit[N, 6], y: unit[N, 6] | zeta(detach(x) + 2.0, detach(y) + 0.5)",
    ),
    _row(
        "torch.special.gammainc",
        "the regularized lower incomplete gamma function",
        _FLOAT,
        example="x: unit[N, 6] | gammainc(full_like(x, 1.5), x + 0.5)",
    ),
    _row(
        "torch.special.gammaincc",
        "1 - gammainc",
        _FLOAT,
        example="x: unit[N, 6] | gammaincc(full_like(x, 1.5), x + 0.5)",
    ),
    _row("torch.nextafter", "the next number from input towards other", _FLOAT),
    _row(
        "torch.heaviside",
        "0 below 0, 1 above it, other at it",
        partial(alike, takes="bif"),
        "input: tensor, values: tensor",
        example="x: float[N, 6], y: float[N, 6] | {}(detach(x), detach(y))",
    ),
    _row("torch.ldexp", "input times 2^other", pairwise.scaled_by_power),
    _row("torch.gcd", "the greatest common divisor", _SHIFT, example=_WHOLE),
    _row("torch.lcm", "the least common multiple", _SHIFT, example=_WHOLE),
    _row("torch.bitwise_and", "the bits that both have", _BITS, _EITHER, example=_WHOLE),
    _row("torch.bitwise_or", "the bits that one has", _BITS, _EITHER, example=_WHOLE),
    _row("torch.bitwise_xor", "the bits that one alone has", _BITS, _EITHER, example=_WHOLE),
    _row("torch.bitwise_left_shift", "input times 2^other", _SHIFT, _EITHER, example=_WHOLE),
    _row(
        "torch.bitwise_right_shift",
        "input over 2^other, the next whole number below",
        _SHIFT,
        _EITHER,
        example=_WHOLE,
    ),
    _row("torch.eq", "true where equal, as ==", _TO_BOOL, _NUMBER, example=_WHOLE),
    _row("torch.ne", "true where not equal, as !=", _TO_BOOL, _NUMBER, example=_WHOLE),
    _row("torch.lt", "true where input is less, as <", _ORDER, _NUMBER),
    _row("torch.le", "true where input is not more, as <=", _ORDER, _NUMBER),
    _row("torch.gt", "true where input is more, as >", _ORDER, _NUMBER),
    _row("torch.ge", "true where input is not less, as >=", _ORDER, _NUMBER),
    _row(
        "torch.isclose",
        "true where they differ by at most atol + rtol |other|",
        partial(alike, gives="bool"),
        f"{_TWO}, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False",
    ),
    _row(
        "torch.isin",
        "true where an element is one of the test elements",
        pairwise.members,
        "elements: tensor | float, test_elements: tensor | float, *, assume_unique: bool = False, "
        "invert: bool = False",
        example=_WHOLE,
    ),
    _row("torch.logical_and", "true where both are", _TO_BOOL),
    _row("torch.logical_or", "true where one is", _TO_BOOL),
    _row("torch.logical_xor", "true where one alone is", _TO_BOOL),
    _row(
        "torch.clamp_min",
        "the larger of x and min",
        partial(pairwise.bounded, name="min"),
        "input: tensor, min: tensor | float",
    ),
    _row(
        "torch.clamp_max",
        "the smaller of x and max",
        partial(pairwise.bounded, name="max"),
        "input: tensor, max: tensor | float",
    ),
    _row(
        "torch.lerp",
        "input + weight (end - input)",
        elementwise.interpolated,
        "input: tensor, end: tensor, weight: tensor | float",
        example="x: float[N, 6], y: float[N, 6] | lerp(x, y, 0.3)",
    ),
    _row(
        "torch.addcmul",
        "input + value tensor1 tensor2",
        partial(pairwise.scaled_product, takes="bifc"),
        "input: tensor, tensor1: tensor, tensor2: tensor, *, value: float = 1",
        example="x: float[N, 6], y: float[N, 6] | addcmul(x, x, y, value=0.5)",
    ),
    _row(
        "torch.addcdiv",
        "input + value tensor1 / tensor2",
        partial(pairwise.scaled_product, takes="fc"),
        "input: tensor, tensor1: tensor, tensor2: tensor, *, value: float = 1",
        example="x: float[N, 6], y: unit[N, 6] | addcdiv(x, x, y + 0.5, value=0.5)",
    ),
)
