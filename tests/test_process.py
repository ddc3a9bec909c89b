"""How a lost process is told of, and that ending one ends what it started."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time

import pytest

from specc.harness.process import end, last_words, reason, too_long


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (3, "", "ended the interpreter with status 3 and no answer"),
        (0, "so far\nso good", "status 0 and no answer\n    so far\n    so good"),
        (-int(signal.SIGSEGV), "", "crashed the interpreter: SIGSEGV"),
        (-int(signal.SIGKILL), "", "was killed: SIGKILL, most often for want of memory"),
        (-200, "", "crashed the interpreter: signal 200"),
    ],
)
def test_an_exit_status_is_put_into_words(code: int, said: str, told: str) -> None:
    assert reason(code, io.BytesIO(said.encode())).endswith(told)


def test_the_end_of_what_was_said_is_shown() -> None:
    lines = [f"line {k}" for k in range(100)]
    shown = last_words(io.BytesIO("\n".join(lines).encode()))
    assert shown.splitlines()[-1] == "    line 99" and len(shown.splitlines()) == 12
    crash = ["Fatal Python error: Segmentation fault", *lines]
    shown = last_words(io.BytesIO("\n".join(["before", *crash]).encode()))
    assert shown.splitlines()[0].strip() == crash[0]
    assert len(last_words(io.BytesIO(b"x" * 200_000))) == 204
    assert last_words(io.BytesIO(b"\xff\xfe")).strip()


def test_a_limit_is_told_in_seconds() -> None:
    assert too_long(0.5) == "took longer than 0.5 s and was stopped"


@pytest.mark.skipif(os.name != "posix", reason="sessions are POSIX's")
def test_ending_a_process_ends_what_it_started() -> None:
    script = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    end(process)
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    limit = time.monotonic() + 10
    while time.monotonic() < limit and _runs(child):
        time.sleep(0.01)
    assert not _runs(child)
    end(process)  # what has ended can be ended


def _runs(pid: int) -> bool:
    """Whether ``pid`` is a process that has not ended; a dead one may wait to be collected."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False
