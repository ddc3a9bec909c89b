"""A model as a class: its constructor and its ``forward``.

Params are the constructor's arguments, layers its attributes under the names of the ``state_dict``.
Non-goal: training, which is ``training_methods``.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace

from specc import ir
from specc.emit.constructor.classes import Classes, EmittedClass
from specc.emit.constructor.constructors import Maker
from specc.emit.constructor.inits import init_statements
from specc.emit.forward.body import Body
from specc.emit.forward.precision import Precision
from specc.emit.merging.asked import threads_asked
from specc.emit.merging.common_forms import Different, agree
from specc.emit.merging.param_names import argument_names
from specc.emit.merging.result_sizes import symbols_said
from specc.emit.writing.chosen_layers import annotation, written
from specc.emit.writing.expressions import call, static_naming
from specc.emit.writing.layout import flat, literal
from specc.emit.writing.line_breaking import STEP, WIDTH
from specc.emit.writing.marks import mark
from specc.emit.writing.statements import (
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
    made: EmittedClass, classes: Classes, constants: Mapping[str, str],
    attributes: Mapping[str, str], precision: Precision, lengths: Sequence[Statement] = (),
) -> Function:  # fmt: skip
    """``__init__``: keeps the params that ``forward`` speaks of and the precision that it asked
    for, makes the layers, whose number ``lengths`` asserts."""
    module = made.module
    arguments = argument_names(module)
    naming = static_naming(
        lambda name: ast.Name(_argument(name, arguments, made, constants), ast.Load())
    )
    taken = {*arguments.values(), *made.dimensions, *constants.values()}
    kept = made.kept_sizes()
    results = [name for _, size in kept for name in symbols_said(size)]
    wanted = threads_asked(made.parts, classes.sizes_of, results)
    keeping = classes.keeping(made.parts)
    maker = Maker(naming, classes.form, module.order, taken, wanted, keeping)
    super_init = ast.Attribute(call(ast.Name("super")), "__init__", ast.Load())
    body: list[Statement] = maker.limits(
        module, made.fixed(), classes.inherited(made), made.parts, len(made.variants)
    )
    if module.sequential:
        stages = [value for _, value in maker.stages(made.parts, "")]
        body += [Evaluate(ast.Call(super_init, stages, [])), *maker.keep(kept)]
    else:
        body.insert(0, Evaluate(call(super_init)))
        for name, attribute in attributes.items():
            target = ast.Attribute(ast.Name("self"), attribute, ast.Store())
            body.append(Assign(target, naming.param(name)))
        body += precision.kept()
        body += maker.body(made.parts, made.flags, kept)
    body += [*lengths, *init_statements(module, naming)]
    return Function("__init__", _parameters(made, arguments), "None", "", body)


def _argument(
    name: str, arguments: Mapping[str, str], made: EmittedClass, constants: Mapping[str, str]
) -> str:
    if name in arguments:
        return arguments[name]
    # What is neither a param nor a constant is a size, or the variable of a loop.
    return constants.get(name, name)


def _parameters(made: EmittedClass, arguments: Mapping[str, str]) -> list[Parameter]:
    """Sizes first, as torch's layers take them, then what has no default, then what has one."""
    defaults, hidden = made.defaults(), made.hidden()
    params = [param for param in made.module.params if param.name not in hidden]
    sizes = [Parameter(name, "int") for name in made.dimensions]
    required = [param for param in params if param.name not in defaults]
    optional = [param for param in params if param.name in defaults]
    return [
        *sizes,
        *(Parameter(arguments[param.name], _annotation(made, param)) for param in required),
        *(
            Parameter(arguments[param.name], _annotation(made, param), plain(defaults[param.name]))
            for param in optional
        ),
    ]


def _annotation(made: EmittedClass, param: ir.Param) -> str:
    if param.type != "layer":
        return ANNOTATIONS[param.type]
    given = [each.value for variant in made.variants for each in variant.params
             if each.name == param.name]  # fmt: skip
    defaults = made.defaults()
    return annotation([*given, defaults[param.name]] if param.name in defaults else given)


def forward(made: EmittedClass, attributes: Mapping[str, str], precision: Precision) -> Function:
    """``forward``: the module's nodes, in the spec's words; its docstring gives the shapes."""
    module = made.module
    values = made.results()
    body = Body(
        made.written.inputs,
        made.parts,
        values,
        {name: f"self.{attribute}" for name, attribute in attributes.items()},
        flags=made.flags,
        optional=made.optional,
        precision=precision.asked,
    )
    body.state(made.written.conditions if module.kind == "model" else ())
    body.build()
    results = body.expressions(values)
    value = results[0] if len(results) == 1 else ast.Tuple(results, ast.Load())
    last = values[-1].span
    inline = not isinstance(value, ast.Name | ast.Tuple)
    statements = [*body.statements, Return(value, mark(last) if inline else "")]
    return Function(
        "forward",
        [Parameter(name, "Tensor") for name in body.parameter_names()],
        _returns(len(results)),
        _shapes(made),
        statements,
    )


def plain(value: ir.Static) -> str:
    """A param's value as source text."""
    if isinstance(value, tuple):
        items = ", ".join(plain(item) for item in value)
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, ir.LayerChoice):
        return flat(written(value))
    assert not isinstance(value, Poly | ir.Scalar)
    return literal(value)


def _returns(count: int) -> str:
    return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"


def _shapes(made: EmittedClass) -> str:
    """The docstring of ``forward``: one line if it fits, or else a tensor a line."""
    module = made.module
    inputs = [
        comment(f"{value.name}: {_type(made, [each.inputs[k].type for each in made.variants])}")
        for k, value in enumerate(module.inputs)
    ]
    outputs = [
        comment(
            f"{output.name}: {_type(made, [each.outputs[k].value.type for each in made.variants])}"
        )
        for k, output in enumerate(module.outputs)
    ]
    line = f"{', '.join(inputs)} -> {', '.join(outputs)}.".lstrip()
    if len(line) <= _LONGEST_DOCSTRING:
        return line
    return (",\n".join(inputs) + "\n-> " + ",\n   ".join(outputs) + ".").lstrip()


def _type(made: EmittedClass, types: Sequence[ir.TensorType]) -> ir.TensorType:
    """The type in words that are true of every reading: the first's, where there are none."""
    first = types[0]
    if all(type_.shape == first.shape for type_ in types):
        return first
    try:
        shape = agree(
            [(type_.shape, point) for type_, point in zip(types, made.standpoints, strict=True)]
        )
    except Different:
        return first
    assert isinstance(shape, tuple)
    return replace(first, shape=shape)  # type: ignore[arg-type]  # sizes, as they were
