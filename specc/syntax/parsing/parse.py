"""Text to AST, with every syntax error of the file in one run.

A statement that cannot be read is reported, blanked out and the rest read again; what it would have
named is remembered (``Parsed.unread``) so that its uses are not reported as unknown. Non-goal:
meaning."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, cast

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from specc import garbage
from specc.errors import Collector, Diagnostic, Span
from specc.syntax.parsing.builder import Builder
from specc.syntax.parsing.grammar import parser
from specc.syntax.parsing.ignores import Ignore, find_ignores
from specc.syntax.recovery.messages import (
    bracket_diagnostic,
    character_diagnostic,
    token_diagnostic,
)
from specc.syntax.recovery.stopped_at import as_written
from specc.syntax.tree import ast
from specc.syntax.tree.newlines import BracketError

MOST_SYNTAX_ERRORS: Final = 20

_PLUGINS: Final = "PYDANTIC_DISABLE_PLUGINS"
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# lark's parser and the builder hold the state of one parse.
_LOCK: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file as read. ``unread`` are the words of the statements that could not be; ``ignores``
    are the comments that silence warnings."""

    tree: ast.SpecFile
    unread: frozenset[str]
    ignores: tuple[Ignore, ...] = ()


def parse(text: str, file: str, collector: Collector) -> Parsed:
    """The tree of ``text``; its faults go to ``collector``, and the tree is of what could be
    read."""
    return replace(_parse(text, file, collector), ignores=find_ignores(text, file))


def _parse(text: str, file: str, collector: Collector) -> Parsed:
    unread: set[str] = set()
    errors = 0
    remaining = text
    # Where brackets were put in: the places of what follows them are as many too far.
    inserted: list[int] = []
    matched = False
    while True:
        try:
            tree = _parse_once(remaining, file, collector, inserted)
            return Parsed(tree, frozenset(unread))
        except (UnexpectedInput, BracketError) as fault:
            # Only a fault needs them: a spec without one is read sooner.
            from specc.syntax.recovery.brackets import mend, with_brackets
            from specc.syntax.recovery.habit_headers import broken_header
            from specc.syntax.recovery.habits import find_habit

            if not matched:
                matched = True
                mended = mend(remaining, file)
                if mended is not None:
                    collector.items += mended.diagnostics
                    errors += len(mended.diagnostics)
                    for start, end in mended.unread:
                        unread.update(_WORD.findall(remaining[start:end]))
                    remaining, inserted = with_brackets(remaining, mended)
                    continue
            position = _position(fault, remaining)
            found = (
                None
                if isinstance(fault, BracketError)
                else find_habit(remaining, position, file, inserted)
            )
            diagnostic = found.diagnostic if found else _diagnose(fault, remaining, file)
            collector.items.append(_as_in_the_text(diagnostic, inserted))
        except RecursionError:
            collector.error(
                "E0104",
                "an expression of this file is nested too deeply to be read",
                Span(file, 0, min(len(text), 1), 1, 1),
                "name the parts of it",
            )
            return Parsed(_empty(file), frozenset(_WORD.findall(text)))
        errors += 1
        if found is not None and errors < MOST_SYNTAX_ERRORS:
            before = remaining
            unread.update(found.words)
            opened = broken_header(remaining, position, inserted)
            for start, end, instead in found.edits:
                if not instead and opened is not None and not _balanced(remaining[start:end]):
                    start, end, instead = opened  # its body is read all the same
                remaining = _replaced(remaining, start, end, instead)
            if found.insertion is not None:
                place, brace = found.insertion
                remaining = remaining[:place] + brace + remaining[place:]
                inserted = sorted([*(at + (at >= place) for at in inserted), place])
            if remaining != before:
                continue
        header = broken_header(remaining, position, inserted)
        if header is not None and errors < MOST_SYNTAX_ERRORS:
            start, end, instead = header
            unread.update(_WORD.findall(remaining[start:end]))
            before, remaining = remaining, _replaced(remaining, start, end, instead)
            if remaining != before:
                continue
        start, end = _statement_around(remaining, position)
        end = min([end, *(place for place in inserted if place >= start)])
        broken = remaining[start:end]
        unread.update(_WORD.findall(broken))
        if errors >= MOST_SYNTAX_ERRORS:
            last = collector.items[-1]
            told = f"so many lines cannot be read ({errors}) that the rest of the file was not"
            collector.items[-1] = replace(last, notes=(*last.notes, told))
        if errors >= MOST_SYNTAX_ERRORS or not broken.strip() or not _balanced(broken):
            return Parsed(_empty(file), frozenset(_WORD.findall(text)))
        remaining = _replaced(remaining, start, end, "")


def _replaced(text: str, start: int, end: int, instead: str) -> str:
    """``text`` with ``instead`` for what stands from ``start`` to ``end``, and its own length."""
    blank = re.sub(r"[^\r\n]", " ", text[start:end])
    return f"{text[:start]}{instead}{blank[len(instead) :]}{text[end:]}"


def _as_in_the_text(diagnostic: Diagnostic, inserted: list[int]) -> Diagnostic:
    """``diagnostic`` with its place counted without the braces that were put in."""
    span = diagnostic.span
    if span is None or not inserted:
        return diagnostic
    return replace(diagnostic, span=as_written(span, inserted))


def _parse_once(
    text: str, file: str, collector: Collector, inserted: Sequence[int]
) -> ast.SpecFile:
    with _LOCK:
        lark, builder = _shared_parser()
        scratch = Collector()
        builder.begin(file, scratch, inserted)
        with garbage.paused(), _without_plugins():
            # The builder turns lark's result into our own tree.
            tree = cast(ast.SpecFile, lark.parse(text))
    collector.items.extend(scratch.items)
    return tree


@contextmanager
def _without_plugins() -> Iterator[None]:
    """Keeps pydantic from looking for plugins of its own in every installed package.

    It does so when the first node is made, for a quarter of the time of a whole check; our nodes
    want none. Everybody else's models find theirs as before.
    """
    before = os.environ.get(_PLUGINS)
    os.environ[_PLUGINS] = "__all__"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PLUGINS]
        else:
            os.environ[_PLUGINS] = before


@lru_cache(maxsize=1)
def _shared_parser() -> tuple[Lark, Builder]:
    builder = Builder()
    return parser(builder), builder


def _empty(file: str) -> ast.SpecFile:
    return ast.SpecFile(span=Span(file, 0, 0, 1, 1), version=1, version_span=None, items=())


def _position(fault: UnexpectedInput | BracketError, text: str) -> int:
    if isinstance(fault, BracketError):
        return (fault.opening or fault.token).start_pos or 0
    if isinstance(fault, UnexpectedEOF) or fault.pos_in_stream is None:
        return len(text)
    if isinstance(fault, UnexpectedToken) and fault.token.type == "$END":
        return len(text.rstrip())
    return fault.pos_in_stream


def _diagnose(fault: UnexpectedInput | BracketError, text: str, file: str) -> Diagnostic:
    if isinstance(fault, BracketError):
        return bracket_diagnostic(fault, file)
    if isinstance(fault, UnexpectedCharacters):
        return character_diagnostic(text, fault.pos_in_stream or 0, file)
    token = fault.token if isinstance(fault, UnexpectedToken) else Token("$END", "")
    expected = set(fault.expected) if isinstance(fault, UnexpectedToken) else set()
    return token_diagnostic(token, expected, text, file)


def _statement_around(text: str, position: int) -> tuple[int, int]:
    """The lines of the statement at ``position``: its own and those that continue it with
    ``->``."""
    position = min(position, max(len(text) - 1, 0))
    start = text.rfind("\n", 0, position) + 1
    while start > 0 and text[start:].lstrip(" \t").startswith("->"):
        start = text.rfind("\n", 0, start - 1) + 1
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    while re.match(r"\n[ \t]*->", text[end:]):
        following = text.find("\n", end + 1)
        end = len(text) if following < 0 else following
    return start, end


def _balanced(text: str) -> bool:
    """Whether blanking ``text`` leaves the brackets around it as they were."""
    return all(text.count(left) == text.count(right) for left, right in ("()", "[]", "{}"))
