"""What judging a cell came to: plain data, torch-free. Non-goal: colour and tables
(``specc.report``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "regressed", "skipped"]
SHOWN = 8
SHOWN_OF_A_LINE = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One value that is not what the golden says.

    ``what`` is the kind of difference: ``values``, ``missing``, ``extra``, ``dtype``, ``shape``,
    ``nonfinite``, ``run`` or ``nothing`` (to judge by); ``floors`` is the error in noise floors
    (None where none can be given).
    """

    name: str
    what: str
    file: str
    line: int
    message: str
    floors: float | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.name}: {self.message}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one cell. ``worst`` is the largest error in floors among what was compared;
    ``findings`` are in data-flow order, so that the first is the first bad value;
    ``not_observable`` names what was *not* judged because honest arithmetic does not determine it.
    """

    outcome: Outcome
    worst: float | None = None
    findings: tuple[Finding, ...] = ()
    not_observable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds_torch: float = 0.0
    seconds_total: float = 0.0
    compared: int = 0
    # What a closer look at the first finding told, a line each.
    located: tuple[str, ...] = ()
    # Whether it was skipped because the machine lacks the device.
    device_missing: bool = False

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    @property
    def torch_seconds(self) -> float:
        return self.seconds_torch

    @property
    def headline(self) -> str:
        """The first bad value in a line, or why the cell was skipped."""
        if self.findings:
            return str(self.findings[0])
        return self.notes[0] if self.notes else self.outcome

    def report(self) -> str:
        """The whole verdict as text: the first bad value first, then the others in order."""
        if not self.findings:
            return self.headline
        first = self.findings[0]
        lines = [
            f"first bad value: {first.name}",
            f"  {first.file}:{first.line}",
            f"  {first.message}",
            *(f"  {line}" for line in self.located),
        ]
        rest = self.findings[1:]
        if rest:
            lines.append(f"then {len(rest)} more, line by line as they are computed:")
            lines += _by_line(rest)
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)


def _by_line(findings: Sequence[Finding]) -> Iterator[str]:
    """``findings`` under the lines of the spec that they are of, the line of the first one first;
    of a line ``SHOWN_OF_A_LINE``, of all ``SHOWN``."""
    lines: dict[tuple[str, int], list[Finding]] = {}
    for item in findings:
        lines.setdefault((item.file, item.line), []).append(item)
    left = SHOWN
    for (file, line), found in lines.items():
        shown = found[: min(left, SHOWN_OF_A_LINE)]
        if not shown:
            break
        yield f"  {file}:{line}" if line else f"  {file}"
        yield from (f"    {item.name}: {item.message}" for item in shown)
        if len(found) > len(shown):
            yield f"    … and {len(found) - len(shown)} more of this line"
        left -= len(shown)
        del found[:]
    more = sum(map(len, lines.values()))
    if more:
        yield f"  … and {more} more of other lines"
