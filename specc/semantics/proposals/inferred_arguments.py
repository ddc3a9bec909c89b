"""What the shapes tell of an argument, beside what was written for it: of `nn.Linear(32, 4)` on a
width of 16 the 32 is left out, and is not what comes in.

Non-goal: arguments that a spec gives by name, which ``calls`` holds to the shapes (E0213)."""

from __future__ import annotations

from specc import ir
from specc.catalog.rows import Call, LayerRow, RuleError
from specc.errors import Span
from specc.semantics.compile_time.entities import Entity
from specc.semantics.naming.bind import Given
from specc.semantics.naming.graph import Elaborate, Graph
from specc.semantics.naming.positional import differing, orders
from specc.semantics.proposals.python_forms import last_name
from specc.sizes import Poly, evaluate
from specc.syntax.tree import ast
from specc.syntax.tree.written import written


def otherwise_told(graph: Graph, target: ast.Expression, fed: Entity, elaborate: Elaborate) -> str:
    """The end of a sentence on the layer that ``target`` makes in torch's order: which size it
    says otherwise than what is ``fed``; nothing where all agree, or that cannot be told."""
    row = graph.catalogue.layers.get(last_name(target))
    if row is None or not isinstance(target, ast.CallExpression) or not isinstance(fed, ir.Value):
        return ""
    given = [Given(each.name, None, each.span, each.value) for each in target.arguments]
    torchs = [each.name for each in row.arguments if not each.keyword_only]
    read = next(iter(orders(torchs, given)), {})
    whole = all(each.name in read for each in row.arguments if each.required)
    for name in row.infer if whole else ():
        item = read.get(name)
        if item is None or not isinstance(item.node, ast.Number | ast.Name):
            continue
        if isinstance(item.node, ast.Name) and item.node.name not in graph.env:
            continue
        value = elaborate(graph, item.node)
        told = _told(graph, row, name, fed, target.span)
        if isinstance(told, int | Poly) and isinstance(value, int | Poly):
            difference = evaluate(value - told, graph.params)
            if isinstance(difference, int) and difference != 0:
                return f"; {differing(name, written(item.node), told, graph.params)}"
    return ""


def _told(graph: Graph, row: LayerRow, name: str, fed: ir.Value, span: Span) -> object:
    args: dict[str, ir.Static] = {
        argument.name: argument.default  # type: ignore[misc]  # a literal of the row
        for argument in row.arguments
        if not argument.required and not argument.inferred
    }
    known = len(graph.conditions)
    try:
        return row.infer[name](
            Call(
                name=row.name, args=args, tensors={row.inputs[0].rstrip("?"): fed.type},
                params=graph.deciding, require_equal=graph.require_equal(span),
                require_at_least=graph.require_at_least(span),
            )
        )  # fmt: skip
    except (RuleError, KeyError):
        return None  # it asks for more than what is fed first
    finally:
        del graph.conditions[known:]
