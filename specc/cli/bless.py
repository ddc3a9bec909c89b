"""``specc bless``: the only writer of goldens."""

from __future__ import annotations

import os
from time import perf_counter

import typer

from specc.cli.paths import default_paths, spec_files
from specc.cli.verb import SomePaths, verb


@verb
def bless(paths: SomePaths = None) -> int:
    """Write the goldens of the given specs.

    Each is run in float64 on the CPU.

    A golden goes to the folder 'golden' of the spec's project, and replaces the one that is there
    as a whole or not at all.

    \b
    Examples:
      specc bless specs
      specc bless specs/mlp.spec
    """
    from specc import front
    from specc.harness.place import project_root

    # All are read first: a fault in the last of them leaves every golden as it was.
    programs = [(file, front.read(file, {})) for file in spec_files(default_paths(paths))]
    from specc.harness.bless import bless as bless_program  # brings torch

    for file, program in programs:
        start = perf_counter()
        written = bless_program(program, project_root(file))
        noun = "golden" if len(written) == 1 else "goldens"
        folder = os.path.relpath(written[0].parent)
        seconds = perf_counter() - start
        typer.echo(f"{file}: {len(written)} {noun} in {folder} ({seconds:.1f} s)")
    return 0
