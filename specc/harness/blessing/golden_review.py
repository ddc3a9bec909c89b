"""A fresh golden of a case beside the one on disk: what a reviewer, or a CI, is asked about.

Non-goals: asking, showing, writing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from specc.errors import GoldenError, GoldenMissing, GoldenStale
from specc.harness.blessing.bless import make
from specc.harness.cases.matrix import Case, cases
from specc.harness.goldens import golden as goldens
from specc.harness.goldens import golden_reader
from specc.harness.goldens.atomic_folder import present
from specc.harness.goldens.golden import Golden
from specc.harness.goldens.golden_change import Changes, changes, merged, merged_alone
from specc.harness.goldens.golden_reader import Stored
from specc.harness.numbers.noise import VERSION as GENERATOR_VERSION
from specc.ir import Program

State = Literal["current", "stale", "missing", "corrupt"]


@dataclass(frozen=True, slots=True)
class Review:
    """One case: the golden that is on disk (None where there is none that can be read), why it
    does not stand for the spec (empty where it does), the fresh one, and what moved."""

    program: Program
    case: Case
    state: State
    reason: str
    old: Stored | None
    new: Golden
    found: Changes | None

    @property
    def changed(self) -> bool:
        """Whether there is anything to take: a value that moved, or another spec."""
        return self.state != "current" or self.found is None or bool(self.found.listed)

    def taken(self, left: set[str]) -> Golden:
        """The fresh golden, with the tensors named in ``left`` as they were."""
        if self.old is None or not left:
            return self.new
        return replace(
            self.new,
            leaves=merged(self.old.leaves, self.new.leaves, left),
            alone=merged_alone(golden_reader.alone(self.old.header), self.new.alone, left),
        )


def reviews(program: Program, root: Path, source: str | None = None) -> Iterator[Review]:
    """Each case of ``program`` run anew, on the draw of its golden where that is of the same seed.

    Raises SpecError as ``matrix.cells`` does, TargetError (E0903) where a case does not run.
    """
    if source is None:
        from specc.emit import emit

        source = emit(program)
    for case in cases(program):
        yield _review(program, case, root, source)


def _review(program: Program, case: Case, root: Path, source: str) -> Review:
    state: State = "current"
    reason = ""
    old: Stored | None = None
    try:
        goldens.read(program, case, root)
    except GoldenError as error:
        reason = error.message
        state = (
            "missing"
            if isinstance(error, GoldenMissing)
            else "stale"
            if isinstance(error, GoldenStale)
            else "corrupt"
        )
    if state in ("current", "stale"):
        folder = present(goldens.golden_folder(program, case, root))
        old = golden_reader.load(folder, "specc bless SPEC")
    # A draw's number is one of its seed, and of the generator's version.
    same_seed = old is not None and old.header.case.seed == case.seed
    same_numbers = old is not None and old.header.generator == GENERATOR_VERSION
    draw = old.header.case.draw if old is not None and same_seed and same_numbers else None
    new = make(program, case, source, program.test.dtypes, draw)
    found = None
    if old is not None:
        found = changes(old.leaves, new.leaves, golden_reader.alone(old.header), new.alone)
    return Review(program, case, state, reason, old, new, found)
