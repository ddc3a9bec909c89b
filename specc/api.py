"""The Python API: ``load``, ``loads``, ``check``, ``build``.

Each is a few calls through the rooms: read, emit, run by a target. Torch is imported by the
functions that make modules alone, so that ``check`` never waits for it."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from specc import front, ir
from specc.errors import CallError, Diagnostic, SpecError
from specc.harness.cases import tested_program
from specc.suggestions import did_you_mean, listed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from specc.harness.cases.matrix import Case
    from specc.targets import Target
    from specc.targets.artefacts import Facts

Params = Mapping[str, object]


def check(path: str | os.PathLike[str], params: Params | None = None) -> list[Diagnostic]:
    """Every fault and warning of the spec at ``path``, in the order of the file; empty if there is
    none: what ``specc check`` finds.

    ``params`` are set as by ``--set``. Never imports torch. Raises CallError where the file cannot
    be read at all."""
    return tested_program.check(path, params)[1]


def load(
    path: str | os.PathLike[str],
    *,
    model: str | None = None,
    target: str = "eager",
    device: str = "cpu",
    params: Params | None = None,
) -> nn.Module:
    """The model of the spec at ``path`` as a live module, with fresh weights as torch fills them;
    or the artefact at ``path`` (``.ts``, ``.pt2``) with its own weights, in evaluation mode.

    ``target`` is ``eager``, ``compile``, ``torchscript`` or ``export``. A module of ``export`` is
    in evaluation mode for good; the others train and switch modes as any module. ``model`` names
    one of several models, or the class that trains them, ``Training``, which is of ``eager`` alone.
    A model with ``weights`` starts from its checkpoint, also where it is trained. An artefact that
    is bound to a size warns of it. Raises SpecError with every fault of the spec, CallError for an
    unknown ``target``, ``model`` or ``device`` or a checkpoint that does not fit, TargetError where
    the target refuses the model or the artefact cannot be loaded."""
    made = _artefact(Path(os.fspath(path)), device)
    if made is not None:
        return made
    program = _read(path, params)
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
    if not params:
        program, diagnostics, sources = tested_program.held(program, diagnostics, sources)
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
    say: Callable[[str], object] = warnings.warn,
) -> list[Path]:
    """Writes the spec at ``path`` to the folder ``output``: its source, and a target's artefacts.

    ``<stem>.py`` always; ``<stem>_compile.py``, ``<stem>.ts`` or ``<stem>.pt2`` for the targets of
    those. Where the spec has several models each has its artefact, ``<stem>.<model>.pt2``;
    ``model`` chooses one. What was written is loaded back and compared with eager before any of it
    is put into ``output``: where anything is raised, ``output`` is as it was. ``say`` is called
    with what there is to know of an artefact, such as a size that it is bound to. Raises as
    ``load`` does, and CallError (E0703) where ``output`` cannot be written.
    """
    from specc.emit import emit
    from specc.harness.cases import build_sizes
    from specc.targets.artefacts import written_together
    from specc.targets.prove import prove

    program = _read(path, params)
    planned = _planned(program, stem_of(path), model, target)
    source, stem = emit(program), stem_of(path)
    folder = Path(os.fspath(output))
    with written_together(folder) as aside:
        for known, artefacts in planned.items():
            module = _module(program, source, stem, known.name, "cpu")
            case, free = build_sizes.first(program, known), free_sizes(program, known)
            inputs = _inputs(program, known, case, "cpu")
            sizes = build_sizes.others(program, known, case) if target == "export" else []
            tried = [_inputs(program, known, each, "cpu") for each in sizes]
            for each, name in artefacts.items():
                artefact = aside / name
                for note in each.save(
                    module, inputs, source, artefact, free_sizes=free, others=tried
                ):
                    say(f"{folder / name}: {note}")
                others = []
                # Source is run as it is, and compiled anew, for each size: nothing to prove of
                # others.
                if not each.suffix.endswith(".py"):
                    bound = _bound(known, case, each.facts(artefact))
                    other = build_sizes.other(program, known, case, bound)
                    others += [] if other is None else [_inputs(program, known, other, "cpu")]
                prove(each, module, inputs, artefact, others=others)
    names = (name for artefacts in planned.values() for name in artefacts.values())
    return [folder / name for name in dict.fromkeys(names)]


def built(
    path: str | os.PathLike[str],
    *,
    model: str | None = None,
    target: str = "eager",
    params: Params | None = None,
) -> list[str]:
    """The names of the files that ``build`` would write. Raises as ``build`` does of the spec and
    the call; never imports torch."""
    planned = _planned(_read(path, params), stem_of(path), model, target)
    names = (name for artefacts in planned.values() for name in artefacts.values())
    return list(dict.fromkeys(names))


def _read(path: str | os.PathLike[str], params: Params | None) -> ir.Program:
    """The program of the spec at ``path``. What its test says is of the params that it says or
    leaves: the sizes there are not held against ``params`` of a call."""
    if params:
        return front.read(path, params)
    program, diagnostics, sources = tested_program.check(path)
    if program is None:
        raise SpecError(diagnostics, sources)
    return front.read(path) if program.test.params else program


def _planned(
    program: ir.Program, stem: str, model: str | None, target: str
) -> dict[ir.Module, dict[Target, str]]:
    """What to build: of each model, what each target's artefact is called."""
    from specc.targets import TARGETS

    several = len(program.models) > 1
    models = program.models if model is None else (_model(program, model),)
    targets = dict.fromkeys([TARGETS["eager"], _target(target)])
    return {
        known: {each: each.named(stem, known.name if several else None) for each in targets}
        for known in models
    }


def example_inputs(program: ir.Program, model: ir.Module, device: str) -> tuple[Tensor, ...]:
    """One batch of inputs for ``model`` on sizes that specialise nothing, in float32."""
    from specc.harness.cases import build_sizes

    return _inputs(program, model, build_sizes.first(program, model), device)


def _inputs(program: ir.Program, model: ir.Module, case: Case, device: str) -> tuple[Tensor, ...]:
    import torch

    from specc.harness.cases.case import example_batch

    tensors = example_batch(program, model, case)
    working = {"float": torch.float32, "complex": torch.complex64}
    return tuple(
        tensor.to(device, working.get(value.type.dtype, tensor.dtype))
        for value, tensor in zip(model.inputs, tensors, strict=True)
    )


def free_sizes(program: ir.Program, model: ir.Module) -> list[dict[int, str]]:
    """For each input its dimensions that the spec leaves open: ``{0: "N", 1: "2 * T"}``."""
    from specc.sizes import symbols

    params = program.param_values(model).keys()
    return [
        {index: str(size) for index, size in enumerate(value.type.shape) if symbols(size) - params}
        for value in model.inputs
    ]


def _bound(model: ir.Module, case: Case, facts: Facts) -> dict[str, int]:
    """The sizes in the inputs' names that an artefact of ``model``, made on ``case``, is bound
    to."""
    from specc.sizes import symbols

    names = {
        name
        for each in facts.bound
        for name in symbols(model.inputs[each.input].type.shape[each.dimension])
    }
    return {name: size for name, size in case.sizes if name in names}


def _live(program: ir.Program, stem: str, model: str | None, target: str, device: str) -> nn.Module:
    from specc.emit import emit
    from specc.harness.cases import build_sizes

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
    case = build_sizes.first(program, known)
    sizes = build_sizes.others(program, known, case) if chosen.name == "export" else []
    inputs, *tried = (_inputs(program, known, each, device) for each in (case, *sizes))
    free = free_sizes(program, known)
    return chosen.runnable(module, inputs, free_sizes=free, others=tried)


def _artefact(path: Path, device: str) -> nn.Module | None:
    """The artefact at ``path``, by the end of its name; None where that is none of an artefact."""
    from specc.targets import TARGETS, notes_of

    for target in TARGETS.values():
        if path.suffix == target.suffix and not target.suffix.endswith(".py"):
            _device(device)
            made = target.load(path).to(device)
            for note in notes_of(made):
                warnings.warn(f"{path}: {note}", stacklevel=3)
            return made
    return None


def _module(
    program: ir.Program, source: str, stem: str, model: str | None, device: str
) -> nn.Module:
    from specc.extensions.imported_modules import import_modules
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

        start_from(module, known, program.file)
    return module.to(device)


def _model(program: ir.Program, name: str | None) -> ir.Module:
    names = [model.name for model in program.models]
    if name is not None and name not in names:
        raise CallError(
            "E0706",
            f"{program.file} has no model {name!r}",
            help=did_you_mean(name, names, listed(names, "it has "), "{}"),
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
        raise CallError(
            "E0707",
            f"there is no target {name!r}",
            help=did_you_mean(name, TARGETS, listed(TARGETS), "{}"),
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
