"""Warnings that a spec silences, with a reason: ``# specc: ignore[W0301] reason``.

An ignore that silences nothing is told (W0101), so that none outlives what it was for. Non-goal:
finding the comments (``specc.syntax.parsing.ignores``)."""

from __future__ import annotations

from collections.abc import Iterable

from specc.errors import Collector
from specc.suggestions import did_you_mean
from specc.syntax.parsing.ignores import Ignore

_FORM = "write `# specc: ignore[W0301] reason`, with the code and the reason that are meant"


def silence(ignores: Iterable[Ignore], file: str, collector: Collector) -> None:
    """Takes away the warnings that ``ignores`` speak of. Those of ``file``, the spec itself, are
    told where they silence nothing, those of every file where they are not of the form."""
    for ignore in ignores:
        fault = _fault(ignore)
        faulty = fault is not None
        spared = set()
        if fault is None:
            kept = []
            for item in collector.items:
                there = (
                    item.span is not None
                    and item.span.file == ignore.span.file
                    and ignore.is_about(item.span.line)
                )
                if there and item.severity == "warning" and item.code in (ignore.codes or ()):
                    spared.add(item.code)
                else:
                    kept.append(item)
            collector.items[:] = kept
        # Where there are errors, not every warning was looked for.
        if fault is None and not collector.failed:
            idle = [code for code in ignore.codes or () if code not in spared]
            if idle:
                lines = f"line {ignore.line}"
                if ignore.last > ignore.line:
                    lines = f"lines {ignore.line} to {ignore.last}"
                fault = f"there is no {', '.join(idle)} on {lines}", "take it away"
        # What silences nothing in one spec may do so in another that uses the file.
        if fault is not None and (faulty or ignore.span.file == file):
            collector.warning("W0101", f"this silences nothing: {fault[0]}", ignore.span, fault[1])


def _fault(ignore: Ignore) -> tuple[str, str] | None:
    """Why an ignore is none, and what to write."""
    # A spec without one is read sooner.
    from specc.codes import CODES

    if ignore.codes is None:
        return "it is not of the form", _FORM
    if not any(ignore.codes):
        return "it names no code", _FORM
    for code in ignore.codes:
        if code not in CODES:
            warnings = [each for each in CODES if each.startswith("W")]
            return f"there is no code `{code}`", did_you_mean(code, warnings, _FORM) or _FORM
        if not code.startswith("W") or code == "W0101":
            return f"{code} is no warning that can be silenced", "mend what it says"
    if not any(character.isalpha() for character in ignore.reason):
        return "it gives no reason", f"say why: `# specc: ignore[{', '.join(ignore.codes)}] ...`"
    return None
