"""Which types a parameter or buffer may have: said, held against what an expression gives, or told
by numbers that are written out.

Non-goal: what computes its value (``states``)."""

from __future__ import annotations

from collections.abc import Iterable

from specc import ir
from specc.errors import Span
from specc.semantics.compile_time.entities import Entity, Items, describe
from specc.semantics.models.written_types import tensor_type
from specc.semantics.naming.graph import Graph
from specc.semantics.naming.missing import unknown
from specc.sizes import Poly, evaluate, symbols
from specc.syntax.tree import ast
from specc.syntax.tree.written import written


def report_open(graph: Graph, what: str, open_: Iterable[str], span: Span) -> None:
    """An E0308: ``what`` asks for sizes that only a run knows."""
    graph.error(
        "E0308", f"{what}, but {', '.join(sorted(open_))} is known only when the model runs", span,
        "give that size of the input a number or a param",
    )  # fmt: skip


def declared_type(
    graph: Graph, statement: ast.State, said: ast.TypeExpression
) -> ir.TensorType | None:
    """The type that is said; None where something was reported."""
    for size in said.sizes or ():
        # Only an input names a size that nothing has.
        if isinstance(size, ast.Name) and size.name not in graph.env:
            if size.name not in graph.unread:
                unknown(graph, size.name, size.span)
            return None
    type_ = tensor_type(graph, said)
    if type_ is None:
        return None
    for each in (*type_.shape, type_.classes):
        open_ = symbols(each) - set(graph.params) if isinstance(each, Poly) else None
        if open_:
            report_open(graph, f"`{statement.name}` would be {type_}", open_, said.span)
            return None
    if not _is_kept(graph, statement, type_, said.span):
        return None
    return type_


def _is_kept(graph: Graph, statement: ast.State, type_: ir.TensorType, span: Span) -> bool:
    """Whether a module keeps a tensor of this type, and moves it as it moves the rest; E0251."""
    kind, name = statement.kind, statement.name
    advice = "write `float[...]`"
    if type_.is_complex:
        problem = "`Module.to` drops the imaginary part of what a module keeps"
        advice = "keep its real and imaginary part, and put them together: `complex(re, im)`"
    elif type_.floating and type_.dtype != "float":
        problem = "what a module keeps has the precision of the run"
    elif type_.meaning == "normal" or (type_.meaning == "unit" and statement.type is not None):
        problem = f"`{type_.meaning}` is of what comes in"
    elif kind == "parameter" and type_.dtype != "float":
        problem = "a parameter is of floats"
        if statement.type is None:
            advice = f"compute floats: `1.0 * {written(statement.value)}`, or write `buffer {name}`"
            if not isinstance(statement.value, ast.CallExpression | ast.Name):
                advice = f"compute floats, or write `buffer {name}`"
    else:
        return True
    graph.error("E0251", f"`{name}` would be {type_}: {problem}", span, advice)
    return False


def agreed_type(
    graph: Graph, statement: ast.State, declared: ir.TensorType | None, given: ir.TensorType
) -> ir.TensorType | None:
    """The type of what an expression gives, held against the one that is said."""
    span, name = statement.value.span, statement.name
    if declared is None:
        return given if _is_kept(graph, statement, given, span) else None
    if declared.dtype != given.dtype:
        graph.error(
            "E0251", f"`{name}` is declared {declared}, and this is {given}", span,
            "nothing is converted silently: change one of them",
        )  # fmt: skip
        return None
    if declared.classes is not None and given.classes is not None and not given.at_most:
        excess = evaluate(given.classes - declared.classes, graph.params)
        if isinstance(excess, int) and excess > 0:
            graph.error(
                "E0251", f"`{name}` is declared {declared}, and this is {given}", span,
                "change one of them",
            )  # fmt: skip
            return None
    pairs = list(zip(declared.shape, given.shape, strict=False))
    wrong = len(declared.shape) != len(given.shape)
    if wrong or any(evaluate(a - b, graph.params) != 0 for a, b in pairs):
        advice = "change one of them"
        if not given.shape and statement.type is not None:
            # One number everywhere.
            number, sizes = written(statement.value), statement.type.sizes or ()
            every = f"full([{', '.join(map(written, sizes))}], {number})"
            advice = f"write `{every}`"
        graph.error("E0251", f"`{name}` is declared {declared}, and this is {given}", span, advice)
        return None
    return declared


def constant_type(graph: Graph, value: Entity, statement: ast.State) -> ir.TensorType | None:
    """The type of numbers that are written out; None where an E0251 was reported."""
    shape: list[int] = []
    level: list[Entity] = [value]
    while all(isinstance(item, Items) for item in level):
        lengths = {len(item.items) for item in level if isinstance(item, Items)}
        if len(lengths) != 1 or lengths == {0}:
            level = [Items(())]
            break
        shape.append(lengths.pop())
        level = [inner for item in level if isinstance(item, Items) for inner in item.items]
    kinds = {_kind(item) for item in level}
    if kinds <= {"float", "int64"}:
        kind = "float" if "float" in kinds else "int64"
    elif kinds == {"bool"}:
        kind = "bool"
    else:
        found = describe(value)
        graph.error(
            "E0251", f"`{statement.name}` wants numbers in rows of one length, and this is {found}",
            statement.value.span, "write `(1.0, 2.0)`, or `((1, 2), (3, 4))`",
        )  # fmt: skip
        return None
    return ir.TensorType(kind, tuple(shape))


def _kind(item: Entity) -> str:
    value = item.value if isinstance(item, ir.Scalar) else item
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return "float"
    return "int64" if isinstance(value, int | Poly) else "other"
