"""Statements, functions and classes of the emitted source, and how they are printed.

A tree of a few kinds: what the emitter writes, no more. Expressions inside are Python's ``ast``.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from specc.emit.writing.layout import flat, identifier, target
from specc.emit.writing.line_breaking import STEP, WIDTH, lay_out, lay_out_value
from specc.emit.writing.marks import stands_for_the_next


@dataclass(frozen=True, slots=True)
class Assign:
    """``target = value``, marked with the place in the spec that it comes from."""

    target: ast.expr
    value: ast.expr
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Augment:
    """``target operator= value``: a number that becomes another."""

    target: ast.expr
    operator: ast.operator
    value: ast.expr


@dataclass(frozen=True, slots=True)
class Evaluate:
    """An expression for its effect."""

    value: ast.expr
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Return:
    """``return value``."""

    value: ast.expr
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Assert:
    """``assert condition, message``."""

    condition: ast.expr
    message: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class For:
    """``for target in iterable`` and what is done each time."""

    target: ast.expr
    iterable: ast.expr
    body: Sequence[Statement]


@dataclass(frozen=True, slots=True)
class If:
    """``if condition:`` and, where there is one, ``else:``."""

    condition: ast.expr
    body: Sequence[Statement]
    otherwise: Sequence[Statement] = ()
    mark: str = ""


@dataclass(frozen=True, slots=True)
class With:
    """``with context:``."""

    context: ast.expr
    body: Sequence[Statement]


@dataclass(frozen=True, slots=True)
class Closure:
    """A function without parameters inside another: ``def name() -> returns:``."""

    name: str
    returns: str
    body: Sequence[Statement]


@dataclass(frozen=True, slots=True)
class Continue:
    """``continue``, in a loop."""


Statement = Assign | Augment | Continue | Evaluate | Return | Assert | For | If | With | Closure


@dataclass(frozen=True, slots=True)
class Parameter:
    """A function's parameter; ``default`` is source text from ``literal``, or empty."""

    name: str
    annotation: str
    default: str = ""

    def __str__(self) -> str:
        head = f"{identifier(self.name)}: {self.annotation}"
        return f"{head} = {self.default}" if self.default else head


@dataclass(frozen=True, slots=True)
class Function:
    """A method."""

    name: str
    parameters: Sequence[Parameter]
    returns: str
    docstring: str
    body: Sequence[Statement]
    decorators: Sequence[str] = field(default=())
    receiver: str = "self"


@dataclass(frozen=True, slots=True)
class Class:
    """A class of methods, and of the attributes that it annotates."""

    name: str
    base: str
    docstring: str
    body: Sequence[Function]
    fields: Sequence[str] = field(default=())


def print_class(node: Class) -> str:
    """The class as source text, ending with a newline."""
    lines = [f"class {identifier(node.name)}({node.base}):"]
    lines += _docstring(node.docstring, STEP)
    if node.fields:
        lines += ["", *(f"{STEP}{line}" for line in node.fields)]
    for function in node.body:
        lines.append("")
        lines += _function(function, STEP)
    return "\n".join(lines) + "\n"


def comment(text: str) -> str:
    """``text`` as it may stand after ``#`` or in a docstring: one line, printable, no quotes'
    end."""
    return "".join(c if c.isprintable() and c not in '\\"' else "?" for c in text)


def _function(node: Function, indent: str) -> list[str]:
    lines = [f"{indent}@{decorator}" for decorator in node.decorators]
    lines += _signature(node, indent)
    inner = indent + STEP
    if node.docstring:
        lines += _docstring(node.docstring, inner)
    return lines + print_body(node.body, inner, once=stands_for_the_next(node.name))


def _signature(node: Function, indent: str) -> list[str]:
    head = f"{indent}def {identifier(node.name)}("
    tail = f") -> {node.returns}:"
    items = [node.receiver, *(str(parameter) for parameter in node.parameters)]
    line = head + ", ".join(items) + tail
    if len(line) <= WIDTH:
        return [line]
    inner = indent + STEP
    together = inner + ", ".join(items)
    if len(together) <= WIDTH:
        return [head, together, indent + tail]
    return [head, *(f"{inner}{item}," for item in items), indent + tail]


def _docstring(text: str, indent: str) -> list[str]:
    first, *rest = text.split("\n")
    if not rest:
        return [f'{indent}"""{first}"""']
    body = [f"{indent}{line}" if line else "" for line in rest]
    return [f'{indent}"""{first}', *body, f'{indent}"""']


def print_body(statements: Sequence[Statement], indent: str, *, once: bool = False) -> list[str]:
    """The lines of a block; ``once``: a statement from the line of the spec that the one before it
    comes from has no mark."""
    lines: list[str] = []
    before = ""
    for statement in statements:
        match statement:
            case Assign() | Evaluate() | Return():
                here = statement.mark
                if once and here == before:
                    statement = replace(statement, mark="")
                before = here
            case _:
                before = ""
        lines += print_statement(statement, indent, once=once)
    return lines


def print_statement(statement: Statement, indent: str, *, once: bool = False) -> list[str]:
    """The statement's lines; its mark trails where it fits and stands above where it does not."""
    match statement:
        case For():
            lines = lay_out(statement.iterable, indent, f"for {target(statement.target)} in ", ":")
            if len(lines[0]) > WIDTH and isinstance(statement.target, ast.Tuple):
                names = [f"{indent}    {target(name)}," for name in statement.target.elts]
                lines = [f"{indent}for (", *names]
                lines += lay_out(statement.iterable, indent, ") in ", ":")
            lines += print_body(statement.body, indent + STEP, once=once)
            return lines
        case If():
            lines = lay_out(statement.condition, indent, "if ", ":")
            if statement.mark and len(lines) == 1:
                lines = _marked(lines, statement.mark, indent)
            lines += print_body(statement.body, indent + STEP, once=once)
            if statement.otherwise:
                lines.append(f"{indent}else:")
                lines += print_body(statement.otherwise, indent + STEP, once=once)
            return lines
        case With():
            lines = lay_out(statement.context, indent, "with ", ":")
            lines += print_body(statement.body, indent + STEP, once=once)
            return lines
        case Closure():
            lines = ["", f"{indent}def {identifier(statement.name)}() -> {statement.returns}:"]
            lines += print_body(statement.body, indent + STEP, once=once)
            return [*lines, ""]
        case Continue():
            return [f"{indent}continue"]
        case Assign():
            lines = lay_out_value(statement.value, indent, f"{target(statement.target)} = ")
        case Augment():
            # As Python itself writes the operator, between two names.
            sign = flat(ast.BinOp(ast.Name("a"), statement.operator, ast.Name("b")))[2:-2]
            return lay_out_value(statement.value, indent, f"{target(statement.target)} {sign}= ")
        case Evaluate():
            lines = lay_out(statement.value, indent)
        case Return():
            lines = _return(statement.value, indent)
        case Assert():
            message = ast.Constant(statement.message)
            line = f"{indent}assert {flat(statement.condition)}, {flat(message)}"
            lines = [line]
            if len(line) > WIDTH:
                lines = [
                    f"{indent}assert {flat(statement.condition)}, (",
                    f"{indent}{STEP}{flat(message)}",
                    f"{indent})",
                ]
    return _marked(lines, statement.mark, indent)


def _return(value: ast.expr, indent: str) -> list[str]:
    if isinstance(value, ast.Tuple) and len(value.elts) > 1:
        line = f"{indent}return {flat(value)[1:-1]}"
        if len(line) <= WIDTH:
            return [line]
    return lay_out_value(value, indent, "return ")


def _marked(lines: list[str], mark: str, indent: str) -> list[str]:
    if not mark:
        return lines
    note = f"# {comment(mark)}"
    if len(lines) == 1 and len(lines[0]) + 2 + len(note) <= WIDTH:
        return [f"{lines[0]}  {note}"]
    return [f"{indent}{note}", *lines]
