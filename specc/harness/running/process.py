"""How a process that works for another ends, and what it said last. Torch-free.

It ends when it is told to, and with the one that it works for, however that one ends. Non-goals:
starting one and talking to it (``isolated``, ``bisect.environment``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import IO, Final

# Lines of what it said that a report shows, and how much of the end is looked at.
_SHOWN: Final = 12
_LOOKED_AT: Final = 64 << 10
_SIGNALS: Final = {int(each) for each in signal.Signals}
# Linux's prctl: the signal that a process is sent when its parent dies.
_PR_SET_PDEATHSIG: Final = 1
# How faulthandler begins, and how it heads the thread that crashed.
_FATAL: Final = "Fatal Python error"
_CURRENT: Final = "Current thread 0x"
# Seconds between two looks at whether the parent lives, where no signal says it.
_WATCH: Final = 0.5


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill ``process``, which leads a session of its own, and whatever it started; wait for it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def end_with(parent: int) -> None:
    """Have this process, which leads a session of its own, killed when ``parent`` ends.

    Linux does it, even to a process that hangs in a library's code; elsewhere a thread looks, which
    kills what this process started as well.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before Linux was asked
            os.kill(os.getpid(), signal.SIGKILL)
    elif os.name == "posix":
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH)
    os.killpg(os.getpid(), signal.SIGKILL)


def before_termination(close: Callable[[], None]) -> None:
    """Have ``close`` called when this process is terminated (SIGTERM), which it then is as before.

    Does nothing where somebody else deals with the signal, or away from the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return

    def closed(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        try:
            close()
        finally:
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, closed)


def too_long(seconds: float) -> str:
    """That it was stopped after so many seconds."""
    return f"took longer than {seconds:g} s and was stopped"


def reason(code: int, said: IO[bytes]) -> str:
    """Why a process with the exit status ``code`` ended without an answer, and the end of what it
    said, from the file that it wrote it to."""
    if code < 0:
        name = signal.Signals(-code).name if -code in _SIGNALS else f"signal {-code}"
        text = f"crashed the interpreter: {name}"
        if name == "SIGKILL":
            text = "was killed: SIGKILL, most often for want of memory"
    else:
        text = f"ended the interpreter with status {code} and no answer"
    tail = last_words(said)
    return f"{text}\n{tail}" if tail else text


def last_words(said: IO[bytes]) -> str:
    """The end of what a process said; of a crash, the thread that crashed, the innermost call
    first."""
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - _LOOKED_AT))
    lines = said.read().decode(errors="replace").strip().splitlines()
    # faulthandler says what matters first, a traceback says it last.
    fatal = next((k for k, line in enumerate(lines) if line.startswith(_FATAL)), None)
    if fatal is None:
        lines = lines[-_SHOWN:]
    else:
        # What a library says before it aborts stands right in front.
        last = [line for line in lines[max(0, fatal - 3) : fatal] if line.strip()]
        lines = [*last, *_crashed(lines[fatal:])][:_SHOWN]
    return "\n".join(f"    {line[:200]}" for line in lines)


def _crashed(lines: list[str]) -> list[str]:
    """Of faulthandler's report: what happened, then the thread that it happened in, which stands
    behind all the others there."""
    start = next((k for k, line in enumerate(lines) if line.startswith(_CURRENT)), None)
    if start is None:
        return lines
    stop = next((k for k in range(start, len(lines)) if not lines[k].strip()), len(lines))
    return [lines[0], *lines[start:stop]]


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
