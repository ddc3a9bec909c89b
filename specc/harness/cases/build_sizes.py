"""The sizes that an artefact is made with, and those that it is proved with; torch-free.

A compiler that sees a size of 0 or 1, or two sizes that are equal, takes that for a fact of the
model: such sizes make an artefact that is good for them alone. Non-goals: the test matrix
(``matrix``), the numbers of a batch (``case``).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

from specc.harness.cases import matrix
from specc.harness.cases.demands import Demands, demands_of, violations
from specc.harness.cases.matrix import CANDIDATES, Case
from specc.ir import Module, Program, TestPlan
from specc.sizes import evaluate

# Batches, the smallest first that are not 0 or 1: what is built is run a dozen times.
_BATCHES = (4, 3, 5, 6, 7, 2)
_MAX_ATTEMPTS = 4_000
# Sizes next to each other that are held against the conditions: any divisor is found among so many.
_MOST_TRIED = 64


def first(program: Program, model: Module) -> Case:
    """The sizes to build ``model`` with: a row of the test plan that specialises nothing, or else
    the smallest such sizes that the model's conditions allow, or else any that they allow.

    Raises SpecError (E0501) where there are none."""
    alone, demands, names = _asked(program, model)
    for row in program.test.sizes:
        sizes = {name: dict(row)[name] for name in names if name in dict(row)}
        if len(sizes) == len(names) and _fits(alone, demands, sizes):
            return _case(program, sizes)
    for sizes in _choices(names, {}):
        if _fits(alone, demands, sizes):
            return _case(program, sizes)
    return _case(program, matrix.cases(alone)[0].values())


def other(program: Program, model: Module, known: Case, bound: Mapping[str, int]) -> Case | None:
    """Sizes that specialise nothing and differ from ``known`` in every name that is not ``bound``;
    None where there are none, or none is free."""
    alone, demands, names = _asked(program, model)
    free = [name for name in names if name not in bound]
    before = known.values()
    for sizes in _choices(names, bound) if free else ():
        if all(sizes[name] != before[name] for name in free) and _fits(alone, demands, sizes):
            return _case(program, sizes)
    return None


def others(program: Program, model: Module, known: Case) -> list[Case]:
    """Sizes to try an artefact on that was built with ``known``: each other in one name, or in
    those that the conditions let change together alone. A few for each: the smallest, a half
    of what it was, the next, at least twice and four times: what is derived by dividing, as
    ``(T + 1) // 2``, is then another number too. Of a size inside that is 1 it is known."""
    alone, demands, names = _asked(program, model)
    before = dict(known.sizes)
    found: list[Case] = []
    stuck: list[str] = []
    for name in names:
        size = before[name]
        tried: list[dict[str, int]] = []
        for least, most in (
            (1, size // 2 - 1),
            (size // 2, size - 1),
            (size + 1, 2 * size - 1),
            (2 * size, 4 * size - 1),
            (4 * size, 8 * size),
        ):
            allowed = (
                sizes
                for each in range(max(least, 1), min(most, least + _MOST_TRIED) + 1)
                if not violations(alone, demands, sizes := {**before, name: each})
                and not _is_one_inside(demands, sizes)
            )
            tried += itertools.islice(allowed, 1)
        found += [_case(program, sizes) for sizes in tried]
        stuck += [] if tried else [name]
    if stuck:
        held = {name: size for name, size in before.items() if name not in stuck}
        together = other(program, model, known, held)
        found += [] if together is None else [together]
    return found


def _asked(program: Program, model: Module) -> tuple[Program, Demands, tuple[str, ...]]:
    """The model by itself, what it asks of sizes, and which sizes its inputs leave open."""
    alone = dataclasses.replace(program, models=(model,), train=None, test=TestPlan())
    return alone, demands_of(alone), matrix.input_symbols(alone)


def _case(program: Program, sizes: Mapping[str, object]) -> Case:
    row = tuple((name, size) for name, size in sizes.items() if isinstance(size, int))
    return Case(row, program.test.seed, 1, "eval")


def _fits(alone: Program, demands: Demands, sizes: dict[str, int]) -> bool:
    """Whether the model takes ``sizes``, and nothing in it is specialised by them."""
    if min(sizes.values(), default=2) < 2 or len(set(sizes.values())) < len(sizes):
        return False
    return not violations(alone, demands, sizes) and not _is_one_inside(demands, sizes)


def _is_one_inside(demands: Demands, sizes: Mapping[str, int]) -> bool:
    """Whether a size that is made of the inputs' is 1."""
    values = {**demands.known, **sizes}
    made = {size for shape in demands.shapes for size in shape if type(size) is not int}
    return any(evaluate(size, values) == 1 for size in made if str(size) not in sizes)


def _choices(names: Sequence[str], bound: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Sizes for ``names``, small ones first, no two alike; those that are ``bound`` stay."""
    open_names = [name for name in names if name not in bound]
    if not open_names:
        yield {name: bound[name] for name in names}
        return
    batch = "N" if "N" in open_names else open_names[0]
    rest = [name for name in open_names if name != batch]
    found = (
        {**bound, batch: size, **dict(zip(rest, choice, strict=True))}
        for size in (*_BATCHES, *CANDIDATES)
        for choice in itertools.permutations(CANDIDATES, len(rest))
        if size not in choice
    )
    for sizes in itertools.islice(found, _MAX_ATTEMPTS):
        yield {name: sizes[name] for name in names}
