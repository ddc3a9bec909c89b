"""The Python API: ``load``, ``loads``, ``check``, ``build``.

Each is a few calls through the rooms: read, emit, run by a target. Torch is imported by the
functions that make modules alone, so that ``check`` never waits for it."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from specc import front, ir
from specc.catalog import suggest
from specc.errors import CallError, Diagnostic, SpecError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from specc.harness.matrix import Case
    from specc.targets import Target

Params = Mapping[str, object]


def check(path: str | os.PathLike[str], params: Params | None = None) -> list[Diagnostic]:
    """Every fault and warning of the spec at ``path``, in the order of the file; empty if there is
    none.

    ``params`` are set as by ``--set``. Never imports torch. Raises CallError where the file cannot
    be read at all."""
    return front.check(path, params)[1]


def load(
    path: str | os.PathLike[str],
    *,
    model: str | None = None,
    target: str = "eager",
    device: str = "cpu",
    params: Params | None = None,
) -> nn.Module:
    """The model of the spec at ``path`` as a live module, with fresh weights as torch fills them.

    ``target`` is ``eager``, ``compile``, ``torchscript`` or ``export``. A module of ``export`` is
    in evaluation mode for good; the others train and switch modes as any module. ``model`` names
    one of several models, or the class that trains them, ``Training``, which is of ``eager`` alone.
    A model with ``weights`` starts from its checkpoint, also where it is trained. Raises SpecError
    with every fault of the spec, CallError for an unknown ``target``, ``model`` or ``device`` or a
    checkpoint that does not fit, TargetError where the target refuses the model."""
    program = front.read(path, params)
    return _live(program, Path(os.fspath(path)).stem, model, target, device)


def loads(
    text: str,
    *,
    model: str | None = None,
    target: str = "eager",
    device: str = "cpu",
    params: Params | None = None,
) -> nn.Module:
    """As ``load``, of the spec ``text`` itself."""
    program, diagnostics, sources = front.check_text(text, params=params)
    if program is None:
        raise SpecError(diagnostics, sources)
    return _live(program, "spec", model, target, device)


def build(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    model: str | None = None,
    target: str = "eager",
    params: Params | None = None,
) -> list[Path]:
    """Writes the spec at ``path`` to the folder ``output``: its source, and a target's artefact.

    ``<stem>.py`` always; ``<stem>_compile.py``, ``<stem>.ts`` or ``<stem>.pt2`` for the targets of
    those. What was written is loaded back and compared with eager on one run before this returns
    the paths. Raises as ``load`` does, and CallError (E0703) where ``output`` cannot be written.
    """
    from specc.emit import emit
    from specc.targets import TARGETS
    from specc.targets.prove import prove

    program = front.read(path, params)
    chosen = _target(target)
    source = emit(program)
    if model is None and chosen.name == "eager":
        models = program.models
    else:
        models = (_model(program, model),)
    modules = [
        (_module(program, source, stem_of(path), known.name, "cpu"),
         example_inputs(program, known, "cpu"), free_sizes(known))
        for known in models
    ]  # fmt: skip
    folder = Path(os.fspath(output))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise CallError("E0703", f"cannot make the folder {str(folder)!r}: {reason}") from None
    written = []
    for each in dict.fromkeys([TARGETS["eager"], chosen]):
        artefact = each.artefact(folder, stem_of(path))
        module, inputs, free = modules[0]
        each.save(module, inputs, source, artefact, free_sizes=free)
        for module, inputs, _ in modules:
            prove(each, module, inputs, artefact)
        written.append(artefact)
    return written


def example_inputs(program: ir.Program, model: ir.Module, device: str) -> tuple[Tensor, ...]:
    """One batch of inputs for ``model`` on the first sizes of the test matrix, in float32."""
    import torch

    from specc.harness.case import example_batch

    tensors = example_batch(program, model, _case(program, model))
    working = {"float": torch.float32, "complex": torch.complex64}
    return tuple(
        tensor.to(device, working.get(value.type.dtype, tensor.dtype))
        for value, tensor in zip(model.inputs, tensors, strict=True)
    )


def _case(program: ir.Program, model: ir.Module) -> Case:
    """The first case of the program, or of the model by itself where its inputs have sizes that
    training does not speak of."""
    from specc.harness.matrix import cases
    from specc.sizes import symbols

    case = cases(program)[0]
    wanted = {name for value in model.inputs for size in value.type.shape for name in symbols(size)}
    if wanted <= {*case.values(), *program.param_values(model)}:
        return case
    alone = dataclasses.replace(program, models=(model,), train=None, test=ir.TestPlan())
    return cases(alone)[0]


def free_sizes(model: ir.Module) -> list[dict[int, str]]:
    """For each input its dimensions that are an unknown size by itself: ``{0: "N"}``."""
    params = {param.name for param in model.params}
    return [
        {
            index: str(size)
            for index, size in enumerate(value.type.shape)
            if not isinstance(size, int) and str(size).isidentifier() and str(size) not in params
        }
        for value in model.inputs
    ]


def _live(program: ir.Program, stem: str, model: str | None, target: str, device: str) -> nn.Module:
    from specc.emit import emit

    chosen = _target(target)
    training = program.train.module if program.train is not None else None
    if training is not None and model == training.name and chosen.name != "eager":
        raise CallError(
            "E0707",
            f"{model} is what trains the models; {chosen.name} takes a model",
            help=f"name one of {', '.join(known.name for known in program.models)}",
        )
    module = _module(program, emit(program), stem, model, device)
    if chosen.name == "eager":
        return module
    if chosen.name == "export":
        module.eval()
    known = _model(program, model)
    inputs = example_inputs(program, known, device)
    return chosen.runnable(module, inputs, free_sizes=free_sizes(known))


def _module(
    program: ir.Program, source: str, stem: str, model: str | None, device: str
) -> nn.Module:
    from specc.extensions.modules import import_modules
    from specc.targets.live import module_class

    training = program.train.module if program.train is not None else None
    trains = training is not None and model == training.name
    known = program.subject() if trains else _model(program, model)
    _device(device)
    import_modules(program)
    module: nn.Module = module_class(source, known.name, stem)()
    if trains:
        from specc.targets.weights import start_training

        start_training(module, program)
    elif known.weights is not None:
        from specc.targets.weights import start_from

        start_from(module, known.weights, program.file)
    return module.to(device)


def _model(program: ir.Program, name: str | None) -> ir.Module:
    names = [model.name for model in program.models]
    if name is not None and name not in names:
        close = suggest(name, names)
        raise CallError(
            "E0706",
            f"{program.file} has no model {name!r}",
            help=f"did you mean {close}?" if close else f"it has {', '.join(names)}",
        )
    if name is None and len(names) > 1:
        raise CallError(
            "E0706",
            f"{program.file} has several models: {', '.join(names)}",
            help=f"choose one: --model {names[0]}",
        )
    return program.model(name)


def _target(name: str) -> Target:
    from specc.targets import TARGETS

    if name not in TARGETS:
        close = suggest(name, TARGETS)
        raise CallError(
            "E0707",
            f"there is no target {name!r}",
            help=f"did you mean {close}?" if close else f"one of {', '.join(TARGETS)}",
        )
    return TARGETS[name]


def _device(name: str) -> None:
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as fault:
        reason = str(fault).splitlines()[0]
        raise CallError("E0708", f"cannot use the device {name!r}: {reason}") from None


def stem_of(path: str | os.PathLike[str]) -> str:
    """The spec's name as an importable module's."""
    stem = re.sub(r"[^0-9A-Za-z_]", "_", Path(os.fspath(path)).stem)
    return f"_{stem}" if stem[:1].isdigit() or not stem else stem
