"""Compares a run with a golden, leaf by leaf: presence, type, shape, NaN and infinity, then values.

A value passes when its error against the float64 reference is within ``K`` noise floors, in
root-mean-square and in the largest element. ``K`` is policy and one number for every tensor;
goldens hold floors, not verdicts. Non-goals: running (``observe``), what a user reads
(``verdict``, ``report``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specc.harness.cases.precisions import dtype_of
from specc.harness.cases.verdict import Finding
from specc.harness.floors.floor_statistics import Floor, error_of, observable
from specc.harness.running.observed_lines import Spot, beside_golden, is_setting
from specc.harness.running.recorder import Observation
from specc.policy import EXACT_TOLERANCE, KEPT_TOLERANCE, K

if TYPE_CHECKING:
    from specc.harness.goldens.golden import Golden
    from specc.harness.goldens.golden_reader import Leaf


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that differs, in data-flow order; ``worst`` is the largest error in floors that was
    seen. Of what was ``compared``, ``settings`` are numbers that nothing computes: arguments of
    layers and optimizers, rates, counters.
    """

    findings: tuple[Finding, ...]
    not_observable: tuple[str, ...]
    worst: float
    compared: int
    settings: int = 0

    @property
    def nothing(self) -> bool:
        """Whether no value that the run computes was compared: then nothing was judged."""
        return self.compared <= self.settings


def compare(
    golden: Golden,
    observed: Sequence[Observation],
    dtype: str,
    spot_of: Callable[[str], Spot],
    *,
    layers: bool,
) -> Comparison:
    """``observed`` against ``golden`` in ``dtype``; ``layers`` says that the run shows layer
    outputs.

    What no golden holds, for it is judged by other leaves or by itself (``refine.beside``), is left
    out. ``spot_of`` tells where a name is computed, for the findings. A golden without floors in
    ``dtype`` is the caller's to refuse.
    """
    seen = {item.name: item for item in observed if not beside_golden(item.name)}
    findings: list[Finding] = []
    hidden: list[str] = []
    worst, compared, settings = 0.0, 0, 0
    for leaf in golden.leaves:
        name = leaf.reference.name
        if not layers and "/layer/" in name:
            continue
        found = seen.pop(name, None)
        spot = spot_of(name)
        if found is None and is_setting(name):
            continue
        difference = structure(leaf, found, dtype)
        if difference is not None:
            findings.append(Finding(name, difference[0], spot.file, spot.line, difference[1]))
            continue
        if found is None or found.values is None:
            continue
        if leaf.reference.exact:
            compared += 1
            settings += leaf.reference.dtype == "number"
            message = _exact(leaf.reference, found, dtype)
            if message is not None:
                findings.append(Finding(name, "values", spot.file, spot.line, message))
            continue
        floor = leaf.floors[dtype]
        if not observable(floor):
            hidden.append(name)
            continue
        compared += 1
        count = _in_floors(leaf, found, floor)
        worst = max(worst, count)
        if not count <= K:
            message = _message(leaf.reference, found, floor, count)
            findings.append(Finding(name, "values", spot.file, spot.line, message, count))
    for name, item in seen.items():
        # An older golden holds less: what it lacks is not judged by it.
        if item.values is not None and not is_setting(name) and not golden.partial:
            spot = spot_of(name)
            message = "the golden has no such value"
            findings.append(Finding(name, "extra", spot.file, spot.line, message))
    return Comparison(tuple(findings), tuple(hidden), worst, compared, settings)


def structure(leaf: Leaf, found: Observation | None, run_dtype: str) -> tuple[str, str] | None:
    """(kind, message) where the two are not even comparable."""
    reference = leaf.reference
    if reference.values is None:
        if found is not None and found.values is not None:
            return "extra", "is a tensor, and the golden says that there is none"
        return None
    if found is None or found.values is None:
        return "missing", "is missing (None is not zero)"
    # ``float`` is the run's precision; a spec may also fix one, which can be the same.
    # Under autocast a leaf is what eager gave it when it was blessed.
    floor = leaf.floors.get(run_dtype)
    asked = floor.dtype if floor is not None and floor.dtype else reference.dtype
    has, wanted = (_concrete(dtype, run_dtype) for dtype in (found.dtype, asked))
    if has != wanted:
        return "dtype", f"has dtype {has}, expected {wanted}"
    if found.shape != reference.shape:
        return "shape", f"has shape {list(found.shape)}, expected {list(reference.shape)}"
    if found.nonfinite != reference.nonfinite:
        if not reference.nonfinite:
            return "nonfinite", "holds NaN or infinity, and the reference is finite"
        return "nonfinite", "holds NaN or infinity in other places than the reference"
    return None


def _concrete(dtype: str, run_dtype: str) -> str:
    """torch's name of a leaf's dtype in a run: ``float`` and ``complex`` are of its precision."""
    if dtype == "complex":
        return {"float64": "complex128", "float16": "complex32"}.get(run_dtype, "complex64")
    return str(dtype_of(run_dtype)).removeprefix("torch.") if dtype == "float" else dtype


def _exact(reference: Observation, found: Observation, dtype: str) -> str | None:
    assert reference.values is not None and found.values is not None
    if found.values.equal(reference.values):
        return None
    error = (found.values - reference.values).abs()
    allowed = _tolerance(reference, dtype) * reference.values.abs()
    if not bool((error > allowed).any()):
        return None
    if error.numel() == 1:
        return f"is {float(found.values):.12g}, expected {float(reference.values):.12g}"
    return f"{int((error > allowed).sum())} of {error.numel()} entries differ"


def _tolerance(reference: Observation, dtype: str) -> float:
    if reference.dtype != "number":
        return 0.0
    assert reference.values is not None
    stage, _, rest = reference.name.partition("/")
    counts = bool((reference.values == reference.values.round()).all())
    if dtype == "float64" or counts or not rest.startswith("state/"):
        return EXACT_TOLERANCE
    return KEPT_TOLERANCE * (1 + int(stage.removeprefix("step")))


def _in_floors(leaf: Leaf, found: Observation, floor: Floor) -> float:
    error = error_of(leaf.reference, found)
    assert error is not None  # the shapes have been compared
    return max(error[0] / floor.rms, error[1] / floor.largest)


def _message(reference: Observation, found: Observation, floor: Floor, count: float) -> str:
    error = error_of(reference, found)
    assert error is not None and found.values is not None and reference.values is not None
    text = (
        f"off by {count:.3g} floors (relative error {error[0]:.2e} rms, {error[1]:.2e} at the"
        f" largest; floor {floor.rms:.2e}, {floor.largest:.2e})"
    )
    if reference.values.numel() == 1:
        return f"{text}: is {float(found.values):.9g}, expected {float(reference.values):.9g}"
    # Of a sketch against the sketch's: the whole tensor's differs from both by chance.
    has, wanted = (float(x.square().mean().sqrt()) for x in (found.values, reference.values))
    return f"{text}: rms {has:.6g}, expected {wanted:.6g}"
