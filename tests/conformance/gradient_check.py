"""``torch.autograd.gradcheck`` of what a spec's emitted module computes, in float64.

The function is the outputs and the loss of one training batch, of the parameters and the float and
complex inputs. Noise is the portable generator's, and is the same at every call. Non-goal: second
derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from specc.emit import emit
from specc.harness.cases import subject
from specc.harness.cases.case import close
from specc.harness.cases.matrix import cases
from specc.harness.numbers.noise import set_step
from specc.harness.running import live_module
from specc.harness.running.hooks import flat_tensors
from specc.ir import Program

MANY = 200


def gradients_are_right(program: Program, *, training: bool = True) -> int:
    """How many tensors were differentiated; raises GradcheckError where a gradient is wrong.

    0 where nothing that the program computes depends smoothly on anything: whole numbers, truths,
    and tensors made of sizes alone."""
    case = next(case for case in cases(program) if case.mode in ("train", "eval"))
    closed = close(program, case)
    source = emit(program)
    module = live_module.bare(program, closed, source, torch.float64)
    live_module.with_portable_noise(module, source, case.seed)
    module.train(training)
    batch = closed.batches[0]
    free = [tensor.clone().requires_grad_() for _, tensor in module.named_parameters()]
    names = [name for name, _ in module.named_parameters()]
    brought = [tensor.clone() for _, tensor in (*batch.inputs, *batch.labels)]
    smooth = [i for i, tensor in enumerate(brought) if _is_smooth(tensor)]
    for i in smooth:
        brought[i] = _off_corners(brought[i]).requires_grad_()
    compute = _computation(program, module, names, len(batch.inputs))

    def function(*given: Tensor) -> tuple[Tensor, ...]:
        weights, rest = given[: len(free)], iter(given[len(free) :])
        values = [next(rest) if i in smooth else brought[i] for i in range(len(brought))]
        return compute(weights, values)

    point = (*free, *(brought[i] for i in smooth))
    if not point or not function(*point):
        return 0
    # Along random directions where there are many numbers: each is a call of the whole model.
    many = sum(tensor.numel() for tensor in point) > MANY
    assert torch.autograd.gradcheck(function, point, check_undefined_grad=False, fast_mode=many)
    return len(point)


def _off_corners(values: Tensor) -> Tensor:
    """``values`` moved by up to a thousandth, towards one half so that ends of a range stay inside:
    a case has ties and ends on purpose, and no finite difference has a limit there."""
    generator = torch.Generator().manual_seed(1)
    share = torch.rand(values.shape, generator=generator, dtype=torch.float64)
    if values.is_complex():
        return values * (1 + 1e-3 * share)
    return values + 1e-3 * share * (0.5 - values).clamp(-1, 1)


def _is_smooth(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _computation(
    program: Program, module: nn.Module, names: list[str], inputs: int
) -> Callable[[tuple[Tensor, ...], list[Tensor]], tuple[Tensor, ...]]:
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    shell = _Shell(module, program)

    def compute(weights: tuple[Tensor, ...], values: list[Tensor]) -> tuple[Tensor, ...]:
        set_step(module, 0)
        # What moves a buffer moves a copy: every call starts from the same statistics.
        state: dict[str, Any] = {
            f"module.{name}": tensor.clone() for name, tensor in buffers.items()
        }
        state |= {f"module.{name}": w for name, w in zip(names, weights, strict=True)}
        found = functional_call(shell, state, (values[:inputs], values[inputs:]))
        return tuple(tensor for tensor in found if tensor.requires_grad)

    return compute


class _Shell(nn.Module):
    """The module's outputs and its loss, in one call."""

    def __init__(self, module: nn.Module, program: Program) -> None:
        super().__init__()
        self.module = module
        self.program = program

    def forward(self, inputs: list[Tensor], labels: list[Tensor]) -> list[Tensor]:
        outputs = flat_tensors(self.module(*inputs))
        train = self.program.train
        if train is None:
            return outputs
        results = [output.value for output in self.program.subject().outputs]
        known = [*subject.model_inputs(self.program), *results, *train.inputs]
        values = {
            id(value): tensor
            for value, tensor in zip(known, [*inputs, *outputs, *labels], strict=True)
        }
        (step,) = train.steps
        loss: Any = self.module.loss
        terms = loss(*(values[id(use)] for use in step.uses))
        return [*outputs, terms["loss"]]
