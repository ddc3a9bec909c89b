"""The frozen, typed graph between checking and emitting.

A ``Program`` is what a spec means: every name resolved, every argument bound, every inferred size
filled in, every shape known symbolically. Frozen dataclasses of plain data and nothing else: no
torch, no printing, no passes (those are ``specc.semantics``), so that each stage may rely on it.

Values are compared by identity: two uses of one ``Value`` are two uses of one computed tensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, Union

from specc.errors import Span
from specc.sizes import Poly, Size, evaluate

# ── types ────────────────────────────────────────────────────────────────────────────────────────

Meaning = Literal["plain", "index", "unit", "normal"]


@dataclass(frozen=True, slots=True)
class TensorType:
    """A tensor's type. ``dtype`` is torch's name, or ``float``: the precision that the run chooses.

    ``meaning`` is what LANGUAGE's types add: ``index`` (int64 in 0..classes-1), ``unit`` (in [0,
    1]), ``normal`` (standard normal noise); ``classes`` is the bound of an ``index``."""

    dtype: str
    shape: tuple[Size, ...]
    meaning: Meaning = "plain"
    classes: Size | None = None

    @property
    def floating(self) -> bool:
        return self.dtype.startswith(("float", "bfloat"))

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


# ── values and the operations that make them ─────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One tensor in the graph. ``named`` tells a name the user gave from one made up for a
    stage."""

    name: str
    type: TensorType
    span: Span
    named: bool = True


Result: TypeAlias = Union[Value, tuple["Result", ...]]
Operand: TypeAlias = Union[Value, Static, tuple["Operand", ...]]
Arguments: TypeAlias = tuple[tuple[str, Operand], ...]


def result_values(result: Result) -> Iterator[Value]:
    """The tensors of a result, left to right."""
    if isinstance(result, Value):
        yield result
    else:
        for item in result:
            yield from result_values(item)


@dataclass(frozen=True, slots=True, eq=False)
class LayerCall:
    """A layer (by its name in the model) applied to tensors."""

    layer: str
    inputs: tuple[Operand, ...]
    result: Result
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class FunctionCall:
    """A catalogue function, loss or metric applied to its bound arguments, in the row's order.

    Arguments left at the row's default are absent.
    """

    kind: Literal["function", "loss", "metric"]
    function: str
    arguments: Arguments
    result: Result
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """An operator on one or two operands, at least one of them a tensor: ``+ - * / // % ** @``,
    comparisons, ``not`` and unary ``-`` (one operand)."""

    operator: str
    operands: tuple[Operand, ...]
    result: Value
    span: Span


@dataclass(frozen=True, slots=True)
class SliceIndex:
    """``lower:upper:step`` in a subscript."""

    lower: Static = None
    upper: Static = None
    step: Static = None


@dataclass(frozen=True, slots=True)
class EllipsisIndex:
    """``...`` in a subscript."""


Index: TypeAlias = Union[Static, SliceIndex, EllipsisIndex, Value]


@dataclass(frozen=True, slots=True, eq=False)
class Subscript:
    """``value[indices]``."""

    value: Value
    indices: tuple[Index, ...]
    result: Value
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ParameterRead:
    """A layer's parameter used as a value: ``wte.weight``."""

    layer: str
    parameter: str
    result: Value
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Transpose:
    """``value.T`` (of a matrix) or ``value.mT`` (of the last two dimensions)."""

    value: Value
    attribute: Literal["T", "mT"]
    result: Value
    span: Span


Node: TypeAlias = Union[LayerCall, FunctionCall, Operation, Subscript, ParameterRead, Transpose]


def node_operands(node: Node) -> Iterator[Operand]:
    """Everything that a node reads, nested tuples flattened."""
    match node:
        case LayerCall():
            yield from _flat(node.inputs)
        case FunctionCall():
            for _, argument in node.arguments:
                yield from _flat(argument)
        case Operation():
            yield from _flat(node.operands)
        case Subscript():
            yield node.value
            for index in node.indices:
                if isinstance(index, SliceIndex):
                    yield from (index.lower, index.upper, index.step)
                elif not isinstance(index, EllipsisIndex):
                    yield from _flat(index)
        case Transpose():
            yield node.value
        case ParameterRead():
            return


def _flat(operand: Operand) -> Iterator[Operand]:
    if isinstance(operand, tuple):
        for item in operand:
            yield from _flat(item)
    else:
        yield operand


# ── layers, models ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Distribution:
    """How torch fills a fresh parameter: ``uniform`` in [low, high), ``normal`` (mean ``low``,
    standard deviation ``high``) or ``constant`` (``low``)."""

    kind: Literal["uniform", "normal", "constant"]
    low: float
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class Layer:
    """A submodule: its name in the ``state_dict``, its catalogue type, its constructor's arguments.

    ``arguments`` are in the row's order with the inferred ones filled in; defaults are absent.
    ``parameters`` and ``buffers`` map a tensor's name inside the layer to its shape; ``initial``
    says how each parameter is filled.
    """

    name: str
    type: str
    arguments: Arguments
    parameters: tuple[tuple[str, tuple[Size, ...]], ...]
    buffers: tuple[tuple[str, tuple[Size, ...]], ...]
    initial: tuple[tuple[str, Distribution], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Param:
    """A compile-time value: ``default`` as the spec says, ``value`` after ``--set``."""

    name: str
    type: str
    default: Static
    value: Static
    span: Span


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of the sizes and could not be decided: ``left relation right``, and why."""

    left: Size
    relation: Literal["==", "<=", "<", ">=", ">", "!="]
    right: Size
    reason: str
    span: Span

    def holds(self, values: Mapping[str, Size]) -> bool | None:
        """Whether it holds of ``values``; None where they leave a symbol open."""
        left, right = evaluate(self.left, values), evaluate(self.right, values)
        if not isinstance(left, int) or not isinstance(right, int):
            return None
        return {
            "==": left == right,
            "!=": left != right,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }[self.relation]

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right}"


@dataclass(frozen=True, slots=True)
class Output:
    """One of a model's results and the name it is known by in ``train`` and in goldens."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Model:
    """A model: one class of emitted source."""

    name: str
    params: tuple[Param, ...]
    inputs: tuple[Value, ...]
    layers: tuple[Layer, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    conditions: tuple[Condition, ...]
    span: Span

    def layer(self, name: str) -> Layer:
        return next(layer for layer in self.layers if layer.name == name)

    def parameters(self) -> Iterator[tuple[str, Layer, tuple[Size, ...]]]:
        """Each parameter as (its ``state_dict`` name, its layer, its shape), in torch's order."""
        for layer in self.layers:
            for name, shape in layer.parameters:
                yield f"{layer.name}.{name}", layer, shape


# ── training ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Selection:
    """What a selector matched: the full parameter names in the model's order; ``text`` as
    written."""

    text: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Regularizer:
    """A penalty on parameters: ``L1``, ``L2``, ``ElasticNet``, ``Orthogonal``."""

    type: str
    arguments: Arguments
    on: Selection
    span: Span


@dataclass(frozen=True, slots=True)
class Constraint:
    """A projection after each optimizer step: ``MaxNorm``."""

    type: str
    arguments: Arguments
    on: Selection
    span: Span


@dataclass(frozen=True, slots=True)
class Clip:
    """``GradNorm`` or ``GradValue`` between backward and step; ``on`` None means every
    parameter."""

    type: str
    arguments: Arguments
    on: Selection | None
    span: Span


@dataclass(frozen=True, slots=True)
class Group:
    """A parameter group with its own settings."""

    arguments: Arguments
    on: Selection
    span: Span


@dataclass(frozen=True, slots=True)
class Optimizer:
    """A torch optimizer; ``rest`` are the parameters that no group claims, in the model's order."""

    type: str
    arguments: Arguments
    groups: tuple[Group, ...]
    rest: Selection
    span: Span


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A torch learning-rate scheduler, stepped once a ``step`` or once an ``epoch``."""

    type: str
    arguments: Arguments
    interval: Literal["step", "epoch"]
    span: Span


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric reported beside the loss."""

    name: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Train:
    """How the model learns. ``terms`` are the named scalars of the loss; the last is ``loss``.

    ``nodes`` compute the terms from ``uses``: the model's outputs and inputs and the train inputs
    that they read, in that order. ``metric_nodes`` and ``metric_uses`` are the same for the
    metrics."""

    model: str
    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    terms: tuple[tuple[str, Value], ...]
    uses: tuple[Value, ...]
    regularizers: tuple[Regularizer, ...]
    constraints: tuple[Constraint, ...]
    clip: Clip | None
    optimizer: Optimizer | None
    scheduler: Scheduler | None
    metrics: tuple[Metric, ...]
    metric_nodes: tuple[Node, ...]
    metric_uses: tuple[Value, ...]
    span: Span
    # What the loss asks of the sizes: that labels and outputs have one batch size, say. Follows
    # from the nodes, and computes nothing.
    conditions: tuple[Condition, ...] = field(default=(), compare=False)


# ── tests, the whole ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class TestPlan:
    """The test matrix: every field has a default, so that a spec without ``test`` is tested
    well."""

    __test__ = False  # pytest collects classes called Test*

    sizes: tuple[tuple[tuple[str, int], ...], ...] = ()
    seed: int = 0
    steps: int = 3
    targets: tuple[str, ...] = ("eager", "compile", "torchscript", "export")
    devices: tuple[str, ...] = ("cpu", "cuda")
    dtypes: tuple[str, ...] = ("float32",)
    modes: tuple[str, ...] = ("train", "eval")
    layouts: tuple[str, ...] = ("contiguous",)


@dataclass(frozen=True, slots=True)
class Program:
    """A whole spec after checking: what every later stage is made from."""

    file: str
    version: int
    params: tuple[Param, ...]
    models: tuple[Model, ...]
    train: Train | None
    test: TestPlan
    warnings: tuple[object, ...] = field(default=(), compare=False)

    def model(self, name: str | None = None) -> Model:
        """The model called ``name``, or the only one (or the one that ``train`` trains)."""
        if name is None:
            name = self.train.model if self.train else self.models[-1].name
        return next(model for model in self.models if model.name == name)

    def param_values(self, model: Model) -> dict[str, Size]:
        """The int params in scope of ``model``, by name, for evaluating its sizes."""
        return {
            param.name: param.value
            for param in (*self.params, *model.params)
            if isinstance(param.value, int) and not isinstance(param.value, bool)
        }
