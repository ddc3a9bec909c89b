"""Python's ways of saying what a spec says otherwise, reported: each once, as a whole expression.

What of it is in the language's own form is still read, so that a fault in there is reported too.
Non-goals: lines that do not parse, which are ``syntax.recovery.habits``; what to write,
``translation``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from specc import ir
from specc.catalog.advice.elsewhere import other_form
from specc.errors import Fix, Span
from specc.semantics.compile_time.entities import Entity
from specc.semantics.naming.graph import Elaborate, Graph
from specc.semantics.proposals.python_forms import (
    endless_number,
    is_habit,
    last_name,
    of_the_run,
    root,
)
from specc.syntax.tree import ast
from specc.syntax.tree.written import written

if TYPE_CHECKING:
    from specc.semantics.proposals.translation import Translation

# What is told where the translation does not check.
_OTHERWISE: Final = "names stand alone, and what works on a value is a function of it: `relu(x)`"
_OF_SELF: Final = (
    "names stand alone; a layer that is used by its name is declared before: `layer {0} ="
    " Linear(8)`, then `{0}(x)`"
)

__all__ = [
    "as_call",
    "is_habit",
    "last_name",
    "rank_of",
    "report_habit",
    "report_stage",
    "report_state",
    "translated_stage",
    "without_prefix",
]


def rank_of(entity: Entity) -> int | None:
    """The number of dimensions of a tensor; None of anything else."""
    return len(entity.type.shape) if isinstance(entity, ir.Value) else None


def report_habit(graph: Graph, node: ast.Expression, elaborate: Elaborate) -> Entity:
    """An E0226 for ``node``, with its translation; gives POISON."""
    translation = _translation(graph, elaborate)
    return _report(node, translation.expression(node), translation)


def report_stage(graph: Graph, target: ast.Expression, fed: Entity, elaborate: Elaborate) -> Entity:
    """As ``report_habit``, of the target of a stage that ``fed`` goes into."""
    from specc.semantics.proposals.inferred_arguments import (
        otherwise_told,  # a habit alone needs it
    )

    translation = _translation(graph, elaborate, rank_of(fed))
    said = translation.stage(target)
    return _report(target, said, translation, otherwise_told(graph, target, fed, elaborate))


def report_state(graph: Graph, name: str, value: ast.Expression, span: Span) -> bool:
    """Whether ``value`` of the statement at ``span`` is a framework's state of a module, as in
    ``gamma = nn.Parameter(...)``; an E0226 with the declaration of ``name``."""
    if not isinstance(value, ast.CallExpression):
        return False
    maker = last_name(value)
    if maker not in ("Parameter", "Variable", "param") or _is_own(graph, value.callee):
        return False
    from specc.syntax.recovery import habit_states  # a habit alone needs it

    inside = written(value)[len(written(value.callee)) + 1 : -1]
    if maker == "param":
        said = habit_states.flax_parameter(inside)
    else:
        said = habit_states.parameter(name, inside)
    otherwise = other_form("Parameter")
    help_ = otherwise if said is None else f"write `{said}`"
    fix = None if said is None else Fix(span.start, span.end, said, otherwise)
    message = "what a model or a block keeps is declared"
    graph.error("E0226", message, value.span, help_, (), fix)
    return True


def _is_own(graph: Graph, callee: ast.Expression) -> bool:
    if isinstance(callee, ast.Attribute):
        return root(graph, callee) is None
    return last_name(callee) in graph.env or last_name(callee) in graph.modules


def _report(
    node: ast.Expression, said: ast.Expression, translation: Translation, also: str = ""
) -> Entity:
    graph = translation.graph
    advice, fix = (translation.unknown or [""])[0], None
    if not advice:
        text = written(said)
        callee = node.callee if isinstance(node, ast.CallExpression) else node
        own = root(graph, callee) == "self"
        otherwise = _OF_SELF.format(last_name(node)) if own else _OTHERWISE
        advice, fix = f"write `{text}`{also}", Fix(node.span.start, node.span.end, text, otherwise)
    entity = graph.error("E0226", _message(graph, node), node.span, advice, (), fix)
    translation.read_the_rest(node)
    return entity


def translated_stage(graph: Graph, target: ast.Expression, rank: int | None) -> str | None:
    """A stage's target under a name of another framework, as a spec says it."""
    translation = _translation(graph, None, rank)
    said = written(translation.stage(target))
    return None if translation.unknown or said == written(target) else said


def as_call(graph: Graph, node: ast.Attribute) -> ast.CallExpression | None:
    """``x.relu`` as the call of the function that it names, if there is one."""
    if node.name not in graph.catalogue.functions:
        return None
    value = _translation(graph, None).expression(node.value)
    argument = ast.Argument(span=value.span, name=None, value=value)
    callee = ast.Name(span=node.span, name=node.name)
    return ast.CallExpression(span=node.span, callee=callee, arguments=(argument,))


def without_prefix(call: ast.Expression) -> str:
    """``torch.optim.Adam(net.parameters(), lr=0.1)`` as ``Adam(lr=0.1)``."""
    name = ast.Name(span=call.span, name=last_name(call))
    if not isinstance(call, ast.CallExpression):
        return written(name)
    kept = tuple(
        argument for argument in call.arguments if last_name(argument.value) != "parameters"
    )
    return written(call.model_copy(update={"callee": name, "arguments": kept}))


def _translation(graph: Graph, elaborate: Elaborate | None, rank: int | None = None) -> Translation:
    from specc.semantics.proposals.translation import (  # a habit alone needs it
        Translation,
        nothing_read,
    )

    return Translation(graph, elaborate or nothing_read, rank)


def _message(graph: Graph, node: ast.Expression) -> str:
    callee = node.callee if isinstance(node, ast.CallExpression) else node
    if isinstance(callee, ast.CallExpression):
        callee = callee.callee
    if isinstance(callee, ast.Subscript):
        callee = callee.value
    if isinstance(callee, ast.Attribute) and callee.name in ("values", "indices"):
        return _message(graph, callee.value)
    if isinstance(callee, ast.Attribute):
        prefix = root(graph, callee)
        if prefix == "self":
            return "there is no `self` here: layers and values are known by their names"
        if callee.name == "Sequential":
            return "layers in a row stand in braces"
        if prefix is not None:
            return f"names stand alone here, without `{written(callee.value)}.`"
        if isinstance(node, ast.CallExpression):
            return f"there are no methods here: `.{callee.name}(...)`"
        return f"tensors have no `.{callee.name}` here"
    if isinstance(node, ast.CallExpression) and endless_number(node) is not None:
        return "infinity is a number of its own here"
    argument = of_the_run(graph, node) if isinstance(node, ast.CallExpression) else None
    if argument == "dtype":
        return "functions have no `dtype` here: what another type is wanted for is cast"
    if argument is not None:
        return f"functions have no `{argument}` here: that is the run's affair"
    if isinstance(callee, ast.Name) and callee.name == "len":
        return "there is no `len` here: sizes have names"
    return "layers in a row stand in braces"
