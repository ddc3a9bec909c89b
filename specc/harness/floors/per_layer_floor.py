"""Noise floors of layers by themselves: how far honest arithmetic moves each, on the same inputs.

Found as the floors of a whole run are (``floor``), but for what reaches a layer: that is given, so
its own roundings are all there is, and what its kernels' accumulators lose is among them: a whole
run hides that in the noise of what reaches a layer. The gain's floor is its root-mean-square over
the runs, widened for their number, and no less than half a unit: a constant that is rounded once,
such as a rate, moves every element alike, by so much. Where a kernel rounds what all elements
share, such as the coordinates that an interpolation computes, nothing averages out: the gain is
then worth no more than the root-mean-square. Non-goals: the policy of how many floors are too many
(``compare``).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from specc.harness.cases.precisions import TF32
from specc.harness.floors.floor import raised
from specc.harness.floors.floor_statistics import floor_from, student_factor, written
from specc.harness.floors.machine import amplification_of, on_machines, random_rounding, threads
from specc.harness.floors.per_layer import LOST, Alone, Error, Exact
from specc.harness.floors.rounding import RandomRounding
from specc.harness.running.kernels import plain_kernels
from specc.harness.running.layer_calls import RecordedCall, again
from specc.harness.running.observe import Run, Setting
from specc.harness.running.side_by_side import may_run, side_by_side
from specc.ir import Program
from specc.policy import JUMP
from specc.targets.operation_mode import OperationMode, name_of

_COORDINATES = (
    *("upsample_linear", "upsample_bilinear", "upsample_bicubic", "upsample_trilinear"),
    *("_upsample_bilinear", "_upsample_bicubic", "grid_sampler"),
)

# Begins the note of a golden that names the layers for which it has no such floors, and why.
NOT_ALONE = "not judged by themselves, for they cannot be run so: "


@dataclass(frozen=True, slots=True)
class AloneFloor:
    """Relative to what is expected, as ``Error`` is."""

    rms: float
    largest: float
    gain: float

    @property
    def written(self) -> AloneFloor:
        """As a golden says it."""
        return AloneFloor(*written(self.rms, self.largest, self.gain))


def alone_floors(program: Program, exact: Exact, run: Run, dtype: str) -> dict[str, AloneFloor]:
    """The floor in ``dtype`` of every value of every layer by itself, by name. Deterministic.

    ``run`` is one in ``dtype`` with its layers' calls, which say in which types and layouts each
    layer is called."""
    # In TF32 it is the mode that cuts the factors, and not the run.
    own = "float32" if dtype == TF32 else dtype
    setting = Setting("eager", "cpu", own)
    found: dict[str, AloneFloor] = {}
    pairs = may_run(program, dtype, exact.run.seconds_torch, exact.run.notes)
    # One layer after the other, so that the tensors of no more than one are held.
    for call in run.calls.values():
        layer = exact.alone(call, keep=False)
        if layer is not None:
            found |= _of_layer(program, layer, setting, dtype, pairs)
    return found


def _of_layer(
    program: Program, layer: Alone, setting: Setting, dtype: str, pairs: bool
) -> dict[str, AloneFloor]:

    def sample(mode: RandomRounding) -> dict[str, Error]:
        return layer.errors(replace(setting, around=lambda: mode))

    samples = on_machines(program, dtype, 2000, lambda _, mode: sample(mode), pairs=pairs)
    amplification = amplification_of(program, dtype)
    amplified = [
        random_rounding(program, dtype, 2900, scale=scale)
        for scale in (amplification, -amplification)
    ]
    with threads(1), plain_kernels(dtype == TF32):
        pushed = side_by_side([partial(sample, mode) for mode in amplified], pairs)
    shared = _shares(layer.call, setting)
    found = {}
    for name in dict.fromkeys(name for made in samples for name in made):
        floor = _floor([made.get(name, LOST) for made in samples])
        if shared:
            floor = replace(floor, gain=max(floor.gain, floor.rms))
        jumps = [made.get(name, LOST) for made in pushed]
        found[name] = _with_jumps(floor, jumps, JUMP * amplification)
    return found


class _Shared(OperationMode):
    """Notes whether a kernel ran that computes something for all elements together."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        self.found |= name_of(func).startswith(_COORDINATES)
        return func(*args, **kwargs)


def _shares(call: RecordedCall, setting: Setting) -> bool:
    seen = _Shared()
    with setting.surroundings(), seen, contextlib.suppress(Exception):
        # A layer that fails by itself has no floors to be widened.
        again(call, call.tensors, call.gradients, {})
    return seen.found


def _floor(samples: Sequence[Error]) -> AloneFloor:
    if LOST in samples:
        return AloneFloor(math.inf, math.inf, math.inf)
    elements, unit = samples[0].elements, samples[0].unit
    found = floor_from([(each.rms, each.largest) for each in samples], elements, unit)
    mean, regrouped = (
        sum(each.gain**2 for each in some) / max(len(some), 1) for some in (samples, samples[1::2])
    )
    spread = math.sqrt(max(mean, regrouped)) * student_factor(len(samples))
    return AloneFloor(found.rms, found.largest, max(unit / 2, spread))


def _with_jumps(floor: AloneFloor, pushed: Sequence[Error], linear: float) -> AloneFloor:
    """``floor``, raised where an amplified run shows that the layer can jump."""
    for sample in pushed:
        if sample is LOST:
            return AloneFloor(math.inf, math.inf, math.inf)
        floor = AloneFloor(
            raised(floor.rms, sample.rms, linear),
            raised(floor.largest, sample.largest, linear),
            raised(floor.gain, sample.gain, linear),
        )
    return floor
