"""``specc bless --check`` and ``--review``: what a fresh blessing would change, taken or left.

Non-goals: making goldens (``specc.harness``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from specc.errors import CallError, Status
from specc.ir import Program

if TYPE_CHECKING:
    from specc.harness.blessing.golden_review import Review
    from specc.harness.goldens.golden_change import Change

_ANSWERS = "t take, l leave, a take the rest of the case, n leave it, q quit"


def check(programs: Sequence[tuple[Path, Program]]) -> int:
    """Say what blessing would change; 1 where a value moved, 3 where a golden is missing or not of
    this spec."""
    from specc.harness.blessing.golden_review import reviews
    from specc.harness.cases.golden_folder import project_root

    moved = missing = False
    for file, program in programs:
        for review in reviews(program, project_root(file)):
            if review.state == "current":
                moved |= review.changed
            else:
                missing = True
            _show(file, review)
        tell_leftover(program, project_root(file))
    return Status.FAILED if moved else Status.GOLDEN if missing else Status.WELL


def tell_leftover(program: Program, root: Path) -> None:
    """Say which goldens are of cases that the spec no longer has; they are the user's to delete."""
    from specc.harness.goldens import golden as goldens

    names = goldens.leftover(program, root)
    if names:
        typer.echo(f"  of no case of the spec any more, to be deleted: {', '.join(names)}")


def review(programs: Sequence[tuple[Path, Program]]) -> int:
    """Ask about each tensor that moved, and write what was taken. Raises CallError (E0809)."""
    from specc.harness.blessing.golden_review import reviews
    from specc.harness.cases.golden_folder import project_root
    from specc.harness.goldens import golden as goldens

    if not interactive():
        raise CallError(
            "E0809",
            "--review asks about each tensor that moved, and standard input is no terminal",
            help="in CI, --check writes nothing and says what moved",
        )
    for file, program in programs:
        root = project_root(file)
        for each in reviews(program, root):
            _show(file, each)
            if not each.changed:
                continue
            left = _asked(each)
            if left is None:
                typer.echo("nothing more is written")
                return 0
            if not _anything(each, left):
                typer.echo("left as it was")
                continue
            goldens.write(program, each.taken(left), root)
            typer.echo(f"written, {len(left)} left as they were" if left else "written")
    return 0


def interactive() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty()


def _show(file: Path, review: Review) -> None:
    from specc.harness.goldens.golden import described
    from specc.report.results.changes import settings, table
    from specc.report.terminal.safe_text import visible
    from specc.report.terminal.style import Piece, show

    show([Piece(f"{visible(str(file))}, case {review.case.id}", "bold")])
    if review.reason:
        show([Piece(f": {review.state}\n  {visible(review.reason)}\n", "yellow")])
    else:
        show([Piece("\n")])
    if review.old is not None and review.found is not None:
        now = {**described(review.old), **review.new.provenance}
        show(settings(described(review.old), now))
        show(table(review.found))


def _asked(review: Review) -> set[str] | None:
    """The names that are left; None to quit."""
    from specc.report.results.changes import line
    from specc.report.terminal.style import show

    if review.found is None or not review.found.listed:
        answer = _answer("write this golden? (t take, l leave, q quit)", "tlq")
        return None if answer == "q" else set() if answer == "t" else {"*"}
    left: set[str] = set()
    listed: Sequence[Change] = review.found.listed
    for number, change in enumerate(listed):
        show(line(change, 0))
        answer = _answer(f"{number + 1} of {len(listed)} ({_ANSWERS})", "tlanq")
        match answer:
            case "q":
                return None
            case "l":
                left.add(change.name)
            case "a":
                break
            case "n":
                left |= {later.name for later in listed[number:]}
                break
    return left


def _anything(review: Review, left: set[str]) -> bool:
    """Whether something was taken."""
    if left == {"*"}:
        return False
    listed = review.found.listed if review.found is not None else ()
    return not listed or len(left) < len(listed) or review.state == "stale"


def _answer(question: str, letters: str) -> str:
    while True:
        answer = str(typer.prompt(f"  {question} [{'/'.join(letters)}]", prompt_suffix=" "))
        if answer.strip().lower()[:1] in letters and answer.strip():
            return answer.strip().lower()[0]
