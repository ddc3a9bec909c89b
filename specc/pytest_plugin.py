"""``.spec`` files as pytest items, one a cell: ``specs/mlp.spec::compile-cpu-float32-train``.

A guest in every pytest run of an environment that has specc: it imports nothing heavy until a spec
is collected, torch not before an item runs, and leaves alone the ``.spec`` files of other tools. A
spec with faults is one failing item that shows them. Non-goals: judging (``specc.harness``), the
summary of ``specc test`` (``specc.cli.shared.session``).
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from specc.errors import CallError, GoldenError, GoldenStale, SpeccError, SpecError, TargetError

if TYPE_CHECKING:
    from specc.harness.cases.matrix import Cell
    from specc.harness.cases.verdict import Verdict
    from specc.harness.judging.isolated import Isolated
    from specc.ir import Program
    from specc.run_choice import RunChoice

# Starts the name of each property in which an item says what came of it.
CELL_PROPERTY = "specc."
_CHOICE = pytest.StashKey["RunChoice"]()
_ISOLATED = pytest.StashKey["Isolated"]()
# Over what the slowest cell of a large model takes; a hang is longer than any patience.
TIMEOUT = 900.0
# PyInstaller's build files and RPM's package descriptions have the same suffix.
_FOREIGN = re.compile(rb"(?m)^(?:\w+\s*=\s*(?:Analysis|PYZ|EXE|COLLECT)\(|Name\s*:\s*\S|%\w+)")
_HEAD = 65536


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of ``specc test``, under names that are not in anybody's way."""
    group = parser.getgroup("specc", "specc: neural models in .spec files")
    group.addoption("--specc-target", metavar="T,...", help="these targets only")
    group.addoption("--specc-device", metavar="D,...", help="these devices only")
    group.addoption("--specc-dtype", metavar="P,...", help="these precisions only")
    group.addoption(
        "--specc-set", metavar="NAME=VALUE", action="append", help="give a param another value"
    )
    group.addoption(
        "--specc-source", metavar="PATH", help="judge this emitted file, or those in this folder"
    )
    group.addoption(
        "--require-device", metavar="D,...", help="fail, and do not skip, where it is missing"
    )
    group.addoption(
        "--specc-repro", metavar="FOLDER", help="write a script there for each cell that regressed"
    )
    group.addoption(
        "--specc-timeout",
        metavar="SECONDS",
        help=f"stop a cell that takes longer; 0 for never (default: {TIMEOUT:g})",
    )
    group.addoption(
        "--specc-in-process",
        action="store_true",
        help="judge in this process: for a debugger; a crash then ends the whole run",
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process that judged."""
    if _ISOLATED in config.stash:
        config.stash[_ISOLATED].close()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SpecFile | None:
    """A collector for a ``.spec`` file; None for any other, and for another tool's."""
    if file_path.suffix != ".spec":
        return None
    if not parent.session.isinitpath(file_path) and _foreign(file_path):
        return None
    return SpecFile.from_parent(parent, path=file_path)


class SpecFile(pytest.File):
    """A spec: its cells, or one item that shows its faults."""

    def collect(self) -> Iterator[pytest.Item]:
        from specc import front
        from specc.harness.cases import matrix

        try:
            choice = _choice(self.config)
            program = front.read(_short(self.path, self.config), choice.settings, tested=True)
            cells = matrix.cells(
                program, choice.targets or None, choice.devices or None, choice.dtypes or None
            )
        except SpeccError as error:
            yield FaultItem.from_parent(self, name="check", error=error)
            return
        for cell in cells:
            yield CellItem.from_parent(self, name=cell.id, program=program, cell=cell)


class _SpecItem(pytest.Item):
    """What both kinds of item share: how they say what came of them."""

    def tell(self, name: str, value: str | float) -> None:
        self.user_properties.append((CELL_PROPERTY + name, value))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A fault as its diagnostics, a verdict as its report; a traceback for a bug alone."""
        error = excinfo.value
        if isinstance(error, SpeccError):
            return _rendered(error)
        if isinstance(error, CellFailedError):
            return str(error)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


class FaultItem(_SpecItem):
    """A spec that could not be read, or a call that asks for what there is not."""

    def __init__(self, *, error: SpeccError, **rest: Any) -> None:
        super().__init__(**rest)
        self._error = error

    def runtest(self) -> None:
        self.tell("outcome", "fault")
        self.tell("reason", f"{self._error.code}: {self._error.message}")
        raise self._error


class CellFailedError(Exception):
    """A cell whose numbers are not within their floors; the message is the verdict's report."""


class CellItem(_SpecItem):
    """One cell: judged when it runs."""

    def __init__(self, *, program: Program, cell: Cell, **rest: Any) -> None:
        super().__init__(**rest)
        self._program = program
        self._cell = cell
        # torch deprecates TorchScript, and says so of its own code when inductor is imported: for
        # torch to mend. Whoever chooses the target learns it from the table of targets.
        self.add_marker(pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"))

    def runtest(self) -> None:
        choice = _choice(self.config)
        try:
            verdict = self._judge(choice)
            if verdict.outcome == "skipped":
                if verdict.device_missing:
                    self._require_device(choice, verdict.headline)
                pytest.skip(verdict.headline)
        except SpeccError as error:
            self.tell("outcome", _outcome(error))
            self.tell("reason", f"{error.code}: {error.message}")
            if isinstance(error, GoldenStale) and choice.settings:
                given = " ".join(f"--set {name}={value}" for name, value in choice.settings.items())
                error.help = (
                    "goldens are of the spec as it was blessed: leave --set out, or bless it so,"
                    f" in their place: specc bless {given} {self.path.name}"
                )
            raise
        self._report(verdict, self._other_params(choice) if not verdict.passed else ())

    def _other_params(self, choice: RunChoice) -> tuple[str, ...]:
        """What there is to say of a given source that has other params than the spec is tested
        with: a line that says so, and lines with what to type."""
        source = choice.source_of(self.path)
        if source is None:
            return ()
        from specc.emit.read_back.built_with import differing

        program, here = self._program, self.config.invocation_params.dir
        return choice.told_of_params(
            differing(program, source), program.file, program.test.params, here
        )

    def _require_device(self, choice: RunChoice, missing: str) -> None:
        if self._cell.device in choice.required_devices:
            raise CallError(
                "E0714",
                f"--require-device {self._cell.device}: {missing}",
                help="run where there is one, or leave --require-device out to skip these cells",
            )

    def _judge(self, choice: RunChoice) -> Verdict:
        from specc.harness.cases.golden_folder import project_root

        source = choice.source_of(self.path)
        root = project_root(self.path)
        if self.config.getoption("--specc-in-process"):
            return self._judge_here(root, source)
        isolated = _isolated(self.config)
        verdict = isolated.judge(
            self._program.file, choice.settings, self._cell, root, source, self._repro()
        )
        self.tell("torch_seconds", verdict.torch_seconds)
        return verdict

    def _repro(self) -> Path | None:
        folder = self.config.getoption("--specc-repro")
        return None if folder is None else Path(folder)

    def _judge_here(self, root: Path, source: str | None) -> Verdict:
        start = time.perf_counter()
        import torch  # noqa: F401 # what the first cell pays for importing torch is torch's own time

        importing = time.perf_counter() - start
        from specc.harness.judging.judge import judge, missing_device

        missing = missing_device(self._cell.device)
        if missing is not None:
            from specc.harness.cases.verdict import Verdict

            return Verdict("skipped", notes=(missing,), device_missing=True)
        with _without_trace():
            verdict = judge(self._program, self._cell, root, source=source, repro=self._repro())
        self.tell("torch_seconds", importing + verdict.torch_seconds)
        return verdict

    def _report(self, verdict: Verdict, ahead: Sequence[str]) -> None:
        if verdict.worst is not None:
            self.tell("worst", verdict.worst)
        self.tell("compared", verdict.compared)
        self.tell("not_observable", len(verdict.not_observable))
        self.tell("outcome", "passed" if verdict.passed else "regressed")
        if not verdict.passed:
            self.tell("reason", ": ".join([*ahead[:1], verdict.headline]))
            raise CellFailedError("\n".join([*ahead, verdict.report()]))


def _choice(config: pytest.Config) -> RunChoice:
    """What the options of the run choose, read once. Raises CallError as ``run_choice`` does."""
    if _CHOICE not in config.stash:
        from specc.run_choice import choose, settings

        option = config.getoption
        source = option("--specc-source")
        config.stash[_CHOICE] = choose(
            target=option("--specc-target"),
            device=option("--specc-device"),
            dtype=option("--specc-dtype"),
            require_device=option("--require-device"),
            settings=settings(option("--specc-set") or ()),
            source=None if source is None else Path(source),
        )
    return config.stash[_CHOICE]


def _isolated(config: pytest.Config) -> Isolated:
    """The process that judges the cells of this run, begun with the first. Raises CallError."""
    if _ISOLATED not in config.stash:
        from specc.harness.judging.isolated import Isolated
        from specc.run_choice import seconds

        limit = seconds("--timeout", config.getoption("--specc-timeout"), TIMEOUT)
        # pytest-xdist tells its processes how many they are.
        beside = getattr(config, "workerinput", {}).get("workercount", 1)
        config.stash[_ISOLATED] = Isolated(limit, config.invocation_params.dir, beside)
    return config.stash[_ISOLATED]


def _short(path: Path, config: pytest.Config) -> Path:
    """``path`` as a user there would write it, so that messages do too."""
    here = config.invocation_params.dir
    return path.relative_to(here) if path.is_relative_to(here) else path


@contextmanager
def _without_trace() -> Iterator[None]:
    """Keeps torch's trace of its compiler out of pytest's logs.

    pytest hangs its handlers on every logger that does not propagate, and with a handler on it this
    one is written: some hundred lines for each compilation, and the time that they take.
    """
    trace = logging.getLogger("torch.__trace")
    ours = [item for item in trace.handlers if type(item).__module__.startswith("_pytest.")]
    for handler in ours:
        trace.removeHandler(handler)
    try:
        yield
    finally:
        for handler in ours:
            trace.addHandler(handler)


def _foreign(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _FOREIGN.search(file.read(_HEAD)) is not None
    except OSError:
        return False


def _outcome(error: SpeccError) -> str:
    if isinstance(error, GoldenError):
        return "golden"
    return "regressed" if isinstance(error, TargetError) else "fault"


def _rendered(error: SpeccError) -> str:
    from specc.report.terminal.diagnostics import render

    sources = error.sources if isinstance(error, SpecError) else {}
    return render(error.diagnostics(), sources)
