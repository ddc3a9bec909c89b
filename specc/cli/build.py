"""``specc build``: specs to Python source, and to a target's artefact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specc.cli.paths import spec_files
from specc.cli.verb import Settings, verb


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

    An artefact is loaded back and compared with eager before it is called done.

    \b
    Examples:
      specc build specs/mlp.spec -o out                   out/mlp.py
      specc build specs/mlp.spec --target export -o out   out/mlp.pt2 as well
      specc build specs/wgan.spec --target export -o out  out/wgan.Critic.pt2 and the others
    """
    import specc
    from specc.choice import settings as parse

    params = parse(settings or ())
    for file in spec_files(specs):
        written = specc.build(file, output, model=model, target=target, params=params, say=_note)
        for path in written:
            typer.echo(str(path))
    return 0


def _note(text: str) -> None:
    typer.echo(f"note: {text}", err=True)
