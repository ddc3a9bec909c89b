"""Calls in another framework's form, as trees: which of their arguments say what a run or a shape
knows, and the small trees that a translation is made of.

Non-goal: which names mean what (``translation``)."""

from __future__ import annotations

from collections.abc import Sequence

from specc.catalog.advice.frameworks import CAST_NAMES
from specc.catalog.rows import Row
from specc.errors import Span
from specc.semantics.naming.bind import Given
from specc.semantics.naming.positional import Reading, orders, spelled
from specc.semantics.proposals.python_forms import last_name
from specc.syntax.tree import ast


def stack(node: ast.CallExpression, name: str) -> ast.CallExpression:
    """``TransformerEncoder(TransformerEncoderLayer(8, 2), 3)``, whose layer says its settings, as
    the one layer that it is here."""
    of = ("TransformerEncoder", "TransformerDecoder")
    if (
        name not in of
        or not node.arguments
        or not isinstance(node.arguments[0].value, ast.CallExpression)
    ):
        return node
    layer, rest = node.arguments[0].value, node.arguments[1:]
    if last_name(layer) != f"{name}Layer":
        return node
    places = ("d_model", "nhead", "dim_feedforward", "dropout", "activation")
    said = [
        item.model_copy(update={"name": item.name or places[min(place, len(places) - 1)]})
        for place, item in enumerate(layer.arguments)
    ]
    said = [item for item in said if item.name != "d_model"]
    behind = [item.model_copy(update={"name": item.name or "num_layers"}) for item in rest]
    return node.model_copy(update={"arguments": (*said, *behind)})


def activation_of(node: ast.CallExpression) -> ast.Argument | None:
    """Keras' activation in the call of a layer: `activation="relu"`, or behind the units."""
    found = next((item for item in node.arguments if item.name == "activation"), None)
    if found is None and last_name(node) == "Dense" and len(node.arguments) == 2:
        last = node.arguments[1]
        found = last if last.name is None and isinstance(last.value, ast.String) else None
    return found


def is_the_runs(name: str | None, row: Row | None) -> bool:
    """Whether an argument says what a run knows: whether it trains, and where its tensors are."""
    if name in ("training", "device", "requires_grad", "pin_memory", "memory_format", "dtype"):
        return row is None or name not in row.by_name
    return name == "inplace" and (row is None or name not in row.by_name)


def is_of_a_place(node: ast.CallExpression) -> bool:
    """Whether ``x.to(...)`` moves ``x``: its argument is a device, and no dtype."""
    for argument in node.arguments:
        value = argument.value
        device = argument.name == "device" or (
            isinstance(value, ast.String) and value.value not in CAST_NAMES
        )
        switch = argument.name in ("non_blocking", "copy")
        if not (device or switch or last_name(value) in ("device", "cuda", "cpu")):
            return False
    return True


def named(row: Row, arguments: tuple[ast.Argument, ...]) -> tuple[ast.Argument, ...]:
    """``arguments`` in torch's order as a spec has them: without those that the shapes tell, of
    ``nn.Linear(8, 4)`` the 8, and each by its name that cannot stand without. What is too little
    for torch is in the row's order."""
    given = [Given(each.name, None, each.span, each.value) for each in arguments]
    for told in (True, False):
        names = [a.name for a in row.arguments if not a.keyword_only and (told or not a.inferred)]
        for values in orders(names, given):
            whole = all(each.name in values for each in row.arguments if each.required)
            if whole and values.keys() <= row.by_name.keys() and given:
                found = Reading(values, given[0].span)
                left = [name for name in values if row.by_name[name].inferred]
                return spelled(row, found.without(set(left) - {*row.unnamed[-1]}))
    return arguments


def as_stage(target: ast.Expression) -> ast.Stage:
    """``target`` as a stage without a label."""
    return ast.Stage(span=target.span, label=None, target=target, wrappers=())


def binary(
    operator: str, left: ast.Expression, right: ast.Expression, node: ast.Expression
) -> ast.Binary:
    """``left operator right`` at the place of ``node``."""
    return ast.Binary(span=node.span, operator=operator, left=left, right=right)


def called(
    name: str, values: Sequence[tuple[str | None, ast.Expression]], span: Span
) -> ast.CallExpression:
    """``name(values)``."""
    return ast.CallExpression(
        span=span,
        callee=ast.Name(span=span, name=name),
        arguments=tuple(ast.Argument(span=span, name=said, value=value) for said, value in values),
    )


def literal(value: float | str | bool, span: Span) -> ast.Expression:
    """A number, a string or a truth as the language writes it."""
    if isinstance(value, bool):
        return ast.Boolean(span=span, value=value)
    if isinstance(value, str):
        return ast.String(span=span, value=value)
    if value < 0:
        return ast.Unary(span=span, operator="-", operand=ast.Number(span=span, value=-value))
    return ast.Number(span=span, value=value)


def static_index(index: ast.Node | None) -> int | None:
    """The whole number that ``index`` is as it is written; None of any other."""
    match index:
        case ast.Number(value=int() as value):
            return value
        case ast.Unary(operator="-", operand=ast.Number(value=int() as value)):
            return -value
    return None
