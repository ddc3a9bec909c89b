"""A model as a class: its constructor and its ``forward``.

Params are the constructor's arguments, layers its attributes under the names of the ``state_dict``.
Non-goal: training, which is ``training``.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from specc import ir
from specc.catalog import LAYERS
from specc.emit.body import Body, mark
from specc.emit.expressions import Naming, call, dotted, of_arguments
from specc.emit.layout import STEP, WIDTH, identifier, literal
from specc.emit.names import argument_names
from specc.emit.statements import (
    Assign,
    Evaluate,
    Function,
    Parameter,
    Return,
    Statement,
    comment,
)
from specc.sizes import Poly

_LONGEST_DOCSTRING = WIDTH - 2 * len(STEP) - 2 * len('"""')
ANNOTATIONS = {"int": "int", "float": "float", "bool": "bool", "str": "str", "tuple": "tuple"}


def constructor(
    model: ir.Module, constants: Mapping[str, str], attributes: Mapping[str, str]
) -> Function:
    """``__init__``: keeps the params that ``forward`` speaks of, makes the layers."""
    arguments = argument_names(model)
    naming = _constructor_naming(arguments, constants)
    body: list[Statement] = [
        Evaluate(call(ast.Attribute(call(ast.Name("super")), "__init__", ast.Load())))
    ]
    for name, attribute in attributes.items():
        target = ast.Attribute(ast.Name("self"), attribute, ast.Store())
        body.append(Assign(target, naming.param(name)))
    for layer in model.layers:
        row = LAYERS[layer.type]
        positional, keywords = of_arguments(row, layer.arguments, naming)
        target = ast.Attribute(ast.Name("self"), identifier(layer.name), ast.Store())
        made = ast.Call(dotted(row.torch), positional, keywords)
        body.append(Assign(target, made, mark(layer.span)))
    return Function(
        "__init__",
        [
            Parameter(arguments[param.name], ANNOTATIONS[param.type], _default(param.value))
            for param in model.params
        ],
        "None",
        "",
        body,
    )


def forward(model: ir.Module, attributes: Mapping[str, str]) -> Function:
    """``forward``: the model's nodes, in the spec's words; its docstring gives the shapes."""
    body = Body(
        model.inputs,
        model.nodes,
        [output.value for output in model.outputs],
        {name: f"self.{attribute}" for name, attribute in attributes.items()},
    )
    body.state(model.conditions)
    body.build()
    results = [body.expression(output.value) for output in model.outputs]
    value = results[0] if len(results) == 1 else ast.Tuple(results, ast.Load())
    last = model.outputs[-1].value.span
    inline = not isinstance(value, ast.Name | ast.Tuple)
    statements = [*body.statements, Return(value, mark(last) if inline else "")]
    return Function(
        "forward",
        [Parameter(name, "Tensor") for name in body.parameter_names()],
        _returns(len(results)),
        _shapes(model),
        statements,
    )


def _constructor_naming(arguments: Mapping[str, str], constants: Mapping[str, str]) -> Naming:
    def param(name: str) -> ast.expr:
        return ast.Name(arguments.get(name) or constants[name], ast.Load())

    def nothing() -> ast.expr:
        raise AssertionError("a constructor's arguments hold no tensors")

    return Naming(
        value=lambda value: nothing(),
        param=param,
        size=param,
        device=nothing,
        precision=nothing,
    )


def _default(value: ir.Static) -> str:
    if isinstance(value, tuple):
        items = ", ".join(_default(item) for item in value)
        return f"({items},)" if len(value) == 1 else f"({items})"
    assert not isinstance(value, Poly | ir.Scalar)
    return literal(value)


def _returns(count: int) -> str:
    return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"


def _shapes(model: ir.Module) -> str:
    """The docstring of ``forward``: one line if it fits, or else a tensor a line."""
    inputs = [comment(f"{value.name}: {value.type}") for value in model.inputs]
    outputs = [comment(f"{output.name}: {output.value.type}") for output in model.outputs]
    line = f"{', '.join(inputs)} -> {', '.join(outputs)}."
    if len(line) <= _LONGEST_DOCSTRING:
        return line
    return ",\n".join(inputs) + "\n-> " + ",\n   ".join(outputs) + "."
