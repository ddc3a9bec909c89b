"""``specc diff``: what moved between two goldens, or two git revisions of one."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from specc.cli.shared.verb import verb

_SIDE = "A golden's folder, a folder of them, a spec, or REVISION:PATH of git."


@verb
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help=_SIDE)],
    new: Annotated[str, typer.Argument(metavar="NEW", help=_SIDE)],
) -> int:
    """Show what moved between two goldens, in noise floors of the older.

    A revision alone means the other side's path in it. Values that moved by less than their noise
    are counted, not listed.

    Ends with 0 if nothing moved, 1 if something did, 3 if a golden cannot be used.

    \b
    Examples:
      specc diff HEAD~1 specs/mlp.spec
      specc diff main:specs/mlp.spec HEAD:specs/mlp.spec
      specc diff golden/specs/mlp /tmp/other/golden/specs/mlp
    """
    from specc.harness.goldens.revisions import both_sides

    with TemporaryDirectory(prefix="specc-diff-") as scratch:
        before, after = both_sides(old, new, Path(scratch))
        return _compare(before, after)


def _compare(before: dict[str, Path], after: dict[str, Path]) -> int:
    from specc.harness.goldens.golden import described
    from specc.harness.goldens.golden_change import changes
    from specc.harness.goldens.golden_reader import alone, load
    from specc.report.results.changes import settings, table
    from specc.report.terminal.style import Piece, show

    moved = False
    for name in dict.fromkeys((*before, *after)):
        shown = name if name != "." else "golden"
        if name not in before or name not in after:
            moved = True
            show([Piece(f"{shown}: only in the {'new' if name in after else 'old'}\n", "yellow")])
            continue
        one, other = (load(side[name], "specc bless SPEC") for side in (before, after))
        floors = (alone(one.header), alone(other.header))
        found = changes(one.leaves, other.leaves, *floors)
        show([Piece(f"{shown}\n", "bold"), *settings(described(one), described(other))])
        show(table(found))
        moved |= bool(found.listed)
    return int(moved)
