"""Types of tensors and compile-time values. Non-goal: what computes them (``nodes``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, Union

from specc.sizes import Poly, Size, evaluate

# ── tensors ──────────────────────────────────────────────────────────────────────────────────────

Meaning = Literal["plain", "index", "unit", "normal"]


@dataclass(frozen=True, slots=True)
class TensorType:
    """A tensor's type. ``dtype`` is torch's name, or ``float`` or ``complex``: the precision that
    the run chooses, in pairs for ``complex``.

    ``meaning`` is what LANGUAGE's types add: ``index`` (int64 in 0..classes-1), ``unit`` (in [0,
    1]), ``normal`` (standard normal noise); ``classes`` is the bound of an ``index``, and
    ``at_most`` says that it was computed: there may be fewer classes."""

    dtype: str
    shape: tuple[Size, ...]
    meaning: Meaning = "plain"
    classes: Size | None = None
    at_most: bool = field(default=False, compare=False)

    @property
    def floating(self) -> bool:
        return self.dtype.startswith(("float", "bfloat"))

    @property
    def is_complex(self) -> bool:
        return self.dtype.startswith("complex")

    @property
    def differentiable(self) -> bool:
        """Whether it can carry a gradient: real or complex numbers."""
        return self.floating or self.is_complex

    def with_shape(self, shape: tuple[Size, ...]) -> TensorType:
        """A plain tensor of this dtype: a result is no longer labels, pixels or noise."""
        return TensorType(self.dtype, shape)

    def __str__(self) -> str:
        head = (
            f"index({self.classes})"
            if self.meaning == "index"
            else (self.dtype if self.meaning == "plain" else self.meaning)
        )
        return f"{head}[{', '.join(str(size) for size in self.shape)}]"


# A layer with several results nests them as torch does: ``states, (hidden, cell)``.
ResultType: TypeAlias = Union[TensorType, tuple["ResultType", ...]]


# ── compile-time values ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Scalar:
    """A float, bool or string that was computed from params: its value now, and how to write it.

    ``form`` is ``("param", name)``, ``("literal", value)``, ``("unary", op, a)`` or
    ``("binary", op, a, b)`` with forms or sizes as operands.
    """

    value: float | bool | str
    form: tuple[object, ...]


Static: TypeAlias = Union[int, float, bool, str, Poly, Scalar, tuple["Static", ...], None]


def static_value(static: Static, params: Mapping[str, Size]) -> Static:
    """``static`` with the params put in: plain Python values, but for sizes that stay unknown."""
    if isinstance(static, Scalar):
        return static.value
    if isinstance(static, Poly):
        return evaluate(static, params)
    if isinstance(static, tuple):
        return tuple(static_value(item, params) for item in static)
    return static
