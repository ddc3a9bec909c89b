"""Where in the spec a run stopped: the line whose statement torch raised at.

Non-goal: places of values that were observed (``observed_lines``)."""

from __future__ import annotations

from functools import reduce

from specc.emit.writing.marks import mark, told_apart
from specc.errors import Span
from specc.harness.cases import subject
from specc.harness.running.live_module import RunFailed
from specc.ir import Program
from specc.targets.source_traceback import mark_raised


def span_raised(program: Program, failed: RunFailed, source: str) -> Span | None:
    """What of the spec was computed when ``source`` stopped; None where that is not known."""
    cause: BaseException | None = failed
    while isinstance(cause, RunFailed):
        cause = cause.__cause__
    said = mark_raised(cause, source)
    if said is None:
        return None
    with told_apart(program):
        spans = {n.span for n, _ in subject.nodes(program, {}) if mark(n.span) == said}
    found = sorted(spans, key=lambda span: (span.start, -span.end))
    return reduce(Span.to, found) if found else None
