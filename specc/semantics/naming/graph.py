"""The state of one model (or of ``train``) while its statements are elaborated into IR nodes.

Holds the names in scope, the nodes and layers made so far and the conditions met on the way. The
functions that add to it are in ``expressions`` and what that imports. Non-goal: deciding what
an expression means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias, Union

from specc import ir
from specc.catalog.catalogue import Catalogue
from specc.catalog.rows import RuleError
from specc.errors import Collector, Fix, Span, TooLarge
from specc.ir.relations import never_zero, without_shared
from specc.ir.shorter import divided
from specc.ir.size_bounds import is_plain
from specc.semantics.compile_time.entities import POISON, Entity, Items
from specc.semantics.compile_time.layer_paths import Namespace
from specc.semantics.compile_time.library import Definition, LibraryFor
from specc.semantics.compile_time.reports import BlockCollector
from specc.semantics.compile_time.threads import Threads
from specc.semantics.naming.bind import Given
from specc.sizes import Entry, Poly, Size, evaluate, is_positive, never_negative, symbols
from specc.syntax.tree import ast

# Of a tensor of torch's.
MOST_DIMENSIONS: Final = 64

Hint: TypeAlias = Union[str, tuple["Hint", ...], None]


@dataclass(slots=True)
class Declaration:
    """``layer name = ...``, noted until it is first fed: what it says, and where it stands, before
    the node at ``position`` of ``nodes``, inside ``depth`` loops."""

    target: str
    given: list[Given]
    stage: ast.Stage
    nodes: list[ir.Node]
    position: int
    path: str
    depth: int
    choice: ir.LayerChoice | None = None


@dataclass(slots=True)
class Graph:
    """One scope under construction. ``params`` are the values of the int params, by name.

    ``nodes`` are those of the statements being read: of the module, or of the chain, loop or branch
    inside it."""

    kind: Literal["model", "train"]
    collector: Collector
    params: dict[str, Size]
    env: dict[str, Entity]
    library: LibraryFor[Graph]
    unread: frozenset[str]
    namespace: Namespace = field(default_factory=Namespace)
    nodes: list[ir.Node] = field(default_factory=list)
    layers: dict[str, ir.Layer] = field(default_factory=dict)
    # Every path that a layer, or a list of them, has.
    taken: set[str] = field(default_factory=set)
    # The paths of the lists that loops without a label make.
    lists: set[str] = field(default_factory=set)
    conditions: list[ir.Condition] = field(default_factory=list)
    # What `where` says that a size is, with the params put in: ``T`` is 8, ``S`` is ``T``.
    equal: dict[str, Size] = field(default_factory=dict)
    # The numbers that `where` says divide sizes, and sizes that are shorter for it, as text.
    whole: dict[str, int] = field(default_factory=dict)
    shorter: dict[str, str] = field(default_factory=dict)
    # The sizes of results that are at least 1, or were made a condition.
    filled: set[Size] = field(default_factory=set)
    dimensions: dict[str, Span] = field(default_factory=dict)
    # How many layers there are here, blocks entered.
    size: int = 0
    # Layers declared and not yet fed.
    declared: dict[str, Declaration] = field(default_factory=dict)
    # The module's own parameters and buffers, by the identity of the value that each is read as.
    kept: dict[int, ir.State] = field(default_factory=dict)
    # The names that nothing has, each reported where it stands first.
    unknown: set[str] = field(default_factory=set)
    # Where each name was last bound, and the names read since.
    assigned: dict[str, Span] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    # What `train` may call, by name, and what of it was called.
    members: Mapping[str, ir.Member] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    # What was put in for params and sizes where no symbol could stand for it.
    fixed: dict[str, ir.Static] = field(default_factory=dict)
    # The variables of the loops around, and what each is there in the terms of what is around it.
    variables: tuple[str, ...] = ()
    # Those rows around that do not name the position in them, the nearest last.
    repeats: tuple[ast.Repeat, ...] = ()
    meanings: tuple[Mapping[str, Size], ...] = ()
    # The sizes that rounds change.
    threads: Threads = field(default_factory=Threads)

    @property
    def modules(self) -> Mapping[str, Definition]:
        """The models and blocks that can be named here."""
        return self.library.definitions

    @property
    def catalogue(self) -> Catalogue:
        """What the spec may use of torch, and of the extensions of its project."""
        return self.library.catalogue

    def is_layer(self, name: str) -> bool:
        """Whether ``name`` makes a layer: the catalogue's, or one of the spec's blocks."""
        if isinstance(self.env.get(name), ir.LayerChoice):
            return True
        return name in self.catalogue.layers or name in self.library.definitions

    def is_foreign(self, name: str, span: Span) -> bool:
        """Whether ``name`` is a param of another file of the spec, which is reported: in the
        emitted file the two would be one."""
        file = self.library.file_params.get(name)
        if file is None or file == span.file:
            return False
        shown = file.rpartition("/")[2]
        self.error(
            "E0230", f"`{name}` is a param of {shown}, which is part of this spec", span,
            "give one of them another name",
        )  # fmt: skip
        return True

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        help: str | None = None,
        notes: tuple[str, ...] = (),
        fix: Fix | None = None,
    ) -> Entity:
        """Reports, and gives what stands in for the faulty value."""
        message = self.shortened(message)
        notes = tuple(map(self.shortened, notes))
        if help is not None and fix is None:
            help = self.shortened(help)
        self.collector.error(code, message, span, help, notes, fix)
        return POISON

    def shortened(self, text: str) -> str:
        """``text`` with each size as it is said under what `where` says divides sizes."""
        told = [long for long in self.shorter if long in text]
        for long in sorted(told, key=len, reverse=True):
            text = re.sub(rf"(?<![\w)]){re.escape(long)}(?!\w)", self.shorter[long], text)
        return text

    @property
    def faults(self) -> int:
        """How many faults were found so far, those of blocks counted in every reading."""
        errors = sum(item.severity == "error" for item in self.collector.items)
        return errors + self.library.reported.again

    @property
    def trail(self) -> tuple[str, ...]:
        """How a block came to be read, the nearest use first; empty outside of blocks."""
        return self.collector.trail if isinstance(self.collector, BlockCollector) else ()

    def rule_error(
        self, fault: RuleError, span: Span, spans: Mapping[str, Span], notes: tuple[str, ...] = ()
    ) -> Entity:
        """Reports a shape rule's refusal at the argument that it names."""
        place = spans.get(fault.argument or "", span)
        return self.error(fault.code, fault.message, place, fault.help, notes)

    def fix(self, *operands: Entity) -> None:
        """Notes that a number was computed from these operands and has forgotten them."""
        for operand in operands:
            if isinstance(operand, Items):
                self.fix(*operand.items)
            for name in _named_in(operand.form if isinstance(operand, ir.Scalar) else operand):
                value: ir.Static = self.params.get(name)
                entity = self.env.get(name)
                if isinstance(entity, Items) and entity.entry is not None:
                    value = entity.entry.whole
                if value is None and isinstance(entity, ir.Scalar):
                    value = entity.value
                if not isinstance(value, Poly | None) and name not in self.variables:
                    self.fixed[name] = value

    def place(self, label: str | None, start: int) -> str:
        """The path of a new layer: under its label, or under the name of what starts at
        ``start``."""
        self.size += 1
        return self.take(label or self.namespace.made_up(start))

    def take(self, name: str) -> str:
        """The path of what is called ``name`` here, spoken for from now on."""
        path = self.namespace.locate(name)
        self.taken.add(path)
        self.lists.update(self.namespace.lists(name))
        return path

    def free(self, name: str) -> bool:
        """Whether nothing has the path that ``name`` would have here, or is a list where a layer
        would be, or a layer where a list would be."""
        path, lists = self.namespace.locate(name), self.namespace.lists(name)
        return path not in self.taken and path not in self.lists and self.taken.isdisjoint(lists)

    @contextmanager
    def inside(self, namespace: Namespace | None = None) -> Iterator[list[ir.Node]]:
        """While open, nodes go to a list of their own, and layers are named by ``namespace``."""
        before = self.nodes, self.namespace
        self.nodes = []
        self.namespace = namespace or self.namespace
        try:
            yield self.nodes
        finally:
            self.nodes, self.namespace = before

    @property
    def deciding(self) -> Mapping[str, Size]:
        """What sizes are where something has to be decided: the params' values, and what `where`
        says that a size is equal to."""
        return {**self.equal, **self.params} if self.equal else self.params

    def decided(self, size: Size) -> Size:
        """``size`` in terms of what is really open."""
        return evaluate(size, self.deciding)

    def require_equal(self, span: Span) -> Callable[[Size, Size, RuleError], None]:
        """A rule's ``require_equal`` that states its open conditions at ``span``."""

        def require(left: Size, right: Size, refusal: RuleError) -> None:
            # Poly subtraction is exact: a remaining constant means equal never, zero means always.
            difference = self.decided(left) - self.decided(right)
            if never_zero(difference):
                raise refusal
            if difference != 0:
                left, right = without_shared(left, right, self.dimensions)
                self.conditions.append(ir.Condition(left, "==", right, refusal.message, span))

        return require

    def require_at_least(self, span: Span) -> Callable[[Size, Size, RuleError], None]:
        """A rule's ``require_at_least``, likewise."""

        def require(left: Size, right: Size, refusal: RuleError) -> None:
            difference = self.decided(left) - self.decided(right)
            if never_negative(-difference - 1):
                raise refusal
            if not never_negative(difference):
                reason, by_torch = refusal.message, refusal.by_torch
                self.conditions.append(ir.Condition(left, ">=", right, reason, span, by_torch))

        return require

    def result(self, type_: ir.ResultType, span: Span, hint: Hint) -> ir.Result:
        """Fresh values of ``type_``, named by the targets that will bind them."""
        if isinstance(type_, tuple):
            hints: tuple[Hint, ...] = (
                hint
                if isinstance(hint, tuple) and len(hint) == len(type_)
                else (None,) * len(type_)
            )
            return tuple(
                self.result(item, span, item_hint)
                for item, item_hint in zip(type_, hints, strict=True)
            )
        self._require_possible(type_)
        for size in type_.shape if self.whole else ():
            told = divided(size, self.whole)
            if told != size:
                self.shorter[str(size)] = str(told)
        for place, size in enumerate(type_.shape):
            if isinstance(size, Poly) and not is_positive(size):
                self._require_filled(size, place, type_, span)
        if isinstance(hint, str):
            return ir.Value(hint, type_, span, named=True)
        return ir.Value("x", type_, span, named=False)

    def _require_filled(self, size: Size, place: int, type_: ir.TensorType, span: Span) -> None:
        """A condition that a result has something in it, where its sizes leave that open: torch
        goes on with nothing, and gives another shape, or a mean that is no number."""
        known = self.decided(size)
        if known in self.filled:
            return
        self.filled.add(known)
        if never_negative(known - 1) or not is_plain(known):
            return
        reason = f"nothing is left of dimension {place} of {type_}"
        self.conditions.append(ir.Condition(size, ">=", 1, reason, span))

    def _require_possible(self, type_: ir.TensorType) -> None:
        """TooLarge for a shape that no memory has the addresses of, or no tensor of torch's."""
        if len(type_.shape) > MOST_DIMENSIONS:
            raise TooLarge(
                f"a tensor has at most {MOST_DIMENSIONS} dimensions, and this has "
                f"{len(type_.shape)}"
            )
        elements = 1
        for size in type_.shape:
            known = evaluate(size, self.params)
            elements *= known if isinstance(known, int) else 1
            if abs(elements) >= 2**63:
                raise TooLarge("no tensor can have so many elements")

    def value(self, type_: ir.TensorType, span: Span, hint: Hint) -> ir.Value:
        """One fresh value."""
        made = self.result(type_, span, hint)
        assert isinstance(made, ir.Value)
        return made


Library: TypeAlias = LibraryFor[Graph]


def _named_in(form: object) -> set[str]:
    """The params and sizes that a compile-time value speaks of."""
    match form:
        case Poly():
            return set(symbols(form))
        case Entry():
            return {form.param}.union(*map(symbols, form.sizes()))
        case ir.ParamForm(name):
            return {name}
        case ir.Form():
            return set().union(*map(_named_in, form.parts))
        case tuple():
            return set().union(*map(_named_in, form))
    return set()


class Elaborate(Protocol):
    """How the readers of pipes, calls and subscripts read the expressions inside them."""

    def __call__(self, graph: Graph, expression: ast.Expression, hint: Hint = None) -> Entity:
        """What ``expression`` stands for; ``hint`` names the values it makes."""
