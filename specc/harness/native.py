"""What goldens replace by portable numbers, checked as torch draws it: initial weights and dropout.

Once for a spec, in the eager cells of its first case: neither depends on sizes or target. Seeds are
fixed, so that a run repeats. Non-goals: the checks themselves (``initial``, ``native_dropout``),
noise inside attention and recurrent kernels.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import PurePath

import torch
from torch import nn

from specc.errors import Span
from specc.extensions.modules import import_modules
from specc.harness.initial import initial_faults
from specc.harness.machine import threads
from specc.harness.matrix import Case, cases
from specc.harness.native_dropout import DROPOUTS, native_dropout_check
from specc.harness.tf32 import dtype_of
from specc.harness.verdict import Finding
from specc.ir import Program
from specc.targets.live import module_class

# Some ten thousand draws: of elements, or of channels.
_SHAPES: dict[type[nn.Module], tuple[int, ...]] = {
    nn.Dropout: (16, 16, 64),
    nn.Dropout1d: (128, 128, 2),
    nn.Dropout2d: (128, 128, 1, 2),
    nn.Dropout3d: (128, 128, 1, 1, 2),
}


def first_case(program: Program) -> Case:
    """The case that the checks are told with: the first that trains, else the first."""
    found = cases(program)
    return next((case for case in found if case.mode == "train"), found[0])


def native_findings(
    program: Program, source: str, device: str = "cpu", dtype: str = "float32"
) -> tuple[Finding, ...]:
    """What torch's initialisers and dropouts do otherwise than they should, in the module that
    ``source`` defines: ``initial/<parameter>`` and ``dropout/<layer>``.

    Dropout runs on ``device`` in ``dtype``. torch's generators are left as they were.
    """
    import_modules(program)
    name = program.subject().name
    made = module_class(source, name, PurePath(program.file).stem)
    with warnings.catch_warnings(), threads(1):
        warnings.simplefilter("ignore")
        try:
            initial = [
                _finding(program, f"initial/{parameter}", message, span)
                for parameter, (message, span) in initial_faults(program, made).items()
            ]
            return (*initial, *_dropouts(program, made(), device, dtype_of(dtype)))
        except Exception as error:  # whatever an edited source raises is a finding
            message = f"stopped: {type(error).__name__}: {error}"[:400]
            return (_finding(program, "initial", message, program.subject().span, "run"),)


def _dropouts(
    program: Program, module: nn.Module, device: str, dtype: torch.dtype
) -> Iterator[Finding]:
    """One check for each kind of dropout and rate; the first layer of its kind stands for it."""
    seen: set[tuple[object, ...]] = set()
    spans = {path: layer.span for path, layer in program.subject().all_layers}
    for path, layer in module.named_modules():
        if type(layer) not in DROPOUTS or path not in spans:
            continue
        kind = (type(layer), layer.p, layer.inplace)
        if kind in seen or not 0.0 < float(layer.p) < 1.0:
            continue
        seen.add(kind)
        found = native_dropout_check(layer, _SHAPES[type(layer)], device=device, dtype=dtype)
        if found.faults:
            message = "torch's own dropout: " + "; ".join(found.faults)
            yield _finding(program, f"dropout/{path}", message, spans[path])


def _finding(
    program: Program, name: str, message: str, span: Span, what: str = "native"
) -> Finding:
    return Finding(name, what, span.file or program.file, span.line, message)
