"""Which expressions are in Python's form: methods, prefixes, ``self``, ``Sequential``, sizes.

Non-goal: what a spec says instead, which is ``translation``."""

from __future__ import annotations

from collections.abc import Iterator

from specc.catalog.advice.elsewhere import ROOTS, TRUTH
from specc.catalog.advice.frameworks import INFINITIES
from specc.errors import Span
from specc.semantics.naming.graph import Graph
from specc.syntax.tree import ast

OF_TENSORS = frozenset("shape ndim device dtype data grad".split())


def is_habit(graph: Graph, node: ast.Node) -> bool:
    """Whether ``node`` itself, whatever is inside, is in Python's form."""
    match node:
        case ast.Name():
            return node.name in TRUTH
        case ast.CallExpression(callee=ast.Attribute()):
            return True
        case ast.CallExpression(callee=ast.CallExpression(callee=inner)):
            return isinstance(inner, ast.Attribute) or is_sequential(graph, inner)
        case ast.CallExpression(callee=callee):
            other = endless_number(node) is not None or of_the_run(graph, node) is not None
            return other or is_sequential(graph, callee)
        case ast.Subscript(value=ast.Attribute(name="shape")):
            return True
        case ast.Attribute(name="values" | "indices", value=ast.CallExpression() as call):
            return is_habit(graph, call)
        case ast.Attribute():
            return root(graph, node) is not None or node.name in OF_TENSORS
    return False


def holds_habit(graph: Graph, node: ast.Node) -> bool:
    """Whether something in ``node`` is in Python's form."""
    return any(is_habit(graph, part) for part in _parts(node))


def last_name(node: ast.Expression) -> str:
    """``Adam`` of ``torch.optim.Adam(...)`` and of ``Adam``; empty of what ends in no name."""
    callee = node.callee if isinstance(node, ast.CallExpression) else node
    if isinstance(callee, ast.Attribute):
        return callee.name
    return callee.name if isinstance(callee, ast.Name) else ""


def root(graph: Graph, node: ast.Expression) -> str | None:
    """``torch`` of ``torch.nn.relu``, unless something here has that name."""
    while isinstance(node, ast.Attribute):
        node = node.value
    if not isinstance(node, ast.Name) or node.name in graph.env or node.name in graph.modules:
        return None
    return node.name if node.name in ROOTS or node.name == "self" else None


def is_sequential(graph: Graph, node: ast.Expression) -> bool:
    """Whether ``node`` is torch's container of that name."""
    return (
        isinstance(node, ast.Name)
        and node.name == "Sequential"
        and node.name not in graph.env
        and node.name not in graph.modules
    )


def endless_number(node: ast.CallExpression) -> ast.Expression | None:
    """``float("-inf")`` as ``-inf``; None of any other call."""
    if not isinstance(node.callee, ast.Name) or node.callee.name != "float":
        return None
    if len(node.arguments) != 1 or not isinstance(node.arguments[0].value, ast.String):
        return None
    return infinity(node.arguments[0].value.value.strip(), node.span)


def infinity(name: str, span: Span) -> ast.Expression | None:
    """``inf``, ``-inf``, ``NINF`` and their like as the language writes them; None of others."""
    sign, bare = ("-", name[1:]) if name.startswith("-") else ("", name.removeprefix("+"))
    if bare == "NINF":
        sign, bare = "-", "inf"
    if bare not in INFINITIES:
        return None
    made = ast.Name(span=span, name="inf")
    return ast.Unary(span=span, operator="-", operand=made) if sign else made


def of_the_run(graph: Graph, node: ast.CallExpression) -> str | None:
    """The argument of a function's call that says what the run or a cast says here."""
    if not isinstance(node.callee, ast.Name) or node.callee.name in graph.env:
        return None
    row = graph.catalogue.functions.get(node.callee.name)
    if row is None:
        return None
    for item in node.arguments:
        if item.name in ("dtype", "device", "requires_grad") and item.name not in row.by_name:
            return item.name
    return None


def is_length(graph: Graph, node: ast.Expression) -> bool:
    """Whether ``node`` is Python's ``len``."""
    return isinstance(node, ast.Name) and node.name == "len" and node.name not in graph.env


def _parts(node: ast.Node) -> Iterator[ast.Node]:
    """``node`` and every node inside it."""
    yield node
    for item in ast.inner(node):
        yield from _parts(item)
