"""Whether what checks clean also runs: read, emitted, built in eager and taken through one step of
training on its smallest case, the sizes of the spec's own test plan.

``broken`` is the oracle of ``test_breaking``: torch says whether the checks found everything.
Non-goals: writing programs (``breaking_programs``), and whether the numbers are right.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from specc import front
from specc.emit import emit
from specc.errors import SpecError
from specc.harness.cases import matrix, subject
from specc.harness.cases.case import close
from specc.harness.cases.demands import demands_of
from specc.harness.running.hooks import flat_tensors
from specc.ir import Program
from specc.sizes import evaluate
from specc.targets.live import module_class

# What a step may cost here: elements of one value, of all parameters, of all values.
MOST_OF_A_VALUE = 1 << 20
MOST_PARAMETERS = 1 << 21
MOST_VALUES = 1 << 24

REFUSED, LARGE, WARNED, RAN = "refused", "large", "warned", "ran"

# Of these the checks said that values may be outside of what is computed with.
_OF_VALUES = {"W0302", "W0320"}
# What depends on the values that a run brings and nothing declares, by what torch says.
_BY_VALUE = (
    "ZeroDivisionError",  # whole numbers over a tensor of them that holds a 0
    "var has negative entry",  # a variance that was computed
    "should be between 0 and 1",  # a probability that was computed
    "p_in >= 0 && p_in <= 1",
    "size 5 at dimension 0",  # CTC's labels in one row: the lengths say how many there are
    "singular",
    "not positive-definite",
    "failed to converge",
)


def tried(text: str) -> str:
    """``refused`` by the checks, too ``large`` to be tried here, ``warned`` of what values do, or
    ``ran``; else what broke."""
    try:
        program, diagnostics, _ = front.check_text(text, "m.spec")
        if program is None:
            return REFUSED
        cases = matrix.cases(program)
    except SpecError:
        return REFUSED
    except Exception as fault:  # a defect of the checks themselves is what is looked for
        return f"check: {type(fault).__name__}: {_first_line(fault)}"
    if program.subject().weights is not None or program.test.samples:
        return REFUSED
    try:
        for case in _few(program, cases):
            if not _small(program, case):
                return LARGE
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _run(program, case)
    except Exception as fault:  # whatever torch raises is the finding
        if any(item.code in _OF_VALUES for item in diagnostics):
            return WARNED
        if any(part in str(fault) for part in _BY_VALUE):
            return WARNED
        return f"run: {type(fault).__name__}: {_first_line(fault)}"
    return RAN


def broken(text: str) -> str | None:
    """How ``text``, which may be refused, breaks where it is not; None where it does not."""
    found = tried(text)
    return None if found in (REFUSED, LARGE, WARNED, RAN) else found


def _first_line(fault: BaseException) -> str:
    lines = str(fault).strip().splitlines()
    return lines[0][:300] if lines else "no message"


def _few(program: Program, cases: tuple[matrix.Case, ...]) -> Iterator[matrix.Case]:
    """The first case of each mode."""
    seen: set[str] = set()
    for case in cases:
        if case.mode not in seen:
            seen.add(case.mode)
            yield dataclasses.replace(case, steps=1)


def _small(program: Program, case: matrix.Case) -> bool:
    whole = program.subject()
    known = {**subject.known_sizes(program), **case.values()}

    def count(shape: tuple[object, ...]) -> int:
        return math.prod(int(evaluate(size, known)) for size in shape)  # type: ignore[arg-type, call-overload]

    values = [count(shape) for shape in demands_of(program).shapes]
    return (
        sum(count(shape) for _, _, shape in whole.parameters()) <= MOST_PARAMETERS
        and max(values, default=0) <= MOST_OF_A_VALUE
        and sum(values) <= MOST_VALUES
    )


def _run(program: Program, case: matrix.Case) -> None:
    torch.manual_seed(0)
    module: nn.Module = module_class(emit(program), program.subject().name, "m")()
    batch = close(program, case).batches[0]
    inputs = [_working(tensor) for _, tensor in batch.inputs]
    labels = [_working(tensor) for _, tensor in batch.labels]
    module.train(case.mode == "train")
    train = program.train
    steps = train.steps if train is not None else ()
    if case.mode == "train" and train and any(step.optimizer is not None for step in steps):
        _step(program, module, [*inputs, *labels])
        return
    if train is not None and train.module is not None:
        return
    if case.mode == "train":
        for tensor in inputs:
            tensor.requires_grad_(tensor.is_floating_point() or tensor.is_complex())
    results = flat_tensors(module(*inputs))
    found = [tensor for tensor in results if tensor.requires_grad]
    if case.mode == "train" and found:
        sum(
            (torch.view_as_real(t.resolve_conj()) if t.is_complex() else t).sum() for t in found
        ).backward()  # type: ignore[union-attr]  # of at least one tensor
    if train is not None and hasattr(module, "metrics"):
        values = dict(zip(map(id, subject.model_inputs(program)), inputs, strict=True))
        values |= dict(zip(map(id, subject.train_inputs(program)), labels, strict=True))
        outputs = (output.value for output in program.subject().outputs)
        values |= dict(zip(map(id, outputs), results, strict=True))
        with torch.no_grad():
            module.metrics(*(values[id(use)] for use in train.metric_uses))


def _step(program: Program, module: nn.Module, batch: list[Tensor]) -> None:
    train = program.train
    assert train is not None
    configured = module.configure_optimizers()  # type: ignore[operator]  # an emitted method
    named = train.keyed
    parts = configured if named else {"": configured}
    optimizers = {name: each["optimizer"] for name, each in parts.items()}
    arguments: list[object] = [optimizers if named else optimizers[""]]
    if train.precision == "float16":
        arguments.append(torch.amp.GradScaler("cpu"))
    if subject.is_numbered(train):
        arguments.append(subject.period(train) - 1)
    terms = module.training_step(*arguments, *batch)  # type: ignore[operator]  # likewise
    for each in parts.values():
        schedule = each.get("lr_scheduler")
        if schedule is not None:
            watched = (terms.get(schedule["monitor"]),) if "monitor" in schedule else ()
            schedule["scheduler"].step(*(value for value in watched if value is not None))


def _working(tensor: Tensor) -> Tensor:
    """A float64 number of a case as a run in float32 has it."""
    if tensor.is_complex():
        return tensor.to(torch.complex64)
    return tensor.to(torch.float32) if tensor.is_floating_point() else tensor.clone()
