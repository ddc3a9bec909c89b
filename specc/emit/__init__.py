"""IR to Python source that a person would have written. Imports no torch; the source imports
nothing else.

``emit`` is the room's one door.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from specc import garbage, ir
from specc.emit.constructor.checkpoints import from_checkpoint
from specc.emit.constructor.classes import Classes, EmittedClass, classes_of
from specc.emit.constructor.frozen import train_override
from specc.emit.constructor.modules import constructor, forward, plain
from specc.emit.constructor.states import kept_in
from specc.emit.forward.precision import Precision
from specc.emit.merging.param_names import attribute_names, constant_names, training_names
from specc.emit.training.lengths import lengths, selected_in
from specc.emit.training.training_class import training_class
from specc.emit.training.training_methods import methods
from specc.emit.writing.borrowed import helpers, imports
from specc.emit.writing.chosen_layers import is_hidden
from specc.emit.writing.layout import identifier
from specc.emit.writing.marks import mark, told_apart
from specc.emit.writing.statements import Class, Function, Statement, comment, print_class
from specc.emitted_names import EMITTED_METHODS, MODULE_ATTRIBUTES


def emit(program: ir.Program) -> str:
    """The program as one Python file: a class per model, formatted, standalone.

    The same program gives the same text; every line that computes something names its line in the
    spec."""
    with garbage.paused(), told_apart(program):
        return _emit(program)


def _emit(program: ir.Program) -> str:
    file = comment(program.file.replace("\\", "/").rsplit("/", 1)[-1])
    names = " and ".join(model.name for model in program.models)
    classes = classes_of(program.models)
    constants = constant_names(program, classes)
    parts = helpers(program)
    parts += [_class(program, made, classes, constants) for made in classes.listed]
    if program.train is not None and program.train.module is not None:
        said = _said_in_training(program, classes, constants)
        parts.append(print_class(training_class(program.train, said)))
    body = "\n\n".join(parts)
    written = _constants(program, constants)
    head = [
        f'"""{names}, from {file}: plain PyTorch, written by specc."""',
        _imports(program, f"{written}\n{body}"),
    ]
    if written:
        head.append(written)
    return "\n\n".join(head) + "\n\n\n" + body


def _said_in_training(
    program: ir.Program, classes: Classes, constants: Mapping[str, str]
) -> Mapping[str, str]:
    """What the class ``Training`` calls params: those of its one model too, where it has one."""
    assert program.train is not None
    models = [member for member in program.train.members if member.kind == "model"]
    if len(models) != 1:
        return constants
    made = classes.of(program.model(models[0].model))
    return training_names(made, program, constants, f"self.{models[0].attribute}")


def _imports(program: ir.Program, body: str) -> str:
    """The imports that the source below uses, and no others."""
    tree = ast.parse(body)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    lines = [f"import {name}" for name in ("copy", "re") if name in used]
    if "OrderedDict" in used:
        lines.append("from collections import OrderedDict")
    if "Callable" in used:
        lines.append("from collections.abc import Callable")
    if "partial" in used:
        lines.append("from functools import partial")
    typed = [name for name in ("Any", "Final") if name in used]
    if typed:
        lines.append(f"from typing import {', '.join(typed)}")
    if "math" in used:
        lines.insert("copy" in used, "import math")
    if lines:
        lines.append("")
    modules = {name: f"import {name}" for name in imports(program, tree)}
    if "torch" in used:
        modules["torch"] = "import torch"
    if "F" in used:
        modules["torch.nn.functional"] = "import torch.nn.functional as F"
    lines += [modules[name] for name in sorted(modules)]
    if "load_file" in used:
        lines.append("from safetensors.torch import load_file")
    lines.append("from torch import Tensor, nn")
    return "\n".join(lines)


def _constants(program: ir.Program, names: Mapping[str, str]) -> str:
    lines = []
    for param in program.params:
        if is_hidden([param.value]):
            continue  # a block, which is made by its class's name
        shown = plain(param.value)
        lines.append(f"{identifier(names[param.name])} = {shown}  # {mark(param.span)}")
    return "\n".join(lines)


def _buffers(made: EmittedClass) -> list[str]:
    """The buffers that the class keeps itself: what a type checker cannot know of."""
    found = (kept.state for kept in kept_in(made.parts) if kept.state.kind == "buffer")
    return list(dict.fromkeys(identifier(state.name) for state in found))


def _class(
    program: ir.Program, made: EmittedClass, classes: Classes, constants: Mapping[str, str]
) -> str:
    module = made.module
    attributes = attribute_names(made, program)
    precision = Precision(
        made.parts,
        lambda inner: classes.of(inner).parts,
        MODULE_ATTRIBUTES | EMITTED_METHODS | made.attributes() | set(attributes.values()),
    )
    # Before the constructor, which keeps what it asks for.
    computes = [] if module.sequential else [forward(made, attributes, precision)]
    rest: list[Function] = []
    if module.weights is not None:
        rest.append(from_checkpoint(module))
    rest += train_override(module)
    rest += computes
    train = program.train
    selections = [*(each.on for each in module.initializers), *module.frozen]
    if train is not None and not train.members and train.model == module.name:
        rest += methods(module, train, training_names(made, program, constants))
        selections += selected_in(train, module)
    fields = [f"{name}: Tensor" for name in _buffers(made)]
    fields += [
        f"{identifier(flag)}: Final[bool]"
        for flag in sorted(flag for flag in made.flags.values() if flag not in made.optional)
    ]
    base = "nn.Sequential" if module.sequential else "nn.Module"

    def written(counts: Sequence[Statement]) -> str:
        first = constructor(made, classes, constants, attributes, precision, counts)
        about = f"{module.name} of {comment(mark(module.span))}."
        return print_class(Class(made.name, base, about, [first, *rest], fields))

    source = written(())
    counts = lengths(module, selections, source, threaded=made.threaded) if selections else []
    return written(counts) if counts else source
