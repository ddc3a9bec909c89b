"""What a row of the catalogue does to shapes, told by its rule on symbols: for ``specc catalog``.

The row's example is read with as many of its sizes unknown as its rule lets be. Non-goals: numbers,
the row's signature (``specc.catalog.row_notation``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from specc import front, ir
from specc.catalog import examples
from specc.catalog.catalogue import BUILT_IN, Catalogue, is_built_in
from specc.catalog.examples import Example, ExampleInput
from specc.catalog.rows import Row
from specc.errors import Diagnostic
from specc.inspect import program_notation
from specc.ir import shorter
from specc.sizes import Size

# What a dimension is called by its place: sequences, images, volumes.
_PLACES = {
    1: ("N",),
    2: ("N", "D"),
    3: ("N", "C", "L"),
    4: ("N", "C", "H", "W"),
    5: ("N", "C", "D", "H", "W"),
}
_FRESH = ("K", "M", "P", "Q", "R", "S", "T", "U", "V")


@dataclass(frozen=True, slots=True)
class RowShapes:
    """``takes`` and ``gives`` are names with types; ``conditions`` say what the sizes must hold;
    ``parameters`` and ``buffers`` are names with shapes, of a layer. ``fault`` says, with its code,
    why there is nothing but ``takes``."""

    takes: tuple[tuple[str, str], ...]
    gives: tuple[tuple[str, str], ...]
    conditions: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    buffers: tuple[tuple[str, str], ...] = ()
    fault: str = ""


def entry(kind: str, row: Row, catalogue: Catalogue = BUILT_IN) -> RowShapes | None:
    """The shapes of a layer, a function, a loss or a metric; None for what has none. What an
    extension adds to ``catalogue`` may have an example that does not check: that is ``fault``."""
    if kind not in ("layer", "function", "loss", "metric"):
        return None
    example = examples.example_of(kind, row)
    if kind in ("loss", "metric"):
        return RowShapes(_taken(example), (("", "float[]"),))
    lifted = _lifted(kind, row, example, catalogue)
    program, faults = _read(kind, row, lifted, catalogue)
    if program is None and not is_built_in(row):
        return RowShapes(_taken(lifted), (), fault=f"{faults[0].code} {faults[0].message}")
    assert program is not None, f"the example of {row.name} checks: a test says so"
    model = program.subject()
    own = {layer.type: layer for layer in model.layers}.get(row.name)
    return RowShapes(
        _taken(lifted),
        tuple((_shown(output.name), _type(output.value.type)) for output in model.outputs),
        tuple(dict.fromkeys(_condition(condition) for condition in model.conditions)),
        _shapes(own.parameters) if own else (),
        _shapes(own.buffers) if own else (),
    )


def _read(
    kind: str, row: Row, example: Example, catalogue: Catalogue
) -> tuple[ir.Program | None, list[Diagnostic]]:
    text = examples.program_around(kind, row, example)
    program, diagnostics, _ = front.check_text(text, catalogue=catalogue)
    return program, [found for found in diagnostics if found.severity == "error"]


def _taken(example: Example) -> tuple[tuple[str, str], ...]:
    return tuple((each.name, each.type) for each in example.inputs)


def _shown(name: str) -> str:
    return "" if name == "output" else name


def _type(of: ir.TensorType) -> str:
    return str(replace(of, shape=tuple(map(shorter.tidy, of.shape))))


def _condition(condition: ir.Condition) -> str:
    left, right = shorter.tidy(condition.left), shorter.tidy(condition.right)
    return f"{left} {condition.relation} {right}"


def _shapes(tensors: Sequence[tuple[str, tuple[Size, ...]]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, program_notation.shape(map(shorter.tidy, shape))) for name, shape in tensors
    )


# ── unknown sizes ────────────────────────────────────────────────────────────────────────────────


def _lifted(kind: str, row: Row, example: Example, catalogue: Catalogue) -> Example:
    """``example`` with a name for every size that the row's rule leaves free; equal sizes of
    several inputs get equal names where they are at equal places."""
    names: dict[str, str] = {}
    for which, place in list(_dimensions(example.inputs)):
        given = example.inputs[which]
        sizes = _sizes(given)
        if not sizes[place].isdigit():
            continue
        for name in _candidates(given, place, sizes[place], names):
            changed = [*sizes]
            changed[place] = name
            inputs = list(example.inputs)
            head = given.type.partition("[")[0]
            inputs[which] = ExampleInput(given.name, f"{head}[{', '.join(changed)}]")
            tried = replace(example, inputs=tuple(inputs))
            if _read(kind, row, tried, catalogue)[0] is not None:
                names[name] = sizes[place]
                example = tried
                break
    return example


def _dimensions(inputs: Sequence[ExampleInput]) -> Iterator[tuple[int, int]]:
    # From the last one back: what a layer computes on is there, and a batch has its name already.
    for which, given in enumerate(inputs):
        for place in reversed(range(len(_sizes(given)))):
            yield which, place


def _sizes(given: ExampleInput) -> list[str]:
    shape = given.type.partition("[")[2].rstrip("]")
    return [size.strip() for size in shape.split(",")] if shape else []


def _candidates(given: ExampleInput, place: int, size: str, names: dict[str, str]) -> list[str]:
    """Names to try for a dimension: its place's, another one of the same size, a fresh one."""
    rank = len(_sizes(given))
    taken = {*names, *_sizes(given)}
    usual = _PLACES.get(rank, ())[place : place + 1]
    found = [name for name in usual if names.get(name, size) == size and name not in _sizes(given)]
    found += [n for n, known in names.items() if known == size and n not in _sizes(given)]
    found += [name for name in _FRESH if name not in taken][:1]
    return list(dict.fromkeys(found))
