"""What the params of a spec are called in the emitted source: constants, attributes, arguments.

Each is the param's own word wherever nothing else of the file, of ``torch.nn.Module`` or of the
layers has it; where something has, an underscore tells them apart. Non-goal: the names of tensors
and sizes inside a function, which are ``body``'s."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from specc import ir
from specc.semantics.names import EMITTED_GLOBALS, EMITTED_METHODS, MODULE_ATTRIBUTES
from specc.sizes import Poly, symbols

RESERVED: Final = frozenset(
    ["self", "super", "torch", "nn", "F", "Tensor", "Any", "float", "sum", "dict", "list", "tuple"]
)


def constant_names(program: ir.Program) -> dict[str, str]:
    """The file's params as constants of the emitted module: ``latent`` is ``LATENT``.

    A constant shares its name with nothing that any function of the file may call its own."""
    taken = set(RESERVED | EMITTED_GLOBALS | {"_"})
    for model in program.models:
        taken.add(model.name)
        taken.update(argument_names(model).values())
        taken.update(_names_of(model.inputs, model.nodes))
        taken.update(output.name for output in model.outputs)
    if program.train is not None:
        taken.update(_names_of(program.train.inputs, program.train.nodes))
        taken.update(_names_of((), program.train.metric_nodes))
    names: dict[str, str] = {}
    for param in program.params:
        name = _distinct(param.name.upper(), taken)
        taken.add(name)
        names[param.name] = name
    return names


def attribute_names(model: ir.Module, program: ir.Program) -> dict[str, str]:
    """The params that ``forward`` speaks of, and what the module keeps each as."""
    used: set[str] = set()
    for node in ir.flat_nodes(model.nodes):
        for operand in ir.node_operands(node):
            used |= _params_of(operand)
    for condition in model.conditions:
        used |= _params_of(condition.left) | _params_of(condition.right)
    taken = MODULE_ATTRIBUTES | EMITTED_METHODS | {layer.name for layer in model.layers}
    found: dict[str, str] = {}
    for name in sorted({param.name for param in (*program.params, *model.params)} & used):
        # What begins with an underscore is torch's own in a module.
        wanted = f"param{name}" if name.startswith("_") else name
        found[name] = _distinct(wanted, taken | set(found.values()))
    return found


def argument_names(model: ir.Module) -> dict[str, str]:
    """The model's own params as the constructor's arguments, none of which may hide what it
    calls."""
    names: dict[str, str] = {}
    taken = RESERVED | {param.name for param in model.params}
    for param in model.params:
        name = param.name
        if name in RESERVED:
            name = _distinct(f"{name}_", taken | set(names.values()))
        names[param.name] = name
    return names


def _distinct(wanted: str, taken: set[str] | frozenset[str]) -> str:
    name = wanted
    while name in taken:
        name += "_"
    return name


def _names_of(inputs: tuple[ir.Value, ...], nodes: tuple[ir.Node, ...]) -> Iterator[str]:
    """What the values are called, and the sizes that a function may read off them."""
    for value in inputs:
        yield value.name
        for size in value.type.shape:
            yield from symbols(size)
    for node in ir.flat_nodes(nodes):
        for value in ir.result_values(node.result):
            if value.named:
                yield value.name


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
