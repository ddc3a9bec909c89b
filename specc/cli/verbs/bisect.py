"""``specc bisect``: one case under two Python environments, and the first thing that differs."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from specc.cli.shared.verb import Settings, verb
from specc.errors import CallError

if TYPE_CHECKING:
    from specc.harness.cases.matrix import Case
    from specc.ir import Program

_PYTHON = "A Python interpreter, or the folder of a virtual environment."
SECONDS = 600.0


@verb
def bisect(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="A spec file.")],
    good: Annotated[str, typer.Option(metavar="PYTHON", help=f"{_PYTHON} It is right.")],
    bad: Annotated[str, typer.Option(metavar="PYTHON", help=f"{_PYTHON} It is in question.")],
    target: Annotated[str, typer.Option(metavar="T", help="The target.")] = "eager",
    case: Annotated[
        str | None,
        typer.Option(metavar="ID", help="A case by its name, such as train.", show_default=False),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(metavar="P", help="A precision of the spec's.", show_default=False),
    ] = None,
    settings: Settings = None,
    output: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write all of it there.", show_default=False),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS", help="Stop a run that takes longer; 0: never.", show_default=False
        ),
    ] = None,
) -> int:
    """Run one case under two Python environments, and name the first value that differs.

    In eager the first operation of forward, backward or optimizer that differs is named as well,
    and run alone in float64 to say which side is wrong. Neither environment needs specc: torch,
    numpy, safetensors, lark and pydantic are enough.

    Ends with 0 if nothing differs, 1 if something does.

    \b
    Examples:
      specc bisect specs/mlp.spec --good venv-2.12 --bad venv-2.13
      specc bisect specs/gpt2.spec --good old/bin/python --bad python3.12 --case eval
    """
    from specc import front, run_choice
    from specc.bisect.environment import environment
    from specc.report.results.bisect import as_json, told
    from specc.report.terminal.style import show
    from specc.semantics.files.plan import CHOICES

    values = run_choice.settings(settings or ())
    seconds = run_choice.seconds("--timeout", timeout, SECONDS)
    target = run_choice.one("--target", target, CHOICES["targets"])
    sides = environment("good", good, seconds), environment("bad", bad, seconds)
    program = front.read(spec, values, tested=True)
    # Environments are compared on the CPU, where TF32 is an emulation of ours.
    precisions = [each for each in program.test.dtypes if each != "tf32"] or ["float32"]
    precision = run_choice.one("--dtype", dtype or precisions[0], precisions)
    chosen = _case(program, case)

    from specc.bisect.bisect import bisect as compared
    from specc.harness.cases.golden_folder import project_root

    with TemporaryDirectory(prefix="specc-bisect-") as scratch:
        found = compared(
            program,
            chosen,
            *sides,
            target=target,
            dtype=precision,
            settings=values,
            root=project_root(spec),
            scratch=Path(scratch),
            told=_progress,
        )
    _progress("")
    show(told(found))
    if output is not None:
        try:
            output.write_text(as_json(found) + "\n", encoding="utf-8")
        except OSError as error:
            raise CallError("E0703", f"cannot write {output}: {error.strerror}") from None
    return 0 if found.first is None else 1


def _case(program: Program, name: str | None) -> Case:
    """The case called ``name``; without a name the first that trains, or the first."""
    from specc import run_choice
    from specc.harness.cases.matrix import cases

    found = {each.id: each for each in cases(program)}
    if name is not None:
        return found[run_choice.one("--case", name, tuple(found))]
    training = [each for each in found.values() if each.mode == "train"]
    return (training or list(found.values()))[0]


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text[:100]}")
        sys.stderr.flush()
