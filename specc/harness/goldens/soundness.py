"""What a golden that can be read must hold to be worth judging by.

The digest finds what was edited; this holds for whoever makes the digest anew. Every value has a
floor in every precision, and the floor is one that a blessing can write (``spread.sound``): one of
1e9, which would pass anything, is not. NaN and infinity are where the spec allows them. That a run
shows what the golden lacks is for ``compare`` and ``refine`` to say. Non-goals: the form of the
files (``golden_reader``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch

from specc.harness.cases.precisions import dtype_of
from specc.harness.floors.floor_statistics import sound
from specc.harness.running.observed_lines import is_setting
from specc.harness.running.sketch import BUCKETS, not_finite
from specc.ir import Program

if TYPE_CHECKING:
    from specc.harness.goldens.golden_schema import Header, Precision, TensorRow

# The epsilon of the finest precision that a layer's number may have in a run that mixes them.
_FINEST = 2.0**-52
# The most elements that a tensor may have.
_MOST = 2**40


def unsound(header: Header) -> str | None:
    """Why a golden cannot be judged by, or None where it can."""
    return next(_unsound(header), None)


def refused(program: Program, told: Iterable[tuple[str, str]]) -> list[str]:
    """The names of what is not finite and ``program`` does not allow to be, of (name,
    ``Observation.nonfinite``)."""
    if program.test.nonfinite == "allowed":
        return []
    return [
        name
        for name, which in told
        if which and ("NaN" in not_finite(which) or not (is_setting(name) or "/layer/" in name))
    ]


def _unsound(header: Header) -> Iterator[str]:
    if not header.dtypes:
        yield "it is of no precision"
    if not header.tensors:
        yield "it holds no value"
    for row in header.tensors:
        if row.kind == "absent" or row.exact:
            if row.floors:
                yield f"{row.name!r} has floors, and takes none"
            continue
        for dtype in header.dtypes:
            if dtype not in row.floors:
                yield f"{row.name!r} has no floor for {dtype!r}"
            elif header.digest and not _of_leaf(row, dtype):
                yield f"the floor of {row.name!r} in {dtype} is none that a blessing gives"
    unit = _FINEST if _mixed(header) else None
    for name, floors in header.alone.items():
        for dtype in header.dtypes:
            if dtype not in floors:
                yield f"{name!r} has no floor for {dtype!r}"
            elif header.digest and not sound(*floors[dtype], unit or epsilon(dtype), _MOST):
                yield f"the floor of {name!r} in {dtype} is none that a blessing gives"


def _of_leaf(row: TensorRow, dtype: Precision) -> bool:
    """Whether a blessing can have given the floor of ``row`` in ``dtype``."""
    own = row.dtypes.get(dtype) or row.dtype
    count = min(math.prod(row.shape), BUCKETS)
    try:
        unit = epsilon(dtype if own in ("float", "complex") else own)
    except (AttributeError, TypeError):
        return False
    return sound(*row.floors[dtype], None, unit, count)


def _mixed(header: Header) -> bool:
    """Whether there are numbers in other precisions than the run's."""
    own = {"", "float", "complex", "number"}
    return any(row.dtypes or (row.dtype not in own and not row.exact) for row in header.tensors)


def epsilon(dtype: str) -> float:
    """Of the tensors of a run in ``dtype``, a precision or torch's name of a type."""
    return float(torch.finfo(dtype_of(dtype)).eps)
