"""A profile as text: a spec line a row, with the time and memory of its forward and backward.

Plain data in, styled pieces out. Non-goals: measuring (``specc.measure``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from os.path import dirname
from shlex import quote
from typing import TYPE_CHECKING

from specc.report.terminal.safe_text import visible, width
from specc.report.terminal.style import Piece

if TYPE_CHECKING:
    from specc.measure.costs import KernelCost, LineCost, Profile

_HEAD = ("line", "calls", "forward", "backward", "time", "total", "share", "fwd mem", "bwd mem")
_SHOWN_KERNELS = 12
_TOTAL = _HEAD.index("total")
_LEAST_TEXT = 16
_VIEWER = ("tensorboard", "torch_tb_profiler")


def pieces(profile: Profile, columns: int = 100) -> Iterator[Piece]:
    """The heading, the table by line, what has no line, and notes; then where the trace is."""
    sizes = ", ".join(f"{name}={value}" for name, value in profile.sizes)
    place = f"{profile.target} on {profile.device}, {profile.mode}" + (sizes and f", {sizes}")
    yield Piece(f"{visible(profile.spec)}: {visible(profile.model)}, {place}\n", "bold")
    whole = f"{profile.what}: {time(profile.step_us)} (mean of {profile.steps})"
    yield Piece(f"{whole}, profiler included\n\n")
    yield from _table(profile.lines, columns)
    if profile.kernels:
        yield Piece("\nof the model, on no line:\n", "bold")
        yield from _kernels(profile.kernels, columns)
    for note in profile.notes:
        yield Piece(f"\nnote: {visible(note)}", "yellow")
    yield Piece("\n" if profile.notes else "")
    yield Piece(f"\ntrace: {visible(profile.trace)}\n")
    yield Piece(f"{_viewer(profile.trace)}\n", "dim")


def as_json(profile: Profile) -> str:
    """The profile's fields as JSON, times in microseconds, memory in bytes."""
    return json.dumps(asdict(profile), indent=2)


def time(microseconds: float) -> str:
    """``812 us``, ``3.41 ms``, ``1.20 s``; ``-`` for nothing."""
    if microseconds == 0:
        return "-"
    for limit, scale, unit in ((1e3, 1.0, "us"), (1e6, 1e3, "ms")):
        if microseconds < limit:
            return f"{_three(microseconds / scale)} {unit}"
    return f"{_three(microseconds / 1e6)} s"


def memory(size: float) -> str:
    """``512 B``, ``1.50 kB``, ``24.1 MB``, in powers of 1000; ``-`` for nothing."""
    if size == 0:
        return "-"
    sign, size = ("-" if size < 0 else ""), abs(size)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{sign}{size:.0f} B" if unit == "B" else f"{sign}{_three(size)} {unit}"
        size /= 1000
    return f"{sign}{_three(size)} GB"


def _viewer(trace: str) -> str:
    runs = quote(dirname(dirname(trace)) or ".")
    missing = [name for name in _VIEWER if find_spec(name) is None]
    install = "; first: pip install 'specc[profile]'" if missing else ""
    return f"see it with: tensorboard --logdir {visible(runs)}{install}"


def _table(lines: Sequence[LineCost], columns: int) -> Iterator[Piece]:
    whole = sum(line.own_us for line in lines) or 1.0
    # A total says something only where lines stand inside lines.
    nested = any(line.line and line.total_us > 1.001 * line.own_us for line in lines)
    files = {line.file for line in lines if line.line}
    rows = [_HEAD, *(_row(line, whole, len(files) > 1) for line in lines)]
    shown = [number for number in range(len(_HEAD)) if nested or number != _TOTAL]
    widths = {number: max(width(row[number]) for row in rows) for number in shown}
    room = max(_LEAST_TEXT, columns - sum(widths.values()) - 2 * len(widths))
    for number, row in enumerate(rows):
        cells = [" " * (widths[each] - width(row[each])) + row[each] for each in shown]
        style = "bold" if number == 0 else ""
        yield Piece("  ".join(cells), style)
        yield Piece("  " + (_cut(lines[number - 1].source, room) if number else "spec"), style)
        yield Piece("\n")


def _row(line: LineCost, whole: float, with_file: bool) -> tuple[str, ...]:
    place = "" if not line.line else f"{line.file}:{line.line}" if with_file else str(line.line)
    return (
        visible(place),
        f"{line.calls:g}" if line.line else "",
        time(line.forward_us),
        time(line.backward_us),
        time(line.own_us),
        time(line.total_us),
        f"{100 * line.own_us / whole:.1f} %",
        memory(line.forward_allocated),
        memory(line.backward_allocated),
    )


def _kernels(kernels: Sequence[KernelCost], columns: int) -> Iterator[Piece]:
    shown = sorted(kernels, key=lambda kernel: -kernel.own_us)[:_SHOWN_KERNELS]
    rows = [(time(kernel.own_us), f"{kernel.calls:g}", kernel.phase) for kernel in shown]
    widths = [max(width(row[number]) for row in rows) for number in range(3)]
    for kernel, row in zip(shown, rows, strict=True):
        cells = "  ".join(text.rjust(widths[number]) for number, text in enumerate(row))
        yield Piece(f"{cells}  {_cut(kernel.name, max(20, columns - len(cells) - 2))}\n")
    if len(kernels) > len(shown):
        yield Piece(f"and {len(kernels) - len(shown)} more\n", "dim")


def _cut(text: str, room: int) -> str:
    safe = visible(text)
    if width(safe) <= room:
        return safe
    while width(safe) >= room:
        safe = safe[:-1]
    return safe + "…"


def _three(number: float) -> str:
    """Three digits that say something: ``3.41``, ``34.1``, ``341``."""
    return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 100 else f"{number:.0f}"
