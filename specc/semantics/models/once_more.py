"""A module that was read without a fault, read once more with symbols for the sizes that rounds
change.

The reading reports nothing, and the file's state is left as the first one left it. Non-goal: what
stands for the sizes (``compile_time.threads``)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace

from specc import ir
from specc.errors import Collector, TooLarge
from specc.semantics.compile_time.entities import Items, is_static, of_entry, to_static
from specc.semantics.compile_time.reports import Reported
from specc.semantics.compile_time.threads import MOST_READINGS, Key, Threads, is_thread
from specc.semantics.naming.graph import Graph, Library
from specc.sizes import Entry, Size, is_known, symbols


def fresh(graph: Graph) -> Graph:
    """``graph`` as it is now, with nothing in common that reading a module adds to."""
    found = replace(graph)
    for each in fields(graph):
        held = getattr(graph, each.name)
        if isinstance(held, dict | list | set):
            setattr(found, each.name, held.copy())
    return found


def tuples_of_the_file(graph: Graph) -> dict[str, tuple[ir.Static, ...]]:
    """What the params of files hold that are tuples."""
    found: dict[str, tuple[ir.Static, ...]] = {}
    for name in graph.library.file_params:
        entity = graph.env.get(name)
        if isinstance(entity, Items) and is_static(entity):
            held = to_static(entity)
            assert isinstance(held, tuple)
            found[name] = held
    return found


def _say_tuples(graph: Graph, tuples: Mapping[str, tuple[ir.Static, ...]]) -> None:
    """Lets what is in the tuples of params be said by those."""
    known = {key: len(held) for name, held in tuples.items() for key in (name, is_known(name))}
    graph.params = {**graph.params, **known}
    for name, held in tuples.items():
        graph.env[name] = of_entry(Entry(name, (), "", held), held)


def read_again(
    graph: Graph, changing: Collection[Key], tuples: Mapping[str, tuple[ir.Static, ...]],
    read: Callable[[Graph], ir.Module],
) -> ir.Module | None:  # fmt: skip
    """What ``read`` says in ``graph`` with symbols for the sizes that are ``changing``, and for
    those that are seen to change then, and with what is in ``tuples`` said by their names; None
    where it says nothing."""
    known = set(changing)
    for _ in range(MOST_READINGS):
        again = fresh(graph)
        again.collector = Collector()
        again.threads = Threads(set(known), reading=True)
        _say_tuples(again, tuples)
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


def to_be_written(module: ir.Module, threaded: ir.Module, *, used: bool) -> ir.Module | None:
    """``threaded`` as what the emitter may write ``module`` from, which another has ``used`` or
    which stands for itself; None where it may not: what a caller knows of a block's results, and
    what holds of inputs, would be numbers that the class goes on without."""
    conditions = threaded.conditions
    if any(is_thread(name) for each in conditions for name in _named(each.left, each.right)):
        if module.fixed:
            return None
        conditions = module.conditions
    tuples = {param.name for param in module.params if param.type == "tuple"}
    told = [size for output in threaded.outputs for size in output.value.type.shape]
    if used and tuples & _named(*told):
        return None
    return replace(
        threaded, conditions=conditions, initializers=module.initializers, frozen=module.frozen,
        weight_map=module.weight_map,
    )  # fmt: skip


def _named(*sizes: Size) -> set[str]:
    return set().union(*map(symbols, sizes))


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
