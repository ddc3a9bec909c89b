"""``specc show``: what a spec consists of, as a table, as data, as a picture. Never imports
torch."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from specc.cli.shared.paths import spec_files
from specc.cli.shared.verb import Settings, Sizes, verb


@verb
def show(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC", help="A spec file, or a folder.")],
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="One model of several.", show_default=False),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the graph to FILE: .svg, .png or .pdf by Graphviz, or .dot.",
            show_default=False,
        ),
    ] = None,
    size: Sizes = None,
    settings: Settings = None,
    dtype: Annotated[
        str | None,
        typer.Option(metavar="DTYPE", help="The precision of `float`.", show_default=False),
    ] = None,
    depth: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many levels of blocks to enter.")
    ] = 99,
    apart: Annotated[
        bool, typer.Option("--all", help="Show alike layers of a loop one by one.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print data instead of a table.")] = False,
) -> int:
    """Show the layers of a spec: shapes, parameters, multiply-adds, memory; what trains what.

    Sizes are those of the first row of `test`, unless --size says others.

    \b
    Examples:
      specc show specs/mlp.spec
      specc show specs/mlp.spec --size N=64 --set hidden=512
      specc show specs/gpt2.spec --plot gpt2.svg
    """
    from specc.errors import CallError
    from specc.inspect.view import view
    from specc.report.structure import dot, picture, show_json
    from specc.report.structure import show as report
    from specc.report.terminal.style import Piece
    from specc.report.terminal.style import show as write
    from specc.run_choice import settings as parse
    from specc.run_choice import sizes

    files = spec_files(specs)
    if plot is not None:
        picture.check(plot)
        if len(files) > 1:
            raise CallError("E0712", "--plot draws one spec", help="name a single file")
    params = parse(settings or ())
    asked = sizes(size or ())
    shown = [view(file, model=model, params=params, asked=asked, dtype=dtype) for file in files]
    if plot is not None:
        drawn = shown[0].graph(depth, apart)
        picture.write(dot.dot(drawn, str(files[0])), plot)
    # A file or a pipe has no edge to keep within.
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    if json:
        typer.echo(show_json.text(shown))
    for position, program in enumerate([] if json else shown):
        for each in program.models:
            write([Piece("\n")] if position or each is not program.models[0] else [])
            write(report.table(each, depth=depth, apart=apart, columns=columns))
        if program.training is not None:
            write(report.training(program.training))
    if plot is not None:
        typer.echo(str(plot), err=json)
    return 0
