"""How a process that works for another ends, and what it said last. Torch-free.

Non-goals: starting one and talking to it (``isolated``, ``bisect.environment``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import IO, Final

# Lines of what it said that a report shows, and how much of the end is looked at.
_SHOWN: Final = 12
_LOOKED_AT: Final = 64 << 10
_SIGNALS: Final = {int(each) for each in signal.Signals}


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill ``process``, which leads a session of its own, and whatever it started; wait for it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


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
    """The end of what a process said; of a crash, what faulthandler says of it."""
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - _LOOKED_AT))
    lines = said.read().decode(errors="replace").strip().splitlines()
    # faulthandler says what matters first, a traceback says it last.
    fatal = next((k for k, line in enumerate(lines) if line.startswith("Fatal Python")), None)
    lines = lines[-_SHOWN:] if fatal is None else lines[fatal : fatal + _SHOWN]
    return "\n".join(f"    {line[:200]}" for line in lines)
