"""Shape rules of what treats each element alone: activations, arithmetic functions, dropout.

Non-goal: ranges of values (the log of a negative number is the run's affair).
"""

from __future__ import annotations

from dataclasses import replace

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes import value_bounds
from specc.catalog.shapes.common import (
    at_least,
    axis,
    axis_of,
    broadcast,
    integer,
    layout,
    number,
    plain,
    real_of,
    rearranged,
    require_divisible,
    require_fill,
    require_floating,
    require_kind,
    require_rank,
    require_same_dtype,
    together,
    with_numbers,
)
from specc.ir import Static, TensorType


def unchanged(call: Call) -> TensorType:
    """The very same values: ``Identity``, ``detach``."""
    tensor = call.tensor()
    return rearranged(tensor, tensor.shape)


def same(call: Call) -> TensorType:
    """Any dtype in, the same dtype and shape out; E0306 for whole numbers filled with infinity."""
    tensor = call.tensor()
    require_fill(call, tensor, "fill_value")
    return tensor.with_shape(tensor.shape)


def floating(call: Call) -> TensorType:
    """A float value in, the same dtype and shape out; E0306 for an integer."""
    tensor = call.tensor()
    require_floating(call, tensor)
    return tensor.with_shape(tensor.shape)


def unit_noise(call: Call) -> TensorType:
    """As ``floating``, a float in [0, 1]."""
    return replace(floating(call), meaning="unit")


def numeric(call: Call) -> TensorType:
    """Any real number in, the same dtype and shape out; E0306 for a bool."""
    return mapped(call, takes="if")


def mapped(call: Call, *, takes: str = "bifc", gives: str = "same") -> TensorType:
    """A function of each element, of the kinds in ``takes`` (b, i, f, c); E0306 for others.

    ``gives`` is ``same``; ``float``, where bools and integers become floats of the run's precision;
    ``real``, where complex numbers become real; ``angle``, both; ``whole``, where bools become
    int64; or ``bool``."""
    tensor = call.tensor()
    require_kind(call, tensor, takes)
    dtype = tensor.dtype
    if gives == "bool":
        dtype = "bool"
    elif gives == "whole" and dtype == "bool":
        dtype = "int64"
    elif gives in ("float", "angle") and not tensor.differentiable:
        dtype = "float"
    elif gives in ("real", "angle"):
        dtype = real_of(dtype)
    return TensorType(dtype, tensor.shape)


def to_float(call: Call) -> TensorType:
    """``torch.exp``: integers become floats of the run's precision; floats keep their dtype."""
    return mapped(call, gives="float")


def to_unit(call: Call) -> TensorType:
    """``sigmoid``: a float in [0, 1]; complex numbers have no range."""
    result = to_float(call)
    return result if result.is_complex else replace(result, meaning="unit")


def rounded(call: Call) -> TensorType:
    """``round(input, decimals)``: E0306 for decimals of whole numbers."""
    return mapped(call, takes="f" if plain(call, "decimals") != 0 else "if")


def polygamma(call: Call) -> TensorType:
    """``polygamma(n, input)``: E0307 for a negative ``n``."""
    at_least(call, "n", 0, (integer(call, "n"),))
    return mapped(call, takes="bif", gives="float")


def multivariate_gamma(call: Call) -> TensorType:
    """``mvlgamma(input, p)``: E0307 for a ``p`` below 1."""
    at_least(call, "p", 1, (integer(call, "p"),))
    return mapped(call, takes="if", gives="float")


def drawn(call: Call) -> TensorType:
    """``bernoulli(input)``: zeros and ones of the input's dtype; E0306."""
    return replace(floating(call), meaning="unit")


def interpolated(call: Call) -> TensorType:
    """``lerp(input, end, weight)``: broadcast shapes of one float dtype; E0302, E0306."""
    tensor, end = call.tensor(), call.tensor("end")
    require_kind(call, tensor, "fc")
    require_same_dtype(call, tensor, end)
    shape = broadcast(call.require_equal, tensor.shape, end.shape, call.value)
    if call.has("weight"):
        require_same_dtype(call, tensor, call.tensor("weight"))
        shape = broadcast(call.require_equal, shape, call.tensor("weight").shape, call.value)
    return tensor.with_shape(shape)


def hard_tanh(call: Call) -> TensorType:
    """``Hardtanh(min_val, max_val)``: a float value; E0307 where the bounds are not in order."""
    low, high = number(call, "min_val"), number(call, "max_val")
    if not low < high:
        raise RuleError(
            "E0307",
            f"min_val of {call.name} must be below max_val, and {low:g} is not below {high:g}",
            argument="max_val" if call.args["max_val"] != 1.0 else "min_val",
        )
    return floating(call)


def cast(call: Call, *, dtype: str) -> TensorType:
    """``x.long()`` and its like: the same numbers as ``dtype``; E0306 for complex ones, which have
    two parts. Labels stay labels, and truth is 0 or 1."""
    tensor = call.tensor()
    if tensor.is_complex and dtype != "bool":
        raise RuleError(
            "E0306",
            f"{call.name} would drop the imaginary part of {tensor}",
            help="take real(z), imag(z) or abs(z) first",
        )
    result = TensorType(dtype, tensor.shape)
    if tensor.dtype == "bool":
        return (
            replace(result, meaning="unit") if dtype == "float" else value_bounds.below(result, 2)
        )
    if dtype == "float" and tensor.meaning == "unit":
        return replace(result, meaning="unit")
    return value_bounds.of_input(call, result)


def clamped(call: Call) -> TensorType:
    """``clamp(input, min, max)``, with numbers for bounds, or with tensors that broadcast; E0302,
    E0306, E0307 without either and for one of each."""
    if call.has("min") or call.has("max"):
        return _clamped_by_tensors(call)
    low, high = plain(call, "min"), plain(call, "max")
    if low is None and high is None:
        raise RuleError("E0307", "clamp needs a min, a max, or both", help="write clamp(x, min=0)")
    tensor = call.tensor()
    require_kind(call, tensor, "if")
    whole = all(bound is None or isinstance(bound, int) for bound in (low, high))
    dtype = tensor.dtype if whole or tensor.floating else "float"
    result = TensorType(dtype, tensor.shape)
    return value_bounds.cut(
        result, tensor, value_bounds.argument(call, "min"), value_bounds.argument(call, "max")
    )


def _clamped_by_tensors(call: Call) -> TensorType:
    tensors = [call.tensor()]
    require_kind(call, tensors[0], "bif")
    shape = tensors[0].shape
    for name in ("min", "max"):
        if not call.has(name):
            if plain(call, name) is None:
                continue
            one, other = ("min", "max") if name == "max" else ("max", "min")
            raise RuleError(
                "E0307",
                f"clamp takes a tensor for both bounds or a number for both, and {one} is a tensor",
                help=f"write clamp_{other}(clamp_{one}(x, ...), ...), one after the other",
                argument=name,
            )
        bound = call.tensor(name)
        require_kind(call, bound, "bif", name)
        shape = broadcast(call.require_equal, shape, bound.shape, call.value)
        tensors.append(bound)
    result = TensorType(together(*tensors), shape)
    limits = [value_bounds.argument(call, name) for name in ("min", "max")]
    return value_bounds.cut(result, call.tensor(), *limits)


def require_number(call: Call, name: str, into: TensorType) -> None:
    """E0301 unless the tensor ``name`` is one number, of no dimensions; E0306 where it does not go
    ``into`` the value: a complex one into real numbers, a fraction into whole ones, of which torch
    has no gradient."""
    if not call.has(name):
        return
    tensor = call.tensor(name)
    if tensor.shape:
        raise RuleError(
            "E0301",
            f"{name} of {call.name} is one number, of no dimensions; got {tensor}",
            help="take one of its numbers, such as x[0]",
            argument=name,
        )
    if tensor.is_complex and not into.is_complex:
        raise RuleError(
            "E0306", f"{call.name} puts {tensor} into {into}, which is real", argument=name
        )
    if tensor.differentiable and not into.differentiable:
        raise RuleError(
            "E0306",
            f"{call.name} would cut {tensor} to go into {into}",
            help=f"cast one of them: long({name}), or float of the input",
            argument=name,
        )


def chosen(call: Call) -> TensorType:
    """``where(condition, input, other)``; either branch may be a number."""
    condition = call.tensor("condition")
    if condition.dtype != "bool":
        raise RuleError(
            "E0306",
            f"where takes a bool condition; got {condition}",
            help="write a comparison, such as where(x > 0, x, y)",
            argument="condition",
        )
    shape = condition.shape
    tensors: list[TensorType] = []
    numbers: list[Static] = []
    for name in ("input", "other"):
        if call.has(name):
            shape = broadcast(call.require_equal, shape, call.tensor(name).shape, call.value)
            tensors.append(call.tensor(name))
        else:
            numbers.append(plain(call, name))
    if len(tensors) == 2:
        result = TensorType(together(*tensors), shape)
    else:
        result = TensorType(with_numbers([each.dtype for each in tensors], numbers), shape)
    return value_bounds.bounded(
        result, [value_bounds.argument(call, name) for name in ("input", "other")]
    )


def masked(call: Call) -> TensorType:
    """``masked_fill(input, mask, value)``: the mask stretches to the input; the value is a number,
    or a tensor of one."""
    tensor, mask = call.tensor(), call.tensor("mask")
    if mask.dtype != "bool":
        raise RuleError(
            "E0306",
            f"masked_fill takes a bool mask; got {mask}",
            help="write a comparison, such as masked_fill(x, mask == 0, -inf)",
            argument="mask",
        )
    require_fill(call, tensor, "value")
    require_number(call, "value", tensor)
    shape = broadcast(call.require_equal, tensor.shape, mask.shape, call.value)
    return value_bounds.bounded(
        TensorType(tensor.dtype, shape), (tensor, value_bounds.argument(call, "value"))
    )


def along(call: Call) -> TensorType:
    """``softmax`` and its like: shape kept; E0304, E0306, E0307 without ``dim``."""
    tensor = call.tensor()
    require_floating(call, tensor)
    if call.args["dim"] is None:
        raise RuleError(
            "E0307",
            f"{call.name} needs its dim: torch would guess it from the rank",
            help=f"say it: `dim=-1` is the last, as in `x -> {call.name}(dim=-1)`",
            argument="dim",
        )
    axis(call, len(tensor.shape))
    return tensor.with_shape(tensor.shape)


def shrunk(call: Call) -> TensorType:
    """``Softshrink(lambd)``: a float value; E0307 for a negative ``lambd``."""
    if number(call, "lambd") < 0:
        raise RuleError("E0307", f"lambd of {call.name} must be at least 0", argument="lambd")
    return floating(call)


def numeric_to_float(call: Call) -> TensorType:
    """A number in, a float out; E0306 for a bool, which has no minus."""
    return mapped(call, takes="if", gives="float")


def gated(call: Call) -> TensorType:
    """``GLU(dim)``: the size of ``dim`` is halved; E0301, E0303, E0304, E0306."""
    tensor = call.tensor()
    require_floating(call, tensor)
    place = axis_of(call, tensor)
    size = tensor.shape[place]
    half = require_divisible(
        call, size, 2, f"{call.name}: dimension {place} of {tensor} has no two halves", "dim"
    )
    return tensor.with_shape((*tensor.shape[:place], half, *tensor.shape[place + 1 :]))


def softmaxed(call: Call) -> TensorType:
    """``softmax``: a float in [0, 1]."""
    return replace(along(call), meaning="unit")


def normalized(call: Call) -> TensorType:
    """``F.normalize(input, p, dim)``."""
    tensor = call.tensor()
    require_kind(call, tensor, "fc")
    axis(call, len(tensor.shape))
    return tensor.with_shape(tensor.shape)


# ── dropout ──────────────────────────────────────────────────────────────────────────────────────


def _probability(call: Call) -> None:
    p = number(call, "p")
    if not 0.0 <= p <= 1.0:
        raise RuleError(
            "E0307",
            f"p of {call.name} is the probability of dropping, from 0 to 1, and is {p:g}",
            help=f"for {p:g} per cent write p={p / 100:g}" if 1 < p <= 100 else None,
            argument="p",
        )


def dropped(call: Call) -> TensorType:
    """Dropout of single elements; E0307 for a ``p`` outside [0, 1]."""
    _probability(call)
    return floating(call)


def dropped_channels(call: Call, *, dims: int) -> TensorType:
    """Dropout of whole channels: the input must have channels; E0301 for a flattened value."""
    _probability(call)
    tensor = call.tensor()
    require_rank(
        call,
        tensor,
        (dims + 2,),
        f"{layout(dims)} and drops whole channels",
        help="a flattened value has no channels left: use Dropout, or put "
        f"{call.name} before Flatten"
        if len(tensor.shape) == 2
        else "use Dropout to drop single elements",
    )
    return floating(call)
