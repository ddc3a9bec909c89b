"""Tokens to literals: numbers, strings, truth values, each with its place.

The ground of the parser's callbacks: it holds the file that is being read and where its faults go.
A literal that no value can hold is reported and replaced, so that the rest of the file is still
read.
Non-goal: anything that is made of other nodes, which is ``expressions`` and ``builder``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from lark import Token

from specc.errors import Collector, Span
from specc.syntax.tree import ast

# The parser hands over what the grammar says, which mypy cannot see: hence Any for the children.
Children: TypeAlias = list[Any]

_LONGEST_INTEGER: Final = 18  # digits: int64 holds 9_223_372_036_854_775_807


class Literals:
    """The callbacks of literals, and the places of tokens."""

    def __init__(self) -> None:
        self._file = "<spec>"
        self._collector = Collector()
        # How many `else if` follow on an `if` that is one itself, by its identity.
        self._else_ifs: dict[int, int] = {}
        self._inserted: Sequence[int] = ()

    def begin(self, file: str, collector: Collector, inserted: Sequence[int] = ()) -> None:
        """Another file, whose faults go to ``collector``; ``inserted`` are the places of braces
        that are not the file's own."""
        self._file = file
        self._collector = collector
        self._inserted = inserted
        self._else_ifs = {}

    def span(self, token: Token) -> Span:
        """The place of one token."""
        start = token.start_pos or 0
        end = token.end_pos or start
        span = Span(self._file, start, end, token.line or 1, token.column or 1)
        if self._inserted:
            from specc.syntax.recovery.stopped_at import as_written  # a faulty file alone needs it

            return as_written(span, self._inserted)
        return span

    def integer(self, children: Children) -> ast.Number:
        token = children[0]
        digits = token.replace("_", "").lstrip("0") or "0"
        if len(digits) > _LONGEST_INTEGER:
            self._collector.error(
                "E0105",
                f"this integer has {len(digits)} digits; sizes and indices have at most "
                f"{_LONGEST_INTEGER}",
                self.span(token),
                "write it as a float (1e30) if it is one",
            )
            digits = "1"
        return ast.Number(span=self.span(token), value=int(digits))

    def float_literal(self, children: Children) -> ast.Number:
        token = children[0]
        value = float(token.replace("_", ""))
        if value in (float("inf"), float("-inf")):
            self._collector.error(
                "E0105",
                f"{token} is larger than a double can hold",
                self.span(token),
                "the largest is about 1.8e308",
            )
            value = 1.0
        return ast.Number(span=self.span(token), value=value)

    def string(self, children: Children) -> ast.String:
        return ast.String(span=self.span(children[0]), value=self._text(children[0]))

    def true(self, children: Children) -> ast.Boolean:
        return ast.Boolean(span=self.span(children[0]), value=True)

    def false(self, children: Children) -> ast.Boolean:
        return ast.Boolean(span=self.span(children[0]), value=False)

    def none(self, children: Children) -> ast.NoneLiteral:
        return ast.NoneLiteral(span=self.span(children[0]))

    def _text(self, token: Token) -> str:
        try:
            text = json.loads(token, strict=False)
            text.encode()  # a lone surrogate is no text
        except ValueError:
            self._collector.error(
                "E0106",
                'this string has an escape that is none of \\" \\\\ \\/ \\b \\f \\n \\r \\t'
                " \\uXXXX",
                self.span(token),
                "write a backslash as \\\\",
            )
            return ""
        return str(text)

    def _through(self, first: Token, last: Token) -> Span:
        return self.span(first).to(self.span(last))
