"""Shape rules of functions of two values, element by element: arithmetic, comparison, bits.

Shapes broadcast and dtypes are promoted as by torch. Either value may be a number where the row
says so; a number widens the kind of a tensor (bool, int, float), and nothing else. Non-goal:
operators, which are the language's own.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes import value_bounds
from specc.catalog.shapes.common import (
    Shape,
    broadcast,
    complex_of,
    plain,
    require_kind,
    require_same_dtype,
    together,
    with_numbers,
)
from specc.ir import Static, TensorType


def stretched(call: Call, *names: str) -> Shape:
    """The shape of the tensors among ``names`` together; E0302."""
    shape: Shape = ()
    for name in names:
        if call.has(name):
            shape = broadcast(call.require_equal, shape, call.tensor(name).shape, call.value)
    return shape


def _together(call: Call, *names: str) -> str:
    """The dtype of the values ``names`` together: tensors promoted, numbers beside them.

    E0307 where none is a tensor."""
    tensors = [call.tensor(name) for name in names if call.has(name)]
    numbers = [plain(call, name) for name in names if not call.has(name)]
    if not tensors:
        raise RuleError(
            "E0307",
            f"{call.name} takes a tensor, and gets numbers alone",
            help="numbers are computed with operators: 2 ** 3",
        )
    dtype = together(*tensors)
    return with_numbers([dtype], numbers) if numbers else dtype


def paired(
    call: Call,
    *,
    takes: str = "bifc",
    each: str = "bifc",
    gives: str = "same",
    names: tuple[str, str] = ("input", "other"),
) -> TensorType:
    """Two values: ``each`` of a kind in it, both promoted of a kind in ``takes`` (E0306).

    ``gives`` is ``same``, the promoted dtype; ``float``, where integers become floats of the run's
    precision; or ``bool``."""
    for name in names:
        if call.has(name):
            require_kind(call, call.tensor(name), each, name)
    shape = stretched(call, *names)
    result = TensorType(_together(call, *names), shape)
    require_kind(call, result, takes)
    if gives == "bool":
        return TensorType("bool", shape)
    if gives == "float" and not result.differentiable:
        return TensorType("float", shape)
    return result


def larger_or_smaller(call: Call) -> TensorType:
    """``maximum``, ``minimum`` and their like: of labels, labels again."""
    result = paired(call, takes="bif")
    return value_bounds.bounded(
        result, [value_bounds.argument(call, name) for name in ("input", "other")]
    )


def added(call: Call, *, each: str = "bifc") -> TensorType:
    """``add(input, other, alpha)``: E0307 for a broken ``alpha`` of whole numbers."""
    result = paired(call, each=each)
    if not result.differentiable and isinstance(plain(call, "alpha"), float):
        raise RuleError(
            "E0307",
            f"alpha of {call.name} must be a whole number for {result}",
            argument="alpha",
        )
    return result


def divided(call: Call) -> TensorType:
    """``div(input, other, rounding_mode)``: true division gives floats, the others keep dtypes."""
    if plain(call, "rounding_mode") is None:
        return paired(call, gives="float")
    return divided_whole(call)


def divided_whole(call: Call) -> TensorType:
    """``floor_divide``, ``fmod``, ``remainder``: E0307 for whole numbers over the number 0."""
    result = paired(call, takes="if")
    other = None if call.has("other") else plain(call, "other")
    if not result.differentiable and isinstance(other, int) and other == 0:
        raise RuleError("E0307", f"{call.name} divides whole numbers by zero", argument="other")
    return result


def raised(call: Call) -> TensorType:
    """``pow(input, exponent)``: E0307 for a whole number to a negative power."""
    for name in ("input", "exponent"):
        if call.has(name):
            require_kind(call, call.tensor(name), "bifc", name)
    shape = stretched(call, "input", "exponent")
    result = TensorType(_together(call, "input", "exponent"), shape)
    exponent: Static = None if call.has("exponent") else plain(call, "exponent")
    if not result.differentiable and isinstance(exponent, int) and exponent < 0:
        raise RuleError(
            "E0307",
            f"pow of whole numbers to the power of {exponent} is no whole number",
            help="write 1.0 / pow(x, 2), or a float exponent",
            argument="exponent",
        )
    require_kind(call, result, "ifc")
    return result


def scaled_by_power(call: Call) -> TensorType:
    """``ldexp(input, other)``: integers become floats; E0306 for a bool exponent."""
    require_kind(call, call.tensor("other"), "ifc", "other")
    return paired(call, gives="float")


def alike(call: Call, *, takes: str = "bifc", gives: str = "same") -> TensorType:
    """Two tensors of one dtype: ``isclose``, ``heaviside``, ``complex``; E0302, E0306."""
    left, right = call.tensors.values()
    assert isinstance(left, TensorType) and isinstance(right, TensorType)
    require_kind(call, left, takes)
    require_same_dtype(call, left, right)
    shape = broadcast(call.require_equal, left.shape, right.shape, call.value)
    if gives == "complex":
        return TensorType(complex_of(left.dtype), shape)
    return TensorType("bool" if gives == "bool" else left.dtype, shape)


def members(call: Call) -> TensorType:
    """``isin(elements, test_elements)``: a bool for each of the elements; E0306."""
    names = ("elements", "test_elements")
    _together(call, *names)  # one of them is a tensor
    for name in filter(call.has, names):
        require_kind(call, call.tensor(name), "if", name)
    return TensorType("bool", call.tensor(names[0]).shape if call.has(names[0]) else ())


def scaled_product(call: Call, *, takes: str) -> TensorType:
    """``addcmul(input, tensor1, tensor2, value)``: broadcast shapes, promoted dtypes; E0302, E0306,
    E0307 for a broken ``value`` of whole numbers. A product may be of bools, a sum may not."""
    names = ("input", "tensor1", "tensor2")
    result = TensorType(_together(call, *names), stretched(call, *names))
    product = TensorType(_together(call, *names[1:]), stretched(call, *names[1:]))
    require_kind(call, product, takes)
    require_kind(call, result, "ifc")
    if not result.differentiable and isinstance(plain(call, "value"), float):
        raise RuleError(
            "E0307", f"value of {call.name} must be a whole number for {result}", argument="value"
        )
    return result


def bounded(call: Call, *, name: str) -> TensorType:
    """``clamp_min(input, min)``, ``clamp_max(input, max)``: the bound a number or a tensor."""
    takes = "bif" if call.has(name) else "if"
    result = paired(call, takes=takes, each="bif", names=("input", name))
    limit = value_bounds.argument(call, name)
    low, high = (limit, None) if name == "min" else (None, limit)
    return value_bounds.cut(result, call.tensor(), low, high)
