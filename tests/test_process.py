"""How a lost process is told of, and that ending one ends what it started."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from specc.harness.running.process import end, last_words, reason, too_long


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
    assert [line.strip() for line in shown.splitlines()[:2]] == ["before", crash[0]]
    assert len(last_words(io.BytesIO(b"x" * 200_000))) == 204
    assert last_words(io.BytesIO(b"\xff\xfe")).strip()


def test_of_a_crash_the_thread_that_crashed_is_shown() -> None:
    other = ["Thread 0x01 (most recent call first):", *(f"  File other {k}" for k in range(40)), ""]
    current = ["Current thread 0x02 (most recent call first):", "  File culprit", "  File caller"]
    fatal = "Fatal Python error: Segmentation fault"
    said = ["torch warns", fatal, "", *other, *other, *current, "", "Extension modules: numpy"]
    shown = last_words(io.BytesIO("\n".join(said).encode()))
    # What a library says before it aborts stands in front of it.
    shown_lines = [line.strip() for line in shown.splitlines()]
    assert shown_lines == ["torch warns", fatal, *map(str.strip, current)]


def test_of_a_process_that_really_crashed_the_thread_is_shown(tmp_path: Path) -> None:
    script = (
        "import ctypes, threading, time\n"
        "def waits(): time.sleep(60)\n"
        "def culprit(): ctypes.string_at(0)\n"
        "for _ in range(20): threading.Thread(target=waits, daemon=True).start()\n"
        "threading.Thread(target=culprit).start()\n"
        "time.sleep(60)\n"
    )
    file = tmp_path / "said"
    with file.open("wb") as said:
        command = [sys.executable, "-X", "faulthandler", "-c", script]
        done = subprocess.run(command, stderr=said, timeout=30)
    with file.open("rb") as said:
        told = reason(done.returncode, said)
    assert told.startswith("crashed the interpreter: SIG")
    assert "in culprit" in told and "in waits" not in told


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_what_is_terminated_closes_first_and_ends_by_the_signal() -> None:
    script = (
        "import time; from specc.harness.running.process import before_termination;"
        "before_termination(lambda: print('closed', flush=True));"
        "before_termination(lambda: print('again', flush=True));"
        "print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.communicate(timeout=30)[0] == "closed\n"
    assert process.returncode == -signal.SIGTERM


@pytest.mark.skipif(os.name != "posix", reason="a parent's end is seen on POSIX")
@pytest.mark.parametrize("platform", ["linux", "other"])
def test_a_process_ends_with_the_one_that_it_works_for(platform: str) -> None:
    if platform == "linux" and sys.platform != "linux":
        pytest.skip("only Linux says it by a signal")
    child = (
        f"import os, sys, time; sys.platform = {platform!r};"
        "from specc.harness.running.process import end_with; end_with(int(sys.argv[1]));"
        "print(os.getpid(), flush=True)\nwhile True: pass"
    )
    parent = (
        "import os, subprocess, sys, time;"
        f"subprocess.Popen([sys.executable, '-c', {child!r}, str(os.getpid())],"
        "start_new_session=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert _runs(pid)
    process.kill()
    process.communicate(timeout=30)
    limit = time.monotonic() + 10
    while time.monotonic() < limit and _runs(pid):
        time.sleep(0.05)
    assert not _runs(pid)


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
