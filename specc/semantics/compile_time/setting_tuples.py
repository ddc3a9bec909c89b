"""Tuples as a setting gives them: ``--set stages=(16,1),(24,2)``, a list from Python.

Text is read item by item and never evaluated. Non-goal: tuples in a spec, which are expressions."""

from __future__ import annotations

import re
from typing import Final

from specc import ir

_DEEPEST: Final = 8
_MOST_ITEMS: Final = 10_000
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<punctuation>[()\[\],])|(?P<text>"[^"]*"|'[^']*')|(?P<word>[^()\[\],"'\s]+))"""
)
INTEGER: Final = re.compile(r"[+-]?[0-9](_?[0-9]){0,17}")
NUMBER: Final = re.compile(
    r"[+-]?([0-9](_?[0-9]){0,99}(\.[0-9]{0,99})?|\.[0-9]{1,99})([eE][+-]?[0-9]{1,3})?"
)
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_WORDS: Final = {"true": True, "false": False, "none": None}


def as_tuple(given: object) -> object:
    """Lists as tuples, however deep they may be."""
    if isinstance(given, list | tuple) and _depth_is_bounded(given):
        return tuple(as_tuple(item) for item in given)
    return given


def is_table(given: object, depth: int = 0) -> bool:
    """Whether ``given`` is a tuple of numbers, strings, booleans, none, and tuples of them."""
    if not isinstance(given, tuple) or depth > _DEEPEST or len(given) > _MOST_ITEMS:
        return False
    return all(
        item is None
        or (isinstance(item, int | float | str) and not _too_large(item))
        or is_table(item, depth + 1)
        for item in given
    )


def read_tuple(text: str) -> tuple[ir.Static, ...] | None:
    """``text`` as a tuple, with parentheses around it or without; None where it is none.

    Numbers are read as such, all as floats where one of them in a flat tuple is; words and what is
    in quotes are strings."""
    tokens = _tokens(text)
    if tokens is None:
        return None
    stack: list[list[ir.Static]] = [[]]
    closers: list[str] = []
    wants_comma = False
    for kind, token in tokens:
        if token == "," and kind == "punctuation":
            if not wants_comma:
                return None
            wants_comma = False
        elif kind == "punctuation" and token in "([":
            if wants_comma or len(closers) >= _DEEPEST:
                return None
            closers.append(")" if token == "(" else "]")
            stack.append([])
            wants_comma = False
        elif kind == "punctuation":
            if not closers or closers.pop() != token:
                return None
            inner = stack.pop()
            stack[-1].append(tuple(inner))
            wants_comma = True
        else:
            if wants_comma:
                return None
            value, fits = _item(kind, token)
            if not fits:
                return None
            stack[-1].append(value)
            wants_comma = True
    if closers:
        return None
    items = stack[0]
    # `(1, 2)` is the tuple itself, `(1, 2), (3, 4)` one of two.
    only = items[0] if len(items) == 1 else None
    whole = only if isinstance(only, tuple) and not text.rstrip().endswith(",") else tuple(items)
    return _alike(whole)


def _tokens(text: str) -> list[tuple[str, str]] | None:
    found: list[tuple[str, str]] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or len(found) > 4 * _MOST_ITEMS:
            return None
        kind = match.lastgroup
        assert kind is not None
        found.append((kind, match.group(kind)))
        position = match.end()
    return found


def _item(kind: str, token: str) -> tuple[ir.Static, bool]:
    if kind == "text":
        return token[1:-1], True
    if token in _WORDS:
        return _WORDS[token], True
    if INTEGER.fullmatch(token):
        return int(token), True
    if NUMBER.fullmatch(token):
        value = float(token)
        return value, abs(value) != float("inf")
    return token, _NAME.fullmatch(token) is not None


def _alike(items: tuple[ir.Static, ...]) -> tuple[ir.Static, ...]:
    numbers = all(isinstance(i, int | float) and not isinstance(i, bool) for i in items)
    if numbers and any(isinstance(item, float) for item in items):
        return tuple(float(item) for item in items)  # type: ignore[arg-type]  # numbers
    return items


def _too_large(item: object) -> bool:
    return isinstance(item, int) and abs(item) >= 2**63


def _depth_is_bounded(given: object, depth: int = 0) -> bool:
    if depth > _DEEPEST:
        return False
    return not isinstance(given, list | tuple) or (
        len(given) <= _MOST_ITEMS and all(_depth_is_bounded(item, depth + 1) for item in given)
    )
