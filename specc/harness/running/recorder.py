"""Turns what a run showed into observations: named, in order, with the spec's line.

Non-goals: running (``observe``), comparing (``compare``).
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from specc.catalog import OPTIMIZERS
from specc.harness.cases.subject import prefixed
from specc.harness.running.observed_lines import lines_of
from specc.harness.running.sketch import not_finite, represent
from specc.ir import Program


@dataclass(frozen=True, slots=True)
class Observation:
    """One leaf. ``values`` is None where the run has no such tensor (a gradient that is None).

    ``values`` is float64, ``[elements]`` or a sketch; ``dtype`` is torch's name, with ``float``
    and ``complex`` for the precision of the run. A complex tensor is shown as its parts, with a
    last dimension of 2. ``nonfinite`` tells which places are not finite, as ``sketch.represent``
    does. ``exact`` marks what no rounding touches: integers, learning rates. ``rms`` and
    ``largest`` are of all that is finite in the tensor, and 0.0 unless they were asked for.
    """

    name: str
    line: int
    values: Tensor | None = None
    shape: tuple[int, ...] = ()
    dtype: str = ""
    nonfinite: str = ""
    exact: bool = False
    rms: float = 0.0
    largest: float = 0.0

    @property
    def not_finite(self) -> int:
        """How many of the tensor's places are not finite."""
        return sum(not_finite(self.nonfinite).values())


# A root-mean-square below this may have lost elements: their squares leave float64's range, which
# ends at 2e-308.
_SQUARABLE = 1e-150


def _statistics(value: Tensor) -> tuple[float, float]:
    """(root-mean-square, largest) of what is finite in ``value``, in which neither overflows."""
    square = largest = 0.0
    # Piece by piece: a copy of a large one would be the largest thing in a run.
    for piece in value.reshape(-1).split(1 << 18):
        wide = piece.to(torch.float64)
        square += float(wide.square().sum())
        # Not `max`, which would lose NaN.
        largest = float(np.maximum(largest, float(wide.abs().max()))) if wide.numel() else largest
    found = math.sqrt(square / max(value.numel(), 1)) if math.isfinite(square) else math.inf
    if _SQUARABLE < found < math.inf and math.isfinite(largest):
        return found, largest
    wide = value.to(torch.float64).reshape(-1)
    wide = wide[torch.isfinite(wide)]
    return root_mean_square(wide), float(wide.abs().max()) if wide.numel() else 0.0


def root_mean_square(values: Tensor) -> float:
    """Of finite float64 numbers, however large or small; 0.0 of none."""
    if not values.numel():
        return 0.0
    found = float(values.square().mean().sqrt())
    if _SQUARABLE < found < math.inf:
        return found
    # The squares may have left the range of float64.
    largest = float(values.abs().max())
    return largest * float((values / largest).square().mean().sqrt()) if largest > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class TensorSummary:
    """What is kept of a tensor: an observation but for its name, and the tensor itself where every
    tensor is asked for. A few kilobytes, whatever the tensor's size."""

    values: Tensor
    shape: tuple[int, ...]
    dtype: str
    nonfinite: str
    exact: bool
    rms: float
    largest: float
    whole: Tensor | None = None


_COMPUTE_THE_LOSS = frozenset(name for name, row in OPTIMIZERS.items() if row.closure)
_NOTHING = torch.zeros(0, dtype=torch.float64)
_NO_OPTIONS = frozenset({"params", "foreach", "fused", "capturable", "differentiable"})


class Recorder:
    """Gathers the observations of one run in ``dtype``, in the order in which its methods are
    called; with ``numbers_alone`` only the tensors that rounding moves, and those that are absent.
    """

    def __init__(
        self,
        program: Program,
        dtype: torch.dtype,
        *,
        statistics: bool = False,
        numbers_alone: bool = False,
    ) -> None:
        self.observations: list[Observation] = []
        self.whole = program.subject()
        self.numbers_alone = numbers_alone
        self.lines = lines_of(program)
        self.dtype = dtype
        self.statistics = statistics
        # Where every tensor is kept as it is, by its observation's name; None where none is.
        self.unsketched: dict[str, Tensor] | None = None

    def captured(self, prefix: str, found: Mapping[str, TensorSummary]) -> None:
        """Outputs of layers, models and shared values."""
        for key, looked in found.items():
            self.tensor(f"{prefix}/{key}", looked)

    def terms(self, prefix: str, terms: Mapping[str, Tensor]) -> None:
        """The terms of the losses, and the penalties."""
        for name, value in terms.items():
            kind = "penalty" if name.rpartition("/")[2] == "penalty" else "loss"
            self.tensor(f"{prefix}/{kind}/{name}", value)

    def gradients(
        self,
        prefix: str,
        module: nn.Module,
        found: Mapping[str, Tensor | TensorSummary],
        wanted: Container[str],
    ) -> None:
        """Gradients, last layer first; that one of ``wanted`` is None is recorded as well."""
        for name in reversed([name for name, _ in module.named_parameters()]):
            if name in found or name in wanted:
                self.tensor(f"{prefix}/{name}", found.get(name))

    def settings(self, module: nn.Module) -> None:
        """The floats that layers are set up with: an eps or a momentum can be far below any
        noise.
        """
        if self.numbers_alone:
            return
        for path, _ in self.whole.all_layers:
            for name, value in vars(module.get_submodule(path)).items():
                if isinstance(value, float) and not name.startswith("_"):
                    self.exact(f"setting/{path}.{name}", value)

    def options(self, step: str, optimizer: torch.optim.Optimizer) -> None:
        """The numbers that each parameter group is set up with, for the same reason.

        Left out are the switches that choose between honest implementations of the same step.
        """
        for number, group in enumerate(optimizer.param_groups):
            for name, option in group.items():
                parts = option if isinstance(option, (tuple, list)) else (option,)
                if name in _NO_OPTIONS:
                    continue
                for position, part in enumerate(parts):
                    if not isinstance(part, (int, float)):
                        continue
                    key = f"{name}.{position}" if isinstance(option, (tuple, list)) else name
                    owner = prefixed(step, f"group{number}")
                    self.exact(f"option/{owner}/{key}", float(part))

    def state(
        self, prefix: str, module: nn.Module, step: str, optimizer: torch.optim.Optimizer
    ) -> None:
        """What an optimizer keeps of each of its parameters.

        One that computes the loss many times keeps how often, and a list of what it saw: left out,
        for no two precisions need agree on when to stop. Its numbers are measured, not counted."""
        computes = type(optimizer).__name__ in _COMPUTE_THE_LOSS
        keys: dict[str, None] = {}
        for state in optimizer.state.values():
            keys.update(dict.fromkeys(state))
        own = {id(p) for group in optimizer.param_groups for p in group["params"]}
        for key in keys:
            for name, parameter in module.named_parameters():
                if id(parameter) not in own:
                    continue
                value = optimizer.state.get(parameter, {}).get(key)
                full = f"{prefix}/state/{prefixed(step, key)}/{name}"
                if computes and isinstance(value, (int, list)):
                    continue
                if computes and value is not None:
                    self.tensor(full, torch.as_tensor(value, dtype=self.dtype))
                    continue
                if isinstance(value, (int, float)) or (value is not None and value.dim() == 0):
                    # A counter: torch keeps it in its default precision, whatever the run's.
                    self.exact(full, float(value))
                else:
                    self.tensor(full, value)

    def buffers(self, prefix: str, module: nn.Module) -> None:
        """The buffers that the spec knows of, and those of parametrizations."""
        known = {name for name, _, _ in self.whole.buffers()}
        for name, buffer in module.named_buffers():
            if name in known or ".parametrizations." in f".{name}":
                self.tensor(f"{prefix}/buffer/{name}", buffer)

    def tensor(self, name: str, tensor: Tensor | TensorSummary | None) -> None:
        """One tensor, or what was kept of it; None where there is none."""
        line = self.lines.of(name).line
        if tensor is None:
            self.observations.append(Observation(name, line))
            return
        found = tensor if isinstance(tensor, TensorSummary) else self.looked(tensor)
        if self.unsketched is not None and found.whole is not None:
            self.unsketched[name] = found.whole
        if found.exact and self.numbers_alone:
            return
        self.observations.append(
            Observation(
                name,
                line,
                found.values,
                found.shape,
                found.dtype,
                found.nonfinite,
                found.exact,
                found.rms,
                found.largest,
            )
        )

    def looked(self, tensor: Tensor) -> TensorSummary:
        """What is kept of ``tensor`` as it is now. No dispatch mode sees how."""
        with torch._C._DisableTorchDispatch():
            return self._looked(tensor.detach())

    def _looked(self, tensor: Tensor) -> TensorSummary:
        value = tensor.cpu()
        if value.is_sparse:  # the gradient of a table that is looked up: the rest of it is zeros
            value = value.to_dense()
        whole = value.clone() if self.unsketched is not None else None
        kind = str(value.dtype)[6:]
        if value.dtype == self.dtype:
            kind = "float"
        elif value.is_complex():
            kind = "complex" if value.dtype == self.dtype.to_complex() else kind
            # Compared part by part: the parts are a last dimension of 2.
            value = torch.view_as_real(value.resolve_conj())
        exact = not value.is_floating_point()
        shape = tuple(value.shape)
        if exact and self.numbers_alone:
            return TensorSummary(_NOTHING, shape, kind, "", True, 0.0, 0.0, whole)
        rms = largest = 0.0
        if self.statistics and value.numel():
            rms, largest = _statistics(value)
        kept, nonfinite = represent(value)
        return TensorSummary(kept, shape, kind, nonfinite, exact, rms, largest, whole)

    def exact(self, name: str, *values: float) -> None:
        if self.numbers_alone:
            return
        vector = torch.tensor(values, dtype=torch.float64)
        rms, largest = _statistics(vector) if self.statistics else (0.0, 0.0)
        # A rate or a setting may be infinite.
        vector, nonfinite = represent(vector)
        self.observations.append(
            Observation(
                name,
                self.lines.of(name).line,
                vector,
                (len(values),) if len(values) > 1 else (),
                "number",
                nonfinite,
                exact=True,
                rms=rms,
                largest=largest,
            )
        )
