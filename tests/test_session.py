"""A run of ``specc test`` while it goes on, and one that is stopped: what it says and leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import ROOT, Run

from specc import front
from specc.emit import emit
from specc.harness.blessing.bless import bless

SPEC = """spec 1

model Net {
  input x: float[N, 3]
  output x -> fc: Linear(2)
}

test {
  sizes N=4
  targets eager
  modes eval
}
"""
# Marks the processes of one run: each inherits its environment.
MARK = "SPECC_TEST_RUN"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two specs with goldens; the source of one of them, in ``out``, never ends."""
    root = tmp_path_factory.mktemp("project")
    (root / "golden").mkdir()
    (root / "out").mkdir()
    for name in ("endless", "quick"):
        spec = root / f"{name}.spec"
        spec.write_text(SPEC)
        program = front.read(spec)
        bless(program, root)
        spin = "\n\n\nwhile True:\n    pass\n" if name == "endless" else ""
        (root / "out" / f"{name}.py").write_text(emit(program) + spin)
    return root


class Started:
    """``specc test`` on both specs, at work."""

    def __init__(self, project: Path, workers: int) -> None:
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self.report = project / f"report-{workers}.xml"
        arguments = ["test", "quick.spec", "endless.spec", "--source", "out", "--device", "cpu"]
        arguments += ["-n", str(workers), "--junitxml", str(self.report)]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "specc", *arguments],
            cwd=project,
            env={**environment, "PYTHONPATH": str(ROOT), MARK: self.mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def said_until(self, text: str) -> str:
        """What it says up to a line with ``text``."""
        assert self.process.stdout is not None
        lines = ""
        for line in self.process.stdout:
            lines += line
            if text in line:
                return lines
        raise AssertionError(lines)

    def rest(self) -> str:
        """What it says until it ends."""
        return self.process.communicate(timeout=60)[0]

    def left(self) -> list[str]:
        """The command lines of its processes that still run, ten seconds after it ended."""
        limit = time.monotonic() + 10
        found = self._running()
        while found and time.monotonic() < limit:
            time.sleep(0.05)
            found = self._running()
        return found

    def _running(self) -> list[str]:
        found = []
        wanted = f"{MARK}={self.mark}".encode()
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    if wanted in (folder / "environ").read_bytes().split(b"\0"):
                        found.append((folder / "cmdline").read_text())
                except OSError:  # it is gone, or not ours
                    continue
        return found


@pytest.fixture
def started(project: Path, request: pytest.FixtureRequest) -> Iterator[Started]:
    run = Started(project, request.param)
    yield run
    if run.process.poll() is None:
        os.killpg(run.process.pid, signal.SIGKILL)
    run.rest()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("started", "sent", "everyone", "name"),
    [
        (1, signal.SIGTERM, False, "SIGTERM"),
        (2, signal.SIGTERM, False, "SIGTERM"),
        # `timeout` and a terminal send theirs to all that run in the foreground.
        (2, signal.SIGTERM, True, "SIGTERM"),
        (2, signal.SIGINT, True, "Ctrl-C"),
    ],
    indirect=["started"],
)
def test_a_run_that_is_stopped_tells_what_it_judged_and_leaves_nothing_behind(
    started: Started, sent: signal.Signals, everyone: bool, name: str
) -> None:
    assert "quick.spec: 1 cell, worst" in started.said_until("1 of 2")
    if everyone:
        os.killpg(started.process.pid, sent)
    else:
        started.process.send_signal(sent)
    said = started.rest()
    assert started.process.returncode == 130, said
    assert f"stopped by {name}" in said
    assert "1 spec, 1 cell: 1 passed" in said
    assert "stopped before the end: 1 was not judged" in said
    assert "Traceback" not in said and "endless.spec" not in said
    cases = [case.get("name") for case in ElementTree.parse(started.report).iter("testcase")]
    assert cases == ["eager-cpu-float32-eval"]
    assert started.left() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends them at once")
@pytest.mark.parametrize("started", [1], indirect=True)
def test_a_run_that_is_killed_leaves_nothing_behind(started: Started) -> None:
    started.said_until("1 of 2")
    started.process.kill()
    assert started.left() == []


def test_a_run_away_from_a_terminal_says_each_spec_once(project: Path, specc: Run) -> None:
    ended = specc("test", "quick.spec", "endless.spec", "--target", "eager", cwd=project)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    skips = [line for line in lines if "skipped, as" in line or "were skipped:" in line]
    done = [line for line in lines if line.startswith(("1 of 2", "2 of 2"))]
    assert len(done) == 2 and all(line.endswith("passed") for line in done)
    # In a machine with a GPU nothing is skipped; where something is, the reason is said once.
    (counts,) = [line for line in lines if line.startswith("2 specs, ")]
    assert len(skips) == (1 if "skipped" in counts else 0)
    assert not skips or lines.index(skips[0]) < lines.index(done[0])
    # The table has the order of the call, whatever ended first.
    rows = [line.split()[0] for line in lines if line.startswith(("quick.spec ", "endless.spec "))]
    assert rows == ["quick.spec", "endless.spec"]


def test_a_line_for_each_cell_is_had_by_asking(project: Path, specc: Run) -> None:
    ended = specc("test", "quick.spec", "-v", "--device", "cpu", cwd=project)
    assert "quick.spec::eager-cpu-float32-eval passed (worst " in ended.stdout
    assert ended.returncode == 0
