"""One of torch's own samples through specc and through torch: whether both give the same, to the
bit.

``outcome`` says it in a word, with what was refused or what differs. Non-goals: where samples come
from and how they are said (``torch_samples``, ``torch_said``), and which refusals are sound
(``torch_refusals``).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch_said import OTHERWISE, PLAIN, Said, Sample, Unsayable, said

from specc import front
from specc.emit import emit
from specc.harness.cases import tested_program
from specc.harness.running.hooks import flat_tensors
from specc.ir import Program
from specc.targets.live import module_class

EQUAL, REFUSED, UNSAYABLE, SHARED = "equal", "refused", "unsayable", "refused by both"
DIFFERENT, DEFECT, BREAKS, TAKEN = "different", "defect", "breaks", "taken"
FAULTS = (DIFFERENT, DEFECT, BREAKS, TAKEN)
NOT_SHARED = (REFUSED, UNSAYABLE)


@dataclass
class Outcome:
    """``word`` is one of those above: ``breaks`` is what checks clean and then raises, ``taken``
    what torch refuses and specc computes. ``code`` is of the refusal, ``text`` what was said."""

    word: str
    sample: Sample
    code: str = ""
    message: str = ""
    text: str = ""


def outcome(sample: Sample) -> Outcome:
    """What comes of ``sample``: where torch takes it, whether specc does and gives the same
    numbers, gradients and states; where torch refuses it, whether specc does."""
    torch.manual_seed(0)
    try:
        reference = _Reference(sample)
        expected, refusal = reference.run(), ""
    except Exception as raised:  # whatever torch raises is a refusal
        reference, expected, refusal = None, None, shown(raised)
    structure = None if expected is None else expected.raw
    try:
        way = PLAIN
        spoken = said(sample, structure, way)
        program, code, message = read(spoken.text)
        while code in OTHERWISE and not refusal:
            other = replace(way, **OTHERWISE[code])
            if other == way:
                break
            way, spoken = other, said(sample, structure, other)
            program, code, message = read(spoken.text)
    except Unsayable as kind:
        return Outcome(SHARED if refusal else UNSAYABLE, sample, message=str(kind))
    except Exception as raised:  # a defect of the checks is what is looked for
        return Outcome(DEFECT, sample, message=shown(raised))
    told = partial(Outcome, sample=sample, text=spoken.text)
    if code:
        return told(SHARED if refusal else REFUSED, code=code, message=message)
    assert program is not None
    try:
        emitted = _Emitted(sample, program, spoken)
    except Exception as raised:
        return told(DEFECT, code="E0790", message=shown(raised))
    if reference is None or expected is None:
        try:
            emitted.run()
        except Exception as raised:
            return told(BREAKS, message=f"{shown(raised)}; torch's: {refusal}")
        return told(TAKEN, message=refusal)
    try:
        emitted.start(reference.started)
        found = emitted.run()
    except Exception as raised:
        return told(BREAKS, message=shown(raised))
    problem = _difference(expected, found)
    return told(DIFFERENT, message=problem) if problem else told(EQUAL)


def read(text: str) -> tuple[Program | None, str, str]:
    """The program, or the first error's code and message."""
    program, diagnostics, _ = tested_program.held(*front.check_text(text, "m.spec"))
    errors = [item for item in diagnostics if item.severity == "error"]
    if not errors:
        return program, "", ""
    return None, errors[0].code, errors[0].message


@dataclass
class _Result:
    """``raw`` is what a call gave; all that is compared is flat, and detached."""

    raw: Any
    values: list[Tensor]
    gradients: list[Tensor | None]
    state: dict[str, Tensor]


def _evaluated(
    call: Callable[[], Any], inputs: Sequence[Tensor], module: nn.Module | None
) -> _Result:
    """What ``call`` gives, and the gradients of the inputs and of the parameters of ``module``
    under cotangents that are drawn."""
    kept = [(each, each.detach().clone()) for each in inputs if not each.requires_grad]
    torch.manual_seed(1)
    raw = call()
    values = flat_tensors(raw)
    leaves = [each for each in inputs if each.requires_grad]
    if module is not None:
        leaves += [each for _, each in sorted(module.named_parameters())]
    reached = [value for value in values if value.requires_grad]
    gradients: list[Tensor | None] = []
    if leaves and reached:
        torch.manual_seed(2)
        cotangents = [torch.randn_like(value) for value in reached]
        gradients = list(torch.autograd.grad(reached, leaves, cotangents, allow_unused=True))
    for tensor, before in kept:  # running statistics that are passed change as a function runs
        if bits(tensor) != bits(before):
            tensor.copy_(before)
    state = {} if module is None else dict(sorted(module.state_dict().items()))
    return _Result(raw, [value.detach() for value in values], gradients, state)


class _Reference:
    """torch's own call. ``started`` is the state that a layer was made with."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.module: nn.Module | None = None
        if sample.make is not None:
            self.module = sample.make()
            self.module.train(sample.training)
        self.started = {} if self.module is None else copy.deepcopy(self.module.state_dict())

    def run(self) -> _Result:
        call = self.module if self.module is not None else self.sample.run
        assert call is not None
        made = self.module if self.sample.is_layer else None
        inputs = tensors_of((self.sample.args, self.sample.keywords, self.sample.settings))

        def run() -> Any:
            result = call(*self.sample.args, **self.sample.keywords)
            return result.sum() if self.sample.is_loss else result  # as a step of training needs it

        return _evaluated(run, inputs, made)


class _Emitted:
    """The emitted model of a sample."""

    def __init__(self, sample: Sample, program: Program, spoken: Said) -> None:
        self.sample, self.program, self.spoken = sample, program, spoken
        self.model: Any = module_class(emit(program), program.subject().name, "m")()
        self.model.train(sample.training)

    def start(self, state: dict[str, Tensor]) -> None:
        if self.sample.is_layer:
            self.model.load_state_dict({f"made.{name}": value for name, value in state.items()})

    def run(self) -> _Result:
        made = self.model.made if self.sample.is_layer else None
        return _evaluated(self._call, self.spoken.inputs, made)

    def _call(self) -> Any:
        if not self.sample.is_loss:
            results = self.model(*self.spoken.inputs)
            return results[:-1] if self.spoken.padded else results
        train = self.program.train
        assert train is not None
        names = (*self.program.model().inputs, *train.inputs)
        given = dict(zip(map(id, names), self.spoken.inputs, strict=True))
        return self.model.loss(*(given[id(use)] for use in train.steps[0].uses))["loss"]


def tensors_of(given: Any) -> list[Tensor]:
    """The tensors in ``given``, however nested, each once, in the order in which they stand."""
    found: dict[int, Tensor] = {}

    def look(value: Any) -> None:
        if isinstance(value, Tensor):
            found.setdefault(id(value), value)
        elif isinstance(value, list | tuple):
            for item in value:
                look(item)
        elif isinstance(value, dict):
            look(list(value.values()))

    look(given)
    return list(found.values())


def _difference(expected: _Result, found: _Result) -> str:
    """What differs first; empty where everything is equal to the bit."""
    for what, ours, theirs in (
        ("result", found.values, expected.values),
        ("gradient", found.gradients, expected.gradients),
        ("state", list(found.state.values()), list(expected.state.values())),
    ):
        if len(ours) != len(theirs):
            return f"{len(ours)} of {what}, and torch has {len(theirs)}"
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            if (one is None) != (other is None):
                return f"{what} {place} is {'none' if one is None else 'there'}, torch's not"
            if one is None or other is None:
                continue
            if (one.dtype, one.shape) != (other.dtype, other.shape):
                shown = [f"{each.dtype} {tuple(each.shape)}" for each in (one, other)]
                return f"{what} {place} is {shown[0]}, torch's {shown[1]}"
            if bits(one) != bits(other):
                return f"{what} {place} has other values"
    return ""


def bits(tensor: Tensor) -> bytes:
    """What ``tensor`` holds, as it is stored."""
    # A copy of its own: a row of one number may be contiguous, and have any stride.
    plain = torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach()).reshape(-1)
    return plain.view(torch.uint8).numpy().tobytes()


def shown(fault: BaseException) -> str:
    """The type and the first line of ``fault``."""
    lines = str(fault).strip().splitlines()
    return f"{type(fault).__name__}: {lines[0][:200] if lines else ''}"
