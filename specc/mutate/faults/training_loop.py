"""Faults in how a model is trained and called: shapes, accumulation, initial values."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from specc.harness.cases.subject import blocks
from specc.harness.native.initial_weights import settings_of
from specc.harness.native.native_laws import MOST, truncated
from specc.mutate.fault import (
    Fault,
    Injection,
    Subject,
    in_place_of,
    layer_names,
    spread,
    with_hook,
)


class LeadingDimension(Fault):
    """An output gains a leading dimension."""

    name = "leading-dimension"
    incident = "pytorch 100970"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        for path in spread(_plain_layers(subject)):
            yield Injection(
                path, (*layer_names(path), "step0", "eval"), prepare=with_hook(path, _gaining)
            )


def _plain_layers(subject: Subject) -> list[str]:
    """Layers that are made of no others and give one tensor."""
    return [
        path
        for path in subject.layers
        if not list(subject.module.get_submodule(path).children())
        and not any(f"{stage}/layer/{path}/1" in subject.leaves for stage in ("step0", "eval"))
    ]


def _gaining(layer: nn.Module, arguments: Any, output: Any) -> Any:
    return output.unsqueeze(0) if isinstance(output, Tensor) else output


class Accumulation(Fault):
    """An accumulated gradient is not divided by the number of batches."""

    name = "accumulation"
    incident = "transformers 35203"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        train = subject.program.train
        if train is None or train.accumulate == 1 or subject.case.mode != "train":
            return
        source = _undivided(subject.source, train.accumulate)
        if source is not None:
            yield Injection("training_step", ("*/grad/*",), source=source)


def _undivided(source: str, count: int) -> str | None:
    tree = ast.parse(source)
    found = False
    for node in ast.walk(tree):
        # (terms["loss"] / 4).backward()
        if not (isinstance(node, ast.Attribute) and node.attr == "backward"):
            continue
        for part in ast.walk(node):
            for name, value in ast.iter_fields(part):
                if (
                    isinstance(value, ast.BinOp)
                    and isinstance(value.op, ast.Div)
                    and isinstance(value.right, ast.Constant)
                    and value.right.value == count
                ):
                    setattr(part, name, value.left)
                    found = True
        if isinstance(node.value, ast.List):
            node.value.elts = [_bare(each, count) for each in node.value.elts]
    return ast.unparse(tree) if found else None


def _bare(node: ast.expr, count: int) -> ast.expr:
    return node.left if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) else node


class ClampedInitial(Fault):
    """What ``trunc_normal_`` should cut off is piled up at the bounds."""

    name = "initial-clamped"
    incident = "pytorch 155588"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        names = tuple(f"initial/{name}" for name in _visibly_cut(subject))
        if names:
            around = in_place_of(nn.init, "trunc_normal_", _clamped)
            yield Injection("trunc_normal_", names, around=around, native=True)


# Of so many numbers at a bound none is there by chance; of fewer nothing can be said.
_PILE = 16


def _visibly_cut(subject: Subject) -> Iterator[str]:
    """The parameters of which the normal leaves enough beyond a bound to be seen."""
    for prefix, module in blocks(subject.program.subject()):
        for initializer in module.initializers:
            if initializer.type != "trunc_normal_":
                continue
            given = settings_of(initializer, module.values)
            mean, std, low, high = (given[name] for name in ("mean", "std", "a", "b"))
            beyond = max(
                math.erfc((mean - low) / std / math.sqrt(2)) / 2,
                math.erfc((high - mean) / std / math.sqrt(2)) / 2,
            )
            for name, _ in initializer.distributions:
                count = min(subject.closed.parameters[prefix + name].numel(), MOST)
                if truncated(mean, std, low, high) is not None and beyond * count >= _PILE:
                    yield prefix + name


def _clamped(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Tensor:
    with torch.no_grad():
        return tensor.normal_(mean, std).clamp_(a, b)


FAULTS = (
    LeadingDimension(),
    Accumulation(),
    ClampedInitial(),
)
