"""Where in the spec the emitted source stood when a run stopped.

Non-goal: what stopped it (``specc.errors.in_one_line``)."""

from __future__ import annotations

import ast
from types import TracebackType

from specc.emit.read_back.marked import statement_marks
from specc.targets.live import is_live


def mark_raised(error: BaseException | None, source: str) -> str | None:
    """The mark of the innermost statement of ``source`` that ``error`` came through; None where it
    came through none. What was executed may be a rewritten copy, statement by statement."""
    found: tuple[str, int] | None = None
    trace: TracebackType | None = error.__traceback__ if error is not None else None
    while trace is not None:
        text = is_live(trace.tb_frame.f_globals)
        if text is not None:
            found = text, trace.tb_lineno
        trace = trace.tb_next
    if found is None:
        return None
    text, line = found
    marks = statement_marks(source)
    if text == source:
        return marks.get(line)
    try:
        there, here = _statements(text), _statements(source)
    except SyntaxError:  # an edited source
        return None
    # A copy may import more.
    spare = len(there) - len(here)
    if spare not in (0, 1):
        return None
    reached = [place for place, node in enumerate(there)
               if node.lineno <= line <= (node.end_lineno or line)]  # fmt: skip
    return marks.get(here[reached[-1] - spare].lineno) if reached else None


def _statements(text: str) -> list[ast.stmt]:
    """The statements of ``text`` in its order, those inside behind those around."""
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))
