"""What of the emitted source no person would have written, counted over specs.

Loops whose rounds stand one by one, assertions that a class was built with these params alone,
classes that one block became several of, branches without their other side. Run it for the table:
``python tests/emitted_forms.py``, or with paths of specs. Non-goal: whether the source is right.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from specc import front, ir
from specc.emit import emit
from specc.emit.constructor.classes import classes_of
from specc.emit.writing.method_parts import Choice, Cycle, Part, Sequential

AGAIN = "build the spec again"
SPECS = Path(__file__).parent.parent / "specs"


@dataclass(frozen=True)
class Forms:
    """How often each form stands in the source of a spec, and how many lines it has."""

    unrolled: int = 0
    asserts: int = 0
    copied: int = 0
    one_sided: int = 0
    lines: int = 0

    def __add__(self, other: Forms) -> Forms:
        return Forms(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def forms(program: ir.Program) -> Forms:
    """The forms in the source of one program."""
    source = emit(program)
    classes = classes_of(program.models).listed
    parts = [part for made in classes for part in _all(made.parts)]
    return Forms(
        sum(isinstance(part, Cycle) and part.unrolled for part in parts),
        source.count(AGAIN),
        len(classes) - len({made.module.name for made in classes}),
        sum(isinstance(part, Choice) and part.one_sided for part in parts),
        source.count("\n"),
    )


def _all(parts: Iterable[Part]) -> Iterator[Part]:
    for part in parts:
        yield part
        match part:
            case Sequential():
                yield from _all(part.parts)
            case Choice():
                yield from _all((*(part.yes or ()), *(part.no or ())))
            case Cycle():
                for round_ in part.rounds:
                    yield from _all(round_.parts)
            case _:
                continue


def table(paths: Sequence[Path]) -> str:
    """A line for each spec that has such a form, and the sum of all."""
    names = [field.name for field in fields(Forms)]
    lines = [f"{'':28}" + "".join(f"{name:>11}" for name in names)]
    total = Forms()
    for path in paths:
        found = forms(front.read(path))
        total += found
        if any(astuple(found)[:-1]):
            lines.append(_line(path.name, found))
    return "\n".join([*lines, _line(f"{len(paths)} specs", total)])


def _line(name: str, found: Forms) -> str:
    return f"{name:28}" + "".join(f"{count:11}" for count in astuple(found))


def zoo() -> list[Path]:
    """The specs of the repository, and those of the library."""
    return [*sorted(SPECS.glob("*.spec")), *sorted((SPECS / "library").glob("*.spec"))]


if __name__ == "__main__":
    print(table([Path(name) for name in sys.argv[1:]] or zoo()))
