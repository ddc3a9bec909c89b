"""Shape rules of what treats each element alone: activations, arithmetic functions, dropout.

Non-goal: ranges of values (the log of a negative number is the run's affair).
"""

from __future__ import annotations

from dataclasses import replace

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    as_size,
    axis,
    axis_of,
    broadcast,
    known,
    layout,
    number,
    plain,
    positive,
    promote,
    rearranged,
    require_divisible,
    require_floating,
    require_rank,
    require_same_dtype,
)
from specc.ir import Distribution, Static, TensorType
from specc.sizes import Size


def unchanged(call: Call) -> TensorType:
    """The very same values: ``Identity``, ``detach``."""
    tensor = call.tensor()
    return rearranged(tensor, tensor.shape)


def same(call: Call) -> TensorType:
    """Any dtype in, the same dtype and shape out."""
    tensor = call.tensor()
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
    """Any number in, the same dtype and shape out; E0306 for a bool."""
    tensor = call.tensor()
    if tensor.dtype == "bool":
        raise RuleError("E0306", f"{call.name} takes numbers; got {tensor}")
    return tensor.with_shape(tensor.shape)


def squared(call: Call) -> TensorType:
    """``square``: a bool becomes int64."""
    tensor = call.tensor()
    return TensorType("int64" if tensor.dtype == "bool" else tensor.dtype, tensor.shape)


def to_float(call: Call) -> TensorType:
    """``torch.exp``: integers become floats of the run's precision; floats keep their dtype."""
    tensor = call.tensor()
    if tensor.floating or tensor.dtype.startswith("complex"):
        return tensor.with_shape(tensor.shape)
    return TensorType("float", tensor.shape)


def to_unit(call: Call) -> TensorType:
    """``sigmoid``: a float in [0, 1]."""
    return replace(to_float(call), meaning="unit")


def to_bool(call: Call) -> TensorType:
    """``logical_not``: a bool for each element."""
    return TensorType("bool", call.tensor().shape)


def pairwise(call: Call) -> TensorType:
    """``maximum(input, other)``: broadcast shapes, promoted dtypes."""
    left, right = call.tensor("input"), call.tensor("other")
    shape = broadcast(call.require_equal, left.shape, right.shape, call.value)
    return TensorType(promote(left.dtype, right.dtype), shape)


def pairwise_bool(call: Call) -> TensorType:
    """``logical_and(input, other)``."""
    return replace(pairwise(call), dtype="bool")


def pairwise_float(call: Call) -> TensorType:
    """``atan2(input, other)``: integers become floats of the run's precision."""
    result = pairwise(call)
    return result if result.floating else replace(result, dtype="float")


def interpolated(call: Call) -> TensorType:
    """``lerp(input, end, weight)``: broadcast shapes of one float dtype; E0302, E0306."""
    tensor, end = call.tensor(), call.tensor("end")
    require_floating(call, tensor)
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


def clamped(call: Call) -> TensorType:
    """``clamp(input, min, max)`` with numbers for bounds; E0307 without either."""
    low, high = plain(call, "min"), plain(call, "max")
    if low is None and high is None:
        raise RuleError("E0307", "clamp needs a min, a max, or both", help="write clamp(x, min=0)")
    tensor = call.tensor()
    if tensor.dtype == "bool":
        raise RuleError("E0306", f"clamp takes numbers; got {tensor}")
    whole = all(bound is None or isinstance(bound, int) for bound in (low, high))
    dtype = tensor.dtype if whole or tensor.floating else "float"
    return TensorType(dtype, tensor.shape)


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
    dtypes: list[str] = []
    numbers: list[Static] = []
    for name in ("input", "other"):
        if call.has(name):
            shape = broadcast(call.require_equal, shape, call.tensor(name).shape, call.value)
            dtypes.append(call.tensor(name).dtype)
        else:
            numbers.append(plain(call, name))
    if len(dtypes) == 2:
        return TensorType(promote(dtypes[0], dtypes[1]), shape)
    return TensorType(_with_numbers(dtypes, numbers), shape)


def _with_numbers(dtypes: list[str], numbers: list[Static]) -> str:
    """The dtype beside Python numbers, which widen the kind (bool, int, float) and nothing else."""
    dtype = dtypes[0] if dtypes else "bool"
    if dtype.startswith(("float", "bfloat", "complex")):
        return dtype
    if any(isinstance(number, float) for number in numbers):
        return "float"
    whole = any(isinstance(number, int) and not isinstance(number, bool) for number in numbers)
    return "int64" if dtype == "bool" and whole else dtype


def masked(call: Call) -> TensorType:
    """``masked_fill(input, mask, value)``: the mask stretches to the input."""
    tensor, mask = call.tensor(), call.tensor("mask")
    if mask.dtype != "bool":
        raise RuleError(
            "E0306",
            f"masked_fill takes a bool mask; got {mask}",
            help="write a comparison, such as masked_fill(x, mask == 0, -1e9)",
            argument="mask",
        )
    shape = broadcast(call.require_equal, tensor.shape, mask.shape, call.value)
    return TensorType(tensor.dtype, shape)


def along(call: Call) -> TensorType:
    """``softmax`` and its like: shape kept; E0304, E0306, E0307 without ``dim``."""
    tensor = call.tensor()
    require_floating(call, tensor)
    if call.args["dim"] is None:
        raise RuleError(
            "E0307",
            f"{call.name} needs its dim: torch would guess it from the rank",
            help=f"write {call.name}(dim=-1)",
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
    numeric(call)
    return to_float(call)


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


def cumulative(call: Call) -> TensorType:
    """``cumsum(input, dim)``: bools and small integers are summed as int64."""
    tensor = call.tensor()
    axis(call, len(tensor.shape))
    wide = tensor.floating or tensor.dtype.startswith("complex")
    return TensorType(tensor.dtype if wide else "int64", tensor.shape)


def normalized(call: Call) -> TensorType:
    """``F.normalize(input, p, dim)``."""
    tensor = call.tensor()
    require_floating(call, tensor)
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


# ── PReLU ────────────────────────────────────────────────────────────────────────────────────────


def prelu(call: Call) -> TensorType:
    """``PReLU(num_parameters)``: one slope, or one a channel (dimension 1)."""
    tensor = call.tensor()
    require_floating(call, tensor)
    count = as_size(call, "num_parameters", call.args["num_parameters"])
    if known(call, count) != 1:
        channels: Size = tensor.shape[1] if len(tensor.shape) > 1 else 1
        call.require_equal(
            count,
            channels,
            RuleError(
                "E0302",
                f"PReLU has {count} slopes, and {tensor} has {channels} channels",
                help=f"write PReLU({channels}), or PReLU for one slope",
                argument="num_parameters",
            ),
        )
    return tensor.with_shape(tensor.shape)


def prelu_parameters(call: Call) -> tuple[tuple[str, tuple[Size, ...]], ...]:
    """``weight``: one slope, or one a channel."""
    positive(call, "num_parameters")
    return (("weight", (as_size(call, "num_parameters", call.args["num_parameters"]),)),)


def prelu_initial(call: Call) -> tuple[tuple[str, Distribution], ...]:
    """Every slope starts at ``init``."""
    return (("weight", Distribution("constant", number(call, "init"))),)
