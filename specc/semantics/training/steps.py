"""One step of training: its loss and terms, penalties, constraints, clipping, optimizer, scheduler.

Most often it is the whole of ``train``; with several, each ``step`` has one. Non-goals: what steps
share, and members (``train``)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from specc import ir
from specc.catalog import CLIPS, CONSTRAINTS, OPTIMIZERS, REGULARIZERS, SCHEDULERS
from specc.catalog.advice.elsewhere import (
    METRIC_FORMS,
    METRIC_NAMES,
    OPTIMIZER_NAMES,
    PENALTY_NAMES,
    PUBLISHED,
    left_out,
)
from specc.catalog.rows import OptimizerRow, Row
from specc.errors import Collector, Fix, Span
from specc.semantics.blocks.expressions import elaborate
from specc.semantics.blocks.loops import for_loop
from specc.semantics.calls.calls import given_arguments
from specc.semantics.compile_time.entities import describe, is_poisoned, to_operand
from specc.semantics.compile_time.layers_made import assigned_names, kept_names, leaves
from specc.semantics.models.models import assign
from specc.semantics.naming.bind import BoundArguments, bind
from specc.semantics.naming.foreign_names import of_another_kind
from specc.semantics.naming.graph import Graph
from specc.semantics.naming.missing import not_named
from specc.semantics.naming.positional import Told, bind_call
from specc.semantics.naming.selectors import Among, could_match, picking, resolve
from specc.semantics.naming.settings import (
    check_clip,
    check_optimizer,
    check_parameters,
    check_ranges,
    check_scheduler,
)
from specc.semantics.proposals.python_habits import last_name, without_prefix
from specc.semantics.training.batch_uses import visible_uses
from specc.semantics.training.schedules import Reader
from specc.suggestions import listed, meant, nearest
from specc.syntax.tree import ast
from specc.syntax.tree.written import written as as_text

_NO_ARGUMENTS: Final[tuple[ast.Argument, ...]] = ()


class StepBuilder:
    """Gathers one step. ``subject`` is whose parameters selectors pick from, ``among`` how they
    name its members."""

    def __init__(
        self, name: str, graph: Graph, subject: ir.Module, among: Among, span: Span,
        incomplete: bool,
    ) -> None:  # fmt: skip
        self.name = name
        self.graph = graph
        self.model = subject
        self.among = among
        self.span = span
        # A layer that was reported is missing from the model: that its parameters are is no news.
        self.incomplete = incomplete
        self.collector = graph.collector
        self.terms: dict[str, ir.Value] = {}
        self.regularizers: list[ir.Regularizer] = []
        self.constraints: list[ir.Constraint] = []
        self.clips: list[ir.Clip] = []
        self.optimizers: list[ir.Optimizer] = []
        # The scheduler of each optimizer, by its position.
        self.schedulers: dict[int, ir.Scheduler] = {}
        self.latest: ir.Optimizer | None = None
        self.frozen: list[ir.Selection] = []
        self.optimizer_given = False
        # Where each name was last assigned.
        self.assigned: dict[str, Span] = {}

    def take(self, statement: ast.Statement) -> bool:
        """Reads a statement that a step may hold; False for any other."""
        match statement:
            case ast.Assign():
                self._assign(statement)
            case ast.For():
                for_loop(self.graph, statement, elaborate)
                for name in dict.fromkeys(assigned_names((statement,))):
                    self._bound(name, statement.span)
            case ast.Regularize():
                self._penalty(statement)
            case ast.Constrain():
                self._constraint(statement)
            case ast.Clip():
                self._clip(statement)
            case ast.Optimizer():
                self._optimizer(statement)
            case ast.Scheduler():
                self._scheduler(statement)
            case ast.Freeze() if statement.on is None:
                self.collector.error(
                    "E0412", "what is kept as in evaluation is kept in every step", statement.span,
                    "say it in the model that has the layer; of a model as a whole, in `train`",
                )  # fmt: skip
            case ast.Freeze() if statement.on is not None:
                on = self._select(statement.on)
                if on is not None:
                    self.frozen.append(on)
            case _:
                return False
        return True

    def finish(self, visible: tuple[ir.Value, ...]) -> ir.Step:
        """The step; ``visible`` are the values from outside that it may read."""
        self._check_loss()
        if "penalty" in self.terms and self.regularizers:
            self.collector.error(
                "E0409",
                "`penalty` is what the regularizers add to the loss, and reported by that name",
                self.assigned["penalty"],
                "give this term another name",
            )
        if self.clips and self.optimizers:
            check_clip(self.clips[0], self.optimizers[0], self.model, self.collector)
        nodes = tuple(self.graph.nodes)
        conditions = ir.joined(self.graph.conditions)
        terms = {name: value for name, value in self.terms.items() if name != "loss"}
        if "loss" in self.terms:
            terms["loss"] = self.terms["loss"]
        return ir.Step(
            name=self.name,
            nodes=nodes,
            terms=tuple(terms.items()),
            uses=visible_uses(nodes, terms.values(), visible, conditions),
            regularizers=tuple(self.regularizers),
            constraints=tuple(self.constraints),
            clip=self.clips[0] if self.clips else None,
            optimizer=self.optimizers[0] if self.optimizers else None,
            scheduler=self.schedulers.get(0),
            frozen=tuple(self.frozen),
            span=self.span,
            conditions=conditions,
            more=tuple(
                (optimizer, self.schedulers.get(position))
                for position, optimizer in enumerate(self.optimizers)
                if position
            ),
        )

    # ── the loss ─────────────────────────────────────────────────────────────────────────────────

    def _assign(self, statement: ast.Assign) -> None:
        assign(self.graph, statement)
        for target in leaves(statement.targets):
            assert target.name is not None
            self._bound(target.name, target.span.to(statement.value.span))

    def _bound(self, name: str, span: Span) -> None:
        """Notes what ``name`` is from here on: a term, if it is one number."""
        self.terms.pop(name, None)
        if name not in self.graph.env:
            return  # of a round alone
        self.assigned[name] = span
        value = self.graph.env[name]
        if isinstance(value, ir.Value) and value.type.shape == () and value.type.floating:
            self.terms[name] = value

    def _check_loss(self) -> None:
        """Reports a loss that there is not, or that is not one number."""
        span = self.assigned.get("loss")
        value = self.graph.env.get("loss")
        if span is None and "loss" not in self.graph.unread:
            word = "step" if self.name else "train"
            what = f"the step `{self.name}`" if self.name else "train"
            named = [name for name in self.terms if "loss" in name.lower()] or [*self.terms]
            self.collector.error(
                "E0403", f"{what} has no loss",
                self.span._replace(end=self.span.start + len(word)),
                f"what is trained on is called `loss`: `loss = {' + '.join(named)}`" if named
                else "write `loss = ...`, a loss of what the model puts out",
            )  # fmt: skip
        elif span is None or "loss" in self.terms or is_poisoned(value):
            return
        elif isinstance(value, ir.Value):
            self.collector.error(
                "E0404", f"the loss is one number; this is {value.type}", span,
                "take its mean() or its sum()",
            )  # fmt: skip
        else:
            self.collector.error(
                "E0404", f"the loss is one number of the model; this is {describe(value)}", span
            )

    # ── what is done to parameters ───────────────────────────────────────────────────────────────

    def _settings(
        self, row: Row, arguments: tuple[ast.Argument, ...], span: Span, *, by_name: bool = False,
        written: tuple[ast.Argument, ...] = (),
    ) -> ir.Arguments | None:  # fmt: skip
        """The settings of a row; ``written`` are the arguments as they stand in the text, where
        ``arguments`` are not."""
        given = given_arguments(self.graph, arguments, elaborate)
        for item, argument in zip(given, written, strict=False):
            item.node = argument.value
        params = self.graph.params

        def attempt(bound: BoundArguments) -> Told | None:
            return {} if check_ranges(row, bound, Collector(), params) else None

        bound = (
            bind(row, given, span, self.collector, params, keyword_only=True)
            if by_name
            else bind_call(row, given, span, self.collector, params, attempt=attempt)
        )
        if bound.failed or not check_ranges(row, bound, self.collector, self.graph.params):
            return None
        if by_name and not given:
            self.collector.error("E0402", "a group without settings changes nothing", span)
            return None
        return tuple(
            (argument.name, to_operand(bound.values[argument.name]))
            for argument in row.arguments
            if argument.name in bound.values
        )

    def _select(
        self, selector: ast.Selector, row: Row | None = None, within: Collection[str] | None = None
    ) -> ir.Selection | None:
        patterns = (*selector.patterns, *selector.excluded)
        # What is missing may be a reported layer's; a parameter that no layer has is not.
        # What a parameter of an extension's layer may be called is the extension's to say.
        added = self.graph.catalogue.origins
        definitions = self.graph.library.definitions.values()
        kept = {name for each in definitions for name in kept_names(each.tree.body)}
        library = self.graph.library
        excused = all(
            not library.unknown.isdisjoint(pattern.text.split("."))
            or (self.incomplete and not library.complete)
            or (self.incomplete and could_match(pattern.text, kept))
            or (self.incomplete and pattern.text.partition(".")[0] in added)
            for pattern in patterns
        )
        collector = Collector() if excused else self.collector
        selection = resolve(selector, self.model, collector, self.among, within)
        rank = getattr(row, "rank", 0)
        if selection is None or row is None:
            return selection
        shapes = {name: shape for name, _, shape in self.model.parameters()}
        for name in selection.names:
            if len(shapes[name]) < rank:
                self.collector.error(
                    "E0406",
                    f"{row.name} wants parameters of at least {rank} dimensions;"
                    f" `{name}` has {len(shapes[name])}",
                    selector.span,
                    self._of_rank(rank, selection, shapes),
                )
                return None
        return selection

    def _of_rank(self, rank: int, on: ir.Selection, shapes: Mapping[str, Sequence[object]]) -> str:
        """What to write where parameters of fewer dimensions than ``rank`` are picked as well."""
        fit = [name for name in on.names if len(shapes[name]) >= rank]
        only = picking(fit, self.model)
        if only is not None:
            return f"select those that have: `on {only}`"
        return f"select those that have, such as `{fit[0]}`" if fit else "none of these has"

    def _penalty(self, statement: ast.Regularize) -> None:
        row, arguments = find_row(self.collector, statement.call, REGULARIZERS, "regularizer")
        on = self._select(statement.on, row)
        settings = self._settings(row, arguments, statement.call.span) if row else None
        if row and on and settings is not None:
            self.regularizers.append(ir.Regularizer(row.name, settings, on, statement.span))

    def _constraint(self, statement: ast.Constrain) -> None:
        row, arguments = find_row(self.collector, statement.call, CONSTRAINTS, "constraint")
        on = self._select(statement.on, row)
        settings = self._settings(row, arguments, statement.call.span) if row else None
        if row and on and settings is not None:
            self.constraints.append(ir.Constraint(row.name, settings, on, statement.span))

    def _clip(self, statement: ast.Clip) -> None:
        row, arguments = find_row(self.collector, statement.call, CLIPS, "clip")
        on = self._select(statement.on) if statement.on else None
        settings = self._settings(row, arguments, statement.call.span) if row else None
        if self._second(self.clips, "clip", statement.span):
            return
        if row and settings is not None and (on or not statement.on):
            self.clips.append(ir.Clip(row.name, settings, on, statement.span))

    def _optimizer(self, statement: ast.Optimizer) -> None:
        self.optimizer_given = True
        self.latest = None
        row, arguments = find_row(self.collector, statement.call, OPTIMIZERS, "optimizer")
        everything = self.among.learning(self.model)
        if statement.on is None and self.among.several:
            self.collector.error(
                "E0411",
                "there are several models: say which of them this optimizer steps",
                statement.span,
                f"write `{_head(statement.call)}(...) on {next(iter(self.among.members))}`",
            )
            return
        on = self._select(statement.on) if statement.on else ir.Selection("*", everything)
        settings = self._settings(row, arguments, statement.call.span) if row else None
        if on is not None and self._stepped_twice(on, statement.span):
            return
        if not everything and self.incomplete:
            return
        if not everything:
            self.collector.error(
                "E0407", f"{self.model.name} has no parameters to optimize", statement.span
            )
            return
        groups: list[ir.Group] = []
        claimed: dict[str, str] = {}
        for written in statement.groups:
            group = self._group(row, written, on, claimed)
            if group is not None:
                groups.append(group)
        if row is None or settings is None or on is None:
            return
        assert isinstance(row, OptimizerRow)
        if not check_optimizer(row.name, settings, statement.span, self.collector):
            return
        whole = (*settings, *(setting for group in groups for setting in group.arguments))
        if not check_parameters(row, whole, on, self.model, statement.span, self.collector):
            return
        rest = tuple(name for name in on.names if name not in claimed)
        self.latest = ir.Optimizer(
            row.name, settings, tuple(groups), ir.Selection(on.text, rest), statement.span
        )
        self.optimizers.append(self.latest)

    def _stepped_twice(self, on: ir.Selection, span: Span) -> bool:
        """Whether an optimizer above steps some of ``on``; an E0409 then."""
        chosen = set(on.names)
        for optimizer in self.optimizers:
            both = chosen & optimizer_names(optimizer)
            if both:
                self.collector.error(
                    "E0409",
                    f"there is already one optimizer of `{min(both)}`, {optimizer.type}",
                    span,
                    "each steps parameters of its own: write `on ... except ...`",
                )
                return True
        return False

    def _group(
        self,
        row: Row | None,
        written: ast.Group,
        on: ir.Selection | None,
        claimed: dict[str, str],
    ) -> ir.Group | None:
        # Among what the optimizer steps, so that `*.bias` need not name each of several models.
        selection = self._select(written.on, within=None if on is None else on.names)
        settings = (
            self._settings(row, written.arguments, written.span, by_name=True) if row else None
        )
        if selection is None or on is None:
            return None
        for name in selection.names:
            if name in claimed:
                self.collector.error(
                    "E0402",
                    f"`{name}` is in two groups: `{claimed[name]}` and `{selection.text}`",
                    written.on.span,
                    "leave it out of one with `except`",
                )
                return None
        claimed.update(dict.fromkeys(selection.names, selection.text))
        if settings is None:
            return None
        return ir.Group(settings, selection, written.span)

    def _scheduler(self, statement: ast.Scheduler) -> None:
        interval = statement.interval or "epoch"
        kind: Literal["step", "epoch"] = "step" if interval == "step" else "epoch"
        found = Reader(
            lambda call: find_row(self.collector, call, SCHEDULERS, "scheduler"),
            lambda row, arguments, call: self._settings(
                row,
                arguments,
                call.span,
                written=call.arguments if isinstance(call, ast.CallExpression) else (),
            ),
            self.collector,
        ).read(statement.call, kind)
        if interval not in ("step", "epoch"):
            self.collector.error(
                "E0408",
                f"a scheduler moves `per step` or `per epoch`, not per {interval}",
                statement.span,
                "write `per step`: it moves with each step of the optimizer",
            )
            return
        position = len(self.optimizers) - 1
        if self.latest is not None and position in self.schedulers:
            which = f" of {self.latest.type}" if position else ""
            self.collector.error(
                "E0409", f"there is already one scheduler{which}", statement.span, "say it once"
            )
            return
        if not self.optimizer_given:
            self.collector.error(
                "E0408", "a scheduler wants an optimizer before it", statement.span,
                "write `optimizer SGD(lr=0.1)`, with what suits, on a line above",
            )  # fmt: skip
            return
        optimizer = self.latest
        if found is not None:
            found = replace(found, span=statement.span)
            parts = found.parts if isinstance(found, ir.ComposedScheduler) else ()
            if check_scheduler(
                found.type, found.arguments, optimizer, found.span, self.collector, parts
            ):
                self.schedulers[max(position, 0)] = found

    def _second(self, present: list[ir.Clip], what: str, span: Span) -> bool:
        if present:
            self.collector.error("E0409", f"there is already one {what}", span, "say it once")
        return bool(present)


def find_row(
    collector: Collector,
    call: ast.Expression,
    table: Mapping[str, Row],
    what: str,
    offered: Callable[[str], str | None] = lambda name: None,
) -> tuple[Row | None, tuple[ast.Argument, ...]]:
    """The row that ``call`` names and its arguments; None where it was reported. ``offered`` tells
    of names that an extension has which the project does not name."""
    if isinstance(call, ast.Name):
        name, arguments = call.name, _NO_ARGUMENTS
    elif isinstance(call, ast.CallExpression) and isinstance(call.callee, ast.Name):
        name, arguments = call.callee.name, call.arguments
    else:
        known = last_name(call) in table
        collector.error(
            "E0405",
            f"a name stands alone here: {what}s are known by torch's names"
            if known
            else f"this is no {what}",
            call.span,
            f"write `{without_prefix(call)}`" if known else listed(table),
        )
        return None, ()
    row = table.get(name)
    if isinstance(row, OptimizerRow):
        arguments = _without_parameters(collector, row, call, arguments)
    offer = offered(name) if row is None else None
    if offer is not None:
        collector.error("E0724", not_named(name), call.span, offer)
    elif row is None:
        close = _OTHER_NAMES.get(what, {}).get(name) or (
            None if name in PUBLISHED else nearest(name, table)
        )
        close = close if close in table else None
        form = METRIC_FORMS.get(name) if what == "metric" else None
        close = None if form is not None else close
        otherwise = form or of_another_kind(name, what) or left_out(name) or listed(table)
        collector.error(
            "E0405",
            f"there is no {what} called `{name}`",
            call.span,
            meant(close) if close else otherwise,
            (),
            Fix(call.span.start, call.span.start + len(name), close, otherwise) if close else None,
        )
    return row, arguments


def _without_parameters(
    collector: Collector, row: Row, call: ast.Expression, arguments: tuple[ast.Argument, ...]
) -> tuple[ast.Argument, ...]:
    """``arguments`` less torch's first, `SGD(net.parameters(), ...)`, which is reported."""
    first = arguments[0] if arguments else None
    if first is None or last_name(first.value) not in ("parameters", "params"):
        return arguments
    rest = arguments[1:]
    name = ast.Name(span=call.span, name=row.name)
    said = as_text(
        ast.CallExpression(span=call.span, callee=name, arguments=rest) if rest else name
    )
    collector.error(
        "E0203", "an optimizer steps all parameters, or those that `on` selects", first.span,
        f"write `{said}`", (),
        Fix(call.span.start, call.span.end, said, "take it away; `on Net` selects parameters"),
    )  # fmt: skip
    return rest


# What others call the rows of each table.
_OTHER_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "optimizer": OPTIMIZER_NAMES, "metric": METRIC_NAMES, "regularizer": PENALTY_NAMES,
    "constraint": PENALTY_NAMES, "clip": PENALTY_NAMES,
}  # fmt: skip


def optimizer_names(optimizer: ir.Optimizer) -> set[str]:
    """The parameters that an optimizer moves, by their full names."""
    return {*optimizer.rest.names, *(name for group in optimizer.groups for name in group.on.names)}


def _head(call: ast.Expression) -> str:
    callee = call.callee if isinstance(call, ast.CallExpression) else call
    return callee.name if isinstance(callee, ast.Name) else "SGD"
