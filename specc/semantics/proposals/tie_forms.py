"""Other forms of an expression that ties sizes: what its line may have meant.

An operand with its last two dimensions exchanged, one with the dimension that it lacks, a layer
whose batch comes first. Non-goal: which of them check (``tie_fixes``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from specc.catalog import LAYERS
from specc.errors import Span
from specc.semantics.calls.masks import other_masks
from specc.syntax.tree import ast
from specc.syntax.tree.written import written

# Places of a text, what stands there instead, and how that is told.
Edits = list[tuple[Span, str, str]]

_PRODUCTS: Final = frozenset(["matmul", "bmm", "mm", "mv", "addmm", "addbmm", "baddbmm"])
# Their scores have the classes second.
_OF_LABELS: Final = frozenset(["CrossEntropyLoss", "cross_entropy", "NLLLoss", "nll_loss"])
_REDUCTIONS: Final = frozenset(
    "mean sum amax amin std var median logsumexp prod norm any all".split()
)
_TENSORS: Final = (ast.Name, ast.CallExpression, ast.Subscript, ast.Attribute, ast.Binary)
# The shapes that a reason for a tie names.
_SHAPES: Final = re.compile(r"^\[([^\]]*)\] and \[([^\]]*)\] do not fit together")


def forms(expression: ast.Expression, reasons: Sequence[str]) -> Iterator[ast.Expression]:
    """What ``expression``, which ties sizes for ``reasons``, may have meant, the likeliest
    first."""
    yield from _exchanged(expression)
    yield from _widened(expression, reasons)
    yield from _with_batch_first(expression)


def _exchanged(expression: ast.Expression) -> Iterator[ast.Expression]:
    """``expression`` with the last two dimensions of one operand exchanged, the last operand
    first: of a product, of a loss's scores, or where an exchange that is written goes."""
    if isinstance(expression, ast.Binary):
        for side in ("right", "left"):
            for other in _transposed(getattr(expression, side), expression.operator == "@"):
                yield expression.model_copy(update={side: other})
    elif isinstance(expression, ast.CallExpression):
        name = expression.callee.name if isinstance(expression.callee, ast.Name) else ""
        for place, argument in reversed([*enumerate(expression.arguments)]):
            scores = name in _OF_LABELS and place == 0
            for other in _transposed(argument.value, name in _PRODUCTS or scores):
                yield _replaced(expression, place, other)


def _transposed(operand: ast.Expression, multiplies: bool) -> Iterator[ast.Expression]:
    if isinstance(operand, ast.Attribute) and operand.name in ("T", "mT"):
        yield operand.value
    elif multiplies and isinstance(operand, _TENSORS):
        yield ast.Attribute(span=operand.span, value=operand, name="mT")


def _widened(expression: ast.Expression, reasons: Sequence[str]) -> Iterator[ast.Expression]:
    """``expression`` with the dimension of 1 that one operand lacks beside the other."""
    shapes = next((match for reason in reasons if (match := _SHAPES.match(reason))), None)
    if shapes is None:
        return
    left, right = (len(shape.split(", ")) for shape in shapes.groups())
    fewer = min(left, right)
    if abs(left - right) != 1:
        return  # of as many dimensions, it would be every one with every other
    if isinstance(expression, ast.Binary):
        side = "left" if left < right else "right"
        for other in _wide(getattr(expression, side), fewer):
            yield expression.model_copy(update={side: other})
    elif (
        isinstance(expression, ast.CallExpression)
        and isinstance(expression.callee, ast.Name)
        and fewer > 1
    ):
        for place, argument in enumerate(expression.arguments):
            for other in _wide(argument.value, fewer):
                yield _replaced(expression, place, other)


def _wide(operand: ast.Expression, rank: int) -> Iterator[ast.Expression]:
    span = operand.span
    reduced = operand.callee if isinstance(operand, ast.CallExpression) else None
    if isinstance(operand, ast.CallExpression) and isinstance(reduced, ast.Name):
        said = {argument.name for argument in operand.arguments}
        if reduced.name in _REDUCTIONS and len(operand.arguments) > 1 and "keepdim" not in said:
            kept = ast.Argument(span=span, name="keepdim", value=ast.Boolean(span=span, value=True))
            yield operand.model_copy(update={"arguments": (*operand.arguments, kept)})
            return
    if not isinstance(operand, _TENSORS):
        return
    last = ast.Unary(span=span, operator="-", operand=ast.Number(span=span, value=1))
    second = ast.Number(span=span, value=1)
    for dim in (last, second) if rank > 1 else (last,):
        arguments = [ast.Argument(span=span, name=None, value=value) for value in (operand, dim)]
        callee = ast.Name(span=span, name="unsqueeze")
        yield ast.CallExpression(span=span, callee=callee, arguments=tuple(arguments))


def _with_batch_first(expression: ast.Expression) -> Iterator[ast.Expression]:
    """``Layer(...)(x, y)`` with ``batch_first=true``."""
    made = expression.callee if isinstance(expression, ast.CallExpression) else None
    other = _made_batch_first(made) if made is not None else None
    if other is not None:
        yield expression.model_copy(update={"callee": other})


def _made_batch_first(made: ast.Expression) -> ast.CallExpression | None:
    """The call that makes a layer with ``batch_first=true``; None where it says so or cannot."""
    callee = made.callee if isinstance(made, ast.CallExpression) else made
    arguments = made.arguments if isinstance(made, ast.CallExpression) else ()
    row = LAYERS.get(callee.name) if isinstance(callee, ast.Name) else None
    said = {argument.name for argument in arguments}
    if row is None or "batch_first" not in row.by_name or "batch_first" in said:
        return None
    first = ast.Argument(
        span=made.span, name="batch_first", value=ast.Boolean(span=made.span, value=True)
    )
    return ast.CallExpression(span=made.span, callee=callee, arguments=(*arguments, first))


def other_edits(tree: ast.Node, place: ast.Expression) -> Iterator[Edits]:
    """What the use of a layer at ``place`` may have meant that is written elsewhere, or beside it:
    the layer that it names made with the batch first, a mask under the name of the other kind."""
    call = place if isinstance(place, ast.CallExpression) else None
    if call is None:
        return
    made = call.callee
    declared: ast.LayerDeclaration | None = None
    if isinstance(made, ast.Name):
        declared = _declared(tree, made.name, place)
        if declared is None:
            return
        made = declared.stage.target
    callee = made.callee if isinstance(made, ast.CallExpression) else made
    row = LAYERS.get(callee.name) if isinstance(callee, ast.Name) else None
    if row is None:
        return
    first = _made_batch_first(made)
    batch: Edits = []
    if first is not None and declared is not None:
        batch = [(made.span, written(first), f"layer {declared.name} = {written(first)}")]
    if batch:
        yield batch
    for at, argument in enumerate(call.arguments):
        for name in other_masks(row, argument.name) if argument.name else ():
            other = argument.model_copy(update={"name": name})
            renamed = (*call.arguments[:at], other, *call.arguments[at + 1 :])
            said = written(call.model_copy(update={"arguments": renamed}))
            masked: Edits = [(place.span, said, said)]
            yield masked
            if batch:
                yield [*batch, *masked]


def _declared(node: ast.Node, name: str, place: ast.Node) -> ast.LayerDeclaration | None:
    """The declaration of the layer ``name`` in the model or block that ``place`` is in."""
    for inner in ast.inner(node):
        span = getattr(inner, "span", None)
        if isinstance(inner, ast.LayerDeclaration) and inner.name == name:
            return inner
        if span is not None and span.start <= place.span.start <= span.end:
            found = _declared(inner, name, place)
            if found is not None:
                return found
    return None


def _replaced(call: ast.CallExpression, place: int, value: ast.Expression) -> ast.CallExpression:
    """``call`` with another value at ``place``."""
    changed = call.arguments[place].model_copy(update={"value": value})
    arguments = (*call.arguments[:place], changed, *call.arguments[place + 1 :])
    return call.model_copy(update={"arguments": arguments})
