"""Puts one fault at a time into a spec's case and asks whether the golden notices.

Each case is run unchanged first, in the spec's precision and in float64: what the rules that are
compared need. Then every fault at each of its sites, then the honest variants. A case whose
unchanged run does not pass its golden cannot be measured, and is an error. Non-goals: the faults,
showing the result.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from specc.errors import CallError, SpeccError, TargetError
from specc.harness.cases import subject
from specc.harness.cases.case import ClosedCase, close
from specc.harness.cases.matrix import Case, cases
from specc.harness.floors.per_layer import (
    Error,
    Exact,
    errors,
    exactly,
    exactly_without_hooks,
    takes_another_way,
)
from specc.harness.goldens import golden as goldens
from specc.harness.goldens.golden import Golden
from specc.harness.judging.refine import held
from specc.harness.native.native_checks import first_case, native_findings
from specc.harness.running import live_module
from specc.harness.running.observe import Run, RunFailed, Setting, observe
from specc.harness.running.observed_lines import lines_of, with_hooks
from specc.harness.running.ongoing_run import untouched
from specc.harness.running.recorder import Observation
from specc.ir import Program
from specc.mutate.fault import Fault, Injection, Subject, guarded, not_put_in
from specc.mutate.rules import assert_close_passes, same_passes, visible
from specc.mutate.variants import variants


@dataclass(frozen=True)
class Outcome:
    """One fault at one site, or one honest variant. ``caught`` is by rule; ``first`` is the value
    that our report names first, ``floors`` how far it is off; ``named`` whether it points at the
    fault."""

    spec: str
    case: str
    what: str
    where: str
    caught: dict[str, bool]
    first: str = ""
    floors: float | None = None
    named: bool = False


@dataclass
class Result:
    """All outcomes; ``skipped`` says which targets could not be run, and why."""

    faults: list[Outcome] = field(default_factory=list)
    honest: list[Outcome] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def mutate(
    program: Program,
    root: Path,
    faults: Sequence[Fault],
    *,
    targets: tuple[str, ...] = (),
    every_case: bool = False,
    told: Callable[[str], None] = lambda text: None,
) -> Result:
    """Measure ``faults`` on ``program``: on its first training case (else its first case), or on
    all; honest variants run in eager and in ``targets``. ``told`` hears of the progress.

    Raises GoldenError as ``golden.read`` does, TargetError (E0905) where the unchanged case does
    not pass.
    """
    from specc.emit import emit

    found = cases(program)
    training = [case for case in found if case.mode == "train"]
    chosen = found if every_case else (training or list(found))[:1]
    result = Result()
    source = emit(program)
    for case in chosen:
        told(f"{program.file}, case {case.id}")
        bench = _Bench(program, case, root, source, targets)
        bench.faults(faults, result, told)
        bench.variants(result)
    return result


@dataclass(frozen=True)
class _Seen:
    """A run, the float64 run that it is held against, what that shows without hooks where the run
    is another there, and how its layers err by themselves."""

    run: Run | RunFailed
    exact: Exact | RunFailed
    alone: dict[str, Error]
    without_hooks: Sequence[Observation] = ()


class _Bench:
    """One case, its golden, and its unchanged runs."""

    def __init__(
        self, program: Program, case: Case, root: Path, source: str, targets: tuple[str, ...]
    ) -> None:
        self.program, self.case, self.source, self.targets = program, case, source, targets
        self.golden: Golden = goldens.read(program, case, root)
        self.dtype = self.golden.dtypes[0]
        self.closed = close(program, case, self.golden.draw, self.golden.grid)
        self.lines = lines_of(program)
        self.setting = Setting(
            "eager",
            "cpu",
            self.dtype,
            layers=True,
            calls=True,
            whole=True,
            without_hooks=True,
        )
        self.exact = self._float64(self.source)
        plain = self._seen(self.setting)
        caught, first, _ = self._ours(plain, layers=True)
        if caught or isinstance(plain.run, RunFailed) or isinstance(self.exact, RunFailed):
            raise TargetError(
                "E0905",
                f"{program.file}, case {case.id}, does not pass its golden as it is: {first}",
                help="mend or bless it first: what a golden catches can be told of one that passes",
            )
        self.plain = plain
        wide = Setting("eager", "cpu", "float64", layers=True, whole=True, without_hooks=True)
        self.expected = visible(plain.run.whole, self.closed)
        exact = self._observed(wide, self.source, self.closed)
        self.reference = visible(exact.whole, self.closed) if isinstance(exact, Run) else {}
        self.subject = self._subject()

    def _subject(self) -> Subject:
        module = live_module.bare(self.program, self.closed, self.source, torch.float32)
        names = dict(module.named_modules())
        stages = ("step0/layer/", "eval/layer/")
        layers = tuple(
            path
            for path in _in_order(self.golden, stages)
            if path in names and path in subject.layer_calls(self.program)
        )
        leaves = {leaf.reference.name: leaf for leaf in self.golden.leaves}
        return Subject(
            self.program,
            self.case,
            self.closed,
            self.source,
            module,
            layers,
            leaves,
            self.dtype,
            self.targets,
        )

    # ── faults ───────────────────────────────────────────────────────────────────────────────────

    def faults(self, faults: Sequence[Fault], result: Result, told: Callable[[str], None]) -> None:
        """Every one of ``faults`` at each of its sites."""
        for fault in faults:
            for injection in self._injections(fault):
                told(f"{self.program.file}: {fault.name} at {injection.where}")
                try:
                    found = self._fault(fault, guarded(fault, injection))
                except TargetError as error:  # a source that cannot be executed
                    raise not_put_in(fault, injection, error.message) from error
                result.faults.append(found)

    def _injections(self, fault: Fault) -> list[Injection]:
        """Those of ``fault`` here. Raises CallError (E0719) for a fault that cannot say."""
        try:
            found = list(fault.injections(self.subject))
        except Exception as error:  # whatever a user's fault raises
            reason = f"{type(error).__name__}: {error}"
        else:
            if all(isinstance(each, Injection) for each in found):
                return found
            reason = "they are not all of specc.mutate.fault.Injection"
        raise CallError(
            "E0719",
            f"the injections of the fault {fault.name!r} cannot be had: {reason}",
            help="injections(subject) gives one Injection for each place",
        )

    def _fault(self, fault: Fault, injection: Injection) -> Outcome:
        setting = replace(
            self.setting,
            around=injection.inside,
            prepare=injection.prepare,
            layout=injection.layout,
            optimizer=injection.optimizer,
        )
        source, closed = injection.source or self.source, injection.closed or self.closed
        exact = self.exact
        if injection.everywhere or injection.source is not None:
            exact = self._float64(source, injection)
        wide = injection if exact is not self.exact else None
        seen = self._seen(setting, source, closed, injection.around, exact, wide)
        if isinstance(seen.run, RunFailed) and seen.run.place in ("build", "configure"):
            raise not_put_in(fault, injection, seen.run.message)
        ours, first, floors = self._ours(seen, layers=True)
        if injection.native and not ours:
            with injection.around():
                drawn = native_findings(self.program, source, target=injection.target)
            ours, first = bool(drawn), drawn[0].name if drawn else ""
        named = injection.names(first) if ours else False
        return self._outcome(fault.name, injection.where, seen.run, ours, first, floors, named)

    # ── honest variants ──────────────────────────────────────────────────────────────────────────

    def variants(self, result: Result) -> None:
        """Every honest variant."""
        for variant in variants(self.program, self.dtype, self.targets):
            try:
                seen = self._seen(variant.setting, around=variant.around)
            except SpeccError as error:
                where = f"{self.program.file}, {variant.name}"
                result.skipped.append(f"{where}: {error.message}")
                continue
            ours, first, floors = self._ours(seen, layers=variant.setting.layers)
            result.honest.append(
                self._outcome(variant.name, self.case.id, seen.run, ours, first, floors, False)
            )
        # Only there are they looked at.
        for target in ("eager", *self.targets) if self.case == first_case(self.program) else ():
            drawn = native_findings(self.program, self.source, target=target)
            first = drawn[0].name if drawn else ""
            what, where = f"torch's own draws, {target}", self.case.id
            result.honest.append(
                self._outcome(what, where, self.plain.run, bool(drawn), first, None, False)
            )

    # ── running and judging ──────────────────────────────────────────────────────────────────────

    def _observed(self, setting: Setting, source: str, closed: ClosedCase) -> Run | RunFailed:
        try:
            return observe(self.program, closed, source, setting)
        except RunFailed as error:
            return error

    def _float64(self, source: str, injection: Injection | None = None) -> Exact | RunFailed:
        """The float64 run that the layers of a run are held against; ``injection`` is in it."""
        with warnings.catch_warnings(), injection.around() if injection else nullcontext():
            warnings.simplefilter("ignore")
            prepare = injection.prepare if injection else untouched
            closed = injection.closed if injection and injection.closed else self.closed
            try:
                way = injection.optimizer if injection else ""
                return exactly(self.program, closed, source, prepare, way)
            except RunFailed as error:
                return error

    def _seen(
        self,
        setting: Setting,
        source: str | None = None,
        closed: ClosedCase | None = None,
        around: Callable[[], AbstractContextManager[Any]] = nullcontext,
        exact: Exact | RunFailed | None = None,
        wide: Injection | None = None,
    ) -> _Seen:
        """The run, and what its layers do by themselves; ``wide`` is the fault that float64 has."""
        exact = self.exact if exact is None else exact
        with warnings.catch_warnings(), around():
            warnings.simplefilter("ignore")
            run = self._observed(setting, source or self.source, closed or self.closed)
            if isinstance(run, RunFailed):
                return _Seen(run, exact, {})
            if isinstance(exact, RunFailed):
                return _Seen(exact, exact, {})
            found = _Seen(run, exact, errors(exact, run, setting))
            if not takes_another_way(run):
                return found
            prepare = wide.prepare if wide is not None else untouched
            try:
                shown = exactly_without_hooks(
                    self.program, closed or self.closed, source or self.source, prepare
                )
            except RunFailed as error:
                return _Seen(error, exact, {})
            return replace(found, without_hooks=shown)

    def _ours(self, seen: _Seen, *, layers: bool) -> tuple[bool, str, float | None]:
        """Whether our rule fails the run, the first bad value, and its error in floors."""
        if isinstance(seen.run, RunFailed):
            return True, seen.run.place, None
        shown = None
        if layers and isinstance(seen.exact, Exact):
            shown = [*seen.exact.run.observations, *seen.without_hooks]
        found = held(
            self.golden,
            seen.run.observations,
            self.dtype,
            self.lines.of,
            layers=layers,
            exact=shown,
            alone=seen.alone,
        )
        first = found.findings[0] if found.findings else None
        return (True, first.name, first.floors) if first else (False, "", None)

    def _outcome(
        self,
        what: str,
        where: str,
        run: Run | RunFailed,
        ours: bool,
        first: str,
        floors: float | None,
        named: bool,
    ) -> Outcome:
        caught = {"specc": ours}
        if isinstance(run, RunFailed):
            caught |= {"assert_close": True, "same": True}
        else:
            seen: dict[str, Tensor] = visible(run.whole, self.closed)
            expected = self.expected
            if not any(with_hooks(name) for name in seen):
                # What has no hooks as it is has nothing to show without them.
                expected = {name: each for name, each in expected.items() if not with_hooks(name)}
            training = self.case.mode == "train"
            caught["assert_close"] = not assert_close_passes(seen, expected)
            caught["same"] = not same_passes(seen, expected, self.reference, training=training)
        return Outcome(self.program.file, self.case.id, what, where, caught, first, floors, named)


def _in_order(golden: Golden, prefixes: tuple[str, ...]) -> list[str]:
    """The layers that ``golden`` observes, each once, in data-flow order."""
    found: dict[str, None] = {}
    for leaf in golden.leaves:
        for prefix in prefixes:
            if leaf.reference.name.startswith(prefix):
                found.setdefault(leaf.reference.name.removeprefix(prefix).partition("#")[0])
    return list(found)
