"""What the shape rules of every family share: reading arguments, ranks, dtypes, broadcasting.

A rule computes with symbolic sizes and stays exact; it *decides* (a range, a divisibility) with the
int params' values. What neither settles goes to ``Call.require_equal``. Non-goals: any knowledge
of a single layer or function, and any knowledge of graphs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from specc.catalog.rows import Call, RuleError
from specc.ir import Scalar, Static, TensorType, static_value
from specc.sizes import Poly, Size

Shape = tuple[Size, ...]
RequireEqual = Callable[[Size, Size, RuleError], None]

SPATIAL = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
INTEGRAL = ("int64", "int32", "int16", "int8", "uint8")


# ── arguments ────────────────────────────────────────────────────────────────────────────────────


def plain(call: Call, name: str) -> Static:
    """The argument ``name`` with the params put in, as a plain Python value where it can be."""
    return static_value(call.args.get(name), call.params)


def integer(call: Call, name: str, value: Static = None) -> int:
    """An int argument whose value must be known; E0307 where it depends on an input's size."""
    found = plain(call, name) if value is None else static_value(value, call.params)
    if isinstance(found, bool) or not isinstance(found, int):
        raise RuleError(
            "E0307",
            f"{name} of {call.name} must be a known integer, and {found} is not",
            help="write a number, or a param",
            argument=name,
        )
    return found


def number(call: Call, name: str) -> float:
    """A float argument's value."""
    found = plain(call, name)
    if not isinstance(found, int | float):
        raise RuleError(
            "E0307",
            f"{name} of {call.name} must be a known number, and {found} is not",
            argument=name,
        )
    return float(found)


def as_size(call: Call, name: str, value: Static) -> Size:
    """``value`` as a size; E0307 for anything that is not an integer."""
    if isinstance(value, bool) or not isinstance(value, int | Poly):
        raise RuleError(
            "E0307", f"{name} of {call.name} must be an integer, and {value} is not", argument=name
        )
    known = call.value(value)
    if isinstance(known, int) and abs(known) >= 2**63:
        raise RuleError(
            "E0307", f"{name} of {call.name} is {known}, which no tensor can have", argument=name
        )
    return value


def as_sizes(call: Call, name: str, count: int | None = None) -> Shape:
    """An argument of type ``int xN`` or ``sizes``: a tuple, or one size ``count`` times; E0307."""
    value = call.args[name]
    if not isinstance(value, tuple):
        size = as_size(call, name, value)
        return (size,) * (1 if count is None else count)
    sizes = tuple(as_size(call, name, item) for item in value)
    if count is not None and len(sizes) == 1:
        return sizes * count
    if count is not None and len(sizes) != count:
        raise RuleError(
            "E0307",
            f"{name} of {call.name} takes one size or {count}, and got {len(sizes)}",
            help=f"write {name}=({', '.join(['1'] * count)}) with a size for each dimension",
            argument=name,
        )
    return sizes


def at_least(call: Call, name: str, least: int, sizes: Iterable[Size]) -> None:
    """E0307 where a size of the argument ``name`` is known to be less than ``least``."""
    for size in sizes:
        value = call.value(size)
        if isinstance(value, int) and value < least:
            raise RuleError(
                "E0307",
                f"{name} of {call.name} must be at least {least}, and is {value}",
                argument=name,
            )


def positive(call: Call, *names: str) -> None:
    """E0307 where one of the size arguments ``names`` is known to be less than 1."""
    for name in names:
        at_least(call, name, 1, (as_size(call, name, call.args[name]),))


def axis(call: Call, rank: int, name: str = "dim", value: Static = None) -> int:
    """The dimension that the argument ``name`` means, counted from 0; E0304 where there is none."""
    found = integer(call, name, value)
    places = max(rank, 1)  # torch takes dim 0 and -1 of a scalar
    if not -places <= found < places:
        raise RuleError(
            "E0304",
            f"{name}={found} of {call.name} is out of range for a value of {dimensions(rank)}",
            help=f"write a dimension from {-places} to {places - 1}",
            argument=name,
        )
    return found % places


def axis_of(call: Call, tensor: TensorType, name: str = "dim") -> int:
    """``axis`` of a value that must have dimensions; E0301 for a scalar, E0304."""
    if not tensor.shape:
        raise RuleError("E0301", f"{call.name} takes a value of at least 1 dimension; got {tensor}")
    return axis(call, len(tensor.shape), name)


def axes(call: Call, rank: int, name: str = "dim") -> tuple[int, ...]:
    """The dimensions that ``name`` means: an int, a tuple (of none, too), or none for all; E0304.

    E0307 where one is named twice.
    """
    value = call.args[name]
    if value is None:
        return tuple(range(rank))
    items = value if isinstance(value, tuple) else (value,)
    found = tuple(axis(call, rank, name, item) for item in items)
    if len(set(found)) != len(found):
        raise RuleError(
            "E0307", f"{name} of {call.name} names a dimension twice: {value}", argument=name
        )
    return found


# ── tensors ──────────────────────────────────────────────────────────────────────────────────────


def dimensions(count: int) -> str:
    """``1 dimension``, ``2 dimensions``."""
    return f"{count} dimension" if count == 1 else f"{count} dimensions"


def bracketed(shape: Iterable[object]) -> str:
    """A shape as a spec writes it: ``[N, 3, 32]``."""
    return f"[{', '.join(str(size) for size in shape)}]"


def layout(dims: int) -> str:
    """How a batch of ``dims`` spatial dimensions is written: ``[N, C, H, W]``."""
    return bracketed(("N", "C", *SPATIAL[dims]))


def require_rank(
    call: Call, tensor: TensorType, ranks: Sequence[int], takes: str, help: str | None = None
) -> None:
    """E0301 unless ``tensor`` has one of ``ranks`` dimensions; ``takes`` says what was expected."""
    rank = len(tensor.shape)
    if rank not in ranks:
        raise RuleError(
            "E0301", f"{call.name} takes {takes}; got {tensor}, {dimensions(rank)}", help=help
        )


def require_floating(call: Call, tensor: TensorType) -> None:
    """E0306 unless ``tensor`` holds real numbers that can carry a gradient."""
    require_kind(call, tensor, "f")


_KINDS = {"b": "bool", "i": "int", "f": "float", "c": "complex"}


def require_kind(call: Call, tensor: TensorType, takes: str, argument: str | None = None) -> None:
    """E0306 unless ``tensor`` is of a kind that ``takes`` names: b(ool), i(nt), f(loat), c(omplex).

    A dtype is enough where no tensor has it: that of two operands together."""
    if _kind(tensor.dtype)[0] in takes:
        return
    whole, inexact = "i" in takes, "f" in takes or "c" in takes
    if whole and inexact:
        said = "numbers" if "c" in takes else "real numbers"
    elif inexact:
        said = "a float value" + (" or complex numbers" if takes == "fc" else "")
        said = "complex numbers" if takes == "c" else said
    else:
        said = (
            "a bool" if takes == "b" else "whole numbers" + (" or a bool" if "b" in takes else "")
        )
    advice = None
    if tensor.is_complex:
        advice = "take abs(z), real(z) or imag(z) first"
    elif inexact and not whole:
        advice = (
            "an index needs Embedding or one_hot first"
            if tensor.meaning == "index"
            else f"declare the input as {_KINDS[takes[0]]}[...]"
        )
    raise RuleError(
        "E0306", f"{call.name} takes {said}; got {tensor}", help=advice, argument=argument
    )


def require_same_dtype(call: Call, left: TensorType, right: TensorType) -> None:
    """E0306 unless both have one dtype: torch's matrix products do not promote."""
    if left.dtype != right.dtype:
        raise RuleError("E0306", f"{call.name} takes values of one dtype; got {left} and {right}")


def require_divisible(
    call: Call, size: Size, by: Size, message: str, argument: str | None = None
) -> Size:
    """``size // by``, with E0303 and ``message`` where it does not divide; open is a condition."""
    divisor = call.value(by)
    if isinstance(divisor, int) and divisor < 1:
        name = argument or "the divisor"
        raise RuleError(
            "E0307",
            f"{name} of {call.name} must be at least 1, and is {divisor}",
            argument=argument,
        )
    call.require_equal(size % by, 0, RuleError("E0303", message, argument=argument))
    return size // by


def require_within(
    call: Call, index: TensorType, entries: Size, where: str, argument: str, help: str | None = None
) -> None:
    """E0309 where an ``index(k)`` goes beyond ``entries`` of ``where``; open is a condition. What
    another integer goes up to only the run knows."""
    if index.classes is None:
        return
    last = index.classes - 1
    message = f"{where} has {entries} entries, and {index} goes up to {last}"
    error = RuleError("E0309", message, help=help, argument=argument)
    call.require_at_least(entries, index.classes, error)


def known(call: Call, size: Size) -> int | None:
    """The value of ``size`` where it does not depend on an input's unknown sizes."""
    value = call.value(size)
    return value if isinstance(value, int) else None


def told(call: Call, name: str, size: Size, tensor: TensorType) -> Size:
    """``size`` as an inferred argument; E0308 where it is not fixed."""
    if known(call, size) is None:
        advice = f"give the input a number or a param for {size}: a weight has a fixed size"
        moved = _channels_second(call, size, tensor)
        if name in ("in_channels", "num_features", "num_channels") and moved:
            advice = f"if its channels come last, feed it `{moved}`; if not, {advice}"
        raise RuleError(
            "E0308",
            f"{name} of {call.name} cannot be told: it is the unknown size {size} of {tensor}",
            help=advice,
            argument=name,
        )
    return size


def _channels_second(call: Call, size: Size, tensor: TensorType) -> str:
    """How a tensor is fed whose channels, of a known number, are the last dimension where an
    unknown ``size`` is the second; empty where they are not."""
    rank = len(tensor.shape)
    if rank < 3 or tensor.shape[1] != size or known(call, tensor.shape[-1]) is None:
        return ""
    if rank == 3:
        return "transpose(x, 1, 2)"
    return f"permute(x, 0, {rank - 1}, {', '.join(map(str, range(1, rank - 1)))})"


def product(sizes: Iterable[Size]) -> Size:
    """All of ``sizes`` multiplied; 1 of none."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def require_fill(call: Call, tensor: TensorType, name: str) -> None:
    """E0306 where the number ``name`` does not go into ``tensor``: infinity into whole numbers,
    which have none, or true and false into numbers."""
    value = call.args.get(name)
    value = value.value if isinstance(value, Scalar) else value
    if isinstance(value, bool) and tensor.dtype != "bool":
        raise RuleError(
            "E0306",
            f"{call.name} would put {str(value).lower()} into {tensor}",
            help="write 1 or 0",
            argument=name,
        )
    if isinstance(value, float) and math.isinf(value) and not tensor.differentiable:
        raise RuleError(
            "E0306",
            f"{call.name} would put infinity into {tensor}, which holds whole numbers",
            help="cast it first: `float(x)`",
            argument=name,
        )


def rearranged(tensor: TensorType, shape: Shape) -> TensorType:
    """The same elements in another shape: labels stay labels, pixels stay pixels."""
    if tensor.meaning == "normal":
        return tensor.with_shape(shape)
    return replace(tensor, shape=shape)


# ── two tensors ──────────────────────────────────────────────────────────────────────────────────


def lifted(shape: Shape) -> Shape:
    """``shape`` with a size of 1 for a scalar, which torch takes for a vector of one."""
    return shape or (1,)


def broadcast(
    require_equal: RequireEqual,
    left: Shape,
    right: Shape,
    value: Callable[[Size], Size] = lambda size: size,
) -> Shape:
    """The shape of ``left`` and ``right`` together, aligned at the last dimension: a 1 stretches.

    ``value`` puts the params in (``Call.value``). Two sizes that are neither 1 nor equal are E0302;
    where equality is open ``require_equal`` states the condition.
    """
    rank = max(len(left), len(right))
    padded_left = (1,) * (rank - len(left)) + left
    padded_right = (1,) * (rank - len(right)) + right
    result: list[Size] = []
    for place, (one, other) in enumerate(zip(padded_left, padded_right, strict=True)):
        if value(one) == 1:
            result.append(other)
        elif value(other) == 1:
            result.append(one)
        else:
            require_equal(
                one,
                other,
                RuleError(
                    "E0302",
                    f"{bracketed(left)} and {bracketed(right)} do not fit together: dimension "
                    f"{place - rank} is {one} in one and {other} in the other",
                    help="sizes must be equal, or one of them 1",
                ),
            )
            result.append(one if isinstance(one, int) else other)
    return tuple(result)


_INTEGER_RANK = {"uint8": 0, "int8": 1, "int16": 2, "int32": 3, "int64": 4}
_FLOAT_RANK = {"float16": 1, "bfloat16": 1, "float32": 2, "float64": 3}


def promote(left: str, right: str) -> str:
    """The dtype of an operator on tensors of dtypes ``left`` and ``right``, by torch's promotion.

    ``float`` is the precision that the run chooses: with a fixed ``float32`` the result would
    depend on the run, which is E0306 (with ``float64`` it is always ``float64``).
    """
    if left == right:
        return left
    pair = {left, right}
    if any(_kind(dtype) == "complex" for dtype in pair) and all(
        _kind(dtype) in ("complex", "float") for dtype in pair
    ):
        parts = [real_of(dtype) for dtype in (left, right)]
        return complex_of(promote(*parts))
    for kind in ("complex", "float", "int"):
        of_kind = sorted(dtype for dtype in pair if _kind(dtype) == kind)
        if len(of_kind) == 1:
            return of_kind[0]
        if len(of_kind) == 2:
            return _wider(of_kind[0], of_kind[1])
    return "bool"


def together(*tensors: TensorType) -> str:
    """The dtype of an operator on ``tensors``, by torch's promotion: scalars widen the kind (bool,
    int, float, complex) of those with dimensions, and nothing else. E0306 as ``promote``."""
    wide = [tensor.dtype for tensor in tensors if tensor.shape]
    scalars = [tensor.dtype for tensor in tensors if not tensor.shape]
    first, *others = wide or scalars
    for other in others:
        first = promote(first, other)
    if not wide or not scalars:
        return first
    one, *others = scalars
    for other in others:
        one = promote(one, other)
    if _kind(first) == "complex" or (_kind(first) == "float" and _kind(one) != "complex"):
        return first
    if _kind(first) == "float":
        return complex_of(first)
    return first if _kind(first) == _kind(one) or _kind(one) == "bool" else promote(first, one)


def with_numbers(dtypes: Sequence[str], numbers: Iterable[Static]) -> str:
    """The dtype beside Python numbers, which widen the kind (bool, int, float) and nothing else."""
    dtype = dtypes[0] if dtypes else "bool"
    if _kind(dtype) in ("float", "complex"):
        return dtype
    given = list(numbers)
    if any(isinstance(number, float) for number in given):
        return "float"
    whole = any(isinstance(number, int) and not isinstance(number, bool) for number in given)
    return "int64" if dtype == "bool" and whole else dtype


_COMPLEX_OF = {
    "float": "complex", "float64": "complex128", "float32": "complex64", "float16": "complex32",
    "bfloat16": "complex64",
}  # fmt: skip
_REAL_OF = {dtype: part for part, dtype in _COMPLEX_OF.items() if part != "bfloat16"}


def complex_of(dtype: str) -> str:
    """The complex dtype whose parts are of the float ``dtype``; a complex one is itself."""
    return _COMPLEX_OF.get(dtype, dtype)


def real_of(dtype: str) -> str:
    """The float dtype of a complex one's parts; any other is itself."""
    return _REAL_OF.get(dtype, dtype)


def _kind(dtype: str) -> str:
    if dtype.startswith("complex"):
        return "complex"
    if dtype.startswith(("float", "bfloat")):
        return "float"
    return "bool" if dtype == "bool" else "int"


def _wider(left: str, right: str) -> str:
    if {left, right} == {"float16", "bfloat16"}:
        return "float32"
    if "float" in (left, right) and "float64" not in (left, right):
        raise RuleError(
            "E0306",
            f"{left} and {right} do not mix: the run chooses the precision of 'float'",
            help="declare both as float[...], or both with a fixed precision",
        )
    if {left, right} == {"uint8", "int8"}:
        return "int16"
    ranks = _FLOAT_RANK if _kind(left) == "float" else _INTEGER_RANK
    return max((left, right), key=lambda dtype: (ranks.get(dtype, 0), dtype))
