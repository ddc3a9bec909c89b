"""The params that an emitted source has, beside those of a program: a source that was built with
others computes something else, and whoever compares the two is to be told so first.

A source from anywhere is read as text; nothing in it is run. Non-goal: judging what it computes.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from specc import ir
from specc.emit import emit
from specc.emit.constructor.classes import classes_of
from specc.emit.merging.param_names import argument_names, constant_names


@dataclass(frozen=True, slots=True)
class Differing:
    """A param of which a source has another value than the program: both as ``--set`` takes them,
    ``settable`` if it does."""

    name: str
    built: str
    wanted: str
    settable: bool = True


def differing(program: ir.Program, source: str) -> tuple[Differing, ...]:
    """The params of which ``source`` has other values than ``program``, in the spec's order; none
    where it is no Python or says nothing of them."""
    try:
        given = _said(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    own = _said(ast.parse(emit(program)))
    found: list[Differing] = []
    for name, place in _places(program):
        built, wanted = given.get(place), own.get(place)
        if built is None or wanted is None or ast.dump(built) == ast.dump(wanted):
            continue
        shown = _settable(built), _settable(wanted)
        found.append(
            Differing(
                name,
                shown[0] or ast.unparse(built),
                shown[1] or ast.unparse(wanted),
                None not in shown,
            )
        )
    return tuple(found)


# Where a source says a param: a constant of the file, or an argument of a class.
_Place = tuple[str | None, str]


def _places(program: ir.Program) -> list[tuple[str, _Place]]:
    """What ``--set`` calls each param, and where the emitted source says its value."""
    classes = classes_of(program.models)
    constants = constant_names(program, classes)
    places: list[tuple[str, _Place]] = [
        (param.name, (None, constants[param.name])) for param in program.params
    ]
    owners = [param.name for model in program.models for param in model.params]
    for model in program.models:
        made, arguments = classes.of(model), argument_names(model)
        for param in model.params:
            shared = owners.count(param.name) > 1
            called = f"{model.name}.{param.name}" if shared else param.name
            places.append((called, (made.name, arguments[param.name])))
    return places


def _said(tree: ast.Module) -> dict[_Place, ast.expr]:
    """The values of a source's constants and of the arguments of its classes."""
    found: dict[_Place, ast.expr] = {}
    for item in tree.body:
        if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
            found[None, item.targets[0].id] = item.value
        elif isinstance(item, ast.ClassDef):
            for inner in item.body:
                if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
                    names = [each.arg for each in (*inner.args.posonlyargs, *inner.args.args)]
                    values = inner.args.defaults
                    for name, value in zip(reversed(names), reversed(values), strict=False):
                        found[item.name, name] = value
    return found


def _settable(value: ast.expr) -> str | None:
    """``value`` as ``--set`` takes it; None where it does not."""
    if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
        return value.attr if value.value.id == "nn" else None
    try:
        known = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return None
    if isinstance(known, tuple) and known:
        items = [_item(each) for each in known]
        return ",".join(items) + ("," if len(items) == 1 else "")
    return _item(known)


def _item(value: object) -> str:
    if isinstance(value, tuple):
        inside = ",".join(map(_item, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(value)
