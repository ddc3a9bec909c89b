"""AST to IR: names resolved, arguments bound, shapes followed, every fault reported. Imports no
torch.

``analyse`` is the room's one door.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from specc import garbage, ir
from specc.catalog.catalogue import BUILT_IN, Catalogue
from specc.errors import Collector, Diagnostic, Span, SpecError, TooLarge
from specc.semantics.files.program import build_program
from specc.semantics.files.used_files import ReadUsed
from specc.semantics.proposals.tie_fixes import settle_ties
from specc.semantics.proposals.ties import TIE
from specc.semantics.proposals.trial import tried, untried
from specc.syntax.parsing.parse import parse


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
    text: str,
    file: str,
    params: Mapping[str, object],
    collector: Collector,
    read_used: ReadUsed | None = None,
    catalogue: Catalogue = BUILT_IN,
    tested: bool = False,
) -> ir.Program | None:
    """As ``analyse``, but faults go to ``collector`` and the program is None where there are
    any. ``read_used`` reads the files that the spec uses; ``catalogue`` is what it may name;
    ``tested`` asks for the program with the params that its ``test`` says."""
    try:
        with garbage.paused(), deep_recursion():
            parsed = parse(text, file, collector)
            program = build_program(parsed, file, params, collector, read_used, catalogue, tested)

            def checked(changed: str) -> Collector:
                found = Collector()
                tree = parse(changed, file, found)
                build_program(tree, file, params, found, read_used, catalogue, tested)
                return found

            if any(item.code == TIE for item in collector.items):
                settle_ties(collector, parsed.tree, text, file, checked)
            if collector.failed:
                collector.items[:] = tried(
                    text, file, collector.items, lambda changed: checked(changed).items
                )
    except TooLarge as fault:
        collector.items[:] = untried(collector.items)
        place = fault.span or Span(file, 0, min(len(text), 1), 1, 1)
        collector.items.append(Diagnostic(fault.code, fault.message, place, fault.help))
        return None
    except RecursionError:
        collector.items[:] = untried(collector.items)
        collector.error(
            "E0104",
            "an expression of this file is nested too deeply to be checked",
            Span(file, 0, min(len(text), 1), 1, 1),
            "name the parts of it",
        )
        return None
    return None if collector.failed else program


# A hundred blocks inside each other are read by some thirty calls each.
_CALLS: Final = 12_000


@contextmanager
def deep_recursion() -> Iterator[None]:
    """While open, Python's calls may nest as deep as a spec's blocks do."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _CALLS))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
