"""The ``specc`` command: the table of verbs and ``--version``. Non-goals: what a verb does."""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated

import typer

from specc.cli.verbs.bench import bench
from specc.cli.verbs.bisect import bisect
from specc.cli.verbs.bless import bless
from specc.cli.verbs.build import build
from specc.cli.verbs.catalog import catalog
from specc.cli.verbs.check import check
from specc.cli.verbs.diff import diff
from specc.cli.verbs.explain import explain
from specc.cli.verbs.mutate import mutate
from specc.cli.verbs.profile import profile
from specc.cli.verbs.show import show
from specc.cli.verbs.test import test
from specc.errors import Status

# rich's help and tracebacks cost more time than the whole of `specc explain`.
app = typer.Typer(
    name="specc",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _verb in (
    check,
    show,
    build,
    test,
    bless,
    diff,
    bisect,
    mutate,
    profile,
    bench,
    catalog,
    explain,
):
    app.command()(_verb)


@app.callback(invoke_without_command=True)
def specc(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print specc's version and end.")
    ] = False,
    torch: Annotated[
        bool, typer.Option("--torch", help="With --version: torch's as well, and what it runs on.")
    ] = False,
) -> None:
    """Neural models as text: checked, built as plain PyTorch, their numbers guarded by goldens.

    \b
    specc check specs                        every fault, with its line
    specc build specs/mlp.spec -o out        out/mlp.py, plain PyTorch
    specc bless specs && specc test specs    write the goldens, judge against them
    """
    if version:
        _print_version(torch)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(Status.WELL if len(sys.argv) < 2 else Status.FAULT)


def _print_version(with_torch: bool) -> None:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        typer.echo(f"specc {installed('specc')}")
    except PackageNotFoundError:
        typer.echo("specc (run from its source tree, not installed)")
    if with_torch:
        import torch

        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device"
        typer.echo(f"torch {torch.__version__} ({device}, {torch.get_num_threads()} CPU threads)")


def main() -> None:
    """Run the command line on ``sys.argv`` and end the process with the verb's exit status."""
    # pydantic would look through every installed distribution for plugins, and run what it finds.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    for stream in (sys.stdout, sys.stderr):
        # A message quotes the spec: what this terminal cannot encode is escaped, not a crash.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # What a verb imports stays: Python would walk it a hundred times while it comes.
    gc.set_threshold(10_000)
    app(prog_name="specc")
