"""Closes a case: every number that goes into a run, from the portable generator.

Weights follow the distribution that the spec's layers ask for. A weight that torch would fill with
a constant (a bias of 0, a scale of 1) is moved off it by up to ``JITTER``: at the constant itself
a wrong sign, a swapped pair or a lost broadcast would not show. BatchNorm's running statistics
likewise. Inputs are drawn by what their type means, and reach its corners (``corners``).

All values are float64 numbers that the lowest precision of the test plan holds exactly (float32 at
most): so that casting a case to a working precision loses nothing, and the float64 reference
starts from the very numbers that every run starts from. Non-goal: running anything (``observe``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from specc.harness.cases import computed, samples, subject
from specc.harness.cases.corners import LEVELS, Corners
from specc.harness.cases.input_roles import Role, Roles, roles_of, roles_of_model
from specc.harness.cases.matrix import Case
from specc.harness.cases.precisions import dtype_of
from specc.harness.numbers.noise import integers, normal, uniform
from specc.ir import Distribution, Module, Program, State, TensorType, Value
from specc.sizes import Poly, Size, evaluate

JITTER = 0.1
# Plain ``int`` inputs have no bound in the spec; these are small counts.
INT_BOUND = 10
# How often the seed is turned to find a draw without kinks.
DRAWS = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's data: the model's inputs and the training inputs, by name, in the spec's order."""

    inputs: tuple[tuple[str, Tensor], ...]
    labels: tuple[tuple[str, Tensor], ...]


@dataclass(frozen=True, slots=True)
class ClosedCase:
    """A case with all its numbers: float64 (or integer) tensors on the CPU.

    ``grid`` is the precision that holds all of them. ``draw`` counts how often the seed was turned
    to keep away from kinks, and ``DRAWS`` times the place in ``corners.LEVELS`` of what it holds; a
    golden records it.
    """

    case: Case
    draw: int
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
    batches: tuple[Batch, ...]
    grid: str = "float32"


def close(program: Program, case: Case, draw: int = 0, grid: str = "float32") -> ClosedCase:
    """Every number of ``case``. ``grid`` names the precision that must hold them exactly.

    Raises CallError (E0806, E0807) where the spec's samples cannot be read or do not fit.
    """
    whole = program.subject()
    sizes: dict[str, Size] = {**subject.known_sizes(program), **case.values()}
    level, turned = divmod(draw, DRAWS)
    files = {name: samples.read(program, name) for name, _ in program.test.samples}
    corners = Corners(case.seed + 1_000_003 * turned, LEVELS[min(level, len(LEVELS) - 1)])
    numbers = _Numbers(getattr(torch, grid), sizes, files, roles_of(program), corners)
    initial, given = whole.initial, computed.values_of(program)
    parameters = {
        name: numbers.weight(f"weight/{name}", shape, initial[name])
        if name in initial
        else numbers.moved(f"weight/{name}", given[name])
        for name, _, shape in whole.parameters()
    }
    buffers = {}
    for full, holder, shape in whole.buffers():
        name = full.rpartition(".")[2]
        if isinstance(holder, State):
            # A mask, a table of places: as it is said. What an expression gives, the class gives.
            if full in initial:
                buffers[full] = numbers.drawn(f"buffer/{full}", shape, initial[full])
        elif name == "running_mean":
            buffers[full] = numbers.around(full, shape, 0.0)
        elif name == "running_var":
            buffers[full] = numbers.around(full, shape, 1.0)
    steps = range(case.steps if case.mode == "train" else 1)
    batches = tuple(numbers.batch(program, step) for step in steps)
    return ClosedCase(case, draw, parameters, buffers, batches, grid)


def example_batch(program: Program, model: Module, case: Case) -> tuple[Tensor, ...]:
    """One batch of inputs of ``model`` on the sizes of ``case``: float64 or integers, on the
    CPU.
    """
    sizes: dict[str, Size] = {**program.param_values(model), **model.values, **case.values()}
    corners = Corners(case.seed, LEVELS[-1])
    numbers = _Numbers(torch.float32, sizes, {}, roles_of_model(program, model), corners)
    return tuple(numbers.values(model.inputs, 0).values())


def lowest_precision(dtypes: Sequence[str]) -> str:
    """The type of the ``dtypes`` (or float32) with the fewest mantissa bits."""
    types = [dtype_of(name) for name in (*dtypes, "float32")]
    return str(max(types, key=lambda dtype: torch.finfo(dtype).eps)).removeprefix("torch.")


@dataclass(frozen=True, slots=True)
class _Numbers:
    grid: torch.dtype
    sizes: Mapping[str, Size]
    files: Mapping[str, samples.Samples]
    roles: Roles
    corners: Corners

    @property
    def seed(self) -> int:
        return self.corners.seed

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

    def moved(self, name: str, value: Tensor) -> Tensor:
        """``value`` likewise."""
        noise = 2.0 * self.unit(name, tuple(value.shape)) - 1.0
        return self.on_grid(value.double() + JITTER * noise)

    def weight(self, name: str, sizes: Sequence[Size], initial: Distribution) -> Tensor:
        if initial.kind == "constant":
            return self.around(name, sizes, initial.low)
        return self.drawn(name, sizes, initial)

    def drawn(self, name: str, sizes: Sequence[Size], initial: Distribution) -> Tensor:
        """Numbers of this distribution; a constant is what it is."""
        if initial.kind == "constant":
            shape = self.shape(sizes)
            return self.on_grid(torch.full(shape, initial.low, dtype=torch.float64))
        shape = self.shape(sizes)
        if initial.kind == "uniform":
            width = initial.high - initial.low
            return self.on_grid(initial.low + width * self.unit(name, shape))
        return self.on_grid(normal(self.seed, name, shape, initial.low, initial.high))

    def batch(self, program: Program, step: int) -> Batch:
        """What one step is given."""
        inputs, labels = subject.model_inputs(program), subject.train_inputs(program)
        values = self.values((*inputs, *labels), step)
        named = [(value, values[value]) for value in (*inputs, *labels)]
        return Batch(*(
            tuple((value.name, tensor) for value, tensor in part)
            for part in (named[: len(inputs)], named[len(inputs) :])
        ))  # fmt: skip

    def values(self, values: Sequence[Value], step: int) -> dict[Value, Tensor]:
        """What a batch brings for each of ``values``, in their order."""
        found = {value: self.value(value, step) for value in values}
        drawn = {value.name: tensor for value, tensor in found.items()}
        for each in self.roles.alignments:
            read = {each.input_lengths, each.label_lengths, each.labels} & self.files.keys()
            if not read:
                self.corners.align(drawn, each, step, self.sizes)
        return found

    def value(self, value: Value, step: int) -> Tensor:
        """What a batch brings for one input, by what its type means and what reads it."""
        kind = value.type
        shape = self.shape(kind.shape)
        name = f"input/{value.name}"
        role = self.roles.of[value.name]
        if value.name in self.files:
            return self.read(value, shape, step)
        if kind.meaning == "unit":
            drawn = self.on_grid(self.unit(name, shape, step))
            self.corners.unit(drawn, name, step, role)
            self.corners.neighbours(drawn, role)
            return drawn
        if kind.dtype == "bool":
            mask = integers(self.seed, name, shape, 2, step=step).to(torch.bool)
            self.corners.bools(mask, name, step)
            return mask
        if kind.is_complex:
            parts = normal(self.seed, name, (*shape, 2), step=step)
            return torch.view_as_complex(self.on_grid(parts))
        if not kind.floating:
            bound = self.bound(kind, role)
            whole = integers(self.seed, name, shape, bound, step=step).to(_integer(kind.dtype))
            marks = kind.meaning != "index" and whole.dtype.is_signed
            self.corners.whole_numbers(whole, name, step, role, bound, marks=marks)
            return whole
        drawn = self.on_grid(normal(self.seed, name, shape, step=step))
        self.corners.neighbours(drawn, role)
        return drawn

    def read(self, value: Value, shape: tuple[int, ...], step: int) -> Tensor:
        """The rows of a file."""
        kind = value.type
        classes = evaluate(kind.classes, self.sizes) if kind.meaning == "index" else None  # type: ignore[arg-type]  # an index has classes
        assert not isinstance(classes, Poly), f"{kind} has an open number of classes"
        found = samples.batch(self.files[value.name], value, shape, classes, step)
        if found.is_complex():
            parts = torch.view_as_real(found).to(torch.float64, copy=True)
            return torch.view_as_complex(self.on_grid(parts))
        if found.is_floating_point():
            return self.on_grid(found.to(torch.float64, copy=True))
        return found if kind.dtype == "bool" else found.to(_integer(kind.dtype))

    def bound(self, kind: TensorType, role: Role) -> int:
        """What whole numbers are below: the classes of an ``index``, else what reads them."""
        if kind.classes is not None:
            classes = evaluate(kind.classes, self.sizes)
            assert isinstance(classes, int), f"{kind} has an open number of classes"
            return classes
        asked = [evaluate(each, self.sizes) for each in role.bounds]
        return max(1, min((each for each in asked if isinstance(each, int)), default=INT_BOUND))


def _integer(dtype: str) -> torch.dtype:
    found: torch.dtype = torch.int64 if dtype == "int" else getattr(torch, dtype)
    return found
