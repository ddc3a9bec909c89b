"""Graphviz text to a file: as it is, or as the picture that Graphviz makes of it.

The program ``dot`` is taken where there is one, or else the package pygraphviz, whose wheels bring
Graphviz with them; either in a process of its own, which a picture too large cannot keep for ever.
Non-goal: the text (``dot``).
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from specc.errors import CallError

TEXTS: Final = (".dot", ".gv")
PICTURES: Final = (".svg", ".png", ".pdf")
SECONDS: Final = 120

_WITH_PACKAGE = """
import sys, pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot"))
"""


def check(path: Path) -> None:
    """Raises CallError where no picture could be written to ``path``: E0712 for its suffix, E0713
    where Graphviz is needed and there is none."""
    suffix = path.suffix.lower()
    if suffix not in TEXTS + PICTURES:
        raise CallError(
            "E0712",
            f"--plot writes no {suffix or 'file without a suffix'!r}",
            help=f"end the file's name in one of {', '.join(PICTURES + TEXTS)}",
        )
    if suffix in PICTURES and _command(suffix) is None:
        raise CallError(
            "E0713",
            f"a {suffix} picture needs Graphviz, which is not installed",
            help="pip install 'specc[plot]', or install Graphviz, or write a .dot file",
        )


def write(text: str, path: Path) -> None:
    """Writes the Graphviz ``text`` to ``path``, in the form that its suffix says.

    Raises CallError: as ``check``, E0703 where the file cannot be written, E0716 where Graphviz
    fails or takes longer than two minutes."""
    check(path)
    data = text.encode()
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        data = _drawn(data, suffix)
    try:
        path.write_bytes(data)
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise CallError("E0703", f"cannot write {str(path)!r}: {reason}") from None


def _command(suffix: str) -> list[str] | None:
    program = shutil.which("dot")
    if program is not None:
        return [program, f"-T{suffix[1:]}"]
    if importlib.util.find_spec("pygraphviz") is not None:
        # -P: a module that lies in the current folder is not to be taken for the package.
        return [sys.executable, "-P", "-c", _WITH_PACKAGE, suffix[1:]]
    return None


def _drawn(text: bytes, suffix: str) -> bytes:
    command = _command(suffix)
    assert command is not None, "checked before"
    try:
        ended = subprocess.run(command, input=text, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise CallError(
            "E0716",
            f"Graphviz has not laid out the picture in {SECONDS} seconds",
            help="draw less: --depth 1 shows the outermost blocks",
        ) from None
    except OSError as fault:
        raise CallError("E0716", f"cannot run Graphviz: {fault.strerror or fault}") from None
    if ended.returncode or not ended.stdout:
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CallError("E0716", f"Graphviz failed: {said[-1] if said else ended.returncode}")
    return ended.stdout
