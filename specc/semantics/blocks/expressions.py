"""Elaborates expressions: each to an entity, adding the nodes that compute it.

A fault is reported once and poisons what depends on it. The kinds of expression that are a subject
of their own stand apart: pipes are ``pipes``, operators ``operators``, indexing ``subscripts``,
calls of rows ``calls``; those that hold expressions are handed ``elaborate``."""

from __future__ import annotations

import math
from typing import Literal

from specc import ir
from specc.errors import Fix, Span, TooLarge
from specc.semantics.blocks.blocks import apply_block
from specc.semantics.blocks.called_models import call_member, weights_as_values
from specc.semantics.blocks.declared import apply_handle
from specc.semantics.blocks.inlined import inline, is_inlined
from specc.semantics.blocks.loops import listing
from specc.semantics.blocks.pipes import pipeline
from specc.semantics.blocks.subscripts import subscript
from specc.semantics.calls.calls import (
    apply_layer,
    call_function,
    fed_with,
    given_arguments,
    make_layer,
)
from specc.semantics.calls.grad_calls import derivative, is_derivative
from specc.semantics.calls.layer_choices import chosen
from specc.semantics.calls.masks import unnamed_mask
from specc.semantics.calls.operators import binary, compile_time, is_compile_time, unary
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    Items,
    LayerHandle,
    Poison,
    describe,
    is_poisoned,
)
from specc.semantics.compile_time.library import MOST_WORK, too_much_work
from specc.semantics.naming.bind import Given
from specc.semantics.naming.foreign_names import Place
from specc.semantics.naming.graph import Graph, Hint
from specc.semantics.naming.missing import is_elsewhere, unknown
from specc.semantics.naming.positional import late_fault, misplaced
from specc.semantics.proposals.python_forms import is_length
from specc.semantics.proposals.python_habits import as_call, is_habit, report_habit
from specc.suggestions import did_you_mean, listed
from specc.syntax.tree import ast
from specc.syntax.tree.written import written


def elaborate(graph: Graph, expression: ast.Expression, hint: Hint = None) -> Entity:
    """What ``expression`` stands for; ``hint`` names the values it makes."""
    library = graph.library
    library.work += 1
    try:
        if library.work > MOST_WORK:
            raise too_much_work(expression.span)
        return _elaborated(graph, expression, hint)
    except TooLarge as fault:
        fault.span = fault.span or expression.span
        raise


def _elaborated(graph: Graph, expression: ast.Expression, hint: Hint) -> Entity:
    match expression:
        case ast.Number() | ast.String() | ast.Boolean():
            return expression.value
        case ast.NoneLiteral():
            return None
        case ast.Name():
            return _name(graph, expression)
        case ast.Sequence():
            return Items(tuple(elaborate(graph, item) for item in expression.items))
        case ast.Unary():
            return unary(graph, expression, elaborate(graph, expression.operand), hint)
        case ast.Binary():
            left, right = elaborate(graph, expression.left), elaborate(graph, expression.right)
            return binary(graph, expression, left, right, hint)
        case ast.CallExpression():
            return _call(graph, expression, hint)
        case ast.Subscript():
            return _subscript(graph, expression, hint)
        case ast.Attribute():
            return _attribute(graph, expression, hint)
        case ast.Pipeline():
            return pipeline(graph, expression, hint, elaborate)
        case ast.Comprehension():
            return listing(graph, expression, hint, elaborate)
    what = "`repeat`" if isinstance(expression, ast.Repeat) else "a chain in braces"
    return graph.error(
        "E0226", f"{what} is a stage of a pipe, not a value", expression.span, "feed it: `x -> ...`"
    )


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def _name(graph: Graph, expression: ast.Name) -> Entity:
    name = expression.name
    if name in graph.env:
        graph.used.add(name)
        return graph.env[name]
    if name in graph.unread:
        return POISON
    if name == "inf":
        return math.inf
    if name in graph.members:
        return weights_as_values(graph, name, expression.span)
    return unknown(graph, name, expression.span)


# ── calls, subscripts, attributes ────────────────────────────────────────────────────────────────


def _call(graph: Graph, expression: ast.CallExpression, hint: Hint) -> Entity:
    callee = expression.callee
    if is_habit(graph, expression):
        return report_habit(graph, expression, elaborate)
    if isinstance(callee, ast.Name) and is_elsewhere(graph, callee.name):
        return unknown(graph, callee.name, callee.span)
    given = given_arguments(graph, expression.arguments, elaborate)
    if isinstance(callee, ast.Name):
        if is_compile_time(graph, callee.name, given):
            return compile_time(graph, callee.name, given, expression.span)
        if is_length(graph, callee):
            return _length(graph, expression, given[0].value if given else None)
        if callee.name not in graph.env and callee.name in graph.catalogue.layers:
            return _layer_called(graph, expression, given)
        return _call_name(graph, callee, given, expression.span, hint)
    # `Linear(4)(x)`: a layer made and applied in one breath.
    if isinstance(callee, ast.CallExpression) and isinstance(callee.callee, ast.Name):
        name = callee.callee.name
        if is_inlined(graph, name) and name not in graph.env:
            given += given_arguments(graph, callee.arguments, elaborate, name)
            return inline(graph, name, [], given, expression.span, hint, elaborate)
        by_param = isinstance(graph.env.get(name), ir.LayerChoice)
        if graph.kind == "model" and graph.is_layer(name) and (by_param or name not in graph.env):
            settings = given_arguments(graph, callee.arguments, elaborate, name)
            return _made_and_fed(graph, name, settings, given, expression.span, callee.span, hint)
        return _call_name(graph, callee.callee, given, expression.span, hint, "made")
    return graph.error("E0226", "this cannot be called", callee.span)


def _length(graph: Graph, expression: ast.CallExpression, value: Entity) -> Entity:
    """``len`` of what is no compile-time value: of a list of tensors, or Python's of a tensor."""
    if isinstance(value, Poison):
        return POISON
    if isinstance(value, Items) and len(expression.arguments) == 1:
        return POISON if is_poisoned(value) else len(value.items)
    return report_habit(graph, expression, elaborate)


def _layer_called(graph: Graph, expression: ast.CallExpression, given: list[Given]) -> Entity:
    """``ReLU(x)``, ``Linear(8)``: a layer where a value is wanted; an E0202."""
    assert isinstance(expression.callee, ast.Name)
    name = expression.callee.name
    pairs = [*zip(expression.arguments, given, strict=True)]
    fed = tuple(argument for argument, item in pairs if isinstance(item.value, ir.Value))
    made = expression.model_copy(
        update={"arguments": tuple(argument for argument, _ in pairs if argument not in fed)}
    )
    advice = (
        f"write `x -> {name}(...)`, or `{name}(...)(x)`; to use it by a name, declare it: `layer"
        f" {name.lower()} = {written(made)}`"
    )
    if fed:
        call = ast.CallExpression(span=expression.span, callee=made, arguments=fed)
        advice = f"write `{written(call)}`"
    return graph.error(
        "E0202", f"`{name}` is a layer: it is made, then fed", expression.span, advice
    )


def _made_and_fed(
    graph: Graph, name: str, settings: list[Given], given: list[Given], span: Span, place: Span,
    hint: Hint,
) -> Entity:  # fmt: skip
    late = misplaced(given)
    if late is not None:
        return graph.error(
            "E0208", late_fault(late), late.span, "what has no name stands before what has one"
        )
    choice, name, settings = chosen(graph, name, settings, place)
    row = graph.catalogue.layers.get(name)
    if row is None:
        named = [item for item in given if item.name is not None]
        if named:
            return graph.error("E0208", f"`{name}` takes tensors here", named[0].span)
        fed = [item.value for item in given]
        return apply_block(graph, name, settings, fed, None, span, hint, elaborate)
    if unnamed_mask(graph, row, given):
        return POISON
    inputs, by_name = fed_with(row, given)
    path = graph.place(None, span.start)
    if not make_layer(graph, row, settings, inputs, path, place, choice=choice):
        return POISON
    return apply_layer(graph, path, inputs, span, hint, by_name)


def _call_name(
    graph: Graph, callee: ast.Name, given: list[Given], span: Span, hint: Hint,
    place: Place = "call",
) -> Entity:  # fmt: skip
    name = callee.name
    entity = graph.env.get(name)
    if name in graph.members:
        return call_member(graph, name, [], given, None, span, hint, elaborate)
    if isinstance(entity, LayerHandle):
        graph.used.add(name)
        return apply_handle(graph, entity, given, span, hint, elaborate)
    if isinstance(entity, Poison) or name in graph.unread:
        return POISON
    if is_inlined(graph, name):
        return inline(graph, name, [], given, span, hint, elaborate)
    if name in graph.modules:
        if graph.kind == "train":
            return call_member(graph, name, [], given, None, span, hint, elaborate)
        return graph.error(
            "E0202",
            f"`{name}` is a {graph.modules[name].kind}: it is made, then fed",
            callee.span,
            f"write `x -> {name}(...)`, or `{name}(...)(x)`",
        )
    if is_derivative(graph, name):
        return derivative(graph, given, span, hint)
    catalogue = graph.catalogue
    if name in catalogue.functions:
        return call_function(graph, "function", catalogue.functions[name], given, span, hint)
    if name in catalogue.losses:
        if graph.kind != "train":
            return graph.error(
                "E0204", f"{name} is a loss; losses stand in `train`", callee.span,
                f"write `loss = {name}(...)` in `train`",
            )  # fmt: skip
        return call_function(graph, "loss", catalogue.losses[name], given, span, hint)
    if name in catalogue.metrics:
        return graph.error(
            "E0204", f"{name} is a metric", callee.span, f"write `metric {name}(...)` in `train`"
        )
    if entity is not None:
        return graph.error(
            "E0226", f"`{name}` is {describe(entity)}; it cannot be called", callee.span
        )
    return unknown(graph, name, callee.span, place=place)


def _subscript(graph: Graph, expression: ast.Subscript, hint: Hint) -> Entity:
    if is_habit(graph, expression):
        return report_habit(graph, expression, elaborate)
    value = elaborate(graph, expression.value)
    if isinstance(value, Poison):
        return POISON
    return subscript(graph, value, expression, hint, elaborate)


def _attribute(graph: Graph, expression: ast.Attribute, hint: Hint) -> Entity:
    if is_habit(graph, expression):
        return report_habit(graph, expression, elaborate)
    value = elaborate(graph, expression.value)
    span = expression.span
    match value:
        case Poison():
            return POISON
        case LayerHandle():
            return _parameter(graph, value, expression, hint)
        case ir.Value() if expression.name in ("T", "mT"):
            rank = len(value.type.shape)
            if (expression.name == "T" and rank != 2) or rank < 2:
                wanted = "a matrix" if expression.name == "T" else "at least 2 dimensions"
                return graph.error(
                    "E0301",
                    f"`.{expression.name}` wants {wanted}, this is {value.type}",
                    span,
                    "use transpose(x, dim0, dim1)",
                )
            *batch, rows, columns = value.type.shape
            made = graph.value(value.type.with_shape((*batch, columns, rows)), span, hint)
            attribute: Literal["T", "mT"] = "T" if expression.name == "T" else "mT"
            graph.nodes.append(ir.Transpose(value, attribute, made, span))
            return made
    part = {"values": 0, "indices": 1}.get(expression.name)
    if isinstance(value, Items) and part is not None:
        said = f"{written(expression.value)}[{part}]"
        return graph.error(
            "E0226", f"the results have no `.{expression.name}`: each has its place", span,
            f"write `{said}`", (), Fix(span.start, span.end, said),
        )  # fmt: skip
    called = as_call(graph, expression)
    return graph.error(
        "E0226",
        f"{describe(value)} has no `.{expression.name}`",
        span,
        f"write `{written(called)}`"
        if called is not None
        else "tensors have `.T` and `.mT`, declared layers parameters; all else is a function",
    )


def _parameter(graph: Graph, handle: LayerHandle, expression: ast.Attribute, hint: Hint) -> Entity:
    layer = graph.layers.get(handle.path)
    if layer is None and handle.path not in graph.declared:
        return POISON  # fed with what was reported
    if layer is None:
        return graph.error(
            "E0227",
            f"`{handle.name}` is not used yet, so its sizes are not known",
            expression.span,
            f"apply it first: `{handle.name}(x)`",
        )
    if layer.module is not None:
        return graph.error(
            "E0201",
            f"`{handle.name}` is a block, and has no `{expression.name}` that is seen from here",
            expression.span,
            "put the value out of the block, or share the layer itself",
        )
    shapes = dict(layer.parameters)
    if expression.name not in shapes:
        return graph.error(
            "E0201",
            f"{layer.type} has no parameter `{expression.name}`",
            expression.span,
            did_you_mean(expression.name, shapes, listed(shapes, "it has ", "it has none")),
        )
    type_ = ir.TensorType("float", shapes[expression.name])
    made = graph.value(type_, expression.span, hint)
    graph.nodes.append(ir.ParameterRead(handle.path, expression.name, made, expression.span))
    return made
