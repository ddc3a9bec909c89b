"""``specc bench``: how fast specs are in their targets, against eager and against a saved run."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from specc.cli.shared.paths import default_paths, spec_files
from specc.cli.shared.verb import Settings, Sizes, SomePaths, verb
from specc.errors import CallError, Status


@verb
def bench(
    paths: SomePaths = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="T,...", help="These targets, and eager, alone.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(metavar="D", help="On this device.")] = "cpu",
    seconds: Annotated[
        float,
        typer.Option(metavar="S", min=0.01, help="Time for each spec's forward, and its step."),
    ] = 3.0,
    save: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Keep the run in .benchmarks.", show_default=False),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|latest", help="Show a saved run beside this one.", show_default=False
        ),
    ] = None,
    sizes: Sizes = None,
    settings: Settings = None,
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", help="Print pytest-benchmark's tables too.")
    ] = False,
) -> int:
    """Time specs: the forward pass and the training step in each target, next to eager.

    The targets of a spec take turns, so that what else the machine does falls on all of them.

    Ends with 1 if a target cannot take a spec.

    \b
    Examples:
      specc bench specs/mlp.spec
      specc bench specs --target compile --save before
      specc bench specs --target compile --compare before
    """
    from importlib.util import find_spec

    from specc import front, run_choice
    from specc.semantics.files.plan import CHOICES

    given = run_choice.sizes(sizes or ())
    params = run_choice.settings(settings or ())
    asked = run_choice.choose(target=target).targets
    device = run_choice.one("--device", device, CHOICES["devices"])
    if find_spec("pytest_benchmark") is None:
        raise CallError(
            "E0713",
            "specc bench needs pytest-benchmark, and it is not installed",
            help="pip install 'specc[bench]'",
        )
    programs = [front.read(file, params) for file in spec_files(default_paths(paths))]
    from specc.measure.bench import Job  # brings torch
    from specc.measure.bench import bench as run
    from specc.report.results.bench import as_json, table
    from specc.report.terminal.style import show

    jobs = [Job(program, asked or program.test.targets, device, given) for program in programs]
    progress = sys.stderr.isatty()

    def tell(text: str) -> None:
        if progress:
            typer.echo(f"timing {text}", err=True)

    rows, against = run(
        jobs, seconds=seconds, save=save, compare=compare, verbose=verbose, tell=tell
    )
    if json:
        typer.echo(as_json(rows))
    else:
        show(table(rows, against))
    return Status.FAILED if any(row.fault for row in rows) else Status.WELL
