"""What a spec does with its inputs, as far as that says which of their values matter.

An input is followed from where it is declared through blocks, loops and functions that only move
values, to what reads it: an Embedding that has a padding entry, a loss that ignores a label,
lengths that must fit a sequence. Sizes stay symbolic, in the inputs' own. Torch-free. Non-goal:
drawing (``corners``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from specc.harness.cases import subject
from specc.harness.cases.subject import Key
from specc.ir import (
    Branch,
    Chain,
    FunctionCall,
    LayerCall,
    Loop,
    Make,
    Module,
    Node,
    Operand,
    Operation,
    Program,
    Result,
    Subscript,
    Transpose,
    Value,
    input_sizes,
    node_operands,
    result_values,
    static_value,
)
from specc.sizes import Poly, Size

# What gives the values that it is given, in other places.
_MOVING = frozenset(
    """
    atleast_1d atleast_2d atleast_3d broadcast_to chunk clone column_stack detach diagonal dsplit
    dstack flatten flip fliplr flipud hsplit hstack movedim narrow permute positive ravel
    repeat_interleave reshape roll rot90 select split squeeze stack stop_gradient swapaxes swapdims
    t tensor_split tile transpose unbind unflatten unfold unsqueeze vsplit vstack cat
    """.split()
)
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_EMBEDDINGS = frozenset({"Embedding", "EmbeddingBag"})
_QUOTIENTS = frozenset(f"torch.{name}" for name in ("div", "floor_divide", "fmod", "remainder"))
_POOLS = frozenset(f"F.{way}max_pool{n}d" for way in ("", "adaptive_") for n in (1, 2, 3))
# Losses that read labels, by torch's name, and the label that each leaves out where the call does
# not say; of several labels a row, the mark behind the last.
_CLASS_LOSSES = {
    "F.cross_entropy": -100,
    "F.nll_loss": -100,
    "F.linear_cross_entropy": None,
    "F.multi_margin_loss": None,
    "F.multilabel_margin_loss": -1,
}


@dataclass(slots=True)
class Role:
    """What the values of one input are for.

    ``bounds`` are what whole numbers must be below; ``special`` are values that must be there, and
    ``ignored`` those of them of which a batch must not be made alone. ``losses`` are what each loss
    that reads it as labels ignores, and ``alone`` that nothing else reads it: together they say
    whether it may hold a mark below 0. ``takes_ends`` says that 0 and 1 of a ``unit`` are numbers
    like any others to what reads it: not to a logarithm. ``pooled`` says that a maximum pool reads
    it as it is, ``divides`` that whole numbers are divided by it, as it is."""

    bounds: list[Size] = field(default_factory=list)
    special: list[int] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)
    losses: set[int | None] = field(default_factory=set)
    alone: bool = True
    takes_ends: bool = True
    pooled: bool = False
    divides: bool = False

    @property
    def takes_marks(self) -> bool:
        """Whether everything that reads the input knows what a label below 0 marks."""
        return self.alone and len(self.losses) == 1 and None not in self.losses


@dataclass(frozen=True, slots=True)
class Alignment:
    """A CTC loss: the inputs that say how long its ``longest`` places and its labels are (None for
    what is no input), and what it does with an alignment that cannot be."""

    labels: str | None
    input_lengths: str
    label_lengths: str
    longest: Size
    blank: int
    zero_infinity: bool


@dataclass(slots=True)
class Roles:
    """The role of each input by its name, and the alignments."""

    of: dict[str, Role] = field(default_factory=dict)
    alignments: list[Alignment] = field(default_factory=list)


def roles_of(program: Program) -> Roles:
    """The roles of the inputs of ``program``, of its model and its training."""
    return _roles(Key(program))


# Every draw of a case asks for them.
@lru_cache(maxsize=4)
def _roles(key: Key) -> Roles:
    program = key.program
    inputs = (*subject.model_inputs(program), *subject.train_inputs(program))
    nodes = subject.outer_nodes(program)
    return _followed(program.subject(), inputs, nodes, subject.known_sizes(program))


def roles_of_model(program: Program, model: Module) -> Roles:
    """The roles of the inputs of ``model`` by itself."""
    known = {**program.param_values(model), **model.values}
    return _followed(model, model.inputs, model.nodes, known)


def _followed(
    module: Module, inputs: Iterable[Value], nodes: Iterable[Node], known: Mapping[str, Size]
) -> Roles:
    follower = _Follower(Roles({value.name: Role() for value in inputs}))
    start = {id(value): frozenset({value.name}) for value in inputs}
    follower.go(nodes, _Inside(module, known, start))
    return follower.roles


_Names = frozenset[str]
_NONE: _Names = frozenset()


@dataclass(slots=True)
class _Inside:
    """A module that is gone through: what its sizes stand for, and by its values' identity the
    inputs that they are made of."""

    module: Module
    sizes: Mapping[str, Size]
    names: dict[int, _Names]

    def of(self, operand: Operand) -> _Names:
        if isinstance(operand, tuple):
            return _NONE.union(*(self.of(item) for item in operand))
        return self.names.get(id(operand), _NONE) if isinstance(operand, Value) else _NONE

    def give(self, result: Result | Iterable[Value], names: _Names) -> None:
        values = result_values(result) if isinstance(result, (Value, tuple)) else result
        if names:
            self.names.update((id(value), names) for value in values)


class _Follower:
    def __init__(self, roles: Roles) -> None:
        self.roles = roles

    def go(self, nodes: Iterable[Node], inside: _Inside) -> None:
        for node in nodes:
            match node:
                case Make():
                    continue
                case Chain():
                    self.go(node.nodes, inside)
                case Branch():
                    self.go(node.nodes, inside)
                    _hand_over(inside, node.after, node.results)
                case Loop():
                    self._loop(node, inside)
                case LayerCall():
                    self._layer(node, inside)
                case FunctionCall():
                    self._function(node, inside)
                case Transpose():
                    inside.give(node.result, inside.of(node.value))
                case Subscript():
                    inside.give(node.result, inside.of(node.value))
                    for index in node.indices:
                        if isinstance(index, Value):
                            self._read(inside.of(index))
                case Operation():
                    self._operation(node, inside)
                case _:  # a parameter that is read, a derivative
                    continue

    def _loop(self, node: Loop, inside: _Inside) -> None:
        carried = node.initial
        sizes = inside.sizes
        for iteration in node.iterations:
            _hand_over(inside, carried, iteration.entering)
            inside.sizes = {**sizes, **node.numbers(iteration.index)}
            self.go(iteration.nodes, inside)
            carried = iteration.leaving
        inside.sizes = sizes
        if node.kind == "list":
            gathered = [value for each in node.iterations for value in each.leaving]
            _hand_over(inside, gathered, node.results)
        else:
            _hand_over(inside, carried, node.results)

    def _layer(self, node: LayerCall, inside: _Inside) -> None:
        given = inside.of((*node.inputs, *(value for _, value in node.keywords)))
        layer = inside.module.by_path.get(node.layer)
        if not given or layer is None:
            return
        if layer.module is not None:
            self._block(node, layer.module, inside)
            return
        made_with = {**inside.sizes, **layer.values}
        settings = {name: _known(value, made_with) for name, value in layer.arguments}
        names = inside.of(node.inputs[0]) if node.inputs else _NONE
        if layer.type in _EMBEDDINGS:
            entries = _as_size(settings.get("num_embeddings"))
            self._looked_up(names, entries, settings.get("padding_idx"))
        elif layer.type == "LinearCrossEntropyLoss" and len(node.inputs) > 1:
            classes = _as_size(settings.get("num_classes"))
            self._labels(inside.of(node.inputs[1]), classes, settings.get("ignore_index"))
        else:
            self._read(given, ends=True)
            if "MaxPool" in layer.type:
                self._pooled(given)

    def _block(self, node: LayerCall, module: Module, inside: _Inside) -> None:
        sizes = input_sizes(module, node.inputs, inside.sizes)
        inner = _Inside(module, {**module.values, **sizes}, {})
        _hand_over_between(inside, node.inputs, inner, module.inputs)
        self.go(module.nodes, inner)
        outputs = [output.value for output in module.outputs]
        _hand_over_between(inner, outputs, inside, list(result_values(node.result)))

    def _function(self, node: FunctionCall, inside: _Inside) -> None:
        given = dict(node.arguments)
        if node.function in _MOVING:
            inside.give(node.result, inside.of(tuple(given.values())))
            return
        torch_name = node.row.torch
        if node.kind == "metric":
            ignored = _known(given.get("ignore_index"), inside.sizes)
            for name in inside.of(tuple(given.values())):
                _ignore(self.roles.of[name], ignored)
                self.roles.of[name].alone = False
        elif torch_name in _CLASS_LOSSES:
            self._read(inside.of(tuple(v for name, v in node.arguments if name != "target")))
            ignored = _known(given.get("ignore_index"), inside.sizes)
            if "linear_weight" in given:
                classes = _dimension(given["linear_weight"], 0, inside)
            elif torch_name == "F.multilabel_margin_loss":
                classes = _dimension(given.get("input"), -1, inside)
            else:
                classes = _classes(given.get("input"), inside)
            usual = _CLASS_LOSSES[torch_name]
            self._labels(
                inside.of(given.get("target")), classes, usual if ignored is None else ignored
            )
        elif torch_name in ("F.embedding", "F.embedding_bag"):
            entries = _dimension(given.get("weight"), 0, inside)
            padding = _known(given.get("padding_idx"), inside.sizes)
            self._looked_up(inside.of(given.get("input")), entries, padding)
        elif torch_name == "F.ctc_loss":
            self._alignment(given, inside)
        else:
            if torch_name in _QUOTIENTS:
                self._divides(inside.of(given.get("other")))
            if torch_name in _POOLS:
                self._pooled(inside.of(given.get("input")))
            for name, value in node.arguments:
                self._read(inside.of(value), ends=node.row.family == "loss" and name == "target")

    def _operation(self, node: Operation, inside: _Inside) -> None:
        if node.operator not in _COMPARISONS:
            self._read(inside.of(tuple(node_operands(node))))
        if node.operator in ("//", "%"):
            self._divides(inside.of(node.operands[1]))

    # ── what reads an input ──────────────────────────────────────────────────────────────────────

    def _read(self, names: _Names, *, ends: bool = False) -> None:
        """Something of which no more is known."""
        for name in names:
            role = self.roles.of[name]
            role.alone = False
            role.takes_ends &= ends

    def _pooled(self, names: _Names) -> None:
        for name in names:
            self.roles.of[name].pooled = True

    def _divides(self, names: _Names) -> None:
        for name in names:
            self.roles.of[name].divides = True

    def _looked_up(self, names: _Names, entries: Size | None, padding: object) -> None:
        """A table of ``entries`` rows."""
        self._read(names)
        for name in names:
            role = self.roles.of[name]
            if entries is not None:
                role.bounds.append(entries)
            if isinstance(padding, int):
                place = padding + entries if padding < 0 and entries is not None else padding
                if isinstance(place, int) and place not in role.special:
                    role.special.append(place)

    def _labels(self, names: _Names, classes: Size | None, ignored: object) -> None:
        """A loss that takes labels of ``classes``."""
        for name in names:
            role = self.roles.of[name]
            if classes is not None:
                role.bounds.append(classes)
            role.losses.add(ignored if isinstance(ignored, int) else None)
            _ignore(role, ignored)

    def _alignment(self, given: Mapping[str, Operand], inside: _Inside) -> None:
        self._read(inside.of(tuple(given.values())))
        scores = given.get("log_probs")
        labels, inputs, lengths = (
            sorted(inside.of(given.get(name)))
            for name in ("targets", "input_lengths", "target_lengths")
        )
        if len(inputs) != 1 or len(lengths) != 1:
            return
        longest, classes = _dimension(scores, 0, inside), _dimension(scores, -1, inside)
        most = _dimension(given.get("targets"), -1, inside)
        if longest is None or classes is None or most is None:
            return
        self.roles.of[inputs[0]].bounds.append(longest + 1)
        self.roles.of[lengths[0]].bounds.append(most + 1)
        for name in labels:
            self.roles.of[name].bounds.append(classes)
        blank = _known(given.get("blank", 0), inside.sizes)
        self.roles.alignments.append(
            Alignment(
                labels[0] if len(labels) == 1 else None,
                inputs[0],
                lengths[0],
                longest,
                blank if isinstance(blank, int) else 0,
                given.get("zero_infinity") is True,
            )
        )


def _ignore(role: Role, ignored: object) -> None:
    """``ignored`` is what a loss or a metric leaves out; None where it leaves out nothing."""
    if isinstance(ignored, int) and ignored not in role.ignored:
        role.special.append(ignored)
        role.ignored.append(ignored)


def _hand_over(inside: _Inside, given: Iterable[Value], taken: Iterable[Value]) -> None:
    _hand_over_between(inside, given, inside, taken)


def _hand_over_between(
    there: _Inside, given: Iterable[Operand], here: _Inside, taken: Iterable[Value]
) -> None:
    """What ``given`` is made of there is what ``taken`` is made of here."""
    for operand, value in zip(given, taken, strict=False):
        here.give(value, there.of(operand))


def _known(operand: Operand, sizes: Mapping[str, Size]) -> object:
    """What is known of ``operand`` while compiling: a number, a size that is open, or None."""
    if isinstance(operand, (Value, tuple)):
        return None
    try:
        return static_value(operand, sizes)
    except ZeroDivisionError:  # which the demands of the sizes tell
        return None


def _as_size(found: object) -> Size | None:
    return found if isinstance(found, (int, Poly)) else None


def _dimension(of: Operand, place: int, inside: _Inside) -> Size | None:
    """The size of a tensor's dimension; None of what has none there."""
    shape = of.type.shape if isinstance(of, Value) else ()
    if not -len(shape) <= place < len(shape):
        return None
    return _as_size(_known(shape[place], inside.sizes))


def _classes(scores: Operand, inside: _Inside) -> Size | None:
    """The size of torch's dimension of classes among scores: the second, or the only one."""
    dimensions = len(scores.type.shape) if isinstance(scores, Value) else 0
    return _dimension(scores, min(1, dimensions - 1), inside)
