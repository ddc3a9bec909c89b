"""Judges cells in a process apart, so that one that crashes, hangs or is killed fails alone.

The process lives on from cell to cell (importing torch is paid once) and is replaced when it is
lost. What it says comes back as JSON. Torch-free here. Non-goals: judging (``judge``), what runs
there (``worker``), running cells side by side, which is pytest-xdist's.

However many such processes there are, each computes on the same number of threads: a cell has the
same numbers whatever runs beside it, and what inductor compiled for one run is there for the next
(its code holds the number of threads).
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specc import errors
from specc.errors import SpeccError
from specc.harness.cases.matrix import Cell
from specc.harness.cases.verdict import Finding, Verdict
from specc.harness.running.process import before_termination, cores, end, reason, too_long

# Runs before anything is imported: what may be imported is what the parent could, and no more. The
# current folder is not on the path of its own accord (-P), for a spec's folder is not trusted.
_START = (
    "import sys, json; sys.path[:] = json.loads(sys.stdin.buffer.readline());"
    "from specc.harness.judging.worker import main; main(int(sys.argv[1]))"
)
_MAX_REPLY = 64 << 20
# One thread would leave untested what is compiled for several.
_THREADS = 2


class Isolated:
    """A process that judges cells one after the other, in the folder ``cwd``. ``seconds`` is the
    limit for one cell, None for no limit; ``beside`` is how many such processes share the machine.
    To be closed; a process that is terminated closes it by itself.

    Its process dies with the thread that first asked for a verdict, as Linux has it."""

    def __init__(
        self, seconds: float | None = None, cwd: Path | None = None, beside: int = 1
    ) -> None:
        self._seconds = seconds
        self._cwd = cwd
        self._beside = beside
        self._process: subprocess.Popen[bytes] | None = None
        self._said: Any = None
        self._number = 0
        self._source: str | None = None

    def judge(
        self,
        file: str,
        settings: Mapping[str, str],
        cell: Cell,
        root: Path,
        source: str | None,
        repro: Path | None = None,
    ) -> Verdict:
        """The verdict on ``cell`` of the spec ``file`` with ``settings``.

        Raises what ``judge.judge`` raises. A process that is lost is a finding of the cell.
        """
        if source != self._source:
            # What one source does to the process is no other's affair.
            self.close()
            self._source = source
        self._number += 1
        request = {
            "number": self._number,
            "file": file,
            "settings": dict(settings),
            "cell": cell.id,
            "target": cell.target,
            "device": cell.device,
            "dtype": cell.dtype,
            "root": str(root),
            "source": source,
            "repro": "" if repro is None else str(repro),
        }
        start = time.perf_counter()
        try:
            reply = self._asked(request)
        except TimeoutError:
            self.close()
            assert self._seconds is not None  # without a limit nothing takes too long
            return _lost(file, cell, too_long(self._seconds), start)
        except EOFError:
            why = self._reason()
            self.close()
            return _lost(file, cell, why, start)
        if "error" in reply:
            raise _error(reply["error"])
        return _verdict(reply["verdict"])

    def close(self) -> None:
        """End the process, and whatever it started."""
        process, self._process = self._process, None
        if process is not None:
            end(process)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        if self._said is not None:
            self._said.close()
            self._said = None

    # ── the process ──────────────────────────────────────────────────────────────────────────────

    def _asked(self, request: dict[str, Any]) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        line = json.dumps(request).encode() + b"\n"
        try:
            process.stdin.write(line)
            process.stdin.flush()
        except BrokenPipeError:
            raise EOFError from None
        reply: dict[str, Any] = json.loads(self._line(process.stdout))
        if reply.pop("number", None) != request["number"]:
            raise EOFError
        return reply

    def _line(self, pipe: Any) -> bytes:
        """The next line, within the limit of time. Raises TimeoutError, EOFError."""
        last = None if self._seconds is None else time.monotonic() + self._seconds
        found = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while not found.endswith(b"\n"):
                left = None if last is None else last - time.monotonic()
                if (left is not None and left <= 0) or not selector.select(left):
                    raise TimeoutError
                piece = os.read(pipe.fileno(), 1 << 16)
                if not piece or len(found) > _MAX_REPLY:
                    raise EOFError
                found += piece
        return bytes(found)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            # What it writes beside its replies is kept for the day it crashes.
            self._said = tempfile.TemporaryFile()
            before_termination(self.close)
            own = str(os.getpid())
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-X", "faulthandler", "-c", _START, own],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                cwd=self._cwd,
                env={**_shares(self._beside), **os.environ},
                start_new_session=os.name == "posix",
            )
            assert self._process.stdin is not None
            path = [entry or os.getcwd() for entry in sys.path]
            self._process.stdin.write(json.dumps(path).encode() + b"\n")
        return self._process

    def _reason(self) -> str:
        """Why the process ended, with the end of what it said."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.poll()
        if code is None:
            return "said what is no reply, and was stopped"
        return reason(code, self._said)


def _shares(beside: int) -> dict[str, str]:
    """The variables that give each of so many processes its share; the user's own come first."""
    threads = min(_THREADS, cores())
    shares = {
        "OMP_NUM_THREADS": str(threads),
        # inductor starts a process for each of these but the first, and each imports torch.
        "TORCHINDUCTOR_COMPILE_THREADS": str(max(1, cores() // beside)),
    }
    if beside * threads > cores():
        # A thread that waits would spin on a core that another process needs.
        shares["OMP_WAIT_POLICY"] = "PASSIVE"
    return shares


def _lost(file: str, cell: Cell, reason: str, start: float) -> Verdict:
    seconds = time.perf_counter() - start
    finding = Finding("run", "run", file, 1, reason)
    return Verdict("regressed", findings=(finding,), seconds_torch=seconds, seconds_total=seconds)


def _verdict(told: dict[str, Any]) -> Verdict:
    findings = tuple(Finding(**finding) for finding in told.pop("findings"))
    told["not_observable"] = tuple(told["not_observable"])
    told["notes"] = tuple(told["notes"])
    told["located"] = tuple(told["located"])
    return Verdict(findings=findings, **told)


def _error(told: dict[str, Any]) -> SpeccError:
    kind = getattr(errors, str(told["kind"]), errors.CallError)
    if not (isinstance(kind, type) and issubclass(kind, SpeccError)) or kind is errors.SpecError:
        kind = errors.CallError
    return kind(told["code"], told["message"], help=told["help"])
