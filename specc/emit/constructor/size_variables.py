"""The variables of a constructor for sizes that loops hand on: ``channels``, ``features``.

A variable is called after the argument that takes it; two of one name are told apart by what has
the size. Non-goal: which symbols may share a variable (``coalesced``)."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from specc import ir
from specc.emit.constructor.coalesced import coalesced, renamed
from specc.emit.merging.param_names import distinct
from specc.emit.merging.reads import symbols_of
from specc.emit.writing.method_parts import Choice, Cycle, Part, Sequential
from specc.emit.writing.statements import Assign, Evaluate, For, If, Statement
from specc.emitted_names import RESERVED
from specc.semantics.compile_time.threads import dimension_of, is_kept, is_thread

# What torch calls the size that a layer takes, and what a person calls the variable that holds it.
_CALLED: Final = {
    "in_features": "features", "num_features": "features", "normalized_shape": "features",
    "input_size": "features", "embed_dim": "features", "d_model": "features",
    "in_channels": "channels", "num_channels": "channels", "C": "channels",
}  # fmt: skip
# The argument that says it best, where several take the same size.
_BEST: Final = ("channels", "features")


def with_variables(
    statements: Sequence[Statement], parts: Sequence[Part], symbols: Collection[str],
    taken: Collection[str], references: Mapping[str, ast.expr],
) -> list[Statement]:  # fmt: skip
    """``statements`` with a variable for each of ``symbols``, one for several that may share it;
    ``references`` are what stands for those that blocks keep. ``taken`` are names that mean
    something else in the constructor."""
    first = [name for name in _in_order(statements) if name in symbols and not is_kept(name)]
    shared = coalesced(statements, dict.fromkeys(first))
    used = {*taken, *RESERVED, *_in_order(statements)} - set(symbols)
    hints = _hints(parts)
    called: dict[str, str] = {}
    for representative in dict.fromkeys(shared.values()):
        members = [name for name, of in shared.items() if of == representative]
        called[representative] = _free_name(members, hints, used)
        used.add(called[representative])
    names = {name: called[of] for name, of in shared.items()}
    return renamed(statements, {**names, **references})


def _free_name(
    members: Sequence[str], hints: Mapping[str, list[str]], used: Collection[str]
) -> str:
    wanted = [hint for name in members for hint in hints.get(name, ())]
    wanted.sort(key=lambda hint: _BEST.index(hint) if hint in _BEST else len(_BEST))
    holder, dimension = dimension_of(members[0])
    hint = wanted[0] if wanted else ("channels" if dimension == 1 else "size")
    if hint not in used:
        return hint
    told_apart = f"{holder}_{hint}"
    return told_apart if told_apart not in used else distinct(hint, used)


def _hints(parts: Sequence[Part]) -> dict[str, list[str]]:
    """What the arguments that take each symbol say of it."""
    found: dict[str, list[str]] = {}
    for layer in _layers(parts):
        for name, size in layer.sizes:
            for symbol in symbols_of(size):
                if name in _CALLED and is_thread(symbol):
                    found.setdefault(symbol, []).append(_CALLED[name])
        for name, argument in layer.arguments:
            called = _CALLED.get(name) if layer.module is None else name
            for symbol in symbols_of(argument):
                if called is not None and is_thread(symbol):
                    found.setdefault(symbol, []).append(called)
    return found


def _layers(parts: Iterable[Part]) -> Iterator[ir.Layer]:
    for part in parts:
        match part:
            case ir.Make():
                yield part.layer
            case Sequential():
                yield from _layers(part.parts)
            case Cycle():
                for round_ in part.rounds:
                    yield from _layers(round_.parts)
            case Choice():
                yield from _layers((*(part.yes or ()), *(part.no or ())))
            case _:
                continue


def _in_order(statements: Sequence[Statement]) -> Iterator[str]:
    """The names that the statements set and read, in order."""
    for statement in statements:
        match statement:
            case Assign():
                yield from _names(statement.target, statement.value)
            case Evaluate():
                yield from _names(statement.value)
            case For():
                yield from _names(statement.target, statement.iterable)
                yield from _in_order(statement.body)
            case If():
                yield from _names(statement.condition)
                yield from _in_order([*statement.body, *statement.otherwise])
            case _:
                continue


def _names(*expressions: ast.expr) -> Iterator[str]:
    for expression in expressions:
        for node in ast.walk(expression):
            if isinstance(node, ast.Name):
                yield node.id
