"""The state of one model (or of ``train``) while its statements are elaborated into IR nodes.

Holds the names in scope, the nodes and layers made so far and the conditions met on the way. The
functions that add to it are in ``expressions`` and what that imports. Non-goal: deciding what
an expression means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, Union

from specc import ir
from specc.catalog.rows import RuleError
from specc.errors import Collector, Span
from specc.semantics.bind import Given
from specc.semantics.entities import POISON, Entity
from specc.sizes import Size, evaluate
from specc.syntax import ast

Hint: TypeAlias = Union[str, tuple["Hint", ...], None]


@dataclass(slots=True)
class Graph:
    """One scope under construction. ``params`` are the values of the int params, by name."""

    kind: Literal["model", "train"]
    collector: Collector
    params: dict[str, Size]
    env: dict[str, Entity]
    modules: Mapping[str, str]  # the spec's own models and blocks: name to kind
    unread: frozenset[str]
    labels: frozenset[str] = frozenset()
    nodes: list[ir.Node] = field(default_factory=list)
    layers: dict[str, ir.Layer] = field(default_factory=dict)
    layer_calls: Counter[str] = field(default_factory=Counter)
    conditions: list[ir.Condition] = field(default_factory=list)
    dimensions: dict[str, Span] = field(default_factory=dict)
    # Layers declared and not yet fed: type, settings, place.
    declared: dict[str, tuple[str, list[Given], Span]] = field(default_factory=dict)
    # Where each name was last bound, and the names read since.
    assigned: dict[str, Span] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    _counters: Counter[str] = field(default_factory=Counter)

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        help: str | None = None,
        notes: tuple[str, ...] = (),
    ) -> Entity:
        """Reports, and gives what stands in for the faulty value."""
        self.collector.error(code, message, span, help, notes)
        return POISON

    def rule_error(
        self, fault: RuleError, span: Span, spans: Mapping[str, Span], notes: tuple[str, ...] = ()
    ) -> Entity:
        """Reports a shape rule's refusal at the argument that it names."""
        place = spans.get(fault.argument or "", span)
        return self.error(fault.code, fault.message, place, fault.help, notes)

    def fresh_layer_name(self, type_: str) -> str:
        """``relu_1``, ``relu_2``: the lower-case type with a counter that skips the labels."""
        base = type_.lower()
        while True:
            self._counters[base] += 1
            name = f"{base}_{self._counters[base]}"
            if name not in self.labels and name not in self.layers:
                return name

    def require_equal(self, span: Span) -> Callable[[Size, Size, RuleError], None]:
        """A rule's ``require_equal`` that states its open conditions at ``span``."""

        def require(left: Size, right: Size, refusal: RuleError) -> None:
            # Poly subtraction is exact: a remaining constant means equal never, zero means always.
            difference = evaluate(left, self.params) - evaluate(right, self.params)
            if isinstance(difference, int):
                if difference != 0:
                    raise refusal
                return
            self.conditions.append(ir.Condition(left, "==", right, refusal.message, span))

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
        if isinstance(hint, str):
            return ir.Value(hint, type_, span, named=True)
        return ir.Value("x", type_, span, named=False)

    def value(self, type_: ir.TensorType, span: Span, hint: Hint) -> ir.Value:
        """One fresh value."""
        made = self.result(type_, span, hint)
        assert isinstance(made, ir.Value)
        return made


# How the readers of pipes, calls and subscripts read the expressions inside them.
Elaborate: TypeAlias = Callable[[Graph, ast.Expression], Entity]
