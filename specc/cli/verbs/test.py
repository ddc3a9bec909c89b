"""``specc test``: pytest on specs alone, with a summary and exit statuses of its own.

The run is closed to what happens to lie around: no configuration file, no ``conftest.py``, no
plugin that is not named here. A spec is data, and testing one from elsewhere must not run what lies
beside it; ``pytest specs/`` is the way to run with all of a project's own settings. Non-goals:
judging (``specc.harness``), collecting (``specc.pytest_plugin``).
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specc.cli.shared.paths import default_paths, spec_files
from specc.cli.shared.verb import Settings, SomePaths, verb
from specc.errors import CallError, SpeccError

if TYPE_CHECKING:
    from specc.run_choice import RunChoice


@verb
def test(
    paths: SomePaths = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="T,...", help="These targets only.", show_default=False),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="D,...", help="These devices only.", show_default=False),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(metavar="P,...", help="These precisions only.", show_default=False),
    ] = None,
    keyword: Annotated[
        str | None,
        typer.Option("-k", metavar="EXPRESSION", help="As pytest's -k.", show_default=False),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            "-n", metavar="N", help="On N processes; usually on every core.", show_default=False
        ),
    ] = None,
    junitxml: Annotated[
        Path | None,
        typer.Option(
            "--junitxml", metavar="FILE", help="Write a JUnit report.", show_default=False
        ),
    ] = None,
    require_device: Annotated[
        str | None,
        typer.Option(
            metavar="D,...", help="Fail, and do not skip, where it is missing.", show_default=False
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Judge this emitted file, or this folder's, in place of a fresh one.",
            show_default=False,
        ),
    ] = None,
    settings: Settings = None,
    first: Annotated[bool, typer.Option("-x", help="Stop at the first failure.")] = False,
    last_failed: Annotated[
        bool, typer.Option("--lf", help="Only what failed in the last run.")
    ] = False,
    repro: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write a script there for each cell that regressed: torch alone shows it.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS", help="Stop a cell that takes longer; 0: never.", show_default=False
        ),
    ] = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Judge in this process, for a debugger.")
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", help="A line for each cell.")] = False,
    quiet: Annotated[bool, typer.Option("-q", help="Nothing before the table.")] = False,
) -> int:
    """Judge specs against their goldens.

    A cell is a target on a device in a precision and a mode; all that the specs ask for are run,
    in processes apart, a core each: one that crashes or hangs fails alone.

    Ends with 0 if all passed, 1 if a number regressed or a target failed, 2 if a spec or the call
    is at fault, 3 if a golden is missing, stale or corrupt.

    With --set the goldens are to be of the same params: 'specc bless --set' with them writes such.

    \b
    Examples:
      specc test specs
      specc test specs/mlp.spec --target compile,export -k train -n 1
      specc test specs --require-device cuda --junitxml report.xml
    """
    from specc.run_choice import choose, seconds
    from specc.run_choice import settings as parse

    params = parse(settings or ())
    source = source and source.absolute()
    seconds("--timeout", timeout, 0.0)
    if junitxml is not None:
        _check_writable(junitxml)
    if repro is not None and repro.exists() and not repro.is_dir():
        raise CallError(
            "E0703", f"cannot write to the folder {str(repro)!r}: it is a file",
            help="name a folder with --repro",
        )  # fmt: skip
    choice = choose(
        target=target,
        device=device,
        dtype=dtype,
        require_device=require_device,
        settings=params,
        source=source,
    )
    options: list[str] = []
    for name, value in (
        ("--specc-target", target),
        ("--specc-device", device),
        ("--specc-dtype", dtype),
        ("--require-device", require_device),
        ("--specc-source", source),
        ("--specc-repro", repro and repro.absolute()),
        ("--specc-timeout", timeout),
        ("--junitxml", junitxml and junitxml.absolute()),
    ):
        options += [f"{name}={value}"] if value is not None else []
    options += [f"--specc-set={name}={value}" for name, value in params.items()]
    options += ["-k", keyword] if keyword is not None else []
    options += ["--specc-in-process"] if in_process else []
    options += ["-x"] if first else []
    options += ["--lf"] if last_failed else []
    return run(
        _with_cells(default_paths(paths), choice),
        options,
        workers="1" if in_process else workers,
        verbose=verbose,
        quiet=quiet,
        lives=not in_process,  # a debugger's prompt would be drawn over
    )


def run(
    items: Sequence[str],
    options: Sequence[str],
    *,
    workers: str | None = "1",
    verbose: bool = False,
    quiet: bool = False,
    lives: bool = True,
) -> int:
    """pytest on ``items`` (spec files, or ``file::cell``), on so many processes; gives the exit
    status. Raises CallError (E0712) where ``workers`` is no number."""
    start = time.perf_counter()
    # Before pytest is imported: it reads them on its way up, and xdist's workers inherit them.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for variable in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(variable, None)
    from specc.cli.shared.schedule import last_times, longest_first, processes, spec_of

    specs = list(dict.fromkeys(map(spec_of, items)))
    count = processes(workers, len(specs))
    if count > 1:
        items = longest_first(items, last_times(Path.cwd()))
        options = [*options, *_spread(count)]
    import pytest

    _check_expression(options)
    from specc.cli.shared.session import Session

    session = Session(start, specs, count, verbose=verbose, quiet=quiet, lives=lives)
    # There are no asserts to rewrite. Rewriting keeps bytecode of pytest's beside the plugin, which
    # pip does not know: it leaves a folder `specc` that hides what is installed after it.
    plain = "--assert=plain"
    closed = ["-c", os.devnull, f"--rootdir={Path.cwd()}", "--noconftest", plain]
    plugins = ["-p", "specc.pytest_plugin"]
    # The summary says what pytest's own would say again, and torch's warnings are not the spec's.
    # Nor is its progress shown, which is the session's.
    calm = ["-q", "--no-header", "--disable-warnings", "-rN", "-o", "console_output_style=classic"]
    with session.stopped_by_signals():
        ended = int(pytest.main([*closed, *calm, *plugins, *options, *items], plugins=[session]))
    return session.exit_status(ended)


def _with_cells(paths: Iterable[Path], choice: RunChoice) -> list[str]:
    """The spec files of ``paths``, where ``file.spec::cell`` keeps its cell. Raises CallError:
    E0701, E0702, and E0732 where a spec has no such cell."""
    items: list[str] = []
    for path in paths:
        name, separator, cell = str(path).partition("::")
        files = spec_files([Path(name)])
        if separator:
            for file in files:
                _check_cell(file, cell, choice)
        items += [f"{file}{separator}{cell}" for file in files]
    return list(dict.fromkeys(items))


def _check_cell(file: Path, cell: str, choice: RunChoice) -> None:
    """Raises CallError (E0732) where the spec, as the call has it, has no cell of this name; what
    is wrong with the spec itself is told by the run."""
    from specc import front
    from specc.harness.cases.matrix import cells
    from specc.suggestions import did_you_mean

    try:
        program = front.read(file, choice.settings, tested=True)
        asked = (choice.targets or None, choice.devices or None, choice.dtypes or None)
        known = [each.id for each in cells(program, *asked)]
    except SpeccError:
        return
    if cell in known:
        return
    raise CallError(
        "E0732",
        f"{file} has no cell {cell!r}",
        help=did_you_mean(cell, known, f"its first is {known[0]!r}", "{!r}"),
    )


def _check_writable(report: Path) -> None:
    """Raises CallError (E0703) where ``report`` cannot be written: better now than at the end."""
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        there = report.exists()
        with report.open("ab"):
            pass
        if not there:
            report.unlink()
    except OSError as error:
        raise CallError(
            "E0703",
            f"cannot write {str(report)!r}: {error.strerror or error}",
            help="name another file with --junitxml",
        ) from None


def _check_expression(options: Sequence[str]) -> None:
    """Raises CallError (E0712) where what follows ``-k`` is no expression of pytest's."""
    from _pytest.mark import expression

    for option, text in itertools.pairwise(options):
        if option == "-k":
            try:
                expression.Expression.compile(text)
            except SyntaxError as error:
                raise CallError(
                    "E0712",
                    f"-k takes words with and, or, not between them, and {text!r} is not that:"
                    f" {error.msg}",
                    help="write for example -k 'train and not compile'",
                ) from None


def _spread(count: int) -> list[str]:
    """Options for so many processes: the cells of a spec stay together, specs keep their order."""
    return ["-p", "xdist.plugin", "-n", str(count), "--dist=loadfile", "--no-loadscope-reorder"]
