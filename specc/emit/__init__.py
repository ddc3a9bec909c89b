"""IR to Python source that a person would have written. Imports no torch; the source imports
nothing else.

``emit`` is the room's one door.
"""

from __future__ import annotations

import ast

from specc import garbage, ir
from specc.emit.body import mark
from specc.emit.layout import identifier, literal
from specc.emit.modules import constructor, forward
from specc.emit.names import attribute_names, constant_names
from specc.emit.statements import Class, comment, print_class
from specc.emit.training import helpers, methods


def emit(program: ir.Program) -> str:
    """The program as one Python file: a class per model, formatted, standalone.

    The same program gives the same text; every line that computes something names its line in the
    spec."""
    with garbage.paused():
        return _emit(program)


def _emit(program: ir.Program) -> str:
    file = comment(program.file.replace("\\", "/").rsplit("/", 1)[-1])
    names = " and ".join(model.name for model in program.models)
    parts = [] if program.train is None else helpers(program.train)
    parts += [_class(program, model) for model in program.models]
    body = "\n\n".join(parts)
    head = [
        f'"""{names}, from {file}: plain PyTorch, written by specc."""',
        _imports(body),
    ]
    if program.params:
        head.append(_constants(program))
    return "\n\n".join(head) + "\n\n\n" + body


def class_names(program: ir.Program) -> dict[str, str]:
    """Each model's name to its class's: they are the same, which this states once."""
    return {model.name: identifier(model.name) for model in program.models}


def _imports(body: str) -> str:
    """The imports that the source below uses, and no others."""
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    lines = ["from typing import Any", ""] if "Any" in used else []
    if "torch" in used:
        lines.append("import torch")
    if "F" in used:
        lines.append("import torch.nn.functional as F")
    lines.append("from torch import Tensor, nn")
    return "\n".join(lines)


def _constants(program: ir.Program) -> str:
    names = constant_names(program)
    lines = []
    for param in program.params:
        value = param.value
        if isinstance(value, tuple):
            shown = "(" + ", ".join(literal(item) for item in value) + ",)"
        else:
            shown = literal(value)
        lines.append(f"{identifier(names[param.name])} = {shown}  # {mark(param.span)}")
    return "\n".join(lines)


def _class(program: ir.Program, model: ir.Module) -> str:
    constants = constant_names(program)
    attributes = attribute_names(model, program)
    body = [
        constructor(model, constants, attributes),
        forward(model, attributes),
    ]
    if program.train is not None and program.train.model == model.name:
        body += methods(model, program.train, constants)
    where = comment(mark(model.span))
    return print_class(Class(model.name, "nn.Module", f"{model.name} of {where}.", body))
