"""The plugin collects, names, skips, reports, stays out of the way.

The judge is a stand-in, so that nothing here takes a model's time.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from conftest import ROOT, Run

from specc import api, front, run_choice
from specc.errors import GoldenMissing, GoldenStale, TargetError
from specc.harness.cases.matrix import Cell
from specc.harness.cases.verdict import Finding, Verdict
from specc.harness.judging import judge
from specc.ir import Program
from specc.report.terminal.diagnostics import render

GOOD = """spec 1

model Net {
  input x: float[N, 4]
  y = x -> fc: Linear(2)
  output y
}

test {
  sizes N=4
  modes eval
  targets eager, compile
}
"""
FAULTY = GOOD.replace("Linear(2)", "Linaer(2)")
PASSED = Verdict("passed", 1.5, (), ("step0/grad/b",), seconds_torch=0.25, compared=3)
REGRESSED = Verdict(
    "regressed",
    worst=813.0,
    findings=(Finding("step0/output/y", "values", "a.spec", 5, "off by 813 floors", 813.0),),
)
INSTALLED = bool(entry_points(group="pytest11", name="specc"))

Judge = Callable[[Program, Cell], Verdict]


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """All that a run imports: pytester forgets what came after it, and torch bears one import."""
    assert judge.judge and api.stem_of("a.spec") and run_choice.choose()
    assert front.check_text(GOOD)[0] is not None
    assert render([], {}) == ""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(judge, "missing_device", lambda device: None)
    return Project(pytester, monkeypatch)


class Project:
    """A folder with specs, and pytest run in it with a stand-in for the judge."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pytester = pytester
        self.judged: list[tuple[str, str | None]] = []
        self.verdicts: dict[str, Verdict | Exception] = {}
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        monkeypatch.setattr(judge, "judge", self._judge)

    def _judge(
        self,
        program: Program,
        cell: Cell,
        root: Path,
        source: str | None = None,
        repro: Path | None = None,
    ) -> Verdict:
        self.judged.append((cell.id, source))
        result = self.verdicts.get(cell.target, PASSED)
        if isinstance(result, Exception):
            raise result
        return result

    def spec(self, name: str = "specs/net.spec", text: str = GOOD) -> Path:
        path = self.pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, *arguments: str) -> pytest.RunResult:
        here = ("-p", "specc.pytest_plugin", "--specc-in-process")
        return self.pytester.runpytest_inprocess(*here, *arguments)


def test_items_are_the_cells_of_the_matrix(project: Project) -> None:
    project.spec()
    result = project.run("specs", "--collect-only", "-q", "--specc-device", "cpu")
    result.stdout.fnmatch_lines(
        [
            "specs/net.spec::eager-cpu-float32-eval",
            "specs/net.spec::compile-cpu-float32-eval",
        ]
    )
    assert project.judged == []


def test_a_cell_passes_or_shows_its_report_without_a_traceback(project: Project) -> None:
    project.spec()
    project.verdicts["compile"] = REGRESSED
    result = project.run("specs", "--specc-device", "cpu")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["first bad value: step0/output/y", "  a.spec:5"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_reports_carry_what_the_summary_needs(project: Project) -> None:
    project.spec()
    project.verdicts["compile"] = REGRESSED
    project.run("specs", "--specc-device=cpu", "--junitxml=report.xml")
    tree = ElementTree.parse(project.pytester.path / "report.xml")
    told = {
        case.attrib["name"]: {
            item.attrib["name"]: item.attrib["value"] for item in case.iter("property")
        }
        for case in tree.iter("testcase")
    }
    assert told["eager-cpu-float32-eval"]["specc.outcome"] == "passed"
    assert told["eager-cpu-float32-eval"]["specc.worst"] == "1.5"
    assert told["eager-cpu-float32-eval"]["specc.compared"] == "3"
    assert told["eager-cpu-float32-eval"]["specc.not_observable"] == "1"
    assert float(told["eager-cpu-float32-eval"]["specc.torch_seconds"]) >= 0.25
    assert told["compile-cpu-float32-eval"]["specc.outcome"] == "regressed"
    assert "step0/output/y" in told["compile-cpu-float32-eval"]["specc.reason"]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (GoldenMissing("E0801", "no golden", help="make it"), "golden"),
        (TargetError("E0902", "refused"), "regressed"),
    ],
)
def test_an_error_is_rendered_with_its_code(
    project: Project, error: Exception, outcome: str
) -> None:
    project.spec()
    project.verdicts["eager"] = error
    result = project.run("specs", "--specc-target=eager", "--specc-device=cpu", "--junitxml=r.xml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"error?{error.code}?: *"])  # type: ignore[attr-defined] # SpeccError
    result.stdout.no_fnmatch_line("*Traceback*")
    assert f'value="{outcome}"' in (project.pytester.path / "r.xml").read_text("utf-8")


def test_a_golden_that_set_makes_stale_is_not_to_be_blessed_again(project: Project) -> None:
    project.spec(text=GOOD.replace("spec 1\n", "spec 1\n\nparam width: int = 2\n"))
    stale = GoldenStale("E0803", "param width was 2 and is 3", help="specc bless net.spec")
    project.verdicts["eager"] = stale
    options = ("specs", "--specc-target=eager", "--specc-device=cpu")
    project.run(*options).stdout.fnmatch_lines(["*specc bless net.spec"])
    project.run(*options, "--specc-set=width=3").stdout.fnmatch_lines(["*leave --set out*"])


def test_a_spec_with_faults_is_one_failing_item_that_shows_them(project: Project) -> None:
    project.spec(text=FAULTY)
    project.spec("specs/good.spec")
    result = project.run("specs", "--specc-target=eager", "--specc-device=cpu")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "error[[]E0201[]]: *Linaer*",
            " *--> specs/net.spec:5:16",
            "5 |   y = x -> fc: Linaer(2)",
            "* = help: write `Linear(2)`",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_missing_device_skips_with_the_reason(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        judge, "missing_device", lambda device: None if device == "cpu" else "no CUDA device: none"
    )
    project.spec()
    result = project.run("specs", "-rs", "--specc-target=eager")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*no CUDA device: none"])
    assert [name for name, _ in project.judged] == ["eager-cpu-float32-eval"]


def test_a_required_device_that_is_missing_fails(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        judge, "missing_device", lambda device: None if device == "cpu" else "no CUDA device: none"
    )
    project.spec()
    result = project.run("specs", "--specc-target=eager", "--require-device=cuda")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["error?E0714?: --require-device cuda: no CUDA device: none"])


def test_the_options_override_the_spec(project: Project) -> None:
    text = GOOD.replace("spec 1\n", "spec 1\n\nparam width: int = 2\n")
    project.spec(text=text.replace("(2)", "(width)"))
    result = project.run(
        "specs",
        "--specc-target=torchscript,export",
        "--specc-device=cpu",
        "--specc-dtype=float64",
        "--specc-set=width=3",
    )
    result.assert_outcomes(passed=2)
    assert [name for name, _ in project.judged] == [
        "torchscript-cpu-float64-eval",
        "export-cpu-float64-eval",
    ]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--specc-target=egaer", "did you mean 'eager'?"),
        ("--specc-device=xla0", "there is cpu, cuda"),
        ("--specc-dtype=", "--dtype is empty"),
        ("--specc-set=width", "NAME=VALUE"),
        ("--specc-source=nowhere.py", "there is no '*nowhere.py'"),
    ],
)
def test_an_option_that_makes_no_sense_is_said(project: Project, option: str, said: str) -> None:
    project.spec()
    result = project.run("specs", option)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{said}*"])
    assert project.judged == []


def test_edited_source_is_judged_in_place_of_a_fresh_one(project: Project) -> None:
    project.spec()
    folder = project.pytester.path / "out"
    folder.mkdir()
    (folder / "net.py").write_text("edited = True\n", encoding="utf-8")
    project.run("specs", "--specc-target=eager", "--specc-device=cpu", "--specc-source=out")
    project.run("specs", "--specc-target=eager", "--specc-device=cpu", "--specc-source=out/net.py")
    assert [source for _, source in project.judged] == ["edited = True\n"] * 2


def test_a_source_of_other_params_is_said_ahead_of_what_regressed(project: Project) -> None:
    path = project.spec(text=GOOD.replace("model Net", "param width: int = 2\n\nmodel Net"))
    path.write_text(path.read_text("utf-8").replace("(2)", "(width)"), encoding="utf-8")
    api.build(path, project.pytester.path / "out", params={"width": 3})
    project.verdicts["eager"] = REGRESSED
    result = project.run("specs", "--specc-device=cpu", "--specc-source=out")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "the source has width=3, and the spec is tested with width=2",
            "  to test what the spec says: specc build specs/net.spec --set width=2 -o out",
            "  to test what was built: specc bless specs/net.spec --set width=3, then*",
            "first bad value: step0/output/y",
        ]
    )


def test_a_folder_without_the_source_of_a_spec_fails(project: Project) -> None:
    project.spec()
    (project.pytester.path / "out").mkdir()
    result = project.run("specs", "--specc-device=cpu", "--specc-source=out", "-x")
    result.stdout.fnmatch_lines(["error?E0701?: cannot read 'out?net.py': *"])
    assert project.judged == []


def test_selection_works_as_for_any_test(project: Project) -> None:
    project.spec()
    project.verdicts["compile"] = REGRESSED
    project.run("specs", "--specc-device=cpu")
    project.judged.clear()
    project.run("specs", "--specc-device=cpu", "--lf")
    assert [name for name, _ in project.judged] == ["compile-cpu-float32-eval"]
    project.judged.clear()
    project.run("specs", "--specc-device=cpu", "-k", "eager")
    assert [name for name, _ in project.judged] == ["eager-cpu-float32-eval"]
    project.judged.clear()
    project.run("specs/net.spec::eager-cpu-float32-eval")
    assert [name for name, _ in project.judged] == ["eager-cpu-float32-eval"]


def test_a_bug_is_no_pass_and_keeps_its_traceback(project: Project) -> None:
    project.spec()
    project.verdicts["eager"] = ZeroDivisionError("inside")
    result = project.run("specs", "--specc-target=eager", "--specc-device=cpu")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ZeroDivisionError: inside*"])


@pytest.mark.parametrize(
    "foreign",
    [
        "# -*- mode: python -*-\na = Analysis(\n    ['main.py'],\n)\npyz = PYZ(a.pure)\n",
        "Name:           hello\nVersion:        2.10\n\n%prep\n%autosetup\n",
    ],
    ids=["PyInstaller", "RPM"],
)
def test_the_spec_files_of_other_tools_are_left_alone(project: Project, foreign: str) -> None:
    project.spec("app.spec", foreign)
    project.pytester.makepyfile("def test_theirs():\n    assert True\n")
    project.run().assert_outcomes(passed=1)
    # Named on the command line, it is meant.
    project.run("app.spec").assert_outcomes(failed=1)


GUEST = """
import sys, time
start = time.perf_counter()
import specc.pytest_plugin
took = time.perf_counter() - start
heavy = {"torch", "numpy", "lark", "pydantic", "rich", "typer", "safetensors"} & set(sys.modules)
print(took, *heavy)
"""


def test_the_plugin_is_a_light_guest() -> None:
    # Timed after pytest, which has imported the standard library that both use; the best of five,
    # since the machine may be busy.
    times = []
    for _ in range(5):
        ended = subprocess.run(
            [sys.executable, "-c", "import pytest" + GUEST],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        took, *heavy = ended.stdout.split()
        assert heavy == []
        times.append(float(took))
    assert min(times) < 0.020


def test_a_run_without_specs_imports_nothing_of_ours(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_what_is_imported():
            ours = {name for name in sys.modules if name.startswith("specc")}
            assert ours <= {"specc", "specc.errors", "specc.pytest_plugin"}
            assert "torch" not in sys.modules and "lark" not in sys.modules
        """
    )
    plugin = () if INSTALLED else ("-p", "specc.pytest_plugin")
    path = pytester.path
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, "-p", "no:hypothesispytest", str(path)],
        cwd=path,
        env={**_environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout


def _environment() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def test_specc_test_is_closed_to_what_lies_around(specc: Run, tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "net.spec").write_text(FAULTY, encoding="utf-8")
    trap = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n"
    (tmp_path / "specs" / "conftest.py").write_text(trap, encoding="utf-8")
    (tmp_path / "specs" / "test_it.py").write_text(trap, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    ended = specc("test", "specs", environment={"PYTEST_ADDOPTS": "--no-such-option"})
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "FAULT specs/net.spec::check: E0201: " in ended.stdout
    assert "1 spec, 1 cell: 1 fault" in ended.stdout
    assert not (tmp_path / "specs" / "ran").exists()


def test_a_wrong_expression_is_said_once(specc: Run, tmp_path: Path) -> None:
    (tmp_path / "net.spec").write_text(FAULTY, encoding="utf-8")
    wrong = specc("test", ".", "-k", "a and (b")
    assert wrong.returncode == 2
    assert wrong.stderr.count("E0712") == 1 and "no cell was run" not in wrong.stdout
    nothing = specc("test", ".", "-k", "nothing")
    assert nothing.returncode == 2 and "no cell was run" in nothing.stdout


def test_the_summary_is_the_same_from_several_processes(specc: Run, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"net{number}.spec").write_text(FAULTY, encoding="utf-8")
    ended = specc("test", ".", "-n", "2")
    assert ended.returncode == 2, ended.stdout + ended.stderr
    for number in range(3):
        assert f"FAULT net{number}.spec::check: E0201: " in ended.stdout
    assert "3 specs, 3 cells: 3 fault" in ended.stdout


def _report(outcome: str | None, *, passed: bool = False, skipped: bool = False) -> Any:
    properties = [] if outcome is None else [("specc.outcome", outcome)]
    return pytest.TestReport(
        nodeid=f"a.spec::{outcome}-{passed}",
        location=("a.spec", None, "cell"),
        keywords={},
        outcome="skipped" if skipped else "passed" if passed else "failed",
        longrepr=("a.spec", 1, "Skipped: why") if skipped else None if passed else "text",
        when="call",
        user_properties=properties,
    )


@pytest.mark.parametrize(
    ("outcomes", "ended", "status"),
    [
        (["passed"], 0, 0),
        (["passed", "golden"], 1, 3),
        (["golden", "fault"], 1, 2),
        (["golden", "fault", "regressed"], 1, 1),
        ([None], 1, 1),
        ([], 5, 2),
        ([], 4, 2),
        ([], 3, 70),
        ([], 2, 70),
    ],
)
def test_the_exit_status_is_that_of_the_worst_cell(
    outcomes: list[str | None], ended: int, status: int
) -> None:
    from specc.cli.shared.session import Session

    session = Session(0.0)
    for outcome in outcomes:
        session.pytest_runtest_logreport(_report(outcome, passed=outcome == "passed"))
    assert session.exit_status(ended) == status


def test_an_interrupted_run_is_neither_passed_nor_regressed() -> None:
    from specc.cli.shared.session import Session

    session = Session(0.0)
    session.pytest_runtest_logreport(_report("regressed"))
    with pytest.raises(KeyboardInterrupt) as caught:
        raise KeyboardInterrupt
    session.pytest_keyboard_interrupt(caught)
    assert session.exit_status(2) == 130


def test_a_run_that_stops_at_the_first_failure_was_not_interrupted(
    specc: Run, tmp_path: Path
) -> None:
    for number in range(6):
        (tmp_path / f"net{number}.spec").write_text(FAULTY, encoding="utf-8")
    ended = specc("test", ".", "-x", "-n", "2", "-q")
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "FAULT net0.spec::check: E0201: " in ended.stdout
    assert "1 of 6" not in ended.stdout


@pytest.mark.parametrize("parallel", [(), ("-n", "2")], ids=["alone", "parallel"])
def test_no_bytecode_is_left_that_pip_does_not_know(
    specc: Run, tmp_path: Path, parallel: tuple[str, ...]
) -> None:
    # Each spec is one process's.
    for name in ("net.spec", "other.spec"):
        (tmp_path / name).write_text(FAULTY, encoding="utf-8")
    kept = tmp_path / "bytecode"
    environment = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(kept)}
    assert specc("test", ".", *parallel, environment=environment).returncode == 2
    assert list(kept.rglob("pytest_plugin.*.pyc"))
    assert not [path for path in kept.rglob("*-pytest-*.pyc") if "specc" in path.parts]
