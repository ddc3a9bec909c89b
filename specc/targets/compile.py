"""The torch.compile target (inductor). Its artefact is the source with a factory that compiles.

Compilation itself happens at the first call, and again for a mode or a size not seen yet. Weights
do not travel. Non-goal: packaging compiled code (AOTInductor).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from specc.errors import TargetError
from specc.targets import FreeSizes, Others
from specc.targets.artefacts import RUNNABLE_NOTES, Facts, write_atomically
from specc.targets.live import class_name, live_module, read_source

# What compiles. Tests put ``aot_eager`` here: traced, differentiated and split as for inductor,
# then run without generating code.
BACKEND = "inductor"

_FACTORY = '''

def load(**params) -> torch.nn.Module:
    """{name}(**params), compiled; the first call of a mode or size compiles."""
    return torch.compile({name}(**params))
'''


def runnable(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    *,
    free_sizes: FreeSizes | None,
    others: Others = (),
) -> nn.Module:
    """``torch.compile`` of the module: one whole graph, sizes fixed unless some are free.

    dynamo refuses to trace LSTM, GRU and RNN: a module with one is compiled around them, as a
    user's own ``torch.compile`` does it, and ``notes_of`` says so.
    """
    eager = [name for name, each in module.named_modules() if isinstance(each, nn.RNNBase)]
    compiled = torch.compile(
        _with_own_code(module),
        backend=BACKEND,
        fullgraph=not eager,
        dynamic=None if free_sizes else False,
    )
    assert isinstance(compiled, nn.Module)  # compiling a module gives a module
    if eager:
        RUNNABLE_NOTES[compiled] = (
            f"torch.compile leaves {', '.join(eager)} to eager: it traces no recurrent layers",
        )
    return compiled


def save(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    source: str,
    path: Path,
    *,
    free_sizes: FreeSizes | None,
    others: Others = (),
) -> tuple[str, ...]:
    """Write the source and the factory ``load(**params)``."""
    text = _with_torch(source).rstrip("\n") + "\n" + _FACTORY.format(name=class_name(module))
    write_atomically(path, lambda aside: _write(aside, text))
    return ()


def load(path: Path, *, class_name: str | None, params: Mapping[str, Any] | None) -> nn.Module:
    """What the file's factory returns, in evaluation mode; the factory knows its class."""
    factory = getattr(live_module(read_source(path), path.stem), "load", None)
    if not callable(factory):
        raise TargetError(
            "E0901",
            f"{path} has no load(): it is no artefact of the compile target",
            help=f"build it again: specc build SPEC --target compile -o {path.parent}",
        )
    try:
        loaded = factory(**(params or {}))
    except Exception as error:
        raise TargetError("E0903", f"load() of {path} fails: {error}") from error
    assert isinstance(loaded, nn.Module)  # compiling a module gives a module
    return loaded.eval()


def facts(path: Path) -> Facts:
    """What an artefact is good for: everything that its source is."""
    return Facts()


def _with_own_code(module: nn.Module) -> nn.Module:
    """The same module (one ``__dict__``), of a new class with its own copy of ``forward``'s code.

    torch.compile counts recompilations per code object, whichever instance runs it, and with
    ``fullgraph`` fails for good at the eighth: every case of a spec would count against the others.
    """
    forward = type(module).forward
    if not isinstance(forward, FunctionType):
        return module
    own = FunctionType(
        forward.__code__.replace(),
        forward.__globals__,
        forward.__name__,
        forward.__defaults__,
        forward.__closure__,
    )
    own.__kwdefaults__ = forward.__kwdefaults__
    own.__qualname__ = forward.__qualname__
    made = type(type(module).__name__, (type(module),), {"forward": own})
    made.__module__ = type(module).__module__
    twin: nn.Module = object.__new__(made)
    twin.__dict__ = module.__dict__
    return twin


def _with_torch(source: str) -> str:
    """``source`` with the import that the factory needs; torch is imported under its name already
    where a class needs it too."""
    lines = source.splitlines(keepends=True)
    if "import torch\n" in lines:
        return source
    first = next(
        (at for at, line in enumerate(lines) if line.startswith(("import torch.", "from torch "))),
        0,
    )
    return "".join([*lines[:first], "import torch\n", *lines[first:]])


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
