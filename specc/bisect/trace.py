"""Every aten operation of a run in eager: its name, arguments and tensors, its layer, its line.

A dispatch mode sees forward, backward and optimizer; hooks tell the layer, the frames on the stack
the line, and autograd's sequence numbers tell of a backward operation whose forward it undoes.
Tensors are kept as their elements or their sketch. Non-goals: noise (``operation_floors``), what
differs (``operations``), running an operation again (``replay``).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes

from specc.bisect import replay
from specc.bisect.results import (
    MOST_NUMBERS,
    MOST_OPERATIONS,
    OperationTrace,
    TensorRecord,
    TracedOperation,
)
from specc.harness.numbers.redraw import redrawn
from specc.harness.running.observed_lines import lines_of
from specc.harness.running.sketch import represent
from specc.ir import Program
from specc.measure.lines import statement_marks
from specc.targets.operation_mode import OperationMode

_LIVE = "specc-live/"
_Phase = Literal["forward", "backward", "optimizer"]


@dataclass(slots=True)
class TensorSnapshot:
    """A tensor as it was: ``numbers`` are its elements or its sketch."""

    shape: tuple[int, ...]
    dtype: str
    numbers: Tensor
    nonfinite: str
    writer: int


@dataclass(slots=True)
class Traced:
    """An operation as it ran."""

    name: str
    step: int
    phase: _Phase
    layer: str
    mark: str
    settings: dict[str, Any]
    inputs: list[TensorSnapshot] = field(default_factory=list)
    outputs: list[TensorSnapshot] = field(default_factory=list)


class Tracer:
    """Traces one run of ``program``: the steps up to number ``steps``. To be entered around the
    run; ``prepare`` is given its module, ``around`` is entered for each step."""

    def __init__(self, program: Program, source: str, steps: int) -> None:
        self.operations: list[Traced] = []
        self.cut = False
        self._steps = steps
        self._step = -1
        self._lines = lines_of(program)
        self._marks = _marks(source)
        self._layers: list[str] = []
        self._optimizing = ""
        self._parameters: dict[int, str] = {}
        # Of autograd's sequence numbers: the layer and the line of the forward operation.
        self._forward: dict[int, tuple[str, str]] = {}
        self._writers: dict[int, int] = {}
        self._numbers = 0
        self._handles: list[Any] = []
        self._wanted: tuple[int, Path] | None = None

    def keep(self, number: int, folder: Path) -> None:
        """Write what operation ``number`` is given into ``folder``, for ``replay``."""
        self._wanted = (number, folder)

    def found(self) -> OperationTrace:
        """What was traced, the numbers apart."""
        return OperationTrace(operations=written(self.operations, ()), cut=self.cut)

    def numbers(self) -> Tensor:
        """The numbers of all tensors in a row, in the order of ``found``: float64."""
        parts = [each.numbers for op in self.operations for each in (*op.inputs, *op.outputs)]
        return torch.cat(parts) if parts else torch.empty(0, dtype=torch.float64)

    # ── around the run ───────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> None:
        from torch.optim import optimizer

        before = optimizer.register_optimizer_step_pre_hook(self._before_step)
        after = optimizer.register_optimizer_step_post_hook(self._after_step)
        self._handles += [before, after]

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()

    def prepare(self, module: nn.Module) -> None:
        """Hook every layer of ``module``."""
        self._parameters = {id(each): name for name, each in module.named_parameters()}
        for path, layer in module.named_modules():
            if path:
                self._handles.append(layer.register_forward_pre_hook(self._entering(path)))
                leaving = layer.register_forward_hook(self._leaving, always_call=True)
                self._handles.append(leaving)

    @contextmanager
    def around(self) -> Iterator[None]:
        """A step."""
        self._step += 1
        self._layers.clear()
        if self._step > self._steps:
            yield
            return
        with _Mode(self):
            yield

    def _entering(self, path: str) -> Any:
        def enter(layer: nn.Module, arguments: Any) -> None:
            self._layers.append(path)

        return enter

    def _leaving(self, layer: nn.Module, arguments: Any, result: Any) -> None:
        if self._layers:
            self._layers.pop()

    def _before_step(self, optimizer: torch.optim.Optimizer, *arguments: Any) -> None:
        first = next((p for group in optimizer.param_groups for p in group["params"]), None)
        spot = self._lines.of(f"step0/delta/{self._parameters.get(id(first), '')}")
        self._optimizing = f"{Path(spot.file).name}:{spot.line}"

    def _after_step(self, optimizer: torch.optim.Optimizer, *arguments: Any) -> None:
        self._optimizing = ""

    # ── an operation ─────────────────────────────────────────────────────────────────────────────

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """``func`` on its arguments, traced."""
        number = len(self.operations)
        if self.cut or number >= MOST_OPERATIONS or self._numbers > MOST_NUMBERS:
            self.cut = True
            return func(*args, **kwargs)
        phase, layer, mark = self._place()
        given: list[Tensor] = []
        with _disable_current_modes():
            names = [argument.name for argument in func._schema.arguments]
            settings = {
                name: replay.encoded(value, given)
                for name, value in (*zip(names, args, strict=False), *kwargs.items())
            }
            traced = Traced(str(func), self._step, phase, layer, mark, settings)
            traced.inputs = [self._look(each) for each in given]
            if self._wanted is not None and self._wanted[0] == number:
                replay.keep(func, args, kwargs, self._wanted[1])
        result = func(*args, **kwargs)
        with _disable_current_modes():
            made = replay.results(func, args, kwargs, result)
            for each in made:
                self._writers[_memory(each)] = number
            traced.outputs = [self._look(each) for each in made]
        self.operations.append(traced)
        return result

    def _place(self) -> tuple[_Phase, str, str]:
        """The phase, the layer and the line that run now."""
        if self._optimizing:
            return "optimizer", "", self._optimizing
        node = torch._C._current_autograd_node()
        if node is not None:
            layer, mark = self._forward.get(node._sequence_nr(), ("", ""))
            return "backward", layer, mark
        layer = self._layers[-1] if self._layers else ""
        mark = self._mark()
        # The node of this operation has been made by now; the first to see its number owns it.
        latest = torch.autograd._get_sequence_nr() - 1
        self._forward.setdefault(latest, (layer, mark))
        return "forward", layer, mark

    def _mark(self) -> str:
        frame = sys._getframe(3)
        while frame is not None:
            if frame.f_code.co_filename.startswith(_LIVE):
                return self._marks.get(frame.f_lineno, "")
            frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
        return ""

    def _look(self, tensor: Tensor) -> TensorSnapshot:
        writer = self._writers.get(_memory(tensor), -1)
        value = tensor.detach()
        dtype = str(value.dtype)[6:]
        if value.is_sparse:
            value = value.to_dense()
        if value._is_zerotensor():
            value = torch.zeros(value.shape, dtype=value.dtype)
        if value.is_complex():
            value = torch.view_as_real(value.resolve_conj())
        numbers, nonfinite = represent(value)
        self._numbers += numbers.numel()
        return TensorSnapshot(tuple(tensor.shape), dtype, numbers, nonfinite, writer)


def written(operations: Sequence[Traced], floors: Sequence[list[float]]) -> list[TracedOperation]:
    """``operations`` in the form that travels; ``floors`` are of all their tensors in a row, where
    there are any."""
    found: list[TracedOperation] = []
    start = number = 0

    def seen(each: TensorSnapshot) -> TensorRecord:
        nonlocal start, number
        count = each.numbers.numel()
        floor = floors[number] if floors else []
        made = TensorRecord(shape=list(each.shape), dtype=each.dtype, start=start, count=count,
                    nonfinite=each.nonfinite, writer=each.writer, floor=floor)  # fmt: skip
        start, number = start + count, number + 1
        return made

    for each in operations:
        found.append(
            TracedOperation(
                name=each.name,
                step=each.step,
                phase=each.phase,
                layer=each.layer,
                mark=each.mark,
                settings=each.settings,
                inputs=[seen(one) for one in each.inputs],
                outputs=[seen(one) for one in each.outputs],
            )
        )
    return found


class _Mode(OperationMode):
    """Shows a tracer each operation."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__()
        self._tracer = tracer

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return self._tracer.run(func, args, kwargs)


def _memory(tensor: Tensor) -> int:
    """Where a tensor's numbers lie; 0 for what has no memory of its own."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):
        return 0


def _marks(source: str) -> dict[int, str]:
    """The mark of each line of ``source`` as it is executed: rewritten draws lose the comments, and
    their statements are found again by their order."""
    marks = statement_marks(source)
    executed = redrawn(source).source
    if executed == source:
        return marks
    before = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    after = [
        node
        for node in ast.walk(ast.parse(executed))
        if isinstance(node, ast.stmt)
        and not (isinstance(node, ast.ImportFrom) and node.module == "specc.harness.numbers.draws")
    ]
    if [type(node) for node in before] != [type(node) for node in after]:
        return {}
    found: dict[int, str] = {}
    for old, new in zip(before, after, strict=True):
        if old.lineno in marks:
            last = new.lineno if hasattr(new, "body") else new.end_lineno or new.lineno
            found.update(dict.fromkeys(range(new.lineno, last + 1), marks[old.lineno]))
    return found
