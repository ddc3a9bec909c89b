"""Types of tensors and compile-time values. Non-goal: what computes them (``nodes``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, Union

from specc.ir.forms import Form
from specc.sizes import Entry, Poly, Size, evaluate

if TYPE_CHECKING:
    from specc.catalog.rows import LayerRow

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
    """A float, bool or string that was computed from params: its value now, and how to write it."""

    value: float | bool | str
    form: Form


@dataclass(frozen=True, slots=True, repr=False)
class LayerChoice:
    """A layer as a compile-time value, ``act: layer = LeakyReLU(0.1)``: its type, and the settings
    that come with it, by place (None) or by name.

    ``param`` is the param that it is known by where it stands; ``row`` the catalogue's, which a
    block has not."""

    type: str
    arguments: tuple[tuple[str | None, Static], ...] = ()
    param: str = field(default="", compare=False)
    row: LayerRow | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        return f"LayerChoice({self.param or self})"

    def __str__(self) -> str:
        if not self.arguments:
            return self.type
        said = (f"{name}={value}" if name else str(value) for name, value in self.arguments)
        return f"{self.type}({', '.join(said)})"


class TupleParam(tuple["Static", ...]):
    """A tuple that a param holds, or one inside it: its items, each said by the param; ``entry`` is
    how the whole is said."""

    entry: Entry

    def __new__(cls, items: Iterable[Static], entry: Entry) -> TupleParam:
        made = super().__new__(cls, items)
        made.entry = entry
        return made


Static: TypeAlias = Union[
    int, float, bool, str, Poly, Scalar, LayerChoice, tuple["Static", ...], None
]


def static_value(static: Static, params: Mapping[str, Size]) -> Static:
    """``static`` with the params put in: plain Python values, but for sizes that stay unknown."""
    if isinstance(static, Scalar):
        return static.value
    if isinstance(static, Poly):
        return evaluate(static, params)
    if isinstance(static, tuple):
        return tuple(static_value(item, params) for item in static)
    if isinstance(static, LayerChoice):
        return with_arguments(static, lambda value: static_value(value, params))
    return static


def with_arguments(choice: LayerChoice, said: Callable[[Static], Static]) -> LayerChoice:
    """``choice`` with each of its settings as ``said`` has it."""
    return replace(choice, arguments=tuple((name, said(value)) for name, value in choice.arguments))
