"""One row against the installed torch: the names, the order and the defaults of its arguments.

Functions written in C++ have no Python signature: they are compared with their operator's schema.
Non-goal: which names torch exports (``exports``).
"""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from specc.catalog.rows import FormulaRow, FunctionRow, LayerRow, Row, SchedulerRow
from specc.catalog.signatures import INFERRED, REQUIRED, Argument
from specc.drift.left_out import (
    LEFT_OUT,
    LEFT_OUT_HERE,
    NAMED_DEFAULTS,
    OURS_ALONE,
    OVERLOADS,
    SCHEMA_DEFAULTS,
    SCHEMA_NAMES,
)

NONE_GIVEN: Any = inspect.Parameter.empty
# The kinds whose torch form takes one argument more than the row says, mostly the first.
_UNSAID = {"optimizer": "params", "initialiser": "tensor", "parametrization": "module",
          "scheduler": "optimizer"}  # fmt: skip


def callable_of(row: Row) -> Any:
    """What the emitted source calls for ``row``; AttributeError where torch has it not.

    A row without one (a penalty, a metric) has its formula in the emitted file: None."""
    import torch
    from torch import nn
    from torch.nn import functional

    if isinstance(row, FormulaRow) or row.helper or not row.torch:
        return None
    found: Any = {"torch": torch, "nn": nn, "F": functional}
    head, *path = row.torch.split(".")
    found = found[head]
    for part in path:
        found = getattr(found, part)
    return found


def differences(kind: str, row: Row) -> tuple[str, ...]:
    """How ``row`` differs from the installed torch's signature, a sentence each; none if it does
    not. AttributeError where torch has no such thing."""
    torchs = callable_of(row)
    if torchs is None:
        return ()
    if kind == "layer":
        assert isinstance(row, LayerRow)
        return (*_of_constructor(row, torchs), *_of_forward(row, torchs))
    if kind == "loss":
        assert isinstance(row, FunctionRow)
        return _of_loss(row, torchs)
    if kind == "function":
        assert isinstance(row, FunctionRow)
        return _of_function(row, torchs)
    return _of_configured(kind, row, torchs)


# ── kinds ────────────────────────────────────────────────────────────────────────────────────────


def _of_constructor(row: LayerRow, torchs: Any) -> tuple[str, ...]:
    if row.made:
        calls = [each for each in ast.walk(ast.parse(row.made)) if isinstance(each, ast.Call)]
        return tuple(said for each in calls for said in _of_call(row, each))
    # LSTM and its like take *args; the first overload of each names them.
    overloads = typing.get_overloads(torchs.__init__)
    found = parameters(overloads[0] if overloads else torchs.__init__)
    return _compared(row, row.arguments, _kept(row, _defaults(found)))


def _of_call(row: LayerRow, made: ast.Call) -> list[str]:
    """One of the calls that make a layer of other layers: what torch's class takes is passed or
    left out, and what is passed by the name alone has one default in both."""
    from torch import nn

    name = ast.unparse(made.func).removeprefix("nn.")
    found = _defaults(parameters(getattr(nn, name).__init__))
    by_place = dict(zip(found, made.args, strict=False))
    by_name = {item.arg or "": item.value for item in made.keywords}
    passed = {**by_place, **by_name}
    missing = [n for n in found if n not in passed and not _left(row, n)]
    said = [f"torch's {name} has `{each}`, and the row has not" for each in missing]
    said += [f"torch's {name} has no `{each}`" for each in passed if each not in found]
    for torchs, value in by_name.items():
        if isinstance(value, ast.Name) and torchs in found:
            said += _default(row, row.by_name[value.id], found[torchs])
    return said


def _of_forward(row: LayerRow, torchs: Any) -> tuple[str, ...]:
    found = _defaults(parameters(torchs.forward))
    ours = [argument.name for argument in row.forward_arguments]
    if ours and found:
        # The first is always given by place: RMSNorm's is called x.
        first, *rest = found
        found = {ours[0]: found[first], **{name: found[name] for name in rest}}
    said = {argument.name: argument for argument in row.forward_arguments}
    kept = {name: value for name, value in found.items() if name in said or not _left(row, name)}
    return tuple(f"forward: {each}" for each in _compared(row, row.forward_arguments, kept))


def _of_configured(kind: str, row: Row, torchs: Any) -> tuple[str, ...]:
    found = parameters(torchs)
    if found.pop(_UNSAID[kind], None) is None:
        return (f"torch has no argument `{_UNSAID[kind]}`, which the row leaves out",)
    said = list(_compared(row, row.arguments, _kept(row, _defaults(found))))
    for name, parameter in found.items():
        named = parameter.kind is inspect.Parameter.KEYWORD_ONLY
        if kind != "scheduler" and name in row.by_name and row.by_name[name].keyword_only != named:
            said.append(f"`{name}` is {'' if named else 'not '}for the name alone in torch")
    if isinstance(row, SchedulerRow) and row.monitors != ("metrics" in parameters(torchs.step)):
        said.append("`step` is told what it watches in one of the two alone")
    return tuple(said)


def _of_loss(row: FunctionRow, function: Any) -> tuple[str, ...]:
    """A loss is called by its class's name and written as its function: both are compared."""
    from torch import nn

    torchs = getattr(nn, row.name)
    of_function, of_class = parameters(function), parameters(torchs.__init__)
    tensors = [a.name for a in row.arguments if a.is_tensor and a.required]
    said = []
    if tensors != list(of_function)[: len(tensors)]:
        said.append(f"torch's tensors are {_listed(list(of_function)[: len(tensors)])}")
    if len(tensors) != len(parameters(torchs.forward)):
        said.append(f"torch's forward takes {_listed(parameters(torchs.forward))}")
    ours = {a.name: a for a in row.arguments if a.name not in tensors}
    kept = _kept(row, _defaults(of_class))
    said += _names(list(ours), list(kept), ordered=False)
    for name in ours.keys() & kept.keys():
        for torch_has in (of_function.get(name), of_class[name]):
            if torch_has is not None:
                said += _default(row, ours[name], torch_has.default)
    extra = [name for name in of_function if name not in of_class and name not in tensors]
    said += [f"torch's function has `{name}`" for name in extra if not _left(row, name)]
    return tuple(said)


def _of_function(row: FunctionRow, torchs: Any) -> tuple[str, ...]:
    if any(argument.variadic for argument in row.arguments):
        return ()  # torch takes them as *args, which names nothing
    if row.family == "cast":
        return ()  # a method of tensors, which has no signature and takes nothing else
    python = python_signature(torchs)
    found = _defaults(python) if python is not None else _schema(row)
    return _compared(row, row.arguments, _kept(row, found))


# ── torch's signatures ───────────────────────────────────────────────────────────────────────────


def parameters(target: Any) -> dict[str, inspect.Parameter]:
    """The parameters of ``target`` without ``self``."""
    found = dict(inspect.signature(target).parameters)
    found.pop("self", None)
    return found


def python_signature(target: Any) -> dict[str, inspect.Parameter] | None:
    """The parameters of a function; None where it is written in C++ and has no signature."""
    try:
        found = parameters(getattr(target, "__wrapped__", target))
    except (ValueError, TypeError):
        return None
    return None if set(found) <= {"args", "kwargs"} else found


def _defaults(found: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    return {name: parameter.default for name, parameter in found.items()}


def _schema(row: FunctionRow) -> dict[str, Any]:
    """Names and defaults as the schema of the operator behind the function says them."""
    import torch

    default = f"{row.torch.removeprefix('torch.').removeprefix('F.').replace('.', '_')}.default"
    name, _, overload = OVERLOADS.get(row.name, default).partition(".")
    operator = getattr(getattr(torch.ops.aten, name), overload)
    found: dict[str, Any] = {}
    for argument in operator._schema.arguments:
        ours = SCHEMA_NAMES.get((row.name, argument.name)) or (
            SCHEMA_NAMES.get(("*", argument.name)) or argument.name
        )
        found[ours] = argument.default_value if argument.has_default_value() else NONE_GIVEN
    return found


# ── comparing ────────────────────────────────────────────────────────────────────────────────────


def _left(row: Row, name: str) -> bool:
    return name in LEFT_OUT or (row.name, name) in LEFT_OUT_HERE


def _kept(row: Row, found: Mapping[str, Any]) -> dict[str, Any]:
    """``found`` without what the row leaves out."""
    return {n: value for n, value in found.items() if n in row.by_name or not _left(row, n)}


def _compared(
    row: Row, arguments: Sequence[Argument], torchs: Mapping[str, Any]
) -> tuple[str, ...]:
    ours = {a.name: a for a in arguments if (row.name, a.name) not in OURS_ALONE}
    said = _names(list(ours), list(torchs), ordered=True)
    for name in ours.keys() & torchs.keys():
        said += _default(row, ours[name], torchs[name])
    return tuple(said)


def _names(ours: list[str], torchs: list[str], *, ordered: bool) -> list[str]:
    said = [f"torch has `{name}`, and the row has not" for name in torchs if name not in ours]
    said += [f"the row has `{name}`, and torch has not" for name in ours if name not in torchs]
    if ordered and not said and ours != torchs:
        said.append(f"torch's order is {_listed(torchs)}")
    return said


def _default(row: Row, argument: Argument, torchs: Any) -> list[str]:
    """What is said of the default of ``argument``, where torch's is another."""
    key = (row.name, argument.name)
    # What the shapes tell is never left to a default: nn.Transformer's d_model.
    if key in SCHEMA_DEFAULTS or argument.inferred:
        return []
    if key in NAMED_DEFAULTS:
        from torch.nn import functional

        if torchs is getattr(functional, NAMED_DEFAULTS[key]):
            torchs = NAMED_DEFAULTS[key]
    ours = NONE_GIVEN if argument.default in (REQUIRED, INFERRED) else argument.default
    if _same(ours, torchs):
        return []
    return [f"`{argument.name}` is {_shown(torchs)} in torch, and {_shown(ours)} in the row"]


def _same(ours: Any, torchs: Any) -> bool:
    if ours is NONE_GIVEN or torchs is NONE_GIVEN:
        return ours is torchs
    if torchs is None or torchs == []:
        return ours is None or ours == ()
    if isinstance(torchs, list):
        # A list of one number, or the same number for each dimension; or the numbers themselves.
        return set(torchs) == {ours} if not isinstance(ours, tuple) else tuple(torchs) == ours
    if isinstance(torchs, float | int) and not isinstance(torchs, bool):
        numbers = isinstance(ours, float | int) and not isinstance(ours, bool)
        return numbers and float(ours) == float(torchs)
    return bool(ours == torchs) and (type(ours) is type(torchs) or isinstance(torchs, tuple))


def _shown(default: Any) -> str:
    return "required" if default is NONE_GIVEN else repr(default)


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"
