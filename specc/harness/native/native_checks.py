"""What goldens replace by portable numbers, checked as torch draws it: initial weights and dropout.

Once for a spec, in its first case, for neither depends on sizes: initial weights in eager, dropout
in each target, where a graph draws by other means. Seeds are fixed, so that a run repeats.
Non-goals: the checks themselves (``initial_weights``, ``native_dropout``), noise inside attention
and recurrent kernels. A rate that an edited source changes shows in its cases, where the portable
generator draws by it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import PurePath
from typing import TypeAlias

import torch
from torch import nn

from specc.errors import Span
from specc.extensions.imported_modules import import_modules
from specc.harness.cases.matrix import Case, cases
from specc.harness.cases.precisions import dtype_of
from specc.harness.cases.subject import nodes
from specc.harness.cases.verdict import Finding
from specc.harness.floors.machine import threads
from specc.harness.native.initial_weights import initial_faults
from specc.harness.native.native_dropout import (
    DropoutFindings,
    Kind,
    kind_of_function,
    kind_of_layer,
    native_dropout_check,
)
from specc.ir import FunctionCall, Program, static_value
from specc.targets.live import module_class

Check: TypeAlias = Callable[[tuple[Kind, ...], str, str, torch.dtype], dict[Kind, DropoutFindings]]

# A graph is compiled once for all specs of a process that drop alike.
kept_dropout_check: Check = lru_cache(maxsize=64)(native_dropout_check)


def first_case(program: Program) -> Case:
    """The case that the checks are told with: the first that trains, else the first."""
    found = cases(program)
    return next((case for case in found if case.mode == "train"), found[0])


def native_findings(
    program: Program,
    source: str,
    device: str = "cpu",
    dtype: str = "float32",
    target: str = "eager",
    check: Check = native_dropout_check,
) -> tuple[Finding, ...]:
    """What torch's initialisers (in eager) and dropouts do otherwise than they should, in the
    module that ``source`` defines: ``initial/<parameter>`` and ``dropout/<layer or function>``.

    Dropout runs on ``device`` in ``dtype`` as ``target`` runs it. torch's generators are left as
    they were.
    """
    import_modules(program)
    name = program.subject().name
    made = module_class(source, name, PurePath(program.file).stem)
    stage = "initial" if target == "eager" else "dropout"
    with warnings.catch_warnings(), threads(1), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        try:
            initial = initial_faults(program, made) if target == "eager" else {}
            stage = "dropout"
            sites = {kind: (name, span) for kind, name, span in drops(program, made())}
            dropped = check(tuple(sorted(sites)), target, device, dtype_of(dtype)) if sites else {}
        except Exception as error:  # whatever an edited source raises is a finding
            message = f"stopped: {type(error).__name__}: {error}"[:400]
            return (_finding(program, stage, message, program.subject().span, "run"),)
    where = "" if target == "eager" else f" in the {target} target"
    return (
        *(
            _finding(program, f"initial/{parameter}", message, span)
            for parameter, (message, span) in initial.items()
        ),
        *(
            _finding(program, f"dropout/{name}", f"torch's own {kind}{where}: {text}", span)
            for kind, (name, span) in sites.items()
            for text in ["; ".join(dropped[kind].faults)]
            if text
        ),
    )


def drops(program: Program, module: nn.Module) -> Iterator[tuple[Kind, str, Span]]:
    """Each kind of dropout once, with the first layer or call that stands for it."""
    seen: set[Kind] = set()
    spans = {path: layer.span for path, layer in program.subject().all_layers}
    for path, layer in module.named_modules():
        kind = kind_of_layer(layer)
        # What a layer of torch's is made of stands where the layer does.
        owner = path
        while owner and owner not in spans:
            owner = owner.rpartition(".")[0]
        if kind is not None and kind not in seen and owner:
            seen.add(kind)
            yield kind, path, spans[owner]
    for node, place in nodes(program, {}):
        if not isinstance(node, FunctionCall):
            continue
        rate = dict(node.arguments).get("p", node.row.defaults.get("p"))
        kind = kind_of_function(node.function, static_value(rate, place.values))  # type: ignore[arg-type]  # no tensor
        if kind is not None and kind not in seen:
            seen.add(kind)
            yield kind, f"{place.prefix}{node.function}", node.span


def _finding(
    program: Program, name: str, message: str, span: Span, what: str = "native"
) -> Finding:
    return Finding(name, what, span.file or program.file, span.line, message)
