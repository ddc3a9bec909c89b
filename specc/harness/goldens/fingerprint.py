"""The hash of a program's meaning: equal when two specs compute the same, whatever their spacing.

Covers the language version, the params' values, what is built, the training, and the signatures of
what extensions add to the catalogue; leaves out spans, the file's name, comments and made-up names
of intermediate values. The ``test`` block is left out as well: sizes, seed and steps are compared
one by one, so that a stale golden can say which of them changed.

A block is hashed once, however many layers are made of it, and stands for its digest from there on:
ten thousand instances take as long as the one. Nothing here recurses, so that a deep nesting is
hashed like any other.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from specc.catalog.catalogue import is_built_in
from specc.catalog.rows import LayerRow
from specc.catalog.used import rows_of
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
        program.version, program.params, tuple(_fields(subject)), program.train, *_added(program)
    )


def _added(program: Program) -> list[str]:
    """What the rows of extensions that are used say of themselves: an argument whose default has
    changed is another one, where it is not written."""
    rows = {row.name: row for row in rows_of(program)}
    found = []
    for name, row in sorted(rows.items()):
        if is_built_in(row):
            continue
        arguments = row.arguments
        if isinstance(row, LayerRow):
            arguments += row.forward_arguments
        told = ((a.name, a.default, a.keyword_only, a.variadic) for a in arguments)
        found.append(f"{type(row).__name__} {name} {list(told)}")
    return found


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


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """The names of a node's fields that mean something.

    Left out: where it stands, how it was written, and what follows from the rest.
    """
    return tuple(
        field.name
        for field in dataclasses.fields(kind)
        if field.compare
        and field.name not in ("span", "text")
        and not (kind is Train and field.name == "module")
    )


def _fields(item: object) -> list[object]:
    """The contents of a node's fields, each after its name."""
    found: list[object] = []
    kind: Any = type(item)
    for name in _names(kind):
        if name not in _if_any(kind) or getattr(item, name):
            found += (name, getattr(item, name))
    return found


@cache
def _if_any(kind: Any) -> frozenset[str]:
    """The fields that mean something where there is something in them: so a program without has
    the hash that it had before there were such."""
    return frozenset(f.name for f in dataclasses.fields(kind) if f.metadata.get("if_any"))


class _Close:
    """The end of what was opened."""


_CLOSE = _Close()


class _Hash:
    """The canonical form, written token by token; values are numbered as they are met.

    A token is written as Python prints it, which tells apart all that differs.
    """

    def __init__(self, digests: dict[int, str], named: frozenset[int]) -> None:
        self._digests = digests
        self._named = named
        self._numbers: dict[int, int] = {}

    def of(self, *items: object) -> str:
        """The digest of ``items``."""
        hasher = hashlib.sha256()
        stack: list[object] = list(reversed(items))
        tokens: list[str] = []
        while stack:
            token, parts = self._taken_apart(stack.pop())
            tokens.append(token)
            if parts is not None:
                stack.append(_CLOSE)
                stack.extend(reversed(parts))
            if len(tokens) > _MOST_TOKENS:
                hasher.update("\n".join(tokens).encode() + b"\n")
                tokens.clear()
        hasher.update("\n".join(tokens).encode())
        return hasher.hexdigest()

    def _taken_apart(self, item: object) -> tuple[str, Sequence[object] | None]:
        """What is written of ``item`` itself, and what it holds (None where nothing can be)."""
        if item is None or isinstance(item, (bool, int, str)):
            return repr(item), None
        if item is _CLOSE:
            return ")", None
        if isinstance(item, tuple):
            return "(", item
        if isinstance(item, float):
            return item.hex(), None
        if isinstance(item, Poly):
            return f"size {item}", None
        if isinstance(item, Scalar):
            return self._taken_apart(item.value)
        if isinstance(item, Param):
            return f"param {item.name}", [item.value]
        if isinstance(item, Value):
            number = self._numbers.setdefault(id(item), len(self._numbers))
            name = item.name if id(item) in self._named else ""
            return f"value {number} {name}", [item.type]
        if isinstance(item, Module):
            return f"block {self._digests[id(item)]}", None
        if isinstance(item, Span):
            return "", None
        if dataclasses.is_dataclass(item):
            return type(item).__name__, _fields(item)
        raise TypeError(f"no canonical form for {type(item).__name__}")


_MOST_TOKENS = 50_000
