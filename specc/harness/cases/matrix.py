"""The test matrix of a program: which cells there are, on which sizes; torch-free, so that pytest
can collect with it.

A *case* is what a golden is blessed for (sizes, seed, steps, mode); a *cell* is a case run by one
target on one device in one precision. Every row of sizes is checked against the program's
conditions here, before anything runs. Non-goals: making the case's numbers (``case``), running it
(``judge``).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from specc.errors import Collector, Diagnostic, SpecError
from specc.harness.cases import subject
from specc.harness.cases.demands import (
    Demands,
    conditions_hold,
    demands_of,
    sizes_text,
    violations,
)
from specc.ir import Program
from specc.ir.relations import is_tie, solved
from specc.semantics.checks.half_precision import check_half
from specc.semantics.files.rows_of_sizes import told_once
from specc.sizes import Size, evaluate, symbols
from specc.suggestions import did_you_mean

# A batch of four shows a reduction over the batch; one and a prime show what four hides (a squeezed
# dimension, a block size that happens to divide). With the prime go other sizes that are equal.
DEFAULT_BATCH = 4
SINGLE = 1
PRIME = 7
# Tried in turn for each other symbol until the program's conditions hold.
CANDIDATES = (8, 6, 5, 12, 16, 10, 9, 24, 32, 7, 11, 4, 3, 2, 1, 48, 64, 96, 128, 224, 256)
MAX_ATTEMPTS = 20_000
# Rows with equal sizes that are held against the conditions: the squarest are the first.
MOST_SQUARES = 100


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
    layout: str = "contiguous"
    optimizer: str = "default"

    @property
    def id(self) -> str:
        """``compile-cpu-float32-train``, with ``-N2-T16`` where the case's name needs it, and with
        the layout and the optimizer's implementation where they are not the usual ones."""
        layout = "" if self.layout == "contiguous" else f"-{self.layout}"
        optimizer = "" if self.optimizer == "default" else f"-{self.optimizer}"
        return f"{self.target}-{self.device}-{self.dtype}{layout}{optimizer}-{self.case.id}"


def cells(
    program: Program,
    targets: Sequence[str] | None = None,
    devices: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
) -> tuple[Cell, ...]:
    """Every cell of ``program``, sizes outermost; the arguments override the spec's own lists.

    Raises SpecError: E0501 where a row of sizes breaks a condition or makes a shape empty, E0502
    where a row misses a symbol or names an unknown one, E0330 where a number is too large for a
    precision that the call asks for.
    """
    plan = program.test
    if dtypes:
        collector = Collector()
        check_half(program, collector, dtypes)
        if collector.failed:
            raise SpecError(collector.sorted())
    return tuple(
        Cell(target, device, dtype, case.mode, case, layout, optimizer)
        for case in cases(program)
        for target in targets or plan.targets
        for device in devices or plan.devices
        for dtype in dtypes or plan.dtypes
        for layout in plan.layouts
        for optimizer in _optimizers(program, case)
    )


def _optimizers(program: Program, case: Case) -> tuple[str, ...]:
    """The implementations of a step that the plan asks for; a case without steps has one cell."""
    steps = program.train.steps if program.train is not None else ()
    if case.mode == "train" and any(step.optimizer is not None for step in steps):
        return program.test.optimizers
    return ("default",)


def cases(program: Program) -> tuple[Case, ...]:
    """Every case of ``program``: each row of sizes in each mode. Raises as ``cells`` does."""
    plan = program.test
    written = bool(plan.sizes)
    demands = demands_of(program)
    rows = _written_rows(program, demands) if written else _default_rows(program, demands)
    return tuple(
        Case(row, plan.seed, plan.steps, mode, several=len(rows) > 1)
        for row in rows
        for mode in plan.modes
        if written or mode != "train" or not demands.single_value_statistics(dict(row))
    )


def input_symbols(program: Program) -> tuple[str, ...]:
    """The unknown sizes of the inputs that a case must choose, in order of appearance."""
    inputs = [*subject.model_inputs(program), *subject.train_inputs(program)]
    known = subject.known_sizes(program)
    found: dict[str, None] = {}
    for value in inputs:
        for size in value.type.shape:
            found.update(dict.fromkeys(sorted(symbols(size) - known.keys())))
    return tuple(found)


def _written_rows(program: Program, demands: Demands) -> list[tuple[tuple[str, int], ...]]:
    names = input_symbols(program)
    collector = Collector()
    rows = []
    whole = program.train.span if program.train else program.subject().span
    for row in program.test.sizes:
        values = dict(row)
        span = program.test.place_of(row) or whole
        text = sizes_text(values)
        for name in values.keys() - set(names):
            collector.error(
                "E0502",
                f"sizes {text}: no input has a size called {name!r}",
                span,
                help=did_you_mean(name, names, _listed(names), "{!r}"),
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
            found = violations(program, demands, values)
            collector.items.extend(found or _single_values(program, demands, values))
            rows.append(tuple((name, values[name]) for name in names))
    if collector.failed:
        raise SpecError(told_once(collector.sorted()))
    return list(dict.fromkeys(rows))


def _single_values(program: Program, demands: Demands, sizes: dict[str, int]) -> list[Diagnostic]:
    """An E0501 where a layer would take the statistics of one value a channel in training, which
    torch refuses; none where the test trains nothing."""
    if "train" not in program.test.modes or not demands.single_value_statistics(sizes):
        return []
    span = program.train.span if program.train else program.subject().span
    text = sizes_text(sizes) or "of this model"
    return [
        Diagnostic(
            "E0501",
            f"sizes {text} give a batch norm one value a channel, of which training takes no"
            " statistics",
            span._replace(end=span.start + 5),
            "take a batch of 2 or more, or test it by `modes eval`",
        )
    ]


def _listed(names: Sequence[str]) -> str:
    return (
        f"the inputs' sizes are {', '.join(names)}" if names else "every input's size is a number"
    )


def _default_rows(program: Program, demands: Demands) -> list[tuple[tuple[str, int], ...]]:
    names = input_symbols(program)
    if not names:
        faults = violations(program, demands, {})
        if program.train is not None:
            faults = faults or _single_values(program, demands, {})
        if faults:
            raise SpecError(faults)
        return [()]
    told = _told_sizes(demands, names)
    free = [name for name in names if name not in told]
    batch = "N" if "N" in free else next(iter(free), "")
    others = [name for name in free if name != batch]
    sizes = _fitting(program, demands, others, {batch: DEFAULT_BATCH} if batch else {}, told)
    found = [sizes]
    if batch:
        single = _whole(sizes | {batch: SINGLE}, told)
        found += [] if violations(program, demands, single) else [single]
        # Some faults show on a square alone: an axis that is taken for another.
        last = sizes | {batch: PRIME}
        squares = itertools.islice(_squares(last, others), MOST_SQUARES)
        tried = (_whole(row, told) for row in itertools.chain(squares, [last]))
        fitting = (row for row in tried if not violations(program, demands, row))
        found += itertools.islice(fitting, 1)
    return list(dict.fromkeys(tuple((name, row[name]) for name in names) for row in found))


def _fitting(
    program: Program,
    demands: Demands,
    others: Sequence[str],
    first: Mapping[str, int],
    told: Mapping[str, Size],
) -> dict[str, int]:
    """Sizes that the program takes: ``first``, what is tried for ``others``, and what these tell.

    Raises SpecError: E0501 where there are none."""
    faults: list[Diagnostic] | None = None
    for choice in itertools.islice(_choices(len(others)), MAX_ATTEMPTS):
        sizes = _whole({**first, **dict(zip(others, choice, strict=True))}, told)
        if faults is not None and not conditions_hold(demands, sizes):
            continue  # without the words, which are found once
        found = violations(program, demands, sizes)
        if not found:
            return sizes
        faults = faults or found
    assert faults is not None
    raise SpecError([_of_no_row(fault) for fault in faults])


def _of_no_row(fault: Diagnostic) -> Diagnostic:
    """``fault`` of sizes that nobody wrote: none that were tried are right for the model."""
    return replace(
        fault,
        message=f"no sizes were found that the model takes: {fault.message}",
        notes=(*fault.notes, *((fault.help,) if fault.help else ())),
        help="change what asks for it, or write sizes that fit: `test { sizes ... }`",
    )


def _told_sizes(demands: Demands, names: Sequence[str]) -> dict[str, Size]:
    """The sizes that an equality gives, such as `where T == 8`, in terms of the others."""
    told: dict[str, Size] = {}
    for condition in demands.conditions.values():
        if condition.relation != "==":
            continue
        known = {**demands.known, **told}
        difference = evaluate(condition.left, known) - evaluate(condition.right, known)
        found = solved(difference, reversed(names))
        if found is not None and is_tie(difference):
            name, size = found
            told = {each: evaluate(of, {name: size}) for each, of in told.items()}
            told[name] = size
    return told


def _whole(sizes: Mapping[str, int], told: Mapping[str, Size]) -> dict[str, int]:
    """``sizes`` with those that are ``told`` by them; 0, which nothing takes, for what is none."""
    found = {name: evaluate(size, sizes) for name, size in told.items()}
    return {**sizes, **{name: size if isinstance(size, int) else 0 for name, size in found.items()}}


def _squares(row: dict[str, int], others: Sequence[str]) -> Iterator[dict[str, int]]:
    """``row``, whose batch is a prime, with equal sizes, the squarest first: all of them, all but
    the batch's, or two."""
    largest = max(row.values())
    near = (size for size in CANDIDATES if size <= 2 * largest)
    alike = tuple(dict.fromkeys([*(row[name] for name in others), *near]))
    yield row | dict.fromkeys(others, PRIME)
    for value in alike:
        yield row | dict.fromkeys(others, value)
    for pair in itertools.combinations(others, 2):
        for value in alike:
            yield row | dict.fromkeys(pair, value)
    for name in others:
        yield row | {name: PRIME}


def _choices(count: int) -> Iterator[tuple[int, ...]]:
    """Sizes for ``count`` symbols: distinct ones first, so that no two dimensions can be
    confused.
    """
    if count > len(CANDIDATES):
        yield tuple(CANDIDATES[i % len(CANDIDATES)] for i in range(count))
        return
    yield from itertools.islice(itertools.permutations(CANDIDATES, count), MAX_ATTEMPTS // 2)
    yield from itertools.product(CANDIDATES, repeat=count)
