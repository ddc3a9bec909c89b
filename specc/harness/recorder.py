"""Turns what a run showed into observations: named, in order, with the spec's line.

Non-goals: running (``observe``), comparing (``compare``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from specc.harness.hooks import GradientHooks
from specc.harness.lines import Lines
from specc.harness.sketch import represent
from specc.ir import Program


@dataclass(frozen=True, slots=True)
class Observation:
    """One leaf. ``values`` is None where the run has no such tensor (a gradient that is None).

    ``values`` is float64, ``[elements]`` or a sketch; ``dtype`` is torch's name, with ``float``
    for the precision of the run; ``nonfinite`` is the digest of ``sketch.nonfinite_digest``.
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


_NO_OPTIONS = frozenset({"params", "foreach", "fused", "capturable", "differentiable"})


class Recorder:
    """Gathers the observations of one run in ``dtype``, in the order in which its methods are
    called.
    """

    def __init__(self, program: Program, dtype: torch.dtype, statistics: bool) -> None:
        self.observations: list[Observation] = []
        self.model = program.model()
        self.lines = Lines(program)
        self.dtype = dtype
        self.statistics = statistics

    def forward(self, prefix: str, captured: dict[str, Tensor], terms: dict[str, Tensor]) -> None:
        for key, tensor in captured.items():
            self.tensor(f"{prefix}/{key}", tensor)
        for name, value in terms.items():
            kind = "penalty" if name == "penalty" else "loss"
            self.tensor(f"{prefix}/{kind}/{name}", value)

    def gradients(
        self, prefix: str, module: nn.Module, seen: GradientHooks, inputs: Sequence[Tensor]
    ) -> None:
        names = [name for name, _ in module.named_parameters()]
        for name in reversed(names):
            self.tensor(f"{prefix}/grad/{name}", seen.raw.get(name))
        for value, tensor in zip(self.model.inputs, inputs, strict=True):
            if tensor.is_floating_point():
                self.tensor(f"{prefix}/input_grad/{value.name}", tensor.grad)
        if seen.optimizer is not None:
            for name in reversed(names):
                self.tensor(f"{prefix}/clipped_grad/{name}", seen.clipped.get(name))

    def settings(self, module: nn.Module) -> None:
        """The floats that layers are set up with: an eps or a momentum can be far below any
        noise.
        """
        for layer in self.model.layers:
            for name, value in vars(module.get_submodule(layer.name)).items():
                if isinstance(value, float) and not name.startswith("_"):
                    self.exact(f"setting/{layer.name}.{name}", value)

    def options(self, optimizer: torch.optim.Optimizer) -> None:
        """The numbers that each parameter group is set up with, for the same reason.

        Left out are the switches that choose between honest implementations of the same step.
        """
        for number, group in enumerate(optimizer.param_groups):
            for name, option in group.items():
                parts = option if isinstance(option, (tuple, list)) else (option,)
                if name in _NO_OPTIONS or not all(isinstance(p, (int, float)) for p in parts):
                    continue
                for position, part in enumerate(parts):
                    key = f"{name}.{position}" if isinstance(option, (tuple, list)) else name
                    self.exact(f"option/group{number}/{key}", float(part))

    def state(self, prefix: str, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        keys: dict[str, None] = {}
        for state in optimizer.state.values():
            keys.update(dict.fromkeys(state))
        for key in keys:
            for name, parameter in module.named_parameters():
                value = optimizer.state.get(parameter, {}).get(key)
                full = f"{prefix}/state/{key}/{name}"
                if isinstance(value, (int, float)) or (value is not None and value.dim() == 0):
                    # A counter: torch keeps it in its default precision, whatever the run's.
                    self.exact(full, float(value))
                else:
                    self.tensor(full, value)

    def buffers(self, prefix: str, module: nn.Module) -> None:
        known = {f"{layer.name}.{name}" for layer in self.model.layers for name, _ in layer.buffers}
        for name, buffer in module.named_buffers():
            if name in known:
                self.tensor(f"{prefix}/buffer/{name}", buffer)

    def tensor(self, name: str, tensor: Tensor | None) -> None:
        line = self.lines.of(name)
        if tensor is None:
            self.observations.append(Observation(name, line))
            return
        value = tensor.detach().cpu()
        kind = "float" if value.dtype == self.dtype else str(value.dtype)[6:]
        exact = not value.is_floating_point()
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
        vector = torch.tensor(values, dtype=torch.float64)
        self.observations.append(
            Observation(
                name,
                self.lines.of(name),
                vector,
                (len(values),) if len(values) > 1 else (),
                "number",
                exact=True,
                rms=float(vector.square().mean().sqrt()),
                largest=float(vector.abs().max()),
            )
        )
