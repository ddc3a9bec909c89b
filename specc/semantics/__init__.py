"""AST to IR: names resolved, arguments bound, shapes followed, every fault reported. Imports no
torch.

``analyse`` is the room's one door.
"""

from __future__ import annotations

from collections.abc import Mapping

from specc import garbage, ir
from specc.errors import Collector, Span, SpecError
from specc.semantics.program import build_program
from specc.syntax.parse import parse


def analyse(text: str, file: str, params: Mapping[str, object] | None = None) -> ir.Program:
    """What the spec ``text`` means, with ``params`` set as by ``--set``; warnings ride along.

    Raises SpecError with every fault of the file.
    """
    collector = Collector()
    program = analyse_into(text, file, params or {}, collector)
    if program is None:
        raise SpecError(collector.sorted(), {file: text})
    return program


def analyse_into(
    text: str, file: str, params: Mapping[str, object], collector: Collector
) -> ir.Program | None:
    """As ``analyse``, but faults go to ``collector`` and the program is None where there are
    any."""
    try:
        with garbage.paused():
            parsed = parse(text, file, collector)
            program = build_program(parsed, file, params, collector)
    except RecursionError:
        collector.error(
            "E0104",
            "an expression of this file is nested too deeply to be checked",
            Span(file, 0, min(len(text), 1), 1, 1),
            "name the parts of it",
        )
        return None
    return None if collector.failed else program
