"""Which newlines end a statement: the filter between lexer and parser.

Inside ( ) and [ ], and after an operator or a comma, a newline ends nothing and is dropped here.
The same pass sees every bracket and sign, so it is where a bracket that nothing closes is found,
and what is nested too deeply or too long to be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lark import Token

from specc.errors import TooLarge

DEEPEST: Final = 100
# Of one kind in one statement: each is an expression inside the one before. Names, numbers and
# signs of a whole file: as many as are read in a second.
MOST_PREFIXES: Final = 100
MOST_POWERS: Final = 1_000
MOST_TOKENS: Final = 150_000

_OPENING: Final = {"OPEN": "}", "LPAR": ")", "LSQB": "]"}
_CLOSING: Final = {"CLOSE": "}", "RPAR": ")", "RSQB": "]"}
_SIGNS: Final = frozenset(["MINUS", "NOT", "POWER"])
_CONTINUES: Final = frozenset(
    "_COMMA EQUAL COMPARE PLUS MINUS STAR SLASH FLOOR PERCENT AT POWER AND OR NOT _ARROW".split()
)


class BracketError(Exception):
    """A bracket at ``token`` is at fault: ``problem`` is ``deep``, ``unclosed`` or ``unopened``; or
    a sign is one ``too many``."""

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
        prefixes = powers = 0
        for count, token in enumerate(stream):
            kind = token.type
            if count == MOST_TOKENS:
                raise TooLarge(
                    f"this file has more than {MOST_TOKENS:,} names, numbers and signs",
                    help="say what repeats by `for`, `repeat` and blocks",
                    code="E0705",
                )
            if kind == "_NL":
                if previous in _CONTINUES or (brackets and brackets[-1].type != "OPEN"):
                    continue
                powers = 0
            elif kind in _SIGNS:
                prefixes = prefixes + 1 if previous in _SIGNS else 1
                powers += kind == "POWER"
                if prefixes > MOST_PREFIXES or powers > MOST_POWERS:
                    raise BracketError("too many", token)
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
