"""A folder is replaced as a whole or not at all, whatever stops the writer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from specc.errors import CallError
from specc.harness.goldens import atomic_folder

OLD, NEW = {"a": b"old", "b": b"old"}, {"a": b"new", "b": b"new" * 1000}


def content(folder: Path) -> dict[str, bytes]:
    shown = atomic_folder.present(folder)
    return {path.name: path.read_bytes() for path in shown.iterdir()}


@pytest.mark.parametrize("call", ["mkdir", "rename", "fsync", "open", "write"])
@pytest.mark.parametrize("number", range(4))
def test_a_failing_system_call_leaves_the_old_one(
    call: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "golden" / "case"
    atomic_folder.replace_folder(folder, OLD)
    calls = 0

    def failing(real: Callable[..., object]) -> Callable[..., object]:
        def attempt(*arguments: object, **rest: object) -> object:
            nonlocal calls
            calls += 1
            if calls == number + 1:
                raise OSError(28, "No space left on device")
            return real(*arguments, **rest)

        return attempt

    if call == "write":
        real_write = atomic_folder._write_durably
        monkeypatch.setattr(atomic_folder, "_write_durably", failing(real_write))
    elif call == "mkdir":
        monkeypatch.setattr(Path, "mkdir", failing(Path.mkdir))
    else:
        monkeypatch.setattr(os, call, failing(getattr(os, call)))
    failed = False
    try:
        atomic_folder.replace_folder(folder, NEW)
    except CallError as error:
        failed = True
        assert error.code == "E0804" and "No space left" in error.message
    monkeypatch.undo()
    assert content(folder) == (OLD if failed else NEW)
    assert folder.is_dir()
    if call in ("write", "mkdir"):
        assert failed == (calls > number)
    atomic_folder.replace_folder(folder, NEW)
    assert content(folder) == NEW
    assert [path.name for path in folder.parent.iterdir()] == ["case"]


KILLED = """
import os, signal, sys
from pathlib import Path
from specc.harness.goldens import atomic_folder, golden_reader
countdown = int(sys.argv[2])
def watch(event, arguments):
    global countdown
    if event in ("open", "os.rename", "os.mkdir", "shutil.rmtree", "os.remove", "os.rmdir"):
        if "case" in str(arguments):
            countdown -= 1
            if countdown < 0:
                os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
atomic_folder.replace_folder(Path(sys.argv[1]), {"a": b"new", "b": b"new" * 1000})
print("done")
"""


def test_a_writer_killed_at_any_moment_leaves_one_whole(tmp_path: Path) -> None:
    """Killed before each of its file-system calls in turn, until it gets through."""
    deaths = 0
    for moment in range(40):
        folder = tmp_path / str(moment) / "case"
        atomic_folder.replace_folder(folder, OLD)
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(folder), str(moment)], capture_output=True, text=True
        )
        found = content(folder)
        assert found in (OLD, NEW), moment
        if done.stdout == "done\n":
            assert found == NEW
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        deaths += 1
        # The next write clears up after it.
        atomic_folder.replace_folder(folder, NEW)
        assert content(folder) == NEW
        assert [path.name for path in folder.parent.iterdir()] == ["case"]
    assert 5 <= deaths < 39


WRITING = """
import sys
from pathlib import Path
from specc.harness.goldens import atomic_folder
folder, name = Path(sys.argv[1]), sys.argv[2]
input()
for _ in range(150):
    atomic_folder.replace_folder(folder, {"a": name.encode(), "b": name.encode() * 1000})
print("done")
"""


def test_two_writers_at_once_take_turns(tmp_path: Path) -> None:
    folder = tmp_path / "golden" / "case"
    atomic_folder.replace_folder(folder, {"a": b"one", "b": b"one" * 1000})
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITING, str(folder), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        said, error = writer.communicate(timeout=120)
        assert said == "done\n", error
    found = content(folder)
    assert found["b"] == found["a"] * 1000 and found["a"] in (b"one", b"two")
    assert [path.name for path in folder.parent.iterdir()] == ["case"]


FULL = """
import resource, sys
from pathlib import Path
from specc.errors import CallError
from specc.harness.goldens import atomic_folder
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
try:
    atomic_folder.replace_folder(Path(sys.argv[1]), {"a": b"new", "b": b"new" * 1000})
except CallError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are POSIX's")
def test_where_no_more_can_be_written_the_old_one_stays(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    atomic_folder.replace_folder(folder, OLD)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("E0804: cannot write the golden") and "too large" in done.stdout
    assert content(folder) == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_what_is_no_folder_in_its_place_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    for there in ("file", "link"):
        if folder.is_dir():
            shutil.rmtree(folder)
        if there == "file":
            folder.write_text("hi")
        else:
            (tmp_path / "elsewhere").mkdir()
            folder.symlink_to(tmp_path / "elsewhere")
        for content_ in (OLD, NEW):
            atomic_folder.replace_folder(folder, content_)
            assert content(folder) == content_ and not folder.is_symlink()
        assert not atomic_folder.old_folder(folder).is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"case", "elsewhere"}


def test_a_living_writer_s_folder_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        aside = tmp_path / f".case.new-{other.pid}"
        aside.mkdir()
        atomic_folder.replace_folder(tmp_path / "case", NEW)
        assert aside.is_dir()
        other.communicate(b"\n")
    atomic_folder.replace_folder(tmp_path / "case", NEW)
    assert not aside.exists()
