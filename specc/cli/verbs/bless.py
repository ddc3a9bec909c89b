"""``specc bless``: the only writer of goldens."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter
from typing import Annotated

import typer

from specc.cli.shared.paths import default_paths, spec_files
from specc.cli.shared.progress import progress
from specc.cli.shared.verb import Settings, SomePaths, show_error, verb
from specc.errors import CallError, SpeccError, Status, outweighing


@verb
def bless(
    paths: SomePaths = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; say what would change.")
    ] = False,
    review: Annotated[
        bool, typer.Option("--review", help="Ask about each tensor that moved.")
    ] = False,
    settings: Settings = None,
) -> int:
    """Write the goldens of the given specs.

    Each is run in float64 on the CPU. All are read first: a fault in one of them leaves every
    golden as it was. One that then does not run keeps no other from being blessed.

    A golden goes to the folder 'golden' of the spec's project, and replaces the one that is there
    as a whole or not at all.

    With --set the goldens are of other params than the spec's own: 'specc test' with the same --set
    is held against them, and without it says that they are stale.

    With --check, for CI: ends with 0 if nothing moved, 1 if a value did, 3 if a golden is missing
    or of another spec. With --review each tensor that moved is shown in noise floors, and is taken
    or left.

    \b
    Examples:
      specc bless specs
      specc bless specs/mlp.spec
      specc bless --review specs/mlp.spec
      specc bless --set width=8 specs/mlp.spec
    """
    if check and review:
        raise CallError("E0712", "--check and --review exclude each other", help="name one of them")
    from specc import front
    from specc.harness.cases.golden_folder import project_root
    from specc.harness.cases.matrix import cases
    from specc.run_choice import settings as parse

    params = parse(settings or ())
    # All are read first: a fault in the last of them leaves every golden as it was.
    programs = [
        (file, front.read(file, params, tested=True)) for file in spec_files(default_paths(paths))
    ]
    for _, program in programs:
        cases(program)
    if check or review:
        from specc.cli.shared import review as reviewing

        return reviewing.check(programs) if check else reviewing.review(programs)
    from specc.cli.shared.review import tell_leftover
    from specc.harness.blessing.bless import bless as bless_program  # brings torch

    status = Status.WELL
    for number, (file, program) in enumerate(programs, 1):
        start = perf_counter()
        try:
            with progress() as told:
                place = f"{file} ({number} of {len(programs)})"

                def say(case: str, told: Callable[[str], None] = told, place: str = place) -> None:
                    told(f"{place}: {case}")

                written = bless_program(program, project_root(file), say=say)
        except SpeccError as error:
            # One that cannot be blessed keeps no other from it.
            show_error(error)
            status = outweighing((status, error.exit_status))
            continue
        noun = "golden" if len(written) == 1 else "goldens"
        folder = os.path.relpath(written[0].parent)
        seconds = perf_counter() - start
        typer.echo(f"{file}: {len(written)} {noun} in {folder} ({seconds:.1f} s)")
        tell_leftover(program, project_root(file))
    return status
