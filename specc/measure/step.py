"""What is measured: the forward pass and the training step of a spec in a target, ready to call.

Weights are as torch fills them, from the test plan's seed; the batch comes from the portable
generator. Non-goals: timing, judging numbers (``specc.harness``).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor, nn

from specc.errors import CallError, SpeccError, TargetError
from specc.harness.case import example_batch
from specc.harness.hooks import flat_tensors
from specc.harness.matrix import Case, cases, input_symbols
from specc.ir import Program, Train
from specc.targets import TARGETS, notes_of
from specc.targets.live import module_class

Call = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """``forward()`` runs the model once (None where the training holds several models), ``step()``
    one training step, or forward and backward where nothing ``trains``: without an optimizer."""

    module: nn.Module
    forward: Callable[[], Any] | None
    step: Callable[[], Any]
    trains: bool
    optimizers: dict[str, torch.optim.Optimizer]
    notes: tuple[str, ...]


def choose_case(program: Program, mode: str, sizes: Mapping[str, int]) -> Case:
    """The first row of sizes of the test plan, with ``sizes`` put in, in ``mode``.

    Raises CallError (E0712) for a size that no input has, SpecError (E0501) where the sizes do not
    fit the model.
    """
    names = input_symbols(program)
    for name in sizes:
        if name not in names:
            raise CallError(
                "E0712",
                f"--size: no input of {program.file} has a size called {name!r}",
                help=f"its sizes are {', '.join(names)}" if names else "it has no open size",
            )
    row = dict(sizes)
    if len(sizes) < len(names):
        row = dict(cases(_planned(program, "eval"))[0].sizes) | row
    given = tuple((name, row[name]) for name in names)
    return cases(_planned(program, mode, given))[0]


def prepare(
    program: Program,
    source: str,
    case: Case,
    *,
    target: str,
    device: str,
    wrap: Callable[[Call, nn.Module], Call] | None = None,
) -> Prepared:
    """The module of ``source`` on ``device``, called as ``target`` calls it, in the case's mode.

    ``wrap`` is given what is called in place of the model, and the model; its result is called
    instead. Raises CallError (E0708) for a device that is not there, TargetError where the target
    refuses the model.
    """
    check_device(device)
    subject = program.subject()
    with torch.random.fork_rng(devices=[]), failures(target, program.file):
        torch.manual_seed(case.seed)
        module = module_class(source, subject.name, PurePath(program.file).stem)()
    module.to(device).train(case.mode == "train")
    train = program.train
    several = train is not None and train.module is not None
    inputs = () if several else subject.inputs
    labels = train.inputs if train is not None else ()
    # Model inputs and training inputs are values alike; one batch has both.
    batch = example_batch(program, replace(subject, inputs=(*inputs, *labels)), case)
    tensors = [
        tensor.to(device, torch.float32 if tensor.is_floating_point() else tensor.dtype)
        for tensor in batch
    ]
    with failures(target, program.file):
        if train is not None and several:
            return _of_several(module, tensors, train, target, wrap)
        return _of_one(program, module, tensors[: len(inputs)], tensors, target, wrap)


def check_device(device: str) -> None:
    """CallError (E0708) where torch cannot use ``device``."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as fault:
        reason = str(fault).splitlines()[0]
        raise CallError("E0708", f"cannot use the device {device!r}: {reason}") from None


@contextmanager
def failures(target: str, file: str) -> Iterator[None]:
    """What torch raises inside as a TargetError (E0902) with its first line."""
    try:
        yield
    except SpeccError:
        raise
    except Exception as error:
        text = str(error).strip().splitlines()
        message = f"{type(error).__name__}: {text[0] if text else 'no message'}"
        raise TargetError("E0902", f"{target} cannot run {file}: {message[:400]}") from error


def _planned(
    program: Program, mode: str, row: tuple[tuple[str, int], ...] | None = None
) -> Program:
    plan = replace(program.test, modes=(mode,))
    return replace(program, test=plan if row is None else replace(plan, sizes=(row,)))


def _of_one(
    program: Program,
    module: nn.Module,
    inputs: Sequence[Tensor],
    batch: Sequence[Tensor],
    target: str,
    wrap: Callable[[Call, nn.Module], Call] | None,
) -> Prepared:
    """A model that trains itself: its own methods, with the runnable for its forward."""
    runnable = TARGETS[target].runnable(module, tuple(inputs))
    called: Call = runnable if wrap is None else wrap(runnable, module)
    shell: Any = module
    if called is not module:
        shell = copy.copy(module)  # shares parameters, buffers and submodules
        shell.forward = called
    optimizers = _optimizers(module)
    for_step = next(iter(optimizers.values()), None)

    def forward() -> Any:
        with torch.no_grad():
            return called(*inputs)

    def step() -> Any:
        return shell.training_step(for_step, *batch)

    def backward_alone() -> Any:
        module.zero_grad()
        outputs = flat_tensors(shell(*inputs))
        loss = _loss(program, shell, list(inputs), outputs, list(batch[len(inputs) :]))
        if loss.requires_grad:
            loss.backward()

    return Prepared(
        module,
        forward,
        step if optimizers else backward_alone,
        bool(optimizers),
        optimizers,
        notes_of(runnable),
    )


def _loss(
    program: Program, shell: Any, inputs: list[Tensor], outputs: list[Tensor], labels: list[Tensor]
) -> Tensor:
    """What is differentiated without an optimizer: the spec's loss, or the sum of the outputs."""
    train = program.train
    if train is None:
        parts = [output.sum() for output in outputs if output.requires_grad]
        return torch.stack(parts).sum() if parts else torch.zeros(())
    known = [
        *program.subject().inputs,
        *(output.value for output in program.subject().outputs),
        *train.inputs,
    ]
    values = {
        id(value): tensor for value, tensor in zip(known, [*inputs, *outputs, *labels], strict=True)
    }
    loss: Tensor = shell.loss(*(values[id(value)] for value in train.uses))["loss"]
    return loss + shell.penalty() if train.regularizers else loss


def _of_several(
    module: nn.Module,
    batch: Sequence[Tensor],
    train: Train,
    target: str,
    wrap: Callable[[Call, nn.Module], Call] | None,
) -> Prepared:
    """A training of several models: each member is called as the target calls it."""
    optimizers = _optimizers(module)
    shell: Any = copy.copy(module)
    shell._modules = dict(module._modules)
    notes: list[str] = []
    seen = _member_inputs(module, optimizers, batch, train)
    for name, inputs in seen.items():
        member = getattr(module, name)
        runnable = TARGETS[target].runnable(member, inputs)
        notes += [f"{name}: {note}" for note in notes_of(runnable)]
        called = runnable if wrap is None else wrap(runnable, member)
        if called is not member:
            stand_in = copy.copy(member)
            stand_in.forward = called
            shell._modules[name] = stand_in
    return Prepared(
        module,
        None,
        lambda: shell.training_step(optimizers, *batch),
        bool(optimizers),
        optimizers,
        tuple(notes),
    )


def _member_inputs(
    module: nn.Module,
    optimizers: dict[str, torch.optim.Optimizer],
    batch: Sequence[Tensor],
    train: Train,
) -> dict[str, tuple[Tensor, ...]]:
    """What each member is called with, by its attribute: seen in one step of a twin."""
    twin: Any = copy.deepcopy(module)
    found: dict[str, tuple[Tensor, ...]] = {}

    def seeing(name: str) -> Call:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            found.setdefault(name, tuple(tensor.detach().clone() for tensor in inputs))

        return hook

    for member in train.members:
        getattr(twin, member.attribute).register_forward_pre_hook(seeing(member.attribute))
    twin.training_step(_optimizers(twin), *batch)
    return found


def _optimizers(module: Any) -> dict[str, torch.optim.Optimizer]:
    """The optimizers by the names of their steps; ``""`` for the only one; none without any."""
    if not hasattr(module, "configure_optimizers"):
        return {}
    configured: dict[str, Any] = module.configure_optimizers()
    if "optimizer" in configured:
        return {"": configured["optimizer"]}
    return {name: each["optimizer"] for name, each in configured.items()}
