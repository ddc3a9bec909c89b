"""What is reported while blocks are read, each fault once: a block is read anew for every set of
params and sizes that it is used with, and what is wrong in its text is wrong each time.

Non-goal: what is wrong (whoever finds it)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from specc.errors import Collector, Diagnostic, Fix, Span

# How many of the uses that led to a faulty block a message shows.
_SHOWN_USES: Final = 3


@dataclass(slots=True)
class Reported:
    """The faults found in blocks: by code and place, and how often one was met again."""

    seen: set[tuple[str, Span]] = field(default_factory=set)
    again: int = 0

    def note(self, collector: Collector) -> None:
        """Counts what ``collector`` holds as shown: a model is read anew where it is called."""
        self.seen.update((item.code, item.span) for item in collector.items if item.span)


@dataclass(slots=True)
class BlockCollector(Collector):
    """The collector of one reading of a block: it adds to ``outer``'s items what is new, with
    ``trail``, how the block came to be read, the nearest use first."""

    outer: Collector = field(default_factory=Collector)
    reported: Reported = field(default_factory=Reported)
    trail: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.items = self.outer.items

    def hold(self, count: int, span: Span) -> None:
        """As the outermost does, for all blocks together."""
        self.outer.hold(count, span)

    def error(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        help: str | None = None,
        notes: tuple[str, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        """Adds the fault, or counts it where a reading before has shown it."""
        if span is not None:
            if (code, span) in self.reported.seen:
                self.reported.again += 1
                return
            self.reported.seen.add((code, span))
        self.items.append(Diagnostic(code, message, span, help, (*notes, *self._way()), fix=fix))

    def _way(self) -> tuple[str, ...]:
        """``trail`` as a message shows it: the nearest uses and the outermost."""
        left_out = len(self.trail) - _SHOWN_USES
        if left_out <= 1:
            return self.trail
        return (
            *self.trail[: _SHOWN_USES - 1],
            f"and so on, {left_out} uses further out",
            self.trail[-1],
        )
