"""A parser's refusal in the words of the language: what was found, what could have stood there."""

from __future__ import annotations

import re
from typing import Final

from lark import Token

from specc.errors import Diagnostic, Span
from specc.syntax.recovery.statement_forms import FORMS, form_of
from specc.syntax.tree.newlines import DEEPEST, BracketError

_KEYWORDS: Final = frozenset(
    "spec use param model block train test input output parameter buffer layer init weights"
    " freeze if else for in step regularize constrain clip optimizer group scheduler copy ema"
    " accumulate precision metric sizes seed steps targets devices dtypes modes layouts optimizers"
    " repeat on with where per of every by decay from except and or not true false none".split()
)
_SHOWN: Final = {
    "NAME": "a name", "INT": "a whole number", "FLOAT": "a number", "STRING": "a string",
    "SELECTOR": "a parameter's name or a glob over names", "_NL": "the end of the line",
    "$END": "the end of the file", "COMPARE": "a comparison", "_ARROW": "`->`", "OPEN": "`{`",
    "CLOSE": "`}`", "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`", "COLON": "`:`",
    "EQUAL": "`=`", "_COMMA": "`,`", "DOT": "`.`", "SETTING": "a test setting",
    "PICK": "`drop`, `transpose`, `fresh`", "CAT": "`cat`", "SPLIT": "`split`",
}  # fmt: skip
_OPERATORS: Final = frozenset("PLUS MINUS STAR SLASH FLOOR PERCENT AT POWER AND OR COMPARE".split())
# What begins a line in other languages, and goes on with the one before.
_GOES_ON: Final = frozenset([*_OPERATORS, "DOT"])
_STARTS: Final = frozenset("INT FLOAT STRING TRUE FALSE NONE NOT MINUS LPAR LSQB NAME".split())
_CHARACTERS: Final = {
    "'": "strings are written with double quotes",
    "`": "strings are written with double quotes",
    ";": "a newline ends a statement",
    "&": "of masks, `logical_and(a, b)`; of whole numbers, `bitwise_and(a, b)`; of what is known"
    " while compiling, `a and b`",
    "|": "of masks, `logical_or(a, b)`; of whole numbers, `bitwise_or(a, b)`; of what is known"
    " while compiling, `a or b`; a value is fed on with `->`",
    "!": "write `not`, or `!=`",
    "~": "of masks, `not mask`; of whole numbers, `bitwise_not(k)`",
    "\N{EN DASH}": "write `-`",
    "\N{EM DASH}": "write `-`",
    "\N{MINUS SIGN}": "write `-`",
    "\N{MULTIPLICATION SIGN}": "write `*`",
    "\N{MIDDLE DOT}": "write `*`",
    "\N{DIVISION SIGN}": "write `/`",
    "\N{LESS-THAN OR EQUAL TO}": "write `<=`",
    "\N{GREATER-THAN OR EQUAL TO}": "write `>=`",
    "\N{NOT EQUAL TO}": "write `!=`",
    "\N{RIGHTWARDS ARROW}": "write `->`",
    "\N{HORIZONTAL ELLIPSIS}": "write `...`",
    **dict.fromkeys(
        (
            "\N{LEFT DOUBLE QUOTATION MARK}",
            "\N{RIGHT DOUBLE QUOTATION MARK}",
            "\N{LEFT SINGLE QUOTATION MARK}",
            "\N{RIGHT SINGLE QUOTATION MARK}",
        ),
        'strings are written with `"`',
    ),
    "\N{NO-BREAK SPACE}": "write a space",
    "\N{ZERO WIDTH SPACE}": "take it away",
    "\N{BYTE ORDER MARK}": "take it away",
    "^": "a power is written `**`; of masks, `logical_xor(a, b)`; of whole numbers,"
    " `bitwise_xor(a, b)`",
    "$": "a name is written without a sign",
    "\\": "a line goes on inside brackets, after an operator, or with `->` on the next line",
}


def token_diagnostic(token: Token, expected: set[str], text: str, file: str) -> Diagnostic:
    """An E0102 (or a more telling code) for a token that cannot stand where it does."""
    if token.type == "$END":
        stripped = text.rstrip()
        span = _at(text, max(len(stripped) - 1, 0), max(len(stripped), 1), file)
        return Diagnostic("E0102", f"the file ends where {_list(expected)} should follow", span)
    start = token.start_pos or 0
    shown = "the end of the line" if token.type == "_NL" else f"`{_clip(str(token))}`"
    if token.type == "_NL":
        span = _at(text, start, start + 1, file)
    else:
        span = _at(text, start, token.end_pos or start + 1, file)
    # Where a statement begins, its word is read as that word: `output = ...` fails at the `=`.
    before = re.search(r"(?m)^[ \t]*(\w+)[ \t]*\Z", text[:start])
    if token.type == "EQUAL" and before is not None and before[1] in _KEYWORDS:
        return Diagnostic(
            "E0107",
            f"`{before[1]}` is a word of the language here and cannot be a name",
            _at(text, before.start(1), before.end(1), file),
            f"call it `{before[1]}_` or something that says more",
        )
    hint = _hint(token, text)
    # A path or a file's name as it stands, where one in quotes would do.
    alone = not re.match(r'[ \t]*"', text[token.end_pos or start :])
    if token.type in ("NAME", "SELECTOR") and expected & {"STRING"} and alone:
        if not expected & {"NAME", "SELECTOR"}:
            hint = hint or f'write it in double quotes: `"{_clip(str(token))}"`'
    hint = hint or _form(text, start)
    return Diagnostic("E0102", f"{shown} cannot stand here; expected {_list(expected)}", span, hint)


def character_diagnostic(text: str, position: int, file: str) -> Diagnostic:
    """An E0101 for a character that begins no word of the language."""
    character = text[position : position + 1]
    span = _at(text, position, position + 1, file)
    if character == '"':
        return Diagnostic(
            "E0101", "this string is not closed on its line", span, 'close it with `"`'
        )
    if not character.isprintable():
        message = f"the character U+{ord(character):04X} cannot stand here"
        return Diagnostic("E0101", message, span, _CHARACTERS.get(character, "take it away"))
    hint = _CHARACTERS.get(character)
    if hint is None and character.isalpha():
        hint = "names are made of the letters a-z, A-Z, digits and `_`"
    return Diagnostic("E0101", f"`{character}` cannot stand here", span, hint)


def bracket_diagnostic(fault: BracketError, file: str) -> Diagnostic:
    """An E0103 for a bracket without its partner, an E0104 for too many inside each other."""
    token = fault.opening or fault.token
    start = token.start_pos or 0
    span = Span(file, start, start + 1, token.line or 1, token.column or 1)
    if fault.problem == "deep":
        return Diagnostic(
            "E0104",
            f"more than {DEEPEST} brackets are open here, one inside the other",
            span,
            "name the parts of this expression",
        )
    if fault.problem == "too many":
        return Diagnostic(
            "E0104", f"there are too many `{token}` in this expression, one inside the other",
            span, "name the parts of it",
        )  # fmt: skip
    if fault.problem == "unopened":
        return Diagnostic("E0103", f"this `{token}` closes nothing", span, "take it away")
    if fault.token is fault.opening:
        return Diagnostic("E0103", f"this `{token}` is never closed", span)
    return Diagnostic(
        "E0103",
        f"this `{token}` is not closed before the `{fault.token}` on line {fault.token.line}",
        span,
    )


def _hint(token: Token, text: str) -> str | None:
    start = token.start_pos or 0
    if token.type in _GOES_ON and not text[text.rfind("\n", 0, start) + 1 : start].strip():
        return (
            "a line goes on in the next where it ends with an operator, in brackets, or where that"
            " begins with `->`"
        )
    before = text[:start].rstrip()
    if token.type == "EQUAL" and before.endswith(("=", "!", "<", ">")):
        return "a comparison is one of == != < <= > >="
    line = before.rpartition("\n")[2]
    made = re.match(r"\s*[A-Z]", text[token.end_pos or 0 :])
    if token.type == "EQUAL" and made and re.search(r"->\s*\w+$", line):
        return "a label is followed by `:`: `x -> name: Linear(8)`"
    if str(token) == "as":
        return "a label stands before the layer: `x -> name: Linear(8)`"
    if re.search(r"\brepeat$", line) or (token.type == "STAR" and "->" in line):
        return "layers are repeated by `repeat(3) Linear(8)`"
    if token.type == "_COMMA" and re.search(r"\bwith\b[^,]*$", line):
        return "each has a word of its own: `Linear(8) with weight_norm with spectral_norm`"
    if token.type == "_COMMA" and "->" in line:
        return "stages follow each other by `->`; several values stand in parentheses: `(a, b)`"
    if token.type == "EQUAL" and re.match(r"\s*(model|block|param)\b", line):
        return _typed_param(line, text[token.end_pos or 0 :])
    named = re.match(r"\s*output\s+(\w+)\s*$", line)
    if token.type == "EQUAL" and named:
        return f"name it on a line of its own, `{named[1]} = ...`, then say `output {named[1]}`"
    if token.type == "_COMMA" and re.match(r"\s*\w[\w, ()]*=[^=]", line):
        return "several values on the right want parentheses: `a, b = (b, a)`"
    if token.type == "COLON" and re.match(r"\s*(\w+)$", line) and line.strip() in FORMS:
        return None
    if token.type == "COLON":
        return "a label stands before a layer, after `->`: `x -> name: Layer(...)`"
    if token.type == "NAME" and re.search(r"\b(True|False|None)$", str(token)):
        return f"write `{str(token).lower()}`"
    return None


def _typed_param(line: str, behind: str) -> str:
    """How a param is written whose type is left out, by the name and the value that it has."""
    name = re.search(r"(\w+)$", line)
    value = re.match(r'\s*("[^"\n]*"|\([^()\n]*\)|[\w.+-]+)\s*(?=[,)#\n]|$)', behind)
    kinds = {
        "int": r"[+-]?\d+", "float": r"[+-]?(\d+\.\d*|\.\d+|\d+(\.\d*)?e[+-]?\d+)",
        "bool": "true|false|True|False", "str": r'"[^"]*"', "tuple": r"\(.*,.*\)",
        "layer": "[A-Z]\\w*",
    }  # fmt: skip
    said = value[1] if value is not None else ""
    kind = next((kind for kind, form in kinds.items() if re.fullmatch(form, said)), None)
    if name is None or kind is None:
        return "a param has a type: `k: int = 3`"
    said = said.lower() if kind == "bool" else said
    return f"a param has a type: `{name[1]}: {kind} = {said}`"


def _form(text: str, place: int) -> str | None:
    """The form of the statement at fault, by the word that its line begins with."""
    start = text.rfind("\n", 0, place) + 1
    word = re.match(r"[ \t]*([A-Za-z_]\w*)", text[start:])
    if word is None or word.end(1) + start > place:
        return None
    parts = re.findall(r"(?m)^(model|block|train|test)\b", text[:start])
    return form_of(word[1], parts[-1] if parts else "")


def _list(expected: set[str]) -> str:
    shown: list[str] = []
    rest = set(expected)
    if _STARTS - {"NAME"} <= rest | {"NAME"} and "INT" in rest:
        rest -= _STARTS | {"LPAR"}
        shown.append("a value")
    if _OPERATORS & rest:
        rest -= _OPERATORS
        if not shown:
            shown.append("an operator")
    words = sorted(_SHOWN.get(kind, f"`{kind.lower().lstrip('_')}`") for kind in rest)
    shown += words
    if len(shown) > 7:
        shown = [*shown[:6], "..."]
    if not shown:
        return "something else"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def _clip(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _at(text: str, start: int, end: int, file: str) -> Span:
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    return Span(file, start, end, line, column)
