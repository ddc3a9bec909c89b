"""The hash of a program's meaning: equal when two specs compute the same, whatever their spacing.

Covers the language version, the params' values, what is built and the training; leaves out spans,
the file's name, comments and made-up names of intermediate values. The ``test`` block is left out
as well: sizes, seed and steps are compared one by one, so that a stale golden can say which of them
changed.

A block is hashed once, however many layers are made of it, and stands for its digest from there on:
ten thousand instances take as long as the one. Nothing here recurses, so that a deep nesting is
hashed like any other.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator

from specc.errors import Span
from specc.ir import Module, Param, Program, Scalar, Train, Value
from specc.sizes import Poly


def fingerprint(program: Program) -> str:
    """64 hexadecimal digits: SHA-256 over the canonical form of ``program``."""
    subject = program.subject()
    digests: dict[int, str] = {}
    for block in _blocks(subject):
        digests[id(block)] = _Hash(digests, frozenset()).of(*_fields(block))
    # Inputs are known by name outside; the portable generator is keyed by an input's name.
    inputs = [*subject.inputs, *(program.train.inputs if program.train else ())]
    named = frozenset(id(value) for value in inputs)
    return _Hash(digests, named).of(
        program.version, program.params, tuple(_fields(subject)), program.train
    )


def _blocks(subject: Module) -> Iterator[Module]:
    """The blocks that ``subject`` is made of, each once, the inner ones first."""
    seen = {id(subject)}
    stack: list[tuple[Module, bool]] = [(subject, False)]
    while stack:
        module, entered = stack.pop()
        if entered:
            if module is not subject:
                yield module
            continue
        stack.append((module, True))
        for layer in reversed(module.layers):
            if layer.module is not None and id(layer.module) not in seen:
                seen.add(id(layer.module))
                stack.append((layer.module, False))


def _fields(item: object) -> list[object]:
    """The names and contents of a node's fields that mean something.

    Left out: where it stands, how it was written, and what follows from the rest.
    """
    assert dataclasses.is_dataclass(item)
    found: list[object] = []
    for field in dataclasses.fields(item):
        derived = isinstance(item, Train) and field.name == "module"
        if field.compare and field.name not in ("span", "text") and not derived:
            found += [field.name, getattr(item, field.name)]
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class _Close:
    """The end of what was opened."""


class _Hash:
    """The canonical form, written token by token; values are numbered as they are met."""

    def __init__(self, digests: dict[int, str], named: frozenset[int]) -> None:
        self._digests = digests
        self._named = named
        self._numbers: dict[int, int] = {}

    def of(self, *items: object) -> str:
        """The digest of ``items``."""
        hasher = hashlib.sha256()
        stack: list[object] = list(reversed(items))
        while stack:
            token, parts = self._taken_apart(stack.pop())
            hasher.update(json.dumps(token).encode() + b"\n")
            if parts is not None:
                stack.append(_Close())
                stack.extend(reversed(parts))
        return hasher.hexdigest()

    def _taken_apart(self, item: object) -> tuple[object, list[object] | None]:
        """What is written of ``item`` itself, and what it holds (None where nothing can be)."""
        if item is None or isinstance(item, (bool, int, str)):
            return item, None
        if isinstance(item, float):
            return ["float", item.hex()], None
        if isinstance(item, _Close):
            return [")"], None
        if isinstance(item, Span):
            return None, None
        if isinstance(item, Poly):
            return ["size", str(item)], None
        if isinstance(item, Scalar):
            return self._taken_apart(item.value)
        if isinstance(item, Param):
            return ["param", item.name], [item.value]
        if isinstance(item, Value):
            number = self._numbers.setdefault(id(item), len(self._numbers))
            return ["value", number, item.name if id(item) in self._named else None], [item.type]
        if isinstance(item, Module):
            return ["block", self._digests[id(item)]], None
        if isinstance(item, (tuple, list)):
            return ["("], list(item)
        if dataclasses.is_dataclass(item):
            return [type(item).__name__], _fields(item)
        raise TypeError(f"no canonical form for {type(item).__name__}")
