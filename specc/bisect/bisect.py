"""Runs one case in two environments and names the first value, then the first operation, that
differs.

The source is emitted once, here, and given to both, so that the environment alone differs. Values
are compared in noise floors: those of the case's golden, or, where there is none that can be used,
those that the good environment measures. Non-goals: running a case (``runner``), what a user reads
(``specc.report.results.bisect``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from specc.bisect import operations, results
from specc.bisect.environment import Environment, Lost
from specc.bisect.operations import Found, Trace
from specc.bisect.replay_verdict import told_of
from specc.bisect.results import Reply, Request
from specc.errors import CallError, GoldenError, SpeccError
from specc.harness.cases.matrix import Case
from specc.harness.cases.verdict import Finding
from specc.harness.floors.floor_statistics import error_of
from specc.harness.goldens import golden as goldens
from specc.harness.goldens import golden_reader
from specc.harness.goldens.golden import Golden
from specc.harness.goldens.golden_reader import Leaf
from specc.harness.judging.compare import Comparison, compare
from specc.harness.judging.error_pattern import pattern
from specc.harness.running.observed_lines import is_setting, lines_of
from specc.harness.running.recorder import Observation
from specc.ir import Program

# Later than any step that is traced.
_ALL_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class DivergentOperation:
    """The first operation that differs: ``number`` of ``total`` in the good environment, from 1.
    ``lines`` tell how."""

    name: str
    number: int
    total: int
    phase: str
    layer: str
    mark: str
    lines: tuple[str, ...]


@dataclass(slots=True)
class Bisection:
    """What the two environments show. ``facts`` are (good, bad) by name, where they differ;
    ``first`` is the first value that differs, None where none does, and ``lines`` tell of it;
    ``count`` is of all that differ, of ``compared``; ``furthest`` is the most that any value is
    apart, in floors."""

    spec: str
    case: str
    target: str
    dtype: str
    good: str
    bad: str
    facts: dict[str, tuple[str, str]] = field(default_factory=dict)
    floors: str = ""
    compared: int = 0
    furthest: float = 0.0
    count: int = 0
    first: Finding | None = None
    lines: list[str] = field(default_factory=list)
    operation: DivergentOperation | None = None
    notes: list[str] = field(default_factory=list)


def bisect(
    program: Program,
    case: Case,
    good: Environment,
    bad: Environment,
    *,
    target: str,
    dtype: str,
    settings: Mapping[str, str],
    root: Path,
    scratch: Path,
    told: Callable[[str], None] = lambda text: None,
) -> Bisection:
    """Compare ``case`` in the two environments; the golden is looked for under ``root``, and
    ``scratch`` is an empty folder for what passes between.

    Raises CallError: E0717 where an environment cannot run specc's code, E0718 where the good one
    does not run the case; SpeccError as the harness raises it in the good environment.
    """
    from specc.emit import emit

    source = emit(program)
    request = Request(what="values", file=program.file, settings=dict(settings), case=case.id,
                      target=target, dtype=dtype, source=source)  # fmt: skip
    found = Bisection(program.file, case.id, target, dtype, str(good.python), str(bad.python))
    return _Bisect(program, case, good, bad, request, root, scratch, told, found).run()


@dataclass
class _Bisect:
    program: Program
    case: Case
    good: Environment
    bad: Environment
    request: Request
    root: Path
    scratch: Path
    told: Callable[[str], None]
    found: Bisection

    def run(self) -> Bisection:
        golden = self._golden()
        self.told("running the good environment")
        asked = self.request.model_copy(
            update={"measure": golden is None}
            | ({"draw": golden.draw, "grid": golden.grid} if golden else {})
        )
        one = self._good(asked)
        if golden is None:
            golden = self._measured()
        self.request = asked.model_copy(
            update={"measure": False, "draw": golden.draw, "grid": golden.grid}
        )
        self.told("running the bad environment")
        try:
            other = self.bad.ask(self.request, self.scratch / "bad-values")
        except Lost as error:
            self._stopped("run", str(error))
            return self.found
        self._facts(one, other)
        if other.kind == "stopped":
            self._stopped(other.place, f"stopped: {other.message}")
        elif other.kind == "error":
            self._stopped("run", f"stopped: {other.code}: {other.message}")
        else:
            self._compare(golden)
        return self.found

    # ── running ──────────────────────────────────────────────────────────────────────────────────

    def _golden(self) -> Golden | None:
        """The golden of the case, where it can be used."""
        try:
            golden = goldens.read(self.program, self.case, self.root)
        except GoldenError as error:
            self.found.notes.append(f"{error.message}: floors are measured in good")
            return None
        if self.request.dtype not in golden.dtypes:
            return None
        self.found.floors = f"of the golden, blessed with torch {golden.provenance.get('torch')}"
        return golden

    def _good(self, request: Request) -> Reply:
        """The good environment's values. Raises CallError (E0718) where it has none."""
        try:
            reply = self.good.ask(request, self.scratch / "good-values")
        except Lost as error:
            raise self._no_good(f"it {error}") from None
        if reply.kind == "stopped":
            raise self._no_good(f"{reply.place} stops with {reply.message}")
        if reply.kind == "error":
            raise SpeccError(reply.code, f"in the good environment: {reply.message}",
                             help=reply.help or None)  # fmt: skip
        return reply

    def _no_good(self, reason: str) -> CallError:
        return CallError(
            "E0718",
            f"the good environment does not run {self.program.file}, case {self.case.id}: {reason}",
            help="name as --good an environment in which the case runs; --timeout gives it longer",
        )

    def _measured(self) -> Golden:
        folder = self.scratch / "good-values" / results.GOLDEN
        found = _loaded(folder)
        head = found.header
        self.found.floors = "measured in the good environment"
        return Golden(self.case, head.case.draw, head.case.grid, head.case.kinks,
                      tuple(head.dtypes), dict(head.provenance), tuple(head.notes),
                      found.leaves)  # fmt: skip

    def _values(self, side: str) -> tuple[Observation, ...]:
        folder = self.scratch / f"{side}-values" / results.VALUES
        return tuple(leaf.reference for leaf in _loaded(folder).leaves)

    def _facts(self, one: Reply, other: Reply) -> None:
        for name in dict.fromkeys((*one.facts, *other.facts)):
            pair = one.facts.get(name, "-"), other.facts.get(name, "-")
            if pair[0] != pair[1]:
                self.found.facts[name] = pair
        for side, notes in (("good", one.notes), ("bad", other.notes)):
            self.found.notes += [f"{side}: {note}" for note in notes]

    def _stopped(self, place: str, message: str) -> None:
        spot = lines_of(self.program).of(f"{place}/run/")
        self.found.count = 1
        self.found.first = Finding(place, "run", spot.file, spot.line, f"bad {message}")

    # ── values ───────────────────────────────────────────────────────────────────────────────────

    def _compare(self, golden: Golden) -> None:
        good, bad = self._values("good"), self._values("bad")
        between = self._against(_as_reference(golden, good), bad)
        alone = {"good": self._against(golden, good), "bad": self._against(golden, bad)}
        failed = {
            side: {finding.name: finding for finding in each.findings}
            for side, each in alone.items()
        }
        apart = {finding.name: finding for finding in between.findings}
        for name in failed["good"].keys() ^ failed["bad"].keys():
            # Off the reference in one alone: the two differ, be they ever so close.
            for side in ("bad", "good"):
                if name in failed[side] and name not in apart:
                    finding = failed[side][name]
                    apart[name] = replace(finding, message=f"in {side} alone {finding.message}")
        order = {leaf.reference.name: k for k, leaf in enumerate(golden.leaves)}
        ordered = sorted(apart.values(), key=lambda each: order.get(each.name, len(order)))
        self.found.compared, self.found.furthest = between.compared, between.worst
        self.found.count = len(ordered)
        both = [name for name in failed["good"] if name in failed["bad"]]
        if both:
            text = f"both are off the reference at {both[0]} and {len(both) - 1} more"
            self.found.notes.append(text if len(both) > 1 else f"both are off at {both[0]}")
        if not ordered:
            return
        first = ordered[0]
        self.found.first = first
        leaf = next((each for each in golden.leaves if each.reference.name == first.name), None)
        if leaf is not None and first.what == "values" and not leaf.reference.exact:
            self._sides(leaf, good, bad)
        if is_setting(first.name):
            self.found.lines.append("a setting that the layer or the optimizer is made with")
            return
        self._closer(first.name)

    def _against(self, golden: Golden, found: tuple[Observation, ...]) -> Comparison:
        lines = lines_of(self.program)
        eager = self.request.target == "eager"
        return compare(golden, found, self.request.dtype, lines.of, layers=eager)

    def _sides(
        self, leaf: Leaf, good: tuple[Observation, ...], bad: tuple[Observation, ...]
    ) -> None:
        """How far each of the two is off the float64 reference."""
        floor = leaf.floors[self.request.dtype]
        texts = []
        for side, found in (("good", good), ("bad", bad)):
            item = next((each for each in found if each.name == leaf.reference.name), None)
            error = error_of(leaf.reference, item)
            if error is not None:
                count = max(error[0] / floor.rms, error[1] / floor.largest)
                texts.append(f"{side} is {count:.3g} floors off the float64 reference")
        self.found.lines.append(", ".join(texts))

    # ── a closer look ────────────────────────────────────────────────────────────────────────────

    def _closer(self, name: str) -> None:
        eager = self.request.target == "eager"
        request = self.request.model_copy(
            update={"what": "closer", "name": name, "steps": _step(name), "operations": eager}
        )
        try:
            self.told("a closer look at the good environment")
            self._ask(self.good, request.model_copy(update={"measure": eager}), "closer")
            self.told("a closer look at the bad environment")
            self._ask(self.bad, request, "closer")
            self._look()
            if eager:
                self._operation(request)
            else:
                self.found.lines.append("operations are seen in eager: try --target eager")
        except (Lost, SpeccError) as error:
            self.found.lines.append(f"it could not be looked at closer: {error}")

    def _ask(self, environment: Environment, request: Request, what: str) -> Reply:
        """A reply that is done. Raises Lost, CallError (E0717)."""
        folder = self.scratch / f"{environment.side}-{what}"
        reply = environment.ask(request, folder)
        if reply.kind != "done":
            message = f"{reply.place or 'it'} stops: {reply.message}"
            raise CallError(reply.code or "E0717", f"in {environment.side}, {message}")
        return reply

    def _look(self) -> None:
        paths = [self.scratch / f"{side}-closer" / results.WHOLE for side in ("good", "bad")]
        if all(path.exists() for path in paths):
            one, other = (results.read_tensors(path).get("value") for path in paths)
            look = pattern(other, one) if one is not None and other is not None else ""
            if look:
                self.found.lines.append(f"how it looks: {look}")

    def _operation(self, request: Request) -> None:
        good = operations.load(self.scratch / "good-closer")
        bad = operations.load(self.scratch / "bad-closer")
        found = operations.first_difference(good, bad)
        if found is None:
            # Each operation alone may stay within its noise, and their number not.
            self.found.lines.append(
                f"none of the {len(good.operations)} operations differs alone beyond its rounding"
                + (", of those that were traced" if good.cut or bad.cut else "")
            )
            return
        each = good.operations[found.good] if found.kind != "others" else _place(found, good, bad)
        lines = [found.message]
        if found.kind != "others":
            given = ", ".join(operations.described(one) for one in each.inputs[:8])
            made = ", ".join(operations.described(one) for one in each.outputs[:8])
            lines.append(f"{given} -> {made}")
            called = {
                name: operations.shown(value)
                for name, value in each.settings.items()
                if operations.shown(value) != "a tensor"
            }
            if called:
                lines.append(", ".join(f"{name}={value}" for name, value in called.items())[:300])
        self.found.operation = DivergentOperation(each.name, found.good + 1, len(good.operations),
                                         each.phase, each.layer, each.mark, ())  # fmt: skip
        if found.kind == "result":
            lines += self._replayed(request, found)
        self.found.operation = replace(self.found.operation, lines=tuple(lines))

    # ── the operation alone ──────────────────────────────────────────────────────────────────────

    def _replayed(self, request: Request, found: Found) -> list[str]:
        """What both environments make of the operation, on what the good run gave it."""
        self.told("running the operation alone")
        try:
            keep = request.model_copy(update={"what": "keep", "number": found.good})
            reply = self._ask(self.good, keep, "keep")
            if not (self.scratch / "good-keep" / results.ARGUMENTS).exists():
                return [f"it is not run alone: {'; '.join(reply.notes)}"]
            folder = str(self.scratch / "good-keep")
            again = request.model_copy(update={"what": "replay", "folder": folder})
            self._ask(self.bad, again, "replay")
            made = [
                results.read_tensors(self.scratch / name / results.REPLAYED)
                for name in ("good-keep", "bad-replay")
            ]
        except (Lost, SpeccError) as error:
            return [f"it could not be run alone: {error}"]
        return told_of(*made)


def _loaded(folder: Path) -> golden_reader.Stored:
    """What a runner wrote in the form of a golden. Raises CallError (E0717)."""
    try:
        return golden_reader.load(folder, "specc bisect")
    except GoldenError as error:
        reason = error.message.rpartition("cannot be used: ")[2]
        raise results.unreadable(folder, reason) from None


def _place(found: Found, good: Trace, bad: Trace) -> results.TracedOperation:
    """The operation that stands for a stretch: the bad run's first that good has not there."""
    return bad.operations[found.bad] if bad.operations else good.operations[found.good]


def _step(name: str) -> int:
    """The number of the step after which the value ``name`` is known."""
    match = re.match(r"step(\d+)/", name)
    if match:
        return int(match[1])
    return 0 if name.startswith("eval/") else _ALL_STEPS


def _as_reference(golden: Golden, good: tuple[Observation, ...]) -> Golden:
    """``golden`` with the good run's values in the place of float64's."""
    values = {item.name: item for item in good}
    leaves = []
    for leaf in golden.leaves:
        name = leaf.reference.name
        item = values.pop(name, None)
        if item is None and is_setting(name):
            continue  # one torch has a setting more than another, which is no value
        item = item or Observation(name, leaf.reference.line)
        if not item.exact:
            item = replace(item, rms=leaf.reference.rms)
        leaves.append(Leaf(item, leaf.floors))
    # Settings that this torch has and the golden's had not.
    leaves += [Leaf(item, {}) for item in values.values() if item.exact]
    return replace(golden, leaves=tuple(leaves))
