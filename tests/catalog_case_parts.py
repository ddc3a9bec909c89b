"""What the makers of generated function calls share: sizes, dtypes, tensors, their partners.

A case is (arguments, tensor types). Non-goal: any knowledge of a single row.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from specc.ir import TensorType

Case = tuple[dict[str, Any], dict[str, Any]]
Draw = Any

small = st.integers(1, 4)
SHAPE = st.lists(small, max_size=4)
DTYPE = st.sampled_from(["float", "float", "float", "int64", "bool", "complex"])
INEXACT = st.sampled_from(["float", "float", "complex", "int64"])


def tensor_of(draw: Draw, least: int = 0, most: int = 4, dtype: str | None = None) -> TensorType:
    """A tensor of ``least`` to ``most`` dimensions, of any dtype where none is given."""
    shape = draw(st.lists(small, min_size=least, max_size=most))
    return TensorType(dtype or draw(DTYPE), tuple(shape))


def dim_of(draw: Draw, tensor: TensorType) -> int:
    """A dimension of ``tensor``, or one just outside of it."""
    rank = len(tensor.shape)
    return int(draw(st.integers(-rank - 1, rank)))


def seldom(draw: Draw, times: int = 6) -> bool:
    """True once in so many times."""
    return bool(draw(st.integers(0, times)) == 0)


def partner(draw: Draw, tensor: TensorType, dtype: str | None = None) -> TensorType:
    """A tensor that mostly broadcasts with ``tensor``."""
    shape = [draw(st.sampled_from([size, size, 1])) for size in tensor.shape]
    shape = shape[draw(st.integers(0, len(shape))) :]
    if shape and seldom(draw):
        shape[0] += 1
    return TensorType(dtype or draw(DTYPE), tuple(shape))


def alike(draw: Draw, tensor: TensorType) -> TensorType:
    """A tensor of the same dtype and shape, mostly."""
    shape = list(tensor.shape)
    if seldom(draw):
        shape.append(2)
    elif shape and seldom(draw):
        shape[-1] += 1
    return TensorType(draw(DTYPE) if seldom(draw) else tensor.dtype, tuple(shape))
