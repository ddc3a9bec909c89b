"""The live module of a case: the emitted class with the case's weights and portable noise.

Non-goals: making the numbers (``case``), running the module (``observe``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from specc.catalog.catalogue import is_built_in
from specc.catalog.used import rows_of
from specc.extensions.imported_modules import import_modules
from specc.harness.cases import computed
from specc.harness.cases.case import ClosedCase
from specc.harness.numbers.noise import integers, make_portable, normal
from specc.harness.numbers.redraw import give_keys, redrawn
from specc.ir import Program
from specc.targets.live import module_class

_DRAWING = frozenset(
    {Tensor.normal_, Tensor.uniform_}
    | {nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_}
)


# Of the names that a source has otherwise than the spec.
_SHOWN = 4


class RunFailed(Exception):
    """The run stopped: ``place`` is the stage (``build``, ``step0``, ``eval``), ``message`` why."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


@dataclass(frozen=True, slots=True)
class Built:
    """A module in the case's mode; ``notes`` say what noise is not in the case."""

    module: nn.Module
    notes: tuple[str, ...]


def bare(program: Program, closed: ClosedCase, source: str, dtype: torch.dtype) -> nn.Module:
    """The module with the case's weights, in the case's mode; its noise is still torch's.

    Raises RunFailed where it takes other parameters than the spec's.
    """
    stem = PurePath(program.file).stem
    import_modules(program)
    with _Undrawn():
        module = module_class(redrawn(source).source, program.subject().name, stem)()
    module.to(dtype=dtype)
    module.train(closed.case.mode == "train")
    _load(dict(module.named_parameters()), closed.parameters, "parameter")
    # Buffers that the spec does not know of (a mask, a counter) keep what the class gave them.
    buffers = dict(module.named_buffers())
    known = {name: buffers[name] for name in closed.buffers if name in buffers}
    _load(known, {name: closed.buffers[name] for name in known}, "buffer")
    with torch.no_grad():
        for name, value in computed.values_of(program, source).items():
            if name in buffers and value.is_floating_point():
                buffers[name].copy_(value.to(getattr(torch, closed.grid)))
    for name, buffer in buffers.items():
        if ".parametrizations." in f".{name}":
            _fill_parametrization(closed.case.seed, name, buffer)
    return module


class _Undrawn(TorchFunctionMode):
    """While open, what fills a parameter with torch's random numbers fills it with zeros: each is
    filled anew, and drawing millions takes a fifth as long as a step of training. Buffers keep what
    the class gives them."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _DRAWING:
            filled = args[0] if args else kwargs.get("tensor")
            if isinstance(filled, nn.Parameter):
                filled.detach().zero_()
                return filled
        return func(*args, **kwargs)


def with_portable_noise(
    module: nn.Module, source: str, seed: int, program: Program | None = None
) -> Built:
    """``module`` itself, drawing from the portable generator alone as far as that can be had.

    What ``program`` imports for drawing is out of reach, and the notes say so."""
    found = redrawn(source)
    give_keys(module, seed, found.sites)
    report = make_portable(module, seed)
    notes = (
        *(f"noise switched off: {item}" for item in (*report.silenced, *found.silenced)),
        *(f"noise not under control: {item}" for item in (*found.uncovered, *_imported(program))),
    )
    return Built(module, notes)


def _imported(program: Program | None) -> list[str]:
    """The stochastic layers and functions that the emitted source imports from extensions."""
    rows = [] if program is None else rows_of(program)
    found = {
        row.name: f"{row.torch}, of an extension"
        for row in rows
        if row.module and getattr(row, "stochastic", False) and not is_built_in(row)
    }
    return list(found.values())


def _fill_parametrization(seed: int, name: str, buffer: Tensor) -> None:
    """What a parametrization keeps beside its weights, which torch draws: the vectors of a power
    iteration (of length 1), and the orthogonal matrix that another starts from."""
    last = name.rpartition(".")[2]
    with torch.no_grad():
        if last in ("_u", "_v"):
            drawn = normal(seed, f"buffer/{name}", tuple(buffer.shape))
            buffer.copy_(drawn / drawn.square().sum().sqrt())
        elif last == "base" and buffer.dim() >= 2:
            # Ones with signs, one in each row and column: orthogonal to the bit on every machine.
            rows, columns = buffer.shape[-2:]
            least = min(rows, columns)
            signs = 2.0 * integers(seed, f"buffer/{name}", (least,), 2).to(torch.float64) - 1.0
            start = torch.zeros(rows, columns, dtype=torch.float64)
            start[:least, :least] = torch.diag(signs)
            buffer.copy_(start.expand(buffer.shape))


def _load(into: dict[str, Tensor], values: dict[str, Tensor], what: str) -> None:
    missing = [name for name in values if name not in into]
    extra = [name for name in into if name not in values]
    if missing or extra:
        found = [f"no {what} {name}" for name in missing]
        found += [f"a {what} {name} too many" for name in extra]
        more = len(found) - _SHOWN
        text = "; ".join(found[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise RunFailed("build", f"the source is of another model than the spec: {text}")
    with torch.no_grad():
        for name, value in values.items():
            if into[name].shape != value.shape:
                raise RunFailed(
                    "build",
                    f"the source is of another model than the spec: its {what} {name} has shape"
                    f" {list(into[name].shape)}, the spec's {list(value.shape)}",
                )
            into[name].copy_(value)
