"""A scheduler as written: its settings, and the schedulers that it is made of.

Non-goals: whose learning rate it moves and at which pace (``steps``), whether numbers go together
(``settings``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from specc import ir
from specc.catalog.rows import Row, SchedulerRow
from specc.errors import Collector, Fix
from specc.semantics.proposals.python_forms import last_name
from specc.syntax.tree import ast
from specc.syntax.tree.written import written

Arguments: TypeAlias = tuple[ast.Argument, ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading needs of the step around it: the row that a call names with its arguments, and
    arguments as settings; each gives None where it was reported."""

    find: Callable[[ast.Expression], tuple[Row | None, Arguments]]
    settings: Callable[[Row, Arguments, ast.Expression], ir.Arguments | None]
    collector: Collector

    def read(self, call: ast.Expression, interval: Literal["step", "epoch"]) -> ir.Scheduler | None:
        """The scheduler that ``call`` says; None where it was reported."""
        row, arguments = self.find(call)
        if row is None:
            return None
        assert isinstance(row, SchedulerRow)
        arguments = self._without_optimizer(row, arguments, call)
        if row.parts is None:
            settings = self.settings(row, arguments, call)
            return None if settings is None else self._made(row, settings, interval, call)
        return self._composed(row, arguments, interval, call)

    def _without_optimizer(
        self, row: SchedulerRow, arguments: Arguments, call: ast.Expression
    ) -> Arguments:
        """``arguments`` less torch's first, `StepLR(optimizer, ...)`, which is reported."""
        first = arguments[0] if arguments else None
        if first is None or first.name not in (None, "optimizer"):
            return arguments
        if last_name(first.value) not in ("optimizer", "optim", "opt", "optimiser"):
            return arguments
        rest = arguments[1:]
        name = ast.Name(span=call.span, name=row.name)
        said = written(
            ast.CallExpression(span=call.span, callee=name, arguments=rest) if rest else name
        )
        self.collector.error(
            "E0203", "a scheduler moves the optimizer above it, and is not given one", first.span,
            f"write `{said}`", (), Fix(call.span.start, call.span.end, said, "take it away"),
        )  # fmt: skip
        return rest

    def _composed(
        self, row: SchedulerRow, arguments: Arguments, interval: Literal["step", "epoch"],
        call: ast.Expression,
    ) -> ir.Scheduler | None:  # fmt: skip
        assert row.parts is not None
        written = next(
            (each for each in arguments if each.name in (row.parts.name, None)),
            None,
        )  # fmt: skip
        calls: tuple[ast.Expression, ...] = ()
        if written is not None and isinstance(written.value, ast.Sequence):
            calls = written.value.items
            # The schedulers are read here: for the rest they stand as a list of nothing.
            hollow = written.value.model_copy(update={"items": ()})
            kept = written.model_copy(update={"value": hollow})
            arguments = tuple(kept if each is written else each for each in arguments)
        settings = self.settings(row, arguments, call)
        if settings is None or written is None:
            return None
        if not calls:
            self.collector.error(
                "E0211", f"`{row.parts.name}` of {row.name} is a list of schedulers",
                written.span, f"write `{row.name}([LinearLR(), ExponentialLR(gamma=0.9)], ...)`",
            )  # fmt: skip
            return None
        parts = [self._part(row, each, interval) for each in calls]
        found = tuple(part for part in parts if part is not None)
        if len(found) != len(parts):
            return None
        rest = tuple((name, value) for name, value in settings if name != row.parts.name)
        return ir.ComposedScheduler(row.name, rest, interval, call.span, found)

    def _part(
        self, row: SchedulerRow, call: ast.Expression, interval: Literal["step", "epoch"]
    ) -> ir.Scheduler | None:
        """One that others are composed with; E0307 where torch cannot."""
        inner, arguments = self.find(call)
        if not isinstance(inner, SchedulerRow):
            return None
        arguments = self._without_optimizer(inner, arguments, call)
        if inner.monitors or inner.parts is not None:
            why = "waits for a value" if inner.monitors else "is made of others itself"
            self.collector.error(
                "E0307", f"{row.name} cannot hold {inner.name}, which {why}", call.span,
                "list schedulers that follow from the step's number alone",
            )  # fmt: skip
            return None
        settings = self.settings(inner, arguments, call)
        return None if settings is None else self._made(inner, settings, interval, call)

    def _made(
        self, row: SchedulerRow, settings: ir.Arguments, interval: Literal["step", "epoch"],
        call: ast.Expression,
    ) -> ir.Scheduler:  # fmt: skip
        return ir.Scheduler(row.name, settings, interval, call.span)
