"""Turns what a run showed into observations: named, in order, with the spec's line.

Non-goals: running (``observe``), comparing (``compare``).
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from specc.catalog import OPTIMIZERS
from specc.harness.lines import lines_of
from specc.harness.sketch import represent
from specc.harness.subject import prefixed
from specc.ir import Program


@dataclass(frozen=True, slots=True)
class Observation:
    """One leaf. ``values`` is None where the run has no such tensor (a gradient that is None).

    ``values`` is float64, ``[elements]`` or a sketch; ``dtype`` is torch's name, with ``float``
    and ``complex`` for the precision of the run. A complex tensor is shown as its parts, with a
    last dimension of 2. ``nonfinite`` is the digest of ``sketch.nonfinite_digest``.
    ``exact`` marks what no rounding touches: integers, learning rates. ``rms`` and ``largest`` are
    of the whole tensor, and 0.0 unless they were asked for.
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


_COMPUTE_THE_LOSS = frozenset(name for name, row in OPTIMIZERS.items() if row.closure)
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

    def captured(self, prefix: str, found: Mapping[str, Tensor]) -> None:
        """Outputs of layers, models and shared values."""
        for key, tensor in found.items():
            self.tensor(f"{prefix}/{key}", tensor)

    def terms(self, prefix: str, terms: Mapping[str, Tensor]) -> None:
        """The terms of the losses, and the penalties."""
        for name, value in terms.items():
            kind = "penalty" if name.rpartition("/")[2] == "penalty" else "loss"
            self.tensor(f"{prefix}/{kind}/{name}", value)

    def gradients(
        self, prefix: str, module: nn.Module, found: Mapping[str, Tensor], wanted: Container[str]
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

    def tensor(self, name: str, tensor: Tensor | None) -> None:
        line = self.lines.of(name).line
        if tensor is None:
            self.observations.append(Observation(name, line))
            return
        value = tensor.detach().cpu()
        if value.is_sparse:  # the gradient of a table that is looked up: the rest of it is zeros
            value = value.to_dense()
        if self.unsketched is not None:
            self.unsketched[name] = value.clone()
        kind = str(value.dtype)[6:]
        if value.dtype == self.dtype:
            kind = "float"
        elif value.is_complex():
            kind = "complex" if value.dtype == self.dtype.to_complex() else kind
            # Compared part by part: the parts are a last dimension of 2.
            value = torch.view_as_real(value.resolve_conj())
        exact = not value.is_floating_point()
        if exact and self.numbers_alone:
            return
        rms = largest = 0.0
        if self.statistics and value.numel():
            wide = value.to(torch.float64)
            rms = float(wide.square().mean().sqrt())
            largest = float(wide.abs().max())
        kept, nonfinite = represent(value)
        self.observations.append(
            Observation(
                name,
                line,
                kept,
                tuple(value.shape),
                kind,
                nonfinite,
                exact,
                rms,
                largest,
            )
        )

    def exact(self, name: str, *values: float) -> None:
        if self.numbers_alone:
            return
        vector = torch.tensor(values, dtype=torch.float64)
        rms = largest = 0.0
        if self.statistics:
            rms, largest = float(vector.square().mean().sqrt()), float(vector.abs().max())
        self.observations.append(
            Observation(
                name,
                self.lines.of(name).line,
                vector,
                (len(values),) if len(values) > 1 else (),
                "number",
                exact=True,
                rms=rms,
                largest=largest,
            )
        )
