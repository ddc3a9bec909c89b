"""All that is held of a run against a golden: its leaves, and what they do not show.

``beside``: outputs and losses without hooks, against the same leaves as those with hooks; gradients
that a step has changed. ``refined``, for what errors of a whole run are too large to show, with two
closer looks, for targets that show their layers: the float64 run of the source, which must be
the reference itself but for float64's own rounding; and each layer by itself against its own
floors. What they find is put where it is computed, so that the first bad value stays the first.
Non-goals: running anything (``per_layer``), the comparison of the run itself (``compare``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import torch

from specc.harness.cases.precisions import epsilon_of
from specc.harness.cases.verdict import Finding
from specc.harness.floors.floor_statistics import ENDLESS, error_of, observable
from specc.harness.floors.per_layer import LOST, Error
from specc.harness.floors.per_layer_floor import NOT_ALONE, AloneFloor
from specc.harness.goldens.golden import Golden, Leaf
from specc.harness.judging.compare import Comparison, compare, structure
from specc.harness.running.observed_lines import CHANGED_GRADIENT, WITHOUT_HOOKS, Spot, with_hooks
from specc.harness.running.recorder import Observation, root_mean_square
from specc.policy import LEAST, K


def held(
    golden: Golden,
    observed: Sequence[Observation],
    dtype: str,
    spot_of: Callable[[str], Spot],
    *,
    layers: bool,
    exact: Sequence[Observation] | None = None,
    alone: Mapping[str, Error] | None = None,
) -> Comparison:
    """The run in ``dtype`` that showed ``observed`` against ``golden``; ``layers`` says that it
    shows layer outputs. With ``exact``, what its float64 run showed, it is refined by that and by
    how each layer errs ``alone``."""
    found = compare(golden, observed, dtype, spot_of, layers=layers)
    found = beside(found, golden, observed, dtype, spot_of)
    if exact is None:
        return found
    return refined(found, golden, exact, alone or {}, dtype, spot_of)


def beside(
    comparison: Comparison,
    golden: Golden,
    observed: Sequence[Observation],
    dtype: str,
    spot_of: Callable[[str], Spot],
) -> Comparison:
    """``comparison`` of the run that showed ``observed``, with what of it no golden holds."""
    known = {finding.name for finding in comparison.findings}
    findings = list(comparison.findings)
    worst, compared = comparison.worst, comparison.compared
    for kind, how in WITHOUT_HOOKS.items():
        shown = {with_hooks(item.name): item for item in observed if _is_of(item.name, kind)}
        # What is wrong with hooks as well is told there, and so is what the golden has not.
        leaves = tuple(
            leaf
            for leaf in golden.leaves
            if leaf.reference.name in shown and leaf.reference.name not in known
        )
        names = (leaf.reference.name for leaf in leaves)
        renamed = [replace(shown[name], name=name) for name in names]
        part = replace(golden, leaves=leaves)
        found = compare(part, renamed, dtype, spot_of, layers=False)
        worst, compared = max(worst, found.worst), compared + found.compared
        findings += [
            replace(each, name=shown[each.name].name, message=f"{how}: {each.message}")
            for each in found.findings
        ]
    for item in observed:
        if _is_of(item.name, CHANGED_GRADIENT) and item.values is not None:
            spot = spot_of(item.name)
            rms = root_mean_square(item.values)
            message = (
                "the optimizer's step, which is to read gradients, changed this one by"
                f" {rms:.2e} of its root-mean-square"
            )
            findings.append(Finding(item.name, "values", spot.file, spot.line, message))
    if len(findings) > len(comparison.findings):
        place = _Places(golden)
        findings.sort(key=lambda finding: place.of(finding.name))
    return replace(comparison, findings=tuple(findings), worst=worst, compared=compared)


def _is_of(name: str, kind: str) -> bool:
    return name.split("/")[1:2] == [kind]


def refined(
    comparison: Comparison,
    golden: Golden,
    exact: Sequence[Observation],
    alone: Mapping[str, Error],
    dtype: str,
    spot_of: Callable[[str], Spot],
) -> Comparison:
    """``comparison`` of a run in ``dtype`` with the findings of its float64 run ``exact`` and of
    its layers ``alone``."""
    known = {finding.name for finding in comparison.findings}
    differs = of_float64(golden, exact)
    wide = [
        Finding(name, what, spot_of(name).file, spot_of(name).line, message)
        for name, what, message in differs
        if name not in known
    ]
    if differs:
        # Layers by themselves are given other numbers than those that their floors are of.
        alone = {}
    findings = [*comparison.findings, *wide, *_lacking(golden, alone, spot_of)]
    hidden = list(comparison.not_observable)
    worst, compared = comparison.worst, comparison.compared
    for name, floors in golden.alone.items():
        floor, error = floors.get(dtype), alone.get(name)
        if floor is None or error is None:
            continue
        if not floor.rms * K < 1.0 and (error is not LOST or floor.rms >= ENDLESS):
            hidden.append(name)
            continue
        compared += 1
        count = _in_floors(error, floor)
        worst = max(worst, count)
        if not count <= K:
            spot = spot_of(name)
            message = _message(error, floor, count)
            findings.append(Finding(name, "values", spot.file, spot.line, message, count))
        elif error.whole:
            spot = spot_of(name)
            message = (
                "by itself, on small whole numbers, which every order of summation adds up exactly,"
                f" off by {error.whole:.2e} at the largest element"
            )
            findings.append(Finding(name, "values", spot.file, spot.line, message))
    place = _Places(golden)
    findings.sort(key=lambda finding: place.of(finding.name))
    return replace(
        comparison,
        findings=tuple(findings),
        not_observable=tuple(hidden),
        worst=worst,
        compared=compared,
    )


def _lacking(
    golden: Golden, alone: Mapping[str, Error], spot_of: Callable[[str], Spot]
) -> Iterator[Finding]:
    """What layers make by themselves, and the golden has no floors for. An older golden has fewer,
    and one may say of layers that they could not be run so where it was blessed."""
    if golden.partial or not golden.sealed:
        return
    left_out = {
        path
        for note in golden.notes
        if note.startswith(NOT_ALONE)
        for path in note.removeprefix(NOT_ALONE).split(", ")
    }
    for name in alone:
        if name not in golden.alone and left_out.isdisjoint(_holders(name)):
            spot = spot_of(name)
            message = "the golden has no floor for it"
            yield Finding(name, "extra", spot.file, spot.line, message)


def _holders(name: str) -> Iterator[str]:
    """The paths that the layer of ``name`` may have: of a parameter's, those it lies in."""
    path = name.split("/")[2]
    while path:
        yield path
        path = path.rpartition(".")[0]


def not_alone(golden: Golden, alone: Mapping[str, Error], dtype: str) -> tuple[str, ...]:
    """The layers whose floors ``golden`` has, and of which a run showed nothing by themselves."""
    lost = (
        name.split("/")[2]
        for name, floors in golden.alone.items()
        if dtype in floors and name not in alone and name.split("/")[1] == "alone"
    )
    return tuple(dict.fromkeys(lost))


def _in_floors(error: Error, floor: AloneFloor) -> float:
    return max(error.rms / floor.rms, error.largest / floor.largest, error.gain / floor.gain)


def _message(error: Error, floor: AloneFloor, count: float) -> str:
    if error is LOST:
        return "by itself, is missing, or has another shape, or NaN or infinity in other places"
    return (
        f"by itself, on exact inputs, off by {count:.3g} floors (relative error {error.rms:.2e}"
        f" rms, {error.largest:.2e} at the largest, {error.gain:.2e} alike in all; floor"
        f" {floor.rms:.2e}, {floor.largest:.2e}, {floor.gain:.2e})"
    )


def of_float64(golden: Golden, exact: Sequence[Observation]) -> list[tuple[str, str, str]]:
    """(name, kind, message) of what the float64 run computes otherwise than the reference, in the
    order of the data.

    What honest arithmetic errs by is proportional to its unit, so floors of a coarser precision say
    it of float64; where they are not observable they may be jumps, and say nothing.
    """
    found = []
    seen: dict[str, list[Observation]] = {}
    for each in exact:
        seen.setdefault(with_hooks(each.name) or each.name, []).append(each)
    for leaf in golden.leaves:
        if leaf.reference.exact or leaf.reference.values is None:
            continue
        allowed = allowed_in_float64(leaf)
        if allowed is None:
            continue
        wrong: set[str] = set()
        for item in seen.get(leaf.reference.name, ()):
            differs = _in_float64(leaf, item, allowed)
            if differs is not None:
                wrong.add(item.name)
                found.append((item.name, *differs))
        if leaf.reference.name in wrong:
            # What is wrong with hooks as well is told there.
            found = [each for each in found if each[0] not in wrong - {leaf.reference.name}]
    return found


def _in_float64(leaf: Leaf, item: Observation, allowed: float) -> tuple[str, str] | None:
    """(kind, message) where ``item`` of a float64 run is further from ``leaf`` than ``allowed``."""
    how = WITHOUT_HOOKS.get(item.name.split("/")[1]) if with_hooks(item.name) else None
    where = f"{how}, in float64" if how else "in float64"
    difference = structure(leaf, item, "float64")
    if difference is not None:
        return difference[0], f"{where}, {difference[1]}"
    error = error_of(leaf.reference, item)
    if error is None or error[1] <= allowed:
        return None
    return "values", (
        f"{where}, off by {error[1]:.2e} at the largest element (relative to the"
        f" root-mean-square), where rounding comes to {allowed:.0e} at most: another computation"
    )


def allowed_in_float64(leaf: Leaf) -> float | None:
    """How far a float64 run may be from the reference at any element; None where nothing is
    known."""
    unit = float(torch.finfo(torch.float64).eps)
    found = [
        K * floor.largest * unit / epsilon_of(dtype)
        for dtype, floor in leaf.floors.items()
        if observable(floor)
    ]
    return max(LEAST, *found) if found else None


class _Places:
    """The order in which values come to be, those of layers by themselves among them."""

    def __init__(self, golden: Golden) -> None:
        self._index = {leaf.reference.name: k for k, leaf in enumerate(golden.leaves)}
        self._alone = {name: k for k, name in enumerate(golden.alone)}
        # Where each parameter's gradient is: a step's name may stand before it.
        self._gradients: dict[tuple[str, str], int] = {}
        for name, k in self._index.items():
            stage, _, rest = name.partition("/")
            if rest.startswith("grad/"):
                self._gradients.setdefault((stage, rest.rpartition("/")[2]), k)

    def of(self, name: str) -> tuple[float, int]:
        """A sorting key; what is known nowhere comes last, in the order in which it was found."""
        last = float(len(self._index))
        if with_hooks(name):
            return self._index.get(with_hooks(name), last) + 0.25, 0
        if _is_of(name, CHANGED_GRADIENT):
            stage, _, *step, _ = name.split("/")
            return self._index.get("/".join((stage, "lr", *step, "group0")), last) + 0.25, 0
        if name not in self._alone:
            return float(self._index.get(name, last)), 0
        stage, kind, path = name.split("/", 2)
        layer = path.split("/")[0]
        while layer and f"{stage}/layer/{layer}" not in self._index:
            layer = layer.rpartition(".")[0]
        forward = self._index.get(f"{stage}/layer/{layer}", last) + 0.5
        if kind in ("alone", "alone_buffer"):
            return forward, self._alone[name]
        # Before the gradients that the whole run gives its parameters, else behind what it gives.
        own = [
            k
            for (when, parameter), k in self._gradients.items()
            if when == stage and parameter.startswith(f"{layer}.") and k > forward
        ]
        return (min(own) - 0.5 if own else forward), self._alone[name]
