"""A path to a checked program: the checks on the file itself, then the front end. Imports no torch.

A spec is read as data: nothing in it runs, and nothing is opened but the specs that it uses, which
lie inside its project or are specc's own library, and what the project's own pyproject.toml names.
Non-goal: what the files say (``semantics``).
"""

from __future__ import annotations

import json
import os
import posixpath
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Final

from specc import extensions, ir
from specc.catalog import std
from specc.catalog.catalogue import BUILT_IN, Catalogue
from specc.errors import CallError, Collector, Diagnostic, Span, SpeccError, SpecError
from specc.roots import project_root
from specc.semantics import analyse_into
from specc.suggestions import did_you_mean, listed, meant, nearest
from specc.syntax.parsing.parse import Parsed, parse

LARGEST_FILE: Final = 2 * 2**20
# More than any model says, and read in a second.
MOST_LINES: Final = 20_000
SUFFIX: Final = ".spec"


def read(
    path: str | os.PathLike[str],
    params: Mapping[str, object] | None = None,
    *,
    tested: bool = False,
) -> ir.Program:
    """The program of the spec at ``path``, with ``params`` set as by ``--set``; where it is
    ``tested``, beneath them the params that its ``test`` says.

    Raises SpecError with every fault of the spec, CallError where the file cannot be read.
    """
    program, diagnostics, sources = check(path, params, tested=tested)
    if program is None:
        raise SpecError(diagnostics, sources)
    return program


def check(
    path: str | os.PathLike[str],
    params: Mapping[str, object] | None = None,
    *,
    tested: bool = False,
) -> tuple[ir.Program | None, list[Diagnostic], dict[str, str]]:
    """The program if there is no error, every diagnostic in order, and the texts they point into.

    A spec whose ``test`` says params is checked with them and without; ``tested`` says which of the
    two programs is given.

    A file that is no spec's text (binary, empty, too large) is a diagnostic; one that cannot be
    read at all raises CallError, as does an extension that the project names and that is not
    there, faulty, or in another's way. Those extensions, and no other code, are imported."""
    file = os.fspath(path)
    text, fault = _text(file)
    if fault is not None:
        return None, [fault], {}
    collector = Collector()
    used = UsedFiles(file, collector)
    catalogue = extensions.catalogue_of(file)
    program = analyse_into(text, file, params or {}, collector, used.read, catalogue)
    if program is None or not program.test.params:
        return program, collector.sorted(), {file: text, **used.sources}
    again = Collector()
    reader = UsedFiles(file, again).read
    other = analyse_into(text, file, params or {}, again, reader, catalogue, tested=True)
    if other is None:
        collector.items.extend(_as_tested(program, item) for item in again.sorted()
                               if item.severity == "error")  # fmt: skip
        program = None
    return (
        other if tested and program is not None else program,
        collector.sorted(),
        {file: text, **used.sources},
    )


def _as_tested(program: ir.Program, fault: Diagnostic) -> Diagnostic:
    """A fault that is there with the params of the test alone."""
    said = ", ".join(f"{name}={value}" for name, value in program.test.params)
    return replace(fault, message=f"with the params of `test` ({said}): {fault.message}")


def check_text(
    text: str,
    file: str = "<spec>",
    params: Mapping[str, object] | None = None,
    catalogue: Catalogue = BUILT_IN,
) -> tuple[ir.Program | None, list[Diagnostic], dict[str, str]]:
    """As ``check``, of a text in hand, which is in no project: ``catalogue`` is what it may
    name, and the library what it may use."""
    fault = _fault(text, file)
    if fault is not None:
        return None, [fault], {}
    collector = Collector()
    used = LibraryFiles(collector)
    program = analyse_into(text, file, params or {}, collector, used.read, catalogue)
    return program, collector.sorted(), {file: text, **used.sources}


class LibraryFiles:
    """Reads the files of the library, ``use "std/drop_path.spec"``, for a spec that is no file.

    ``sources`` are the texts, by the names that spans have."""

    def __init__(self, collector: Collector) -> None:
        self.sources: dict[str, str] = {}
        self._collector = collector
        self._trees: dict[str, Parsed] = {}

    def read(self, path: str, from_file: str, span: Span) -> tuple[str, Parsed | None] | None:
        """The name and what it says of a file of the library; what is none is an E0240."""
        if std.is_path(path):
            return self.of_library(path, span)
        self._collector.error(
            "E0240", "a spec that is no file cannot use another", span, "save it, and give its path"
        )
        return None

    def of_library(self, path: str, span: Span) -> tuple[str, Parsed | None] | None:
        """What ``std/...`` is in the library; an E0240 that says which files there are."""
        name = std.shown(path)
        if name not in self._trees:
            found = std.text(path)
            if found is None:
                self._collector.error(
                    "E0240",
                    f"cannot use {_quoted(path)}: the library has no such file",
                    span,
                    did_you_mean(path, std.PATHS, listed(std.PATHS, "it has "), '"{}"'),
                )
                return None
            self.sources[name] = found
            self._trees[name] = parse(found, name, self._collector)
        return name, self._trees[name]


class UsedFiles(LibraryFiles):
    """Reads what the spec ``file`` and the specs that it uses say they use.

    A path is relative to the file that says it, but for ``std/...``, which is the library's where
    the project has no such file. What is used lies inside the root of the project of ``file``,
    links followed; what does not, and what is no spec, is reported and never opened."""

    def __init__(self, file: str, collector: Collector) -> None:
        super().__init__(collector)
        self._folder = os.path.dirname(file)
        self._root = os.fspath(project_root(file))
        # Each file by its place, links resolved, so that one used by two ways is one.
        self._names = {os.path.realpath(file): file}
        self._places = {file: os.path.realpath(file)}

    def read(self, path: str, from_file: str, span: Span) -> tuple[str, Parsed | None] | None:
        """The name of what ``use "path"`` in ``from_file`` is, and what it says (None of the spec
        itself, which is being read).

        What cannot be used is reported at ``span`` (E0240, E0244) and gives None."""
        fault = _refused(path)
        if fault is not None:
            reason, advice = fault
            self._refuse(path, reason, self._with_suffix(path, from_file) or advice, span)
            return None
        if from_file not in self._places:
            return self.of_library(path, span)  # a file of the library uses its own kind
        folder = os.path.dirname(self._places[from_file])
        written = os.path.normpath(os.path.join(folder, path))
        place = os.path.realpath(written)
        if std.is_path(path):
            if not os.path.exists(place):
                return self.of_library(path, span)
            if path in std.PATHS:
                self._refuse(
                    path, "it is a file of this project, and one of the library", "write"
                    f' `use "./{path}"` for the one here, or call that file otherwise', span,
                )  # fmt: skip
                return None
        if not self._inside(written) or not self._inside(place):
            link = " through a link" if self._inside(written) else ""
            self._collector.error(
                "E0244",
                f"{_quoted(path)} leads out of the project{link}: its root is {self._root}",
                span,
                "keep the blocks that it uses inside the project",
            )
            return None
        if place not in self._names:
            found = self._text(path, place, span)
            if found is None:
                return None
            name = self._name(place)
            self._names[place], self._places[name] = name, place
            self.sources[name] = found
            self._trees[name] = parse(found, name, self._collector)
        name = self._names[place]
        return name, self._trees.get(name)

    def _with_suffix(self, path: str, from_file: str) -> str | None:
        """The help where ``path`` lacks its suffix alone, or the folder of the library."""
        folder = os.path.dirname(self._places.get(from_file, ""))
        for found in (f"{path}{SUFFIX}", f"std/{path}{SUFFIX}"):
            plain = os.path.join(folder, found)
            there = found in std.PATHS or (self._inside(plain) and os.path.isfile(plain))
            if path.isprintable() and not os.path.isabs(path) and there:
                return f"write `use {_quoted(found)}`"
        return None

    def _inside(self, place: str) -> bool:
        return os.path.commonpath([self._root, place]) == self._root

    def _name(self, place: str) -> str:
        """``place`` as it is said beside the spec's own path: ``specs/blocks/attention.spec``."""
        return os.path.join(self._folder, os.path.relpath(place, os.path.realpath(self._folder)))

    def _refuse(self, path: str, reason: str, advice: str | None, span: Span) -> None:
        self._collector.error("E0240", f"cannot use {_quoted(path)}: {reason}", span, advice)

    def _text(self, path: str, place: str, span: Span) -> str | None:
        """The text of the spec at ``place``; None where it was reported that there is none."""
        try:
            text, fault = _text(place)
        except CallError as refusal:
            reason = refusal.message.replace(repr(place), "it").removeprefix("cannot read it: ")
            advice = None if os.path.exists(place) else _nearest(path, place)
            self._refuse(path, reason, advice, span)
            return None
        if fault is not None:
            reason = fault.message.replace("this file", "it").replace("this", "it")
            self._refuse(path, reason, fault.help, span)
            return None
        return text


def _refused(path: str) -> tuple[str, str | None] | None:
    """Why a path is none that a spec may use, by its form alone, and what to write."""
    if any(not character.isprintable() for character in path):
        return "there is an unprintable character in it", None
    if os.path.isabs(path) or PureWindowsPath(path).anchor or path.startswith("~"):
        return "it is absolute", 'say it relative to this file: `use "blocks/attention.spec"`'
    if "\\" in path:
        return "there is a backslash in it", "write `/` between folder and file"
    if not path.endswith(SUFFIX):
        return f"it does not end in {SUFFIX}", 'a used file is a spec: `use "attention.spec"`'
    return None


def _nearest(path: str, place: str) -> str | None:
    """The file beside ``place``, written ``path``, that has the most similar name."""
    folder, name = os.path.split(place)
    try:
        with os.scandir(folder) as entries:
            names = [item.name for item in entries if item.name.endswith(SUFFIX) and item.is_file()]
    except OSError:
        return None
    close = nearest(name, sorted(names))
    if close is None:
        return None
    return meant(_quoted(posixpath.join(posixpath.dirname(path), close)), "{}")


def _quoted(path: str) -> str:
    return json.dumps(path, ensure_ascii=False)


def _text(file: str) -> tuple[str, Diagnostic | None]:
    try:
        data = _bytes(Path(file))
    except SpeccError:
        raise
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
        raise CallError("E0701", f"cannot read {file!r}: {reason}") from None
    where = Span(file, 0, 0, 1, 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        return "", Diagnostic(
            "E0704",
            f"this is not a spec: byte {fault.start} (line {line}) is not UTF-8 text",
            where,
            "save the file as UTF-8",
        )
    return text, _fault(text, file)


def _bytes(path: Path) -> bytes:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise CallError("E0701", f"{os.fspath(path)!r} is a folder, not a spec")
    if not stat.S_ISREG(status.st_mode):
        raise CallError("E0701", f"{os.fspath(path)!r} is not a regular file")
    if status.st_size > LARGEST_FILE:
        raise CallError(
            "E0705",
            f"{os.fspath(path)!r} has {status.st_size:,} bytes; a spec has at most"
            f" {LARGEST_FILE:,}",
            help="is this the right file?",
        )
    return path.read_bytes()


def _fault(text: str, file: str) -> Diagnostic | None:
    if not text.strip():
        return Diagnostic(
            "E0110", "this file is empty", Span(file, 0, 0, 1, 1),
            "begin with `spec 1` and a model",
        )  # fmt: skip
    if text.count("\n") > MOST_LINES:
        return Diagnostic(
            "E0705",
            f"this file has {text.count(chr(10)):,} lines; a spec has at most {MOST_LINES:,}",
            Span(file, 0, 1, 1, 1),
            "say what repeats by `for`, `repeat` and blocks",
        )
    if "\0" in text:
        position = text.index("\0")
        line = text.count("\n", 0, position) + 1
        span = Span(file, position, position + 1, line, 1)
        return Diagnostic("E0704", "this is not a spec: it holds a NUL byte", span)
    return None
