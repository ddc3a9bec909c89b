"""What no golden is made of: values that are not finite, unless the spec says that they may be, and
a case of which nothing can be judged.

NaN is never meant. Infinity can be: a mask is added as minus infinity, and gone after the softmax.
So infinity in what a layer or a block hands on, and in what a layer is set up with, is told in a
note; NaN anywhere, and infinity in an output, a loss, a gradient, an optimizer's state or a buffer,
is refused without ``nonfinite allowed``. Named values between layers are not observed. Non-goals:
precisions that overflow where float64 has a number (``floor``), comparing (``compare``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from specc.errors import TargetError
from specc.harness.cases.matrix import Case
from specc.harness.floors.floor_statistics import observable
from specc.harness.goldens.soundness import refused
from specc.harness.running.observed_lines import lines_of
from specc.harness.running.recorder import Observation
from specc.harness.running.sketch import not_finite
from specc.ir import Program

if TYPE_CHECKING:
    from specc.harness.goldens.golden_reader import Leaf

_SHOWN = 4


def check_finite(
    program: Program, case: Case, observations: Sequence[Observation]
) -> tuple[str, ...]:
    """A golden's notes of what is not finite in the reference of ``case`` and may be so. Raises
    TargetError (E0810) where something may not."""
    found = [item for item in observations if item.nonfinite]
    wrong = set(refused(program, ((item.name, item.nonfinite) for item in found)))
    bad = [item for item in found if item.name in wrong]
    if bad:
        spot = lines_of(program).of(bad[0].name)
        rest = f"; then {_listed(bad[1:])}" if len(bad) > 1 else ""
        raise TargetError(
            "E0810",
            f"{spot.file}:{spot.line}: {_told(bad[0])}{rest}; so case {case.id} is not blessed",
            help="mend what computes it, or give the case inputs for which it is finite; if it is"
            " meant, say so: test { nonfinite allowed }",
        )
    return (f"not finite in the reference: {_listed(found)}",) if found else ()


def check_observable(
    program: Program, case: Case, leaves: Sequence[Leaf], dtypes: Sequence[str]
) -> None:
    """That in each of ``dtypes`` something can be judged that every target shows: a value that is
    computed, in whose floor a wrong one would not be lost. Raises TargetError (E0811)."""
    judged = [
        leaf
        for leaf in leaves
        if leaf.reference.values is not None
        and leaf.reference.dtype != "number"
        and "/layer/" not in leaf.reference.name
    ]
    for dtype in dtypes:
        if not any(leaf.reference.exact or observable(leaf.floors[dtype]) for leaf in judged):
            raise TargetError(
                "E0811",
                f"{program.file}, case {case.id}, cannot be judged in {dtype}: honest arithmetic"
                f" determines none of its {len(judged)} values, so that any other would pass",
                help=f"give the case larger sizes or another seed, or leave {dtype} out of the"
                " spec's dtypes",
            )


def _told(item: Observation) -> str:
    counts = not_finite(item.nonfinite)
    which = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{item.name} is not finite ({which} of {math.prod(item.shape)})"


def _listed(items: Sequence[Observation]) -> str:
    shown = ", ".join(_told(item).replace(" is not finite", "") for item in items[:_SHOWN])
    more = len(items) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
