"""What is measured: the forward pass and the training step of a spec in a target, ready to call.

Weights are as torch fills them, from the test plan's seed; the batch comes from the portable
generator. Non-goals: timing, judging numbers (``specc.harness``).
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor, nn

from specc.errors import CallError, SpeccError, TargetError, in_one_line
from specc.extensions.imported_modules import import_modules
from specc.harness.cases import subject
from specc.harness.cases.case import example_batch
from specc.harness.cases.matrix import Case, cases
from specc.harness.running.hooks import flat_tensors
from specc.harness.running.standin import with_forward
from specc.inspect import shown_sizes as inspect_sizes
from specc.ir import Program, Train
from specc.targets import TARGETS, notes_of
from specc.targets.live import module_class

Runnable = Callable[..., Any]
# Given what is called in place of a model, the model, and its path in the module of the source
# (``generator``, or empty where it is that module itself): what is called instead.
Wrap = Callable[[Runnable, nn.Module, str], Runnable]


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
    inspect_sizes.check_asked(sizes, inspect_sizes.names(program))
    given = tuple(inspect_sizes.choose(program, program, sizes).items())
    return cases(_planned(program, mode, given))[0]


def prepare(
    program: Program,
    source: str,
    case: Case,
    *,
    target: str,
    device: str,
    wrap: Wrap | None = None,
) -> Prepared:
    """The module of ``source`` on ``device``, called as ``target`` calls it, in the case's mode.

    Raises CallError (E0708) for a device that is not there, TargetError where the target
    refuses the model.
    """
    check_device(device)
    with torch.random.fork_rng(devices=[]), failures(target, program.file):
        torch.manual_seed(case.seed)
        import_modules(program)
        module = module_class(source, program.subject().name, PurePath(program.file).stem)()
    module.to(device).train(case.mode == "train")
    inputs, labels = subject.model_inputs(program), subject.train_inputs(program)
    # Model inputs and training inputs are values alike; one batch has both.
    batch = example_batch(program, replace(program.subject(), inputs=(*inputs, *labels)), case)
    tensors = [tensor.to(device, _working(tensor.dtype)) for tensor in batch]
    with failures(target, program.file):
        several = subject.of_several(program)
        if several is not None:
            return _of_several(module, tensors, several, target, wrap)
        return _of_one(program, module, tensors[: len(inputs)], tensors, target, wrap)


def _working(dtype: torch.dtype) -> torch.dtype:
    """The dtype of single precision that an input of ``dtype`` is measured in."""
    if dtype.is_complex:
        return torch.complex64
    return torch.float32 if dtype.is_floating_point else dtype


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
        reason = in_one_line(error)
        raise TargetError("E0902", f"{target} cannot run {file}: {reason}") from error


def _planned(program: Program, mode: str, row: tuple[tuple[str, int], ...]) -> Program:
    return replace(program, test=replace(program.test, modes=(mode,), sizes=(row,)))


def _of_one(
    program: Program,
    module: nn.Module,
    inputs: Sequence[Tensor],
    batch: Sequence[Tensor],
    target: str,
    wrap: Wrap | None,
) -> Prepared:
    """A model that trains itself: its own methods, with the runnable for its forward."""
    runnable = TARGETS[target].runnable(module, tuple(inputs))
    called: Runnable = runnable if wrap is None else wrap(runnable, module, "")
    shell = module if called is module else with_forward(module, called)
    optimizers = _optimizers(module, program.train)

    def forward() -> Any:
        with torch.no_grad():
            return called(*inputs)

    def backward_alone() -> Any:
        module.zero_grad()
        outputs = flat_tensors(shell(*inputs))
        loss = _loss(program, shell, list(inputs), outputs, list(batch[len(inputs) :]))
        if loss.requires_grad:
            loss.backward()

    trains = program.train is not None and bool(optimizers)
    step = _step(shell, program.train, optimizers, batch) if trains else backward_alone
    return Prepared(module, forward, step, trains, optimizers, notes_of(runnable))


def _loss(
    program: Program, shell: Any, inputs: list[Tensor], outputs: list[Tensor], labels: list[Tensor]
) -> Tensor:
    """What is differentiated without an optimizer: the spec's losses, or the sum of the outputs."""
    if program.train is None:
        parts = [output.sum() for output in outputs if output.requires_grad]
        return torch.stack(parts).sum() if parts else torch.zeros(())
    known = [
        *subject.model_inputs(program),
        *(output.value for output in program.subject().outputs),
        *subject.train_inputs(program),
    ]
    values = {
        id(value): tensor for value, tensor in zip(known, [*inputs, *outputs, *labels], strict=True)
    }
    losses: list[Tensor] = []
    for step in program.train.steps:
        terms = getattr(shell, subject.method(step.name, "loss"))
        losses.append(terms(*(values[id(value)] for value in step.uses))["loss"])
        if step.regularizers:
            losses.append(getattr(shell, subject.method(step.name, "penalty"))())
    return torch.stack(losses).sum()


def _of_several(
    module: nn.Module,
    batch: Sequence[Tensor],
    train: Train,
    target: str,
    wrap: Wrap | None,
) -> Prepared:
    """A training of several models: each member is called as the target calls it."""
    optimizers = _optimizers(module, train)
    shell = module
    notes: list[str] = []
    if target != "eager" or wrap is not None:
        # A twin with its own list of members: its methods call those.
        shell = copy.copy(module)
        shell.__dict__["_modules"] = dict(module._modules)
        for name, seen in _member_inputs(module, train, batch).items():
            member = module.get_submodule(name)
            calls: dict[object, Runnable] = {}
            for inputs in seen:
                runnable = TARGETS[target].runnable(member, inputs)
                notes += [f"{name}: {note}" for note in notes_of(runnable)]
                calls[_shapes(inputs)] = runnable if wrap is None else wrap(runnable, member, name)
            shell._modules[name] = with_forward(member, _by_shapes(calls))
    return Prepared(
        module,
        None,
        _step(shell, train, optimizers, batch),
        bool(optimizers),
        optimizers,
        tuple(dict.fromkeys(notes)),
    )


def _by_shapes(calls: Mapping[object, Runnable]) -> Runnable:
    """The call made for the shapes that it is given; of a single one, that one itself."""
    if len(calls) == 1:
        return next(iter(calls.values()))
    return lambda *inputs: calls[_shapes(inputs)](*inputs)


def _shapes(inputs: Sequence[Tensor]) -> object:
    return tuple((tensor.shape, tensor.dtype) for tensor in inputs)


def _member_inputs(
    module: nn.Module, train: Train, batch: Sequence[Tensor]
) -> dict[str, list[tuple[Tensor, ...]]]:
    """What each member is called with, by its attribute, once for each shape: seen in one step of
    a twin."""
    twin = copy.deepcopy(module)
    found: dict[str, dict[object, tuple[Tensor, ...]]] = {}

    def seeing(name: str) -> Runnable:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            of_member = found.setdefault(name, {})
            of_member.setdefault(_shapes(inputs), tuple(each.detach().clone() for each in inputs))

        return hook

    for member in train.members:
        twin.get_submodule(member.attribute).register_forward_pre_hook(seeing(member.attribute))
    _step(twin, train, _optimizers(twin, train), batch)()
    return {name: list(each.values()) for name, each in found.items()}


def _step(
    shell: Any, train: Train | None, optimizers: dict[str, Any], batch: Sequence[Tensor]
) -> Callable[[], Any]:
    """The emitted ``training_step`` with what this training wants ahead of the batch: its
    optimizers, a gradient scaler for float16, the number of the batch where it counts."""
    assert train is not None  # only a training has optimizers
    ahead: list[Any] = [optimizers if _named(train) else optimizers[""]]
    if train.precision == "float16":
        ahead.append(torch.amp.GradScaler(batch[0].device.type))
    if not subject.is_numbered(train):
        return lambda: shell.training_step(*ahead, *batch)
    numbers = itertools.count()
    return lambda: shell.training_step(*ahead, next(numbers), *batch)


def _optimizers(module: Any, train: Train | None) -> dict[str, torch.optim.Optimizer]:
    """The optimizers by the names of their steps; ``""`` for the only one; none without any."""
    if train is None or not hasattr(module, "configure_optimizers"):
        return {}
    configured: dict[str, Any] = module.configure_optimizers()
    each = configured if _named(train) else {"": configured}
    return {name: found["optimizer"] for name, found in each.items()}


def _named(train: Train) -> bool:
    return train.keyed
