"""Runs a model that others wrote and the spec that says the same on the same numbers.

The other's model in its random state, every tensor moved off the constants that it starts with, is
copied into ours; both see one batch of the harness's own, and go backward from the same weights.
Where the two compute the same operations they are compared to the bit; where not, the spec's own
noise floors judge the other's run, as ``specc test`` judges a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from parity_models import Other
from torch import Tensor, nn

from specc.emit import emit
from specc.front import read
from specc.harness.cases.case import ClosedCase, close, example_batch
from specc.harness.cases.matrix import cases
from specc.harness.floors.floor import floors, honest_runs, reference
from specc.harness.floors.floor_statistics import Floor
from specc.harness.goldens.golden import Golden, Leaf
from specc.harness.judging.compare import Comparison, compare
from specc.harness.numbers.noise import normal
from specc.harness.running.observed_lines import Lines
from specc.harness.running.recorder import Observation, Recorder
from specc.ir import Program
from specc.targets.live import module_class

# How far every tensor of the other's is moved: its biases are zeros and its scales ones.
MOVED = 0.1


@dataclass(frozen=True)
class Run:
    """What one of the two computed, by our names."""

    outputs: dict[str, Tensor]
    gradients: dict[str, Tensor | None]
    buffers: dict[str, Tensor]

    def everything(self) -> dict[str, Tensor | None]:
        """All of it, by a name that says what it is."""
        return {
            **{f"output/{name}": tensor for name, tensor in self.outputs.items()},
            **{f"grad/{name}": tensor for name, tensor in self.gradients.items()},
            **{f"buffer/{name}": tensor for name, tensor in self.buffers.items()},
        }


class Pair:
    """The other's model and ours, with the same weights and the same batch."""

    def __init__(self, other: Other) -> None:
        torch.manual_seed(7)
        self.other = other
        whole = read(str(other.spec), dict(other.params))
        # Of a spec that trains, the model alone: the other's has no such training.
        self.program: Program = replace(whole, train=None)
        case = next(case for case in cases(self.program) if case.mode == "train")
        self.case = replace(case, sizes=tuple({**dict(case.sizes), **other.sizes}.items()))
        self.theirs = other.build().train()
        self._move()
        self.state = self._translated(self.theirs.state_dict())
        self.source = emit(self.program)
        model = self.program.subject().name
        self.ours = module_class(self.source, model, f"{other.name}_parity")().train()
        self.ours.load_state_dict(self.state)
        self.batch = example_batch(self.program, self.program.subject(), self.case)

    def run_ours(self) -> Run:
        """Our module in eager, on the case's batch."""
        outputs = self.ours(*self._inputs())
        return self._backward(self.ours, (outputs,) if torch.is_tensor(outputs) else outputs, {})

    def run_theirs(self) -> Run:
        """The other's model likewise; everything under our names."""
        outputs = self.other.call(self.theirs, self._inputs())
        names = {name: self.other.ours(name) for name in self._names(self.theirs)}
        return self._backward(self.theirs, outputs, names)

    def in_floors(self, theirs: Run) -> Comparison:
        """The other's run, judged by the noise floors of our module on these very weights."""
        closed = self._closed()
        found = reference(self.program, closed, self.source, ("float32",))
        runs = honest_runs(self.program, found, self.source, "float32")
        measured = floors(self.program, found, self.source, "float32", runs)
        recorder = Recorder(self.program, torch.float32)
        for name, tensor in theirs.everything().items():
            recorder.tensor(f"step0/{name}", tensor)
        seen = {item.name for item in recorder.observations}
        leaves = tuple(
            Leaf(leaf, _floor_of(leaf, measured))
            for leaf in found.run.observations
            if leaf.name in seen
        )
        assert seen == {leaf.reference.name for leaf in leaves}
        golden = Golden(self.case, 0, "float32", 0, ("float32",), {}, (), leaves)
        lines = Lines(self.program)
        return compare(golden, recorder.observations, "float32", lines.of, layers=False)

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _move(self) -> None:
        with torch.no_grad():
            for name, tensor in (*self.theirs.named_parameters(), *self.theirs.named_buffers()):
                if tensor.is_floating_point() and name in self.theirs.state_dict():
                    noise = MOVED * torch.randn_like(tensor)
                    # A variance stays positive.
                    tensor.add_(noise.abs() if name.endswith("_var") else noise)

    def _translated(self, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        shapes = {name: shape for name, _, shape in self.program.subject().parameters()}
        for name, tensor in theirs.items():
            ours = self.other.ours(name)
            if ours is None:
                continue
            turned = self.other.turned(ours, tensor).detach().clone()
            found[ours] = self.other.together(ours, found.get(ours), turned)
        # Their class token and positions have a leading dimension of one.
        return {n: tensor.reshape(shapes.get(n, tensor.shape)) for n, tensor in found.items()}

    def _inputs(self) -> tuple[Tensor, ...]:
        return tuple(
            tensor.float() if tensor.is_floating_point() else tensor for tensor in self.batch
        )

    def _names(self, module: nn.Module) -> list[str]:
        parameters = [name for name, _ in module.named_parameters()]
        return [*parameters, *(name for name, _ in module.named_buffers())]

    def _backward(
        self, module: nn.Module, outputs: tuple[Tensor, ...], names: Mapping[str, str | None]
    ) -> Run:
        named = dict(
            zip((output.name for output in self.program.subject().outputs), outputs, strict=True)
        )
        parts = [
            (tensor * normal(self.case.seed, f"probe/{name}", tuple(tensor.shape)).to(tensor)).sum()
            for name, tensor in named.items()
        ]
        torch.stack(parts).sum().backward()
        gradients: dict[str, Tensor | None] = {}
        for name, parameter in module.named_parameters():
            ours = names.get(name, name)
            if ours is None:
                continue
            gradient = parameter.grad
            if gradient is not None and names:
                gradient = self.other.turned(ours, gradient)
                gradient = self.other.together(ours, gradients.get(ours), gradient)
            gradients[ours] = gradient
        gradients = {
            name: None if gradient is None else gradient.reshape(self.state[name].shape)
            for name, gradient in gradients.items()
        }
        known = {name for name, _, _ in self.program.subject().buffers()}
        buffers = {names.get(name, name): buffer.clone() for name, buffer in module.named_buffers()}
        kept = {n: buffer for n, buffer in buffers.items() if n in known and n in self.state}
        detached = {name: tensor.detach() for name, tensor in named.items()}
        return Run(detached, gradients, {str(name): buffer for name, buffer in kept.items()})

    def _closed(self) -> ClosedCase:
        closed = close(self.program, self.case)
        wide = {name: tensor.double() for name, tensor in self.state.items()}
        return replace(
            closed,
            parameters={name: wide[name] for name in closed.parameters},
            buffers={name: wide[name] for name in closed.buffers},
        )


def _floor_of(leaf: Observation, measured: Mapping[str, Floor]) -> dict[str, Floor]:
    return {} if leaf.values is None or leaf.exact else {"float32": measured[leaf.name]}
