"""Expressions over several lines, laid out as a formatter would leave them.

Non-goal: what stands on one line, which ``layout`` prints."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from specc.emit.writing.layout import (
    BINARY,
    COMPARE,
    COMPARISON,
    at_least,
    flat,
    identifier,
    target,
    text_and_strength,
)

WIDTH: Final = 88
STEP: Final = "    "


def lay_out(node: ast.expr, indent: str, head: str = "", tail: str = "") -> list[str]:
    """``head`` + expression + ``tail`` at ``indent``, broken over lines where it is too wide."""
    line = f"{indent}{head}{flat(node)}{tail}"
    if len(line) <= WIDTH:
        return [line]
    if links(node) > 1:
        return _chain(node, indent, head, tail)
    match node:
        case ast.Call() if not node.args and not node.keywords:
            # `stack(...).sum()`: what is long is what the method is called on.
            if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call):
                return lay_out(node.func.value, indent, head, f".{node.func.attr}(){tail}")
            return _inside_brackets(node, indent, head, tail)
        case ast.Call():
            opening = f"{head}{at_least(node.func, 16)}("
            if len(indent + opening) > WIDTH and isinstance(node.func, ast.Attribute):
                return _inside_brackets(node, indent, head, tail)
            return _lay_out_arguments(node, indent, opening, f"){tail}")
        case ast.Attribute(value=ast.Call()):
            return lay_out(node.value, indent, head, f".{identifier(node.attr)}{tail}")
        case ast.Subscript(value=ast.Call()):
            index = flat(node).removeprefix(flat(node.value))
            return lay_out(node.value, indent, head, f"{index}{tail}")
        case ast.List() | ast.Tuple() if node.elts:
            left, right = ("[", "]") if isinstance(node, ast.List) else ("(", ")")
            heads = [""] * len(node.elts)
            return _bracketed(
                node.elts, heads, indent, f"{head}{left}", f"{right}{tail}", together=False
            )
        case ast.Dict() if node.keys:
            heads = [f"{flat(key)}: " for key in node.keys if key is not None]
            return _bracketed(node.values, heads, indent, f"{head}{{", f"}}{tail}", together=False)
        case ast.ListComp():
            inner = indent + STEP
            lines = [f"{indent}{head}["]
            lines += _comprehension(node.elt, node.generators, inner)
            return [*lines, f"{indent}]{tail}"]
        case ast.GeneratorExp():
            return _comprehension(node.elt, node.generators, indent)
        case ast.Starred() if isinstance(node.value, ast.GeneratorExp):
            inner = indent + STEP
            lines = [f"{indent}{head}*("]
            lines += _comprehension(node.value.elt, node.value.generators, inner)
            return [*lines, f"{indent}){tail}"]
        case ast.UnaryOp(op=ast.Not(), operand=ast.BoolOp()):
            return lay_out(node.operand, indent, f"{head}not ", tail)
        case ast.BinOp() | ast.BoolOp() | ast.Compare():
            inner = indent + STEP
            text = flat(node)
            body = [inner + text] if len(inner + text) <= WIDTH else _operands(node, inner)
            return [f"{indent}{head}(", *body, f"{indent}){tail}"]
    return [line]


def _lay_out_arguments(node: ast.Call, indent: str, opening: str, closing: str) -> list[str]:
    if len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp):
        return _bracketed([node.args[0]], [""], indent, opening, closing, last="")
    items = [*node.args, *(item.value for item in node.keywords)]
    heads = [""] * len(node.args) + [f"{identifier(item.arg or '')}=" for item in node.keywords]
    return _bracketed(items, heads, indent, opening, closing)


def _bracketed(
    items: Sequence[ast.expr],
    heads: Sequence[str],
    indent: str,
    opening: str,
    closing: str,
    last: str = ",",
    *,
    together: bool = True,
) -> list[str]:
    """What stands in brackets: a call's arguments on one line of their own if they fit, else an
    item a line, as a collection's always."""
    inner = indent + STEP
    line = inner + ", ".join(head + flat(item) for head, item in zip(heads, items, strict=True))
    if together and len(line) <= WIDTH:
        return [indent + opening, line, indent + closing]
    lines = [indent + opening]
    for head, item in zip(heads, items, strict=True):
        # In parentheses of its own an operation needs no more of them.
        alone = not last and isinstance(item, ast.BinOp | ast.BoolOp | ast.Compare)
        lines += _operands(item, inner, head) if alone else lay_out(item, inner, head, last)
    return [*lines, indent + closing]


def _comprehension(
    element: ast.expr, generators: Sequence[ast.comprehension], indent: str
) -> list[str]:
    together = indent + flat(ast.GeneratorExp(element, list(generators)))
    if len(together) <= WIDTH:
        return [together]
    lines = lay_out(element, indent)
    for item in generators:
        lines += lay_out(item.iter, indent, f"for {target(item.target)} in ")
        for test in item.ifs:
            lines += lay_out(test, indent, "if ")
    return lines


def _operands(node: ast.expr, indent: str, symbol: str = "") -> list[str]:
    """A long chain of operators of one precedence, an operand a line; what binds tighter and is
    still too long is broken on the same level. ``symbol`` stands before the first."""
    if isinstance(node, ast.BoolOp):
        word, strength = ("and ", 4) if isinstance(node.op, ast.And) else ("or ", 3)
        lines = []
        for position, value in enumerate(node.values):
            before = word if position else symbol
            # An `and` inside an `or` is broken with it, whether or not it is long.
            inside = isinstance(value, ast.BoolOp) and text_and_strength(value)[1] > strength
            lines += (
                _operands(value, indent, before)
                if inside
                else _operand(value, indent, before, strength + 1)
            )
        return lines
    if isinstance(node, ast.Compare):
        lines = _operand(node.left, indent, symbol, COMPARISON + 1)
        for op, right in zip(node.ops, node.comparators, strict=True):
            lines += _operand(right, indent, f"{COMPARE[type(op)]} ", COMPARISON + 1)
        return lines
    if not isinstance(node, ast.BinOp):
        return [indent + symbol + flat(node)]
    strength = BINARY[type(node.op)][1]
    parts: list[tuple[str, ast.expr]] = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp) and BINARY[type(left.op)][1] == strength:
        parts.append((BINARY[type(left.op)][0] + " ", left.right))
        left = left.left
    lines = _operand(left, indent, symbol, strength)
    for word, operand in reversed(parts):
        lines += _operand(operand, indent, word, strength + 1)
    return lines


def _operand(node: ast.expr, indent: str, symbol: str, strength: int) -> list[str]:
    """One operand of a chain; one that needs parentheses of its own stays on its line."""
    text = at_least(node, strength)
    if len(indent + symbol + text) <= WIDTH or text_and_strength(node)[1] < strength:
        return [f"{indent}{symbol}{text}"]
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare):
        return _operands(node, indent, symbol)
    return lay_out(node, indent, symbol)


# ── chains of methods ────────────────────────────────────────────────────────────────────────────


def links(node: ast.expr) -> int:
    """How many attributes of ``node`` are read off what a call or an index gave: a chain of two or
    more is broken in front of each."""
    count = 0
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        if isinstance(node, ast.Attribute):
            count += isinstance(node.value, ast.Call | ast.Subscript) or _wrapped(node.value)
            node = node.value
        else:
            node = node.func if isinstance(node, ast.Call) else node.value
    return count


def _wrapped(node: ast.expr) -> bool:
    """Whether ``node`` stands in parentheses in front of a dot."""
    return text_and_strength(node)[1] < 16


def _chain(node: ast.expr, indent: str, head: str, tail: str) -> list[str]:
    """The chain, a link a line; one that is too long is broken inside its brackets."""
    ends: list[ast.expr] = [node]
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Call | ast.Subscript) or _wrapped(node.value):
                ends.append(node.value)
            node = node.value
        else:
            node = node.func if isinstance(node, ast.Call) else node.value
    lines: list[str] = []
    start = 0
    for end in reversed(ends):
        text = at_least(end, 16)
        before, behind = ("" if start else head), (tail if end is ends[0] else "")
        line = f"{indent}{before}{text[start:]}{behind}"
        if len(line) > WIDTH and isinstance(end, ast.Call) and (end.args or end.keywords):
            opening = f"{before}{at_least(end.func, 16)[start:]}("
            lines += _lay_out_arguments(end, indent, opening, f"){behind}")
        else:
            lines.append(line)
        start = len(text)
    return lines


# ── without parentheses around the whole ─────────────────────────────────────────────────────────


def lay_out_value(node: ast.expr, indent: str, head: str, tail: str = "") -> list[str]:
    """What a statement assigns, returns or asks: as ``lay_out``, but that two operands, the last of
    which ends in brackets or the first of which begins with them, are broken inside brackets."""
    line = f"{indent}{head}{flat(node)}{tail}"
    if len(line) > WIDTH and links(node) > 1:
        return [f"{indent}{head}(", *lay_out(node, indent + STEP), f"{indent}){tail}"]
    if len(line) > WIDTH and isinstance(node, ast.BinOp | ast.Compare) and _hugs(node):
        lines = _inside_brackets(node, indent, head, tail)
        if all(len(line) <= WIDTH for line in lines):
            return lines
    return lay_out(node, indent, head, tail)


def _hugs(node: ast.BinOp | ast.Compare) -> bool:
    """Whether one operator binds loosest, and the expression ends or begins with brackets."""
    if isinstance(node, ast.Compare):
        if len(node.ops) > 1:
            return False
    else:
        strength = BINARY[type(node.op)][1]
        if isinstance(node.left, ast.BinOp) and BINARY[type(node.left.op)][1] == strength:
            return False
    pieces = [piece for piece in _pieces(node, 0) if piece != ""]
    first, last = pieces[0], pieces[-1]
    return isinstance(last, _Brackets) or isinstance(first, _Brackets)


@dataclass(frozen=True, slots=True)
class _Brackets:
    """What may be broken inside: the arguments of a call, a list, what is in parentheses."""

    opening: str
    items: tuple[ast.expr, ...]
    heads: tuple[str, ...]
    closing: str
    last: str = ","
    together: bool = True

    def flat(self) -> str:
        items = zip(self.heads, self.items, strict=True)
        inside = ", ".join(head + flat(item) for head, item in items)
        return f"{self.opening}{inside}{self.closing}"


def _pieces(node: ast.expr, strength: int) -> list[str | _Brackets]:
    """The expression from left to right, as text and as brackets; in parentheses where it must hold
    tighter than it does."""
    if text_and_strength(node)[1] < strength:
        return [_Brackets("(", (node,), ("",), ")", last="")]
    match node:
        case ast.BinOp() if not isinstance(node.op, ast.Pow):
            symbol, own = BINARY[type(node.op)]
            return [*_pieces(node.left, own), f" {symbol} ", *_pieces(node.right, own + 1)]
        case ast.Compare(ops=[op], comparators=[right]):
            symbol = COMPARE[type(op)]
            return [
                *_pieces(node.left, COMPARISON + 1),
                f" {symbol} ",
                *_pieces(right, COMPARISON + 1),
            ]
        case ast.UnaryOp(op=ast.USub()):
            return ["-", *_pieces(node.operand, 14)]
        case ast.Attribute():
            return [*_pieces(node.value, 16), f".{identifier(node.attr)}"]
        case ast.Call() if node.args or node.keywords:
            if any(isinstance(item, ast.GeneratorExp | ast.Starred) for item in node.args):
                return [flat(node)]
            heads = [f"{identifier(item.arg or '')}=" for item in node.keywords]
            items = (*node.args, *(item.value for item in node.keywords))
            inside = _Brackets("(", items, (*[""] * len(node.args), *heads), ")")
            return [*_pieces(node.func, 16), inside]
        case ast.Call():
            return [*_pieces(node.func, 16), "()"]
        case ast.List() if node.elts:
            heads = [""] * len(node.elts)
            return [_Brackets("[", tuple(node.elts), tuple(heads), "]", together=False)]
    return [flat(node)]


def _inside_brackets(node: ast.expr, indent: str, head: str, tail: str) -> list[str]:
    """The expression from left to right, those brackets broken that do not fit on their line."""
    pieces = [*_pieces(node, 0), tail]
    lines: list[str] = []
    line = indent + head
    for position, piece in enumerate(pieces):
        if isinstance(piece, str):
            line += piece
            continue
        # A line may end behind the next opening bracket.
        following = ""
        for later in pieces[position + 1 :]:
            following += later if isinstance(later, str) else later.opening
            if not isinstance(later, str):
                break
        if len(line + piece.flat() + following) <= WIDTH:
            line += piece.flat()
            continue
        # What is in front has its indent already.
        *broken, line = _bracketed(
            piece.items, piece.heads, indent, (line + piece.opening).removeprefix(indent),
            piece.closing, piece.last, together=piece.together,
        )  # fmt: skip
        lines += broken
    return [*lines, line]
