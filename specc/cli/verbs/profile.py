"""``specc profile``: where the time and the memory of a spec go, by its lines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from specc.cli.shared.paths import spec_files
from specc.cli.shared.verb import Settings, Sizes, verb
from specc.errors import CallError


@verb
def profile(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="A spec file.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="RUN", help="The folder for the trace; made for it alone."
        ),
    ],
    target: Annotated[str, typer.Option(metavar="T", help="Profile this target.")] = "eager",
    device: Annotated[str, typer.Option(metavar="D", help="On this device.")] = "cpu",
    mode: Annotated[
        str, typer.Option(metavar="train|eval", help="A training step, or the forward pass alone.")
    ] = "train",
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="Steps that are counted.")] = 5,
    warmup: Annotated[int, typer.Option(metavar="N", min=0, help="Steps before those.")] = 3,
    sizes: Sizes = None,
    settings: Settings = None,
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> int:
    """Profile a spec: time and memory by spec line, and a trace for TensorBoard.

    Several profiles may go to one RUN: TensorBoard shows them side by side.

    \b
    Examples:
      specc profile specs/mlp.spec -o runs/mlp
      specc profile specs/mlp.spec --target compile --size N=256 -o runs/mlp
      tensorboard --logdir runs                  pip install 'specc[profile]'
    """
    from specc import front, run_choice
    from specc.semantics.files.plan import CHOICES

    if spec.is_dir():
        raise CallError("E0712", f"profile takes one spec, and {str(spec)!r} is a folder")
    (file,) = spec_files([spec])
    program = front.read(file, run_choice.settings(settings or ()))
    target = run_choice.one("--target", target, CHOICES["targets"])
    device = run_choice.one("--device", device, CHOICES["devices"])
    mode = run_choice.one("--mode", mode, CHOICES["modes"])
    given = run_choice.sizes(sizes or ())
    # Before torch is imported: its profiler and its allocator write lines of their own.
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from specc.measure.profile import profile as run
    from specc.report.results.profile import as_json, pieces
    from specc.report.terminal.style import show, terminal_width

    found = run(
        program,
        output,
        target=target,
        device=device,
        mode=mode,
        sizes=given,
        steps=steps,
        warmup=warmup,
    )
    if json:
        typer.echo(as_json(found))
    else:
        show(pieces(found, terminal_width()))
    return 0
