"""The form of a catalogue row: what torch offers, as typed data.

A row says a thing's signature in torch's names, order and defaults, how its shapes go, and how it
is written in Python. Rows are read by ``specc.semantics`` (to bind and check) and by ``specc.emit``
(to print); nothing about a single layer or function stands anywhere else. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple, TypeAlias

from specc.catalog.helper_source import Joined, Whole
from specc.catalog.signatures import Argument, parse_signature
from specc.ir import Distribution, ResultType, Static, TensorType
from specc.sizes import Size, evaluate


class RuleError(Exception):
    """A shape rule refuses: ``message`` in the spec's terms; ``argument`` names the one to point
    at. ``by_torch`` says that torch refuses as well, in clear words and on every device, what a run
    brings: what is open while compiling need then not be asserted."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        help: str | None = None,
        argument: str | None = None,
        by_torch: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help
        self.argument = argument
        self.by_torch = by_torch


Decide: TypeAlias = Callable[[Size, Size, RuleError], None]


def at_least_where_known(
    left: Size, right: Size, error: RuleError, *, params: Mapping[str, Size]
) -> None:
    """Raises ``error`` where ``left`` is known to be less than ``right``; leaves open what is."""
    difference = evaluate(left, params) - evaluate(right, params)
    if isinstance(difference, int) and difference < 0:
        raise error


@dataclass(frozen=True, slots=True)
class Call:
    """What a rule sees: the row's name, every static argument (defaults filled in), the tensors.

    ``tensors`` maps a tensor argument's name to its type, or to a tuple of types for a list; for a
    layer the names are ``LayerRow.inputs``. ``params`` are the values of the int params, for rules
    that must decide (divisibility, a range). ``require_equal`` decides ``left == right``: it
    returns when they are equal, raises ``RuleError`` when they are not, and states a condition
    where it is open. ``require_at_least`` does the same for ``left >= right``; without one given,
    what is open stays unsaid."""

    name: str
    args: Mapping[str, Static]
    tensors: Mapping[str, TensorType | tuple[TensorType, ...]]
    params: Mapping[str, Size]
    require_equal: Decide
    require_at_least: Decide = None  # type: ignore[assignment]  # filled in below: it needs params

    def __post_init__(self) -> None:
        if self.require_at_least is None:
            decide = partial(at_least_where_known, params=self.params)
            object.__setattr__(self, "require_at_least", decide)

    def tensor(self, name: str = "input") -> TensorType:
        """The type of the one tensor passed as ``name``."""
        found = self.tensors[name]
        assert isinstance(found, TensorType)
        return found

    def has(self, name: str) -> bool:
        return name in self.tensors

    def value(self, size: Size) -> Size:
        """``size`` with the int params put in: an int unless it depends on an input's shape."""
        return evaluate(size, self.params)


ShapeRule: TypeAlias = Callable[[Call], ResultType]
# An inferred argument that the user wrote is in ``Call.args``: the rule may return it, if it fits.
InferRule: TypeAlias = Callable[[Call], "Size | tuple[Size, ...]"]
# Names with their shapes, names with their distributions; in torch's order.
Shapes: TypeAlias = tuple[tuple[str, tuple[Size, ...]], ...]
Draws: TypeAlias = tuple[tuple[str, Distribution], ...]
TensorsRule: TypeAlias = Callable[[Call], Shapes]
InitialRule: TypeAlias = Callable[[Call], Draws]


def no_initial(call: Call) -> Draws:
    """A layer without parameters."""
    return ()


def no_tensors(call: Call) -> Shapes:
    """A layer without parameters, or without buffers."""
    return ()


@dataclass(frozen=True, eq=False)
class Row:
    """What every row has; a row equals itself alone. ``torch`` is how the emitted source writes it:
    ``nn.Conv2d``, ``F.relu``.

    ``choices`` lists the legal strings of an argument. ``positional`` lists the sets of arguments
    that may stand without a name, where those are others than what has no default: the rate of a
    ``Dropout``, which everybody knows. Of a function they are all, in torch's order.

    ``example`` is what ``specc catalog`` shows, and the row's case in the conformance suite: the
    inputs of a small model, ``|``, and what it computes, in the spec's own words, such as ``x:
    float[N, 3, 8, 8] | x -> Conv2d(4, kernel_size=3)``; lines before the last are statements. It
    stays where the row is smooth and defined: ``x: unit[N, 6] | log(x + 1)``. Empty where the
    default of ``specc.catalog.examples`` for the row's kind and family does: a layer takes ``x:
    float[N, 6]``, and so does a function.

    ``refuses`` says why a target cannot take what torch computes here, by the target's name.
    """

    name: str
    torch: str
    signature: str
    summary: str
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict, kw_only=True)
    positional: tuple[tuple[str, ...], ...] = field(default=(), kw_only=True)
    example: str = field(default="", kw_only=True)
    since: str = field(default="2.0", kw_only=True)
    refuses: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    # The module-level function that ``torch`` then names; the emitted file carries it: its source,
    # or of specc's own rows where that is read.
    helper: str | Whole | Joined = field(default="", kw_only=True)
    # An extension's: the module that ``torch`` is in, which the emitted file imports.
    module: str = field(default="", kw_only=True)

    @property
    def source(self) -> str:
        """The source of ``helper``, which is read now; empty where there is none."""
        return self.helper if isinstance(self.helper, str) else self.helper.text()

    @cached_property
    def arguments(self) -> tuple[Argument, ...]:
        return parse_signature(self.signature)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """What each argument is where nothing is said of it: ``REQUIRED`` or ``INFERRED``
        of one that has no default."""
        return {each.name: each.default for each in self.arguments}

    @cached_property
    def by_name(self) -> dict[str, Argument]:
        return {argument.name: argument for argument in self.arguments}

    @cached_property
    def unnamed(self) -> tuple[tuple[str, ...], ...]:
        """The sets of arguments that may stand without a name, the smallest first; a call with
        as many such values as a set has gives them in its order."""
        if self.positional:
            return tuple(sorted({(), *self.positional}, key=len))
        order = self.open_arguments
        return tuple(order[:count] for count in range(len(order) + 1))

    @property
    def open_arguments(self) -> tuple[str, ...]:
        """What may stand without a name where ``positional`` says nothing, in order."""
        return tuple(
            each.name for each in self.arguments if each.required and not each.keyword_only
        )


@dataclass(frozen=True, eq=False)
class LayerRow(Row):
    """A layer. ``forward`` is the signature of its ``forward``, in torch's names, order and
    defaults: what a call of the layer takes. Its static arguments reach the rules in ``Call.args``.

    ``infer`` computes each ``= ?`` argument from the incoming types; ``parameters`` and ``buffers``
    give names and shapes, in torch's order; ``initial`` is torch's own default initialisation.
    Rules see the inferred arguments filled in.

    ``made`` is written for a class of torch's that takes other layers, and so has other arguments
    than the row: the Python that makes it of the row's arguments. A keyword whose value names an
    argument, or asks for one (``a if norm else None``), is left out where the spec leaves that
    argument out.

    ``parts`` are the layers of torch's that the class has inside, and those inside them, by their
    path there (``*`` for a number): what a selector such as ``LayerNorm.*`` reaches.
    """

    shape: ShapeRule
    infer: Mapping[str, InferRule] = field(default_factory=dict, kw_only=True)
    parameters: TensorsRule = field(default=no_tensors, kw_only=True)
    buffers: TensorsRule = field(default=no_tensors, kw_only=True)
    initial: InitialRule = field(default=no_initial, kw_only=True)
    forward: str = field(default="input: tensor", kw_only=True)
    stochastic: bool = field(default=False, kw_only=True)
    family: str = field(default="", kw_only=True)
    made: str = field(default="", kw_only=True)
    parts: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    @cached_property
    def forward_arguments(self) -> tuple[Argument, ...]:
        """What a call of the layer takes."""
        return parse_signature(self.forward)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The tensors that may be given by position, in order; ``?`` ends an optional one."""
        return tuple(
            argument.name if argument.required else f"{argument.name}?"
            for argument in self.forward_arguments
            if argument.is_tensor and not argument.keyword_only
        )


@dataclass(frozen=True, eq=False)
class FunctionRow(Row):
    """A stateless function, a loss or a metric: tensors are among the arguments.

    ``stochastic`` marks one that draws noise; ``training`` one whose torch form has an argument
    ``training``, which the emitted source fills with ``self.training``. Those of family
    ``creation`` make a tensor of nothing: the emitted source says its device, and its precision
    where ``float``."""

    shape: ShapeRule
    stochastic: bool = field(default=False, kw_only=True)
    training: bool = field(default=False, kw_only=True)
    family: str = field(default="", kw_only=True)

    @property
    def open_arguments(self) -> tuple[str, ...]:
        """All of them: a function is called as torch's is."""
        return tuple(
            each.name for each in self.arguments if not each.inferred and not each.keyword_only
        )


class Begin(NamedTuple):
    """Something that an optimizer first does in its step number ``step``, counted from 1."""

    step: int
    what: str


@dataclass(frozen=True, eq=False)
class OptimizerRow(Row):
    """An optimizer: the first argument of torch's constructor, ``params``, is left out.

    ``rank`` is the number of dimensions that each of its parameters must have; ``closure`` marks
    one whose ``step`` computes the loss itself, through a function; ``gradients`` says which it
    takes: ``sparse`` are those of a layer made with ``sparse=True``; ``fused_on`` are the devices
    that torch has its fused step for. ``begins`` gives, of the settings with the defaults filled
    in, what the optimizer does for the first time in a later step than the first."""

    rank: int | None = field(default=None, kw_only=True)
    closure: bool = field(default=False, kw_only=True)
    gradients: Literal["dense", "sparse", "any"] = field(default="dense", kw_only=True)
    fused_on: tuple[str, ...] = field(default=(), kw_only=True)
    begins: Callable[[Mapping[str, Any]], tuple[Begin, ...]] = field(
        default=lambda given: (), kw_only=True
    )


@dataclass(frozen=True, eq=False)
class SchedulerRow(Row):
    """A scheduler: torch's first argument, ``optimizer``, is left out.

    ``monitors`` is true where ``step`` takes the value it watches (ReduceLROnPlateau). One with an
    argument of type ``schedulers`` is made of others; ``last`` is true where ``optimizer`` is
    torch's last argument.
    """

    monitors: bool = field(default=False, kw_only=True)
    last: bool = field(default=False, kw_only=True)

    @cached_property
    def parts(self) -> Argument | None:
        """The argument that takes the schedulers it is made of."""
        found = (each for each in self.arguments if "schedulers" in each.types)
        return next(found, None)


# The settings, defaults filled in and params put in, and the parameter's shape.
InitRule: TypeAlias = Callable[[Mapping[str, Static], tuple[int, ...]], Distribution]


@dataclass(frozen=True, eq=False)
class InitRow(Row):
    """An initialiser: torch's first argument, ``tensor``, is left out.

    ``rule`` says how its values are distributed: exactly where a ``Distribution`` can say it, else
    the normal one of the same mean and standard deviation. ``rank`` and ``most`` bound the number
    of dimensions that a parameter may have."""

    rule: InitRule = field(kw_only=True)
    rank: int = field(default=0, kw_only=True)
    most: int | None = field(default=None, kw_only=True)

    def distribution(self, given: Mapping[str, Static], shape: tuple[int, ...]) -> Distribution:
        """How a parameter of ``shape`` is filled, with ``given`` the settings that are written.

        RuleError: E0301 for a rank that it does not take, E0303, E0307 for a setting."""
        rank = len(shape)
        if rank < self.rank or (self.most is not None and rank > self.most):
            least = f"at least {self.rank}" if self.most is None else f"{self.rank}"
            wanted = f"{least} to {self.most}" if self.most not in (None, self.rank) else least
            shown = f"[{', '.join(str(size) for size in shape)}]"
            raise RuleError(
                "E0301",
                f"{self.name} takes parameters of {wanted} dimensions, and one of shape {shown} "
                f"has {rank}",
                help="select the weights alone, such as `on *.weight`" if rank < 2 else None,
            )
        defaults: dict[str, Static] = {
            argument.name: argument.default  # type: ignore[misc]  # a literal of the row
            for argument in self.arguments
            if not argument.required
        }
        return self.rule({**defaults, **given}, shape)


@dataclass(frozen=True, eq=False)
class Wrapped:
    """What a wrapper's rule sees: the type of the layer, its tensors, the wrapper's settings.

    ``args`` has the settings with the defaults filled in; ``params`` are the int params' values."""

    layer: str
    parameters: Shapes
    buffers: Shapes
    initial: Draws
    args: Mapping[str, Static]
    params: Mapping[str, Size] = field(default_factory=dict)

    def number(self, size: Size) -> int:
        """``size`` of a weight, which the params settle; E0308 where they do not."""
        value = evaluate(size, self.params)
        if not isinstance(value, int):
            raise RuleError("E0308", f"a weight has a fixed size, and {size} is unknown")
        return value


WrapRule: TypeAlias = Callable[[Wrapped], "tuple[Shapes, Shapes, Draws]"]


@dataclass(frozen=True, eq=False)
class WrapperRow(Row):
    """A parametrization of one of a layer's tensors; torch's first argument, ``module``, is left
    out.

    ``tensors`` gives the wrapped layer's parameters, buffers and initial values, named and ordered
    as in torch. ``buffers`` says of what kind those buffers are that torch fills from the weight
    that it finds: ``unit``, a vector of norm 1, or ``identity``, an orthogonal matrix."""

    tensors: WrapRule = field(kw_only=True)
    buffers: Mapping[str, Literal["unit", "identity"]] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True, eq=False)
class FormulaRow(Row):
    """A regularizer, a constraint or a clip: ``formula`` is Python over its arguments and
    ``weight``.

    A regularizer's is an expression, summed over the selected parameters; a constraint's is run
    on each selected parameter without gradient; a clip's sees ``parameters``, the list. It may use
    ``torch``, ``nn``, ``F`` and its ``helper``; what it passes on by keyword is left out where the
    spec leaves it out. ``rank`` is the least number of dimensions a parameter must have.
    """

    formula: str = field(default="", kw_only=True)
    rank: int = field(default=0, kw_only=True)
