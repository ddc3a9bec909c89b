"""A class made with other params than its spec was read with, beside what the spec says with those.

``compared`` makes both from one seed and holds the first against the second: parameters and buffers
by name and value, what is frozen, what stays in evaluation, the results of ``forward``, the groups
of the optimizers, and two training steps with all terms and everything that they leave. Non-goal:
which params and values (the tests that use it)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor, nn

from specc import ir
from specc.emit import emit
from specc.emit.constructor.modules import argument_names
from specc.harness.cases import matrix
from specc.harness.cases.case import example_batch
from specc.measure.step import _optimizers, _step
from specc.targets.live import module_class

AGAIN = "build the spec again"


class Differs(AssertionError):
    """The class takes the params and is not what the spec says with them."""


def made(program: ir.Program, source: str, given: Mapping[str, Any] | None = None) -> nn.Module:
    """The class of the one model, from one seed; ``given`` by the spec's names of its params."""
    model = program.subject()
    names = argument_names(model)
    torch.manual_seed(7)
    found: nn.Module = module_class(source, model.name, PurePath(program.file).stem)(
        **{names[name]: value for name, value in (given or {}).items()}
    )
    return found


def variable(program: ir.Program) -> list[ir.Param]:
    """The params that the constructor of the one model takes."""
    if program.train is not None and program.train.module is not None:
        return []
    return list(program.subject().params) if len(program.models) == 1 else []


def compared(
    program: ir.Program, source: str, given: Mapping[str, Any], other: ir.Program
) -> str | None:
    """None where the class of ``source`` made with ``given`` is what ``other``, the spec read with
    the same, says; what it says where it refuses. Raises Differs."""
    try:
        ours = made(program, source, given)
    except AssertionError as refused:
        if AGAIN not in str(refused):
            raise Differs(f"refuses without saying why: {refused}") from refused
        return str(refused)
    except Exception as error:
        raise Differs(f"is not made: {type(error).__name__}: {error}") from error
    theirs = made(other, emit(other))
    _equal("state", ours.state_dict(), theirs.state_dict())
    for what, seen in (("frozen", _frozen), ("modes", _modes), ("parameters", _names)):
        _equal(what, seen(ours), seen(theirs))
    case = matrix.cases(other)[0]
    model, train = other.subject(), other.train
    whole = replace(model, inputs=(*model.inputs, *(train.inputs if train else ())))
    batch = [_single(each) for each in example_batch(other, whole, case)]
    results = []
    for training in (False, True):
        for module in (ours, theirs):
            twin = copy.deepcopy(module).train(training)
            results.append(
                _run(lambda twin=twin: twin(*(t.clone() for t in batch[: len(model.inputs)])))
            )
        _equal(f"results in {'training' if training else 'evaluation'}", *results[-2:])
    if train is None:
        return None
    _equal("groups", _groups(ours, train), _groups(theirs, train))
    steps = []
    for module in (ours, theirs):
        module.train()
        step = _step(module, train, _optimizers(module, train), batch)
        steps.append(_run(lambda step=step: [step(), step()]))
    _equal("terms of steps", *steps)
    _equal("what steps leave", ours.state_dict(), theirs.state_dict())
    return None


def _run(call: Any) -> Any:
    """What it gives; the type of what it raises, where a batch is none for the model."""
    torch.manual_seed(3)
    try:
        return call()
    except (RuntimeError, ValueError, IndexError) as error:
        return type(error).__name__


def _single(tensor: Tensor) -> Tensor:
    if tensor.is_complex():
        return tensor.to(torch.complex64)
    return tensor.float() if tensor.is_floating_point() else tensor


def _names(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_parameters()]


def _frozen(module: nn.Module) -> list[str]:
    return [name for name, each in module.named_parameters() if not each.requires_grad]


def _modes(module: nn.Module) -> list[str]:
    return [name for name, each in module.train().named_modules() if not each.training]


def _groups(module: nn.Module, train: ir.Train) -> dict[str, list[Any]]:
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return {
        key: [
            {**group, "params": sorted(names[id(each)] for each in group["params"])}
            for group in optimizer.param_groups
            if group["params"]
        ]
        for key, optimizer in _optimizers(module, train).items()
    }


def _equal(what: str, ours: Any, theirs: Any) -> None:
    if isinstance(ours, Tensor) and isinstance(theirs, Tensor):
        if ours.shape != theirs.shape:
            raise Differs(f"{what}: {tuple(ours.shape)} for {tuple(theirs.shape)}")
        if not torch.equal(torch.nan_to_num(ours), torch.nan_to_num(theirs)):
            raise Differs(f"{what} has other numbers")
    elif isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        _equal(f"the names of {what}", list(ours), list(theirs))
        for name in ours:
            _equal(f"{what}, {name}", ours[name], theirs[name])
    elif isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        if len(ours) != len(theirs):
            raise Differs(f"{what}: {str(ours)[:600]} for {str(theirs)[:600]}")
        for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            _equal(f"{what}, {number}", mine, other)
    elif ours != theirs:
        raise Differs(f"{what}: {ours!r} for {theirs!r}")
