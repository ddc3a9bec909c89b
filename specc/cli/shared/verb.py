"""What all verbs share: how they end (``specc.errors.Status``), and the options that several of
them take. Non-goals: any verb's own work."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn, ParamSpec

import typer

from specc.errors import CallError, SpeccError, SpecError, Status

_P = ParamSpec("_P")
# The environment variable that asks for a traceback where specc itself fails.
DEBUG = "SPECC_DEBUG"

Paths = Annotated[list[Path], typer.Argument(metavar="PATH", help="Spec files or folders.")]
SomePaths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PATH",
        help="Spec files or folders; if none is given 'specs', or else the current folder.",
        show_default=False,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Give a param of the spec another value; may be repeated.",
        show_default=False,
    ),
]

Sizes = Annotated[
    list[str] | None,
    typer.Option(
        "--size",
        metavar="NAME=NUMBER",
        help="A size of the inputs, in place of the test plan's; may be repeated.",
        show_default=False,
    ),
]


def verb(function: Callable[_P, int]) -> Callable[_P, None]:
    """``function``, ending the process with the status that it returns.

    What a user can cause never ends in a traceback: a SpeccError is rendered on standard error and
    gives its own status. Anything else that is raised is specc's own mistake, which is said in two
    lines; with ``SPECC_DEBUG`` in the environment it is raised again.
    """

    @functools.wraps(function)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            with _stopped_by_signals():
                status = function(*args, **kwargs)
                sys.stdout.flush()
        except SpeccError as error:
            show_error(error)
            status = error.exit_status
        except (KeyboardInterrupt, typer.Abort):  # the second is typer's, of a prompt
            sys.stderr.write("interrupted\n")
            status = Status.INTERRUPTED
        except BrokenPipeError:
            # The reader has gone; Python would complain again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = Status.PIPE_CLOSED
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            show_error(_defect(error))
            status = Status.DEFECT
        raise typer.Exit(status)

    # typer reads the signature of what it is given, and this one's result is not an exit status.
    return guarded


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """While open, SIGTERM and a terminal that closes interrupt as Ctrl-C does, so that what is half
    written is taken away; the second time they end the process as ever.

    What somebody else deals with, or ignores as ``nohup`` does, is left alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    mine = [number for number in asked if signal.getsignal(number) is signal.SIG_DFL]

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for each in mine:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt

    for number in mine:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)


def _defect(error: Exception) -> CallError:
    """What is said of an exception that no user should see."""
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    text = " ".join(str(error).split())
    said = f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
    return CallError(
        "E0790",
        f"this is a defect of specc, not of what it was given: {said} ({place})",
        help=f"please report it with the spec and the call; {DEBUG}=1 shows where it comes from",
    )


def show_error(error: SpeccError) -> None:
    """Write all of ``error``'s diagnostics to standard error."""
    from specc.report.terminal.diagnostics import pieces
    from specc.report.terminal.style import show, terminal_width

    sources = error.sources if isinstance(error, SpecError) else _texts(error)
    show(pieces(error.diagnostics(), sources, terminal_width(sys.stderr)), sys.stderr)


def _texts(error: SpeccError) -> dict[str, str]:
    """The text of the files that ``error`` has a place in, as far as it can be read."""
    found: dict[str, str] = {}
    for span in (item.span for item in error.diagnostics() if item.span is not None):
        with suppress(OSError, UnicodeDecodeError):
            found[span.file] = Path(span.file).read_text(encoding="utf-8")
    return found
