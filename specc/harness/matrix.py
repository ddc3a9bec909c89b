"""The test matrix of a program: which cells there are, on which sizes; torch-free, so that pytest
can collect with it.

A *case* is what a golden is blessed for (sizes, seed, steps, mode); a *cell* is a case run by one
target on one device in one precision. Every row of sizes is checked against the program's
conditions here, before anything runs. Non-goals: making the case's numbers (``case``), running it
(``judge``).
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specc.errors import Collector, Diagnostic, SpecError
from specc.ir import (
    Condition,
    LayerCall,
    Module,
    Program,
    TensorType,
    Value,
    flat_nodes,
    result_values,
)
from specc.sizes import Size, evaluate, symbols

# A batch of four shows a reduction over the batch; one and a prime show what four hides (a squeezed
# dimension, a block size that happens to divide).
DEFAULT_BATCH = 4
EXTRA_BATCHES = (1, 7)
# Tried in turn for each other symbol until the program's conditions hold.
CANDIDATES = (8, 6, 5, 12, 16, 10, 9, 24, 32, 7, 11, 4, 3, 2, 1, 48, 64, 96, 128, 224, 256)
MAX_ATTEMPTS = 20_000
# In float64 this is 16 GiB.
MOST_ELEMENTS = 2**31


@dataclass(frozen=True, slots=True)
class Case:
    """What a golden is blessed for. ``sizes`` are (symbol, value) in the order of the inputs.

    ``several`` says that the program has more than one row of sizes, so that names must tell them
    apart.
    """

    sizes: tuple[tuple[str, int], ...]
    seed: int
    steps: int
    mode: str
    several: bool = False

    @property
    def id(self) -> str:
        """``train``, or ``train-N2-T16`` when the program has more than one row of sizes."""
        return (
            "-".join([self.mode, *(f"{n}{v}" for n, v in self.sizes)])
            if self.several
            else self.mode
        )

    def values(self) -> dict[str, Size]:
        """The sizes as what ``sizes.evaluate`` takes."""
        return dict(self.sizes)


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of the matrix."""

    target: str
    device: str
    dtype: str
    mode: str
    case: Case

    @property
    def id(self) -> str:
        """``compile-cpu-float32-train``, with ``-N2-T16`` where the case's name needs it."""
        return f"{self.target}-{self.device}-{self.dtype}-{self.case.id}"


def cells(
    program: Program,
    targets: Sequence[str] | None = None,
    devices: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
) -> tuple[Cell, ...]:
    """Every cell of ``program``, sizes outermost; the arguments override the spec's own lists.

    Raises SpecError: E0501 where a row of sizes breaks a condition or makes a shape empty, E0502
    where a row misses a symbol or names an unknown one.
    """
    plan = program.test
    return tuple(
        Cell(target, device, dtype, case.mode, case)
        for case in cases(program)
        for target in targets or plan.targets
        for device in devices or plan.devices
        for dtype in dtypes or plan.dtypes
    )


def cases(program: Program) -> tuple[Case, ...]:
    """Every case of ``program``: each row of sizes in each mode. Raises as ``cells`` does."""
    plan = program.test
    written = bool(plan.sizes)
    rows = _written_rows(program) if written else _default_rows(program)
    return tuple(
        Case(row, plan.seed, plan.steps, mode, several=len(rows) > 1)
        for row in rows
        for mode in plan.modes
        if written or mode != "train" or not _single_value_statistics(program, dict(row))
    )


def input_symbols(program: Program) -> tuple[str, ...]:
    """The unknown sizes of the inputs that a case must choose, in order of appearance."""
    model = program.model()
    inputs = [*model.inputs, *(program.train.inputs if program.train else ())]
    known = program.param_values(model)
    found: dict[str, None] = {}
    for value in inputs:
        for size in value.type.shape:
            found.update(dict.fromkeys(sorted(symbols(size) - known.keys())))
    return tuple(found)


def _written_rows(program: Program) -> list[tuple[tuple[str, int], ...]]:
    names = input_symbols(program)
    collector = Collector()
    rows = []
    span = program.train.span if program.train else program.model().span
    for row in program.test.sizes:
        values = dict(row)
        text = ", ".join(f"{name}={value}" for name, value in row)
        for name in values.keys() - set(names):
            near = difflib.get_close_matches(name, names, 1, 0.3)
            collector.error(
                "E0502",
                f"sizes {text}: no input has a size called {name!r}",
                span,
                help=f"did you mean {near[0]!r}?" if near else _listed(names),
            )
        missing = [name for name in names if name not in values]
        for name in missing:
            collector.error(
                "E0502",
                f"sizes {text or '(empty)'} does not say what {name} is",
                span,
                help=f"add {name}=4",
            )
        if not missing and values.keys() <= set(names):
            collector.items.extend(_violations(program, values))
            rows.append(tuple((name, values[name]) for name in names))
    if collector.failed:
        raise SpecError(collector.sorted())
    return list(dict.fromkeys(rows))


def _listed(names: Sequence[str]) -> str:
    return (
        f"the inputs' sizes are {', '.join(names)}" if names else "every input's size is a number"
    )


def _default_rows(program: Program) -> list[tuple[tuple[str, int], ...]]:
    names = input_symbols(program)
    if not names:
        faults = _violations(program, {})
        if faults:
            raise SpecError(faults)
        return [()]
    batch = "N" if "N" in names else names[0]
    others = [name for name in names if name != batch]
    first_faults: list[Diagnostic] | None = None
    for choice in itertools.islice(_choices(len(others)), MAX_ATTEMPTS):
        sizes = dict(zip(others, choice, strict=True)) | {batch: DEFAULT_BATCH}
        faults = _violations(program, sizes)
        if not faults:
            break
        first_faults = first_faults or faults
    else:
        assert first_faults is not None
        raise SpecError(first_faults)
    rows = [sizes, *(sizes | {batch: value} for value in EXTRA_BATCHES)]
    return [
        tuple((name, row[name]) for name in names) for row in rows if not _violations(program, row)
    ]


def _choices(count: int) -> Iterator[tuple[int, ...]]:
    """Sizes for ``count`` symbols: distinct ones first, so that no two dimensions can be
    confused.
    """
    if count > len(CANDIDATES):
        yield tuple(CANDIDATES[i % len(CANDIDATES)] for i in range(count))
        return
    yield from itertools.islice(itertools.permutations(CANDIDATES, count), MAX_ATTEMPTS // 2)
    yield from itertools.product(CANDIDATES, repeat=count)


def _violations(program: Program, sizes: dict[str, int]) -> list[Diagnostic]:
    """E0501 for each condition and each shape that does not hold on ``sizes``."""
    model = program.model()
    values: dict[str, Size] = {**program.param_values(model), **sizes}
    text = ", ".join(f"{name}={value}" for name, value in sizes.items())
    collector = Collector()
    for name, size in sizes.items():
        if size < 1:
            collector.error(
                "E0501",
                f"sizes {text}: {name} must be at least 1",
                model.span,
                help=f"try {name}=4",
            )
    if collector.failed:
        return collector.sorted()
    for condition in (*model.conditions, *(program.train.conditions if program.train else ())):
        _check_condition(condition, values, text, collector)
    for value in _all_values(program, model):
        _check_shape(value, values, text, collector)
    if not collector.failed:
        _check_memory(program, model, values, text, collector)
    return collector.sorted()


def _check_memory(
    program: Program, model: Module, values: dict[str, Size], text: str, collector: Collector
) -> None:
    """E0501 for a tensor that no test machine could hold, rather than an end without a word."""
    for value in _all_values(program, model):
        count = _elements(value.type, values)
        if count > MOST_ELEMENTS:
            collector.error(
                "E0501",
                f"sizes {text or 'of this model'} make {value.name!r} {count:,} elements large",
                value.span,
                help=f"a test holds at most {MOST_ELEMENTS:,} in one tensor: choose smaller sizes",
            )
            return


def _elements(kind: TensorType, values: dict[str, Size]) -> int:
    known = [evaluate(size, values) for size in kind.shape]
    return math.prod(size for size in known if isinstance(size, int))


def _check_condition(
    condition: Condition, values: dict[str, Size], text: str, collector: Collector
) -> None:
    try:
        holds = condition.holds(values)
        left, right = evaluate(condition.left, values), evaluate(condition.right, values)
        numbers = f"{left} {condition.relation} {right} is false"
    except ZeroDivisionError:
        holds, numbers = False, "it divides by zero"
    if holds is False:
        collector.error(
            "E0501",
            f"sizes {text} break {condition}: {numbers}",
            condition.span,
            help=condition.reason,
        )


def _check_shape(value: Value, values: dict[str, Size], text: str, collector: Collector) -> None:
    for position, size in enumerate(value.type.shape):
        try:
            number = evaluate(size, values)
        except ZeroDivisionError:
            number = 0
        if isinstance(number, int) and number < 1:
            collector.error(
                "E0501",
                f"sizes {text} leave nothing of {value.name!r}: dimension {position} is"
                f" {size} = {number}",
                value.span,
                help="choose larger sizes, or a smaller kernel, stride or slice",
            )
            return


def _all_values(program: Program, model: Module) -> Iterator[Value]:
    yield from model.inputs
    for node in flat_nodes(model.nodes):
        yield from result_values(node.result)
    if program.train:
        yield from program.train.inputs
        for node in flat_nodes(program.train.nodes):
            yield from result_values(node.result)


def _single_value_statistics(program: Program, sizes: dict[str, int]) -> bool:
    """Whether a layer would take batch statistics of one value a channel, which torch refuses.

    Told by the running mean in its buffers, of one entry a channel.
    """
    model = program.model()
    values: dict[str, Size] = {**program.param_values(model), **sizes}
    running = {
        layer.name: shape
        for layer in model.layers
        for name, shape in layer.buffers
        if name == "running_mean"
    }
    for node in flat_nodes(model.nodes):
        if isinstance(node, LayerCall) and node.layer in running:
            result = next(result_values(node.result))
            count = numel(result.type, values)
            channels = numel(TensorType("float", running[node.layer]), values)
            if count == channels:
                return True
    return False


def numel(kind: TensorType, values: dict[str, Size]) -> int:
    """The number of elements of a tensor of this type, where its symbols have ``values``."""
    total = 1
    for size in kind.shape:
        number = evaluate(size, values)
        assert isinstance(number, int), f"{size} is not decided by {values}"
        total *= number
    return total
