"""Faults of no one operation: a factor, a lost channel, a sign, half a gradient."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from specc.harness.goldens.golden_reader import Leaf
from specc.mutate.fault import (
    Fault,
    Injection,
    Subject,
    layer_names,
    scaled,
    spread,
    with_forward,
    with_hook,
)

Change = Callable[[Tensor], Tensor]


class _OfOutputs(Fault):
    """A fault in what a layer gives, which autograd sees as if the layer did it."""

    def injections(self, subject: Subject) -> Iterable[Injection]:
        for path in spread([path for path, _ in self.layers(subject)]):
            yield Injection(path, layer_names(path), prepare=with_hook(path, self._hook))

    def layers(self, subject: Subject) -> list[tuple[str, nn.Module]]:
        """Those that compute something of floats, and are made of no other layers."""
        found = [(path, subject.module.get_submodule(path)) for path in subject.layers]
        return [
            (path, layer)
            for path, layer in found
            if not list(layer.children()) and _is_float(subject, path) and self.fits(subject, path)
        ]

    def fits(self, subject: Subject, path: str) -> bool:
        """Whether the fault changes what the layer at ``path`` gives."""
        return True

    @abstractmethod
    def change(self, output: Tensor) -> Tensor:
        """The output with the fault."""

    def _hook(self, layer: nn.Module, arguments: Any, output: Any) -> Any:
        if isinstance(output, Tensor):
            return self.change(output)
        return (self.change(output[0]), *output[1:])


def _leaf(subject: Subject, path: str) -> Leaf | None:
    for name in (f"step0/layer/{path}", f"eval/layer/{path}"):
        if name in subject.leaves:
            return subject.leaves[name]
    return None


def _is_float(subject: Subject, path: str) -> bool:
    """Whether the layer gives floats of the run's precision; a lower one, under autocast, has no
    numbers for faults as small as these."""
    leaf = _leaf(subject, path)
    if leaf is None or leaf.reference.dtype != "float" or not leaf.reference.rms > 0.0:
        return False
    floor = leaf.floors.get(subject.dtype)
    return floor is None or not floor.dtype


class OutputFactor(_OfOutputs):
    """One layer's output times 1 + 2e-6."""

    name = "factor"

    def change(self, output: Tensor) -> Tensor:
        return output + (scaled(output.detach(), 1 + 2e-6) - output.detach())


class OneElement(_OfOutputs):
    """One element of a layer's output off by 1e-4 of its root-mean-square."""

    name = "element"

    def change(self, output: Tensor) -> Tensor:
        flat = torch.zeros_like(output).flatten()
        flat[flat.numel() // 2] = 1e-4 * output.detach().double().square().mean().sqrt()
        return output + flat.view_as(output)


class LostChannel(_OfOutputs):
    """One channel of a layer's output zeroed."""

    name = "channel"

    def fits(self, subject: Subject, path: str) -> bool:
        leaf = _leaf(subject, path)
        shape = leaf.reference.shape if leaf is not None else ()
        # All of a rectifier's channel may be zero as it is; a product's or a norm's never is.
        kept = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.LayerNorm, nn.BatchNorm2d)
        known = isinstance(subject.module.get_submodule(path), kept)
        return known and len(shape) >= 2 and shape[1] > 1

    def change(self, output: Tensor) -> Tensor:
        mask = torch.ones_like(output)
        mask[:, output.shape[1] // 2] = 0.0
        return output * mask


class FlippedOutput(_OfOutputs):
    """A layer's output with the other sign."""

    name = "sign-of-layer"

    def change(self, output: Tensor) -> Tensor:
        return -output


class WeightFactor(Fault):
    """One weight matrix or kernel times 1 + 2e-6."""

    name = "weight-factor"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        found = [
            name
            for name, value in subject.closed.parameters.items()
            if value.dim() >= 2 and _is_read(subject, name)
        ]
        for name in spread(found):
            moved = dict(subject.closed.parameters)
            moved[name] = moved[name] * (1 + 2e-6)
            path = name.rpartition(".")[0]
            gradients = (f"*/grad/*{name}", f"*/grad/*{path}.*")
            right = (*layer_names(path), *_container(path), *gradients, f"*/delta/{name}")
            closed = replace(subject.closed, parameters=moved)
            # A weight is what it is in every precision.
            yield Injection(name, right, closed=closed, everywhere=True)


def _is_read(subject: Subject, parameter: str) -> bool:
    """Whether the case reads it: in evaluation nothing does that of a model that no loss asks."""
    holders = (parameter[:k] for k, letter in enumerate(parameter) if letter == ".")
    return subject.case.mode == "train" or any(holder in subject.layers for holder in holders)


class WeightsInBfloat16(Fault):
    """The weights rounded to bfloat16 and back."""

    name = "weights-rounded"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        rounded = {
            name: value.to(torch.bfloat16).double() if value.is_floating_point() else value
            for name, value in subject.closed.parameters.items()
        }
        if any(not torch.equal(rounded[n], p) for n, p in subject.closed.parameters.items()):
            right = ("*/layer/*", "*/output/*", "*/loss/*", "*/grad/*")
            closed = replace(subject.closed, parameters=rounded)
            yield Injection("all", right, closed=closed, everywhere=True)


class WithoutHooks(_OfOutputs):
    """A layer computes another thing where no hook is installed."""

    name = "without-hooks"
    incident = "pytorch 86120"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        for path in spread([path for path, _ in self.layers(subject)]):
            # What the layer takes another way for is no question of precision.
            yield Injection(
                path,
                ("*/output/*", "*/loss/*", "step0", "eval"),
                prepare=_unhooked(path, self.change),
                everywhere=True,
            )

    def change(self, output: Tensor) -> Tensor:
        still = output.detach()
        size = still.double().square().mean().sqrt()
        # As large as the output, for of a first layer little may reach an output at its initial
        # weights; and along nothing that a norm behind it takes out again.
        wave = torch.linspace(1.0, 41.0, still.numel(), dtype=torch.float64, device=still.device)
        return output + (size * wave.sin()).view(still.shape).to(output)


def _unhooked(path: str, change: Change) -> Callable[[nn.Module], None]:
    def forward(self: Any, *arguments: Any, **named: Any) -> Any:
        output = type(self).forward(self, *arguments, **named)
        if any(each._forward_hooks or each._forward_pre_hooks for each in self.modules()):
            return output
        return change(output) if isinstance(output, Tensor) else (change(output[0]), *output[1:])

    return with_forward(path, forward)


class HalvedGradient(Fault):
    """One parameter's gradient halved."""

    name = "gradient-halved"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        learning = [
            name
            for name in subject.closed.parameters
            if any(_has_value(subject, f"step0/grad/{step}{name}") for step in _steps(subject))
        ]
        for name in spread(learning):
            yield Injection(name, (f"*/grad/*{name}",), prepare=_halve(name))


def _has_value(subject: Subject, name: str) -> bool:
    leaf = subject.leaves.get(name)
    return leaf is not None and leaf.reference.values is not None


def _steps(subject: Subject) -> list[str]:
    train = subject.program.train
    return [f"{step.name}/" if step.name else "" for step in (train.steps if train else ())] or [""]


def _halve(name: str) -> Callable[[nn.Module], None]:
    def prepare(module: nn.Module) -> None:
        parameter = module.get_parameter(name)
        if parameter.requires_grad:
            # Torch calls it with none where nothing reaches the parameter.
            parameter.register_hook(lambda gradient: None if gradient is None else 0.5 * gradient)

    return prepare


def _container(path: str) -> tuple[str, ...]:
    """The outputs of what holds a layer whose own output nobody asks for, as in attention."""
    outer = path.rpartition(".")[0]
    return layer_names(outer) if outer else ()


class FlippedSign(Fault):
    """A plus for a minus in the emitted forward."""

    name = "sign"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        for number, source in spread(list(_flipped(subject.source))):
            right = ("*/layer/*", "*/output/*", "*/loss/*")
            yield Injection(f"line {number}", right, source=source)


def _flipped(source: str) -> Iterator[tuple[int, str]]:
    tree = ast.parse(source)
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.name != "forward":
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
                # Sizes are added as well, and a wrong size is another fault.
                if any(getattr(part, "attr", "") in ("shape", "size") for part in ast.walk(node)):
                    continue
                before = node.op
                node.op = ast.Sub() if isinstance(before, ast.Add) else ast.Add()
                yield node.lineno, ast.unparse(tree)
                node.op = before


FAULTS = (
    OutputFactor(),
    OneElement(),
    LostChannel(),
    FlippedOutput(),
    WeightFactor(),
    WeightsInBfloat16(),
    WithoutHooks(),
    HalvedGradient(),
    FlippedSign(),
)
