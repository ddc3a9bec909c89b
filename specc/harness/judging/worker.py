"""The process apart: reads which cell to judge, a line of JSON each, and answers with the verdict.

Standard output carries replies alone: what torch or an edited source prints goes to standard error,
which the parent keeps. Non-goals: surviving a crash, which is the parent's (``isolated``).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from specc.errors import SpeccError
from specc.harness.cases.matrix import Cell, cells
from specc.harness.running.process import end_with
from specc.ir import Program


def main(parent: int) -> None:
    """Answer requests until standard input ends, or the process ``parent`` does."""
    end_with(parent)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    own = os.getpid()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        reply = {**_answered(request), "number": request["number"]}
        if os.getpid() != own:
            # A source that forks has come back twice; the parent's answer is the one.
            os._exit(0)
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()


def _answered(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"verdict": _judged(request)}
    except SpeccError as error:
        kind = type(error).__name__
        told = {"kind": kind, "code": error.code, "message": error.message, "help": error.help}
        return {"error": told}


def _judged(request: dict[str, Any]) -> dict[str, Any]:
    start = time.perf_counter()
    import torch  # noqa: F401 # what the first cell pays for importing torch is torch's own time

    importing = time.perf_counter() - start
    logging.getLogger("torch._dynamo.utils").setLevel(logging.CRITICAL)
    from specc.harness.judging.judge import judge

    settings = tuple(sorted(request["settings"].items()))
    program = _program(request["file"], settings)
    asked = request["target"], request["device"], request["dtype"]
    cell = next(
        each for each in _cells(request["file"], settings, *asked) if each.id == request["cell"]
    )
    repro = Path(request["repro"]) if request["repro"] else None
    verdict = judge(program, cell, Path(request["root"]), request["source"], repro=repro)
    told = asdict(verdict)
    told["seconds_torch"] += importing
    told["seconds_total"] += importing
    return told


@lru_cache(maxsize=16)
def _cells(
    file: str, settings: tuple[tuple[str, str], ...], target: str, device: str, dtype: str
) -> tuple[Cell, ...]:
    return tuple(cells(_program(file, settings), [target], [device], [dtype]))


# The cells of a spec come one after the other.
@lru_cache(maxsize=4)
def _program(file: str, settings: tuple[tuple[str, str], ...]) -> Program:
    from specc import front

    return front.read(Path(file), dict(settings), tested=True)
