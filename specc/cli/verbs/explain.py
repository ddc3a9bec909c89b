"""``specc explain``: a code of a message at length. Never imports torch."""

from __future__ import annotations

from typing import Annotated

import typer

from specc.cli.shared.verb import verb
from specc.errors import CallError


@verb
def explain(
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="[CODE]", help="The code in a message's brackets.", show_default=False
        ),
    ] = None,
) -> int:
    """Explain the code of a message.

    Why it is a fault, an example, the fix; a list of all codes where none is given.

    \b
    Examples:
      specc explain E0203
    """
    from specc.codes import CODES
    from specc.suggestions import did_you_mean

    if code is None:
        for name, row in sorted(CODES.items()):
            typer.echo(f"{name}  {row.title}")
        return 0
    wanted = code.strip().strip("[]").upper()
    if wanted[1:].isdigit():
        wanted = f"{wanted[0]}{wanted[1:]:0>4}"
    found = CODES.get(wanted)
    if found is None:
        raise CallError(
            "E0711",
            f"there is no code {code!r}",
            help=did_you_mean(wanted, CODES, "see 'specc explain'", "{}"),
        )
    typer.echo(f"{wanted}: {found.title}\n\n{found.why}")
    if found.example:
        typer.echo("\nFor example:\n\n" + _indented(found.example))
    typer.echo("\nWhat to do: " + found.fix)
    return 0


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.strip("\n").split("\n"))
