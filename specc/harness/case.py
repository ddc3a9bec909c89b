"""Closes a case: every number that goes into a run, from the portable generator.

Weights follow the distribution that the spec's layers ask for. A weight that torch would fill with
a constant (a bias of 0, a scale of 1) is moved off it by up to ``JITTER``: at the constant itself
a wrong sign, a swapped pair or a lost broadcast would not show. BatchNorm's running statistics
likewise.

All values are float64 numbers that the lowest precision of the test plan holds exactly (float32 at
most): so that casting a case to a working precision loses nothing, and the float64 reference
starts from the very numbers that every run starts from. Non-goal: running anything (``observe``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from specc.harness import samples, subject
from specc.harness.matrix import Case
from specc.harness.noise import integers, normal, uniform
from specc.harness.tf32 import dtype_of
from specc.ir import Distribution, Module, Program, Value
from specc.sizes import Poly, Size, evaluate

JITTER = 0.1
# Plain ``int`` inputs have no bound in the spec; these are small counts.
INT_BOUND = 10


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's data: the model's inputs and the training inputs, by name, in the spec's order."""

    inputs: tuple[tuple[str, Tensor], ...]
    labels: tuple[tuple[str, Tensor], ...]


@dataclass(frozen=True, slots=True)
class ClosedCase:
    """A case with all its numbers: float64 (or integer) tensors on the CPU.

    ``draw`` counts how often the seed was turned to keep away from kinks and from bools that are
    all the same; a golden records it.
    """

    case: Case
    draw: int
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
    batches: tuple[Batch, ...]


def close(program: Program, case: Case, draw: int = 0, grid: str = "float32") -> ClosedCase:
    """Every number of ``case``. ``grid`` names the precision that must hold them exactly.

    Raises CallError (E0806, E0807) where the spec's samples cannot be read or do not fit.
    """
    whole = program.subject()
    sizes: dict[str, Size] = {**subject.known_sizes(program), **case.values()}
    seed = case.seed + 1_000_003 * draw
    files = {name: samples.read(program, name) for name, _ in program.test.samples}
    numbers = _Numbers(seed, getattr(torch, grid), sizes, files)
    initial = whole.initial
    parameters = {
        name: numbers.weight(f"weight/{name}", shape, initial[name])
        for name, _, shape in whole.parameters()
    }
    buffers = {}
    for full, _, shape in whole.buffers():
        name = full.rpartition(".")[2]
        if name == "running_mean":
            buffers[full] = numbers.around(full, shape, 0.0)
        elif name == "running_var":
            buffers[full] = numbers.around(full, shape, 1.0)
    batches = tuple(
        Batch(
            numbers.values(subject.model_inputs(program), step),
            numbers.values(subject.train_inputs(program), step),
        )
        for step in range(case.steps if case.mode == "train" else 1)
    )
    return ClosedCase(case, draw, parameters, buffers, batches)


def one_sided(program: Program, closed: ClosedCase) -> int:
    """How many inputs of two drawn bools or more hold the same in all batches."""
    read = {name for name, _ in program.test.samples}
    drawn: dict[str, list[Tensor]] = {}
    for batch in closed.batches:
        for name, tensor in (*batch.inputs, *batch.labels):
            if tensor.dtype == torch.bool and name not in read:
                drawn.setdefault(name, []).append(tensor.reshape(-1))
    joined = [torch.cat(each) for each in drawn.values()]
    return sum(each.numel() > 1 and bool((each == each[0]).all()) for each in joined)


def example_batch(program: Program, model: Module, case: Case) -> tuple[Tensor, ...]:
    """One batch of inputs of ``model`` on the sizes of ``case``: float64 or integers, on the
    CPU.
    """
    sizes: dict[str, Size] = {**program.param_values(model), **model.values, **case.values()}
    numbers = _Numbers(case.seed, torch.float32, sizes, {})
    return tuple(numbers.value(value, 0) for value in model.inputs)


def lowest_precision(dtypes: Sequence[str]) -> str:
    """The type of the ``dtypes`` (or float32) with the fewest mantissa bits."""
    types = [dtype_of(name) for name in (*dtypes, "float32")]
    return str(max(types, key=lambda dtype: torch.finfo(dtype).eps)).removeprefix("torch.")


@dataclass(frozen=True, slots=True)
class _Numbers:
    seed: int
    grid: torch.dtype
    sizes: Mapping[str, Size]
    files: Mapping[str, samples.Samples]

    def on_grid(self, tensor: Tensor) -> Tensor:
        # ``tensor`` is float64 and nobody else's.
        flat = tensor.reshape(-1)
        # Piece by piece in its place: what a case is made of may be most of what memory holds.
        for piece in flat.split(1 << 16):
            piece.copy_(piece.to(self.grid))
        return flat.view(tensor.shape)

    def shape(self, sizes: Sequence[Size]) -> tuple[int, ...]:
        numbers = []
        for size in sizes:
            number = evaluate(size, self.sizes)
            assert isinstance(number, int), f"{size} is still open in a case"
            numbers.append(number)
        return tuple(numbers)

    def unit(self, name: str, shape: tuple[int, ...], step: int = 0) -> Tensor:
        return uniform(self.seed, name, shape, step=step)

    def around(self, name: str, sizes: Sequence[Size], constant: float) -> Tensor:
        """``constant`` moved by up to JITTER either way."""
        moved = constant + JITTER * (2.0 * self.unit(name, self.shape(sizes)) - 1.0)
        return self.on_grid(moved)

    def weight(self, name: str, sizes: Sequence[Size], initial: Distribution) -> Tensor:
        if initial.kind == "constant":
            return self.around(name, sizes, initial.low)
        shape = self.shape(sizes)
        if initial.kind == "uniform":
            width = initial.high - initial.low
            return self.on_grid(initial.low + width * self.unit(name, shape))
        return self.on_grid(normal(self.seed, name, shape, initial.low, initial.high))

    def values(self, values: Sequence[Value], step: int) -> tuple[tuple[str, Tensor], ...]:
        return tuple((value.name, self.value(value, step)) for value in values)

    def value(self, value: Value, step: int) -> Tensor:
        """What a batch brings for one input, by what its type means."""
        kind = value.type
        shape = self.shape(kind.shape)
        name = f"input/{value.name}"
        classes = evaluate(kind.classes or 1, self.sizes) if kind.meaning == "index" else None
        if value.name in self.files:
            assert not isinstance(classes, Poly), f"{kind} has an open number of classes"
            found = samples.batch(self.files[value.name], value, shape, classes, step)
            if found.is_complex():
                parts = torch.view_as_real(found).to(torch.float64, copy=True)
                return torch.view_as_complex(self.on_grid(parts))
            if found.is_floating_point():
                return self.on_grid(found.to(torch.float64, copy=True))
            return found if kind.dtype == "bool" else found.to(_integer(kind.dtype))
        if classes is not None:
            assert isinstance(classes, int), f"{kind} has an open number of classes"
            return integers(self.seed, name, shape, classes, step=step)
        if kind.meaning == "unit":
            return self.on_grid(self.unit(name, shape, step))
        if kind.dtype == "bool":
            return integers(self.seed, name, shape, 2, step=step).to(torch.bool)
        if kind.is_complex:
            parts = normal(self.seed, name, (*shape, 2), step=step)
            return torch.view_as_complex(self.on_grid(parts))
        if not kind.floating:
            drawn = integers(self.seed, name, shape, INT_BOUND, step=step)
            return drawn.to(_integer(kind.dtype))
        return self.on_grid(normal(self.seed, name, shape, step=step))


def _integer(dtype: str) -> torch.dtype:
    found: torch.dtype = torch.int64 if dtype == "int" else getattr(torch, dtype)
    return found
