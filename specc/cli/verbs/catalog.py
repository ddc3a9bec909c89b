"""``specc catalog``: what a spec may name. Never imports torch, but for ``--drift``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specc.cli.shared.verb import verb

if TYPE_CHECKING:
    from specc.catalog.rows import Row


@verb
def catalog(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="What to explain.", show_default=False),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="One kind alone, such as 'layer'.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print data instead of text.")] = False,
    drift: Annotated[
        bool, typer.Option("--drift", help="Compare every row with the installed torch.")
    ] = False,
) -> int:
    """List what a spec may name, or explain one of it.

    Layers, losses, functions, optimizers and so on, by torch's names: signature, shapes, an
    example, torch's page; and the blocks of the library, with what they say. With --drift: what
    the installed torch has otherwise; ends with 1 if there is anything.

    \b
    Examples:
      specc catalog --kind loss
      specc catalog Conv2d
      specc catalog DropPath
      specc catalog --drift
    """
    from specc.catalog import std
    from specc.catalog.examples import KINDS
    from specc.catalog.row_notation import plural
    from specc.errors import CallError
    from specc.extensions import catalogue_at
    from specc.report.structure import catalogue, catalogue_json, library_listing
    from specc.report.terminal.style import show, terminal_width
    from specc.suggestions import did_you_mean

    every = (*KINDS, std.KIND)
    if kind is not None and not any(kind in (each, plural(each)) for each in every):
        raise CallError(
            "E0712", f"there is no kind {kind!r}", help=f"the kinds are {', '.join(every)}"
        )
    if drift:
        return _drift(json)
    # Those of the extensions that the project here names are behind torch's.
    project = catalogue_at(Path.cwd())
    tables = {each: project.tables.get(each, table) for each, table in KINDS.items()}
    kinds = {each: tables[each] for each in KINDS if kind in (None, each, plural(each))}
    blocks = std.BLOCKS if kind in (None, std.KIND, plural(std.KIND)) else {}
    if name is None:
        if json:
            sys.stdout.write(
                catalogue_json.text(_all(kinds), library_listing.data(blocks.values()))
            )
        else:
            show(catalogue.listing(kinds, terminal_width()))
            if blocks:
                show(library_listing.listing(terminal_width()))
        return 0
    own = [blocks[name]] if name in blocks else []
    found = [(each, row) for each, row in _all(kinds) if row.name == name]
    if not found and not own:
        known = [*(row.name for _, row in _all(kinds)), *blocks]
        raise CallError(
            "E0712",
            f"there is nothing called {name!r} in the catalogue",
            help=did_you_mean(name, known, "list what there is: specc catalog", "{!r}"),
        )
    if json:
        sys.stdout.write(catalogue_json.text(found, library_listing.data(own)))
        return 0
    from specc.catalog.examples import explained
    from specc.inspect.row_shapes import entry

    for position, (each, row) in enumerate(found):
        sys.stdout.write("\n" if position else "")
        lines = explained(each, row)
        shapes = entry(each, row, project)
        origin = project.origins.get(row.name, "")
        show(catalogue.row_at_length(each, row, shapes, lines, terminal_width(), origin))
    for block in own:
        sys.stdout.write("\n" if found else "")
        show(library_listing.at_length(block))
    return 0


def _all(kinds: Mapping[str, Mapping[str, Row]]) -> list[tuple[str, Row]]:
    return [(kind, row) for kind, table in kinds.items() for row in table.values()]


def _drift(json: bool) -> int:
    from dataclasses import asdict

    from specc.drift.coverage import drift as compare  # brings torch
    from specc.report.structure import catalogue, catalogue_json
    from specc.report.terminal.style import show

    found = compare()
    if json:
        sys.stdout.write(catalogue_json.data(asdict(found)))
    else:
        show(catalogue.drifted(found.torch, found.new, found.gone, found.changed, found.later))
    return 0 if found.none else 1
