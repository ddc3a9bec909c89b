"""Values and the nodes that make them: calls, operators, and the structure that stays structure.

Most nodes compute one result. ``Make`` computes nothing: it says where a layer comes to be, so that
one tree tells both what a constructor does and what ``forward`` does. ``Chain``, ``Loop`` and
``Branch`` hold nodes of their own; ``flat_nodes`` looks through them. Values are compared by
identity: two uses of one ``Value`` are two uses of one computed tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, Union

from specc.errors import Span
from specc.ir.states import State
from specc.ir.types import LayerChoice, Static, TensorType
from specc.sizes import Size

if TYPE_CHECKING:
    from specc.catalog.rows import FunctionRow, LayerRow
    from specc.ir.modules import Module

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


# ── layers ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Distribution:
    """How torch fills a fresh parameter: ``uniform`` in [low, high), ``normal`` (mean ``low``,
    standard deviation ``high``) or ``constant`` (``low``)."""

    kind: Literal["uniform", "normal", "constant"]
    low: float
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A parametrization of torch's on a layer's tensor: ``with spectral_norm``."""

    type: str
    arguments: Arguments
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A submodule: its path in the module that makes it, its type, its constructor's arguments.

    A catalogue layer's ``arguments`` are in the row's order with the inferred ones filled in,
    defaults absent; ``parameters`` and ``buffers`` map a tensor's name inside the layer to its
    shape; ``initial`` says how each parameter is filled. A block's ``module`` is what its
    arguments make of it; ``sizes`` are what its inputs' shape names stand for, in the caller's
    terms. ``values`` are the sizes known where the layer is made (params, the position in a loop):
    ``evaluate`` with them gives the numbers of this very layer. ``row`` is what the catalogue, or
    an extension of it, says of ``type``; a block has none. ``choice`` is the param by which the
    type was chosen, if one was.
    """

    name: str
    type: str
    arguments: Arguments
    parameters: tuple[tuple[str, tuple[Size, ...]], ...]
    buffers: tuple[tuple[str, tuple[Size, ...]], ...]
    initial: tuple[tuple[str, Distribution], ...]
    span: Span
    module: Module | None = None
    sizes: tuple[tuple[str, Size], ...] = ()
    wrappers: tuple[Wrapper, ...] = ()
    values: Mapping[str, Size] = field(default_factory=dict, compare=False)
    row: LayerRow | None = field(default=None, compare=False, repr=False)
    choice: LayerChoice | None = field(default=None, compare=False)


# ── what computes ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Thread:
    """A size that a loop hands from round to round, or that a branch leaves behind: ``symbol`` is
    what it is called in the reading that the emitter writes (``Module.threaded``), the size of
    ``dimension`` of the value at ``position`` of the loop's or branch's names; or of a block's
    results, where the block keeps it."""

    symbol: str
    position: int
    dimension: int


@dataclass(frozen=True, slots=True, eq=False)
class LayerCall:
    """A layer or block (by its path in the module, ``conv1`` or ``blocks.0.attn``) applied to
    tensors."""

    layer: str
    inputs: tuple[Operand, ...]
    result: Result
    span: Span
    # What its forward takes by name: a mask, ``need_weights=False``.
    keywords: Arguments = ()
    # The sizes of a block's results that the block keeps, by the symbols that stand for them here.
    kept: tuple[Thread, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class FunctionCall:
    """A catalogue function, loss or metric applied to its bound arguments, in the row's order.

    Arguments left at the row's default are absent. ``row`` is what the catalogue, or an extension
    of it, says of ``function``.
    """

    kind: Literal["function", "loss", "metric"]
    function: str
    arguments: Arguments
    result: Result
    span: Span
    row: FunctionRow = field(compare=False, repr=False)


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


@dataclass(frozen=True, slots=True, eq=False)
class Derivative:
    """``grad(of, by)``: the derivative of the number ``of`` by each entry of ``by``, of its shape,
    which can be differentiated again. Stands in training alone."""

    of: Value
    by: Value
    result: Value
    span: Span


# ── structure ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class Make:
    """A layer comes to be. Stands before the first call of the layer, in the order of the
    ``state_dict``."""

    layer: Layer
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Layers in a row called as one, ``nn.Sequential``: ``label: { A -> B }``.

    ``nodes`` make and call the stages, each at ``path.0``, ``path.1``, ...; ``result`` is what the
    last one gives.
    """

    path: str
    nodes: tuple[Node, ...]
    input: Value
    result: Value
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Iteration:
    """One time round a loop: ``index`` is the variable's value, ``entering`` and ``leaving`` stand
    for the loop's ``names`` at its beginning and end."""

    index: Static
    nodes: tuple[Node, ...]
    entering: tuple[Value, ...]
    leaving: tuple[Value, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """``for``, ``repeat`` or a list made by ``for``: the iterations, one after the other.

    ``repeat`` carries the piped value, and is one ``nn.Sequential`` at ``path`` (or, where
    ``path`` is empty, stages of the chain around it, from position ``offset``). A ``for`` carries
    the ``names`` that it rebinds, from ``initial`` to ``results``; its layers are at
    ``path.<k>.<label>``, ``path.<k>`` where it makes one unlabelled layer, or ``<label>.<k>``
    where ``path`` is empty. A ``list`` carries nothing: ``results`` has one value an iteration,
    which ``leaving`` of that iteration gives.

    ``bounds`` are ``range``'s arguments as written; None where ``items`` of a tuple are gone
    through. Where those are rows of a table, ``variable`` names their places, ``c, n, s``."""

    kind: Literal["for", "repeat", "list"]
    path: str
    variable: str
    bounds: tuple[Static, ...] | None
    items: Static
    names: tuple[str, ...]
    initial: tuple[Value, ...]
    iterations: tuple[Iteration, ...]
    results: tuple[Value, ...]
    span: Span
    offset: int = 0
    # Whether what a round makes is read by its own name in later rounds and behind the loop, which
    # carries nothing.
    written_out: bool = field(default=False, metadata={"if_any": True})
    # The sizes of what is carried that the rounds change.
    threads: tuple[Thread, ...] = field(default=(), compare=False)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variable, or those for the places of a row."""
        return tuple(self.variable.split(", "))

    def bound(self, index: Static) -> dict[str, Static]:
        """What each variable is in the round of ``index``."""
        return bound(self.variables, index)

    def numbers(self, index: Static) -> dict[str, Size]:
        """The variables that are whole numbers in the round of ``index``."""
        found = self.bound(index)
        return {
            name: value
            for name, value in found.items()
            if isinstance(value, int) and not isinstance(value, bool)
        }


def bound(variables: Sequence[str], index: Static) -> dict[str, Static]:
    """What each of a loop's variables is where an item is ``index``; `_` is nothing."""
    if len(variables) == 1:
        return {variables[0]: index}
    assert isinstance(index, tuple)
    return {name: item for name, item in zip(variables, index, strict=True) if name != "_"}


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """A compile-time ``if``: ``nodes`` are those of the side that was taken.

    ``names`` are what either side rebinds: ``before`` is the value of each ahead of it (None where
    there is none), ``after`` its value at the end of the side taken, ``results`` what it is called
    from here on."""

    condition: Static
    taken: bool
    nodes: tuple[Node, ...]
    names: tuple[str, ...]
    before: tuple[Value | None, ...]
    after: tuple[Value, ...]
    results: tuple[Value, ...]
    span: Span
    # The sizes of the results that are others on the other side; told in loops alone.
    threads: tuple[Thread, ...] = field(default=(), compare=False)


Leaf: TypeAlias = Union[
    LayerCall, FunctionCall, Operation, Subscript, ParameterRead, Transpose, State, Derivative
]
Node: TypeAlias = Union[Leaf, Make, Chain, Loop, Branch]


def flat_nodes(nodes: Iterable[Node]) -> Iterator[Leaf]:
    """The nodes that compute, in order, those inside chains, loops and branches among them."""
    for node in nodes:
        match node:
            case Make():
                continue
            case Chain() | Branch():
                yield from flat_nodes(node.nodes)
            case Loop():
                for iteration in node.iterations:
                    yield from flat_nodes(iteration.nodes)
            case _:
                yield node


def made_layers(nodes: Iterable[Node]) -> Iterator[Layer]:
    """The layers that the nodes make, in the order in which they are made."""
    return (layer for _, layer in made_places(nodes) if layer is not None)


def made_places(nodes: Iterable[Node]) -> Iterator[tuple[str, Layer | None]]:
    """The paths of the layers that the nodes make, in the order in which they are made, with each
    row of layers (which has no layer of its own, and may be empty) before what is in it."""
    for node in nodes:
        match node:
            case Make():
                yield node.layer.name, node.layer
            case Chain():
                yield node.path, None
                yield from made_places(node.nodes)
            case Branch():
                yield from made_places(node.nodes)
            case Loop():
                if node.kind == "repeat" and node.path:
                    yield node.path, None
                for iteration in node.iterations:
                    yield from made_places(iteration.nodes)
            case _:
                continue


def made_states(nodes: Iterable[Node]) -> Iterator[State]:
    """The parameters and buffers that a module keeps itself, in the order in which they are made:
    those in the braces of an ``if`` come after the others."""
    inner: list[Node] = []
    for node in nodes:
        if isinstance(node, State):
            yield node
        elif isinstance(node, Branch):
            inner += node.nodes
    if inner:
        yield from made_states(inner)


def node_operands(node: Leaf) -> Iterator[Operand]:
    """Everything that a node reads, nested tuples flattened."""
    match node:
        case LayerCall():
            yield from flat_operands(node.inputs)
            for _, argument in node.keywords:
                yield from flat_operands(argument)
        case FunctionCall():
            for _, argument in node.arguments:
                yield from flat_operands(argument)
        case Operation():
            yield from flat_operands(node.operands)
        case Subscript():
            yield node.value
            for index in node.indices:
                if isinstance(index, SliceIndex):
                    yield from (index.lower, index.upper, index.step)
                elif not isinstance(index, EllipsisIndex):
                    yield from flat_operands(index)
        case Transpose():
            yield node.value
        case Derivative():
            yield node.of
            yield node.by
        case ParameterRead() | State():
            return


def flat_operands(operand: Operand) -> Iterator[Operand]:
    """What stands in ``operand``, nested tuples flattened."""
    if isinstance(operand, tuple):
        for item in operand:
            yield from flat_operands(item)
    else:
        yield operand


def holds_values(operand: Operand) -> bool:
    """Whether ``operand`` is a value, or a tuple with one in it."""
    return any(isinstance(each, Value) for each in flat_operands(operand))
