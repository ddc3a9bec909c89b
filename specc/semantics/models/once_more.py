"""A module that was read without a fault, read once more with symbols for the sizes that rounds
change.

The reading reports nothing, and the file's state is left as the first one left it. Non-goal: what
stands for the sizes (``compile_time.threads``)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import fields, replace

from specc import ir
from specc.errors import Collector, TooLarge
from specc.semantics.compile_time.reports import Reported
from specc.semantics.compile_time.threads import MOST_READINGS, Key, Threads
from specc.semantics.naming.graph import Graph, Library


def fresh(graph: Graph) -> Graph:
    """``graph`` as it is now, with nothing in common that reading a module adds to."""
    found = replace(graph)
    for each in fields(graph):
        held = getattr(graph, each.name)
        if isinstance(held, dict | list | set):
            setattr(found, each.name, held.copy())
    return found


def read_again(
    graph: Graph, changing: Collection[Key], read: Callable[[Graph], ir.Module]
) -> ir.Module | None:
    """What ``read`` says in ``graph`` with symbols for the sizes that are ``changing``, and for
    those that are seen to change then; None where it says nothing."""
    known = set(changing)
    for _ in range(MOST_READINGS):
        again = fresh(graph)
        again.collector = Collector()
        again.threads = Threads(set(known), reading=True)
        counts = _Counts(graph.library)
        try:
            module = read(again)
        except (TooLarge, ZeroDivisionError):
            return None
        finally:
            counts.put_back()
        if again.collector.items:
            return None
        if again.threads.changing == known:
            return module
        known = again.threads.changing
    return None


class _Counts:
    """What a library counts of all that was read: another reading of the same is none."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._reported = library.reported
        self._before = (library.work, library.rounds, library.written_out, library.sought)
        library.reported = Reported()
        library.work = library.rounds = library.written_out = library.sought = 0

    def put_back(self) -> None:
        """The counts as they were."""
        library = self._library
        library.reported = self._reported
        library.work, library.rounds, library.written_out, library.sought = self._before
