"""Faults in how a model is trained and called: shapes, accumulation, masks, initial values."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch import Tensor, nn

from specc.mutate.fault import Fault, Injection, Subject, layer_names, spread


class LeadingDimension(Fault):
    """An output gains a leading dimension."""

    name = "leading-dimension"
    incident = "pytorch 100970"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        for path in spread(_plain_layers(subject)):
            yield Injection(path, (*layer_names(path), "step0", "eval"), prepare=_gaining(path))


def _plain_layers(subject: Subject) -> list[str]:
    return [p for p in subject.layers if not list(subject.module.get_submodule(p).children())]


def _gaining(path: str) -> Callable[[nn.Module], None]:
    def hook(module: nn.Module, arguments: Any, output: Any) -> Any:
        return output.unsqueeze(0) if isinstance(output, Tensor) else output

    def prepare(module: nn.Module) -> None:
        module.get_submodule(path).register_forward_hook(hook)

    return prepare


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


class SharedMask(Fault):
    """Neighbours share one draw of a dropout's mask."""

    name = "shared-mask"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        if subject.case.mode != "train":
            return
        for path in spread(list(_dropouts(subject))):
            yield Injection(path, layer_names(path), prepare=_sharing(path))


def _dropouts(subject: Subject) -> Iterator[str]:
    for path in subject.layers:
        layer = subject.module.get_submodule(path)
        if isinstance(layer, nn.Dropout) and layer.p > 0:
            yield path


def _sharing(path: str) -> Callable[[nn.Module], None]:
    def hook(module: nn.Module, arguments: Any, output: Tensor) -> Tensor:
        flat = output.flatten()
        given = arguments[0].flatten()
        half = flat.numel() // 2
        mask = (flat != 0).to(flat.dtype).clone()
        mask[1 : 2 * half : 2] = mask[0 : 2 * half : 2]
        p: Any = module.p
        return (given * mask / (1 - p)).view_as(output)

    def prepare(module: nn.Module) -> None:
        module.get_submodule(path).register_forward_hook(hook)

    return prepare


FAULTS = (LeadingDimension(), Accumulation(), SharedMask())
