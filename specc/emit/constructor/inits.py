"""``init`` and ``freeze`` at the end of a constructor.

Non-goal: which parameters they are about."""

from __future__ import annotations

import ast

from specc import ir
from specc.catalog import INITS, LAYERS
from specc.emit.constructor.frozen import still_statements
from specc.emit.constructor.selections import are_many, for_each, parameters, types_inside
from specc.emit.writing.expressions import Naming, call, dotted, of_arguments, path_expression
from specc.emit.writing.marks import mark
from specc.emit.writing.statements import Evaluate, For, If, Statement


def init_statements(module: ir.Module, naming: Naming) -> list[Statement]:
    """What the constructor does with the parameters once they are there."""
    found: list[Statement] = []
    for initializer in module.initializers:
        found += _init(module, initializer, naming)
    for selection in module.frozen:
        if isinstance(selection, ir.Still):
            found += still_statements(selection)
        else:
            found += _freeze(module, selection)
    return found


def _init(module: ir.Module, init: ir.Initializer, naming: Naming) -> list[Statement]:
    row = INITS[init.type]
    positional, keywords = of_arguments(row, init.arguments, naming)
    where = mark(init.span)

    def fill(parameter: ast.expr) -> Evaluate:
        return Evaluate(ast.Call(dotted(row.torch), [parameter, *positional], keywords), where)

    by_type = _types(module, init.on)
    if by_type is not None:
        inner: list[Statement] = []
        for name, types in by_type.items():
            kind = types[0] if len(types) == 1 else ast.Tuple(types, ast.Load())
            test: ast.expr = call(ast.Name("isinstance"), ast.Name("module"), kind)
            parameter = ast.Attribute(ast.Name("module"), name, ast.Load())
            if _may_lack(module, init.on, name):
                there = ast.Compare(parameter, [ast.IsNot()], [ast.Constant(None)])
                test = ast.BoolOp(ast.And(), [test, there])
            inner.append(If(test, [fill(parameter)]))
        return [For(ast.Name("module"), call(dotted("self.modules")), inner)]
    if len(init.on.names) == 1 and not are_many(module, init.on):
        return [fill(path_expression(ast.Name("self"), init.on.names[0]))]
    chosen = parameters(module, init.on)
    return [for_each(chosen, "parameter", [fill(ast.Name("parameter"))])]


def _types(module: ir.Module, on: ir.Selection) -> dict[str, list[ast.expr]] | None:
    """``Linear.weight, Embedding.weight`` as {weight: [nn.Linear, nn.Embedding]}; None for what
    says more than types."""
    if " except " in on.text or any(layer.wrappers for _, layer in module.all_layers):
        return None  # a parametrized weight is no parameter of its layer
    found: dict[str, list[ast.expr]] = {}
    known, picked = types_inside(module), set()
    for pattern in on.text.split(", "):
        head, _, rest = pattern.partition(".")
        if head not in known or not rest.isidentifier():
            return None
        picked |= {
            each.name
            for each in ir.owned_parameters(module)
            if each.direct and each.around[-1] == (head, rest)
        }
        found.setdefault(rest, []).append(dotted(LAYERS[head].torch))
    return found if picked == set(on.names) else None


def _may_lack(module: ir.Module, on: ir.Selection, name: str) -> bool:
    """Whether a layer of the selected types is without the parameter ``name``."""
    types = {pattern.partition(".")[0] for pattern in on.text.split(", ")}
    held = {path: {name for name, _ in layer.parameters}
            for path, layer in module.all_layers if layer.type in types}  # fmt: skip
    for each in ir.owned_parameters(module):
        type_, own = each.around[-1]
        if type_ in types and len(each.around) > 1:
            held.setdefault(each.name.removesuffix(f".{own}"), set()).add(own)
    return any(name not in names for names in held.values())


def _freeze(module: ir.Module, selection: ir.Selection) -> list[Statement]:
    off = ast.Constant(False)
    if " except " not in selection.text:
        paths = [pattern.removesuffix(".*") for pattern in selection.text.split(", ")]
        modules = {path.rpartition(".")[0] for path in _module_paths(module)} | _module_paths(
            module
        )
        if all(path == "*" or path in modules for path in paths):
            return [
                Evaluate(
                    call(
                        ast.Attribute(
                            path_expression(ast.Name("self"), "" if path == "*" else path),
                            "requires_grad_", ast.Load(),
                        ),
                        off,
                    )
                )
                for path in paths
            ]  # fmt: skip
    stop = call(dotted("parameter.requires_grad_"), off)
    return [for_each(parameters(module, selection), "parameter", [Evaluate(stop)])]


def _module_paths(module: ir.Module) -> set[str]:
    """Every path at which a layer or a list of layers is."""
    found: set[str] = set()
    for path in (*(p for p, _ in module.all_layers), *(p for p, _ in module.all_blocks)):
        while path:
            found.add(path)
            path = path.rpartition(".")[0]
    return found
