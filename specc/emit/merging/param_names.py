"""What the params of a spec are called in the emitted source: constants, attributes, arguments.

Each is the param's own word wherever nothing else of the file, of ``torch.nn.Module`` or of the
layers has it; where something has, an underscore tells them apart. Non-goal: the names of tensors
and sizes inside a function, which are ``body``'s."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from specc import ir
from specc.emit.merging.reads import sizes_read, symbols_of
from specc.emit.writing.borrowed import borrowed_names
from specc.emit.writing.method_parts import Part
from specc.emitted_names import (
    EMITTED_GLOBALS,
    EMITTED_METHODS,
    MODULE_ATTRIBUTES,
    RESERVED,
)
from specc.sizes import symbols


class Named(Protocol):
    """What is asked of an emitted class for the names in it (``classes.EmittedClass``)."""

    @property
    def name(self) -> str: ...
    @property
    def module(self) -> ir.Module: ...
    @property
    def variants(self) -> Sequence[ir.Module]: ...
    @property
    def parts(self) -> Sequence[Part]: ...
    @property
    def flags(self) -> Mapping[int, str]: ...


class NamedClasses(Protocol):
    """All classes of a file (``classes.Classes``)."""

    @property
    def listed(self) -> Sequence[Named]: ...


def constant_names(program: ir.Program, classes: NamedClasses | None = None) -> dict[str, str]:
    """The file's params as constants of the emitted module: ``latent`` is ``LATENT``.

    A constant shares its name with nothing that any function of the file may call its own."""
    taken = set(RESERVED | EMITTED_GLOBALS | {"_"})
    if classes is not None:
        taken.update(made.name for made in classes.listed)
    modules = [variant for made in classes.listed for variant in made.variants] if classes else []
    for module in modules or program.models:
        taken.add(module.name)
        taken.update(loop_variables(module.nodes))
        taken.update(argument_names(module).values())
        taken.update(module.dimensions)
        taken.update(_names_of(module.inputs, module.nodes))
        taken.update(output.name for output in module.outputs)
    taken |= borrowed_names(program)
    if program.train is not None:
        taken.update(_names_of(program.train.inputs, program.train.nodes))
        taken.update(_names_of((), program.train.shared))
        taken.update(_names_of((), program.train.metric_nodes))
    names: dict[str, str] = {}
    for param in program.params:
        name = distinct(param.name.upper(), taken)
        taken.add(name)
        names[param.name] = name
    return names


def loop_variables(nodes: Sequence[ir.Node]) -> Iterator[str]:
    """The variables of the loops among the nodes, which are names of the emitted source too."""
    for node in nodes:
        match node:
            case ir.Loop():
                yield from node.variables
                for iteration in node.iterations[:1]:
                    yield from loop_variables(iteration.nodes)
            case ir.Branch() | ir.Chain():
                yield from loop_variables(node.nodes)
            case _:
                continue


def attribute_names(made: Named, program: ir.Program) -> dict[str, str]:
    """The params that ``forward`` and the methods of training speak of, and what the module keeps
    each as."""
    module = made.module
    used = set(sizes_read(made.parts))
    if program.train is not None and program.train.model == module.name:
        # The file's params are constants, which training speaks of as such.
        used |= {param.name for param in module.params} & set(_said_in_training(program.train))
    for condition in module.conditions if module.kind == "model" else ():
        if condition.refused_by_torch:
            continue
        used |= symbols_of(condition.left) | symbols_of(condition.right)
    layers = {layer.name.partition(".")[0] for layer in module.layers}
    taken = MODULE_ATTRIBUTES | EMITTED_METHODS | layers | set(made.flags.values())
    if module.sequential:
        return {}
    found: dict[str, str] = {}
    for name in sorted({param.name for param in (*program.params, *module.params)} & used):
        # What begins with an underscore is torch's own in a module.
        wanted = f"param{name}" if name.startswith("_") else name
        found[name] = distinct(wanted, taken | set(found.values()))
    return found


def training_names(
    made: Named, program: ir.Program, constants: Mapping[str, str], held: str = "self"
) -> dict[str, str]:
    """What the methods of training call params: the file's are ``constants``, those of the model
    attributes of the module, which is ``held`` by them."""
    own = {param.name for param in made.module.params}
    attributes = attribute_names(made, program)
    return {
        **constants,
        **{name: f"{held}.{attributes[name]}" for name in attributes if name in own},
    }


def _said_in_training(train: ir.Train) -> Iterator[str]:
    """The symbols that training speaks of, in what it computes, asks of sizes and is set to."""
    nodes = [*train.shared, *train.nodes, *train.metric_nodes]
    for node in ir.flat_nodes(nodes):
        for operand in ir.node_operands(node):
            yield from symbols_of(operand)
    yield from _said_in_structure(nodes)
    for decision in train.decisions:
        yield from symbols_of(decision.condition)
    for condition in train.conditions:
        yield from symbols_of(condition.left) | symbols_of(condition.right)
    for member in train.members:
        yield from symbols_of(member.decay)
    for step in train.steps:
        for arguments in _settings(step):
            for _, value in arguments:
                yield from symbols_of(value)


def _said_in_structure(nodes: Sequence[ir.Node]) -> Iterator[str]:
    """What loops go through, and what branches in them were decided by."""
    for node in nodes:
        match node:
            case ir.Loop():
                yield from symbols_of(node.bounds)
                yield from symbols_of(node.items)
                for iteration in node.iterations:
                    yield from _said_in_structure(iteration.nodes)
            case ir.Branch():
                yield from symbols_of(node.condition)
                yield from _said_in_structure(node.nodes)
            case _:
                continue


def _settings(step: ir.Step) -> Iterator[ir.Arguments]:
    """What a step's optimizer, scheduler, clip, penalties and constraints are set to."""
    yield from (regularizer.arguments for regularizer in step.regularizers)
    yield from (constraint.arguments for constraint in step.constraints)
    if step.clip is not None:
        yield step.clip.arguments
    for each in step.stepped:
        yield each.optimizer.arguments
        yield from (group.arguments for group in each.optimizer.groups)
    schedulers = [each.scheduler for each in step.stepped if each.scheduler is not None]
    for scheduler in schedulers:
        yield scheduler.arguments
        if isinstance(scheduler, ir.ComposedScheduler):
            schedulers += scheduler.parts


def argument_names(model: ir.Module) -> dict[str, str]:
    """The model's own params as the constructor's arguments, none of which may hide what it
    calls."""
    names: dict[str, str] = {}
    taken = RESERVED | {param.name for param in model.params}
    for param in model.params:
        name = param.name
        if name in RESERVED:
            name = distinct(f"{name}_", taken | set(names.values()))
        names[param.name] = name
    return names


def distinct(wanted: str, taken: Collection[str]) -> str:
    """``wanted``, or with underscores what is not among ``taken``."""
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
