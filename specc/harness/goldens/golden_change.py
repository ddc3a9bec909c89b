"""What moved between two goldens, tensor by tensor, in the noise floors of the older one.

For people who review a change and for ``bless --check``. A value moved where its error against the
old reference is over ``K`` floors of any precision that both were blessed in; what moved less is
counted and not listed, since no test can tell it from rounding. Non-goals: reading files
(``golden_reader``), what a user sees (``specc.report.results.changes``), deciding for the user.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from specc.harness.floors.floor_statistics import error_of, observable
from specc.harness.floors.per_layer_floor import AloneFloor
from specc.harness.goldens.golden_reader import Leaf
from specc.policy import FLOOR_RATIO, K

# Floors of layers by themselves, by value and precision.
Alone = Mapping[str, Mapping[str, AloneFloor]]
NONE: Alone = MappingProxyType({})
What = Literal["new", "gone", "kind", "nonfinite", "values", "floor"]


@dataclass(frozen=True, slots=True)
class Change:
    """One tensor that is not what it was. ``line`` is of the spec that made the newer golden (of
    the older one for what is gone); ``floors`` is how far the value moved, None where it cannot
    be said."""

    name: str
    what: What
    line: int
    message: str
    floors: float | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """``listed`` is in data-flow order; ``within`` counts the tensors whose stored numbers differ
    by less than their noise, ``furthest`` is the most of these in floors."""

    listed: tuple[Change, ...]
    within: int
    furthest: float
    compared: int


def changes(
    old: Sequence[Leaf], new: Sequence[Leaf], old_alone: Alone = NONE, new_alone: Alone = NONE
) -> Changes:
    """How ``new`` differs from ``old``, with the floors of their layers by themselves."""
    before = {leaf.reference.name: leaf for leaf in old}
    listed: list[Change] = []
    within, furthest = 0, 0.0
    for leaf in new:
        former = before.pop(leaf.reference.name, None)
        if former is None:
            listed.append(_told(leaf, "new", "was not observed before"))
            continue
        change, moved = _change(former, leaf)
        if change is not None:
            listed.append(change)
        elif moved > 0.0:
            within += 1
            furthest = max(furthest, moved)
    gone = [_told(leaf, "gone", "is no longer observed") for leaf in before.values()]
    lines = {leaf.reference.name: leaf.reference.line for leaf in new}
    by_itself = list(_alone_changes(old_alone, new_alone, lines))
    return Changes((*listed, *gone, *by_itself), within, furthest, len(new))


def _alone_changes(old: Alone, new: Alone, lines: Mapping[str, int]) -> Iterator[Change]:
    """What is judged otherwise of layers by themselves; that more is judged is no change."""
    for name, before in old.items():
        line = lines.get(name.replace("/alone/", "/layer/"), 0)
        after = new.get(name)
        if after is None:
            yield Change(name, "gone", line, "is no longer judged by itself")
            continue
        for dtype in sorted(before.keys() & after.keys()):
            one, other = before[dtype].written.rms, after[dtype].written.rms
            if not one / FLOOR_RATIO <= other <= one * FLOOR_RATIO:
                message = f"its floor in {dtype} was {one:.2e} and is {other:.2e}"
                yield Change(name, "floor", line, message)


def merged_alone(old: Alone, new: Alone, left: set[str]) -> dict[str, Mapping[str, AloneFloor]]:
    """``new`` with what is named in ``left`` as it was in ``old``."""
    kept = {name: floors for name, floors in new.items() if name not in left}
    return kept | {name: floors for name, floors in old.items() if name in left}


def merged(old: Sequence[Leaf], new: Sequence[Leaf], left: set[str]) -> tuple[Leaf, ...]:
    """``new`` with what is named in ``left`` as it was in ``old``.

    What is new and left stays out; what is gone and left stays in, at the end.
    """
    before = {leaf.reference.name: leaf for leaf in old}
    names = {leaf.reference.name for leaf in new}
    kept: list[Leaf] = []
    for leaf in new:
        name = leaf.reference.name
        if name not in left:
            kept.append(leaf)
        elif name in before:
            former = before[name]
            kept.append(Leaf(replace(former.reference, line=leaf.reference.line), former.floors))
    kept += [leaf for name, leaf in before.items() if name in left and name not in names]
    return tuple(kept)


def _change(old: Leaf, new: Leaf) -> tuple[Change | None, float]:
    """The change of one tensor, if there is one, and how far its values moved in floors."""
    kind = _kind(old, new)
    if kind is not None:
        return _told(new, "kind", kind), 0.0
    if old.reference.nonfinite != new.reference.nonfinite:
        return _told(new, "nonfinite", "has NaN or infinity in other places"), 0.0
    moved = _moved(old, new)
    if moved > (0.0 if new.reference.exact else K):
        return _told(new, "values", _values(old, new), moved), moved
    ratio = _floor_ratio(old, new)
    if ratio is not None:
        return _told(new, "floor", ratio), moved
    return None, moved


def _kind(old: Leaf, new: Leaf) -> str | None:
    one, other = old.reference, new.reference
    if (one.values is None) != (other.values is None):
        return "was a tensor and is None" if other.values is None else "was None and is a tensor"
    if one.shape != other.shape:
        return f"had shape {list(one.shape)} and has {list(other.shape)}"
    if one.dtype != other.dtype:
        return f"had dtype {one.dtype} and has {other.dtype}"
    if one.exact != other.exact:
        return "is compared exactly" if other.exact else "is no longer compared exactly"
    return None


def _moved(old: Leaf, new: Leaf) -> float:
    error = error_of(old.reference, new.reference)
    if error is None or error[1] == 0.0:
        return 0.0
    if new.reference.exact:
        return float("inf")
    floors = [old.floors[name] for name in old.floors.keys() & new.floors.keys()]
    # A value that honest arithmetic does not determine has not moved when it differs.
    judged = [floor for floor in floors if observable(floor)]
    return max(
        (max(error[0] / floor.rms, error[1] / floor.largest) for floor in judged), default=0.0
    )


def _values(old: Leaf, new: Leaf) -> str:
    one, other = old.reference, new.reference
    assert one.values is not None and other.values is not None
    if one.values.numel() == 1:
        return f"was {float(one.values):.9g} and is {float(other.values):.9g}"
    error = error_of(one, other)
    assert error is not None  # the shapes are the same
    return (
        f"rms was {one.rms:.6g} and is {other.rms:.6g}; moved by {error[0]:.2e} of it,"
        f" at most {error[1]:.2e}"
    )


def _floor_ratio(old: Leaf, new: Leaf) -> str | None:
    for name in sorted(old.floors.keys() & new.floors.keys()):
        before, after = old.floors[name], new.floors[name]
        if observable(before) != observable(after):
            state = "observable" if observable(after) else "not observable"
            return f"is {state} in {name} now (floor was {before.rms:.2e}, is {after.rms:.2e})"
        if observable(after) and not (
            before.rms / FLOOR_RATIO <= after.rms <= before.rms * FLOOR_RATIO
        ):
            return f"its floor in {name} was {before.rms:.2e} and is {after.rms:.2e}"
    return None


def _told(leaf: Leaf, what: What, message: str, floors: float | None = None) -> Change:
    return Change(leaf.reference.name, what, leaf.reference.line, message, floors)
