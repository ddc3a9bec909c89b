"""A Python environment that runs a case: found, asked, and told of where it fails. Torch-free.

The runner there executes specc's own code from here, so that the environment needs no specc, but
what it imports. What the runner prints is kept for the day it crashes; its results are files.
Non-goals: what runs there (``runner``), what is made of it (``bisect``).
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from specc.errors import CallError
from specc.harness.running.process import end, reason, too_long

if TYPE_CHECKING:
    from specc.bisect.results import Reply, Request

# Puts specc and its grammar alone in the way of imports: the folder that holds them may hold this
# environment's torch as well. The current folder is not on the path, for it is not trusted.
_START: Final = """
import importlib.util, sys
sys.path[:] = [entry for entry in sys.path if entry]
def put(name, folder):
    spec = importlib.util.spec_from_file_location(
        name, folder + "/__init__.py", submodule_search_locations=[folder])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
put("specc", sys.argv[1])
put("specc.grammars", sys.argv[2])
from specc.bisect.runner import main
main(sys.argv[3])
"""
# What a runner imports that is no part of Python, by the name that pip knows.
NEEDED: Final = ("torch", "numpy", "safetensors", "lark", "pydantic")


class Lost(Exception):
    """A runner that crashed, was killed or took too long; the message says which."""


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter: ``side`` is what it is called here, ``good`` or ``bad``. ``seconds`` is the
    limit for one request, None for none."""

    side: str
    python: Path
    seconds: float | None = None

    def ask(self, request: Request, folder: Path) -> Reply:
        """Have a runner carry out ``request``; what it makes is put into ``folder``.

        Raises CallError (E0717) where this Python cannot run specc's code, Lost where it is lost on
        the way."""
        from specc.bisect import results

        folder.mkdir(parents=True)
        results.write(request, folder / results.REQUEST)
        with tempfile.TemporaryFile() as said:
            code = self._run(folder, said)
            reply = folder / results.REPLY
            started = (folder / results.STARTED).exists()
            # It is written last: what fails while the interpreter ends has no say any more.
            if reply.exists():
                found = results.read(results.Reply, reply)
                if found.kind == "unusable":
                    raise self.unusable(found.message, found.help)
                return found
            why = too_long(self.seconds or 0.0) if code is None else reason(code, said)
        if started:
            raise Lost(why)
        raise self.unusable(f"it {why}", "name a Python 3.11 or newer that has torch")

    def unusable(self, reason: str, help: str) -> CallError:
        """That this Python is of no use, for ``reason``."""
        return CallError(
            "E0717", f"--{self.side} {str(self.python)!r} cannot run specc: {reason}", help=help
        )

    def _run(self, folder: Path, said: Any) -> int | None:
        """The runner's exit status; None where it was stopped."""
        package = Path(importlib.import_module("specc").__file__ or "").parent
        grammars = Path(importlib.import_module("specc.grammars").__file__ or "").parent
        from specc.bisect.results import REQUEST

        arguments = (str(package), str(grammars), str(folder / REQUEST))
        try:
            process = subprocess.Popen(
                [str(self.python), "-X", "faulthandler", "-c", _START, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**os.environ, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            raise self.unusable(
                f"it cannot be started ({error.strerror or error})",
                "name an interpreter, or the folder of a virtual environment",
            ) from None
        try:
            return process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            end(process)


def environment(side: str, given: str, seconds: float | None) -> Environment:
    """The environment that ``given`` names: an interpreter, the folder of a virtual environment, or
    a command on the PATH. Raises CallError (E0717) where there is none."""
    path = Path(given)
    places = [path]
    if path.is_dir():
        places = [path / "bin" / "python", path / "Scripts" / "python.exe"]
    elif len(path.parts) == 1 and not path.exists():
        found = shutil.which(given)
        places = [Path(found)] if found else []
    for place in places:
        # A link is not followed: by its place a virtual environment's Python knows what it is.
        if place.is_file():
            return Environment(side, place.absolute(), seconds)
    what = "is no virtual environment" if path.is_dir() else "is not there"
    raise CallError(
        "E0717",
        f"--{side} {given!r} {what}",
        help="name a Python interpreter, or the folder of a virtual environment:"
        f" --{side} {sys.executable}",
    )
