"""What can go wrong, as types: the exceptions, a place in a spec, one message about it.

Every error that a user can cause is one of these, raised once per run with all its diagnostics.
Rendering (carets, colour) is ``specc.report``'s; the table of codes is ``specc.codes``.

    SpeccError                        anything specc raises on purpose; exit_status says how it ends
    ├── SpecError                2    the spec is at fault: holds every Diagnostic of the run
    ├── CallError                2    the call is at fault: an option, a path, an output folder
    ├── TooLarge                 2    the spec asks for more than is computed with
    ├── TargetError              1    a target could not build or prove its artefact
    └── GoldenError              3    a golden cannot be judged against
        ├── GoldenMissing             none has been blessed
        ├── GoldenStale               the spec's meaning has changed since
        └── GoldenCorrupt             truncated, edited, hostile, or of an unknown version
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, Final, Literal, NamedTuple


class Status(IntEnum):
    """How a run of specc ends: the exit status of its process."""

    WELL = 0
    FAILED = 1  # a number regressed, or a target failed
    FAULT = 2  # in a spec or in the call
    GOLDEN = 3  # one is missing, stale or corrupt
    DEFECT = 70  # of specc itself
    INTERRUPTED = 130
    PIPE_CLOSED = 141


def outweighing(statuses: Iterable[Status]) -> Status:
    """The one of several that a run ends with: a regression outweighs a fault, and a fault a golden
    that cannot be judged against."""
    return min((each for each in statuses if each), default=Status.WELL)


class Span(NamedTuple):
    """A stretch of a spec: ``start`` and ``end`` are offsets, ``line`` and ``column`` count from
    1."""

    file: str
    start: int
    end: int
    line: int
    column: int

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of ``other``."""
        return self if other.end <= self.end else self._replace(end=other.end)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


Severity = Literal["error", "warning"]


class Fix(NamedTuple):
    """What a message's help proposes: ``text`` in place of the file's from ``start`` to ``end``.
    ``otherwise`` is the help where that does not check."""

    start: int
    end: int
    text: str
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message: what is wrong (``message``), where (``span``), what to write instead
    (``help``, and ``fix`` where it is told as text); ``related`` are other places that have to do
    with it."""

    code: str
    message: str
    span: Span | None = None
    help: str | None = None
    notes: tuple[str, ...] = ()
    severity: Severity = "error"
    related: tuple[Span, ...] = ()
    fix: Fix | None = None


class SpeccError(Exception):
    """Base of everything specc raises on purpose; ``code`` is a row of ``specc.codes``."""

    exit_status: ClassVar[Status] = Status.FAULT

    def __init__(self, code: str, message: str, *, help: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return (Diagnostic(self.code, self.message, help=self.help),)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f"\n  help: {self.help}" if self.help else "")


class SpecError(SpeccError):
    """A spec with faults: all of them, in the order of the file."""

    def __init__(
        self, diagnostics: Sequence[Diagnostic], sources: dict[str, str] | None = None
    ) -> None:
        errors = [item for item in diagnostics if item.severity == "error"]
        first = (errors or [*diagnostics])[0]
        super().__init__(first.code, first.message, help=first.help)
        self._diagnostics = tuple(diagnostics)
        self.sources = sources or {}

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return self._diagnostics

    def __str__(self) -> str:
        # What lies in the call (a param to set that there is not) has no place in the file.
        file = next(iter(self.sources), "<spec>")
        return "\n".join(
            f"{item.span or file}: {item.code}: {item.message}"
            + (f"\n  help: {item.help}" if item.help else "")
            for item in self._diagnostics[:100]
        ) + (
            f"\n... and {len(self._diagnostics) - 100:,} more"
            if len(self._diagnostics) > 100
            else ""
        )


class TooLarge(SpeccError):
    """What a spec asks for is more than is computed with: of a size, a value, the work of reading
    it. ``span`` is the innermost expression that asked."""

    def __init__(self, message: str, *, help: str | None = None, code: str = "E0250") -> None:
        super().__init__(code, message, help=help)
        self.span: Span | None = None

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return (Diagnostic(self.code, self.message, self.span, self.help),)


class CallError(SpeccError):
    """The call is at fault: an unknown option value, an unwritable folder, a missing path."""


class TargetError(SpeccError):
    """A target could not build its artefact, or the artefact did not compute what eager
    computes; ``span`` is where in the spec that came to be, where it is known."""

    exit_status = Status.FAILED

    def __init__(
        self, code: str, message: str, *, help: str | None = None, span: Span | None = None
    ) -> None:
        super().__init__(code, message, help=help)
        self.span = span

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return (Diagnostic(self.code, self.message, self.span, self.help),)


class GoldenError(SpeccError):
    """A golden cannot be judged against."""

    exit_status = Status.GOLDEN


class GoldenMissing(GoldenError):
    """No golden has been blessed for this case."""


class GoldenStale(GoldenError):
    """The golden was blessed for a spec with another meaning."""


class GoldenCorrupt(GoldenError):
    """The golden on disk is truncated, edited, hostile or of an unknown version."""


# More than anybody reads in one go, and found in less than two seconds.
MOST_FAULTS: Final = 200
TOO_MANY: Final = "there are more than "
# Names of parameters that all selectors of a spec may be held against.
MOST_NAMES: Final = 200_000


@dataclass(slots=True)
class Collector:
    """Gathers diagnostics so that one run reports every fault; raises once."""

    items: list[Diagnostic] = field(default_factory=list)
    # How many names selectors were held against.
    names: int = 0

    def hold(self, count: int, span: Span) -> None:
        """Notes that ``count`` names are looked through for what stands at ``span``; TooLarge."""
        self.names += count
        if self.names > MOST_NAMES:
            fault = TooLarge(
                f"the selectors of this spec are held against more than {MOST_NAMES:,} names",
                help="let fewer selectors say more: `*.bias`",
            )
            fault.span = span
            raise fault

    def error(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        help: str | None = None,
        notes: tuple[str, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        if len(self.items) >= MOST_FAULTS:
            raise TooLarge(
                f"{TOO_MANY}{MOST_FAULTS:,} faults, and the rest was not read",
                help="mend those first",
            )
        self.items.append(Diagnostic(code, message, span, help, notes, fix=fix))

    def warning(
        self, code: str, message: str, span: Span | None = None, help: str | None = None
    ) -> None:
        self.items.append(Diagnostic(code, message, span, help, severity="warning"))

    @property
    def failed(self) -> bool:
        return any(item.severity == "error" for item in self.items)

    def sorted(self) -> list[Diagnostic]:
        """The diagnostics by file and in its order, each once; first those of the call."""
        unique = dict.fromkeys(self.items)
        return sorted(
            unique,
            key=lambda item: (*((item.span.file, item.span.start) if item.span else ("", -1)),
                              item.code),
        )  # fmt: skip


def in_one_line(error: BaseException, limit: int = 400) -> str:
    """What a library raised, as ``Type: message``: the message's first line, and the next where
    that one ends in a colon (inductor puts the reason below the name of what it wraps)."""
    try:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    except Exception:  # an edited source may raise what cannot be put into words
        lines = []
    used = next((n for n, line in enumerate(lines, 1) if not line.endswith(":")), len(lines))
    return f"{type(error).__name__}: {' '.join(lines[:used]) or 'no message'}"[:limit]
