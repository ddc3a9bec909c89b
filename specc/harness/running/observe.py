"""Runs one closed case in one target and records what it computed, leaf by leaf.

The emitted class is the shell: its ``training_step`` runs as emitted, with the target's runnable
called in place of its ``forward`` (of its members' forwards, where it trains several); what is seen
is taken by hooks that copy and change nothing. Order is the order of the data: layers, outputs,
loss, gradients (last layer first, as backward computes them), learning rate, parameter changes,
optimizer state, buffers. Non-goals: making the numbers of the case (``case``), the steps of
training (``training_run``), deciding what is right (``compare``).
"""

from __future__ import annotations

import gc
from collections.abc import Sequence

import torch
from torch import Tensor

from specc.harness.cases import subject
from specc.harness.cases.case import ClosedCase
from specc.harness.numbers.noise import normal, set_step
from specc.harness.running.hooks import GradientHooks, flat_tensors
from specc.harness.running.live_module import RunFailed
from specc.harness.running.ongoing_run import Around, Run, Running, Setting
from specc.harness.running.training_run import train
from specc.ir import Program, Value

# Elements of a model's parameters from which on it is not left to chance when they are freed.
LARGE = 1 << 22

__all__ = ["Around", "Run", "RunFailed", "Setting", "observe"]


def observe(program: Program, closed: ClosedCase, source: str, setting: Setting) -> Run:
    """Run ``closed`` as ``setting`` says, on the module that ``source`` defines.

    Raises RunFailed where the module cannot be built, takes other parameters than the spec's, or
    stops; SpeccError as the targets raise it.
    """
    try:
        return _observed(program, closed, source, setting)
    finally:
        if sum(value.numel() for value in closed.parameters.values()) > LARGE:
            # The module and what it is called through hold each other: of a large one the weights,
            # gradients and moments would stay until the collector comes by.
            gc.collect()


def _observed(program: Program, closed: ClosedCase, source: str, setting: Setting) -> Run:
    running = Running(program, closed, source, setting)
    if closed.case.mode != "train":
        _evaluate(running)
    elif any(step.optimizer is not None for step in subject.steps(program)):
        train(running)
    else:
        _probe(running)
    return running.result


def _probe(running: Running) -> None:
    """A model without a training step: forward, and backward from fixed random weights."""
    batch = running.closed.batches[0]
    if running.setting.without_hooks:
        _without_hooks(running, "step0", grad=True)
    gradients = GradientHooks(running.module, {}, keep=running.seen.looked)
    with gradients:
        inputs = running.tensors(batch.inputs, grad=True)
        reaching = subject.reaching_inputs(running.program)
        labels = running.tensors(batch.labels, grad=reaching)
        with running.stage("step0"), running.layers_seen(True), running.setting.surroundings():
            if subject.of_several(running.program) is None:
                _backward(running, flat_tensors(running.shell(*inputs)))
            else:
                losses = _terms(running, inputs, labels)[0]
                torch.stack([terms[-1] for terms in losses.values()]).sum().backward()
    for found in running.captured.of.values():
        running.seen.captured("step0", found)
    parameters = dict(running.module.named_parameters())
    raw = {name: tensor for found in gradients.raw.values() for name, tensor in found.items()}
    running.seen.gradients("step0/grad", running.module, raw, parameters)
    for (name, _), tensor in zip((*batch.inputs, *batch.labels), (*inputs, *labels), strict=True):
        if tensor.requires_grad:
            running.seen.tensor(f"step0/input_grad/{name}", tensor.grad)
    running.seen.buffers("step0", running.module)


def _backward(running: Running, outputs: Sequence[Tensor]) -> None:
    total: Tensor | None = None
    seed = running.closed.case.seed
    for output, result in zip(running.program.subject().outputs, outputs, strict=False):
        if result.requires_grad:
            if result.is_complex():
                result = torch.view_as_real(result.resolve_conj())
            weights = normal(seed, f"probe/{output.name}", tuple(result.shape))
            part = (result * weights.to(result)).sum()
            total = part if total is None else total + part
    if total is not None:
        total.backward()


def _terms(
    running: Running, inputs: Sequence[Tensor], labels: Sequence[Tensor]
) -> tuple[dict[str, list[Tensor]], dict[str, Tensor], dict[int, Tensor]]:
    """Each step's terms in order, all terms by name, and every value that was known to them."""
    program, shell = running.program, running.shell
    several = subject.of_several(program)
    if several is None:
        results = flat_tensors(shell(*inputs))
    elif several.shared:
        given = dict(zip((id(v) for v in several.inputs), labels, strict=True))
        results = flat_tensors(shell(*(given[id(use)] for use in several.shared_uses)))
    else:
        results = []
    values = running.by_value(inputs, results, labels)
    lists: dict[str, list[Tensor]] = {}
    named: dict[str, Tensor] = {}
    for step in subject.steps(program):
        compute = getattr(shell, subject.method(step.name, "loss"), None)
        if compute is None:
            continue
        terms = compute(*(values[id(use)] for use in step.uses))
        lists[step.name] = [torch.as_tensor(term) for term in terms.values()]
        named |= {
            subject.prefixed(step.name, str(name)): torch.as_tensor(term)
            for name, term in terms.items()
        }
    return lists, named, values


def _without_hooks(running: Running, stage: str, *, grad: bool) -> None:
    """Outputs and loss terms once more with no hook anywhere, as users run a model: where torch's
    own layers see a hook, or a gradient is asked for, they take another way."""
    batch = running.closed.batches[0]
    place = f"{stage}/{'no_hooks_grad' if grad and stage == 'eval' else 'no_hooks'}"
    set_step(running.module, 0)
    inputs = running.tensors(batch.inputs, grad=grad)
    reaching = subject.reaching_inputs(running.program)
    labels = running.tensors(batch.labels, grad=reaching if grad else False)
    with running.unmoved(place), torch.set_grad_enabled(grad):
        terms = _terms(running, inputs, labels)[1]
    for found in running.captured.of.values():
        running.seen.captured(place, found)
    running.seen.terms(place, terms)


def _evaluate(running: Running) -> None:
    """Evaluation mode, initial weights: outputs, loss terms, metrics."""
    if running.setting.without_hooks:
        for grad in (False, True):
            _without_hooks(running, "eval", grad=grad)
    batch = running.closed.batches[0]
    inputs = running.tensors(batch.inputs, grad=False)
    labels = running.tensors(batch.labels, grad=False)
    metrics: dict[str, Tensor] = {}
    hits: dict[str, Tensor] = {}
    train = running.program.train
    with running.stage("eval"), torch.no_grad(), running.setting.surroundings():
        with running.layers_seen(True):
            _, terms, values = _terms(running, inputs, labels)
        found = {step: dict(seen) for step, seen in running.captured.of.items()}
        if train is not None and hasattr(running.shell, "metrics"):
            metrics = running.shell.metrics(*(values[id(v)] for v in train.metric_uses))
            hits = running.shell.metrics(*_half_right(train.metric_uses, values))
    seen = running.seen
    order = ("", *(step.name for step in subject.steps(running.program) if step.name))
    for step in order:
        seen.captured("eval", found.get(step, {}))
        seen.terms("eval", {k: v for k, v in terms.items() if _of_step(k, step)})
    for name, value in metrics.items():
        seen.tensor(f"eval/metric/{name}", torch.as_tensor(value))
    for name, value in hits.items():
        seen.tensor(f"eval/metric_half_right/{name}", torch.as_tensor(value))


def _of_step(term: str, step: str) -> bool:
    return term.partition("/")[0] == step if "/" in term else not step


def _half_right(uses: Sequence[Value], values: dict[int, Tensor]) -> list[Tensor]:
    """``values`` of ``uses``, with every second class label set to what the model predicts.

    Drawn labels are seldom predicted, and an accuracy of 0 shows nothing of how it is computed.
    """
    found = [values[id(use)] for use in uses]
    scores = [tensor for tensor in found if tensor.is_floating_point() and tensor.dim() > 1]
    for position, (use, labels) in enumerate(zip(uses, found, strict=True)):
        shape = labels.shape
        fitting = [score for score in scores if shape == (*score.shape[:1], *score.shape[2:])]
        if use.type.meaning == "index" and fitting:
            flat, predicted = labels.flatten().clone(), fitting[0].argmax(dim=1).flatten()
            flat[::2] = predicted[::2]
            found[position] = flat.view(shape)
    return found
