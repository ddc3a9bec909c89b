"""One run on its way: the module, its shell, what is recorded, and how a failure is told.

What ``observe`` and ``training_run`` share. Non-goal: the order of what happens, which is theirs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from specc.catalog import OPTIMIZERS
from specc.errors import SpeccError, in_one_line
from specc.harness.cases import subject
from specc.harness.cases.case import ClosedCase
from specc.harness.cases.precisions import TF32, dtype_of
from specc.harness.numbers.noise import set_step
from specc.harness.running import live_module
from specc.harness.running.hooks import copied, flat_tensors, layer_hooks
from specc.harness.running.layer_calls import RecordedCall, calls_kept
from specc.harness.running.live_module import RunFailed
from specc.harness.running.recorder import Observation, Recorder
from specc.harness.running.side_by_side import PROCESS_WIDE
from specc.harness.running.standin import Captured, stand_in, with_forward
from specc.harness.running.tf32 import NOTE, emulated
from specc.ir import Program, Step, Value

Around = Callable[[], AbstractContextManager[Any]]


@dataclass(slots=True)
class Run:
    """What a run showed, in data-flow order, and the seconds that torch took for it."""

    observations: list[Observation] = field(default_factory=list)
    seconds_torch: float = 0.0
    notes: tuple[str, ...] = ()
    # Every tensor as it was, where the setting asks for them.
    whole: dict[str, Tensor] = field(default_factory=dict)
    # The first call of each layer that holds no other that is looked at, where they are asked for.
    calls: dict[str, RecordedCall] = field(default_factory=dict)


def untouched(module: nn.Module) -> None:
    """The module runs as it was built."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How to run: the target, where, in which precision and memory layout.

    ``layers`` asks for each layer's output of the first step, ``calls`` for its first call as well,
    ``statistics`` for ``rms`` and ``largest``, ``whole`` for every tensor unsketched,
    ``numbers_alone`` for nothing but what rounding moves. ``around`` is entered for
    each step: floors run inside it; ``prepare`` is given the module before it runs.
    ``without_hooks`` asks for the outputs and losses of the first step, or of the evaluation, once
    more with no hook anywhere, as users run a model: torch's own layers compute otherwise where
    they see one. ``optimizer`` chooses among torch's implementations of a step: ``foreach``,
    ``for_loop``, ``fused``, or torch's own choice where empty."""

    target: str
    device: str
    dtype: str
    layers: bool = False
    calls: bool = False
    statistics: bool = False
    numbers_alone: bool = False
    around: Around = nullcontext
    layout: str = "contiguous"
    whole: bool = False
    prepare: Callable[[nn.Module], None] = untouched
    optimizer: str = ""
    without_hooks: bool = False

    @property
    def emulated(self) -> bool:
        """Whether TF32 is emulated, for want of a device that has it."""
        return self.dtype == TF32 and self.device == "cpu"

    @contextmanager
    def surroundings(self) -> Iterator[None]:
        """What a step, an evaluation, and a layer by itself run in."""
        with emulated(self.emulated), self.around():
            yield


class Running:
    """A case in one target."""

    def __init__(self, program: Program, closed: ClosedCase, source: str, setting: Setting) -> None:
        self.program = program
        self.closed = closed
        self.setting = setting
        self.dtype = dtype_of(setting.dtype)
        self.seen = Recorder(
            program,
            self.dtype,
            statistics=setting.statistics,
            numbers_alone=setting.numbers_alone,
        )
        self.result = Run(self.seen.observations)
        if setting.whole:
            self.seen.unsketched = self.result.whole
        self.captured = Captured(self.seen.looked)
        with PROCESS_WIDE, self.stage("build"):
            self.module = self._build(source)
            self.shell = self._shell()

    # ── building ─────────────────────────────────────────────────────────────────────────────────

    def _build(self, source: str) -> nn.Module:
        module = live_module.bare(self.program, self.closed, source, self.dtype)
        module.to(device=self.setting.device)
        if self.setting.layout == "channels_last":
            for parameter in module.parameters():
                parameter.data = self._laid_out(parameter.data)
        # Before the noise inside kernels is set to zero: its rate is a setting like any other.
        self.seen.settings(module)
        built = live_module.with_portable_noise(module, source, self.closed.case.seed, self.program)
        set_step(module, 0)
        self.setting.prepare(module)
        self.result.notes = (*built.notes, *([NOTE] if self.setting.emulated else []))
        return module

    def _shell(self) -> Any:
        """The module with the target's runnables in the place of the models' forwards: its own, or
        its members'. What belongs to training stays eager."""
        train = subject.of_several(self.program)
        if train is None:
            names = [output.name for output in self.program.subject().outputs]
            alone = stand_in(self.module, self.setting.target, self._capturing(names))
            for step in subject.steps(self.program):
                self._once(alone, step)
            return alone
        shared = [value.name for value in train.shared_values]
        capture = self._capturing(shared)

        def forward(*arguments: Tensor) -> Any:
            result = type(shell).forward(shell, *arguments)
            capture(result)
            return result

        shell = with_forward(self.module, forward)
        for member in train.members:
            model = next(m for m in self.program.models if m.name == member.model)
            names = [f"{member.attribute}.{output.name}" for output in model.outputs]
            shell._modules[member.attribute] = stand_in(
                self.module.get_submodule(member.attribute),
                self.setting.target,
                self._capturing(names),
            )
        for step in train.steps:
            self._announced(shell, step.name)
            self._once(shell, step)
        return shell

    def _once(self, shell: Any, step: Step) -> None:
        """Let nothing be captured after the first loss of a step that computes it many times: how
        many times is no more certain than the numbers that it looks at."""
        if step.optimizer is None or not OPTIMIZERS[step.optimizer.type].closure:
            return
        name = subject.method(step.name, "loss")
        compute = getattr(shell, name)

        def loss(*arguments: Tensor) -> Any:
            result = compute(*arguments)
            self.captured.closed = True
            return result

        setattr(shell, name, loss)

    def _capturing(self, names: Sequence[str]) -> Callable[[Any], None]:
        def capture(result: Any) -> None:
            for name, tensor in zip(names, flat_tensors(result), strict=False):
                self.captured.add(f"output/{name}", tensor)

        return capture

    def _announced(self, shell: Any, step: str) -> None:
        """Let the step's loss say that the step runs now."""
        name = subject.method(step, "loss")
        compute = getattr(shell, name)

        def loss(*arguments: Tensor) -> Any:
            self.captured.step = step
            return compute(*arguments)

        setattr(shell, name, loss)

    # ── running ──────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def layers_seen(self, wanted: bool) -> Iterator[None]:
        """Forgets what was captured, and captures layers' outputs where they are asked for."""
        self.captured.clear()
        with ExitStack() as stack:
            if self.setting.layers and wanted:
                paths = self._observed()
                stack.enter_context(layer_hooks(self.shell, paths, self.captured.add))
                if self.setting.calls:
                    holders = {path[:end] for path in paths for end in _dots(path)}
                    alone = [path for path in paths if path not in holders]
                    kept = calls_kept(self.shell, alone, self.result.calls, self._as_given())
                    stack.enter_context(kept)
            yield

    def _as_given(self) -> dict[int, Tensor]:
        """The case's own tensor, by id, of each parameter that is still the same in its bits."""
        given = self.closed.parameters
        return {
            id(each): given[name]
            for name, each in self.module.named_parameters()
            if name in given and _alike(given[name], each) and torch.equal(given[name], each)
        }

    @contextmanager
    def unmoved(self, place: str) -> Iterator[None]:
        """A run beside the run, whose outputs are captured: it is at ``place`` that it stops, if it
        does, and parameters, buffers and torch's generator are given back as they were."""
        state = {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}
        kept = {name: copied(tensor) for name, tensor in state.items()}
        devices = [torch.device(self.setting.device)] if self.setting.device != "cpu" else []
        self.captured.clear()
        try:
            with self.stage(place), torch.random.fork_rng(devices), self.setting.surroundings():
                yield
        finally:
            self.captured.closed = True
            with torch.no_grad():
                for name, tensor in state.items():
                    if not torch.equal(tensor, kept[name]):
                        tensor.copy_(kept[name])

    def _observed(self) -> list[str]:
        calls = subject.layer_calls(self.program)
        train = subject.of_several(self.program)
        members = {member.attribute for member in train.members} if train else set()
        return [path for path in calls if path not in members]

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
            raise RunFailed(place, in_one_line(error)) from error
        finally:
            self.result.seconds_torch += time.perf_counter() - start

    def tensors(
        self, values: Sequence[tuple[str, Tensor]], grad: bool | frozenset[str]
    ) -> tuple[Tensor, ...]:
        """A batch's values as the run wants them; ``grad`` says whose gradient is kept."""
        found = []
        for name, value in values:
            dtype = value.dtype
            if value.is_complex():
                dtype = self.dtype.to_complex()
            elif value.is_floating_point():
                dtype = self.dtype
            tensor = self._laid_out(value.to(self.setting.device, dtype).clone())
            kept = grad if isinstance(grad, bool) else name in grad
            differentiable = dtype.is_floating_point or dtype.is_complex
            found.append(tensor.requires_grad_(kept and differentiable))
        return tuple(found)

    def _laid_out(self, tensor: Tensor) -> Tensor:
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        if self.setting.layout != "channels_last" or tensor.dim() not in formats:
            return tensor
        return tensor.contiguous(memory_format=formats[tensor.dim()])

    def by_value(
        self, inputs: Sequence[Tensor], results: Sequence[Tensor], labels: Sequence[Tensor]
    ) -> dict[int, Tensor]:
        """The tensor of each value that losses and metrics may read; ``results`` are what the
        forward gave."""
        train = subject.of_several(self.program)
        if train is None:
            given: list[Value] = [output.value for output in self.program.subject().outputs]
        else:
            given = list(train.shared_values)
        known = [*subject.model_inputs(self.program), *given, *subject.train_inputs(self.program)]
        return {
            id(value): tensor
            for value, tensor in zip(known, [*inputs, *results, *labels], strict=True)
        }


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are held in the same way."""
    held = ((each.device, each.dtype, each.shape, each.stride()) for each in (one, other))
    return next(held) == next(held)


def _dots(path: str) -> list[int]:
    return [position for position, letter in enumerate(path) if letter == "."]
