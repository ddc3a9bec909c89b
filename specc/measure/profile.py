"""Profiles a spec: a ``torch.profiler`` trace that TensorBoard opens, and the cost of each line.

The emitted source is run as a copy whose statements announce their spec lines; the events between
are given to the lines by ``attribute``. Non-goals: comparing targets (``bench``), the table
(``specc.report.results.profile``).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, record_function, schedule, tensorboard_trace_handler

from specc.emit import emit
from specc.emit.writing.marks import mark, shown_files, told_apart
from specc.errors import CallError
from specc.harness.cases import subject
from specc.harness.cases.matrix import Case
from specc.ir import Program
from specc.measure.attribute import MODEL, REST, STEP, Attribution, Event, Tally, attribute
from specc.measure.costs import KernelCost, LineCost, Profile
from specc.measure.exported import announcing
from specc.measure.lines import (
    instrument,
    layer_marks,
    statement_marks,
    update_marks,
)
from specc.measure.step import Prepared, Runnable, Wrap, choose_case, failures, prepare
from specc.targets import TARGETS

_SUFFIXES = (".pt.trace.json", ".pt.trace.json.gz")


def profile(
    program: Program,
    folder: Path,
    *,
    target: str = "eager",
    device: str = "cpu",
    mode: str = "train",
    sizes: Mapping[str, int] | None = None,
    steps: int = 5,
    warmup: int = 3,
) -> Profile:
    """Run ``steps`` steps after ``warmup`` uncounted ones; write the trace into ``folder``.

    ``folder`` is made; one that exists may hold traces and nothing else. Raises CallError: E0715
    where it holds anything else, E0703 where it cannot be written, and as ``prepare`` does.
    """
    check_folder(folder)
    case = choose_case(program, mode, sizes or {})
    training = program.subject().name if subject.of_several(program) is not None else ""
    row = TARGETS[target]
    source = instrument(emit(program), forward=row.keeps_ranges, training=training)
    with told_apart(program):
        stages, updates = layer_marks(program.subject()), update_marks(program)
    lines = statement_marks(source)
    wrap = _announcer(lines, stages, target)
    ready = prepare(program, source, case, target=target, device=device, wrap=wrap)
    with ExitStack() as stack:
        stack.enter_context(told_apart(program))
        stack.enter_context(_optimizer_ranges(program, ready))
        if target == "eager":
            stack.enter_context(_stage_ranges(ready.module, stages))
        run, what = _what(ready, case)
        stack.enter_context(failures(target, program.file))
        if target == "compile":
            stack.enter_context(_named_kernels())
        for _ in range(warmup):
            run()
        trace, events = _run(run, folder, f"{Path(program.file).stem}_{target}", steps, device)
    marks = {*lines.values(), *stages.values(), *updates}
    found = attribute(_events(events, device), marks, updates)
    whole = [event.time_range.elapsed_us() for event in events if event.name == STEP]
    notes = [*ready.notes, *([row.not_by_line] if row.not_by_line else [])]
    if mode == "train" and not ready.trains:
        notes.append("the spec has no optimizer: forward and backward are measured, no step")
    return Profile(
        program.file,
        program.subject().name,
        target,
        device,
        mode,
        case.sizes,
        steps,
        what,
        sum(whole) / steps,
        _line_costs(program, found, steps),
        _kernel_costs(found, steps) if target != "eager" else (),
        tuple(notes),
        str(trace),
    )


def check_folder(folder: Path) -> None:
    """See that ``folder`` is not there yet, or holds nothing but traces.

    Raises CallError: E0715 where it holds anything else, E0703 where it cannot be looked into.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise CallError(
            "E0715", f"{str(folder)!r} is a file, not a folder", help="name a new folder with -o"
        )
    try:
        foreign = sorted(name for name in os.listdir(folder) if not name.endswith(_SUFFIXES))
    except OSError as fault:
        raise CallError("E0703", f"cannot look into {str(folder)!r}: {fault.strerror}") from None
    if foreign:
        raise CallError(
            "E0715",
            f"{str(folder)!r} holds {foreign[0]!r}, which is no trace: it is no folder of profiles",
            help=f"name a new folder, for example -o {folder / 'profile'}",
        )


def _make_folder(folder: Path) -> set[str]:
    """Make ``folder`` where it is not there; what it holds. Raises CallError (E0703)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return set(os.listdir(folder))
    except OSError as fault:
        raise CallError(
            "E0703", f"cannot write to the folder {str(folder)!r}: {fault.strerror or fault}"
        ) from None


# ── announcing ───────────────────────────────────────────────────────────────────────────────────


def _announcer(lines: Mapping[int, str], stages: Mapping[str, str], target: str) -> Wrap:
    """What puts the model's forward inside its range; an exported graph announces its nodes."""

    def wrap(runnable: Runnable, model: nn.Module, path: str) -> Runnable:
        called = runnable
        if target == "export":
            assert isinstance(runnable, nn.Module)
            prefix = f"{path}." if path else ""
            own = {
                name.removeprefix(prefix): line
                for name, line in stages.items()
                if name.startswith(prefix)
            }
            called = announcing(runnable, model, lines, _in_sequence(model, own)).run

        def forward(*inputs: Any) -> Any:
            with record_function(MODEL):
                return called(*inputs)

        return forward

    return wrap


def _in_sequence(module: nn.Module, stages: Mapping[str, str]) -> dict[str, str]:
    """Those of ``stages`` that an ``nn.Sequential`` calls: no statement of the source does."""
    return {
        path: stages[path]
        for path, _ in module.named_modules()
        if path in stages
        and isinstance(module.get_submodule(path.rpartition(".")[0]), nn.Sequential)
    }


class _Hooked:
    """Ranges that a pair of hooks opens and closes."""

    def __init__(self) -> None:
        self._open: list[record_function] = []

    def entering(self, name: str) -> Callable[..., None]:
        """A hook that opens the range called ``name``."""

        def hook(*_: object) -> None:
            entered = record_function(name)
            entered.__enter__()
            self._open.append(entered)

        return hook

    def leaving(self, *_: object) -> None:
        """The hook that closes the range opened last."""
        self._open.pop().__exit__(None, None, None)


@contextmanager
def _stage_ranges(module: nn.Module, stages: Mapping[str, str]) -> Iterator[None]:
    """Hooks that announce the stages of every ``nn.Sequential``."""
    ranges = _Hooked()
    with ExitStack() as stack:
        for path, name in _in_sequence(module, stages).items():
            stage = module.get_submodule(path)
            stack.callback(stage.register_forward_pre_hook(ranges.entering(name)).remove)
            stack.callback(stage.register_forward_hook(ranges.leaving).remove)
        yield


@contextmanager
def _optimizer_ranges(program: Program, ready: Prepared) -> Iterator[None]:
    """Hooks that announce each optimizer's line while it steps."""
    steps = program.train.steps if program.train is not None else ()
    spans = {each.key: each.optimizer.span for step in steps for each in step.stepped}
    ranges = _Hooked()
    with ExitStack() as stack:
        for name, optimizer in ready.optimizers.items():
            line = mark(spans[name])
            stack.callback(optimizer.register_step_pre_hook(ranges.entering(line)).remove)
            stack.callback(optimizer.register_step_post_hook(ranges.leaving).remove)
        yield


@contextmanager
def _named_kernels() -> Iterator[None]:
    """inductor's CPU kernels appear in the trace by name."""
    from torch._inductor import config

    with config.patch({"cpp.enable_kernel_profile": True}):
        yield


# ── running ──────────────────────────────────────────────────────────────────────────────────────


def _what(ready: Prepared, case: Case) -> tuple[Callable[[], Any], str]:
    if case.mode == "eval":
        if ready.forward is None:
            raise CallError(
                "E0712",
                "--mode eval runs a model forward, and this spec trains several at once",
                help="leave --mode out",
            )
        return ready.forward, "forward"
    return ready.step, "training step" if ready.trains else "forward and backward"


def _run(
    run: Callable[[], Any], folder: Path, worker: str, steps: int, device: str
) -> tuple[Path, list[Any]]:
    """The trace of ``steps`` steps after one more for the profiler to warm up, and its events."""
    before = _make_folder(folder)
    write = tensorboard_trace_handler(str(folder), worker_name=worker)
    events: list[Any] = []

    def ended(profiler: torch.profiler.profile) -> None:
        write(profiler)
        events.extend(profiler.events() or ())

    activities = [ProfilerActivity.CPU]
    if device != "cpu":
        activities.append(ProfilerActivity.CUDA)
    with torch.profiler.profile(
        activities=activities,
        schedule=schedule(wait=0, warmup=1, active=steps, repeat=1),
        on_trace_ready=ended,
        profile_memory=True,
    ) as profiler:
        for _ in range(steps + 1):
            with record_function(STEP):
                run()
                if device != "cpu":
                    torch.accelerator.synchronize()
            profiler.step()
    written = [folder / name for name in set(os.listdir(folder)) - before]
    if not written or not written[0].stat().st_size:
        raise CallError(
            "E0703", f"no trace could be written to {str(folder)!r}", help="is the disk full?"
        )
    return written[0], events


def _events(events: list[Any], device: str) -> Iterator[Event]:
    """torch's events on the CPU, in the order of their start, with the device's time and memory."""
    on_device = device != "cpu"
    own = sorted(
        (each for each in events if each.device_type.name == "CPU"),
        key=lambda each: (each.time_range.start, -each.time_range.end),
    )
    for each in own:
        parent = each.cpu_parent
        # A range starts nothing on a device itself, but torch may count it as if it did.
        of_device = 0.0 if each.is_user_annotation else each.self_device_time_total
        yield Event(
            each.id,
            None if parent is None else parent.id,
            each.name,
            each.thread,
            each.fwd_thread or 0,
            each.sequence_nr,
            of_device if on_device else each.self_cpu_time_total,
            each.self_device_memory_usage if on_device else each.self_cpu_memory_usage,
        )


# ── costs ────────────────────────────────────────────────────────────────────────────────────────


def _line_costs(program: Program, found: Attribution, steps: int) -> tuple[LineCost, ...]:
    texts = {
        name: Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        for name, path in shown_files(program).items()
        if Path(path).is_file()
    }
    rows = []
    for name, tally in found.lines.items():
        if name == REST:
            rows.append(_cost("", 0, "(the rest of the step)", tally, steps))
        elif name == MODEL:
            rows.append(_cost("", 0, "(the model, on no line)", tally, steps))
        else:
            file, _, number = name.rpartition(":")
            lines = texts.get(file, [])
            line = int(number)
            text = lines[line - 1].strip() if line <= len(lines) else ""
            rows.append(_cost(file, line, text, tally, steps))
    return tuple(sorted(rows, key=lambda row: (not row.line, row.file, row.line, row.source)))


def _cost(file: str, line: int, source: str, tally: Tally, steps: int) -> LineCost:
    return LineCost(
        file,
        line,
        source,
        tally.calls / steps,
        tally.own["forward"] / steps,
        tally.own["backward"] / steps,
        tally.own["update"] / steps,
        tally.total / steps,
        tally.allocated["forward"] / steps,
        tally.kept["forward"] / steps,
        tally.allocated["backward"] / steps,
    )


def _kernel_costs(found: Attribution, steps: int) -> tuple[KernelCost, ...]:
    return tuple(
        KernelCost(name, phase, tally.calls / steps, sum(tally.own.values()) / steps)
        for (phase, name), tally in found.unplaced.items()
        if name not in (MODEL, STEP)
    )
