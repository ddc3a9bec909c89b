"""The first operation of two traces whose results differ although what it was given agrees.

The operations are aligned by their names, layers and phases, since two versions of torch may take a
function apart otherwise. Where the values part inside such a stretch, the stretch is named.
Tensors are compared in the floors that random rounding shows of them. Non-goals: tracing
(``trace``), running an operation again (``replay``).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from specc.bisect import results
from specc.bisect.results import TensorRecord, TracedOperation
from specc.harness.floors.floor_statistics import Floor, error_of, observable
from specc.harness.running.recorder import Observation
from specc.policy import EXACT_TOLERANCE, K

# What is given counts as other where it is so many floors apart; what comes out is at fault where
# it is further apart than what went in by this factor.
_GROWTH = 2.0
# difflib is quadratic at worst: of longer stretches that differ, the beginning is aligned.
_LONGEST = 3000
_NAMED = 6


@dataclass(frozen=True, slots=True)
class Trace:
    """The operations of a run, with the numbers of their tensors."""

    operations: tuple[TracedOperation, ...]
    numbers: Tensor
    cut: bool

    def of(self, seen: TensorRecord) -> Observation:
        """``seen`` as what errors are measured of."""
        values = self.numbers[seen.start : seen.start + seen.count]
        rms = float(values.square().mean().sqrt()) if seen.count else 0.0
        return Observation("", 1, values, tuple(seen.shape), seen.dtype, seen.nonfinite, rms=rms)


@dataclass(frozen=True, slots=True)
class Found:
    """Where two traces part. ``kind``: an operation's ``result``; ``others``, operations that one
    of the two alone runs; ``given``, what an operation is given that none of those before it made.
    ``good`` and ``bad`` are the operation's numbers, from 0."""

    kind: Literal["result", "others", "given"]
    good: int
    bad: int
    message: str
    floors: float | None = None


def load(folder: Path) -> Trace:
    """What a runner traced into ``folder``. Raises CallError (E0717)."""
    found = results.read(results.OperationTrace, folder / results.OPERATIONS)
    path = folder / results.NUMBERS
    numbers = results.read_tensors(path).get("numbers")
    if numbers is None or numbers.dim() != 1 or str(numbers.dtype) != "torch.float64":
        raise results.unreadable(path, "it has no numbers")
    last = max(
        (s.start + s.count for op in found.operations for s in (*op.inputs, *op.outputs)), default=0
    )
    if last > numbers.numel():
        raise results.unreadable(path, "it has fewer numbers than its operations say")
    return Trace(tuple(found.operations), numbers, found.cut)


def first_difference(good: Trace, bad: Trace) -> Found | None:
    """Where ``bad`` parts from ``good`` first; None where no operation shows it."""
    stretches: list[_Stretch] = []
    for tag, i, i_end, j, j_end in _aligned(good.operations, bad.operations):
        if tag != "equal":
            stretches.append(_Stretch(i, i_end, j, j_end))
            continue
        for offset in range(i_end - i):
            found = _at(good, bad, i + offset, j + offset, stretches)
            if found is not None:
                return found
    # What nothing reads afterwards: the last thing that a step does.
    return stretches[-1].told(good, bad) if stretches else None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Operations without a counterpart: those of good, and those of bad in their place."""

    i: int
    i_end: int
    j: int
    j_end: int

    def told(self, good: Trace, bad: Trace) -> Found:
        one = _names(good.operations[self.i : self.i_end])
        other = _names(bad.operations[self.j : self.j_end])
        message = f"good runs {one} where bad runs {other}"
        return Found("others", min(self.i, len(good.operations) - 1),
                     min(self.j, len(bad.operations) - 1), message)  # fmt: skip


def _at(good: Trace, bad: Trace, i: int, j: int, stretches: Sequence[_Stretch]) -> Found | None:
    one, other = good.operations[i], bad.operations[j]
    given = _apart(good, one.inputs, bad, other.inputs)
    made = _apart(good, one.outputs, bad, other.outputs)
    worst_given, worst_made = max(given, default=0.0), max(made, default=0.0)
    if worst_given > _GROWTH * K:
        position = given.index(worst_given)
        if len(one.inputs) == len(other.inputs):
            made_by = one.inputs[position].writer, other.inputs[position].writer
        else:
            made_by = -1, -1
        for stretch in reversed(stretches):
            if stretch.i <= made_by[0] < stretch.i_end or stretch.j <= made_by[1] < stretch.j_end:
                return stretch.told(good, bad)
        if stretches and len(one.inputs) != len(other.inputs):
            return stretches[-1].told(good, bad)
        message = "what it is given differs, and no operation before it does"
        return Found("given", i, j, message, worst_given)
    if worst_made > K and worst_made > _GROWTH * worst_given:
        position = made.index(worst_made)
        return Found("result", i, j, _difference(one, other, position, worst_made), worst_made)
    return None


def _difference(one: TracedOperation, other: TracedOperation, position: int, floors: float) -> str:
    result = "its result" if len(one.outputs) == 1 else f"result {position + 1}"
    if len(one.outputs) != len(other.outputs):
        return f"gives {len(one.outputs)} tensors in good, {len(other.outputs)} in bad"
    a, b = one.outputs[position], other.outputs[position]
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        return f"{result} is {described(a)} in good, {described(b)} in bad"
    if a.nonfinite != b.nonfinite:
        return f"{result} has NaN or infinity in other places"
    if math.isinf(floors):
        return f"{result} differs, which no rounding touches"
    text = f"{result} differs by {floors:.3g} floors, what it is given agrees"
    called = settings_that_differ(one, other)
    return f"{text}, but for {called}" if called else text


def described(seen: TensorRecord) -> str:
    """``float32[8, 128]``."""
    return f"{seen.dtype}{list(seen.shape)}"


def settings_that_differ(one: TracedOperation, other: TracedOperation) -> str:
    """What the operation is called with besides tensors, where the two differ."""
    names = dict.fromkeys((*one.settings, *other.settings))
    parts = []
    for name in names:
        a, b = one.settings.get(name), other.settings.get(name)
        if not _same(a, b):
            parts.append(f"{name}={shown(a)} in good, {shown(b)} in bad")
    return "; ".join(parts)


def shown(value: object) -> str:
    """A setting for people."""
    if isinstance(value, dict) and len(value) == 1:
        ((word, of),) = value.items()
        return "a tensor" if word == "tensor" else str(of)
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value[:8]))}{', …' if len(value) > 8 else ''}]"
    return str(value)[:60]


def _same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or abs(a - b) <= EXACT_TOLERANCE * abs(a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return a == b


# ── values ───────────────────────────────────────────────────────────────────────────────────────


def _apart(
    good: Trace, ones: Sequence[TensorRecord], bad: Trace, others: Sequence[TensorRecord]
) -> list[float]:
    """How far each tensor of the two is apart, in floors."""
    if len(ones) != len(others):
        return [math.inf]
    return [_floors(good, a, bad, b) for a, b in zip(ones, others, strict=True)]


def _floors(good: Trace, one: TensorRecord, bad: Trace, other: TensorRecord) -> float:
    if (one.shape, one.dtype, one.count) != (other.shape, other.dtype, other.count):
        return math.inf
    if one.nonfinite != other.nonfinite:
        return math.inf
    leaf = good.of(one)
    error = error_of(leaf, bad.of(other))
    if error is None:
        return math.inf
    if len(one.floor) != 2:
        return math.inf if error[1] > 0.0 else 0.0
    floor = Floor(one.floor[0], one.floor[1])
    if not observable(floor) or floor.rms <= 0.0:
        return 0.0
    return max(error[0] / floor.rms, error[1] / floor.largest)


# ── alignment ────────────────────────────────────────────────────────────────────────────────────


def _aligned(
    good: Sequence[TracedOperation], bad: Sequence[TracedOperation]
) -> list[tuple[str, int, int, int, int]]:
    """difflib's opcodes, what is alike at both ends taken off first."""
    one, other = [_key(each) for each in good], [_key(each) for each in bad]
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    codes = [("equal", 0, start, 0, start)]
    i_end, j_end = len(one) - end, len(other) - end
    i_last, j_last = min(i_end, start + _LONGEST), min(j_end, start + _LONGEST)
    middle = difflib.SequenceMatcher(None, one[start:i_last], other[start:j_last], autojunk=False)
    for tag, i, i_stop, j, j_stop in middle.get_opcodes():
        codes.append((tag, i + start, i_stop + start, j + start, j_stop + start))
    if i_last < i_end or j_last < j_end:
        codes.append(("replace", i_last, i_end, j_last, j_end))
    codes.append(("equal", i_end, len(one), j_end, len(other)))
    return codes


def _key(operation: TracedOperation) -> tuple[str, str, str]:
    return operation.phase, operation.layer, operation.name


def _names(operations: Sequence[TracedOperation]) -> str:
    names = [each.name for each in operations]
    if not names:
        return "nothing"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
