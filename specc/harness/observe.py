"""Runs one closed case in one target and records what it computed, leaf by leaf.

The emitted class is the shell: its ``training_step`` runs as emitted, with the target's runnable
called in place of its ``forward``; what is seen is taken by hooks that copy and change nothing.
Order is the order of the data: layers, outputs, loss, gradients (last layer first, as backward
computes them), learning rate, parameter changes, optimizer state, buffers. Non-goals: making the
numbers of the case (``case``), deciding what is right (``compare``).
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor, nn

from specc.errors import SpeccError
from specc.harness.case import ClosedCase
from specc.harness.hooks import GradientHooks, IdleOptimizer, flat_tensors, layer_hooks
from specc.harness.noise import make_portable, normal, set_step
from specc.harness.recorder import Observation, Recorder
from specc.ir import LayerCall, Program, Value, flat_nodes
from specc.targets import TARGETS
from specc.targets.live import module_class

# By how much weights are enlarged to see a constraint act, and gradients to see a clip act (powers
# of two: exact), and how far a schedule is followed.
ENLARGED = 64.0
AMPLIFIED = 2.0**14
AHEAD = 20

Around = Callable[[], AbstractContextManager[Any]]


class RunFailed(Exception):
    """The run stopped: ``place`` is the stage (``build``, ``step0``, ``eval``), ``message`` why."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


@dataclass(slots=True)
class Run:
    """What a run showed, in data-flow order, and the seconds that torch took for it."""

    observations: list[Observation] = field(default_factory=list)
    seconds_torch: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """How to run: the target, where, in which precision; ``layers`` asks for each layer's output
    of the first step, ``statistics`` for ``rms`` and ``largest``. ``around`` is entered for each
    step: floors run inside it."""

    target: str
    device: str
    dtype: str
    layers: bool = False
    statistics: bool = False
    around: Around = nullcontext


def observe(program: Program, closed: ClosedCase, source: str, setting: Setting) -> Run:
    """Run ``closed`` as ``setting`` says, on the module that ``source`` defines.

    Raises RunFailed where the module cannot be built, takes other parameters than the spec's, or
    stops; SpeccError as the targets raise it.
    """
    return _Observer(program, closed, source, setting).run()


class _Observer:
    def __init__(self, program: Program, closed: ClosedCase, source: str, setting: Setting) -> None:
        self.program = program
        self.closed = closed
        self.source = source
        self.setting = setting
        self.model = program.model()
        self.dtype = getattr(torch, setting.dtype)
        self.seen = Recorder(program, self.dtype, setting.statistics)
        self.result = Run(self.seen.observations)
        self.captured: dict[str, Tensor] = {}

    # ── building ─────────────────────────────────────────────────────────────────────────────────

    def build(self) -> nn.Module:
        """The live module with the case's weights, in the case's mode, with portable noise."""
        stem = PurePath(self.program.file).stem
        module = module_class(self.source, self.model.name, stem)()
        module.to(device=self.setting.device, dtype=self.dtype)
        module.train(self.closed.case.mode == "train")
        _load(dict(module.named_parameters()), self.closed.parameters, "parameter")
        # Buffers that the spec does not know of (a mask, a counter) keep what the class gave them.
        buffers = dict(module.named_buffers())
        _load(
            {name: buffers[name] for name in self.closed.buffers if name in buffers},
            self.closed.buffers,
            "buffer",
        )
        # Before the noise inside kernels is set to zero: its rate is a setting like any other.
        self.seen.settings(module)
        report = make_portable(module, self.closed.case.seed)
        self.result.notes = (
            *(f"noise switched off: {item}" for item in report.silenced),
            *(f"noise not under control: {name}" for name in report.uncovered),
        )
        return module

    def shell(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
        """``module`` with the target's runnable in the place of its forward."""
        runnable = TARGETS[self.setting.target].runnable(module, inputs)
        shell = copy.copy(module)  # shares the dictionaries of parameters, buffers and submodules

        def forward(*arguments: Tensor) -> Any:
            result = runnable(*arguments)
            self.capture_outputs(result)
            return result

        shell.forward = forward
        return shell

    # ── running ──────────────────────────────────────────────────────────────────────────────────

    def run(self) -> Run:
        training = self.closed.case.mode == "train"
        with self.stage("build"):
            module = self.build()
            set_step(module, 0)
            first = self.tensors(self.closed.batches[0].inputs, grad=False)
            shell = self.shell(module, first)
        if not training:
            self.evaluate(module, shell)
        elif self.program.train is not None and self.program.train.optimizer is not None:
            self.train(module, shell)
        else:
            self.probe(module, shell)
        return self.result

    def train(self, module: nn.Module, shell: Any) -> None:
        """The spec's own training steps."""
        with self.stage("configure"):
            configuration = shell.configure_optimizers()
            optimizer: torch.optim.Optimizer = configuration["optimizer"]
            schedule = configuration.get("lr_scheduler")
        self.seen.options(optimizer)
        assert self.program.train is not None
        clipped = self.program.train.clip is not None
        gradients = GradientHooks(module, optimizer if clipped else None)
        with gradients:
            for step, batch in enumerate(self.closed.batches):
                set_step(module, step)
                before = {n: p.detach().clone() for n, p in module.named_parameters()}
                rates = [group["lr"] for group in optimizer.param_groups]
                inputs = self.tensors(batch.inputs, grad=True)
                labels = self.tensors(batch.labels, grad=False)
                gradients.clear()
                with self.stage(f"step{step}"), self.hooked(module, step):
                    with self.setting.around():
                        terms = shell.training_step(optimizer, *inputs, *labels)
                prefix = f"step{step}"
                self.seen.forward(prefix, self.captured, terms)
                self.seen.gradients(prefix, module, gradients, inputs)
                for number, rate in enumerate(rates):
                    self.seen.exact(f"{prefix}/lr/group{number}", float(rate))
                for name, parameter in module.named_parameters():
                    # Exact in their own precision for numbers within a factor of two (Sterbenz).
                    change = parameter.detach() - before[name]
                    self.seen.tensor(f"{prefix}/delta/{name}", change)
                self.seen.state(prefix, module, optimizer)
                self.seen.buffers(prefix, module)
                if schedule is not None:
                    watched = (terms[schedule["monitor"]],) if "monitor" in schedule else ()
                    with self.stage(f"scheduler after step{step}"):
                        schedule["scheduler"].step(*watched)
            if gradients.optimizer is not None:
                self.record_clip(module, shell, gradients)
        if self.program.train.constraints:
            self.record_constraints(module, shell)
        if schedule is not None:
            self.record_schedule(optimizer, schedule)

    def probe(self, module: nn.Module, shell: Any) -> None:
        """A model without a training step: forward, and backward from fixed random weights."""
        gradients = GradientHooks(module, None)
        with gradients:
            for step, batch in enumerate(self.closed.batches[:1]):
                set_step(module, step)
                inputs = self.tensors(batch.inputs, grad=True)
                with self.stage(f"step{step}"), self.hooked(module, step):
                    with self.setting.around():
                        outputs = flat_tensors(shell(*inputs))
                        self.backward(outputs)
                self.seen.forward(f"step{step}", self.captured, {})
                self.seen.gradients(f"step{step}", module, gradients, inputs)
                self.seen.buffers(f"step{step}", module)

    def backward(self, outputs: Sequence[Tensor]) -> None:
        total: Tensor | None = None
        for output, result in zip(self.model.outputs, outputs, strict=False):
            if result.requires_grad:
                weights = normal(self.closed.case.seed, f"probe/{output.name}", tuple(result.shape))
                part = (result * weights.to(result)).sum()
                total = part if total is None else total + part
        if total is not None:
            total.backward()

    def evaluate(self, module: nn.Module, shell: Any) -> None:
        """Evaluation mode, initial weights: outputs, loss terms, metrics."""
        batch = self.closed.batches[0]
        inputs = self.tensors(batch.inputs, grad=False)
        labels = self.tensors(batch.labels, grad=False)
        terms: dict[str, Tensor] = {}
        metrics: dict[str, Tensor] = {}
        hits: dict[str, Tensor] = {}
        with self.stage("eval"), torch.no_grad(), self.setting.around():
            with self.hooked(module, 0):
                outputs = flat_tensors(shell(*inputs))
            if self.program.train is not None:
                values = self.by_value(inputs, outputs, labels)
                if hasattr(shell, "loss"):
                    terms = shell.loss(*(values[id(v)] for v in self.program.train.uses))
                if hasattr(shell, "metrics"):
                    metrics = shell.metrics(
                        *(values[id(v)] for v in self.program.train.metric_uses)
                    )
                    right = self.half_right(self.program.train.metric_uses, values)
                    hits = shell.metrics(*right)
        self.seen.forward("eval", self.captured, terms)
        for name, value in metrics.items():
            self.seen.tensor(f"eval/metric/{name}", torch.as_tensor(value))
        for name, value in hits.items():
            self.seen.tensor(f"eval/metric_half_right/{name}", torch.as_tensor(value))

    def by_value(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], labels: Sequence[Tensor]
    ) -> dict[int, Tensor]:
        assert self.program.train is not None
        known = [*self.model.inputs, *(o.value for o in self.model.outputs)]
        known += self.program.train.inputs
        return {
            id(value): tensor
            for value, tensor in zip(known, [*inputs, *outputs, *labels], strict=True)
        }

    def half_right(self, uses: Sequence[Value], values: dict[int, Tensor]) -> list[Tensor]:
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

    # ── hooks ────────────────────────────────────────────────────────────────────────────────────

    def hooked(self, module: nn.Module, step: int) -> AbstractContextManager[None]:
        """Captures the layers' outputs of the first step, where they are asked for."""
        self.captured.clear()
        if not self.setting.layers or step:
            return nullcontext()
        calls = [node.layer for node in flat_nodes(self.model.nodes) if isinstance(node, LayerCall)]
        return layer_hooks(module, dict.fromkeys(calls), self.captured)

    def capture_outputs(self, result: Any) -> None:
        for output, tensor in zip(self.model.outputs, flat_tensors(result), strict=False):
            self.captured[f"output/{output.name}"] = tensor.detach().clone()

    @contextmanager
    def stage(self, place: str) -> Iterator[None]:
        """Times what torch does and turns whatever it raises into RunFailed."""
        start = time.perf_counter()
        try:
            yield
        except (RunFailed, SpeccError):
            raise
        except (Exception, SystemExit) as error:
            # Whatever the user's edited source or a backend raises is a finding, not a traceback;
            # nor may a source that calls exit() end the judging.
            text = str(error).strip().splitlines()
            message = f"{type(error).__name__}: {text[0] if text else 'no message'}"
            raise RunFailed(place, message[:400]) from error
        finally:
            self.result.seconds_torch += time.perf_counter() - start

    # ── recording ────────────────────────────────────────────────────────────────────────────────

    def tensors(self, values: Sequence[tuple[str, Tensor]], grad: bool) -> tuple[Tensor, ...]:
        found = []
        for _, value in values:
            floating = value.is_floating_point()
            tensor = value.to(self.setting.device, self.dtype if floating else value.dtype).clone()
            found.append(tensor.requires_grad_(grad and floating))
        return tuple(found)

    def record_clip(self, module: nn.Module, shell: Any, gradients: GradientHooks) -> None:
        """What the clip makes of gradients large enough for it to act; a case's need not be."""
        assert gradients.optimizer is not None
        batch = self.closed.batches[-1]
        inputs = self.tensors(batch.inputs, grad=False)
        labels = self.tensors(batch.labels, grad=False)
        gradients.clear()
        with ExitStack() as stack, self.stage("clip"), self.setting.around():
            for parameter in module.parameters():
                if parameter.requires_grad:
                    handle = parameter.register_hook(lambda gradient: gradient * AMPLIFIED)
                    stack.callback(handle.remove)
            shell.training_step(gradients.optimizer, *inputs, *labels)
        for name, _ in reversed(list(module.named_parameters())):
            self.seen.tensor(f"end/clipped_grad/{name}", gradients.clipped.get(name))

    def record_constraints(self, module: nn.Module, shell: Any) -> None:
        """What a step's constraints make of weights large enough for them to act, which a few
        steps are not. The step itself moves nothing, so that only the constraints are seen, and
        that the step calls them.
        """
        assert self.program.train is not None
        batch = self.closed.batches[-1]
        inputs = self.tensors(batch.inputs, grad=False)
        labels = self.tensors(batch.labels, grad=False)
        parameters = dict(module.named_parameters())
        names = dict.fromkeys(n for c in self.program.train.constraints for n in c.on.names)
        with self.stage("constrain"):
            with torch.no_grad():
                for name in names:
                    parameters[name].mul_(ENLARGED)
            with self.setting.around():
                shell.training_step(IdleOptimizer(), *inputs, *labels)
        for name in names:
            self.seen.tensor(f"end/constrained/{name}", parameters[name])

    def record_schedule(self, optimizer: torch.optim.Optimizer, schedule: dict[str, Any]) -> None:
        """The learning rates of the next AHEAD steps, which a few steps are too short to show.

        A watched loss stands still, so that patience runs out.
        """
        rates: list[list[float]] = []
        with self.stage("schedule"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the optimizer is not stepped in between is meant
            for _ in range(AHEAD):
                schedule["scheduler"].step(*((1.0,) if "monitor" in schedule else ()))
                rates.append([float(group["lr"]) for group in optimizer.param_groups])
        for number, column in enumerate(zip(*rates, strict=True)):
            self.seen.exact(f"end/schedule/group{number}", *column)


def _load(into: dict[str, Tensor], values: dict[str, Tensor], what: str) -> None:
    missing = [name for name in values if name not in into]
    extra = [name for name in into if name not in values]
    if missing or extra:
        text = "; ".join(
            [f"no {what} {name}" for name in missing]
            + [f"a {what} {name} too many" for name in extra]
        )
        raise RunFailed("build", f"the module's {what}s are not the spec's: {text}")
    with torch.no_grad():
        for name, value in values.items():
            if into[name].shape != value.shape:
                raise RunFailed(
                    "build",
                    f"{what} {name} has shape {list(into[name].shape)}, the spec says"
                    f" {list(value.shape)}",
                )
            into[name].copy_(value)
