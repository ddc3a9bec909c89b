"""A path to a checked program: the checks on the file itself, then the front end. Imports no torch.

A spec is read as data: nothing in it runs, and nothing outside it is opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from specc import ir
from specc.errors import CallError, Collector, Diagnostic, Span, SpeccError, SpecError
from specc.semantics import analyse_into

LARGEST_FILE: Final = 16 * 2**20


def read(path: str | os.PathLike[str], params: Mapping[str, object] | None = None) -> ir.Program:
    """The program of the spec at ``path``, with ``params`` set as by ``--set``.

    Raises SpecError with every fault of the spec, CallError where the file cannot be read.
    """
    program, diagnostics, sources = check(path, params)
    if program is None:
        raise SpecError(diagnostics, sources)
    return program


def check(
    path: str | os.PathLike[str], params: Mapping[str, object] | None = None
) -> tuple[ir.Program | None, list[Diagnostic], dict[str, str]]:
    """The program if there is no error, every diagnostic in order, and the texts they point into.

    A file that is no spec's text (binary, empty, too large) is a diagnostic; one that cannot be
    read at all raises CallError."""
    file = os.fspath(path)
    text, fault = _text(file)
    if fault is not None:
        return None, [fault], {}
    collector = Collector()
    program = analyse_into(text, file, params or {}, collector)
    return program, collector.sorted(), {file: text}


def check_text(
    text: str, file: str = "<spec>", params: Mapping[str, object] | None = None
) -> tuple[ir.Program | None, list[Diagnostic], dict[str, str]]:
    """As ``check``, of a text in hand."""
    fault = _fault(text, file)
    if fault is not None:
        return None, [fault], {}
    collector = Collector()
    program = analyse_into(text, file, params or {}, collector)
    return program, collector.sorted(), {file: text}


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
    if "\0" in text:
        position = text.index("\0")
        line = text.count("\n", 0, position) + 1
        span = Span(file, position, position + 1, line, 1)
        return Diagnostic("E0704", "this is not a spec: it holds a NUL byte", span)
    return None
