"""Which tests reach which lines: a map made once for a state of the files, a test file at a time.

Each file's tests run in a process of its own, so that what one file has cached hides nothing of
another's. A fixture's lines count for every test of its file. Non-goals: the mutants
(``mutations``), running tests against them (``mutants``).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

Lines = dict[str, set[int]]


@dataclass
class Reached:
    """Of one test: seconds that it took, and lines by file."""

    seconds: float
    lines: dict[str, list[int]] = field(default_factory=dict)


class Tracer:
    """Notes the lines of ``files`` that are run while it is on."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = {str(file) for file in files}
        self.lines: Lines = defaultdict(set)

    def on(self) -> None:
        sys.settrace(self._entered)

    def off(self) -> Lines:
        sys.settrace(None)
        found, self.lines = self.lines, defaultdict(set)
        return found

    def _entered(self, frame: FrameType, event: str, argument: object) -> Any:
        name = frame.f_code.co_filename
        if name not in self._files:
            return None
        note = self.lines[name].add
        note(frame.f_lineno)

        def line(frame: FrameType, event: str, argument: object) -> Any:
            note(frame.f_lineno)
            return line

        return line


def digest(paths: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for path in sorted(paths):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def reached_by(items: Sequence[pytest.Item], tracer: Tracer, most: float) -> dict[str, Reached]:
    """The lines that each of ``items``, the tests of one file, reaches; those that fail here, or
    come after ``most`` seconds, are left out."""
    found: dict[str, Reached] = {}
    fixtures: Lines = defaultdict(set)
    end = time.monotonic() + most
    for item, following in zip(items, [*items[1:], None], strict=True):
        if time.monotonic() > end:
            break
        before = item.session.testsfailed
        start = time.monotonic()
        tracer.on()
        lines, set_up = _run(item, following, tracer)
        for name, numbers in set_up.items():
            fixtures[name] |= numbers
        if item.session.testsfailed == before:
            kept = {name: sorted(numbers) for name, numbers in lines.items()}
            found[item.nodeid] = Reached(time.monotonic() - start, kept)
    for each in found.values():
        for name, numbers in fixtures.items():
            each.lines[name] = sorted({*each.lines.get(name, ()), *numbers})
    return found


class _Phases:
    """A plugin that takes the lines of a fixture apart from those of the test."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self.set_up: Lines = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        self.set_up = self.tracer.off()
        self.tracer.on()


def _run(item: pytest.Item, following: pytest.Item | None, tracer: Tracer) -> tuple[Lines, Lines]:
    phases = _Phases(tracer)
    item.config.pluginmanager.register(phases)
    try:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    finally:
        item.config.pluginmanager.unregister(phases)
    return tracer.off(), phases.set_up


class Map:
    """The map on disk, by test file. A file's part is made again where it, what tests share, or a
    traced file has changed."""

    def __init__(self, file: Path, traced: Sequence[Path], most: float) -> None:
        self._file, self._traced, self._most = file, traced, most
        self._parts: dict[str, Any] = {}
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file():
            self._parts = json.loads(file.read_text(encoding="utf-8"))
        self._of_traced = digest(traced)

    def fill(
        self, items: Mapping[Path, Sequence[pytest.Item]], forked: Callable[..., object]
    ) -> dict[str, Reached]:
        """Of all ``items``, by test; ``forked`` runs what it is given in a process of its own."""
        for path, tests in items.items():
            key = f"{self._of_traced}-{digest([path])}"
            if self._parts.get(path.name, {}).get("key") == key:
                continue
            start = time.monotonic()
            part = self._file.with_suffix(f".{os.getpid()}.part")

            def trace(tests: Sequence[pytest.Item] = tests, part: Path = part) -> int:
                found = reached_by(tests, Tracer(self._traced), self._most)
                part.write_text(json.dumps({name: vars(each) for name, each in found.items()}))
                return 0

            forked(trace, 3 * self._most)
            tests_of = json.loads(part.read_text()) if part.exists() else {}
            part.unlink(missing_ok=True)
            self._parts[path.name] = {"key": key, "tests": tests_of}
            self._file.write_text(json.dumps(self._parts), encoding="utf-8")
            taken = time.monotonic() - start
            print(f"mapped {path.name}: {len(tests_of)} of {len(tests)} tests, {taken:.0f} s")
        here = {path.name for path in items}
        return {
            test: Reached(**each)
            for name, part in self._parts.items()
            if name in here
            for test, each in part["tests"].items()
        }
