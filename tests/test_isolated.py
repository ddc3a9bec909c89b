"""A cell that crashes, hangs, exits or runs out of memory fails alone, and says why."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Run

from specc import front
from specc.emit import emit
from specc.errors import GoldenMissing
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import Cell, cells
from specc.harness.cases.verdict import Verdict
from specc.harness.judging import isolated as isolated_module
from specc.harness.judging.isolated import Isolated

SPEC = """spec 1

model Net {
  input x: float[N, 3]
  output x -> fc: Linear(2)
}

test {
  sizes N=4
  targets eager, torchscript
  modes eval
}
"""
# What a source does as it is imported: at worst what an extension's kernel may do as it runs.
HARM = {
    "crash": ("import ctypes; ctypes.string_at(0)", "crashed the interpreter: SIGSEGV"),
    "abort": ("import os; os.abort()", "crashed the interpreter: SIGABRT"),
    "kill": ("import os, signal; os.kill(os.getpid(), 9)", "was killed: SIGKILL"),
    "leave": ("import os; os._exit(3)", "ended the interpreter with status 3"),
    "hang": ("import time; time.sleep(600)", "took longer than 4 s and was stopped"),
}
# What it does to the process apart, or to others that look at it.
FORKS = "import os, torch; os.fork(); os.fork()"
STOPS = {
    "memory": ("torch.empty(1 << 50)", "stopped: RuntimeError"),
    "exit": ("raise SystemExit(0)", "stopped: SystemExit"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "golden").mkdir()
    spec = root / "net.spec"
    spec.write_text(SPEC)
    bless(front.read(spec), root)
    return root


@pytest.fixture(scope="module")
def isolated(project: Path) -> Iterator[Isolated]:
    # The limit is for a process that has torch: the first cell of each pays for importing it.
    found = Isolated(60, project)
    yield found
    found.close()


def cell_of(project: Path, target: str = "eager") -> Cell:
    program = front.read(project / "net.spec")
    return next(c for c in cells(program, [target], ["cpu"], ["float32"]))


def judged(isolated: Isolated, project: Path, source: str | None = None, **more: str) -> Verdict:
    return isolated.judge("net.spec", {}, cell_of(project, **more), project, source)


def test_the_verdict_comes_back_whole(isolated: Isolated, project: Path) -> None:
    verdict = judged(isolated, project)
    assert verdict.passed and verdict.compared > 0 and verdict.worst is not None
    assert verdict.seconds_torch > 0
    source = emit(front.read(project / "net.spec")).replace("return ", "return 1.01 * ", 1)
    verdict = judged(isolated, project, source)
    assert verdict.outcome == "regressed" and verdict.findings[0].floors


@pytest.mark.parametrize("harm", HARM)
def test_harm_is_one_cells_finding(project: Path, harm: str, isolated: Isolated) -> None:
    code, text = HARM[harm]
    source = emit(front.read(project / "net.spec")).rstrip() + f"\n\n\n{code}\n"
    # So that the import of torch is not what takes too long.
    runner = isolated if harm != "hang" else Isolated(4, project)
    try:
        if harm == "hang":
            runner._seconds = 60
            assert judged(runner, project).passed
            runner._seconds = 4
        verdict = judged(runner, project, source)
        assert verdict.outcome == "regressed"
        assert text in verdict.report()
        assert verdict.findings[0].file == "net.spec"
        if harm != "hang":
            assert judged(runner, project, target="torchscript").passed
    finally:
        if harm == "hang":
            runner.close()


@pytest.mark.parametrize("harm", STOPS)
def test_what_stops_a_run_is_its_finding(project: Path, harm: str, isolated: Isolated) -> None:
    code, text = STOPS[harm]
    source = emit(front.read(project / "net.spec")).replace(
        "from torch", "import torch\nfrom torch"
    )
    source = source.replace("        return", f"        {code}\n        return")
    verdict = judged(isolated, project, source)
    assert verdict.outcome == "regressed" and text in verdict.report()


def test_what_a_source_prints_is_no_reply(isolated: Isolated, project: Path) -> None:
    source = emit(front.read(project / "net.spec")).rstrip()
    source += '\n\n\nimport os\n\nprint("{}" * 9)\nos.write(1, b"{}\\n")\n'
    assert judged(isolated, project, source).passed


def test_an_error_comes_back_as_itself(isolated: Isolated, project: Path) -> None:
    (project / "other.spec").write_text(SPEC)
    with pytest.raises(GoldenMissing, match="no golden") as caught:
        isolated.judge("other.spec", {}, cell_of(project), project, None)
    assert caught.value.help


def test_nothing_in_the_folder_is_imported(project: Path) -> None:
    (project / "json.py").write_text("raise SystemExit('imported')\n")
    runner = Isolated(60, project)
    try:
        assert judged(runner, project).passed
    finally:
        runner.close()
        (project / "json.py").unlink()


def test_it_is_gone_when_it_is_closed(project: Path) -> None:
    runner = Isolated(60, project)
    judged(runner, project)
    assert runner._process is not None
    process = runner._process.pid
    runner.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    runner.close()


def test_the_command_goes_on_after_a_crash(project: Path, specc: Run) -> None:
    out = project / "out"
    out.mkdir()
    source = emit(front.read(project / "net.spec"))
    harm = "\n\n\nimport ctypes\n\n"
    (out / "net.py").write_text(source + harm + "ctypes.string_at(0)\n")
    done = specc("test", "net.spec", "--device", "cpu", "--source", "out", cwd=project)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("crashed the interpreter: SIGSEGV") >= 2
    assert "1 spec, 2 cells: 2 regressed" in done.stdout
    done = specc("test", "net.spec", "--device", "cpu", "--timeout", "-3", cwd=project)
    assert done.returncode == 2 and "E0712" in done.stderr


def test_each_of_several_processes_has_its_share_and_the_same_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(isolated_module, "cores", lambda: 4)
    alone, two, four = (isolated_module._shares(count) for count in (1, 2, 4))
    assert {shares["OMP_NUM_THREADS"] for shares in (alone, two, four)} == {"2"}
    threads = [s["TORCHINDUCTOR_COMPILE_THREADS"] for s in (alone, two, four)]
    assert threads == ["4", "2", "1"]
    assert "OMP_WAIT_POLICY" not in two and four["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setattr(isolated_module, "cores", lambda: 1)
    assert isolated_module._shares(1)["OMP_NUM_THREADS"] == "1"


def test_the_parent_does_not_import_torch(project: Path) -> None:
    code = (
        "import sys, pytest; from specc.cli.verbs.test import run;"
        "status = run(['net.spec'], ['-q', '--specc-device=cpu']);"
        "assert status == 0 and 'torch' not in sys.modules, (status, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(os.name != "posix", reason="fork is POSIX's")
def test_a_source_that_forks_answers_for_itself_alone(project: Path) -> None:
    honest = emit(front.read(project / "net.spec"))
    wrong = honest.replace("nn.Linear(3, 2)", "nn.Linear(3, 2, bias=False)")
    assert wrong != honest
    apart = Isolated(120, project)
    try:
        for _ in range(2):
            assert judged(apart, project, f"{FORKS}\n{honest}").passed
            assert not judged(apart, project, wrong).passed
    finally:
        apart.close()


def test_what_one_source_does_to_torch_reaches_no_other(project: Path) -> None:
    honest = emit(front.read(project / "net.spec"))
    patched = honest + "\n\nnn.Linear.forward = lambda layer, given: given[:, :2]\n"
    apart = Isolated(120, project)
    try:
        assert not judged(apart, project, patched).passed
        assert judged(apart, project, honest).passed
    finally:
        apart.close()
