"""A model as a class: its constructor and its ``forward``.

Params are the constructor's arguments, layers its attributes under the names of the ``state_dict``.
Non-goal: training, which is ``training``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from specc import ir
from specc.catalog import LAYERS
from specc.emit.body import RESERVED, Body, mark
from specc.emit.expressions import Naming, call, dotted, of_arguments, of_size
from specc.emit.layout import identifier, literal
from specc.emit.statements import (
    Assert,
    Assign,
    Evaluate,
    Function,
    Parameter,
    Return,
    Statement,
    comment,
)
from specc.sizes import Poly, symbols

ANNOTATIONS = {"int": "int", "float": "float", "bool": "bool", "str": "str", "tuple": "tuple"}


def constant_names(program: ir.Program) -> dict[str, str]:
    """The file's params as constants of the emitted module: ``latent`` is ``LATENT``."""
    return {param.name: param.name.upper() for param in program.params}


def constructor(model: ir.Model, constants: Iterable[str], attributes: list[str]) -> Function:
    """``__init__``: keeps the params that ``forward`` speaks of, makes the layers."""
    params = [param.name for param in model.params]
    naming = _constructor_naming(params, set(constants))
    body: list[Statement] = [
        Evaluate(call(ast.Attribute(call(ast.Name("super")), "__init__", ast.Load())))
    ]
    for name in attributes:
        target = ast.Attribute(ast.Name("self"), name, ast.Store())
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
            Parameter(_free(param.name), ANNOTATIONS[param.type], _default(param.value))
            for param in model.params
        ],
        "None",
        "",
        body,
    )


def forward(model: ir.Model, constants: Iterable[str], attributes: list[str]) -> Function:
    """``forward``: the model's nodes, in the spec's words; its docstring gives the shapes."""
    body = Body(
        model.inputs,
        model.nodes,
        [output.value for output in model.outputs],
        attributes,
        param_prefix="self.",
        taken=(),
    )
    for condition in model.conditions:
        wanted = {
            symbol
            for side in (condition.left, condition.right)
            if isinstance(side, Poly)
            for symbol in symbols(side)
        }
        body.bind_sizes(wanted)
    for condition in model.conditions:
        body.statements.append(_assertion(condition, body.naming))
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


def forward_attributes(model: ir.Model, program: ir.Program) -> list[str]:
    """The params that ``forward`` speaks of, kept as attributes of the module."""
    named = {param.name for param in (*program.params, *model.params)}
    used: set[str] = set()
    for node in model.nodes:
        for operand in ir.node_operands(node):
            used |= _params_of(operand)
    for condition in model.conditions:
        used |= _params_of(condition.left) | _params_of(condition.right)
    return [name for name in sorted(named) if name in used]


def _params_of(operand: object) -> set[str]:
    if isinstance(operand, Poly):
        return set(symbols(operand))
    if isinstance(operand, ir.Scalar):
        return _form_params(operand.form)
    return set()


def _form_params(form: object) -> set[str]:
    if isinstance(form, Poly):
        return set(symbols(form))
    if not isinstance(form, tuple):
        return set()
    if form[:1] == ("param",):
        return {str(form[1])}
    return set().union(*(_form_params(item) for item in form))


def _constructor_naming(params: list[str], constants: set[str]) -> Naming:
    def param(name: str) -> ast.expr:
        return ast.Name(_free(name) if name in params else name.upper(), ast.Load())

    def nothing() -> ast.expr:
        raise AssertionError("a constructor's arguments hold no tensors")

    return Naming(
        value=lambda value: nothing(),
        param=param,
        size=param,
        device=nothing,
        precision=nothing,
    )


def _free(name: str) -> str:
    """A constructor's argument must not hide what the constructor calls."""
    return f"{name}_" if name in RESERVED else name


def _assertion(condition: ir.Condition, naming: Naming) -> Statement:
    from specc.emit.expressions import operation

    test = operation(
        condition.relation, of_size(condition.left, naming), of_size(condition.right, naming)
    )
    return Assert(test, f"{condition}: {condition.reason}", mark(condition.span))


def _default(value: ir.Static) -> str:
    if isinstance(value, tuple):
        items = ", ".join(_default(item) for item in value)
        return f"({items},)" if len(value) == 1 else f"({items})"
    assert not isinstance(value, Poly | ir.Scalar)
    return literal(value)


def _returns(count: int) -> str:
    return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"


def _shapes(model: ir.Model) -> str:
    inputs = ", ".join(f"{value.name}: {value.type}" for value in model.inputs)
    outputs = ", ".join(f"{output.name}: {output.value.type}" for output in model.outputs)
    return comment(f"{inputs} -> {outputs}.")
