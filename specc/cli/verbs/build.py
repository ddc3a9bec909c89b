"""``specc build``: specs to Python source, and to a target's artefact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from specc.cli.shared.paths import spec_files
from specc.cli.shared.verb import Settings, verb
from specc.errors import CallError


@verb
def build(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC", help="A spec file, or a folder.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write to.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="One of several models; otherwise all.", show_default=False
        ),
    ] = None,
    target: Annotated[
        str, typer.Option(metavar="TARGET", help="What to make: eager writes the source alone.")
    ] = "eager",
    settings: Settings = None,
) -> int:
    """Write a spec as plain PyTorch, or as a target's artefact.

    An artefact is loaded back and compared with eager before it is put in its place. All specs are
    read first: a fault in one of them, or two that would write one file, leaves the folder as it
    was.

    \b
    Examples:
      specc build specs/mlp.spec -o out                   out/mlp.py
      specc build specs/mlp.spec --target export -o out   out/mlp.pt2 as well
      specc build specs/wgan.spec --target export -o out  out/wgan.Critic.pt2 and the others
    """
    import specc
    from specc.run_choice import settings as parse

    params = parse(settings or ())
    files = spec_files(specs)
    _check_names(files, model, target, params)
    for file in files:
        written = specc.build(file, output, model=model, target=target, params=params, say=_note)
        for path in written:
            typer.echo(str(path))
    return 0


def _check_names(
    files: Sequence[Path], model: str | None, target: str, params: Mapping[str, str]
) -> None:
    """Raises CallError (E0731) where two of ``files`` would write one file."""
    from specc.api import built

    of: dict[str, Path] = {}
    for file in files:
        for name in built(file, model=model, target=target, params=params):
            if name in of:
                raise CallError(
                    "E0731",
                    f"{of[name]} and {file} would both be written as {name}",
                    help="build them into folders of their own, or rename one",
                )
            of[name] = file


def _note(text: str) -> None:
    typer.echo(f"note: {text}", err=True)
