"""Prints Python: expression trees to text, on one line.

The one place where identifiers and literals become source text: an identifier that is none raises,
a string is always quoted and escaped, so nothing in a spec can become code. Expressions are nodes
of Python's own ``ast``, of the kinds that the emitter makes. Non-goals: what is too long for a line
(``line_breaking``), statements (``statements``)."""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Sequence
from typing import Final

BINARY: Final[dict[type[ast.operator], tuple[str, int]]] = {
    ast.Add: ("+", 12),
    ast.Sub: ("-", 12),
    ast.Mult: ("*", 13),
    ast.Div: ("/", 13),
    ast.FloorDiv: ("//", 13),
    ast.Mod: ("%", 13),
    ast.MatMult: ("@", 13),
    ast.Pow: ("**", 15),
    ast.BitAnd: ("&", 10),
    ast.BitOr: ("|", 8),
}
COMPARE: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_UNARY: Final[dict[type[ast.unaryop], tuple[str, int]]] = {
    ast.USub: ("-", 14),
    ast.UAdd: ("+", 14),
    ast.Invert: ("~", 14),
    ast.Not: ("not ", 5),
}
COMPARISON: Final = 6
_ATOM: Final = 17


def identifier(name: str) -> str:
    """``name``, which must be an ASCII identifier of Python's and no keyword; ValueError else."""
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        raise ValueError(f"not an identifier: {name!r}")
    return name


def literal(value: object) -> str:
    """A number, string, boolean or None as source text; strings in double quotes, all ASCII."""
    match value:
        case bool() | None:
            return repr(value)
        case int():
            return repr(value)
        case float():
            if math.isinf(value) or math.isnan(value):
                return f'float("{value}")'
            # `1e-05` is how Python shows it, `1e-5` how it is written.
            return re.sub(r"e([+-])0(?=\d)", r"e\1", repr(value))
        case str():
            return _quoted(value)
        case _:
            raise ValueError(f"not a literal: {value!r}")


def _raw(value: object) -> str:
    """A string as ``r"..."``, or in plain quotes where it cannot stand so."""
    text = str(value)
    plain = text.isascii() and text.isprintable() and '"' not in text
    return f'r"{text}"' if plain and not text.endswith("\\") else literal(text)


def _quoted(text: str) -> str:
    """The string in the quotes that need fewer escapes, as formatters prefer; ASCII throughout."""
    quote = "'" if '"' in text and "'" not in text else '"'
    escaped = "".join(
        "\\" + character if character in ("\\", quote) else _escaped(character)
        for character in text
    )
    return f"{quote}{escaped}{quote}"


def _escaped(character: str) -> str:
    plain = character.isascii() and character.isprintable()
    return character if plain else ascii(character)[1:-1]


def flat(node: ast.expr) -> str:
    """The expression on one line."""
    return text_and_strength(node)[0]


def text_and_strength(node: ast.expr) -> tuple[str, int]:
    """The text on one line and how tightly it holds together: 17 is an atom, 0 a generator."""
    match node:
        case ast.Name():
            return identifier(node.id), _ATOM
        case ast.Constant(kind="r"):
            return _raw(node.value), _ATOM
        case ast.Constant():
            text = literal(node.value)
            return text, 14 if text.startswith("-") else _ATOM
        case ast.Attribute():
            value = at_least(node.value, 16)
            return f"{value}.{identifier(node.attr)}", 16
        case ast.Call():
            items = ", ".join(_arguments(node))
            return f"{at_least(node.func, 16)}({items})", 16
        case ast.Subscript():
            return f"{at_least(node.value, 16)}[{_index(node.slice)}]", 16
        case ast.Tuple():
            items = ", ".join(flat(item) for item in node.elts)
            return f"({items},)" if len(node.elts) == 1 else f"({items})", _ATOM
        case ast.List():
            return f"[{', '.join(flat(item) for item in node.elts)}]", _ATOM
        case ast.Dict():
            return f"{{{', '.join(_pairs(node))}}}", _ATOM
        case ast.UnaryOp():
            symbol, strength = _UNARY[type(node.op)]
            return f"{symbol}{at_least(node.operand, strength)}", strength
        case ast.BinOp():
            return _binary(node)
        case ast.Compare():
            left = at_least(node.left, COMPARISON + 1)
            pieces = [
                f" {COMPARE[type(op)]} {at_least(right, COMPARISON + 1)}"
                for op, right in zip(node.ops, node.comparators, strict=True)
            ]
            return left + "".join(pieces), COMPARISON
        case ast.BoolOp():
            word, strength = (" and ", 4) if isinstance(node.op, ast.And) else (" or ", 3)
            return word.join(at_least(item, strength + 1) for item in node.values), strength
        case ast.ListComp():
            return f"[{flat(node.elt)}{_loops(node.generators)}]", _ATOM
        case ast.DictComp():
            pair = f"{flat(node.key)}: {flat(node.value)}"
            return f"{{{pair}{_loops(node.generators)}}}", _ATOM
        case ast.GeneratorExp():
            return f"{flat(node.elt)}{_loops(node.generators)}", 0
        case ast.Starred():
            value = flat(node.value)
            bare = isinstance(node.value, ast.GeneratorExp)
            return f"*({value})" if bare else f"*{at_least(node.value, 16)}", 0
        case ast.IfExp():
            body = f"{at_least(node.body, 2)} if {at_least(node.test, 2)}"
            return f"{body} else {at_least(node.orelse, 1)}", 1
    raise ValueError(f"the emitter does not print {type(node).__name__}")


def _binary(node: ast.BinOp) -> tuple[str, int]:
    symbol, strength = BINARY[type(node.op)]
    power = isinstance(node.op, ast.Pow)
    left = at_least(node.left, strength + 1 if power else strength)
    right = at_least(node.right, 14 if power else strength + 1)
    # Powers of simple operands are written without spaces, as formatters do.
    simple = power and all(_is_simple(side) for side in (node.left, node.right))
    return f"{left}{symbol}{right}" if simple else f"{left} {symbol} {right}", strength


def _is_simple(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) or (
        isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    )


def at_least(node: ast.expr, strength: int) -> str:
    """The expression, in parentheses where it holds less tightly than ``strength``."""
    text, holds = text_and_strength(node)
    # `1 .real` and `-1 ** 2`: numbers in front of a dot or a power want parentheses.
    return text if holds >= strength else f"({text})"


def _arguments(node: ast.Call) -> list[str]:
    named = [f"{identifier(item.arg or '')}={flat(item.value)}" for item in node.keywords]
    return [flat(item) for item in node.args] + named


def _pairs(node: ast.Dict) -> list[str]:
    return [
        f"{flat(key)}: {flat(value)}"
        for key, value in zip(node.keys, node.values, strict=True)
        if key is not None
    ]


def _index(node: ast.expr) -> str:
    if isinstance(node, ast.Tuple) and node.elts:
        items = ", ".join(_index_item(item) for item in node.elts)
        return f"{items}," if len(node.elts) == 1 else items
    return _index_item(node)


def _index_item(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and node.value is Ellipsis:
        return "..."
    if not isinstance(node, ast.Slice):
        return flat(node)
    parts = [node.lower, node.upper]
    texts = ["" if part is None else flat(part) for part in parts]
    spaced = any(
        part is not None and not isinstance(part, ast.Name | ast.Constant)
        and not (isinstance(part, ast.UnaryOp) and isinstance(part.operand, ast.Constant))
        for part in (*parts, node.step)
    )  # fmt: skip
    before = " " if spaced and texts[0] else ""
    after = " " if spaced and texts[1] else ""
    text = f"{texts[0]}{before}:{after}{texts[1]}"
    if node.step is not None:
        gap = " " if spaced else ""
        text += f"{gap if texts[1] else ''}:{gap}{flat(node.step)}"
    return text


def _loops(generators: Sequence[ast.comprehension]) -> str:
    return "".join(
        f" for {target(item.target)} in {flat(item.iter)}"
        + "".join(f" if {flat(test)}" for test in item.ifs)
        for item in generators
    )


def target(node: ast.expr) -> str:
    """``a, (b, c)``: the outermost tuple of a target goes without parentheses."""
    text = flat(node)
    return text[1:-1] if isinstance(node, ast.Tuple) and len(node.elts) > 1 else text
