"""Where a regressed cell went wrong: how its first bad value looks, and which layer shows it alone.

Only a failure pays for this. The source runs once more in float64, in eager and in the cell's
target, which tells a computation that is another one from arithmetic that is worse; where the
target does not run there, the size of the error does. The cell runs once more with whole tensors;
then layers are run one by one on the inputs that they had. Non-goals: judging (``judge``), scripts
for others (``repro``).
"""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from specc.errors import SpeccError
from specc.harness.cases.case import ClosedCase
from specc.harness.cases.precisions import epsilon_of
from specc.harness.floors.floor_statistics import error_of
from specc.harness.floors.per_layer import exactly, exactly_without_hooks
from specc.harness.goldens.golden import Golden
from specc.harness.goldens.golden_reader import Leaf
from specc.harness.judging.compare import Comparison
from specc.harness.judging.error_pattern import pattern
from specc.harness.judging.refine import allowed_in_float64, beside, of_float64
from specc.harness.running.layer_calls import Again, RecordedCall, again
from specc.harness.running.live_module import RunFailed
from specc.harness.running.observe import Run, Setting, observe
from specc.harness.running.observed_lines import beside_golden, lines_of, with_hooks
from specc.harness.running.sketch import represent
from specc.ir import Program
from specc.policy import K
from specc.targets import TARGETS

# A layer alone errs by at most so many times what eager does, where it is sound.
MUCH = 16.0
# Layers are compiled one by one for so long.
SECONDS = 90.0
_ANOTHER = "in float64 it is off as well: another computation, not worse arithmetic"


@dataclass
class Located:
    """``lines`` are for the report; ``culprit`` is the layer that shows the fault alone."""

    lines: list[str] = field(default_factory=list)
    culprit: RecordedCall | None = None
    what: str = ""
    # The source that the spec means, where the judged one computes something else.
    meant: str = ""


def locate(
    program: Program,
    closed: ClosedCase,
    golden: Golden,
    source: str,
    setting: Setting,
    name: str,
) -> Located:
    """What can be said of the first bad value ``name`` of a cell. Never raises for what it runs: a
    run that stops has said so already."""
    found = Located()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _Look(program, closed, golden, source, setting, name, found).look()
    except (RunFailed, SpeccError) as error:
        found.lines.append(f"it could not be looked at closer: {error}")
    return found


@dataclass(frozen=True, slots=True)
class _Look:
    """At the value ``name`` of a cell; what can be said is added to ``found``."""

    program: Program
    closed: ClosedCase
    golden: Golden
    source: str
    setting: Setting
    name: str
    found: Located

    def look(self) -> None:
        """At the value where it was seen: in the run, without hooks, or in a layer by itself."""
        if "/alone" in self.name:
            self._by_itself()
        elif with_hooks(self.name):
            self._without_hooks()
        elif not beside_golden(self.name):  # of a gradient that a step changed its message says all
            self._in_the_run()

    def _run(self, setting: Setting, source: str = "") -> Run:
        return observe(self.program, self.closed, source or self.source, setting)

    def _say(self, line: str) -> None:
        self.found.lines.append(line)

    def _looks(self, one: Tensor | None, other: Tensor | None) -> None:
        look = pattern(one, other) if one is not None and other is not None else ""
        if look:
            self._say(f"how it looks: {look}")

    def _in_the_run(self) -> None:
        setting, name = self.setting, self.name
        run = self._run(replace(setting, whole=True))
        exact_setting = Setting(
            "eager", "cpu", "float64", layers=True, whole=True, optimizer=setting.optimizer
        )
        exact = self._run(exact_setting)
        same = right = _agrees(self.golden, exact, name)
        shown = run
        fresh = _emitted(self.program)
        if not same and fresh != self.source:
            self.found.meant = fresh
        if not same and same is not None:
            self._say(_ANOTHER)
            if self.found.meant:
                # What is wrong in float64 is seen there without float32's own noise.
                shown, exact = exact, self._run(exact_setting, self.found.meant)
                same = _agrees(self.golden, exact, name)
        elif same:
            self._say(self._of_target(run))
        if same:
            self._looks(shown.whole.get(name), exact.whole.get(name))
        if right and setting.target != "eager":
            self._alone()

    def _of_target(self, run: Run) -> str:
        """Whether the target computes another thing in ``run``, or the same worse, where eager is
        right in float64: told by the target's own float64 run and by the size of the error."""
        target, dtype = self.setting.target, self.setting.dtype
        told = "in float64, eager, it is right"
        if target != "eager":
            try:
                wide = self._run(replace(self.setting, dtype="float64", whole=False))
                differs = of_float64(self.golden, wide.observations)
            except (RunFailed, SpeccError) as error:
                told += f", and {target} does not run there ({error})"
            else:
                if differs:
                    first = "" if differs[0][0] == self.name else f", first at {differs[0][0]}"
                    return (
                        f"{told}; {target} is off there as well{first}: another computation, not"
                        " worse arithmetic"
                    )
                told = f"in float64 it is right, in eager and in {target}"
        leaf = next(each for each in self.golden.leaves if each.reference.name == self.name)
        item = next((each for each in run.observations if each.name == self.name), None)
        off = error_of(leaf.reference, item)
        most = _most(leaf, dtype)
        if off is not None and off[0] > most:
            return (
                f"{told}: {target} in {dtype} is off by {off[0]:.2g} of its root-mean-square,"
                f" which is more than worse arithmetic comes to ({most:.1g}, in bfloat16): another"
                " computation"
            )
        return f"{told}: {target} in {dtype} computes it worse"

    def _without_hooks(self) -> None:
        """A value that is wrong where no hook is installed, and there alone."""
        name = self.name
        shown = exactly_without_hooks(self.program, self.closed, self.source)
        wrong = any(name == each for each, _, _ in of_float64(self.golden, shown))
        self._say(_ANOTHER if wrong else "in float64, without hooks, it is right")
        before = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            run = self._run(self.setting)
        finally:
            torch.backends.mha.set_fastpath_enabled(before)
        spot_of = lines_of(self.program).of
        nothing = Comparison((), (), 0.0, 0)
        slow = beside(nothing, self.golden, run.observations, self.setting.dtype, spot_of)
        if all(each.name != name for each in slow.findings):
            self._say(
                "it is torch's fast path of attention, taken in evaluation where there are no hooks"
                " and no gradients: with torch.backends.mha.set_fastpath_enabled(False) it is right"
            )
        exact = self._run(Setting("eager", "cpu", "float64", whole=True))
        made = self._run(replace(self.setting, whole=True))
        self._looks(made.whole.get(name), exact.whole.get(with_hooks(name)))

    def _by_itself(self) -> None:
        """The bad value of a layer by itself, and the layer on what it was given there."""
        setting = self.setting
        exact = exactly(self.program, self.closed, self.source, optimizer=setting.optimizer)
        run = self._run(replace(setting, calls=True))
        for own in run.calls.values():
            alone = exact.alone(own)
            if alone is None:
                continue
            for wanted, value in alone.values(setting):
                if wanted.name == self.name and value is not None:
                    self._looks(value, wanted.value)
                    self.found.culprit = replace(alone.call, layer=own.layer)

    def _alone(self) -> None:
        """Layer by layer, as the target runs each: the first that is off."""
        calls = calls_of(self.program, self.closed, self.source, self.setting)
        end = time.monotonic() + SECONDS
        for number, call in enumerate(calls):
            if time.monotonic() > end:
                self._say(f"of {len(calls)} layers {number} were run alone, and are right")
                return
            what = differs_alone(call, self.setting)
            if what:
                self.found.culprit, self.found.what = call, what
                self._say(f"{call.path} alone, {_text(call.layer)}, shows it: {what}")
                return
        if calls:
            self._say(f"each of the {len(calls)} layers alone is right: it takes several")


def _most(leaf: Leaf, dtype: str) -> float:
    """How far off a value can be by arithmetic in the coarsest precision that a kernel would take
    in the place of ``dtype``: the floor, in its units. Infinite where there is none coarser."""
    coarser = epsilon_of("bfloat16") / epsilon_of(dtype)
    return K * leaf.floors[dtype].rms * coarser if coarser > 1.0 else math.inf


def _emitted(program: Program) -> str:
    """What the spec means, as source; empty for a program that no spec says."""
    from specc.emit import emit

    try:
        return emit(program)
    except ValueError:  # one put together by hand may have names that no source can
        return ""


def _agrees(golden: Golden, exact: Run, name: str) -> bool | None:
    """Whether float64 here says of ``name`` what the golden says; None where it cannot be told."""
    leaf = next((each for each in golden.leaves if each.reference.name == name), None)
    value = exact.whole.get(name)
    if leaf is None or leaf.reference.values is None or value is None:
        return None
    if tuple(value.shape) != leaf.reference.shape and not value.is_complex():
        return False
    kept = represent(torch.view_as_real(value.resolve_conj()) if value.is_complex() else value)[0]
    if kept.shape != leaf.reference.values.shape:
        return False
    allowed = allowed_in_float64(leaf)
    if allowed is None:
        return None
    scale = leaf.reference.rms or 1.0
    return float((kept - leaf.reference.values).abs().max()) / scale <= allowed


# ── layer by layer ───────────────────────────────────────────────────────────────────────────────


def calls_of(
    program: Program, closed: ClosedCase, source: str, setting: Setting
) -> list[RecordedCall]:
    """The first call of each of torch's layers that the model holds, in eager, in their order."""
    asked = replace(setting, target="eager", layers=True, calls=True)
    calls = observe(program, closed, source, asked).calls.values()
    return [call for call in calls if type(call.layer).__module__.startswith("torch.")]


def differs_alone(call: RecordedCall, setting: Setting) -> str:
    """Where ``call`` in the setting's target is off by much more than in eager; empty where it is
    not."""
    if not call.positional:
        return ""

    def runnable(layer: nn.Module) -> nn.Module:
        return TARGETS[setting.target].runnable(layer, tuple(call.tensors))

    wide = replace(call, layer=copy.deepcopy(call.layer).double())
    try:
        exact = _told(again(wide, _wide(call.tensors), call.gradients, {}))
        eager = _told(again(call, call.tensors, call.gradients, {}))
        made = _told(again(call, call.tensors, call.gradients, {}, runnable))
    except Exception:  # a layer that the target takes in a graph alone says nothing
        return ""
    eps = epsilon_of(setting.dtype)
    for name, value in exact.items():
        if name not in made:
            return f"{name} is missing"
        if _error(made[name], value) > MUCH * max(_error(eager[name], value), eps):
            return f"{name}: {pattern(made[name], value)}"
    return ""


def _wide(arguments: Sequence[Tensor]) -> list[Tensor]:
    return [each.double() if each.is_floating_point() else each for each in arguments]


def _told(found: Again) -> dict[str, Tensor]:
    """Outputs and gradients by what a report calls them."""
    named = {f"output {k}" if k else "its output": each for k, each in found.outputs.items()}
    for k, each in found.inputs.items():
        named[f"the gradient of input {k}" if k else "the gradient of its input"] = each
    return named | {f"the gradient of {n}": each for n, each in found.parameters.items()}


def _error(found: Tensor, exact: Tensor) -> float:
    if found.shape != exact.shape:
        return float("inf")
    if not exact.numel() or not exact.is_floating_point():
        return 0.0 if torch.equal(found, exact.to(found.dtype)) else float("inf")
    scale = float(exact.square().mean().sqrt()) or 1.0
    error = float((found.double() - exact).square().mean().sqrt()) / scale
    return error if error == error else float("inf")


def _text(layer: nn.Module) -> str:
    text = " ".join(repr(layer).split())
    return text if len(text) <= 100 else f"{type(layer).__name__}(…)"
