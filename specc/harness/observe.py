"""Runs one closed case in one target and records what it computed, leaf by leaf.

The emitted class is the shell: its ``training_step`` runs as emitted, with the target's runnable called in
place of its ``forward``; what is seen is taken by hooks that copy and change nothing. Order is the
order of the data: layers, outputs, loss, gradients (last layer first, as backward computes them),
learning rate, parameter changes, optimizer state, buffers. Non-goals: making the numbers of the case
(``case``), deciding what is right (``compare``).
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

from specc.errors import SpeccError, TargetError
from specc.harness.case import Batch, ClosedCase
from specc.harness.lines import Lines
from specc.harness.noise import make_portable, normal, set_step
from specc.harness.sketch import nonfinite_digest, represent
from specc.ir import LayerCall, Program
from specc.targets import TARGETS
from specc.targets.live import module_class

# By how much weights are enlarged to see a constraint act, and how far a schedule is followed.
ENLARGED = 64.0
AHEAD = 20

Around = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Observation:
    """One leaf. ``values`` is None where the run has no such tensor (a gradient that is None).

    ``values`` is float64, ``[elements]`` or a sketch; ``dtype`` is torch's name, with ``float`` for the
    precision of the run; ``nonfinite`` is the digest of ``sketch.nonfinite_digest``. ``exact`` marks what
    no rounding touches: integers, learning rates. ``rms`` and ``largest`` are of the whole tensor, and
    0.0 unless they were asked for.
    """

    name: str
    line: int
    values: Tensor | None = None
    shape: tuple[int, ...] = ()
    dtype: str = ""
    nonfinite: str = ""
    exact: bool = False
    rms: float = 0.0
    largest: float = 0.0


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
    """How to run: the target, where, in which precision; ``layers`` asks for each layer's output of the
    first step, ``statistics`` for ``rms`` and ``largest``. ``around`` is entered for each step: floors
    run inside it."""

    target: str
    device: str
    dtype: str
    layers: bool = False
    statistics: bool = False
    around: Around = nullcontext


def observe(program: Program, closed: ClosedCase, source: str, setting: Setting) -> Run:
    """Run ``closed`` as ``setting`` says, on the module that ``source`` defines.

    Raises RunFailed where the module cannot be built, takes other parameters than the spec's, or stops;
    SpeccError as the targets raise it.
    """
    return _Observer(program, closed, source, setting).run()


class _Observer:
    def __init__(self, program: Program, closed: ClosedCase, source: str, setting: Setting) -> None:
        self.program = program
        self.closed = closed
        self.source = source
        self.setting = setting
        self.model = program.model()
        self.lines = Lines(program)
        self.dtype = getattr(torch, setting.dtype)
        self.result = Run()
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
        self.record_settings(module)
        report = make_portable(module, self.closed.case.seed)
        self.result.notes = (
            *(f"noise switched off: {item}" for item in report.silenced),
            *(f"noise not under control: {name}" for name in report.uncovered),
        )
        return module

    def shell(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> nn.Module:
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

    def train(self, module: nn.Module, shell: nn.Module) -> None:
        """The spec's own training steps."""
        with self.stage("configure"):
            configuration = shell.configure_optimizers()  # type: ignore[operator]  # emitted method
            optimizer: torch.optim.Optimizer = configuration["optimizer"]
            schedule = configuration.get("lr_scheduler")
        self.record_options(optimizer)
        assert self.program.train is not None
        clipped = self.program.train.clip is not None
        gradients = _GradientHooks(module, optimizer if clipped else None)
        with gradients:
            for step, batch in enumerate(self.closed.batches):
                set_step(module, step)
                before = {n: p.detach().clone() for n, p in module.named_parameters()}
                rates = [group["lr"] for group in optimizer.param_groups]
                inputs = self.tensors(batch.inputs, grad=True)
                labels = self.tensors(batch.labels, grad=False)
                gradients.clear()
                with self.stage(f"step{step}"), self.layer_hooks(module, step):
                    with self.setting.around():
                        terms = shell.training_step(  # type: ignore[operator]  # emitted method
                            optimizer, *inputs, *labels
                        )
                prefix = f"step{step}"
                self.record_forward(prefix, terms)
                self.record_gradients(prefix, module, gradients, inputs)
                for number, rate in enumerate(rates):
                    self.record_exact(f"{prefix}/lr/group{number}", float(rate))
                for name, parameter in module.named_parameters():
                    change = parameter.detach().to(torch.float64) - before[name].to(torch.float64)
                    self.record(f"{prefix}/delta/{name}", change, dtype="float")
                self.record_state(prefix, module, optimizer)
                self.record_buffers(prefix, module)
                if schedule is not None:
                    watched = (terms[schedule["monitor"]],) if "monitor" in schedule else ()
                    with self.stage(f"scheduler after step{step}"):
                        schedule["scheduler"].step(*watched)
        if self.program.train.constraints:
            self.record_constraints(module, shell)
        if schedule is not None:
            self.record_schedule(optimizer, schedule)

    def probe(self, module: nn.Module, shell: nn.Module) -> None:
        """A model without a training step: forward, and backward from fixed random weights."""
        gradients = _GradientHooks(module, None)
        with gradients:
            for step, batch in enumerate(self.closed.batches[:1]):
                set_step(module, step)
                inputs = self.tensors(batch.inputs, grad=True)
                with self.stage(f"step{step}"), self.layer_hooks(module, step):
                    with self.setting.around():
                        outputs = _flat(shell(*inputs))
                        self.backward(outputs)
                self.record_forward(f"step{step}", {})
                self.record_gradients(f"step{step}", module, gradients, inputs)
                self.record_buffers(f"step{step}", module)

    def backward(self, outputs: Sequence[Tensor]) -> None:
        total: Tensor | None = None
        for output, result in zip(self.model.outputs, outputs, strict=False):
            if result.requires_grad:
                weights = normal(self.closed.case.seed, f"probe/{output.name}", tuple(result.shape))
                part = (result * weights.to(result)).sum()
                total = part if total is None else total + part
        if total is not None:
            total.backward()

    def evaluate(self, module: nn.Module, shell: nn.Module) -> None:
        """Evaluation mode, initial weights: outputs, loss terms, metrics."""
        batch = self.closed.batches[0]
        inputs = self.tensors(batch.inputs, grad=False)
        labels = self.tensors(batch.labels, grad=False)
        terms: dict[str, Tensor] = {}
        metrics: dict[str, Tensor] = {}
        with self.stage("eval"), torch.no_grad(), self.setting.around():
            with self.layer_hooks(module, 0):
                outputs = _flat(shell(*inputs))
            if self.program.train is not None:
                values = self.by_value(inputs, outputs, labels)
                if hasattr(shell, "loss"):
                    terms = shell.loss(*(values[id(v)] for v in self.program.train.uses))
                if hasattr(shell, "metrics"):
                    metrics = shell.metrics(
                        *(values[id(v)] for v in self.program.train.metric_uses)
                    )
        self.record_forward("eval", terms)
        for name, value in metrics.items():
            self.record(f"eval/metric/{name}", torch.as_tensor(value))

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

    # ── hooks ────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def layer_hooks(self, module: nn.Module, step: int) -> Iterator[None]:
        """While open, each layer's output is captured as ``layer/<name>``, in the order of the calls."""
        self.captured.clear()
        with ExitStack() as stack:
            if self.setting.layers and step == 0:
                called = dict.fromkeys(
                    node.layer for node in self.model.nodes if isinstance(node, LayerCall)
                )
                for name in called:
                    handle = module.get_submodule(name).register_forward_hook(self.hook(name))
                    stack.callback(handle.remove)
            yield

    def hook(self, name: str) -> Callable[..., None]:
        def capture(layer: nn.Module, arguments: Any, result: Any) -> None:
            for position, tensor in enumerate(_flat(result)):
                key = f"layer/{name}" + (f"/{position}" if position else "")
                calls = sum(k == key or k.startswith(f"{key}#") for k in self.captured)
                self.captured[f"{key}#{calls + 1}" if calls else key] = tensor.detach().clone()

        return capture

    def capture_outputs(self, result: Any) -> None:
        for output, tensor in zip(self.model.outputs, _flat(result), strict=False):
            self.captured[f"output/{output.name}"] = tensor.detach().clone()

    @contextmanager
    def stage(self, place: str) -> Iterator[None]:
        """Times what torch does and turns whatever it raises into RunFailed."""
        start = time.perf_counter()
        try:
            yield
        except (RunFailed, SpeccError):
            raise
        except Exception as error:
            # Whatever the user's edited source or a backend raises is a finding, not a traceback.
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

    def record_forward(self, prefix: str, terms: dict[str, Tensor]) -> None:
        for key, tensor in self.captured.items():
            self.record(f"{prefix}/{key}", tensor)
        for name, value in terms.items():
            kind = "penalty" if name == "penalty" else "loss"
            self.record(f"{prefix}/{kind}/{name}", value)

    def record_gradients(
        self, prefix: str, module: nn.Module, seen: _GradientHooks, inputs: Sequence[Tensor]
    ) -> None:
        names = [name for name, _ in module.named_parameters()]
        for name in reversed(names):
            self.record(f"{prefix}/grad/{name}", seen.raw.get(name))
        for value, tensor in zip(self.model.inputs, inputs, strict=True):
            if tensor.is_floating_point():
                self.record(f"{prefix}/input_grad/{value.name}", tensor.grad)
        if seen.optimizer is not None:
            for name in reversed(names):
                self.record(f"{prefix}/clipped_grad/{name}", seen.clipped.get(name))

    def record_settings(self, module: nn.Module) -> None:
        """The floats that layers are set up with: an eps or a momentum can be far below any noise."""
        for layer in self.model.layers:
            for name, value in vars(module.get_submodule(layer.name)).items():
                if isinstance(value, float) and not name.startswith("_"):
                    self.record_exact(f"setting/{layer.name}.{name}", value)

    def record_options(self, optimizer: torch.optim.Optimizer) -> None:
        """The numbers that each parameter group is set up with, for the same reason.

        Switches are left out: foreach, fused and the like choose between honest implementations.
        """
        for number, group in enumerate(optimizer.param_groups):
            for name, option in group.items():
                parts = option if isinstance(option, (tuple, list)) else (option,)
                if name == "params" or not all(isinstance(p, (int, float)) for p in parts):
                    continue
                for position, part in enumerate(parts):
                    key = f"{name}.{position}" if isinstance(option, (tuple, list)) else name
                    if not isinstance(part, bool):
                        self.record_exact(f"option/group{number}/{key}", float(part))

    def record_constraints(self, module: nn.Module, shell: nn.Module) -> None:
        """What ``constrain`` makes of weights large enough for it to act, which a few steps are not."""
        assert self.program.train is not None
        parameters = dict(module.named_parameters())
        names = dict.fromkeys(n for c in self.program.train.constraints for n in c.on.names)
        with self.stage("constrain"), torch.no_grad():
            for name in names:
                parameters[name].mul_(ENLARGED)
            with self.setting.around():
                shell.constrain()  # type: ignore[operator]  # emitted method
        for name in names:
            self.record(f"end/constrained/{name}", parameters[name])

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
            self.record_exact(f"end/schedule/group{number}", *column)

    def record_state(
        self, prefix: str, module: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        keys: dict[str, None] = {}
        for state in optimizer.state.values():
            keys.update(dict.fromkeys(state))
        for key in keys:
            for name, parameter in module.named_parameters():
                value = optimizer.state.get(parameter, {}).get(key)
                full = f"{prefix}/state/{key}/{name}"
                if isinstance(value, (int, float)) or (value is not None and value.dim() == 0):
                    # A counter: torch keeps it in its default precision, whatever the run's.
                    self.record_exact(full, float(value))
                else:
                    self.record(full, value)

    def record_buffers(self, prefix: str, module: nn.Module) -> None:
        known = {f"{layer.name}.{name}" for layer in self.model.layers for name, _ in layer.buffers}
        for name, buffer in module.named_buffers():
            if name in known:
                self.record(f"{prefix}/buffer/{name}", buffer)

    def record(self, name: str, tensor: Tensor | None, dtype: str = "") -> None:
        line = self.lines.of(name)
        if tensor is None:
            self.result.observations.append(Observation(name, line))
            return
        value = tensor.detach().cpu()
        kind = dtype or ("float" if value.dtype == self.dtype else str(value.dtype)[6:])
        exact = not value.is_floating_point()
        rms = largest = 0.0
        if self.setting.statistics and value.numel():
            wide = value.to(torch.float64)
            rms = float(wide.square().mean().sqrt())
            largest = float(wide.abs().max())
        self.result.observations.append(
            Observation(
                name,
                line,
                represent(value),
                tuple(value.shape),
                kind,
                nonfinite_digest(value),
                exact,
                rms,
                largest,
            )
        )

    def record_exact(self, name: str, *values: float) -> None:
        vector = torch.tensor(values, dtype=torch.float64)
        self.result.observations.append(
            Observation(
                name,
                self.lines.of(name),
                vector,
                (len(values),) if len(values) > 1 else (),
                "number",
                exact=True,
                rms=float(vector.square().mean().sqrt()),
                largest=float(vector.abs().max()),
            )
        )


class _GradientHooks:
    """Copies every parameter's gradient when backward has finished it, and again before the step."""

    def __init__(self, module: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        self.raw: dict[str, Tensor] = {}
        self.clipped: dict[str, Tensor] = {}
        self.optimizer = optimizer
        self._module = module
        self._handles: list[Any] = []

    def clear(self) -> None:
        self.raw.clear()
        self.clipped.clear()

    def __enter__(self) -> None:
        for name, parameter in self._module.named_parameters():
            if parameter.requires_grad:
                hook = self._saver(name)
                self._handles.append(parameter.register_post_accumulate_grad_hook(hook))
        if self.optimizer is not None:
            self._handles.append(self.optimizer.register_step_pre_hook(self._before_step))

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _saver(self, name: str) -> Callable[[Tensor], None]:
        def save(parameter: Tensor) -> None:
            if parameter.grad is not None:
                self.raw[name] = parameter.grad.detach().clone()

        return save

    def _before_step(self, *arguments: object) -> None:
        for name, parameter in self._module.named_parameters():
            if parameter.grad is not None:
                self.clipped[name] = parameter.grad.detach().clone()


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


def _flat(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, (tuple, list)):
        return [tensor for item in result for tensor in _flat(item)]
    return []


__all__ = ["Batch", "Observation", "Run", "RunFailed", "Setting", "TargetError", "observe"]
