"""``specc mutate``: how much of what can go wrong would these goldens catch?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specc.cli.shared.paths import default_paths, spec_files
from specc.cli.shared.progress import progress
from specc.cli.shared.verb import SomePaths, show_error, verb
from specc.errors import CallError, GoldenError, Status, TargetError, outweighing

if TYPE_CHECKING:
    from specc.mutate.fault import Fault


@verb
def mutate(
    paths: SomePaths = None,
    fault: Annotated[
        str | None,
        typer.Option(metavar="F,...", help="These faults only.", show_default=False),
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option(metavar="MODULE", help="Also the FAULTS of a module.", show_default=False),
    ] = None,
    target: Annotated[
        str,
        typer.Option(metavar="T,...", help="Targets among the honest variants, beside eager."),
    ] = "",
    every: Annotated[
        bool, typer.Option("--all", help="Every case and every target, not the first and eager.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Say which faults there are.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write all of it there.", show_default=False),
    ] = None,
) -> int:
    """Put one known fault at a time into a spec's case, and count what its golden catches.

    Honest variants (threads, layouts, optimizers' implementations, targets) must pass meanwhile.
    Both are judged by specc, by torch.testing.assert_close and by the rule of torch's compiler
    benchmarks, on the same runs.

    Ends with 0 if all faults are caught and nothing honest fails, else with 1.

    \b
    Examples:
      specc mutate specs/mlp.spec
      specc mutate specs --all --json mutate.json
      specc mutate specs/mlp.spec --fault tf32,eps --faults my_faults
    """
    from specc.mutate.fault import from_module
    from specc.mutate.faults import FAULTS

    known: list[Fault] = [*FAULTS, *(each for name in faults or () for each in from_module(name))]
    _apart(known)
    chosen = _chosen(known, fault)
    if listed:
        for each in chosen:
            incident = f" ({each.incident})" if each.incident else ""
            typer.echo(f"{each.name}: {each.summary}{incident}")
        return 0
    return _measure(paths, chosen, target, every, output)


def _apart(known: list[Fault]) -> None:
    names = [each.name for each in known]
    for name in names:
        if names.count(name) > 1:
            raise CallError(
                "E0719", f"two faults are called {name!r}", help="give yours another name"
            )


def _chosen(known: list[Fault], text: str | None) -> list[Fault]:
    from specc.run_choice import names

    by_name = {each.name: each for each in known}
    return [by_name[name] for name in names("--fault", text, list(by_name))] or known


def _measure(
    paths: list[Path] | None, chosen: list[Fault], target: str, every: bool, output: Path | None
) -> int:
    from specc import front
    from specc.harness.cases.golden_folder import project_root
    from specc.ir.targets import TARGET_NAMES
    from specc.mutate.run import Result, mutate
    from specc.report.results.mutate import as_json, table
    from specc.report.terminal.style import show
    from specc.run_choice import choose

    if output is not None and (output.is_dir() or not output.absolute().parent.is_dir()):
        raise CallError("E0703", f"cannot write {str(output)!r}", help="name a file to be written")
    asked = choose(target=target or (",".join(TARGET_NAMES[1:]) if every else None))
    targets = tuple(name for name in asked.targets if name != "eager")
    programs = [
        (file, front.read(file, {}, tested=True)) for file in spec_files(default_paths(paths))
    ]
    whole = Result()
    status = Status.WELL
    for file, program in programs:
        try:
            with progress() as told:
                found = mutate(
                    program,
                    project_root(file),
                    chosen,
                    targets=targets,
                    every_case=every,
                    told=told,
                )
        except (GoldenError, TargetError) as error:
            # What was measured of the other specs is not lost for one that cannot be.
            show_error(error)
            status = outweighing((status, error.exit_status))
            continue
        whole.faults += found.faults
        whole.honest += found.honest
        whole.skipped += found.skipped
    if not whole.faults and not status:
        names = ", ".join(each.name for each in chosen[:4])
        raise CallError(
            "E0719",
            f"there is no place for {names if len(chosen) < 5 else 'any fault'} in these specs",
            help="specc mutate --list says what each is; name others, or other specs",
        )
    show(table(whole, {each.name: each.summary for each in chosen}))
    if output is not None:
        try:
            output.write_text(as_json(whole) + "\n")
        except OSError as error:
            raise CallError("E0703", f"cannot write {output}: {error.strerror}") from None
    missed = any(not each.caught["specc"] for each in whole.faults)
    failed = missed or any(each.caught["specc"] for each in whole.honest)
    return Status.FAILED if failed else status
