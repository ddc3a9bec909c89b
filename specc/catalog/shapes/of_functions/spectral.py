"""Shape rules of Fourier transforms and of complex numbers: their parts, and what joins them.

A transform takes floats or complex numbers; torch would make floats of its own default precision
of integers, and the run has another. Non-goal: values.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    as_size,
    as_sizes,
    at_least,
    axes,
    axis,
    complex_of,
    real_of,
    rearranged,
    require_kind,
)
from specc.ir import TensorType
from specc.sizes import Size

# A transform of floats, to floats, or between complex numbers: the size of its last dimension.
_HALVED = "halved"


def transformed(call: Call, *, kind: str = "") -> TensorType:
    """``fft``, ``rfft`` (``halved``: ``n // 2 + 1`` places), ``irfft`` (``doubled``: ``n``, or ``2
    (places - 1)``) along ``dim``; E0301, E0304, E0305, E0306, E0307."""
    tensor = _transformable(call, kind)
    place = axis(call, len(tensor.shape))
    given = None if call.args["n"] is None else as_size(call, "n", call.args["n"])
    return _result(call, tensor, (place,), (given,), kind, "n")


def transformed_along(call: Call, *, kind: str = "") -> TensorType:
    """``fft2``, ``fftn``: over several dimensions, the last of them as in ``transformed``."""
    tensor = _transformable(call, kind, rank=0)
    rank = len(tensor.shape)
    sizes: tuple[Size | None, ...] | None = None
    if call.args["s"] is not None:
        sizes = tuple(None if size == -1 else size for size in as_sizes(call, "s"))
    if call.args["dim"] is None:
        count = rank if sizes is None else len(sizes)
        if count > rank:
            raise RuleError(
                "E0301", f"s of {call.name} has {count} sizes, and {tensor} {rank}", argument="s"
            )
        found = tuple(range(rank - count, rank))
    else:
        found = axes(call, rank)
    if found and not rank:
        raise RuleError("E0301", f"{call.name} takes at least 1 dimension; got {tensor}")
    if sizes is None:
        sizes = (None,) * len(found)
    if len(sizes) != len(found):
        raise RuleError(
            "E0307",
            f"s of {call.name} has {len(sizes)} sizes for {len(found)} dimensions",
            argument="s",
        )
    if not found and kind:
        raise RuleError("E0307", f"{call.name} goes over at least one dimension", argument="dim")
    return _result(call, tensor, found, sizes, kind, "s")


def _transformable(call: Call, kind: str, rank: int = 1) -> TensorType:
    tensor = call.tensor()
    require_kind(call, tensor, "f" if kind == _HALVED else "fc")
    if tensor.dtype == "bfloat16":
        raise RuleError("E0306", f"{call.name} has no bfloat16; got {tensor}")
    if len(tensor.shape) < rank:
        raise RuleError("E0301", f"{call.name} takes at least 1 dimension; got {tensor}")
    return tensor


def _result(
    call: Call,
    tensor: TensorType,
    found: tuple[int, ...],
    given: tuple[Size | None, ...],
    kind: str,
    name: str,
) -> TensorType:
    shape = list(tensor.shape)
    for place, size in zip(found, given, strict=True):
        if size is not None:
            at_least(call, name, 1, (size,))
            shape[place] = size
    if not kind:
        return TensorType(complex_of(tensor.dtype), tuple(shape))
    last = found[-1]
    if kind == _HALVED:
        shape[last] = shape[last] // 2 + 1
        return TensorType(complex_of(tensor.dtype), tuple(shape))
    if given[-1] is None:
        shape[last] = 2 * (shape[last] - 1)
        error = RuleError(
            "E0305",
            f"{call.name} of {tensor} leaves nothing of dimension {last}",
            help=f"say how many places there are: {name}=8",
            argument=name,
            by_torch=True,
        )
        call.require_at_least(shape[last], 1, error)
    return TensorType(real_of(tensor.dtype), tuple(shape))


def shifted(call: Call) -> TensorType:
    """``fftshift``, ``ifftshift``: shape kept; E0301, E0304, E0307."""
    tensor = call.tensor()
    if not tensor.shape:
        raise RuleError("E0301", f"{call.name} takes at least 1 dimension; got {tensor}")
    if not axes(call, len(tensor.shape)):
        raise RuleError("E0307", f"{call.name} shifts at least one dimension", argument="dim")
    return rearranged(tensor, tensor.shape)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def real(call: Call) -> TensorType:
    """``real(input)``: of real numbers themselves."""
    tensor = call.tensor()
    return TensorType(real_of(tensor.dtype), tensor.shape)


def imaginary(call: Call) -> TensorType:
    """``imag(input)``: of complex numbers; E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "c")
    return TensorType(real_of(tensor.dtype), tensor.shape)


def pairs(call: Call) -> TensorType:
    """``view_as_real(input)``: ``[...]`` to ``[..., 2]``; E0306."""
    result = imaginary(call)
    return TensorType(result.dtype, (*result.shape, 2))


def from_pairs(call: Call) -> TensorType:
    """``view_as_complex(input)``: ``[..., 2]`` to ``[...]``; E0301, E0302, E0306."""
    tensor = call.tensor()
    require_kind(call, tensor, "f")
    if tensor.dtype == "bfloat16":
        raise RuleError("E0306", f"view_as_complex has no bfloat16; got {tensor}")
    if not tensor.shape:
        raise RuleError("E0301", f"view_as_complex takes [..., 2]; got {tensor}")
    error = RuleError("E0302", f"view_as_complex takes [..., 2]; got {tensor}")
    call.require_equal(tensor.shape[-1], 2, error)
    return TensorType(complex_of(tensor.dtype), tensor.shape[:-1])
