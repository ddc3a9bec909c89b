"""Which newlines end a statement: the filter between lexer and parser.

Inside ( ) and [ ], and after an operator or a comma, a newline ends nothing and is dropped here.
The same pass sees every bracket, so it is where a bracket that nothing closes is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lark import Token

DEEPEST: Final = 100

_OPENING: Final = {"OPEN": "}", "LPAR": ")", "LSQB": "]"}
_CLOSING: Final = {"CLOSE": "}", "RPAR": ")", "RSQB": "]"}
_CONTINUES: Final = frozenset(
    "_COMMA EQUAL COMPARE PLUS MINUS STAR SLASH FLOOR PERCENT AT POWER AND OR NOT _ARROW".split()
)


class BracketError(Exception):
    """A bracket at ``token`` is at fault: ``problem`` is ``deep``, ``unclosed`` or ``unopened``."""

    def __init__(self, problem: str, token: Token, opening: Token | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.token = token
        self.opening = opening


class Newlines:
    """Lark's ``postlex``: drops the newlines that end nothing and checks that brackets match."""

    always_accept = ("_NL",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        brackets: list[Token] = []
        previous = ""
        for token in stream:
            kind = token.type
            if kind == "_NL":
                if previous in _CONTINUES or (brackets and brackets[-1].type != "OPEN"):
                    continue
            elif kind in _OPENING:
                brackets.append(token)
                if len(brackets) > DEEPEST:
                    raise BracketError("deep", token)
            elif kind in _CLOSING:
                if not brackets:
                    raise BracketError("unopened", token)
                if _OPENING[brackets[-1].type] != _CLOSING[kind]:
                    raise BracketError("unclosed", token, brackets[-1])
                brackets.pop()
            previous = kind
            yield token
        if brackets:
            raise BracketError("unclosed", brackets[-1], brackets[-1])
