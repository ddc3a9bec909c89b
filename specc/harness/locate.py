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
from specc.harness.alone import exactly, exactly_without_hooks
from specc.harness.build import RunFailed
from specc.harness.calls import Again, Call, again
from specc.harness.case import ClosedCase
from specc.harness.compare import Comparison, K
from specc.harness.golden import Golden
from specc.harness.lines import beside_golden, lines_of, with_hooks
from specc.harness.observe import Run, Setting, observe
from specc.harness.pattern import pattern
from specc.harness.refine import allowed_in_float64, beside, of_float64
from specc.harness.sketch import represent
from specc.harness.spread import error_of
from specc.harness.tf32 import epsilon_of
from specc.ir import Program
from specc.targets import TARGETS

# A layer alone errs by at most so many times what eager does, where it is sound.
MUCH = 16.0
# Layers are compiled one by one for so long.
SECONDS = 90.0


@dataclass
class Located:
    """``lines`` are for the report; ``culprit`` is the layer that shows the fault alone."""

    lines: list[str] = field(default_factory=list)
    culprit: Call | None = None
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
            _look(found, program, closed, golden, source, setting, name)
    except (RunFailed, SpeccError) as error:
        found.lines.append(f"it could not be looked at closer: {error}")
    return found


def _look(
    found: Located,
    program: Program,
    closed: ClosedCase,
    golden: Golden,
    source: str,
    setting: Setting,
    name: str,
) -> None:
    if "/alone" in name:
        _look_by_itself(found, program, closed, source, setting, name)
        return
    if with_hooks(name):
        _look_without_hooks(found, program, closed, golden, source, setting, name)
        return
    if beside_golden(name):  # a gradient that a step changed: its message says all
        return
    run = observe(program, closed, source, replace(setting, whole=True))
    exact_setting = Setting(
        "eager", "cpu", "float64", layers=True, whole=True, optimizer=setting.optimizer
    )
    exact = observe(program, closed, source, exact_setting)
    same = right = _agrees(golden, exact, name)
    shown = run
    fresh = _emitted(program)
    if not same and fresh != source:
        found.meant = fresh
    if not same and same is not None:
        found.lines.append(
            "in float64 it is off as well: another computation, not worse arithmetic"
        )
        if found.meant:
            # What is wrong in float64 is seen there without float32's own noise.
            shown, exact = exact, observe(program, closed, found.meant, exact_setting)
            same = _agrees(golden, exact, name)
    elif same:
        found.lines.append(_of_target(program, closed, golden, source, setting, run, name))
    one, other = shown.whole.get(name), exact.whole.get(name)
    if same and one is not None and other is not None:
        look = pattern(one, other)
        if look:
            found.lines.append(f"how it looks: {look}")
    if right and setting.target != "eager":
        _alone(found, program, closed, source, setting)


def _of_target(
    program: Program,
    closed: ClosedCase,
    golden: Golden,
    source: str,
    setting: Setting,
    run: Run,
    name: str,
) -> str:
    """Whether ``setting``'s target computes another thing in ``run``, or the same worse, where
    eager is right in float64: told by the target's own float64 run and by the size of the error."""
    target, dtype = setting.target, setting.dtype
    told = "in float64, eager, it is right"
    if target != "eager":
        try:
            wide = replace(setting, dtype="float64", whole=False)
            differs = of_float64(golden, observe(program, closed, source, wide).observations)
        except (RunFailed, SpeccError) as error:
            told += f", and {target} does not run there ({error})"
        else:
            if differs:
                first = "" if differs[0][0] == name else f", first at {differs[0][0]}"
                return (
                    f"{told}; {target} is off there as well{first}: another computation, not worse"
                    " arithmetic"
                )
            told = f"in float64 it is right, in eager and in {target}"
    off, most = _off(golden, run, name), _most(golden, name, dtype)
    if off > most:
        return (
            f"{told}: {target} in {dtype} is off by {off:.2g} of its root-mean-square, which is"
            f" more than worse arithmetic comes to ({most:.1g}, in bfloat16): another computation"
        )
    return f"{told}: {target} in {dtype} computes it worse"


def _off(golden: Golden, run: Run, name: str) -> float:
    """How far off ``name`` is in ``run``, relative to the reference's root-mean-square."""
    leaf = next(each for each in golden.leaves if each.reference.name == name)
    item = next((each for each in run.observations if each.name == name), None)
    error = error_of(leaf.reference, item)
    return 0.0 if error is None else error[0]


def _most(golden: Golden, name: str, dtype: str) -> float:
    """How far off ``name`` can be by arithmetic in the coarsest precision that a kernel would take
    in the place of ``dtype``: the floor, in its units. Infinite where there is none coarser."""
    leaf = next(each for each in golden.leaves if each.reference.name == name)
    coarser = epsilon_of("bfloat16") / epsilon_of(dtype)
    return K * leaf.floors[dtype].rms * coarser if coarser > 1.0 else math.inf


def _look_without_hooks(
    found: Located,
    program: Program,
    closed: ClosedCase,
    golden: Golden,
    source: str,
    setting: Setting,
    name: str,
) -> None:
    """What can be said of a value that is wrong where no hook is installed, and there alone."""
    shown = {item.name: item for item in exactly_without_hooks(program, closed, source)}
    if any(name == each for each, _, _ in of_float64(golden, list(shown.values()))):
        found.lines.append(
            "in float64 it is off as well: another computation, not worse arithmetic"
        )
    else:
        found.lines.append("in float64, without hooks, it is right")
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        run = observe(program, closed, source, setting)
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
    lines = lines_of(program)
    nothing = Comparison((), (), 0.0, 0)
    slow = beside(nothing, golden, run.observations, setting.dtype, lines.of)
    if all(each.name != name for each in slow.findings):
        found.lines.append(
            "it is torch's fast path of attention, taken in evaluation where there are no hooks and"
            " no gradients: with torch.backends.mha.set_fastpath_enabled(False) it is right"
        )
    exact = observe(program, closed, source, Setting("eager", "cpu", "float64", whole=True))
    made = observe(program, closed, source, replace(setting, whole=True))
    one, other = made.whole.get(name), exact.whole.get(with_hooks(name))
    look = pattern(one, other) if one is not None and other is not None else ""
    found.lines += [f"how it looks: {look}"] if look else []


def _look_by_itself(
    found: Located,
    program: Program,
    closed: ClosedCase,
    source: str,
    setting: Setting,
    name: str,
) -> None:
    """How the bad value of a layer by itself looks, and the layer on what it was given there."""
    exact = exactly(program, closed, source, optimizer=setting.optimizer)
    run = observe(program, closed, source, replace(setting, calls=True))
    for own in run.calls.values():
        alone = exact.alone(own)
        if alone is None:
            continue
        for wanted, value in alone.values(setting):
            if wanted.name == name and value is not None:
                look = pattern(value, wanted.value)
                found.lines += [f"how it looks: {look}"] if look else []
                found.culprit = replace(alone.call, layer=own.layer)


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


def _alone(
    found: Located, program: Program, closed: ClosedCase, source: str, setting: Setting
) -> None:
    calls = calls_of(program, closed, source, setting)
    end = time.monotonic() + SECONDS
    for number, call in enumerate(calls):
        if time.monotonic() > end:
            found.lines.append(f"of {len(calls)} layers {number} were run alone, and are right")
            return
        what = differs_alone(call, setting)
        if what:
            found.culprit, found.what = call, what
            found.lines.append(f"{call.path} alone, {_text(call.layer)}, shows it: {what}")
            return
    if calls:
        found.lines.append(f"each of the {len(calls)} layers alone is right: it takes several")


def calls_of(program: Program, closed: ClosedCase, source: str, setting: Setting) -> list[Call]:
    """The first call of each of torch's layers that the model holds, in eager, in their order."""
    asked = replace(setting, target="eager", layers=True, calls=True)
    calls = observe(program, closed, source, asked).calls.values()
    return [call for call in calls if type(call.layer).__module__.startswith("torch.")]


def differs_alone(call: Call, setting: Setting) -> str:
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
