"""What runs in an environment: carries out one request and writes what it made beside it.

Imports nothing that the environment may lack before it has been looked for. Standard output is
nobody's: results are files. Non-goals: surviving a crash (``environment``), comparing (``bisect``).
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from specc.bisect.results import Reply, Request
    from specc.bisect.trace import Tracer
    from specc.harness.cases.case import ClosedCase
    from specc.harness.cases.matrix import Case
    from specc.harness.running.observe import Run, Setting
    from specc.ir import Program

_OLDEST = (3, 11)
# Of the environment's variables, those that change how torch computes.
_VARIABLES = ("ATEN_", "KMP_", "MKL_", "OMP_", "ONEDNN_", "DNNL_", "TORCH", "PYTORCH_", "CUBLAS_")
_LIBRARIES = (("oneDNN", "MKL-DNN"), ("MKL", "Math Kernel Library Version"))
# Runs with random rounding that show each operation's noise; every second one regroups.
NOISY_RUNS = 6


def main(path: str) -> None:
    """Carry out the request in the file ``path``."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    folder = Path(path).parent
    # As it was given: torch sets some of its own when it is used.
    variables = {
        f"${name}"[:500]: value[:200]
        for name, value in os.environ.items()
        if name.startswith(_VARIABLES)
    }
    lacking = _lacking()
    if lacking is not None:
        content = json.dumps({"kind": "unusable", **lacking})
        (folder / "reply.json").write_text(content, encoding="utf-8")
        return
    from specc.bisect import results

    (folder / results.STARTED).touch()
    request = results.read(results.Request, Path(path))
    results.write(_reply(request, folder, variables), folder / results.REPLY)


def _lacking() -> dict[str, str] | None:
    """What this environment lacks and what helps, as a reply has them; None where it is whole."""
    from specc.bisect.environment import NEEDED

    if sys.version_info < _OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        return {"message": f"it is Python {version}", "help": "specc needs Python 3.11 or newer"}
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            lacks = (error.name or name).partition(".")[0]
            return {
                "message": f"it has no {lacks}",
                "help": f"install it there: {sys.executable} -m pip install specc"
                f" (which brings {', '.join(NEEDED)})",
            }
        except Exception as error:  # whatever a broken installation raises as it is imported
            text = " ".join(f"{type(error).__name__}: {error}".split())
            return {"message": f"its {name} cannot be imported: {text[:300]}",
                    "help": f"mend the installation of {name} there"}  # fmt: skip
    return None


def _reply(request: Request, folder: Path, variables: dict[str, str]) -> Reply:
    import warnings

    from specc.bisect.results import Reply
    from specc.errors import SpeccError
    from specc.harness.running.live_module import RunFailed

    warnings.simplefilter("ignore")
    try:
        notes = _carried_out(request, folder)
    except RunFailed as error:
        return Reply(
            kind="stopped", place=error.place, message=error.message, facts=_facts(variables)
        )
    except SpeccError as error:
        return Reply(kind="error", code=error.code, message=error.message, help=error.help or "")
    return Reply(kind="done", facts=_facts(variables), notes=[note[:4000] for note in notes[:100]])


def _facts(variables: dict[str, str]) -> dict[str, str]:
    """What of this environment may change numbers."""
    import numpy
    import torch

    facts = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": str(numpy.__version__),
        "CPU capability": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "oneDNN": str(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled),
        "MKL": str(torch.backends.mkl.is_available()),
        "float32 matmul precision": torch.get_float32_matmul_precision(),
        "deterministic algorithms": str(torch.are_deterministic_algorithms_enabled()),
    }
    for line in torch.__config__.show().splitlines():
        for library, name in _LIBRARIES:
            if name in line:
                facts[f"{library} version"] = line.partition(name)[2].split("(")[0].strip()[:200]
    return {**facts, **variables}


def _carried_out(request: Request, folder: Path) -> list[str]:
    from specc.bisect import replay, results

    if request.what == "replay":
        replay.replay(Path(request.folder), folder)
        return []
    from specc import front
    from specc.harness.cases import matrix
    from specc.harness.cases.case import close

    program = front.read(request.file, request.settings, tested=True)
    case = next(each for each in matrix.cases(program) if each.id == request.case)
    draw, grid = request.draw, request.grid
    if request.what == "values" and request.measure:
        draw, grid = _measured(request, program, case, folder)
    closed = close(program, case, draw, grid)
    if request.what == "values":
        return _values(request, program, closed, folder)
    if request.what == "keep":
        tracer = _tracer(request, program)
        tracer.keep(request.number, folder)
        _traced(request, program, closed, tracer)
        if not (folder / results.ARGUMENTS).exists():
            return ["its arguments cannot be written down"]
        replay.replay(folder, folder)
        return []
    return _closer(request, program, closed, folder)


def _measured(request: Request, program: Program, case: Case, folder: Path) -> tuple[int, str]:
    """The draw and the grid of a golden that is made for this once, and put into ``folder``."""
    from specc.bisect import results
    from specc.harness.blessing import bless
    from specc.harness.goldens import golden

    made = bless.make(program, case, request.source, (request.dtype,))
    _written(golden.files(program, made), folder / results.GOLDEN)
    return made.draw, made.grid


def _written(files: dict[str, bytes], folder: Path) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _values(request: Request, program: Program, closed: ClosedCase, folder: Path) -> list[str]:
    """The case's observations, in the form of a golden without floors."""
    import math
    from dataclasses import replace

    from specc.bisect import results
    from specc.harness.blessing.bless import provenance
    from specc.harness.goldens import golden
    from specc.harness.goldens.golden import Golden, Leaf
    from specc.harness.running.observe import Setting, observe

    setting = Setting(request.target, "cpu", request.dtype, layers=request.target == "eager")
    run = observe(program, closed, request.source, setting)
    leaves = []
    for item in run.observations:
        # An infinite learning rate has no JSON form, and its own value says it.
        kept = item if math.isfinite(item.rms) else replace(item, rms=0.0, largest=0.0)
        leaves.append(Leaf(kept, {}))
    found = Golden(closed.case, closed.draw, request.grid, 0, (request.dtype,), provenance(),
                   run.notes, tuple(leaves))  # fmt: skip
    _written(golden.files(program, found), folder / results.VALUES)
    return list(run.notes)


# ── a closer look ────────────────────────────────────────────────────────────────────────────────


def _tracer(request: Request, program: Program) -> Tracer:
    from specc.bisect.trace import Tracer

    return Tracer(program, request.source, request.steps)


def _closer(request: Request, program: Program, closed: ClosedCase, folder: Path) -> list[str]:
    from specc.bisect import results
    from specc.bisect.operation_floors import with_floors
    from specc.harness.running.observe import observe

    if not request.operations:
        run = observe(program, closed, request.source, _setting(request, ExitStack, None))
    else:
        tracer = _tracer(request, program)
        run = _traced(request, program, closed, tracer)
        operations = tracer.found()
        if request.measure:
            noisy = [_noisy(request, program, closed, number) for number in range(NOISY_RUNS)]
            operations = with_floors(tracer, noisy, request.dtype)
        results.write(operations, folder / results.OPERATIONS)
        results.write_tensors({"numbers": tracer.numbers()}, folder / results.NUMBERS)
    value = run.whole.get(request.name)
    if value is not None and not value.is_complex():
        results.write_tensors({"value": value}, folder / results.WHOLE)
    return list(run.notes)


def _setting(request: Request, around: Any, tracer: Tracer | None) -> Setting:
    from specc.harness.running.observe import Setting
    from specc.harness.running.ongoing_run import untouched

    prepare = untouched if tracer is None else tracer.prepare
    eager = request.target == "eager"
    return Setting(request.target, "cpu", request.dtype, layers=eager, around=around, whole=True,
                   prepare=prepare)  # fmt: skip


def _traced(
    request: Request,
    program: Program,
    closed: ClosedCase,
    tracer: Tracer,
    beside: AbstractContextManager[Any] | None = None,
) -> Run:
    """The case, run in eager with ``tracer`` around each step, inside ``beside``."""
    from specc.harness.running.observe import observe

    def around() -> ExitStack:
        stack = ExitStack()
        if beside is not None:
            stack.enter_context(beside)
        stack.enter_context(tracer.around())
        return stack

    with tracer:
        return observe(program, closed, request.source, _setting(request, around, tracer))


def _noisy(request: Request, program: Program, closed: ClosedCase, number: int) -> Tracer:
    """The operations of a run with random rounding."""
    import torch

    from specc.harness.floors.rounding import RandomRounding

    precision = program.train.precision if program.train else ""
    mode = RandomRounding(
        1000 + number,
        getattr(torch, request.dtype),
        lanes=number % 2,
        lower=getattr(torch, precision) if precision else None,
    )
    tracer = _tracer(request, program)
    _traced(request, program, closed, tracer, mode)
    return tracer
