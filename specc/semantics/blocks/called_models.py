"""Models called in ``train``: ``Generator(z)``, ``target(next_state)``.

Training holds each model as a member; a call of one is a call of its attribute. Non-goal: what is
done with the results (``train``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from specc.errors import Span
from specc.semantics.blocks.blocks import call_block, instantiate
from specc.semantics.compile_time.entities import POISON, Entity, is_poisoned
from specc.semantics.naming.bind import Given
from specc.semantics.naming.graph import Elaborate, Graph, Hint
from specc.syntax.tree import ast

if TYPE_CHECKING:
    from specc.semantics.compile_time.library import Definition

# What callers of torch give a model's weights as.
_WEIGHTS: Final = frozenset("weights weight params parameters state state_dict buffers".split())


def call_member(
    graph: Graph, name: str, inputs: list[Entity], given: list[Given], label: str | None,
    span: Span, hint: Hint, elaborate: Elaborate,
) -> Entity:  # fmt: skip
    """The member called ``name`` fed with ``inputs``; ``given`` are further arguments of a pipe."""
    inputs = [*inputs, *(item.value for item in given)]
    if any(is_poisoned(item) for item in inputs):
        return POISON
    if label is not None:
        return graph.error(
            "E0229", f"the label `{label}` names nothing: models are named where they are declared",
            span, "take the label away",
        )  # fmt: skip
    named = next((item for item in given if item.name is not None), None)
    if named is not None and named.name in _WEIGHTS:
        return weights_as_values(graph, name, named.span)
    if named is not None:
        return graph.error("E0208", f"`{name}` takes tensors here", named.span)
    member = graph.members.get(name)
    if member is None:
        return graph.error(
            "E0204", f"`{name}` is a model, and a block that `train` calls computes alone", span,
            f"call `{name}` in `train` itself, and feed the block with what it gives",
        )  # fmt: skip
    use = instantiate(graph, member.model, [], inputs, span, elaborate)
    if use is None:
        return POISON
    graph.called.add(name)
    return call_block(graph, member.attribute, use, inputs, span, hint)


def weights_as_values(graph: Graph, name: str, span: Span) -> Entity:
    """An E0433: the weights of ``name`` are taken for values, or values for its weights."""
    return graph.error(
        "E0433",
        f"`{name}` is called with the weights that it has, which are no values in `train`",
        span,
        "weights that are computed are arguments of functions: `linear(x, weight)`",
    )


def mentioned(block: ast.Train, models: Mapping[str, object]) -> list[str]:
    """The models that ``train`` calls by name, in the order of their declaration."""
    found = called(block, {})
    return [name for name in models if name in found]


def called(block: ast.Train, modules: Mapping[str, Definition]) -> set[str]:
    """The names that ``train`` calls, and those that the blocks among ``modules`` do in its
    place."""
    found: set[str] = set()
    _called(block.body, found)
    pending = [*found]
    while pending:
        definition = modules.get(pending.pop())
        if definition is not None and definition.kind == "block":
            inside: set[str] = set()
            _called(definition.tree.body, inside)
            pending += inside - found
            found |= inside
    return found


def _called(statements: Iterable[ast.Statement], found: set[str]) -> None:
    for statement in statements:
        match statement:
            case ast.Step() | ast.For():
                _called(statement.body, found)
            case ast.If():
                _called(statement.body + statement.otherwise, found)
            case ast.Assign():
                _callees(statement.value, found)
            case ast.Metric():
                _callees(statement.call, found)
            case ast.Output():
                for value in statement.values:
                    _callees(value, found)


def selected(block: ast.Train, models: Mapping[str, object]) -> set[str]:
    """The models that selectors, copies and averages of ``train`` name."""
    found: set[str] = set()
    for statement in block.body:
        for item in statement.body if isinstance(statement, ast.Step) else (statement,):
            if isinstance(item, ast.Copy | ast.Ema):
                found.add(item.of)
            if isinstance(item, ast.Freeze):
                found.update(pattern.text for pattern in item.whole)
            selector = getattr(item, "on", None)
            for pattern in selector.patterns if isinstance(selector, ast.Selector) else ():
                found.add(pattern.text.partition(".")[0])
    return found & models.keys()


def _callees(expression: ast.Expression, found: set[str]) -> None:
    match expression:
        case ast.CallExpression():
            if isinstance(expression.callee, ast.Name):
                found.add(expression.callee.name)
            else:
                _callees(expression.callee, found)
            for argument in expression.arguments:
                _callees(argument.value, found)
        case ast.Pipeline():
            _callees(expression.source, found)
            for stage in expression.stages:
                if isinstance(stage.target, ast.Name):
                    found.add(stage.target.name)
                else:
                    _callees(stage.target, found)
        case ast.Binary():
            _callees(expression.left, found)
            _callees(expression.right, found)
        case ast.Unary():
            _callees(expression.operand, found)
        case ast.Sequence():
            for item in expression.items:
                _callees(item, found)
        case ast.Subscript() | ast.Attribute():
            _callees(expression.value, found)
        case ast.Comprehension():
            _callees(expression.element, found)
