"""An expression or a type back to text, in one line, as the reference page would write it.

What a message proposes is made as a tree and written here, so that it parses. Non-goals: comments,
line breaks, and statements: a whole file is not written from its tree."""

from __future__ import annotations

import json
from typing import Final

from specc.syntax.tree import ast
from specc.syntax.tree.precedence import INFIX, PREFIX

# The pipe binds loosest; names, calls and literals hold together whatever stands around them.
_PIPE: Final = 0
_WHOLE: Final = 20


def written(node: ast.Node) -> str:
    """``node`` in the words of the language; parentheses only where they are needed."""
    return _written(node)[0]


def _written(node: ast.Node) -> tuple[str, int]:
    """The text of ``node``, and how tightly it holds together."""
    match node:
        case ast.Name():
            return node.name, _WHOLE
        case ast.Number():
            return repr(node.value), _WHOLE
        case ast.String():
            return json.dumps(node.value), _WHOLE
        case ast.Boolean():
            return "true" if node.value else "false", _WHOLE
        case ast.NoneLiteral():
            return "none", _WHOLE
        case ast.Sequence():
            return _sequence(node), _WHOLE
        case ast.Comprehension():
            element, over = written(node.element), _at(node.iterable, 1)
            return (
                f"[{element} for {', '.join(each.name for each in node.variables)} in {over}]",
                _WHOLE,
            )
        case ast.Unary():
            binding = PREFIX[node.operator]
            space = " " if node.operator == "not" else ""
            return f"{node.operator}{space}{_at(node.operand, binding)}", binding
        case ast.Binary():
            to_left, to_right = INFIX[node.operator]
            left = _at(node.left, to_left + (node.operator == "**"))
            return f"{left} {node.operator} {_at(node.right, to_right)}", to_left
        case ast.CallExpression():
            listed = ", ".join(map(_argument, node.arguments))
            return f"{_at(node.callee, _WHOLE)}({listed})", _WHOLE
        case ast.Subscript():
            indices = ", ".join(_index(index) for index in node.indices)
            return f"{_at(node.value, _WHOLE)}[{indices}]", _WHOLE
        case ast.Attribute():
            return f"{_at(node.value, _WHOLE)}.{node.name}", _WHOLE
        case ast.Repeat():
            named = f", {node.variable.name}" if node.variable is not None else ""
            return f"repeat({written(node.count)}{named}) {written(node.target)}", _PIPE
        case ast.Chain():
            return f"{{ {' -> '.join(map(_stage, node.stages))} }}", _PIPE
        case ast.TypeExpression():
            argument = f"({written(node.argument)})" if node.argument is not None else ""
            sizes = ", ".join(_at(size, 1) for size in node.sizes or ())
            return f"{node.name}{argument}{'' if node.sizes is None else f'[{sizes}]'}", _WHOLE
        case ast.Pipeline():
            stages = [_at(node.source, 1), *map(_stage, node.stages)]
            return " -> ".join(stages), _PIPE
    raise TypeError(f"no expression: {type(node).__name__}")


def _at(node: ast.Node, binding: int) -> str:
    text, own = _written(node)
    return text if own >= binding else f"({text})"


def _sequence(node: ast.Sequence) -> str:
    items = ", ".join(written(item) for item in node.items)
    if node.kind == "list":
        return f"[{items}]"
    return f"({items},)" if len(node.items) == 1 else f"({items})"


def _argument(node: ast.Argument) -> str:
    return written(node.value) if node.name is None else f"{node.name}={written(node.value)}"


def _index(node: ast.Node) -> str:
    match node:
        case ast.Ellipsis():
            return "..."
        case ast.Slice():
            parts = [_at(part, 1) if part else "" for part in (node.lower, node.upper)]
            step = f":{_at(node.step, 1)}" if node.step else ""
            return f"{parts[0]}:{parts[1]}{step}"
    return written(node)


def _stage(node: ast.Stage) -> str:
    label = f"{node.label}: " if node.label else ""
    wrapped = "".join(f" with {written(wrapper)}" for wrapper in node.wrappers)
    return f"{label}{written(node.target)}{wrapped}"
